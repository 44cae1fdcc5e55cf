#pragma once
/*
 * recordings.h - human voices for tests, as a telephone brings them
 *
 * Those of the project's shared folder (AGENTLOCATOR_SHARED, else ../shared beside the source),
 * else what the Debian package pocketsphinx-testdata ships, sent through a telephone of our own:
 * 8 kHz, -6 dB, mu-law.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utils/audio.h"
#include "utils/scoped.h"

#define DEBIAN_RECORDINGS "/usr/share/pocketsphinx/test/data/"

struct recording {
    char file[192], text[512], set[16];
    int16_t *pcm; /* 8000 Hz */
    size_t n;
};

struct recordings {
    struct recording *all;
    size_t n;
    const char *source; /* in words, for the log of the test */
};

static void recordings_done(struct recordings *recordings)
{
    for (size_t i = 0; i < recordings->n; i++)
        free(recordings->all[i].pcm);
    free(recordings->all);
}

/* Where the shared folder is thought to be. */
__attribute__((unused)) static const char *recordings_shared(char *out, size_t n)
{
    const char *given = getenv("AGENTLOCATOR_SHARED"), *top = getenv("top_srcdir");

    if (given)
        (void)snprintf(out, n, "%s", given);
    else
        (void)snprintf(out, n, "%s/../shared", top ? top : ".");
    return out;
}

/* What a telephone does to samples of 8 kHz, at half their level. */
static void recordings_telephone(int16_t *pcm, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t ulaw;
        pcm[i] /= 2;
        ulaw_encode(pcm + i, &ulaw, 1);
        ulaw_decode(&ulaw, pcm + i, 1);
    }
}

static int recordings_read(const char *path, struct recording *ret)
{
    struct wav wav = { 0 };
    const char *why;

    if (wav_read(path, &wav, &why) < 0)
        return -1;
    int r = wav_to_mono(&wav, 8000, &ret->pcm, &ret->n);
    if (r == 0 && wav.rate_hz != 8000) /* not from a telephone yet */
        recordings_telephone(ret->pcm, ret->n);
    wav_done(&wav);
    return r;
}

static int recordings_add(struct recordings *recordings, const struct recording *one)
{
    struct recording *all = realloc(recordings->all, (recordings->n + 1) * sizeof(*all));

    if (!all)
        return -1;
    recordings->all = all;
    all[recordings->n++] = *one;
    return 0;
}

static int recordings_from_shared(const char *dir, struct recordings *recordings)
{
    char path[4096], line[1024];
    struct recording one;

    (void)snprintf(path, sizeof(path), "%s/speech/manifest.tsv", dir);
    scoped(fclose) FILE *manifest = fopen(path, "re");
    if (!manifest)
        return -1;
    while (fgets(line, sizeof(line), manifest)) {
        memset(&one, 0, sizeof(one));
        if (sscanf(line, "%191[^\t]\t%511[^\t]\t%15[^\t]", one.file, one.text, one.set) != 3)
            continue;
        (void)snprintf(path, sizeof(path), "%s/speech/%s", dir, one.file);
        if (strcmp(one.file, "file") != 0 && recordings_read(path, &one) == 0 &&
            recordings_add(recordings, &one) < 0)
            return -1;
    }
    recordings->source = "the shared recordings";
    return recordings->n ? 0 : -1;
}

static int recordings_from_debian(struct recordings *recordings)
{
    static const struct {
        const char *file, *text, *set;
    } ones[] = {
        { "cards/001.wav", "ten of clubs", "cards" },
        { "cards/002.wav", "four queen of clubs", "cards" },
        { "cards/003.wav", "seven of clubs", "cards" },
        { "cards/004.wav", "five five", "cards" },
        { "cards/005.wav", "eight of spades four of clubs seven of hearts", "cards" },
        { "librivox/sense_and_sensibility_01_austen_64kb-0930.wav",
          "he might even have been made amiable himself", "read" },
    };

    for (size_t i = 0; i < ELEMENTSOF(ones); i++) {
        struct recording one = { 0 };
        char path[256];
        (void)snprintf(one.file, sizeof(one.file), "%s", ones[i].file);
        (void)snprintf(one.text, sizeof(one.text), "%s", ones[i].text);
        (void)snprintf(one.set, sizeof(one.set), "%s", ones[i].set);
        (void)snprintf(path, sizeof(path), DEBIAN_RECORDINGS "%s", ones[i].file);
        if (recordings_read(path, &one) == 0 && recordings_add(recordings, &one) < 0)
            return -1;
    }
    recordings->source = "those of Debian's pocketsphinx-testdata through a telephone of our own";
    return recordings->n ? 0 : -1;
}

/* Returns: 0, or -1 when there are none at all. To be released with recordings_done(). */
__attribute__((unused)) static int recordings_load(struct recordings *ret)
{
    char dir[2048];

    *ret = (struct recordings){ 0 };
    if (recordings_from_shared(recordings_shared(dir, sizeof(dir)), ret) == 0)
        return 0;
    recordings_done(ret);
    *ret = (struct recordings){ 0 };
    return recordings_from_debian(ret);
}
