/*
 * fuzz_voice_note.c - any bytes as a recording: refused, or samples that are all there, in time
 */
#include "services/voice_note.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct voice_note note = { 0 };
    int sum = 0;

    if (voice_note_decode(data, n, &note) < 0) {
        assert(!note.pcm);
        return 0;
    }
    assert(note.rate_hz == 8000 || note.rate_hz == 16000);
    assert(note.n_samples <= (size_t)VOICE_NOTE_MAX_S * note.rate_hz);
    for (size_t i = 0; i < note.n_samples; i++)
        sum += note.pcm[i];
    __asm__ volatile("" : : "r"(sum));
    assert(voice_note_part(&note, 0, note.n_samples / 2) <= note.n_samples);
    voice_note_done(&note);
    return 0;
}
