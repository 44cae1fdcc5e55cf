/*
 * tts.c - text to speech, as mu-law clips
 *
 *     recording of the operator -> for each engine in order: cache, then rendering -> nobody
 *
 * A recording is played as it was made, only its rate is changed. A rendering is made fit for the
 * telephone: one channel, 8000 Hz, silence at both ends cut to what a sentence needs to stand
 * beside the next, its peak at -3 dBFS.
 *
 * An engine that failed is left alone for REST_MS as long as another one speaks the language, so
 * that a broken command does not make every caller wait for its deadline.
 */
#include "services/tts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/tts_cache.h"
#include "services/tts_engine.h"
#include "utils/audio.h"
#include "utils/log.h"
#include "utils/scoped.h"

enum {
    RATE_HZ = 8000,
    CLIP_MAX = 180 * RATE_HZ, /* nobody listens for longer */
    QUIET = 200, /* a sample below this is silence at the ends, -44 dBFS: flite's own is at 150 */
    LEAD = RATE_HZ * 30 / 1000,
    TAIL = RATE_HZ * 120 / 1000,
    PEAK = 23197, /* -3 dBFS */
    GAIN_MAX = 8, /* what is quieter yet is noise */
    REST_MS = 30000,
};

static const struct tts_engine *const engines[] = { &tts_command, &tts_flite };

struct tts {
    const struct config *config;
    char *recordings;        /* PROMPTS_DIR/<profile>; NULL none */
    struct tts_cache *cache; /* NULL: every sentence is rendered */
    _Atomic uint64_t rest_until_ms[ELEMENTSOF(engines)];
};

static int clip_from(const int16_t *pcm, size_t n, struct clip **ret_clip)
{
    if (n > CLIP_MAX)
        return -EFBIG;
    struct clip *clip = clip_new(n);
    if (!clip)
        return -ENOMEM;
    ulaw_encode(pcm, clip->ulaw, n);
    *ret_clip = clip;
    return 0;
}

/* A name that can be no path. */
static bool is_name(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/');
}

/* Releases the wav. */
static int clip_from_wav(struct wav *wav, size_t (*fit)(int16_t *pcm, size_t n),
                         struct clip **ret_clip)
{
    scoped(free) int16_t *pcm = NULL;
    size_t n = 0;

    int r = wav_to_mono(wav, RATE_HZ, &pcm, &n);
    wav_done(wav);
    if (r < 0)
        return r;
    return clip_from(pcm, fit ? fit(pcm, n) : n, ret_clip);
}

/* Cut and level in place. Returns what is left. */
static size_t fit_for_telephone(int16_t *pcm, size_t n)
{
    size_t first = 0, last = n;
    int peak = 0;

    while (first < n && abs(pcm[first]) < QUIET)
        first++;
    while (last > first && abs(pcm[last - 1]) < QUIET)
        last--;
    if (first == last)
        return 0;
    first = first > LEAD ? first - LEAD : 0;
    last = n - last > TAIL ? last + TAIL : n;

    for (size_t i = first; i < last; i++)
        peak = abs(pcm[i]) > peak ? abs(pcm[i]) : peak;
    double gain = (double)PEAK / peak;
    gain = gain < GAIN_MAX ? gain : GAIN_MAX;
    for (size_t i = first; i < last; i++)
        pcm[i - first] = (int16_t)(pcm[i] * gain);
    return last - first;
}

static bool has_recordings(const char *folder)
{
    DIR *dir = folder ? opendir(folder) : NULL;
    bool found = false;

    if (!dir)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(dir));) {
        size_t n = strlen(entry->d_name);
        found = n > 4 && strcmp(entry->d_name + n - 4, ".wav") == 0;
    }
    (void)closedir(dir);
    return found;
}

