/*
 * test_profile.c - shipped profiles load; whatever is wrong in one is named
 *
 * Each bad row is the shipped English profile with one text in it replaced by another.
 */
#include "services/profile.h"

#include <errno.h>

#include "scratch.h"
#include "tap.h"
#include "utils/file.h"

enum { PROBLEMS_MAX = 8192, LONG = 600, LONGER = 4096 };

static char long_text[LONG + 1], longer_text[LONGER + 1];

#define FOUR_MESSAGES(n) "\"a" n "\":\"x\",\"b" n "\":\"x\",\"c" n "\":\"x\",\"d" n "\":\"x\","
#define MANY_MESSAGES FOUR_MESSAGES("1") FOUR_MESSAGES("2") FOUR_MESSAGES("3") FOUR_MESSAGES("4")

#define HOURS(text) "\"questions\": [", "\"hours\": {" text "}, \"questions\": ["

static const struct {
    const char *find, *put;
    const char *want; /* in the problems */
} bad[] = {
    { "\"mode\"", "\"mood\"", "profile: unknown key \"mood\"\nprofile: \"mode\" is missing\n" },
    { "\"script\"", "\"improvise\"", "\"mode\" must be script or echo" },
    { "\"script\"", "\"echo\"", "an echo says nothing" },
    { "\"en\"", "\"english\"", "\"language\" must be two letters" },
    { "\"en\"", "7", "profile: \"language\" must be of type string, not int" },
    { "\"receptionist-en\"", "\"../etc\"", "profile: \"name\" is no id" },
    { "{business}.\"", "{busyness}.\"", "prompt \"greeting\": unknown placeholder {busyness}" },
    { "{business}.\"", "{\"", "prompt \"greeting\": unknown placeholder {" },
    { "{business}.\"", "{number}.\"", "profile: prompt \"greeting\" has no value for {number} here" },
    { "is {number}", "is {digits}", "question \"own\": prompt \"own_number\" has no value for {digits} here" },
    { "How can we help you?", "", "prompt \"need_ask\" is empty" },
    { "How can we help you?", long_text, "prompt \"need_ask\" is too long: 600 bytes" },
    { "How can we help you?", "a\\nb", "\"need_ask\" holds a control character" },
    { "How can we help you?", "a\\u0000b", "\"need_ask\" holds a control character" },
    { "\"How can we help you?\"", "[]", "prompt \"need_ask\" must be of type string" },
    { "\"wait\":", "\"weight\":", "profile: there is no prompt \"wait\"\nprompt \"weight\" is never said\n" },
    { "\"wait\":", "\"Wait!\":", "prompts: \"Wait!\" is no id" },
    { "\"ask\": \"need_ask\"", "\"ask\": \"need_aks\"", "question \"need\": there is no prompt \"need_aks\"" },
    { "\"ask\": \"need_ask\"", "\"ask\": [\"need_ask\"]", NULL },
    { "\"ask\": \"need_ask\"", "\"ask\": []", "question 1: \"ask\" must have 1 to 3 prompts" },
    { "[\"own_ask\",", "[\"own_ask\", \"own_ask\", \"own_ask\",", "question 3: \"ask\" must have 1 to 3 prompts" },
    { "[\"own_ask\",", "[7,", "question 3: \"ask\" must hold strings" },
    { "[\"own_ask\",", "[\"own ask\",", "question 3: \"ask\" is no id" },
    { "\"ask\": \"need_ask\", ", "", "question 1: \"ask\" is missing" },
    { "\"ask\": \"need_ask\"", "\"ask\": 1", "question 1: \"ask\" must be of type string, not int" },
    { "\"next\": \"own\"", "\"next\": \"won\"", "question \"name\": there is no question \"won\"" },
    { "\"on_no\": \"number\"", "\"on_no\": \"goodbye\"", "question \"number\" is never asked" },
    { "How can we help you?", "What is it about?", NULL },
    { "\"next\": \"own\"", "\"next\": \"goodbye\"", "question \"own\" is never asked" },
    { "\"id\": \"name\"", "\"id\": \"need\"", "question \"need\": the id is taken" },
    { "\"id\": \"name\"", "\"id\": \"goodbye\"", "question \"goodbye\": the id is taken" },
    { "\"id\": \"name\"", "\"id\": \"\"", "question 2: \"id\" is no id" },
    { "\"expect\": \"free\"", "\"expect\": \"poem\"", "question 1: \"expect\" must be free, yesno, digits or number" },
    { "\"expect\": \"free\"", "\"expect\": \"command\"", "question 1: \"expect\" must be" },
    { "\"field\": \"need\", ", "", "question 1: \"field\" is missing" },
    { "\"on_yes\": \"goodbye\", ", "", "question 3: \"on_yes\" is missing" },
    { "\"field\": \"need\"", "\"on_no\": \"name\", \"field\": \"need\"", "question 1: \"on_no\" is for a yesno only" },
    { "\"field\": \"need\"", "\"digits_min\": 1, \"field\": \"need\"", "question 1: \"digits_min\" is for digits" },
    { "\"digits_min\": 7", "\"digits_min\": 0", "question 4: \"digits_min\" must be from 1 to 15" },
    { "\"digits_min\": 7", "\"digits_min\": -1", "question 4: \"digits_min\" must be from 1 to 15" },
    { "\"digits_max\": 15", "\"digits_max\": 99999999999", "question 4: \"digits_max\" must be from 1 to 15" },
    { "\"digits_max\": 15", "\"digits_max\": 3", "question 4: \"digits_min\" is over \"digits_max\"" },
    { "\"digits_max\": 15", "\"digits_max\": 7.5", "\"digits_max\" must be of type int, not double" },
    { "\"chat\":", "\"chatter\":", "profile: unknown key \"chatter\"" },
    { "\"instructions\":", "\"instruction\":", "chat: unknown key \"instruction\"\nchat: \"instructions\" is missing" },
    { "\"instructions\": [", "\"instructions\": [7,", "chat: \"instructions\" must hold strings" },
    { "\"instructions\": [", "\"instructions\": 7, \"messages\": [", "chat: \"instructions\" must be of type string, not int" },
    { "\"instructions\": [", "\"instructions\": \"\", \"messages\": [", "chat: \"instructions\" is empty" },
    { "You take calls", "You\\ttake calls", "chat: \"instructions\" holds a control character" },
    { "You take calls", longer_text, "chat: \"instructions\" is too long: " },
    { "\"opening\": \"chat_opening\"", "\"opening\": \"chat_closing\"", "chat: there is no prompt \"chat_closing\"" },
    { "\"opening\": \"chat_opening\"", "\"opening\": \"own_number\"", "chat: prompt \"own_number\" has no value for {number} here" },
    { "\"opening\": \"chat_opening\"", "\"opening\": 7", "chat: \"opening\" must be of type string, not int" },
    { "\"opening\": \"chat_opening\",", "", "prompt \"chat_opening\" is never said\n" },
    { "\"thanks\":", "\"Thanks!\":", "chat: messages: \"Thanks!\" is no id" },
    { "\"thanks\": \"Thank you", "\"thanks\": 7, \"other\": \"Thank you", "chat: message \"thanks\" must be of type string" },
    { "\"thanks\": \"Thank you", "\"thanks\": \"\", \"other\": \"Thank you", "chat: message \"thanks\" has 0 bytes" },
    { "Thank you for calling", long_text, "chat: message \"thanks\" has 6" },
    { "\"messages\": {", "\"messages\": { " MANY_MESSAGES, "chat: more than 16 messages" },
    { "\"messages\": {", "\"texts\": {", "chat: unknown key \"texts\"" },
    { HOURS("\"sunday\": \"09:00-17:00\""), NULL },
    { HOURS("\"sunday\": [\"09:00-13:00\", \"16:00-19:00\"], \"closed\": \"2026-12-25\""), NULL },
    { HOURS("\"sunday\": \"09:00-17:00\", \"closed\": [\"2026-12-25\", \"2026-12-26\"]"), NULL },
    { HOURS("\"closed\": \"2026-12-25\""), "hours: no day has a range" },
    { HOURS("\"Sunday\": \"09:00-17:00\""), "hours: unknown key \"Sunday\"" },
    { HOURS("\"sunday\": \"9-17\""), "hours: \"sunday\": \"9-17\" is no range" },
    { HOURS("\"sunday\": \"17:00-09:00\""), "hours: \"sunday\": \"17:00-09:00\" is no range" },
    { HOURS("\"sunday\": [\"09:00-13:00\", \"12:00-19:00\"]"), "hours: \"sunday\": 12:00-19:00 must begin after" },
    { HOURS("\"sunday\": [\"01:00-02:00\", \"03:00-04:00\", \"05:00-06:00\", \"07:00-08:00\", \"09:00-10:00\"]"),
      "hours: \"sunday\" has more than 4 ranges" },
    { HOURS("\"sunday\": 9"), "hours: \"sunday\" must be of type string or array" },
    { HOURS("\"sunday\": [9]"), "hours: \"sunday\" must hold strings" },
    { HOURS("\"monday\": \"09:00-17:00\", \"closed\": \"2026-02-29\""), "hours: \"closed\": \"2026-02-29\" is no date" },
    { "\"questions\": [", "\"hours\": [], \"questions\": [", "profile: \"hours\" must be of type object, not array" },
    { "\"questions\": [", "\"questions\": [ 7,", "question 1 must be of type object" },
    { "\"prompts\": {", "\"prompts\": {,", "line 5: " },
    { "\"prompts\": {", "\"prompts\": { \"a\": {\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}},", "line 5: nesting too deep" },
    { "How can", "\xff", "line 17: " },
    { "\n}\n", "\n", "the file ends too early" },
    { "\n}\n", "\n} trailing", "line 86: " },
};

