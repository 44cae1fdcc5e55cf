#pragma once
/* fake_speech.h - a voice whose clips last so long a character, ears that understand by the kind of the question */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/fake_clip.h"
#include "services/stt.h"
#include "services/tts.h"

enum { CLIP_MS_PER_CHARACTER = 60 };

static _Atomic bool is_mute; /* the voice fails */

bool tts_can(const struct tts *tts, const char *language)
{
    return true;
}

bool tts_can_remotely(const struct tts *tts, const char *language)
{
    return false;
}

/* A voice that comes bit by bit: fake_grow() is to be called every 20 ms of the test's time. */
enum { GROWTH_MAX = 16, GROWTH_FIRST_MS = 300 };

static struct {
    unsigned ms_per_step;           /* of audio; 0: everything comes at once */
    unsigned break_at_ms, n_breaks; /* so many sentences that are longer break there */
    unsigned n_given_up;
    unsigned n_ms;                  /* of all that came */
    struct {
        struct tts_sentence *sentence;
        size_t n;
    } each[GROWTH_MAX];
    unsigned n;
} growth;

__attribute__((unused)) static void fake_grow(void)
{
    for (unsigned i = growth.n; i-- > 0;) {
        struct tts_sentence *sentence = growth.each[i].sentence;
        struct clip *clip = sentence->clip;
        size_t n = clip->n + growth.ms_per_step * 8, n_whole = growth.each[i].n;
        bool breaks = growth.n_breaks && n > growth.break_at_ms * 8;

        n = n < n_whole ? n : n_whole;
        growth.n_given_up += sentence->is_unwanted;
        if (!sentence->is_unwanted && !breaks) {
            growth.n_ms += (unsigned)(n - clip->n) / 8;
            clip_publish(clip, n);
            if (n < n_whole)
                continue;
        }
        if (breaks && !sentence->is_unwanted) {
            growth.n_breaks--;
            sentence->steps[sentence->n_steps++] = (struct tts_step){ .from = "openai", .to = is_mute ? "" : "flite",
                                                                      .cause = "it broke", .at_ms = 1 };
        }
        growth.each[i] = growth.each[--growth.n];
        clip_end(clip, breaks || sentence->is_unwanted ? CLIP_BROKEN : CLIP_WHOLE);
        sentence->on_over(sentence);
    }
}

static void fake_render(struct engine_job *job, unsigned thread)
{
    struct tts_sentence *sentence = (struct tts_sentence *)((char *)job - offsetof(struct tts_sentence, job));

    sentence->r = sentence->is_unwanted ? -ECANCELED : is_mute ? -EIO : 0;
    size_t n = strlen(sentence->text) * CLIP_MS_PER_CHARACTER * 8;
    if (sentence->r == 0 && growth.ms_per_step && !sentence->n_steps && n > GROWTH_FIRST_MS * 8 && growth.n < GROWTH_MAX) {
        sentence->clip = clip_new_growing(n);
        clip_publish(sentence->clip, GROWTH_FIRST_MS * 8);
        growth.n_ms += GROWTH_FIRST_MS;
        growth.each[growth.n].sentence = sentence;
        growth.each[growth.n++].n = n;
    } else if (sentence->r == 0) {
        sentence->clip = clip_new(n);
        growth.n_ms += (unsigned)(n / 8);
    }
}

static void fake_rendered(struct engine_job *job)
{
    struct tts_sentence *sentence = (struct tts_sentence *)((char *)job - offsetof(struct tts_sentence, job));

    sentence->on_audio(sentence, !sentence->clip || sentence->clip->state != CLIP_GROWING);
}

int tts_say(struct tts_sentence *sentence)
{
    sentence->job = (struct engine_job){ .run = fake_render, .done = fake_rendered };
    return engine_submit(sentence->engine, &sentence->job);
}

int tts_say_again(struct tts_sentence *sentence)
{
    clip_unref(steal(&sentence->clip));
    return tts_say(sentence);
}

void tts_give_up(struct tts_sentence *sentence)
{
    sentence->is_unwanted = true;
}

void tts_sentence_done(struct tts_sentence *sentence)
{
    clip_unref(steal(&sentence->clip));
}

static _Atomic bool is_deaf;       /* the ears fail */
static _Atomic unsigned n_babble;  /* so many times they understand nothing */
static _Atomic size_t n_samples_heard;
static const char *_Atomic free_answer; /* what every free answer is; NULL: nobody can transcribe one */

bool stt_can(const struct stt *stt, const char *language, enum answer_kind expect)
{
    return expect != ANSWER_FREE || free_answer;
}

/* Nobody over the network. */
int stt_question_new(struct stt *stt, const struct stt_request *request, struct stt_question **ret_question)
{
    return -EOPNOTSUPP;
}

void stt_question_free(struct stt_question *question)
{
}

void stt_ask(struct stt_question *question)
{
}

void stt_give_up(struct stt_question *question)
{
}

int stt_settle(struct stt *stt, const struct stt_question *question, const struct stt_request *request,
               struct stt_result *ret_result)
{
    return -EOPNOTSUPP;
}

int stt_recognise(struct stt *stt, unsigned thread, const struct stt_request *request, struct stt_result *ret_result)
{
    const char *const answers[ANSWER_N_KINDS] = {
        [ANSWER_FREE] = free_answer,
        [ANSWER_YESNO] = "yes",
        [ANSWER_DIGITS] = "five five five one two three four five six seven",
        [ANSWER_NUMBER] = "twelve",
        [ANSWER_COMMAND] = "yes",
    };

    n_samples_heard += request->n_samples;
    if (is_deaf)
        return -EIO;
    *ret_result = (struct stt_result){ .confidence = -1 };
    if (n_babble) {
        n_babble--;
        return 0;
    }
    ret_result->understood = answers[request->expect] != NULL;
    (void)snprintf(ret_result->text, sizeof(ret_result->text), "%s", answers[request->expect] ?: "");
    return 0;
}
