/*
 * tts.c - text to speech, as mu-law clips
 *
 *     recording of the operator -> for each voice in order: its cache, then itself -> nobody
 *
 * A sentence is on one thread at a time: an engine thread looks for it (go_on), asks a remote voice and lets it go; the
 * http client's thread takes what that brings, tells the asker, or sends the sentence to the engine threads again, for
 * the next voice. What came over the network is written to the cache when it is whole (keep), behind the asker's back.
 *
 * A voice that failed is left alone for REST_MS as long as another one speaks the language, so that a
 * broken one does not make every caller wait for its deadline. The cache of a voice is asked just before the voice, and
 * not all caches first: what a worse voice said while the better one was away must not be heard for ever after. So a
 * call in which a voice fails keeps the next one for a while, and the better one is back with its own sound later.
 */
#include "services/tts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/speakable.h"
#include "services/tts_cache.h"
#include "services/tts_engine.h"
#include "services/tts_render.h"
#include "utils/log.h"

enum {
    TEXT_MAX_BYTES = 4 * KIB, /* as it is spoken */
    REST_MS = 30000,
    LADDER_MS = 2700, /* for all remote voices of a sentence: after 3 s the dialogue gives it up */
    LEAST_MS = 300,   /* in less nobody answers */
    PATIENT_MS = 8000,
};

static const struct tts_engine *const engines[] = { &tts_google, &tts_openai, &tts_command, &tts_flite };

struct voice {
    const struct tts_engine *engine;
    char *identity;
    void *remote; /* NULL: it renders, or is not set up */
    _Atomic uint64_t rest_until_ms, n_spoken, n_cached, n_failed;
};

struct tts {
    const struct config *config;
    char *recordings;        /* PROMPTS_DIR/<profile>; NULL none */
    struct tts_cache *cache; /* NULL: every sentence is rendered */
    struct voice voices[TTS_VOICES];
    _Atomic uint64_t n_stepped_down, n_broken, n_unspoken;
};

/* What a sentence needs on its way. */
struct tts_work {
    struct tts_attempt *_Atomic attempts[TTS_VOICES]; /* for tts_give_up(): they live as long as the work */
    unsigned next; /* the voice whose turn it is */
    uint64_t began_ms;
    bool is_told;  /* its asker was told of audio */
    char text[TEXT_MAX_BYTES];
};

static void keep_clip(const struct tts *tts, const struct tts_key *key, const struct clip *clip)
{
    int r = tts->cache ? tts_cache_put(tts->cache, key, clip) : 0;

    if (r < 0)
        log_limited(LOG_WARNING, NULL, "rendered speech is not kept: %s", strerror(-r));
}

/* --- the voices */

static bool is_usable(const struct tts *tts, size_t i, const char *language)
{
    const struct voice *voice = &tts->voices[i];

    return (!voice->engine->remote || voice->remote) && voice->engine->can(tts->config, language);
}

/* Whether no later voice could speak in its stead. */
static bool is_last(const struct tts *tts, size_t i, const char *language)
{
    for (i++; i < ELEMENTSOF(engines); i++)
        if (is_usable(tts, i, language))
            return false;
    return true;
}

static bool is_resting(const struct voice *voice)
{
    return clock_mono_ms() < atomic_load(&voice->rest_until_ms);
}

static int voice_open(struct tts *tts, const struct tts_options *options, size_t i)
{
    struct voice *voice = &tts->voices[i];

    voice->engine = engines[i];
    voice->identity = engines[i]->identity(options->config);
    if (!voice->identity)
        return -ENOMEM;
    if (!engines[i]->remote || !options->client || !engines[i]->can(options->config, ""))
        return 0;
    int r = engines[i]->remote->open(options, &voice->remote);
    if (r == 0)
        log_info("%s speaks", engines[i]->name);
    return r;
}

int tts_open(const struct tts_options *options, struct tts **ret_tts)
{
    const struct config *config = options->config;
    scoped(tts_close) struct tts *tts = calloc(1, sizeof(*tts));
    int r = 0;

    if (!tts)
        return -ENOMEM;
    tts->config = config;
    if (config->prompts_dir && options->profile && tts_is_name(options->profile) &&
        asprintf(&tts->recordings, "%s/%s", config->prompts_dir, options->profile) < 0) {
        tts->recordings = NULL;
        return -ENOMEM;
    }
    for (size_t i = 0; r == 0 && i < ELEMENTSOF(engines); i++)
        r = voice_open(tts, options, i);
    if (r < 0)
        return r;
    if (config->cache_dir) {
        r = tts_cache_open(config->cache_dir, TTS_CACHE_MAX, &tts->cache);
        if (r < 0)
            (void)log_warning(r, "rendered speech is not kept: CACHE_DIR %s", config->cache_dir);
        else
            log_debug("rendered speech is kept in %s: %.1f of %d MiB", config->cache_dir,
                      (double)tts_cache_size(tts->cache) / MIB, TTS_CACHE_MAX / MIB);
    }
    *ret_tts = steal(&tts);
    return 0;
}

