/*
 * origins.c - whose web pages may read our answers: "https://crm.example.com http://localhost:3000", or "*"
 */
#include "utils/origins.h"

#include <stdbool.h>
#include <string.h>

static const char host_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";

/* scheme://host, perhaps :port, and nothing else: browsers send no more. */
static bool is_origin(const char *word, size_t n)
{
    static const char digits[] = "0123456789";
    size_t at = strncmp(word, "https://", 8) == 0 ? 8 : strncmp(word, "http://", 7) == 0 ? 7 : 0;
    size_t n_host = at ? strspn(word + at, host_letters) : 0;

    at += n_host;
    if (n_host && at < n && word[at] == ':') {
        size_t n_digits = strspn(word + at + 1, digits);
        if (n_digits == 0 || n_digits > 5)
            return false;
        at += 1 + n_digits;
    }
    return n_host && at == n;
}

const char *origins_problem(const char *list)
{
    size_t n_words = 0;
    bool has_all = false;

    for (const char *word = list + strspn(list, " "); *word; word += strspn(word, " ")) {
        size_t n = strcspn(word, " ");
        bool is_all = n == 1 && *word == '*';
        if (!is_all && !is_origin(word, n))
            return "holds what is no origin; write https://HOST or https://HOST:PORT as browsers send it, in small letters, without "
                   "a path, with blanks between several";
        has_all |= is_all;
        n_words++;
        word += n;
    }
    return has_all && n_words > 1 ? "has * beside others; write * alone, or leave it out" : NULL;
}

const char *origins_find(const char *list, const char *origin, size_t n, size_t *ret_n)
{
    for (const char *word = list + strspn(list, " "); *word; word += strspn(word, " ")) {
        size_t n_word = strcspn(word, " ");
        *ret_n = n_word;
        if ((n_word == 1 && *word == '*') || (n_word == n && memcmp(word, origin, n) == 0))
            return word;
        word += n_word;
    }
    return NULL;
}
