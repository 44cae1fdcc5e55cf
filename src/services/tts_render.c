/*
 * tts_render.c - audio that is there as a whole, made into clips
 */
#include "services/tts_render.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utils/log.h"

enum {
    PEAK = 23197, /* -3 dBFS */
    GAIN_MAX = 8, /* what is quieter yet is noise */
};

int tts_clip_from(const int16_t *pcm, size_t n, struct clip **ret_clip)
{
    if (n > TTS_CLIP_MAX)
        return -EFBIG;
    struct clip *clip = clip_new(n);
    if (!clip)
        return -ENOMEM;
    ulaw_encode(pcm, clip->ulaw, n);
    *ret_clip = clip;
    return 0;
}

size_t tts_cut(const int16_t *pcm, size_t n, size_t *ret_first)
{
    size_t first = 0, last = n;

    while (first < n && abs(pcm[first]) < TTS_QUIET)
        first++;
    while (last > first && abs(pcm[last - 1]) < TTS_QUIET)
        last--;
    if (first == last)
        return 0;
    *ret_first = first > TTS_LEAD ? first - TTS_LEAD : 0;
    last = n - last > TTS_TAIL ? last + TTS_TAIL : n;
    return last - *ret_first;
}

/* Cut and level in place. Returns what is left. */
static size_t fit_for_telephone(int16_t *pcm, size_t n)
{
    size_t first, n_left = tts_cut(pcm, n, &first);
    int peak = 0;

    if (n_left == 0)
        return 0;
    for (size_t i = first; i < first + n_left; i++)
        peak = abs(pcm[i]) > peak ? abs(pcm[i]) : peak;
    double gain = (double)PEAK / peak;
    gain = gain < GAIN_MAX ? gain : GAIN_MAX;
    for (size_t i = 0; i < n_left; i++)
        pcm[i] = (int16_t)(pcm[first + i] * gain);
    return n_left;
}

/* Releases the wav. */
static int clip_from_wav(struct wav *wav, size_t (*fit)(int16_t *pcm, size_t n), struct clip **ret_clip)
{
    scoped(free) int16_t *pcm = NULL;
    size_t n = 0;

    int r = wav_to_mono(wav, TTS_RATE_HZ, &pcm, &n);
    wav_done(wav);
    if (r < 0)
        return r;
    return tts_clip_from(pcm, fit ? fit(pcm, n) : n, ret_clip);
}

/* Rendering that cannot be heard is a failure: another voice may have more to say. */
int tts_render(const struct tts_engine *engine, const struct config *config, const char *language, const char *text,
               struct clip **ret_clip)
{
    scoped(clip_unref) struct clip *clip = NULL;
    struct wav wav = { 0 };

    int r = engine->render(config, language, text, &wav);
    if (r < 0)
        return r;
    r = clip_from_wav(&wav, fit_for_telephone, &clip);
    if (r < 0 || clip->n == 0)
        return r < 0 ? r : -EIO;
    *ret_clip = steal(&clip);
    return 0;
}

bool tts_is_name(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/');
}

bool tts_recordings_any(const char *folder)
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

int tts_recording(const char *folder, const char *prompt, struct clip **ret_clip)
{
    struct wav wav = { 0 };
    const char *why;
    char path[4096];

    if (!folder || !prompt || !tts_is_name(prompt) ||
        (size_t)snprintf(path, sizeof(path), "%s/%s.wav", folder, prompt) >= sizeof(path))
        return -ENOENT;
    int r = wav_read(path, &wav, &why);
    if (r >= 0)
        r = clip_from_wav(&wav, NULL, ret_clip);
    else if (r != -ENOENT)
        (void)log_warning(r, "the recording %s is not played: %s", path, why);
    return r;
}
