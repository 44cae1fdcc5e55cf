/*
 * test_numerals.c - numbers in words, in English and Hebrew
 */
#include "utils/numerals.h"

#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *language, *number, *country, *want;
} phones[] = {
    { "en", "+972501234567", "972", "0 5 0, 1 2 3, 4 5 6 7" },
    { "en", "+97231234567", "972", "0 3, 1 2 3, 4 5 6 7" },
    { "en", "+12025550123", "1", "2 0 2, 5 5 5, 0 1 2 3" },
    { "en", "+12025550123", "972", "plus 1, 2 0 2, 5 5 5, 0 1 2 3" },
    { "en", "+12025550123", NULL, "plus 1, 2 0 2, 5 5 5, 0 1 2 3" },
    { "en", "+972501234567", NULL, "plus 9 7 2, 5 0, 1 2 3, 4 5 6 7" },
    { "en", "+442079460123", NULL, "plus 4 4, 2 0 7, 9 4 6, 0 1 2 3" },
    { "en", "+79161234567", NULL, "plus 7, 9 1 6, 1 2 3, 4 5 6 7" },
    { "en", "+97", NULL, "plus 9 7" },
    { "en", "0501234567", "972", "0 5 0, 1 2 3, 4 5 6 7" },
    { "en", "12345", "", "1 2 3 4 5" },
    { "en", "050-12a", "", "0 5 0 1 2" },
    { "en", "1234567890123456789", "", "1 2 3, 4 5 6 7, 8 9 0 1, 2 3 4 5" },
    { "en", "", "", "" },
    { "en", "+", "972", "plus" },
    { "he", "+972501234567", "972", "אפס חמש אפס, אחת שתיים שלוש, ארבע חמש שש שבע" },
    { "he", "+12025550123", "972", "פלוס אחת, שתיים אפס שתיים, חמש חמש חמש, אפס אחת שתיים שלוש" },
};

static const struct {
    const char *language;
    unsigned long value;
    const char *want;
} cardinals[] = {
    { "en", 0, "zero" },
    { "en", 13, "thirteen" },
    { "en", 40, "forty" },
    { "en", 99, "ninety nine" },
    { "en", 100, "one hundred" },
    { "en", 250, "two hundred and fifty" },
    { "en", 1000, "one thousand" },
    { "en", 1001, "one thousand and one" },
    { "en", 12345, "twelve thousand three hundred and forty five" },
    { "en", 999999, "nine hundred and ninety nine thousand nine hundred and ninety nine" },
    { "en", 1000000, "one million" },
    { "en", 2500007, "two million five hundred thousand and seven" },
    { "en", 3000000000, "three billion" },
    { "en", 999999999999, "nine hundred and ninety nine billion nine hundred and ninety nine million nine hundred and ninety nine "
                          "thousand nine hundred and ninety nine" },
    { "en", 1000000000000, "one zero zero zero zero zero zero zero zero zero zero zero zero" },
    { "en-US", 7, "seven" },
    { "he-IL", 7, "שבע" },
    { "fr", 7, "seven" },
    { NULL, 7, "seven" },
    { "he", 0, "אפס" },
    { "he", 12, "שתים עשרה" },
    { "he", 21, "עשרים ואחת" },
    { "he", 100, "מאה" },
    { "he", 103, "מאה ושלוש" },
    { "he", 215, "מאתיים וחמש עשרה" },
    { "he", 123, "מאה עשרים ושלוש" },
    { "he", 1000, "אלף" },
    { "he", 1100, "אלף ומאה" },
    { "he", 3004, "שלושת אלפים וארבע" },
    { "he", 12000, "שנים עשר אלף" },
    { "he", 25350, "עשרים וחמישה אלף שלוש מאות וחמישים" },
    { "he", 1000000, "מיליון" },
    { "he", 2000000, "שני מיליון" },
    { "he", 3000000, "שלושה מיליון" },
    { "he", 1200000, "מיליון ומאתיים אלף" },
    { "he", 1250000, "מיליון מאתיים וחמישים אלף" },
    { "he", 1003000, "מיליון ושלושת אלפים" },
    { "he", 1000001, "מיליון ואחת" },
    { "he", 2026, "אלפיים עשרים ושש" },
    { "he", 5000000000, "חמישה מיליארד" },
};

static const struct {
    const char *language;
    unsigned long value;
    enum numeral_gender gender;
    const char *want;
} masculines[] = {
    { "he", 1, NUMERAL_MASCULINE, "אחד" },
    { "he", 2, NUMERAL_MASCULINE, "שניים" },
    { "he", 12, NUMERAL_MASCULINE, "שנים עשר" },
    { "he", 35, NUMERAL_MASCULINE, "שלושים וחמישה" },
    { "he", 1250, NUMERAL_MASCULINE, "אלף מאתיים וחמישים" },
    { "he", 3004, NUMERAL_MASCULINE, "שלושת אלפים וארבעה" },
    { "en", 2, NUMERAL_MASCULINE, "two" },
}, ordinals[] = {
    { "en", 1, 0, "first" },
    { "en", 12, 0, "twelfth" },
    { "en", 20, 0, "twentieth" },
    { "en", 22, 0, "twenty second" },
    { "en", 31, 0, "thirty first" },
    { "en", 90, 0, "ninetieth" },
    { "en", 100, 0, "one hundredth" },
    { "en", 103, 0, "one hundred and third" },
    { "en", 142, 0, "one hundred and forty second" },
    { "en", 0, 0, "zeroth" },
    { "he", 1, NUMERAL_MASCULINE, "ראשון" },
    { "he", 2, NUMERAL_FEMININE, "שנייה" },
    { "he", 10, NUMERAL_FEMININE, "עשירית" },
    { "he", 11, NUMERAL_MASCULINE, "אחד עשר" },
};

int main(void)
{
    char got[512];

    for (size_t i = 0; i < ELEMENTSOF(phones); i++) {
        numeral_phone(phones[i].language, phones[i].number, phones[i].country, got, sizeof(got));
        is_str(got, phones[i].want, phones[i].number);
    }
    for (size_t i = 0; i < ELEMENTSOF(cardinals); i++) {
        numeral_cardinal(cardinals[i].language, cardinals[i].value, NUMERAL_FEMININE, got, sizeof(got));
        is_str(got, cardinals[i].want, "a number in words");
    }
    for (size_t i = 0; i < ELEMENTSOF(masculines); i++) {
        numeral_cardinal(masculines[i].language, masculines[i].value, masculines[i].gender, got, sizeof(got));
        is_str(got, masculines[i].want, "of something masculine");
    }
    for (size_t i = 0; i < ELEMENTSOF(ordinals); i++) {
        numeral_ordinal(ordinals[i].language, (unsigned)ordinals[i].value, ordinals[i].gender, got, sizeof(got));
        is_str(got, ordinals[i].want, "a place in a row");
    }
    numeral_digits("en", "+05-7", got, sizeof(got));
    is_str(got, "zero five seven", "digits alone");
    numeral_digits("he", "05", got, sizeof(got));
    is_str(got, "אפס חמש", "in Hebrew");
    numeral_cardinal("he", 12, NUMERAL_FEMININE, got, 8);
    is_str(got, "שתי", "what does not fit is cut between letters");
    return done_testing();
}
