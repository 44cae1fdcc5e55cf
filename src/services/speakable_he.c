/*
 * speakable_he.c - how it is said in Hebrew
 *
 * A number agrees with what it counts: nouns[] knows the common ones, of others the ending of the plural is believed.
 * One stands behind its noun ("חדר אחד"), two has a short form before it ("שני חדרים") and some nouns have a dual
 * instead ("שעתיים"). Numbers by themselves, years, hours and minutes are feminine, days of a month masculine.
 */
#include <stdio.h>
#include <string.h>

#include "services/speakable_manner.h"
#include "utils/scoped.h"

static const char *const months[] = {
    "ינואר", "פברואר", "מרץ", "אפריל", "מאי", "יוני", "יולי", "אוגוסט", "ספטמבר", "אוקטובר", "נובמבר", "דצמבר",
};

#define M NUMERAL_MASCULINE
#define F NUMERAL_FEMININE

static const struct currency currencies[] = {
    { { "שקל", "שקלים", "שקלים", M }, { "אגורה", "אגורות", "אגורות", F } },
    { { "דולר", "דולרים", "דולר", M }, { "סנט", "סנט", "סנט", M } },
    { { "יורו", "יורו", "יורו", M }, { "סנט", "סנט", "סנט", M } },
    { { "ליש\"ט", "ליש\"ט", "ליש\"ט", F }, { "פני", "פני", "פני", M } },
};

#define METERS { "מטר רבוע", "מטרים רבועים", "מטר רבוע", M }

static const struct unit units[] = {
    { "%", { "אחוז", "אחוזים", "אחוז", M } },
    { "מ\"ר", METERS },
    { "sqm", METERS },
    { "m²", METERS },
    { "מ²", METERS },
    { "קמ\"ש", { "קילומטר לשעה", "קילומטרים לשעה", "קילומטר לשעה", M } },
    { "ק\"מ", { "קילומטר", "קילומטרים", "קילומטר", M } },
    { "ס\"מ", { "סנטימטר", "סנטימטרים", "סנטימטר", M } },
    { "מ\"מ", { "מילימטר", "מילימטרים", "מילימטר", M } },
    { "ק\"ג", { "קילוגרם", "קילוגרם", "קילוגרם", M } },
    { "מ'", { "מטר", "מטרים", "מטר", M } },
    { "דק'", { "דקה", "דקות", "דקות", F } },
    { "שע'", { "שעה", "שעות", "שעות", F } },
    { "יח'", { "יחידה", "יחידות", "יחידות", F } },
    { "°", { "מעלה", "מעלות", "מעלות", F } },
    { NULL },
};

static const struct scale scales[] = {
    { "אלף", 1000, "אלף" }, { "מיליון", 1000000, "מיליון" }, { "מיליארד", 1000000000, "מיליארד" }, { "K", 1000, "אלף" }, { "M", 1000000, "מיליון" },
    { NULL },
};

static const struct written per[] = {
    { "חודש", " לחודש" }, { "שנה", " לשנה" },   { "שבוע", " לשבוע" }, { "יום", " ליום" }, { "לילה", " ללילה" },
    { "שעה", " לשעה" },   { "אדם", " לאדם" },   { "מ\"ר", " למטר רבוע" }, { "month", " לחודש" }, { NULL },
};

static const struct written fractions[] = {
    { "24/7", "עשרים וארבע שבע" }, { "1/2", "חצי" }, { "1/3", "שליש" }, { "2/3", "שני שלישים" }, { "1/4", "רבע" },
    { "3/4", "שלושה רבעים" },      { "½", "חצי" },   { "¼", "רבע" },    { "¾", "שלושה רבעים" },  { NULL },
};

static const char *const code_words[] = { "קוד", "הקוד", "שלוחה", "לשלוחה", "בשלוחה", "סיסמה", "מיקוד", "ת\"ז", NULL };
static const char *const date_words[] = {
    "ב", "ה", "מה", "ל", "בתאריך", "תאריך", "לתאריך", "עד", "ליום", "ביום", "ראשון", "שני", "שלישי", "רביעי", "חמישי", "שישי", "שבת", NULL,
};

