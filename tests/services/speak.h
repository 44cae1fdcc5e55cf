#pragma once
/* speak.h - a sentence that is waited for */

#include <semaphore.h>
#include <stdlib.h>

#include "services/tts.h"

struct spoken_one {
    struct tts_sentence sentence; /* first */
    sem_t over;
};

static void spoken_over(struct tts_sentence *sentence)
{
    sem_post(&((struct spoken_one *)sentence)->over);
}

static void spoken_audio(struct tts_sentence *sentence, bool is_over)
{
    if (is_over)
        spoken_over(sentence);
}

static struct engine *speak_engine(void)
{
    static struct engine *engine;

    if (!engine && engine_new(2, 256, &engine) < 0)
        abort();
    return engine;
}

/* *one holds what came of it, until tts_sentence_done(). */
static int speak_wait(struct spoken_one *one, struct tts *tts, const char *language, const char *prompt, const char *text)
{
    *one = (struct spoken_one){ .sentence = { .tts = tts, .engine = speak_engine(), .language = language, .prompt = prompt,
                                              .text = text, .on_audio = spoken_audio, .on_over = spoken_over } };
    sem_init(&one->over, 0, 0);
    int r = tts_say(&one->sentence);
    if (r < 0)
        return r;
    while (sem_wait(&one->over) < 0)
        ;
    sem_destroy(&one->over);
    return one->sentence.r;
}

static int speak_now(struct tts *tts, const char *language, const char *prompt, const char *text, struct clip **ret_clip)
{
    struct spoken_one one;
    int r = speak_wait(&one, tts, language, prompt, text);

    if (r == 0)
        *ret_clip = clip_ref(one.sentence.clip);
    tts_sentence_done(&one.sentence);
    return r;
}
