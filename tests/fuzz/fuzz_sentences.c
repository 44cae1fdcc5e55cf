/*
 * fuzz_sentences.c - any bytes as text: sentences keep their limits and are the same at once and byte by byte
 */
#include "services/sentences.h"

#include <assert.h>
#include <string.h>

#include "utils/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct told {
    uint64_t n_sentences, sum;
};

static int take(void *user, const char *text, size_t n)
{
    struct told *told = user;

    assert(n > 0 && n < AGENT_SENTENCE_MAX && utf8_valid(text, n) && !memchr(text, '\0', n) && !memchr(text, '\n', n));
    told->n_sentences++;
    for (size_t i = 0; i < n; i++)
        told->sum = told->sum * 31 + (uint8_t)text[i];
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct sentences sentences;
    struct told whole = { 0 }, pieces = { 0 };

    sentences_init(&sentences);
    (void)sentences_push(&sentences, (const char *)data, n, take, &whole);
    (void)sentences_end(&sentences, take, &whole);
    sentences_init(&sentences);
    for (size_t i = 0; i < n; i++)
        (void)sentences_push(&sentences, (const char *)data + i, 1, take, &pieces);
    (void)sentences_end(&sentences, take, &pieces);
    assert(whole.n_sentences == pieces.n_sentences && whole.sum == pieces.sum);
    return 0;
}