static const char *const time_words[] = { "שעה", "בשעה", "לשעה", "משעה", "השעה", NULL };

/* --- nouns */

static const struct counted {
    const char *one, *more;
    enum numeral_gender gender;
    const char *dual; /* NULL none */
} nouns[] = {
    { "חדר", "חדרים", M, NULL },       { "יום", "ימים", M, "יומיים" },     { "שבוע", "שבועות", M, "שבועיים" },
    { "חודש", "חודשים", M, "חודשיים" }, { "שנה", "שנים", F, "שנתיים" },     { "שעה", "שעות", F, "שעתיים" },
    { "דקה", "דקות", F, NULL },        { "שנייה", "שניות", F, NULL },      { "פעם", "פעמים", F, "פעמיים" },
    { "שקל", "שקלים", M, NULL },       { "שקל", "שקל", M, NULL },          { "דולר", "דולרים", M, NULL },
    { "דולר", "דולר", M, NULL },       { "יורו", "יורו", M, NULL },        { "אגורה", "אגורות", F, NULL },
    { "אחוז", "אחוזים", M, NULL },     { "אחוז", "אחוז", M, NULL },        { "מטר", "מטרים", M, NULL },
    { "מטר", "מטר", M, NULL },         { "קילומטר", "קילומטרים", M, NULL }, { "קילומטר", "קילומטר", M, NULL },
    { "איש", "אנשים", M, NULL },       { "איש", "איש", M, NULL },          { "אישה", "נשים", F, NULL },
    { "ילד", "ילדים", M, NULL },       { "לקוח", "לקוחות", M, NULL },      { "מקום", "מקומות", M, NULL },
    { "לילה", "לילות", M, NULL },      { "שם", "שמות", M, NULL },          { "רחוב", "רחובות", M, NULL },
    { "חלון", "חלונות", M, NULL },     { "ארון", "ארונות", M, NULL },      { "שולחן", "שולחנות", M, NULL },
    { "כיסא", "כיסאות", M, NULL },     { "מפתח", "מפתחות", M, NULL },      { "פתרון", "פתרונות", M, NULL },
    { "חשבון", "חשבונות", M, NULL },   { "דוח", "דוחות", M, NULL },        { "קיר", "קירות", M, NULL },
    { "רעיון", "רעיונות", M, NULL },   { "יתרון", "יתרונות", M, NULL },    { "אולם", "אולמות", M, NULL },
    { "מילה", "מילים", F, NULL },      { "עיר", "ערים", F, NULL },         { "דרך", "דרכים", F, NULL },
    { "ביצה", "ביצים", F, NULL },      { "אבן", "אבנים", F, NULL },        { "קומה", "קומות", F, NULL },
    { "דירה", "דירות", F, NULL },      { "פגישה", "פגישות", F, NULL },     { "שאלה", "שאלות", F, NULL },
    { "תשלום", "תשלומים", M, NULL },   { "בית", "בתים", M, NULL },         { "בניין", "בניינים", M, NULL },
    { "יום", "יום", M, NULL },         { "חודש", "חודש", M, NULL },        { "שנה", "שנה", F, NULL },
    { "כיתה", "כיתות", F, NULL },      { "כניסה", "כניסות", F, NULL },     { "מרפסת", "מרפסות", F, NULL },
    { "בן", "בנים", M, NULL },         { "בת", "בנות", F, NULL },
    { "חניה", "חניות", F, NULL },      { "הודעה", "הודעות", F, NULL },     { "שיחה", "שיחות", F, NULL },
};

static bool ends_with(const char *word, size_t n, const char *ending)
{
    size_t n_ending = strlen(ending);

    return n > n_ending + 2 && memcmp(word + n - n_ending, ending, n_ending) == 0;
}

static bool is_word(const char *at, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(at, word, n) == 0;
}

