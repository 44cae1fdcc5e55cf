/*
 * fuzz_tts_google.c - what Google's Text-to-Speech, or who takes its place, may answer; and texts cut into pieces
 */
#include <stdlib.h>
#include <string.h>

#include "services/tts_google.h"

static void cut(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);

    memcpy(text, data, n);
    text[n] = '\0';
    for (const char *at = text; *at;) {
        size_t piece = tts_google_piece(at, 10);
        if (piece == 0 || piece > 10)
            abort();
        at += piece;
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct wav wav = { 0 };
    const char *why = NULL;

    int r = tts_google_read((const char *)data, n, &wav, &why);
    if (r == 0 && (!wav.pcm || !wav.rate_hz))
        abort();
    if (r < 0 && !why)
        abort();
    wav_done(&wav);
    cut(data, n);
    return 0;
}