static int play_recording(const struct tts *tts, const char *prompt, struct clip **ret_clip)
{
    struct wav wav = { 0 };
    const char *why;
    char path[4096];

    if (!tts->recordings || !prompt || !is_name(prompt) ||
        (size_t)snprintf(path, sizeof(path), "%s/%s.wav", tts->recordings, prompt) >= sizeof(path))
        return -ENOENT;
    int r = wav_read(path, &wav, &why);
    if (r >= 0)
        r = clip_from_wav(&wav, NULL, ret_clip);
    else if (r != -ENOENT)
        (void)log_warning(r, "the recording %s is not played: %s", path, why);
    return r;
}

/* Rendering that cannot be heard is a failure: another engine may have more to say. */
static int render(const struct tts *tts, const struct tts_engine *engine, const struct tts_key *key,
                  struct clip **ret_clip)
{
    scoped(clip_unref) struct clip *clip = NULL;
    struct wav wav = { 0 };

    int r = engine->render(tts->config, key->language, key->text, &wav);
    if (r < 0)
        return r;
    r = clip_from_wav(&wav, fit_for_telephone, &clip);
    if (r < 0 || clip->n == 0)
        return r < 0 ? r : -EIO;
    int kept = tts->cache ? tts_cache_put(tts->cache, key, clip) : 0;
    if (kept < 0)
        log_limited(LOG_WARNING, NULL, "rendered speech is not kept: %s", strerror(-kept));
    *ret_clip = steal(&clip);
    return 0;
}

/* Whether a later engine could speak in its stead. */
static bool is_last(const struct tts *tts, size_t i, const char *language)
{
    for (i++; i < ELEMENTSOF(engines); i++)
        if (engines[i]->can(tts->config, language))
            return false;
    return true;
}

int tts_open(const struct config *config, const char *profile, unsigned n_threads,
             struct tts **ret_tts)
{
    scoped(tts_close) struct tts *tts = calloc(1, sizeof(*tts));

    if (!tts)
        return -ENOMEM;
    tts->config = config;
    if (config->prompts_dir && profile && is_name(profile) &&
        asprintf(&tts->recordings, "%s/%s", config->prompts_dir, profile) < 0) {
        tts->recordings = NULL;
        return -ENOMEM;
    }
    if (config->cache_dir) {
        int r = tts_cache_open(config->cache_dir, TTS_CACHE_MAX, &tts->cache);
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
    tts_cache_close(tts->cache);
    free(tts->recordings);
    free(tts);
}

bool tts_can(const struct tts *tts, const char *language)
{
    for (size_t i = 0; i < ELEMENTSOF(engines); i++)
        if (engines[i]->can(tts->config, language))
            return true;
    return has_recordings(tts->recordings);
}

/* Returns: 0, -EAGAIN it rests, or why it failed. */
static int speak_with(struct tts *tts, size_t i, const char *language, const char *text,
                      struct clip **ret_clip)
{
    struct tts_key key = { engines[i]->name, engines[i]->identity(tts->config), language, text };

    if (tts->cache && tts_cache_get(tts->cache, &key, ret_clip) == 0)
        return 0;
    if (clock_mono_ms() < atomic_load(&tts->rest_until_ms[i]) && !is_last(tts, i, language))
        return -EAGAIN;
    int r = render(tts, engines[i], &key, ret_clip);
    if (r < 0)
        atomic_store(&tts->rest_until_ms[i], clock_mono_ms() + REST_MS);
    return r;
}

int tts_speak(struct tts *tts, unsigned thread, const char *language, const char *prompt,
              const char *text, struct clip **ret_clip)
{
    int r = play_recording(tts, prompt, ret_clip);

    if (r == 0)
        return 0;
    r = -EOPNOTSUPP;
    for (size_t i = 0; i < ELEMENTSOF(engines); i++) {
        if (!engines[i]->can(tts->config, language))
            continue;
        r = speak_with(tts, i, language, text, ret_clip);
        if (r == 0)
            return 0;
    }
    return r == -EOPNOTSUPP || r == -ETIMEDOUT ? r : -EIO;
}