/* The noun at a place by either of its forms. */
static const struct counted *noun_at(const char *at, size_t n)
{
    for (size_t i = 0; i < ELEMENTSOF(nouns); i++)
        if (is_word(at, n, nouns[i].more) || is_word(at, n, nouns[i].one))
            return &nouns[i];
    return NULL;
}

/* Returns: whether something is counted there that is known or looks like a plural. */
static bool counted_at(const char *rest, size_t *ret_n, const struct counted **ret_noun, enum numeral_gender *ret_gender)
{
    size_t n_blanks = blanks_at(rest), n = n_blanks ? letters_at(rest + n_blanks) : 0;
    const char *word = rest + n_blanks;

    *ret_gender = F;
    *ret_noun = NULL;
    *ret_n = n_blanks + n;
    if (!n || !is_hebrew(word))
        return false;
    *ret_noun = noun_at(word, n);
    if (*ret_noun)
        *ret_gender = (*ret_noun)->gender;
    else if (match_at(word, "ל")) /* "2 לשירות" */
        return false;
    else if (ends_with(word, n, "ים"))
        *ret_gender = M;
    else
        return ends_with(word, n, "ות");
    return true;
}

static bool gender_ahead(const char *rest, enum numeral_gender *ret_gender)
{
    const struct counted *noun;
    enum numeral_gender gender;
    size_t n;
    bool is_counted = counted_at(rest, &n, &noun, &gender);

    if (ret_gender)
        *ret_gender = gender;
    return is_counted;
}

/* --- numbers */

static void add_cardinal(struct words *words, uint64_t value, enum numeral_gender gender)
{
    char text[512];

    numeral_cardinal("he", value, gender, text, sizeof(text));
    words_add(words, text);
}

static void add_ordinal(struct words *words, unsigned value, enum numeral_gender gender)
{
    char text[256];

    numeral_ordinal("he", value, gender, text, sizeof(text));
    words_add(words, text);
}

static bool is_half(const struct amount *amount)
{
    return strcmp(amount->decimals, "5") == 0 || strcmp(amount->decimals, "50") == 0;
}

static void add_decimals(struct words *words, const struct amount *amount)
{
    char text[256];

    if (is_half(amount)) {
        words_add(words, amount->whole ? " וחצי" : "חצי");
        return;
    }
    words_add(words, amount->whole ? "" : "אפס");
    numeral_digits("he", amount->decimals, text, sizeof(text));
    words_add(words, " נקודה ");
    words_add(words, text);
}

static void say(struct words *words, const struct amount *amount, enum numeral_gender gender)
{
    words_add(words, amount->is_negative ? "מינוס " : "");
    if (amount->whole == 1 && is_half(amount) && amount->scale) { /* a million and a half */
        words_add(words, amount->scale);
        words_add(words, " וחצי");
        return;
    }
    if (amount->whole || !amount->decimals[0])
        add_cardinal(words, amount->whole, amount->scale ? M : gender);
    if (amount->decimals[0])
        add_decimals(words, amount);
    if (amount->scale) {
        words_add(words, " ");
        words_add(words, amount->scale);
    }
}

static bool is_exactly(const struct amount *amount, uint64_t value)
{
    return amount->whole == value && !amount->decimals[0] && !amount->scale && !amount->is_negative;
}

static void count(struct words *words, const struct amount *amount, const struct noun *noun)
{
    if (is_exactly(amount, 1)) {
        words_add(words, noun->one);
        words_add(words, noun->gender == M ? " אחד" : " אחת");
        return;
    }
    if (amount->whole == 1 && is_half(amount) && !amount->scale) {
        words_add(words, noun->one);
        words_add(words, " וחצי");
        return;
    }
    if (is_exactly(amount, 2))
        words_add(words, noun->gender == M ? "שני" : "שתי");
    else
        say(words, amount, noun->gender);
    words_add(words, " ");
    words_add(words, amount->whole > 10 || amount->scale ? noun->many : !amount->whole && is_half(amount) ? noun->one : noun->few);
}