static char *put_for(const char *text, const char *find, const char *put)
{
    const char *at = strstr(text, find);
    char *made = NULL;
    size_t n;

    if (!at)
        return NULL;
    FILE *out = open_memstream(&made, &n);
    if (!out)
        return NULL;
    fprintf(out, "%.*s%s%s", (int)(at - text), text, put, at + strlen(find));
    fclose(out);
    return made;
}

static void test_bad(const char *english)
{
    char problems[PROBLEMS_MAX];

    memset(long_text, 'x', LONG);
    memset(longer_text, 'x', LONGER);
    for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
        scoped(profile_free) struct profile *profile = NULL;
        scoped(free) char *json = put_for(english, bad[i].find, bad[i].put);

        if (!ok(json != NULL, "row %zu finds %s", i, bad[i].find))
            continue;
        int r = profile_parse(json, strlen(json), "Acme", problems, sizeof(problems), &profile);
        if (!bad[i].want)
            is_int(r, 0, "a harmless change loads");
        else if (!ok(r == -EBADMSG && strstr(problems, bad[i].want), "named: %s", bad[i].want))
            printf("# r %d, problems: %s\n", r, problems);
    }
}

static void test_shipped(const char *name, const char *language, enum profile_mode mode, size_t n_questions)
{
    scoped(profile_free) struct profile *profile = NULL;
    char problems[PROBLEMS_MAX];

    if (!ok(profile_load(name, "Levi & Sons", problems, sizeof(problems), &profile) == 0, "%s loads", name)) {
        printf("# %s\n", problems);
        return;
    }
    is_str(profile->name, name, "its name is the one it is asked for by");
    is_str(profile->language, language, "its language");
    is_int(profile->mode, mode, "its mode");
    is_int((long long)profile->n_questions, (long long)n_questions, "its questions");
}

