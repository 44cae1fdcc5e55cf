/*
 * tts_flite.c - the embedded English voices
 *
 * Both are loaded once, for good, by whoever speaks first; after that synthesis in several threads
 * at once is sound (all they share is rand(), which locks, and which is why no two renderings are
 * the same to the bit).
 *
 * flite reads ASCII and passes over every byte that is not. So that a name keeps its letters and
 * "it's" its apostrophe, Latin letters are stripped of their accents first and typographic
 * punctuation is made plain.
 */
#include "services/tts_engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <flite/flite.h>
#include <flite/flite_version.h>

#include "config.h"
#include "utils/language.h"
#include "utils/scoped.h"

/* exported by the libraries of the voices, declared nowhere */
cst_voice *register_cmu_us_rms(const char *folder);
cst_voice *register_cmu_us_slt(const char *folder);

static struct {
    const char *name; /* as in TTS_VOICE */
    cst_voice *(*load)(const char *folder);
    const char *identity;
    cst_voice *voice;
} voices[] = {
    { "rms", register_cmu_us_rms, "rms " FLITE_PROJECT_VERSION, NULL },
    { "slt", register_cmu_us_slt, "slt " FLITE_PROJECT_VERSION, NULL },
};

static pthread_once_t loaded = PTHREAD_ONCE_INIT;

static void voices_load(void)
{
    (void)flite_init();
    for (size_t i = 0; i < ELEMENTSOF(voices); i++)
        voices[i].voice = voices[i].load(NULL);
}

static size_t voice_index(const struct config *config)
{
    for (size_t i = 0; config->tts_voice && i < ELEMENTSOF(voices); i++)
        if (strcmp(voices[i].name, config->tts_voice) == 0)
            return i;
    return 0;
}

static char *flite_identity(const struct config *config)
{
    return strdup(voices[voice_index(config)].identity);
}

static bool flite_can(const struct config *config, const char *language)
{
    return language_is(language, "en");
}

/* U+00C0 to U+00FF, and U+2010 to U+2026 */
static const char latin[] = "AAAAAAACEEEEIIIIDNOOOOO OUUUUYTsaaaaaaaceeeeiiiidnooooo ouuuuyty";
static const char marks[] = "--,,,,  ''''\"\"\"\"    ...";

/* One plain character for the sequence at p, and its length; a blank for what has none. */
static char plain_char(const unsigned char *p, size_t *ret_n)
{
    unsigned code = 0;

    *ret_n = 1;
    if (p[0] < 0x80)
        return p[0] < ' ' || p[0] == 0x7F ? ' ' : (char)p[0];
    if (p[0] >= 0xC2 && p[0] < 0xE0 && (p[1] & 0xC0) == 0x80) {
        *ret_n = 2;
        code = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    } else if (p[0] >= 0xE0 && p[0] < 0xF0 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
        *ret_n = 3;
        code = (p[0] & 0xFu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    }
    if (code >= 0xC0 && code - 0xC0 < sizeof(latin) - 1)
        return latin[code - 0xC0];
    if (code >= 0x2010 && code - 0x2010 < sizeof(marks) - 1)
        return marks[code - 0x2010];
    return ' ';
}

static char *plain_text(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    char *plain = malloc(strlen(text) + 1), *out = plain;

    if (!plain)
        return NULL;
    for (size_t n; *p; p += n)
        *out++ = plain_char(p, &n);
    *out = '\0';
    return plain;
}

static int flite_render(const struct config *config, const char *language, const char *text,
                        struct wav *ret_wav)
{
    scoped(free) char *plain = plain_text(text);

    if (!plain)
        return -ENOMEM;
    (void)pthread_once(&loaded, voices_load);
    cst_voice *voice = voices[voice_index(config)].voice;
    cst_wave *wave = voice ? flite_text_to_wave(plain, voice) : NULL;
    if (!wave)
        return -EIO;

    size_t n = wave->num_samples > 0 ? (size_t)wave->num_samples : 0;
    int16_t *pcm = malloc((n ? n : 1) * sizeof(*pcm));
    if (pcm && n)
        memcpy(pcm, wave->samples, n * sizeof(*pcm));
    *ret_wav = (struct wav){ (unsigned)wave->sample_rate, 1, n, pcm };
    delete_wave(wave);
    return pcm ? 0 : -ENOMEM;
}

const struct tts_engine tts_flite = { "flite", flite_can, flite_identity, flite_render, NULL };
