/*
 * test_endpointing.c - how long silence lasts until an answer is over
 */
#include "services/endpointing.h"

#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *language;
    enum answer_kind expect;
    const char *text;
    bool unheard;
    const char *longer_than; /* the text of the same question that is to wait less; NULL: want_ms */
    uint32_t want_ms;
} cases[] = {
    { "en", ANSWER_YESNO, "yes", false, NULL, 0 },
    { "en", ANSWER_YESNO, "no thank you", false, NULL, 0 },
    { "en", ANSWER_YESNO, "well", false, "yes", 0 },
    { "en", ANSWER_YESNO, "no it's", false, "no", 0 },
    { "en", ANSWER_YESNO, "", false, "yes", 0 },
    { "en", ANSWER_YESNO, "", true, "yes", 0 },
    { "en", ANSWER_DIGITS, "oh five two", false, "oh five two one two three four", 0 },
    { "en", ANSWER_DIGITS, "oh five two one two three four", false, "one two three four five six seven eight nine oh", 0 },
    { "en", ANSWER_DIGITS, "one two three four five six seven eight nine oh", false, NULL, 0 },
    { "en", ANSWER_DIGITS, "my number is", false, "oh five two one two three four", 0 },
    { "en", ANSWER_DIGITS, "oh five two double", false, "oh five two one two three four", 0 },
    { "en", ANSWER_FREE, "a room and", false, "a room", 0 },
    { "en", ANSWER_FREE, "a room, um...", false, "a room", 0 },
    { "en", ANSWER_FREE, "a room", false, NULL, 600 },
    { "en", ANSWER_FREE, "", true, NULL, 600 },
    { "en", ANSWER_FREE, "yes", false, NULL, 300 },
    { "en", ANSWER_FREE, "No, thanks.", false, NULL, 300 },
    { "en", ANSWER_FREE, "yes I need a boiler", false, "yes", 0 },
    { "en", ANSWER_FREE, "my number is oh five two", false, "a room", 0 },
    { "en", ANSWER_FREE, "it's 052-765", false, "a room", 0 },
    { "en", ANSWER_FREE, "call me on 052 765 43", false, "a room", 0 },
    { "en", ANSWER_FREE, "call me on 052 765 4321", false, NULL, 600 },
    { "en", ANSWER_FREE, "call me on oh five two seven six five four three two one", false, NULL, 600 },
    { "en", ANSWER_FREE, "a table for two", false, NULL, 600 },
    { "en", ANSWER_FREE, "room 12", false, NULL, 600 },
    { "en", ANSWER_FREE, "052 is how it begins", false, NULL, 600 },
    { "he", ANSWER_FREE, "כן", false, NULL, 300 },
    { "he", ANSWER_FREE, "המספר שלי אפס חמש שתיים", false, "אני צריך חדר", 0 },
    { "he", ANSWER_FREE, "המספר שלי 0527654", false, "אני צריך חדר", 0 },
    { "he", ANSWER_FREE, "המספר שלי 0527654321", false, NULL, 600 },
    { "en", ANSWER_NUMBER, "none", false, "twenty", 0 },
    { "en", ANSWER_COMMAND, "stop", false, NULL, 0 },
    { "he", ANSWER_YESNO, "כן", false, NULL, 0 },
    { "he", ANSWER_YESNO, "לא, זה", false, "לא", 0 },
    { "he", ANSWER_FREE, "אני צריך חדר כי", false, "אני צריך חדר", 0 },
    { "he", ANSWER_DIGITS, "אפס חמש שתיים", false, "אפס חמש שתיים אחת שתיים שלוש ארבע", 0 },
    { "fr", ANSWER_YESNO, "oui", false, "yes", 0 },
};

static uint32_t wait_ms(size_t i, const char *text, bool unheard)
{
    struct endpointing_turn turn = {
        .language = cases[i].language,
        .expect = cases[i].expect,
        .text = text,
        .can_transcribe = !unheard,
        .digits_min = 7,
        .digits_max = 10,
    };

    return endpointing_rules.wait_ms(&turn);
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        uint32_t got_ms = wait_ms(i, cases[i].text, cases[i].unheard);
        const char *shorter = cases[i].longer_than;

        if (shorter)
            ok(got_ms > wait_ms(i, shorter, false), "\"%s\"%s waits longer than \"%s\"", cases[i].text,
               cases[i].unheard ? ", not heard," : "", shorter);
        else
            is_int(got_ms, cases[i].want_ms, cases[i].text);
    }
    return done_testing();
}