static void test_filled(void)
{
    scoped(profile_free) struct profile *profile = NULL;
    char problems[PROBLEMS_MAX];

    if (!ok(profile_load("receptionist-en", "Levi & Sons", problems, sizeof(problems), &profile) == 0, "English loads"))
        return;
    const struct prompt *greeting = profile_prompt(profile, "greeting");
    const struct prompt *known = profile_prompt(profile, "greeting_known");

    is_str(greeting ? greeting->text : NULL, "Hello, you have reached Levi & Sons.", "the business is filled in");
    ok(greeting && greeting->fixed, "so it can be rendered at start");
    is_str(known ? known->text : NULL, "Hello again, {name}.", "a name waits for the call");
    ok(known && !known->fixed, "so it cannot be rendered at start");
    ok(!profile_prompt(profile, "nonsense") && !profile_question(profile, "nonsense"), "what is not there is not found");
    is_int(profile->questions[3].digits_min, 7, "a number's fewest digits");
    ok(!profile->questions[0].on_yes, "a free question does not branch");
    ok(profile->has_chat && strstr(profile->chat.instructions, "back.\nYou know nothing"), "instructions are lines");
    is_int((long long)profile->chat.n_messages, 2, "messages");
    ok(strstr(profile->chat.messages[0].text, "for calling Levi & Sons.") != NULL, "with the business filled in");

    scoped(profile_free) struct profile *wordy = NULL;
    is_int(profile_load("receptionist-en", long_text, problems, sizeof(problems), &wordy), -EBADMSG,
           "a name too long for the prompts is refused");
}

static void test_path(const char *english)
{
    scoped(profile_free) struct profile *profile = NULL;
    const char *path = scratch_file("mine.json");
    FILE *out = fopen(path, "w");
    char problems[PROBLEMS_MAX], few[24];

    if (out) {
        fputs(english, out);
        fclose(out);
    }
    is_int(profile_load(path, "Acme", problems, sizeof(problems), &profile), 0, "a path with a slash is a file");

    scoped(profile_free) struct profile *none = NULL;
    is_int(profile_load("/nonexistent/x.json", "Acme", problems, sizeof(problems), &none), -ENOENT, "no such file");
    ok(strstr(problems, "/nonexistent/x.json: ") != NULL, "and it is named");
    is_int(profile_load("recepcionist", "Acme", problems, sizeof(problems), &none), -ENOENT, "no such name");
    ok(strstr(problems, "receptionist-he") != NULL, "and the shipped ones are listed");
    is_int(profile_load("/", "Acme", problems, sizeof(problems), &none), -EBADMSG, "a directory is no profile");
    is_int(profile_parse("{}", 2, "Acme", few, sizeof(few), &none), -EBADMSG, "little room for problems");
    is_int((long long)strlen(few), sizeof(few) - 1, "is filled and not overrun");
    is_int(profile_parse("{}", 2, "Acme", NULL, 0, &none), -EBADMSG, "no room is fine too");
}

int main(void)
{
    scoped(free) char *english = NULL;
    char path[4096];
    size_t n;

    snprintf(path, sizeof(path), "%s/profiles/receptionist-en.json", getenv("top_srcdir") ?: ".");
    if (!ok(file_read(path, 0, 65536, &english, &n) == 0, "the shipped file is read"))
        return done_testing();

    test_shipped("receptionist-en", "en", PROFILE_SCRIPT, 5);
    test_shipped("receptionist-he", "he", PROFILE_SCRIPT, 5);
    test_shipped("echo", "en", PROFILE_ECHO, 0);
    test_bad(english);
    test_filled();
    test_path(english);
    return done_testing();
}