void tts_close(struct tts *tts)
{
    if (!tts)
        return;
    for (size_t i = 0; i < ELEMENTSOF(engines); i++) {
        if (tts->voices[i].remote)
            engines[i]->remote->close(tts->voices[i].remote);
        free(tts->voices[i].identity);
    }
    tts_cache_close(tts->cache);
    free(tts->recordings);
    free(tts);
}

bool tts_can(const struct tts *tts, const char *language)
{
    for (size_t i = 0; i < ELEMENTSOF(engines); i++)
        if (is_usable(tts, i, language))
            return true;
    return tts_recordings_any(tts->recordings);
}

bool tts_can_remotely(const struct tts *tts, const char *language)
{
    for (size_t i = 0; i < ELEMENTSOF(engines); i++)
        if (engines[i]->remote && is_usable(tts, i, language))
            return true;
    return false;
}

void tts_warm(struct tts *tts)
{
    for (size_t i = 0; i < ELEMENTSOF(engines); i++)
        if (tts->voices[i].remote && !is_resting(&tts->voices[i])) {
            engines[i]->remote->warm(tts->voices[i].remote);
            return;
        }
}

/* --- a sentence, on engine threads */

static struct tts_sentence *sentence_of(struct engine_job *job)
{
    return (struct tts_sentence *)((char *)job - offsetof(struct tts_sentence, job));
}

static struct tts_key key_of(const struct tts_sentence *sentence, unsigned i)
{
    const struct voice *voice = &sentence->tts->voices[i];

    return (struct tts_key){ voice->engine->name, voice->identity, sentence->language, sentence->work->text };
}

static struct tts_step *add_step(struct tts_sentence *sentence, unsigned i, const char *cause)
{
    assert(sentence->n_steps < TTS_VOICES);
    struct tts_step *step = &sentence->steps[sentence->n_steps++];

    *step = (struct tts_step){ .from = engines[i]->name, .to = "", .at_ms = clock_mono_ms() };
    (void)snprintf(step->cause, sizeof(step->cause), "%s", cause);
    return step;
}

/*
 * Whether the next sentence would fare no better. Not so when our own haste is to blame, or this sentence: which a voice
 * that has spoken before may take for wrong, but one that never did is set up wrongly.
 */
static bool is_to_rest(const struct voice *voice, int r, unsigned status)
{
    bool is_wrong = status == 400 || status == 413 || status == 422;

    return r != -EAGAIN && r != -ENOMEM && r != -EMSGSIZE && !(is_wrong && voice->n_spoken);
}

static void failed(struct tts_sentence *sentence, unsigned i, int r, unsigned status, const char *why)
{
    struct voice *voice = &sentence->tts->voices[i];

    voice->n_failed++;
    if (is_to_rest(voice, r, status))
        atomic_store(&voice->rest_until_ms, clock_mono_ms() + REST_MS);
    add_step(sentence, i, why)->is_rest = r == -EHOSTDOWN;
    if (sentence->is_patient) /* of no call, which would tell of its steps */
        log_limited(LOG_WARNING, NULL, "%s does not speak: %s", engines[i]->name, why);
}

/* When a remote voice has to be heard. 0: there is no time for it. */
static unsigned timeout_of(const struct tts_sentence *sentence, unsigned i)
{
    uint64_t spent_ms = clock_mono_ms() - sentence->work->began_ms, timeout_ms = sentence->tts->config->tts_timeout_ms;
    uint64_t left_ms = spent_ms < LADDER_MS ? LADDER_MS - spent_ms : 0;
    bool last = is_last(sentence->tts, i, sentence->language);

    if (sentence->is_patient)
        return PATIENT_MS;
    if (last)
        return (unsigned)(left_ms > LEAST_MS ? left_ms : LEAST_MS);
    timeout_ms = left_ms < timeout_ms ? left_ms : timeout_ms;
    return timeout_ms < LEAST_MS ? 0 : (unsigned)timeout_ms;
}

static void on_audio(struct tts_attempt *attempt);
static void on_end(struct tts_attempt *attempt);

