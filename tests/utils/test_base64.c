/*
 * test_base64.c - one sequence of bytes has exactly one text
 */
#include "utils/base64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *text, *bytes;
} pairs[] = {
    /* RFC 4648, 10 */
    { "", "" },
    { "Zg==", "f" },
    { "Zm8=", "fo" },
    { "Zm9v", "foo" },
    { "Zm9vYg==", "foob" },
    { "Zm9vYmE=", "fooba" },
    { "Zm9vYmFy", "foobar" },
    /* every letter, through the wide step and the table */
    { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
      "\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\x61\x96\x9b\x71\xd7"
      "\x9f"
      "\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3\xdf"
      "\xbf" },
};

static const struct {
    const char *what, *text;
    size_t max;
    int want;
} refused[] = {
    { "one character", "A", 9, -EBADMSG },
    { "no padding", "Zg", 9, -EBADMSG },
    { "half the padding", "Zg=", 9, -EBADMSG },
    { "spare bits after two characters", "Zh==", 9, -EBADMSG },
    { "spare bits after three", "Zm9=", 9, -EBADMSG },
    { "padding alone", "====", 9, -EBADMSG },
    { "three times padding", "Z===", 9, -EBADMSG },
    { "padding before the end", "Zg==Zm9v", 9, -EBADMSG },
    { "padding, then a letter", "Zm=v", 9, -EBADMSG },
    { "a url-safe letter", "Zm9_", 9, -EBADMSG },
    { "the other one", "Zm9-", 9, -EBADMSG },
    { "a blank", "Zm9 ", 9, -EBADMSG },
    { "a newline at the end", "Zg==\n", 9, -EBADMSG },
    { "a byte over 127", "Zm9\xf6", 9, -EBADMSG },
    { "more than fits", "Zm9vYg==", 3, -EMSGSIZE },
    { "more than nothing", "Zg==", 0, -EMSGSIZE },
};

static void round_trips(void)
{
    enum { LONGEST = 400 };
    uint8_t bytes[LONGEST];
    int n_bad = 0;

    for (size_t i = 0; i < LONGEST; i++)
        bytes[i] = (uint8_t)(i * 167 + (i >> 3) * 31);
    for (size_t n = 0; n <= LONGEST; n++) {
        /* exact sizes on the heap, so that a sanitizer sees one byte too many */
        scoped(free) char *text = malloc(BASE64_SIZE(n) + 1);
        scoped(free) uint8_t *decoded = malloc(n + 1);
        scoped(free) uint8_t *exact = malloc(n ? n : 1);
        memcpy(exact, bytes, n);
        base64_encode(exact, n, text);
        n_bad += base64_decode(text, BASE64_SIZE(n), decoded, n) != (ssize_t)n;
        n_bad += memcmp(decoded, bytes, n) != 0;
        if (n)
            n_bad += base64_decode(text, BASE64_SIZE(n), decoded, n - 1) != -EMSGSIZE;
    }
    is_int(n_bad, 0, "every length up to 400 comes back, in exactly its room");
}

/* Each of the 256 bytes at each place of a text that takes wide and narrow steps. */
static void every_letter_everywhere(void)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[41] = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk", encoded[41];
    uint8_t bytes[30];
    int n_bad = 0;

    for (size_t at = 0; at < 40; at++) {
        char was = text[at];
        for (int c = 0; c < 256; c++) {
            text[at] = (char)c;
            int good = c && strchr(alphabet, c);
            ssize_t r = base64_decode(text, 40, bytes, sizeof(bytes));
            if (c == '=' && at == 39)
                continue; /* padding: its rows are above */
            n_bad += good ? r != 30 : r != -EBADMSG;
            if (r == 30) {
                base64_encode(bytes, 30, encoded);
                n_bad += memcmp(encoded, text, 40) != 0;
            }
        }
        text[at] = was;
    }
    is_int(n_bad, 0, "at every place the alphabet is taken and nothing else");
}

static void letters_for_urls(void)
{
    static const struct {
        const char *bytes, *want;
    } urls[] = { { "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" }, { "\xfb\xff", "-_8" } };
    char text[16];

    for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
        size_t n = base64_encode_url((const uint8_t *)urls[i].bytes, strlen(urls[i].bytes), text);
        text[n] = '\0';
        is_str(text, urls[i].want, "letters for URLs, no padding");
    }
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
        uint8_t bytes[64];
        char text[96];
        size_t n_text = strlen(pairs[i].text), n = n_text ? strlen(pairs[i].bytes + 1) + 1 : 0;
        ssize_t r = base64_decode(pairs[i].text, n_text, bytes, sizeof(bytes));
        ok(r == (ssize_t)n && memcmp(bytes, pairs[i].bytes, n) == 0, "\"%s\" is decoded",
           pairs[i].text);
        base64_encode((const uint8_t *)pairs[i].bytes, n, text);
        ok(memcmp(text, pairs[i].text, n_text) == 0, "\"%s\" is encoded", pairs[i].text);
    }
    for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
        uint8_t bytes[16];
        is_int(base64_decode(refused[i].text, strlen(refused[i].text), bytes, refused[i].max),
               refused[i].want, refused[i].what);
    }
    round_trips();
    every_letter_everywhere();
    letters_for_urls();
    return done_testing();
}
