/*
 * test_spoken.c - what is said and what is meant, in English and Hebrew
 */
#include "utils/spoken.h"

#include <stdlib.h>

#include "tap.h"
#include "utils/scoped.h"
#include "utils/text.h"

static const struct {
    const char *language, *text;
    int want;
} yesnos[] = {
    { "en", "yes", 1 },
    { "en", "Yes, please.", 1 },
    { "en", "that's right", 1 },
    { "en", "That’s right", 1 },
    { "en", "no problem", 1 },
    { "en", "why not", 1 },
    { "en", "uh huh", 1 },
    { "en", "No.", 0 },
    { "en", "no thank you", 0 },
    { "en", "that's not right", 0 },
    { "en", "not really", 0 },
    { "en", "I don't think so", 0 },
    { "en", "yes no", -1 },
    { "en", "know", -1 },
    { "en", "", -1 },
    { "en", "banana", -1 },
    { "he", "כן", 1 },
    { "he", "כן, בבקשה", 1 },
    { "he", "למה לא?", 1 },
    { "he", "נכון", 1 },
    { "he", "לא נכון", 0 },
    { "he", "לא, תודה", 0 },
    { "he", "כן לא", -1 },
    { "he", "אולי", -1 },
    { "he", "yes", -1 },
    { "fr", "yes", 1 },
    { NULL, "yes", 1 },
};

static const struct {
    const char *language, *text, *want;
} digits[] = {
    { "en", "oh five two double three", "05233" },
    { "en", "zero five zero, one two three, four five six seven", "0501234567" },
    { "en", "my number is 052-123 4567.", "0521234567" },
    { "en", "plus nine seven two five zero", "+97250" },
    { "en", "+972 50", "+97250" },
    { "en", "five plus one", "51" },
    { "en", "fifty two nineteen", "5219" },
    { "en", "fifty and two", "502" },
    { "en", "twenty zero", "200" },
    { "en", "twenty twenty", "2020" },
    { "en", "eight hundred five five five", "800555" },
    { "en", "triple four", "444" },
    { "en", "double", "" },
    { "en", "good morning", "" },
    { "en", "", "" },
    { "en", "one two three four five six seven eight nine zero one two three four five six seven eight nine zero "
            "one two three four five",
      "1234567890123456789012345" },
    { "he", "אפס חמש שתיים", "052" },
    { "he", "אפס חמישים ושתיים, אחת שתיים שלוש", "052123" },
    { "he", "ארבעים ואחת", "41" },
    { "he", "שתים עשרה", "12" },
    { "he", "עשר", "10" },
    { "he", "פעמיים שבע", "77" },
    { "he", "פלוס תשע שבע שתיים", "+972" },
    { "he", "שלום", "" },
};

static const struct {
    const char *language, *text;
    long want; /* -1 none */
} numbers[] = {
    { "en", "five", 5 },
    { "en", "twenty five", 25 },
    { "en", "one two", 12 },
    { "en", "two hundred and fifty", 250 },
    { "en", "three thousand and one", 3001 },
    { "en", "a thousand", 1000 },
    { "en", "2,500", 2500 },
    { "en", "about 40 please", 40 },
    { "en", "none", -1 },
    { "he", "עשרים ושלוש", 23 },
    { "he", "שלוש עשרה", 13 },
    { "he", "מאה ועשרים", 120 },
    { "he", "כלום", -1 },
};

static const struct {
    const char *language, *text;
    bool want;
} repeats[] = {
    { "en", "Pardon?", true },
    { "en", "can you repeat that, please", true },
    { "en", "sorry, what did you say?", false },
    { "en", "what did you say", true },
    { "en", "help", true },
    { "en", "I need help with my boiler", false },
    { "en", "please", false },
    { "en", "", false },
    { "he", "אפשר לחזור על זה בבקשה", true },
    { "he", "סליחה, לא שמעתי", true },
    { "he", "לא", false },
};

static const struct {
    const char *language, *text;
    bool want;
} backchannels[] = {
    { "en", "mm", true },
    { "en", "Mm, hmm.", true },
    { "en", "uh huh", true },
    { "en", "um, yes", false },
    { "en", "", false },
    { "he", "אהה", true },
    { "he", "אה, כן", false },
};

static const struct {
    const char *language, *text, *want;
} names[] = {
    { "en", "dana cohen", "Dana Cohen" },
    { "en", "Yes, my name is dana", "Dana" },
    { "en", "this is David O'Neil speaking", "David O'Neil" },
    { "en", "it's Ann, thank you", "Ann" },
    { "en", "my name is", "My Name Is" },
    { "en", "call me", "Call Me" },
    { "en", "", "" },
    { "he", "קוראים לי דנה כהן", "דנה כהן" },
    { "he", "מדבר יוסי", "יוסי" },
    { "he", "דוד, תודה רבה", "דוד" },
};

static void test_text(void)
{
    char buffer[8];
    size_t n = text_set(buffer, sizeof(buffer), "שלום"); /* two bytes a letter */

    is_int((long long)n, 6, "a text is cut between characters");
    is_str(buffer, "שלו", "and stays UTF-8");
    text_add(buffer, sizeof(buffer), &n, "ab", 2);
    is_str(buffer, "שלוa", "what is added is cut too");
    text_add(buffer, sizeof(buffer), &n, "b", 1);
    is_str(buffer, "שלוa", "a full buffer stays as it is");
}

int main(void)
{
    char got[SPOKEN_TEXT_MAX];

    for (size_t i = 0; i < ELEMENTSOF(yesnos); i++)
        is_int(spoken_yesno(yesnos[i].language, yesnos[i].text), yesnos[i].want, yesnos[i].text);

    for (size_t i = 0; i < ELEMENTSOF(digits); i++) {
        size_t n = spoken_digits(digits[i].language, digits[i].text, got, sizeof(got));
        is_str(got, digits[i].want, digits[i].text);
        is_int((long long)n, (long long)strspn(got + (got[0] == '+'), "0123456789"), "its digits are counted");
    }
    is_int((long long)spoken_digits("en", "+1 2 3 4", got, 4), 2, "digits stop at the buffer's end");

    for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
        unsigned long value = 0;
        bool found = spoken_number(numbers[i].language, numbers[i].text, &value);
        is_int(found ? (long long)value : -1, numbers[i].want, numbers[i].text);
    }

    for (size_t i = 0; i < ELEMENTSOF(repeats); i++)
        is_int(spoken_repeat(repeats[i].language, repeats[i].text), repeats[i].want, repeats[i].text);

    for (size_t i = 0; i < ELEMENTSOF(backchannels); i++)
        is_int(spoken_backchannel(backchannels[i].language, backchannels[i].text), backchannels[i].want,
               backchannels[i].text);

    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        spoken_name(names[i].language, names[i].text, got, sizeof(got));
        is_str(got, names[i].want, names[i].text);
    }
    spoken_name("he", "דנה כהן", got, 8);
    is_str(got, "דנה ", "a long name is cut between letters");

    char *many = calloc(1, 4096);
    memset(many, 'x', 2000);
    for (size_t i = 0; many && i < 2000; i += 2)
        many[i] = ' ';
    struct spoken_words words;
    spoken_split(many ? many : "", &words);
    is_int((long long)words.n, SPOKEN_WORDS_MAX, "words beyond the limit are left out");
    free(many);

    test_text();
    return done_testing();
}
