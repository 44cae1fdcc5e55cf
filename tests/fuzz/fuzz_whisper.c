/*
 * fuzz_whisper.c - any bytes as a transcription: what is taken of it is a text that can be kept and said
 */
#include "services/stt_whisper.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "utils/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct stt_result result, again;
    double seconds = n ? data[0] / 16.0 : 0;

    int r = stt_whisper_read((const char *)data, n, seconds, &result);
    if (r < 0) {
        assert(r == -EBADMSG || r == -ENOMEM);
        return 0;
    }
    assert(memchr(result.text, '\0', sizeof(result.text)) && utf8_valid(result.text, strlen(result.text)));
    assert(result.understood == (result.text[0] != '\0'));
    assert(result.confidence == -1 || (result.confidence >= 0 && result.confidence <= 1));
    for (const char *c = result.text; *c; c++)
        assert((unsigned char)*c >= ' ');
    assert(stt_whisper_read((const char *)data, n, seconds, &again) == 0 && strcmp(again.text, result.text) == 0);
    return 0;
}
