/*
 * test_utf8.c - what is UTF-8 and what only looks like it
 */
#include "utils/utf8.h"

#include "tap.h"

#define SIXTEEN "0123456789abcdef"

static const struct {
    const char *what, *text;
    size_t n;
    bool want;
} cases[] = {
#define ROW(what, text, want) { what, text, sizeof(text) - 1, want }
    ROW("nothing", "", true),
    ROW("ASCII", "hello", true),
    ROW("a NUL", "a\0b", true),
    ROW("16 ASCII", SIXTEEN, true),
    ROW("Hebrew", "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D", true),
    ROW("an emoji behind a long run of ASCII", SIXTEEN SIXTEEN "x\xF0\x9F\x98\x80" SIXTEEN, true),
    ROW("lowest of 2 bytes", "\xC2\x80", true),
    ROW("highest of 2 bytes", "\xDF\xBF", true),
    ROW("lowest of 3 bytes", "\xE0\xA0\x80", true),
    ROW("last before the surrogates", "\xED\x9F\xBF", true),
    ROW("first behind the surrogates", "\xEE\x80\x80", true),
    ROW("U+FFFF", "\xEF\xBF\xBF", true),
    ROW("lowest of 4 bytes", "\xF0\x90\x80\x80", true),
    ROW("U+10FFFF", "\xF4\x8F\xBF\xBF", true),
    ROW("over U+10FFFF", "\xF4\x90\x80\x80", false),
    ROW("a lead byte that is none", "\xF5\x80\x80\x80", false),
    ROW("FF", "\xFF", false),
    ROW("a continuation alone", "\x80", false),
    ROW("overlong of 2: C0", "\xC0\x80", false),
    ROW("overlong of 2: C1", "\xC1\xBF", false),
    ROW("overlong of 3", "\xE0\x9F\xBF", false),
    ROW("overlong of 4", "\xF0\x8F\xBF\xBF", false),
    ROW("first surrogate", "\xED\xA0\x80", false),
    ROW("last surrogate", "\xED\xBF\xBF", false),
    ROW("cut after 1 of 2", "\xC3", false),
    ROW("cut after 2 of 3", "\xE2\x82", false),
    ROW("cut after 3 of 4", "\xF0\x9F\x98", false),
    ROW("second byte is ASCII", "\xC3\x28", false),
    ROW("third byte is ASCII", "\xE2\x82\x28", false),
    ROW("fourth byte is a lead", "\xF0\x9F\x98\xC3", false),
    ROW("bad behind 16 good", SIXTEEN "\xFF", false),
    ROW("bad as the 8th byte of a block", "0123456\x80" "89abcdef", false),
    ROW("bad as the last byte of a block", "0123456789abcde\x80" SIXTEEN, false),
#undef ROW
};

static const struct {
    const char *text;
    size_t want;
} lengths[] = {
    { "", 0 }, { "hello", 5 }, { "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D", 4 }, { "x\xF0\x9F\x98\x80y", 3 }, { "\x80\x80", 0 }, { "\xFF\xC3", 2 },
};

int main(void)
{
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        ok(utf8_length(lengths[i].text) == lengths[i].want, "the length of text %zu", i + 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ok(utf8_valid(cases[i].text, cases[i].n) == cases[i].want, "%s", cases[i].what);
    return done_testing();
}
