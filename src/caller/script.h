#pragma once
/* script.h - what the simulated caller will say, key and keep silent about, in order */

#include <stddef.h>
#include <stdint.h>

enum script_kind { SCRIPT_SPEECH, SCRIPT_KEYS, SCRIPT_SILENCE };

enum { SCRIPT_NO_BARGE = -1, SCRIPT_LABEL_MAX = 256, SCRIPT_KEYS_MAX = 64 };

struct script_turn {
    enum script_kind kind;
    int barge_ms; /* begin so long after the agent does; SCRIPT_NO_BARGE: when he has finished */
    char label[SCRIPT_LABEL_MAX]; /* the words when they are known, else "" */
    char file[SCRIPT_LABEL_MAX];  /* speech: its name without the folder */
    uint8_t *ulaw;                /* speech: 8000 Hz; owned */
    size_t n_ulaw;
    size_t from, to; /* speech: the part of it that is speech, in samples */
    char keys[SCRIPT_KEYS_MAX];
    uint64_t silence_us;
};

struct script {
    struct script_turn *turns;
    size_t n_turns;
};

/*
 * Append a WAV file of any rate; words may be NULL: then those of a .txt file beside it, if there is one.
 *
 * Errors: -errno or -EBADMSG with *ret_why set.
 */
int script_add_wav(struct script *script, const char *path, const char *words, int barge_ms, const char **ret_why);

/* Keys 0-9 * # A-D; w waits half a second. Errors: -EINVAL. */
int script_add_keys(struct script *script, const char *keys, int barge_ms);
int script_add_silence(struct script *script, uint64_t silence_us);
void script_done(struct script *script);

/* Where speech begins and ends: what is within 30 dB of the loudest 10 ms, three in a row. */
void script_trim(const int16_t *pcm, size_t n, size_t *ret_from, size_t *ret_to);
