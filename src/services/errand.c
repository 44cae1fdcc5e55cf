/*
 * errand.c - what a call has done for it on an engine thread: speaking, recognising, keeping audio
 *
 * A kept answer is a WAV file that appears under its name complete and synced, or not at all:
 * <state>/recordings/<CallSid>/<n>.wav, where n is the number of its first utterance.
 *
 * Recognition goes up to three ways: an engine thread makes the question and lets it go out; the http client's thread
 * takes the answer and sends the errand home with it, or to the engine threads once more, for the embedded recogniser.
 */
#include "services/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "utils/audio.h"
#include "utils/file.h"
#include "utils/log.h"

enum { RATE_HZ = 8000, PATH_MAX_BYTES = 4096 };

struct errand_pool {
    struct errand_options options;
    struct errand *free;
    size_t n_touched, n_errands; /* of errands[], which is given out in order before the stack is first used */
    struct errand errands[];
};

int errand_pool_new(const struct errand_options *options, size_t n_errands, struct errand_pool **ret_pool)
{
    struct errand_pool *pool = malloc(sizeof(*pool) + n_errands * sizeof(pool->errands[0]));
    if (!pool)
        return -ENOMEM;

    *pool = (struct errand_pool){ .options = *options, .n_errands = n_errands };
    *ret_pool = pool;
    return 0;
}

void errand_pool_free(struct errand_pool *pool)
{
    free(pool);
}

/* --- engine threads */

/* All parts as one. Returns: NULL out of memory. */
static int16_t *decode(const struct errand *errand, size_t *ret_n)
{
    size_t n = 0;

    for (unsigned i = 0; i < errand->n_parts; i++)
        n += errand->parts[i]->n;
    int16_t *pcm = malloc(n * sizeof(*pcm) + 1), *at = pcm;
    for (unsigned i = 0; pcm && i < errand->n_parts; at += errand->parts[i++]->n)
        utterance_decode(errand->parts[i], at);
    *ret_n = n;
    return pcm;
}

static struct stt_request request_of(const struct errand *errand)
{
    return (struct stt_request){ .language = errand->pool->options.language, .expect = errand->recognise.expect,
                                 .hints = errand->recognise.hints };
}

static void recognise(struct errand *errand, unsigned thread)
{
    struct stt *stt = errand->pool->options.stt;
    struct stt_request request = request_of(errand);
    struct stt_question *question = NULL;
    scoped(free) int16_t *pcm = decode(errand, &request.n_samples);

    request.pcm = pcm;
    if (pcm && !errand->recognise.is_settled && stt_question_new(stt, &request, &question) == 0) {
        atomic_store(&errand->recognise.question, question); /* pairs with errand_give_up() */
        return;
    }
    errand->recognise.is_settled = true;
    errand->r = pcm ? stt_recognise(stt, thread, &request, &errand->recognise.result) : -ENOMEM;
}

/* Who answers in the place of whom, and why. */
static void note_step(struct errand *errand, const struct stt_question *question)
{
    errand->recognise.asked = question->asked;
    errand->recognise.failed = question->failed;
    memcpy(errand->recognise.why_failed, question->cause, sizeof(question->cause));
    errand->recognise.next = errand->r == -EAGAIN ? "embedded" : errand->r == -EOPNOTSUPP ? "" : NULL;
    (void)snprintf(errand->recognise.cause, sizeof(errand->recognise.cause), question->status ? "%s, HTTP %u" : "%s",
                   question->why ?: "", question->status);
}

/* On the http client's thread. */
static void answered(struct stt_question *question)
{
    struct errand *errand = question->user;
    const struct errand_options *options = &errand->pool->options;
    struct stt_request request = request_of(errand);

    errand->recognise.is_settled = true;
    errand->recognise.asked_ms = question->asked_ms;
    errand->recognise.answered_ms = question->answered_ms;
    errand->r = stt_settle(options->stt, question, &request, &errand->recognise.result);
    note_step(errand, question);
    if (errand->r == -EAGAIN && engine_submit(options->engine, &errand->job) == 0)
        return;
    inbox_post(options->inbox, &errand->home);
}

static int make_folder(const char *parent, const char *path)
{
    if (mkdir(path, 0750) < 0)
        return errno == EEXIST ? 0 : -errno;
    return file_sync(parent);
}

/* The folder of a call, made when it is not there. */
static int call_folder(const char *state_dir, const char *sid, char folder[PATH_MAX_BYTES])
{
    char parent[PATH_MAX_BYTES];

    (void)snprintf(parent, sizeof(parent), "%s/recordings", state_dir);
    if (snprintf(folder, PATH_MAX_BYTES, "%s/recordings/%s", state_dir, sid) >= PATH_MAX_BYTES - 32)
        return -ENAMETOOLONG;

    int r = make_folder(state_dir, parent);
    return r < 0 ? r : make_folder(parent, folder);
}

