#pragma once
/* voice_note.h - recordings that people send, as PCM: Ogg/Opus, as WhatsApp makes them, and AMR */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VOICE_NOTE_MAX_S = 600,  /* what is longer is cut there */
    VOICE_NOTE_CPU_MS = 30000,
};

struct voice_note {
    int16_t *pcm; /* mono; owned */
    size_t n_samples;
    unsigned rate_hz; /* 8000 or 16000 */
    bool is_cut;
};

/*
 * Decode one that lies in memory.
 *
 * Thread:  one that may take its time: a hundredth of what the recording lasts.
 * Errors:  -EOPNOTSUPP neither of those two; -EBADMSG damaged, with nothing that can be heard; -ETIME it takes more than
 *          VOICE_NOTE_CPU_MS; -ENOMEM.
 */
int voice_note_decode(const void *bytes, size_t n, struct voice_note *ret_note);
void voice_note_done(struct voice_note *note);
static inline void scoped_voice_note_done(struct voice_note *note)
{
    voice_note_done(note);
}

/* Where to part it, so that no word is cut: the most silent moment before the sample `to`, after half the way there. */
size_t voice_note_part(const struct voice_note *note, size_t from, size_t to);
