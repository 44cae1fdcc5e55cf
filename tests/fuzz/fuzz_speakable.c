/*
 * fuzz_speakable.c - any bytes as text for a voice: it fits, it is cut alike wherever, UTF-8 stays UTF-8
 */
#include "services/speakable.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "utils/scoped.h"
#include "utils/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { WHOLE = 16 * KIB };

static void say(const char *language, const char *text)
{
    static char whole[WHOLE], some[WHOLE];
    size_t n_text = strlen(text), n = speakable(language, text, whole, sizeof(whole));

    assert(n < sizeof(whole) && whole[n] == '\0');
    assert(!utf8_valid(text, n_text) || utf8_valid(whole, n));
    for (size_t size = 0; size < n && size < 64; size += 7) {
        size_t n_some = speakable(language, text, some, size);
        assert(size ? n_some < size && memcmp(some, whole, n_some) == 0 && some[n_some] == '\0' : n_some == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    scoped(free) char *text = malloc(n + 1);

    memcpy(text, data, n);
    text[n] = '\0';
    say("en", text);
    say("he", text);
    return 0;
}