/* Returns: -EINPROGRESS it can be asked; or why not. */
static int prepare(struct tts_sentence *sentence, unsigned i)
{
    struct tts_order order = { sentence->language, sentence->work->text, timeout_of(sentence, i) };
    struct tts_attempt *attempt = NULL;

    int r = order.timeout_ms ? engines[i]->remote->attempt_new(sentence->tts->voices[i].remote, &order, &attempt) : -EAGAIN;
    if (r < 0)
        return r;
    attempt->on_audio = on_audio;
    attempt->on_end = on_end;
    attempt->user = sentence;
    atomic_store(&sentence->work->attempts[i], attempt); /* pairs with tts_give_up() */
    return sentence->is_unwanted ? -ECANCELED : -EINPROGRESS;
}

static const char *why_of(int r)
{
    return r == -EAGAIN ? "there is no time for it" : r == -EMSGSIZE ? "the text is too long" : strerrordesc_np(-r) ?: "unknown error";
}

/* Returns: 0 and a clip; -EINPROGRESS it can be asked; or why not. */
static int try_voice(struct tts_sentence *sentence, unsigned i)
{
    struct tts *tts = sentence->tts;
    struct voice *voice = &tts->voices[i];
    struct tts_key key = key_of(sentence, i);

    if (!is_usable(tts, i, sentence->language))
        return -EOPNOTSUPP;
    if (tts->cache && tts_cache_get(tts->cache, &key, &sentence->clip) == 0) {
        voice->n_cached++;
        return 0;
    }
    if (is_resting(voice) && !is_last(tts, i, sentence->language)) {
        add_step(sentence, i, "it failed a moment ago")->is_rest = true;
        return -EIO;
    }
    int r = engines[i]->remote ? prepare(sentence, i)
                               : tts_render(engines[i], tts->config, key.language, key.text, &sentence->clip);
    if (r == 0) {
        voice->n_spoken++;
        keep_clip(tts, &key, sentence->clip);
    } else if (r != -EINPROGRESS && r != -ECANCELED) {
        failed(sentence, i, r, 0, why_of(r));
    }
    return r;
}

static int begin(struct tts_sentence *sentence)
{
    struct tts_work *work = calloc(1, sizeof(*work));

    if (!work)
        return -ENOMEM;
    work->began_ms = clock_mono_ms();
    (void)speakable(sentence->language, sentence->text, work->text, sizeof(work->text));
    atomic_store(&sentence->work, work);
    return 0;
}

/* From the voice whose turn it is on. Returns: as try_voice(). */
static int try_voices(struct tts_sentence *sentence)
{
    struct tts_work *work = sentence->work;
    int r = -EOPNOTSUPP;

    for (; work->next < ELEMENTSOF(engines); work->next++) {
        int tried = sentence->is_unwanted ? -ECANCELED : try_voice(sentence, work->next);
        if (tried == 0)
            sentence->voice = engines[work->next]->name;
        if (tried == 0 || tried == -EINPROGRESS || tried == -ECANCELED)
            return tried;
        r = tried == -EOPNOTSUPP ? r : tried;
    }
    return r == -EOPNOTSUPP && !sentence->n_steps ? r : r == -ETIMEDOUT ? r : -EIO;
}

static void go_on(struct engine_job *job, unsigned thread)
{
    struct tts_sentence *sentence = sentence_of(job);

    sentence->r = sentence->work ? 0 : begin(sentence);
    if (sentence->r == 0 && tts_recording(sentence->tts->recordings, sentence->prompt, &sentence->clip) == 0)
        sentence->voice = "recording";
    else if (sentence->r == 0)
        sentence->r = try_voices(sentence);
}

/* --- its ends */

static void name_steps(struct tts_sentence *sentence)
{
    for (unsigned i = 0; i < sentence->n_steps; i++)
        sentence->steps[i].to = i + 1 < sentence->n_steps ? sentence->steps[i + 1].from : sentence->clip ? sentence->voice : "";
}

/* The asker is told, and of the end, too, if nothing comes after it: then the sentence is his again. */
static void tell(struct tts_sentence *sentence, bool is_over)
{
    struct tts *tts = sentence->tts;

    tts->n_stepped_down += sentence->r == 0 && sentence->n_steps;
    tts->n_unspoken += sentence->r < 0 && sentence->r != -ECANCELED;
    name_steps(sentence);
    if (sentence->work)
        sentence->work->is_told = true;
    sentence->on_audio(sentence, is_over);
}

static void gone_on(struct engine_job *job)
{
    struct tts_sentence *sentence = sentence_of(job);

    if (sentence->r == -EINPROGRESS)
        engines[sentence->work->next]->remote->start(sentence->work->attempts[sentence->work->next]);
    else
        tell(sentence, true);
}

static int send(struct tts_sentence *sentence)
{
    sentence->job = (struct engine_job){ .run = go_on, .done = gone_on };
    return engine_submit(sentence->engine, &sentence->job);
}