static int write_whole(const char *folder, unsigned number, const struct wav *wav)
{
    char path[PATH_MAX_BYTES + 32], part[PATH_MAX_BYTES + 32];

    (void)snprintf(path, sizeof(path), "%s/%u.wav", folder, number);
    (void)snprintf(part, sizeof(part), "%s/%u.part", folder, number);
    int r = wav_write(part, wav);
    if (r == 0)
        r = file_sync(part);
    if (r == 0 && rename(part, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(part);
        return r;
    }
    return file_sync(folder);
}

static void keep(struct errand *errand, unsigned thread)
{
    struct wav wav = { .rate_hz = RATE_HZ, .n_channels = 1 };
    char folder[PATH_MAX_BYTES];
    scoped(free) int16_t *pcm = wav.pcm = decode(errand, &wav.n_samples);

    errand->r = pcm ? call_folder(errand->pool->options.state_dir, errand->keep.sid, folder) : -ENOMEM;
    if (errand->r == 0)
        errand->r = write_whole(folder, errand->number, &wav);
    if (errand->r < 0)
        (void)log_line(LOG_ERR, errand->r, errand->keep.sid, "cannot keep the audio of an answer");
    else
        (void)snprintf(errand->keep.path, sizeof(errand->keep.path), "recordings/%s/%u.wav", errand->keep.sid,
                       errand->number);
}

static struct errand *errand_of(struct tts_sentence *sentence)
{
    return (struct errand *)((char *)sentence - offsetof(struct errand, speak.sentence));
}

/* These two: on the http client's thread, too. */
static void spoken(struct tts_sentence *sentence, bool is_over)
{
    struct errand *errand = errand_of(sentence);

    errand->r = sentence->r;
    errand->speak.is_over = is_over;
    inbox_post(errand->pool->options.inbox, &errand->home);
}

static void spoken_out(struct tts_sentence *sentence)
{
    struct errand *errand = errand_of(sentence);

    inbox_post(errand->pool->options.inbox, &errand->speak.end);
}

static void errand_run(struct engine_job *job, unsigned thread)
{
    static void (*const runs[])(struct errand *errand, unsigned thread) = {
        [ERRAND_RECOGNISE] = recognise,
        [ERRAND_KEEP] = keep,
    };
    struct errand *errand = (struct errand *)job;

    if (atomic_load_explicit(&errand->is_unwanted, memory_order_relaxed))
        errand->r = -ECANCELED;
    else
        runs[errand->kind](errand, thread);
}

static void errand_done(struct engine_job *job)
{
    struct errand *errand = (struct errand *)job;
    bool is_asking = errand->kind == ERRAND_RECOGNISE && !errand->recognise.is_settled && errand->recognise.question;

    if (is_asking) {
        errand->recognise.question->on_answer = answered;
        errand->recognise.question->user = errand;
        stt_ask(errand->recognise.question);
        return;
    }
    inbox_post(errand->pool->options.inbox, &errand->home);
}

/* --- the worker */

static void errand_home(struct inbox_item *item)
{
    struct errand *errand = (struct errand *)((char *)item - offsetof(struct errand, home));

    errand->on_home(errand);
}

static void errand_end(struct inbox_item *item)
{
    struct errand *errand = (struct errand *)((char *)item - offsetof(struct errand, speak.end));

    errand->speak.is_over = true;
    errand->on_home(errand);
}

struct errand *errand_get(struct errand_pool *pool, enum errand_kind kind, unsigned number)
{
    struct errand *errand = pool->free;

    if (errand)
        pool->free = errand->next;
    else if (pool->n_touched < pool->n_errands)
        errand = &pool->errands[pool->n_touched++];
    else
        return NULL;

    errand->job = (struct engine_job){ .run = errand_run, .done = errand_done };
    errand->home = (struct inbox_item){ .run = errand_home };
    errand->pool = pool;
    errand->next = NULL;
    errand->kind = kind;
    errand->number = number;
    errand->is_unwanted = false;
    errand->r = 0;
    errand->n_parts = 0;
    if (kind == ERRAND_SPEAK) {
        const struct errand_options *options = &pool->options;

        errand->speak.is_over = errand->speak.is_taken = false;
        errand->speak.end = (struct inbox_item){ .run = errand_end };
        errand->speak.sentence = (struct tts_sentence){
            .tts = options->tts, .engine = options->engine, .language = options->language, .text = errand->speak.text,
            .on_audio = spoken, .on_over = spoken_out,
        };
    }
    if (kind == ERRAND_RECOGNISE) {
        errand->recognise.question = NULL;
        errand->recognise.hints = NULL;
        errand->recognise.is_settled = false;
        errand->recognise.asked_ms = errand->recognise.answered_ms = 0;
        errand->recognise.next = errand->recognise.failed = NULL;
    }
    return errand;
}

int errand_send(struct errand *errand, void (*on_home)(struct errand *errand), void *user)
{
    errand->on_home = on_home;
    errand->user = user;

    return errand->kind == ERRAND_SPEAK ? tts_say(&errand->speak.sentence)
                                        : engine_submit(errand->pool->options.engine, &errand->job);
}

int errand_send_again(struct errand *errand)
{
    errand->speak.is_over = false;
    return tts_say_again(&errand->speak.sentence);
}

void errand_give_up(struct errand *errand)
{
    struct stt_question *question = errand->kind == ERRAND_RECOGNISE ? atomic_load(&errand->recognise.question) : NULL;

    atomic_store_explicit(&errand->is_unwanted, true, memory_order_relaxed);
    if (errand->kind == ERRAND_SPEAK)
        tts_give_up(&errand->speak.sentence);
    if (question)
        stt_give_up(question);
}

void errand_put(struct errand *errand)
{
    if (errand->kind == ERRAND_SPEAK)
        tts_sentence_done(&errand->speak.sentence);
    if (errand->kind == ERRAND_RECOGNISE)
        stt_question_free(errand->recognise.question);
    errand->next = errand->pool->free;
    errand->pool->free = errand;
}
