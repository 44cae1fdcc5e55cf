/*
 * agent_text_script.c - the scripted receptionist, in writing
 *
 * A walk through the profile's questions that have words for writing, in their order: what was asked last is answered by
 * what he wrote since, or asked once more, or passed over; then the next one is asked whose answer is not known. His name
 * and number stay known; what else he was asked for is asked again when a day has gone by, since it is another matter then.
 * Whoever begins with a sentence has said what it is about.
 */
#include "services/agent_text_script.h"

#include <stdio.h>
#include <string.h>

#include "models/contact.h"
#include "utils/json.h"
#include "utils/spoken.h"
#include "utils/text.h"
#include "utils/when.h"
#include "utils/wishes.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, ASKED_TWICE = 2, NAME_WORDS_MAX = 5, MATTER_WORDS_MIN = 3, OPENS_MAX = 96 };

struct walk {
    const struct profile *profile;
    const char *country;
    const struct crm_reply *reply;
    uint64_t now_ms;
    struct text_script_answer *said;
    char words[AGENT_VALUE_MAX]; /* his, on one line */
    size_t n_text;
};

/* --- what is said */

static void say(struct walk *walk, const char *text)
{
    struct text_script_answer *said = walk->said;

    text_add(said->text, sizeof(said->text), &walk->n_text, " ", text[0] && walk->n_text > 0);
    text_add(said->text, sizeof(said->text), &walk->n_text, text, strlen(text));
}

/* "on Sunday, December 6, at 09:00" */
static void print_opens(const char *language, uint64_t unix_ms, char ret[OPENS_MAX])
{
    static const char *const en_days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
    static const char *const he_days[] = { "ראשון", "שני", "שלישי", "רביעי", "חמישי", "שישי", "שבת" };
    static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December" };
    struct when_local at;

    when_local(unix_ms, &at);
    if (strcmp(language, "he") == 0)
        (void)snprintf(ret, OPENS_MAX, "ביום %s, %d.%d, בשעה %02d:%02d", he_days[at.weekday], at.day, at.month, at.minute / 60, at.minute % 60);
    else
        (void)snprintf(ret, OPENS_MAX, "on %s, %s %d, at %02d:%02d", en_days[at.weekday], months[at.month - 1], at.day, at.minute / 60,
                       at.minute % 60);
}

/* That nobody is there, and from when on somebody is. */
static void say_closed(struct walk *walk)
{
    const struct profile *profile = walk->profile;
    const char *text = profile->writing.closed, *mark = text ? strstr(text, PROFILE_OPENS) : NULL;
    char whole[PROFILE_TEXT_MAX + OPENS_MAX], opens[OPENS_MAX];
    struct hours_state state = { .is_open = true };

    if (text && profile->hours.is_set)
        hours_at(&profile->hours, walk->now_ms, &state);
    if (state.is_open || (mark && !state.until_ms))
        return;
    print_opens(profile->language, state.until_ms, opens);
    if (mark)
        (void)snprintf(whole, sizeof(whole), "%.*s%s%s", (int)(mark - text), text, opens, mark + strlen(PROFILE_OPENS));
    say(walk, mark ? whole : text);
}

static void greet(struct walk *walk)
{
    if (walk->reply->is_greeted)
        return;
    say(walk, walk->profile->writing.greeting);
    say_closed(walk);
}

const char *agent_text_script_farewell(const struct profile *profile)
{
    return profile->writing.is_set ? profile->writing.human : "";
}

/* --- what is learnt */

static size_t n_words(const char *text)
{
    struct spoken_words words;

    spoken_split(text, &words);
    return words.n;
}

static void learn(struct walk *walk, const char *field, const char *suffix, const char *value)
{
    struct crm_answer *answer = &walk->said->answer;
    struct agent_learnt *learnt = &walk->said->learnt[answer->n_learnt++];

    (void)snprintf(learnt->field, sizeof(learnt->field), "%s%s", field, suffix);
    (void)text_set(learnt->value, sizeof(learnt->value), value);
}

static bool take_name(struct walk *walk, const struct question *question)
{
    char name[CONTACT_NAME_MAX] = "";

    spoken_name(walk->profile->language, walk->words, name, sizeof(name));
    bool is_name = name[0] && n_words(name) <= NAME_WORDS_MAX;
    learn(walk, question->field, is_name ? "" : "_heard", is_name ? name : walk->words);
    return true;
}

static bool take_digits(struct walk *walk, const struct question *question)
{
    char digits[AGENT_FIELD_MAX], e164[ADDRESS_MAX];
    size_t n = spoken_digits(walk->profile->language, walk->words, digits, sizeof(digits));

    if (n < question->digits_min || n > question->digits_max)
        return false;
    learn(walk, question->field, "", phone_normalise(digits, walk->country, e164) == 0 ? e164 : digits);
    return true;
}

