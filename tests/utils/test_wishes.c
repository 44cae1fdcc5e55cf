/*
 * test_wishes.c - what is asked for in so many words, and what only sounds like it
 */
#include "utils/wishes.h"

#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *text, *want; /* s stop, b begin again, h human */
} cases[] = {
    { "stop", "s" },
    { " STOP! ", "s" },
    { "Stop all.", "s" },
    { "unsubscribe", "s" },
    { "please stop by tomorrow", "" },
    { "don't stop", "" },
    { "הסר", "s" },
    { "\"הסר\".", "s" },
    { "הסירו אותי", "s" },
    { "תסירו בבקשה את הדוד", "" },
    { "start", "b" },
    { "Start", "b" },
    { "when do you start?", "" },
    { "התחל", "b" },
    { "I want to talk to a human, please", "h" },
    { "HUMAN", "h" },
    { "a humane way", "" },
    { "can I speak to someone?", "h" },
    { "representative!!!", "h" },
    { "אפשר לדבר עם נציג?", "h" },
    { "תעבירו אותי לנציגה בבקשה", "h" },
    { "אני רוצה לדבר עם בן אדם", "h" },
    { "בן אדם טוב", "h" },
    { "הבן שלי אדם", "" },
    { "", "" },
    { "???", "" },
};

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        char got[4];

        (void)snprintf(got, sizeof(got), "%s%s%s", wish_stop(cases[i].text) ? "s" : "", wish_start(cases[i].text) ? "b" : "",
                       wish_human(cases[i].text) ? "h" : "");
        is_str(got, cases[i].want, cases[i].text);
    }
    return done_testing();
}