static size_t count_ahead(struct words *words, const struct spot *spot, const struct amount *amount, const char *rest)
{
    const struct counted *noun;
    enum numeral_gender gender;
    size_t n;
    size_t n_half = match_word(rest, " וחצי"); /* "3 וחצי חדרים" */
    bool is_counted = counted_at(rest + n_half, &n, &noun, &gender);

    if (n_half) {
        say(words, amount, gender);
        return 0;
    }
    if (is_exactly(amount, 1) && noun) {
        words_add(words, noun->one);
        words_add(words, gender == M ? " אחד" : " אחת");
        return n;
    }
    if (is_exactly(amount, 2) && noun && noun->dual && !amount->is_last) {
        words_add(words, noun->dual);
        return n;
    }
    if (is_exactly(amount, 2) && is_counted)
        words_add(words, gender == M ? "שני" : "שתי");
    else
        say(words, amount, gender);
    return 0;
}

/* --- times and dates */

/* "הרצל 12/3, תל אביב" */
static bool is_house(const struct spot *spot, const char *rest)
{
    char before[SPEAKABLE_WORD_MAX];

    word_before(spot->text, spot->at, before);
    return is_hebrew(before) && strlen(before) > 2 && (!*rest || strchr(",.)", *rest));
}

/* Whether the part of the day is said anyway. */
static bool part_follows(const char *rest)
{
    static const char *const parts[] = { "בבוקר", "בצהריים", "אחר הצהריים", "אחה\"צ", "בערב", "בלילה", "לפנות בוקר", "בצהרים", "לפנה\"צ" };

    for (size_t i = 0; i < ELEMENTSOF(parts); i++)
        if (blanks_at(rest) && match_word(rest + blanks_at(rest), parts[i]))
            return true;
    return false;
}

static void add_minutes(struct words *words, unsigned minute)
{
    if (minute == 15 || minute == 30) {
        words_add(words, minute == 15 ? " ורבע" : " וחצי");
    } else if (minute == 1) {
        words_add(words, " ודקה");
    } else if (minute < 20) {
        words_add(words, " ו");
        minute == 2 ? words_add(words, "שתי") : add_cardinal(words, minute, F);
        words_add(words, " דקות");
    } else {
        words_add(words, minute % 10 ? " " : " ו");
        add_cardinal(words, minute, F);
    }
}

static void time(struct words *words, unsigned hour, unsigned minute, char half, const char *rest)
{
    if (hour == 0 && !minute && !half) {
        words_add(words, "חצות");
        return;
    }
    hour += half == 'p' && hour < 12 ? 12 : 0;
    hour = half == 'a' && hour == 12 ? 0 : hour % 24;
    add_cardinal(words, hour % 12 ? hour % 12 : 12, F);
    if (minute)
        add_minutes(words, minute);
    if (part_follows(rest) || half == ' ')
        return;
    words_add(words, hour == 0 ? " בלילה" : hour < 12 ? half ? " בבוקר" : "" : hour == 12 ? " בצהריים" : hour < 18 ? " אחר הצהריים"
                     : hour < 22 ? " בערב" : " בלילה");
}

static void days(struct words *words, unsigned first, unsigned last, unsigned month, unsigned year)
{
    add_cardinal(words, first, M);
    if (last) {
        words_add(words, " עד ");
        add_cardinal(words, last, M);
    }
    words_add(words, " ב");
    words_add(words, months[month - 1]);
    if (!year)
        return;
    words_add(words, " ");
    add_cardinal(words, year, F);
}

static void date(struct words *words, unsigned day, unsigned month, unsigned year)
{
    days(words, day, 0, month, year);
}

