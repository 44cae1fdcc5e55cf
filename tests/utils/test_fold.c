/*
 * test_fold.c - words as they are looked for
 */
#include "utils/fold.h"

#include "tap.h"

static const struct {
    const char *text, *want; /* words with a space between */
} rows[] = {
    { "", "" },
    { " .,-!", "" },
    { "Dana Cohen", "dana cohen" },
    { "D\"r. O'Neil-Smith", "dr oneil smith" },
    { "Ren\u00e9 \u0141\u00f3d\u017a STRA\u00dfE", "rene lodz strase" },
    { "e\u0301te\u0301", "ete" },
    { "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u05d3\u05f4\u05e8 \u05db\u05d4\u05df", "\u05e9\u05dc\u05d5\u05de \u05d3\u05e8 \u05db\u05d4\u05e0" },
    { "\u05d1\u05df\u05be\u05d3\u05d5\u05d3", "\u05d1\u05e0 \u05d3\u05d5\u05d3" },
    { "\ufb2a\ufb4b", "\u05e9\u05d5" },
    { "\u200f\u05d2\u05d9\u05dc\u200e", "\u05d2\u05d9\u05dc" },
    { "\u041c\u041e\u0421\u041a\u0412\u0410 \u0401\u0436", "\u043c\u043e\u0441\u043a\u0432\u0430 \u0451\u0436" },
    { "\u039f\u03b4\u03cc\u03c2", "\u03bf\u03b4\u03cc\u03c3" },
    { "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f", "\u0645\u062d\u0645\u062f" },
    { "\u65e5\u672c\u8a9e\u3000x", "\u65e5\u672c\u8a9e x" },
    { "a\xff" "b\xc3", "a b" },
    { "050-123 4567", "050 123 4567" },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b" },
    { "\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0",
      "\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0\u05d0" },
};

static int join(const char *word, void *arg)
{
    char *text = arg;

    if (text[0])
        strcat(text, " ");
    strcat(text, word);
    return 0;
}

static int stop(const char *word, void *arg)
{
    return ++*(int *)arg == 2 ? 7 : 0;
}

int main(void)
{
    int n = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char got[256] = "";
        (void)fold_words(rows[i].text, join, got);
        is_str(got, rows[i].want, rows[i].text);
    }
    is_int(fold_words("a b c", stop, &n), 7, "whoever is told may stop");
    is_int(n, 2, "  and is told no more");
    return done_testing();
}