static void keep(struct engine_job *job, unsigned thread)
{
    struct tts_sentence *sentence = sentence_of(job);
    struct tts_key key = key_of(sentence, sentence->work->next);

    keep_clip(sentence->tts, &key, sentence->clip);
}

static void kept(struct engine_job *job)
{
    struct tts_sentence *sentence = sentence_of(job);

    sentence->on_over(sentence);
}

/* --- on the http client's thread */

static void note_wait(struct tts_sentence *sentence, const struct tts_attempt *attempt)
{
    if (!sentence->asked_ms)
        sentence->asked_ms = attempt->call.asked_ms;
    sentence->answered_ms = attempt->audio_ms ? attempt->audio_ms : attempt->call.done_ms;
}

static void on_audio(struct tts_attempt *attempt)
{
    struct tts_sentence *sentence = attempt->user;

    note_wait(sentence, attempt);
    sentence->r = 0;
    sentence->clip = steal(&attempt->clip);
    sentence->voice = engines[sentence->work->next]->name;
    sentence->tts->voices[sentence->work->next].n_spoken++;
    tell(sentence, false);
}

/* The asker has its audio. */
static void over(struct tts_sentence *sentence, const struct tts_attempt *attempt)
{
    if (attempt->r == 0 && sentence->tts->cache) {
        sentence->job = (struct engine_job){ .run = keep, .done = kept };
        if (engine_submit(sentence->engine, &sentence->job) == 0)
            return;
    }
    if (attempt->r < 0 && attempt->r != -ECANCELED) {
        sentence->tts->n_broken++;
        failed(sentence, sentence->work->next, attempt->r, attempt->call.status, attempt->why);
    }
    sentence->on_over(sentence);
}

static void on_end(struct tts_attempt *attempt)
{
    struct tts_sentence *sentence = attempt->user;

    if (sentence->work->is_told) {
        over(sentence, attempt);
        return;
    }
    int r = attempt->r;
    note_wait(sentence, attempt);
    if (r != -ECANCELED) {
        failed(sentence, sentence->work->next++, r, attempt->call.status, attempt->why);
        r = send(sentence);
        if (r == 0)
            return; /* an engine thread has it */
    }
    sentence->r = r;
    tell(sentence, true);
}

/* --- for the asker */

int tts_say(struct tts_sentence *sentence)
{
    return send(sentence);
}

int tts_say_again(struct tts_sentence *sentence)
{
    struct tts_work *work = sentence->work;

    clip_unref(steal(&sentence->clip));
    work->next++;
    work->is_told = false;
    work->began_ms = clock_mono_ms();
    return send(sentence);
}

void tts_give_up(struct tts_sentence *sentence)
{
    if (atomic_exchange(&sentence->is_unwanted, true))
        return;
    struct tts_work *work = atomic_load(&sentence->work);
    for (size_t i = 0; work && i < ELEMENTSOF(work->attempts); i++) {
        struct tts_attempt *attempt = atomic_load(&work->attempts[i]);
        if (attempt)
            http_abort(&attempt->call);
    }
}

void tts_sentence_done(struct tts_sentence *sentence)
{
    struct tts_work *work = sentence->work;

    clip_unref(steal(&sentence->clip));
    for (size_t i = 0; work && i < ELEMENTSOF(work->attempts); i++)
        if (work->attempts[i])
            engines[i]->remote->release(work->attempts[i]);
    free(work);
    sentence->work = NULL;
}

void tts_stats(struct tts *tts, struct tts_stats *ret_stats)
{
    size_t n = 0;

    *ret_stats = (struct tts_stats){
        .n_stepped_down = tts->n_stepped_down, .n_broken = tts->n_broken, .n_unspoken = tts->n_unspoken
    };
    for (size_t i = 0; i < ELEMENTSOF(engines); i++) {
        struct voice *voice = &tts->voices[i];
        struct tts_voice_stats *stats = &ret_stats->voices[n];
        struct http_provider_stats http = { 0 };

        if (engines[i]->remote ? !voice->remote : !engines[i]->can(tts->config, "en"))
            continue;
        n++;
        if (voice->remote)
            engines[i]->remote->stats(voice->remote, &http);
        *stats = (struct tts_voice_stats){
            .name = engines[i]->name,
            .n_spoken = voice->n_spoken,
            .n_cached = voice->n_cached,
            .n_failed = voice->n_failed,
            .n_asked = http.n_calls,
            .n_retries = http.n_retries,
            .n_refused = http.n_refused,
            .n_connections = http.n_connections,
            .is_tripped = http.is_open,
            .is_resting = is_resting(voice),
            .took_us = http.took_us,
        };
    }
}