static bool take_number(struct walk *walk, const struct question *question)
{
    char digits[AGENT_FIELD_MAX];
    unsigned long value;

    if (!spoken_number(walk->profile->language, walk->words, &value))
        return false;
    (void)snprintf(digits, sizeof(digits), "%lu", value);
    learn(walk, question->field, "", digits);
    return true;
}

/* Returns: false it is no answer to that. */
static bool take(struct walk *walk, const struct question *question)
{
    if (!walk->words[0])
        return false;
    if (question->expect == ANSWER_DIGITS)
        return take_digits(walk, question);
    if (question->expect == ANSWER_NUMBER)
        return take_number(walk, question);
    if (strcmp(question->field, "name") == 0)
        return take_name(walk, question);
    learn(walk, question->field, "", walk->words);
    return true;
}

/* --- the walk */

static const char *asked_as(const struct profile *profile, size_t i)
{
    return profile->writing.questions[i];
}

static bool is_known(const struct walk *walk, const struct question *question)
{
    const struct contact *person = &walk->reply->person;
    bool gone, is_name = strcmp(question->field, "name") == 0;

    for (size_t i = 0; i < walk->said->answer.n_learnt; i++)
        if (strncmp(walk->said->learnt[i].field, question->field, strlen(question->field)) == 0)
            return true;
    if (is_name)
        return person->name[0];
    bool is_there = json_get_text(person->fields, question->field) != NULL;
    if (question->expect == ANSWER_DIGITS)
        return is_there || walk->reply->message.address[0] == '+';
    return is_there && walk->now_ms < contact_set_at(person, "field", question->field, &gone) + DAY_MS;
}

/* The question that was asked last. Returns: n_questions when none was. */
static size_t find_pending(const struct walk *walk)
{
    const struct profile *profile = walk->profile;
    size_t i = 0;

    while (i < profile->n_questions && (strcmp(profile->questions[i].id, walk->reply->asked) != 0 || !asked_as(profile, i)))
        i++;
    return i;
}

/* A sentence that begins a conversation says what it is about. */
static void take_matter(struct walk *walk)
{
    const struct profile *profile = walk->profile;

    if (walk->reply->is_greeted || n_words(walk->words) < MATTER_WORDS_MIN)
        return;
    for (size_t i = 0; i < profile->n_questions; i++) {
        const struct question *question = &profile->questions[i];

        if (asked_as(profile, i) && question->expect == ANSWER_FREE && strcmp(question->field, "name") != 0) {
            learn(walk, question->field, "", walk->words);
            return;
        }
    }
}

static void ask_from(struct walk *walk, size_t from)
{
    const struct profile *profile = walk->profile;

    for (size_t i = from; i < profile->n_questions; i++) {
        if (!asked_as(profile, i) || is_known(walk, &profile->questions[i]))
            continue;
        say(walk, asked_as(profile, i));
        (void)text_set(walk->said->asked, sizeof(walk->said->asked), profile->questions[i].id);
        return;
    }
    walk->said->answer.needs_human = true;
    if (walk->reply->is_thanked) {
        walk->said->text[0] = '\0';
        return;
    }
    say(walk, profile->writing.thanks);
    if (walk->reply->is_greeted)
        say_closed(walk);
    (void)text_set(walk->said->asked, sizeof(walk->said->asked), "goodbye");
}

static void answer(struct walk *walk)
{
    const struct profile *profile = walk->profile;
    size_t pending = find_pending(walk);
    bool is_pending = pending < profile->n_questions;

    greet(walk);
    if (!walk->words[0] && walk->reply->message.kind == MESSAGE_AUDIO && walk->reply->n_asked < ASKED_TWICE) {
        say(walk, profile->writing.voice);
        (void)text_set(walk->said->asked, sizeof(walk->said->asked), walk->reply->asked);
        return;
    }
    if (is_pending && !take(walk, &profile->questions[pending]) && walk->reply->n_asked < ASKED_TWICE) {
        ask_from(walk, pending);
        return;
    }
    if (!is_pending)
        take_matter(walk);
    ask_from(walk, is_pending ? pending + 1 : 0);
}

void agent_text_script(const struct profile *profile, const char *country, const struct crm_reply *reply, uint64_t now_ms,
                       struct text_script_answer *ret_answer)
{
    struct walk walk = { .profile = profile, .country = country, .reply = reply, .now_ms = now_ms, .said = ret_answer };

    *ret_answer = (struct text_script_answer){ 0 };
    ret_answer->answer = (struct crm_answer){ .text = ret_answer->text, .asked = ret_answer->asked, .learnt = ret_answer->learnt };
    (void)text_set(walk.words, sizeof(walk.words), reply->words);
    for (char *p = walk.words; *p; p++)
        *p = (unsigned char)*p < ' ' ? ' ' : *p;
    if (!profile->writing.is_set) {
        ret_answer->answer.needs_human = true;
    } else if (wish_human(reply->words)) {
        ret_answer->answer.to_human = true;
        say(&walk, profile->writing.human);
        say_closed(&walk);
    } else {
        answer(&walk);
    }
}
