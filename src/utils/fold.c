/*
 * fold.c - words as they are looked for: without case, points and accents
 *
 * Each character is one of four things: part of a word, as it is or as its plain form; nothing at all (points, accents,
 * marks of direction, the quotes of an abbreviation); or what stands between words. Tables of ranges say which; what is
 * in none of them and not ASCII is part of a word.
 */
#include "utils/fold.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "utils/scoped.h"
#include "utils/utf8.h"

struct range {
    uint32_t first, last;
};

/* Nothing at all. */
static const struct range silent[] = {
    { '"', '"' },       { '\'', '\'' },     { 0x00AD, 0x00AD }, { 0x0300, 0x036F }, { 0x0591, 0x05BD }, { 0x05BF, 0x05BF },
    { 0x05C1, 0x05C2 }, { 0x05C4, 0x05C5 }, { 0x05C7, 0x05C7 }, { 0x05F3, 0x05F4 }, { 0x0610, 0x061A }, { 0x0640, 0x0640 },
    { 0x064B, 0x065F }, { 0x0670, 0x0670 }, { 0x200B, 0x200F }, { 0x2018, 0x2019 }, { 0x201C, 0x201F }, { 0x202A, 0x202E },
    { 0x2060, 0x2069 }, { 0xFB1E, 0xFB1E }, { 0xFE00, 0xFE0F }, { 0xFEFF, 0xFEFF },
};

/* Between words, besides what is not a letter or digit in ASCII. */
static const struct range between[] = {
    { 0x0080, 0x00BF }, { 0x00D7, 0x00D7 }, { 0x00F7, 0x00F7 }, { 0x05BE, 0x05BE }, { 0x05C0, 0x05C0 }, { 0x05C3, 0x05C3 },
    { 0x05C6, 0x05C6 }, { 0x060C, 0x060D }, { 0x061B, 0x061F }, { 0x2000, 0x206F }, { 0x2190, 0x2BFF }, { 0x3000, 0x3003 },
    { 0xFB29, 0xFB29 }, { 0xFF01, 0xFF0F }, { 0xFFFD, 0xFFFD },
};

static bool is_in(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* U+00C0 to U+017F without their accents. */
static const char latin[] = "aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty"
                            "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"
                            "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/* U+FB1D to U+FB4F, letters with their points: 'a' is alef. */
static const char pointed[] = "j  sadelmny{ zzzzaaabcdefg ijklm o qr tu wxyz{fblua";

enum { ALEF = 0x05D0, TAV = 0x05EA };

/* The final letters of Hebrew as they are within a word. */
static uint32_t without_end(uint32_t c)
{
    return c == 0x05DA || c == 0x05DD || c == 0x05DF || c == 0x05E3 || c == 0x05E5 ? c + 1 : c;
}

static uint32_t plain(uint32_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c + 'a' - 'A';
    if (c >= 0x00C0 && c <= 0x017F)
        return (uint32_t)latin[c - 0x00C0];
    if (c >= ALEF && c <= TAV)
        return without_end(c);
    if (c >= 0xFB1D && c <= 0xFB4F && pointed[c - 0xFB1D] != ' ')
        return without_end(ALEF + (uint32_t)(pointed[c - 0xFB1D] - 'a'));
    if ((c >= 0x0391 && c <= 0x03A9) || (c >= 0x0410 && c <= 0x042F))
        return c + 0x20;
    return c >= 0x0400 && c <= 0x040F ? c + 0x50 : c == 0x03C2 ? 0x03C3 : c;
}

static bool is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return !is_in(between, ELEMENTSOF(between), c);
}

/* Returns: bytes, up to 4. */
static size_t encode(uint32_t c, char ret[4])
{
    if (c < 0x80)
        return ret[0] = (char)c, 1;
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        ret[i] = (char)(0x80 | (c & 0x3F));
    ret[0] = (char)(0xF00u >> n | c);
    return n;
}

struct word {
    size_t n;
    bool is_full;
    char text[FOLD_WORD_MAX];
};

static void add(struct word *word, uint32_t c)
{
    char bytes[4];
    size_t n = encode(c, bytes);

    if (word->n + n >= sizeof(word->text))
        word->is_full = true;
    if (word->is_full)
        return;
    memcpy(word->text + word->n, bytes, n);
    word->n += n;
}

static int end(struct word *word, fold_fn *fn, void *arg)
{
    if (word->n == 0)
        return 0;
    word->text[word->n] = '\0';
    word->n = 0;
    word->is_full = false;
    return fn(word->text, arg);
}

int fold_words(const char *text, fold_fn *fn, void *arg)
{
    struct word word = { 0 };
    size_t n = strlen(text);
    int r = 0;

    while (n && r == 0) {
        uint32_t c = ' ';
        size_t n_bytes = utf8_decode(text, n, &c) ?: 1;

        if (is_letter(c) && !is_in(silent, ELEMENTSOF(silent), c))
            add(&word, plain(c));
        else if (!is_in(silent, ELEMENTSOF(silent), c))
            r = end(&word, fn, arg);
        text += n_bytes;
        n -= n_bytes;
    }
    return r ?: end(&word, fn, arg);
}