/* The noun before "ה-3": "הקומה ה-3", "בקומה ה-3". */
static const struct counted *noun_before(const struct spot *spot)
{
    static const char *const letters[] = { "", "ה", "ב", "ל" };
    const char *at = spot->at;
    char word[SPEAKABLE_WORD_MAX];

    while (at > spot->text && at[-1] != ' ')
        at--;
    if (!match_at(at, "ה") || !dash_at(at + 2) || at + 2 + dash_at(at + 2) != spot->at)
        return NULL;
    word_before(spot->text, at, word);
    for (size_t i = 0; i < ELEMENTSOF(letters); i++) {
        size_t n = strlen(letters[i]);
        const struct counted *noun = strncmp(word, letters[i], n) == 0 ? noun_at(word + n, strlen(word + n)) : NULL;
        if (noun)
            return noun;
    }
    return NULL;
}

static size_t day_at(const char *at, unsigned *ret_day)
{
    struct amount amount;
    size_t n = digits_at(at) <= 2 ? amount_at(at, &amount) : 0;

    if (!n || amount.decimals[0] || amount.is_grouped || !ends_word(at + n) || at[n] == ':' || amount.whole < 1 || amount.whole > 31)
        return 0;
    *ret_day = (unsigned)amount.whole;
    return n;
}

/* " במאי", " מאי" */
static size_t month_at(const char *at, unsigned *ret_month)
{
    size_t n_blanks = blanks_at(at), n_in = match_at(at + n_blanks, "ב"), n;

    for (unsigned i = 0; i < ELEMENTSOF(months) && n_blanks; i++)
        if ((n = match_word(at + n_blanks + n_in, months[i]))) {
            *ret_month = i + 1;
            return n_blanks + n_in + n;
        }
    return 0;
}

/* "3 במאי", "3-5 במאי"; "ה-3" after a noun; "ה-15 לחודש". */
static size_t dated(const struct spot *spot, struct words *words)
{
    const char *at = spot->at;
    unsigned day, last = 0, month;
    size_t n = day_at(at, &day), n_dash = n ? dash_at(at + n) : 0, n_last = n_dash ? day_at(at + n + n_dash, &last) : 0, n_month;

    if (!n)
        return 0;
    n += n_last ? n_dash + n_last : 0;
    n_month = month_at(at + n, &month);
    if (n_month && is_day(day, month) && (!n_last || (last > day && is_day(last, month)))) {
        days(words, day, n_last ? last : 0, month, 0);
        return n + n_month;
    }
    if (n_dash)
        return 0;
    const struct counted *noun = day <= 10 ? noun_before(spot) : NULL;
    if (noun) {
        add_ordinal(words, day, noun->gender);
        return n;
    }
    if (!match_word(at + n, " לחודש") || at == spot->text || !strchr("-\xBE", at[-1]))
        return 0;
    add_cardinal(words, day, M);
    return n;
}

/* --- abbreviations */

static const struct written abbreviations[] = {
    { "רח'", "רחוב" },       { "שד'", "שדרות" },        { "ד\"ר", "דוקטור" },    { "עו\"ד", "עורך דין" },
    { "גב'", "גברת" },       { "פרופ'", "פרופסור" },    { "ש\"ח", "שקלים" },     { "מ\"ר", "מטר רבוע" },
    { "ק\"מ", "קילומטר" },   { "טל'", "טלפון" },        { "מס'", "מספר" },       { "עמ'", "עמוד" },
    { "וכו'", "וכולי" },     { "וכד'", "וכדומה" },      { "דק'", "דקות" },       { "שע'", "שעות" },
    { "ע\"י", "על ידי" },    { "עפ\"י", "על פי" },      { "ע\"פ", "על פי" },     { "ת\"א", "תל אביב" },
    { "י-ם", "ירושלים" },    { "אח\"כ", "אחר כך" },     { "בד\"כ", "בדרך כלל" }, { "אחה\"צ", "אחר הצהריים" },
    { "לפנה\"צ", "לפני הצהריים" }, { "ת.ז.", "תעודת זהות" }, { "ת\"ז", "תעודת זהות" }, { "ע\"ש", "על שם" },
    { "יו\"ר", "יושב ראש" }, { "ראשל\"צ", "ראשון לציון" }, { "פ\"ת", "פתח תקווה" }, { "ב\"ש", "באר שבע" },
    { "חו\"ד", "חוות דעת" }, { "סה\"כ", "סך הכול" },    { "בעה\"ב", "בעל הבית" },
};

