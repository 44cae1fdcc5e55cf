/*
 * script.c - what the simulated caller will say
 *
 * Recordings end in some silence, so "the end of the file" would make every
 * reaction look quicker than it is: the time that counts runs from the last
 * sound. It is found by energy, in windows of 10 ms.
 */
#include "caller/script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "utils/audio.h"
#include "utils/scoped.h"

enum { WINDOW = 80, RATE_HZ = 8000, WINDOWS_IN_A_ROW = 3 };

static uint64_t window_energy(const int16_t *pcm)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < WINDOW; i++)
        sum += (uint64_t)((int64_t)pcm[i] * pcm[i]);
    return sum;
}

void script_trim(const int16_t *pcm, size_t n, size_t *ret_from, size_t *ret_to)
{
    size_t n_windows = n / WINDOW, n_run = 0;
    uint64_t loudest = 0;

    for (size_t i = 0; i < n_windows; i++) {
        uint64_t energy = window_energy(pcm + i * WINDOW);
        loudest = energy > loudest ? energy : loudest;
    }

    *ret_from = *ret_to = 0;
    for (size_t i = 0; i < n_windows; i++) {
        n_run = window_energy(pcm + i * WINDOW) > loudest / 1000 ? n_run + 1 : 0;
        if (n_run == WINDOWS_IN_A_ROW && *ret_to == 0)
            *ret_from = (i + 1 - WINDOWS_IN_A_ROW) * WINDOW;
        if (n_run >= WINDOWS_IN_A_ROW)
            *ret_to = (i + 1) * WINDOW;
    }
}

static struct script_turn *append(struct script *script)
{
    struct script_turn *turns = realloc(script->turns, (script->n_turns + 1) * sizeof(*turns));

    if (!turns)
        return NULL;
    script->turns = turns;
    turns[script->n_turns] = (struct script_turn){ .barge_ms = SCRIPT_NO_BARGE };
    return &turns[script->n_turns++];
}

/* The first line of the .txt file beside a recording, if there is one. */
static void read_words(const char *path, char words[SCRIPT_LABEL_MAX])
{
    size_t n = strlen(path);
    scoped(free) char *text_path = malloc(n + 5);
    scoped(fclose) FILE *file = NULL;

    if (!text_path)
        return;
    memcpy(text_path, path, n + 1);
    char *dot = strrchr(text_path, '.');
    strcpy(dot && !strchr(dot, '/') ? dot : text_path + n, ".txt");
    file = fopen(text_path, "re");
    if (file && fgets(words, SCRIPT_LABEL_MAX, file))
        words[strcspn(words, "\r\n")] = '\0';
}

/* Any WAV as mono PCM at 8000 Hz. */
static int read_pcm(const char *path, int16_t **ret_pcm, size_t *ret_n, const char **ret_why)
{
    struct wav wav = { 0 };

    int r = wav_read(path, &wav, ret_why);
    if (r < 0)
        return r;
    for (size_t i = 0; wav.n_channels > 1 && i < wav.n_samples;
         i++) { /* the mean of all channels, in place */
        int sum = 0;
        for (unsigned channel = 0; channel < wav.n_channels; channel++)
            sum += wav.pcm[i * wav.n_channels + channel];
        wav.pcm[i] = (int16_t)(sum / (int)wav.n_channels);
    }
    if (wav.rate_hz == RATE_HZ) {
        *ret_n = wav.n_samples;
        *ret_pcm = steal(&wav.pcm);
    } else {
        *ret_why = "it cannot be resampled";
        r = audio_resample(wav.pcm, wav.n_samples, wav.rate_hz, RATE_HZ, ret_pcm, ret_n);
    }
    wav_done(&wav);
    return r;
}

int script_add_wav(struct script *script, const char *path, const char *words, int barge_ms,
                   const char **ret_why)
{
    scoped(free) int16_t *pcm = NULL;
    size_t n = 0;

    int r = read_pcm(path, &pcm, &n, ret_why);
    if (r < 0)
        return r;
    *ret_why = "it holds no audio";
    if (n == 0)
        return -EBADMSG;

    *ret_why = "out of memory";
    struct script_turn *turn = append(script);
    if (!turn)
        return -ENOMEM;
    const char *slash = strrchr(path, '/');
    (void)snprintf(turn->file, sizeof(turn->file), "%s", slash ? slash + 1 : path);
    if (words)
        (void)snprintf(turn->label, sizeof(turn->label), "%s", words);
    else
        read_words(path, turn->label);
    turn->kind = SCRIPT_SPEECH;
    turn->barge_ms = barge_ms;
    turn->ulaw = malloc(n);
    if (!turn->ulaw)
        return -ENOMEM;
    ulaw_encode(pcm, turn->ulaw, n);
    turn->n_ulaw = n;
    script_trim(pcm, n, &turn->from, &turn->to);
    return 0;
}

int script_add_keys(struct script *script, const char *keys, int barge_ms)
{
    if (keys[0] == '\0' || keys[strspn(keys, "0123456789*#ABCDw")] != '\0' ||
        strlen(keys) >= SCRIPT_KEYS_MAX)
        return -EINVAL;

    struct script_turn *turn = append(script);
    if (!turn)
        return -ENOMEM;
    turn->kind = SCRIPT_KEYS;
    turn->barge_ms = barge_ms;
    (void)snprintf(turn->keys, sizeof(turn->keys), "%s", keys);
    return 0;
}

int script_add_silence(struct script *script, uint64_t silence_us)
{
    struct script_turn *turn = append(script);

    if (!turn)
        return -ENOMEM;
    turn->kind = SCRIPT_SILENCE;
    turn->silence_us = silence_us;
    return 0;
}

void script_done(struct script *script)
{
    for (size_t i = 0; i < script->n_turns; i++)
        free(script->turns[i].ulaw);
    free(script->turns);
    *script = (struct script){ 0 };
}
