/*
 * test_paraphrase.c - which words may stand for the business's own
 */
#include "services/crm_paraphrase.h"

#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *text, *words;
    bool holds;
    const char *what;
} rows[] = {
    { "We are at 5 Long Street.", "You find us at 5 Long Street!", true, "other words" },
    { "We are at 5 Long Street.", "\u05d0\u05e0\u05d7\u05e0\u05d5 \u05d1\u05e8\u05d7\u05d5\u05d1 \u05dc\u05d5\u05e0\u05d2 5.", true, "another language" },
    { "We are at 5 Long Street.", "We are at Long Street.", false, "a number is lost" },
    { "We are at 5 Long Street.", "We are at 15 Long Street.", false, "a number is another" },
    { "We are at 5 Long Street.", "We are at 5 Long Street, open till 17.", false, "a number is made up" },
    { "Open 9:30 to 17:00.", "From 9:30 until 17:00 we are there.", true, "times" },
    { "Open 9:30 to 17:00.", "From 9 30 until 17:00 we are there.", false, "a time in two" },
    { "Open 9:30.", "Open 19:30.", false, "a time that ends alike" },
    { "It costs 1,200.50 a year.", "A year is 1,200.50.", true, "a price before the end of a sentence" },
    { "It costs 1,200.50 a year.", "A year is 1200.50.", false, "a price written otherwise" },
    { "Call +972 50-123-4567.", "Ring +972 50-123-4567, please.", true, "a telephone number" },
    { "Call +972 50-123-4567.", "Ring 050-123-4567, please.", false, "a telephone number put otherwise" },
    { "See https://acme.example/a?b=1.", "Look at https://acme.example/a?b=1 (please).", true, "a URL" },
    { "See https://acme.example/a?b=1.", "Look at https://acme.example/a.", false, "half a URL" },
    { "See https://acme.example.", "Look at our site.", false, "no URL" },
    { "See our site.", "See https://evil.example.", false, "a URL that is made up" },
    { "See www.acme.example!", "It is at www.acme.example", true, "a URL without a scheme" },
    { "Write to info@acme.example.", "Mail (info@acme.example)", true, "an e-mail address" },
    { "Write to info@acme.example.", "Mail INFO@acme.example", true, "in capitals" },
    { "Write to info@acme.example.", "Mail inf@acme.example", false, "a wrong one" },
    { "Hello.", "", false, "nothing" },
    { "Hello.", " \n", false, "blanks" },
    { "Hello.", LONG, true, "longer, as other alphabets are" },
    { "Hello.", LONG LONG, false, "too long" },
    { "", "x", true, "no words at all" },
};

/* Without a model, or without knowing how he speaks, nobody is asked. */
static void on_words(struct crm_paraphrase *paraphrase, const char *words, void *user)
{
    is_str(words, user, "the words are those that were given");
}

int main(void)
{
    char text[] = "We are at 5 Long Street.";
    struct crm_paraphrase *paraphrase = NULL;

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        ok(crm_paraphrase_holds(rows[i].text, rows[i].words) == rows[i].holds, "%s", rows[i].what);
    if (ok(crm_paraphrase_new(NULL, text, "shalom", on_words, text, &paraphrase) == 0, "no model"))
        crm_paraphrase_ask(paraphrase);
    crm_paraphrase_hurry(paraphrase);
    crm_paraphrase_free(paraphrase);
    return done_testing();
}