/* A letter with a tick is the place in a row: "יום ב'", "קומה ג'", "ימים א'-ה'". */
static const char *const letters[] = { "", "א'", "ב'", "ג'", "ד'", "ה'", "ו'", "ז'", "ח'", "ט'", "י'" };

static size_t letter_at(const char *at, unsigned *ret_value)
{
    size_t n;

    for (unsigned i = 1; i < ELEMENTSOF(letters); i++)
        if ((n = match_word(at, letters[i]))) {
            *ret_value = i;
            return n;
        }
    return 0;
}

static size_t placed(const struct spot *spot, struct words *words)
{
    static const char *const day_words[] = { "יום", "ביום", "ליום", "ימים", "בימים", "לימים", "מיום", NULL };
    static const char *const floors[] = { "קומה", "בקומה", "לקומה", "מקומה", NULL };
    char before[SPEAKABLE_WORD_MAX];
    unsigned value, until;
    size_t n = letter_at(spot->at, &value), n_dash, n_until;

    if (!n)
        return 0;
    word_before(spot->text, spot->at, before);
    n_dash = dash_at(spot->at + n);
    n_until = n_dash ? letter_at(spot->at + n + n_dash, &until) : 0;
    bool is_hours = blanks_at(spot->at + n) && digits_at(spot->at + n + 1) && spot->at[n + 1 + digits_at(spot->at + n + 1)] == ':';
    bool is_day_name = is_listed(day_words, before) || ((n_until || is_hours) && !is_listed(floors, before));
    if (!is_day_name && !is_listed(floors, before))
        return 0;
    add_ordinal(words, value, is_day_name ? M : F);
    if (!n_until)
        return n;
    words_add(words, " עד ");
    add_ordinal(words, until, is_day_name ? M : F);
    return n + n_dash + n_until;
}

/* Also behind up to two letters that hang before it: "ברח'", "ולד"ר". */
static size_t speak_words(const struct spot *spot, struct words *words)
{
    static const char *const hanging[] = { "ו", "ה", "ב", "כ", "ל", "מ", "ש" };
    const char *at = spot->at;
    size_t n, n_hanging = 0;

    if (!is_hebrew(at))
        return 0;
    if ((n = placed(spot, words)))
        return n;
    for (unsigned n_letters = 0; n_letters <= 2; n_letters++) {
        for (size_t i = 0; i < ELEMENTSOF(abbreviations); i++)
            if ((n = match_word(at + n_hanging, abbreviations[i].text))) {
                words_add_n(words, at, n_hanging);
                words_add(words, abbreviations[i].said);
                return n_hanging + n;
            }
        bool hangs = false;
        for (size_t i = 0; i < ELEMENTSOF(hanging) && !hangs; i++)
            hangs = match_at(at + n_hanging, hanging[i]) > 0;
        if (!hangs)
            return 0;
        n_hanging += 2;
    }
    return 0;
}

const struct manner speakable_he = {
    .code = "he",
    .to = " עד ",
    .and_joined = " ו",
    .plus = "פלוס",
    .star = "כוכבית",
    .number = "מספר",
    .or_sign = "או",
    .equals = "שווה",
    .about = "בערך",
    .by = "על",
    .at_sign = "שטרודל",
    .dot = "נקודה",
    .slash = "לוכסן",
    .underscore = "קו תחתון",
    .dash = "מקף",
    .home_country = "972",
    .dots_are_dates = true,
    .currencies = currencies,
    .units = units,
    .scales = scales,
    .per = per,
    .fractions = fractions,
    .code_words = code_words,
    .date_words = date_words,
    .time_words = time_words,
    .say = say,
    .count = count,
    .count_ahead = count_ahead,
    .gender_ahead = gender_ahead,
    .is_house = is_house,
    .time = time,
    .date = date,
    .days = days,
    .words = speak_words,
    .dated = dated,
};
