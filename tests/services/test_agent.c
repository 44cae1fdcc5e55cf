/*
 * test_agent.c - the receptionist's walks, as tables of what is heard and what is answered
 *
 * A step's `say` lists what is said: ids of fixed prompts, and the words of the others. `learn` lists
 * field=value. Every walk is the shipped English profile's unless it says otherwise.
 */
#include "services/agent.h"

#include "tap.h"
#include "utils/utf8.h"

#define IT_IS "It is 0 5 0, 1 2 3, 4 5 6 7."
#define OWN_1 "own_ask|" IT_IS
#define OWN_2 "own_again|" IT_IS
#define OWN_3 "own_keypad"
#define CHECK_1 "check_noted|0 5 2, 7 6 5, 4 3 2 1.|check_ask"
#define CHECK_2 "check_again|0 5 2, 7 6 5, 4 3 2 1."
#define CHECK_3 "check_noted|0 5 2, 7 6 5, 4 3 2 1.|check_keypad"
#define NUMBER_SAID "oh five two seven six five four three two one"

enum { STEPS_MAX = 12 };

struct step {
    enum agent_input_kind kind;
    const char *text, *audio;
    const char *say;   /* joined by | */
    const char *learn; /* joined by ; */
    char expect;       /* f y d n, upper case by keypad, . the end */
};

static const struct walk {
    const char *what, *profile, *from, *name;
    unsigned deaf_to;
    struct step steps[STEPS_MAX];
} walks[] = {
    {
        "all understood, own number", "receptionist-en", "+972501234567", "", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|need_ask", "", 'f' },
            { AGENT_HEARD, "my boiler leaks", "", "name_ask", "need=my boiler leaks", 'f' },
            { AGENT_HEARD, "my name is dana", "", OWN_1, "name=Dana", 'y' },
            { AGENT_HEARD, "yes please", "", "goodbye", "callback=+972501234567", '.' },
            { AGENT_HEARD, "and", "", "goodbye", "", '.' },
        },
    },
    {
        "another number, read back, refused, said again", "receptionist-en", "+972501234567", "", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|need_ask", "", 'f' },
            { AGENT_HEARD, "a room", "", "name_ask", "need=a room", 'f' },
            { AGENT_HEARD, "dana", "", OWN_1, "name=Dana", 'y' },
            { AGENT_HEARD, "no", "", "number_ask", "", 'd' },
            { AGENT_HEARD, "oh five two", "", "number_again", "", 'd' },
            { AGENT_HEARD, "oh five two seven six five four three two two", "",
              "check_noted|0 5 2, 7 6 5, 4 3 2 2.|check_ask", "callback_heard=0527654322", 'y' },
            { AGENT_HEARD, "no", "", "number_again", "", 'd' },
            { AGENT_HEARD, NUMBER_SAID, "", CHECK_1, "callback_heard=0527654321", 'y' },
            { AGENT_HEARD, "that's right", "", "goodbye", "callback=+972527654321", '.' },
        },
    },
    {
        "the number comes with the no, and again with the correction", "receptionist-en", "+972501234567", "Dana", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|Hello again, Dana.|need_ask", "", 'f' },
            { AGENT_HEARD, "a room", "", OWN_1, "need=a room", 'y' },
            { AGENT_HEARD, "no, oh five two seven six five four three two two", "",
              "check_noted|0 5 2, 7 6 5, 4 3 2 2.|check_ask", "callback_heard=0527654322", 'y' },
            { AGENT_HEARD, "no " NUMBER_SAID, "", CHECK_1, "callback_heard=0527654321", 'y' },
            { AGENT_KEYED, "1", "", "goodbye", "callback=+972527654321", '.' },
        },
    },
    {
        "keypad all the way, hidden number", "receptionist-en", "anonymous", "", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|need_ask", "", 'f' },
            { AGENT_UNHEARD, "", "rec/1.wav", "name_ask", "need_audio=rec/1.wav", 'f' },
            { AGENT_UNHEARD, "", "rec/2.wav", "number_ask", "name_audio=rec/2.wav", 'd' },
            { AGENT_UNCLEAR, "", "rec/3.wav", "number_again", "", 'd' },
            { AGENT_UNCLEAR, "", "rec/4.wav", "number_keypad", "", 'D' },
            { AGENT_KEYED, "0527654321", "", CHECK_1, "callback_heard=0527654321", 'y' },
            { AGENT_UNCLEAR, "", "", CHECK_2, "", 'y' },
            { AGENT_UNCLEAR, "", "", CHECK_3, "", 'Y' },
            { AGENT_KEYED, "2", "", "number_again", "", 'd' },
            { AGENT_KEYED, "0527654321", "", CHECK_1, "callback_heard=0527654321", 'y' },
            { AGENT_KEYED, "1", "", "goodbye", "callback=+972527654321", '.' },
        },
    },
    {
        "keypad fails: the audio is what remains", "receptionist-en", "+266696687", "Dana", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|Hello again, Dana.|need_ask", "", 'f' },
            { AGENT_HEARD, "a room", "", "number_ask", "need=a room", 'd' },
            { AGENT_UNCLEAR, "", "rec/2.wav", "number_again", "", 'd' },
            { AGENT_UNCLEAR, "", "", "number_keypad", "", 'D' },
            { AGENT_KEYED, "12", "", "goodbye", "callback_audio=rec/2.wav", '.' },
        },
    },
    {
        "nothing to call back on", "receptionist-en", "", "Dana", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|Hello again, Dana.|need_ask", "", 'f' },
            { AGENT_HEARD, "a room", "", "number_ask", "need=a room", 'd' },
            { AGENT_HEARD, "I have none", "", "number_again", "", 'd' },
            { AGENT_HEARD, "none", "", "number_keypad", "", 'D' },
            { AGENT_KEYED, "", "", "goodbye_unreachable", "", '.' },
        },
    },
    {
        "silence climbs the ladder and ends", "receptionist-en", "+972501234567", "", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|need_ask", "", 'f' },
            { AGENT_SILENCE, "", "", "need_again", "", 'f' },
            { AGENT_SILENCE, "", "", "need_keypad", "", 'f' },
            { AGENT_SILENCE, "", "", "goodbye_silence", "", '.' },
        },
    },
    {
        "a free answer that nobody understood keeps its audio and goes on", "receptionist-en", "+972501234567", "", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|need_ask", "", 'f' },
            { AGENT_UNCLEAR, "", "rec/1.wav", "need_again", "", 'f' },
            { AGENT_UNCLEAR, "", "rec/2.wav", "need_keypad", "", 'f' },
            { AGENT_UNCLEAR, "", "", "name_ask", "need_audio=rec/2.wav", 'f' },
            { AGENT_KEYED, "", "", OWN_1, "", 'y' },
            { AGENT_HEARD, "maybe", "", OWN_2, "", 'y' },
            { AGENT_HEARD, "perhaps", "", OWN_3, "", 'Y' },
            { AGENT_HEARD, "what is it", "rec/3.wav", "goodbye", "callback_audio=rec/3.wav", '.' },
        },
    },
    {
        "repeat is no failure, twice; help inside an answer is none", "receptionist-en", "+972501234567", "", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|need_ask", "", 'f' },
            { AGENT_HEARD, "pardon", "", "need_ask", "", 'f' },
            { AGENT_HEARD, "Can you repeat that, please?", "", "need_ask", "", 'f' },
            { AGENT_HEARD, "I need help with my sink", "", "name_ask", "need=I need help with my sink", 'f' },
            { AGENT_HEARD, "dana", "", OWN_1, "name=Dana", 'y' },
            { AGENT_HEARD, "repeat", "", OWN_1, "", 'y' },
            { AGENT_HEARD, "repeat", "", OWN_1, "", 'y' },
            { AGENT_HEARD, "repeat", "", OWN_2, "", 'y' },
        },
    },
    {
        "the rest of an answer joins its first half", "receptionist-en", "+972501234567", "", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|need_ask", "", 'f' },
            { AGENT_HEARD, "a room", "", "name_ask", "need=a room", 'f' },
            { AGENT_CONTINUED, "for two nights", "", "name_ask", "need=a room for two nights", 'f' },
            { AGENT_UNHEARD, "", "rec/1.wav", OWN_1, "name_audio=rec/1.wav", 'y' },
            { AGENT_CONTINUED, "", "rec/2.wav", OWN_1, "name_audio=rec/1.wav rec/2.wav", 'y' },
            { AGENT_HEARD, "yes", "", "goodbye", "callback=+972501234567", '.' },
        },
    },
    {
        "nobody can hear yes or no: keypad at once", "receptionist-en", "+972501234567", "Dana",
        1 << ANSWER_YESNO | 1 << ANSWER_FREE,
        {
            { AGENT_BEGIN, "", "", "greeting|Hello again, Dana.|need_ask", "", 'f' },
            { AGENT_UNHEARD, "", "rec/1.wav", OWN_3, "need_audio=rec/1.wav", 'Y' },
            { AGENT_UNHEARD, "", "rec/2.wav", OWN_3, "", 'Y' },
            { AGENT_KEYED, "2", "", "number_ask", "", 'd' },
            { AGENT_UNHEARD, "", "rec/3.wav", "number_keypad", "", 'D' },
            { AGENT_KEYED, "0527654321", "", CHECK_3, "callback_heard=0527654321", 'Y' },
            { AGENT_SILENCE, "", "", CHECK_3, "", 'Y' },
            { AGENT_SILENCE, "", "", "goodbye_silence", "", '.' },
        },
    },
    {
        "a sentence is no name", "receptionist-en", "+972501234567", "", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|need_ask", "", 'f' },
            { AGENT_HEARD, "a room", "", "name_ask", "need=a room", 'f' },
            { AGENT_HEARD, "well why would you need my name", "", OWN_1, "name_heard=Why Would You Need My Name", 'y' },
            { AGENT_HEARD, "yes", "", "goodbye", "callback=+972501234567", '.' },
        },
    },
    {
        "Hebrew", "receptionist-he", "+972501234567", "", 0,
        {
            { AGENT_BEGIN, "", "", "greeting|need_ask", "", 'f' },
            { AGENT_HEARD, "יש לי נזילה", "", "name_ask", "need=יש לי נזילה", 'f' },
            { AGENT_HEARD, "קוראים לי דנה כהן", "",
              "own_ask|המספר הוא אפס חמש אפס, אחת שתיים שלוש, ארבע חמש שש שבע.",
              "name=דנה כהן", 'y' },
            { AGENT_HEARD, "לא, אפס חמש שתיים שבע שש חמש ארבע שלוש שתיים אחת", "",
              "check_noted|אפס חמש שתיים, שבע שש חמש, ארבע שלוש שתיים אחת.|check_ask",
              "callback_heard=0527654321", 'y' },
            { AGENT_HEARD, "כן", "", "goodbye", "callback=+972527654321", '.' },
        },
    },
};

/* A confirmation of a quantity, a circle of questions. */
static const char odd_profile[] =
    "{\"name\":\"odd\",\"language\":\"en\",\"mode\":\"script\",\"prompts\":{"
    "\"greeting\":\"g\",\"goodbye\":\"b\",\"goodbye_silence\":\"s\",\"wait\":\"w\",\"trouble\":\"t\","
    "\"too_long\":\"l\",\"a\":\"how many\",\"c\":\"{digits}?\"},\"questions\":["
    "{\"id\":\"n\",\"field\":\"guests\",\"expect\":\"number\",\"ask\":\"a\",\"again\":\"a\",\"keypad\":\"a\","
    "\"digits_max\":3,\"next\":\"c\"},"
    "{\"id\":\"c\",\"expect\":\"yesno\",\"ask\":\"c\",\"again\":\"c\",\"keypad\":\"c\",\"on_yes\":\"n\","
    "\"on_no\":\"n\",\"next\":\"n\"}]}";

static void describe(const struct agent_reply *reply, char *say, char *learn, char *expect)
{
    char *p = say;

    *p = '\0';
    for (size_t i = 0; i < reply->n_sentences; i++)
        p += sprintf(p, "%s%s", i ? "|" : "",
                     reply->sentences[i].prompt ? reply->sentences[i].prompt : reply->sentences[i].text);
    p = learn;
    *p = '\0';
    for (size_t i = 0; i < reply->n_learnt; i++)
        p += sprintf(p, "%s%s=%s", i ? ";" : "", reply->learnt[i].field, reply->learnt[i].value);
    *expect = reply->end ? '.' : "fydnc"[reply->expect];
    if (reply->keypad)
        *expect = (char)(*expect - 'a' + 'A');
}

static struct profile *load(const char *name)
{
    struct profile *profile = NULL;
    char problems[1024];

    if (!ok(profile_load(name, "Acme", problems, sizeof(problems), &profile) == 0, "%s loads", name))
        printf("# %s\n", problems);
    return profile;
}

static void test_walk(const struct walk *walk)
{
    scoped(profile_free) struct profile *profile = load(walk->profile);
    struct agent_caller caller = { walk->from, walk->name, "972", walk->deaf_to };
    scoped(agent_free) struct agent *agent = NULL;
    static struct agent_reply reply;
    char say[8192], learn[2048], expect;

    if (!profile || !ok(agent_new(profile, &caller, &agent) == 0, "%s", walk->what))
        return;
    for (size_t i = 0; i < STEPS_MAX && walk->steps[i].say; i++) {
        const struct step *step = &walk->steps[i];
        struct agent_input input = { step->kind, step->text, step->audio, -1 };

        agent_turn(agent, &input, &reply);
        describe(&reply, say, learn, &expect);
        if (!ok(strcmp(say, step->say) == 0 && strcmp(learn, step->learn) == 0 && expect == step->expect,
                "%s: step %zu", walk->what, i))
            printf("# said %s (%c) learnt %s\n", say, expect, learn);
    }
}

static void test_odd(void)
{
    scoped(profile_free) struct profile *profile = NULL;
    scoped(agent_free) struct agent *agent = NULL;
    struct agent_caller caller = { 0 };
    static struct agent_reply reply;
    char problems[1024], say[8192], learn[2048], expect;
    static const char *const answers[] = { "", "two hundred and fifty", "yes" };
    int n = 0;

    if (!ok(profile_parse(odd_profile, strlen(odd_profile), "A", problems, sizeof(problems), &profile) == 0,
            "a profile of two questions that lead to each other") ||
        agent_new(profile, &caller, &agent) < 0) {
        printf("# %s\n", problems);
        return;
    }
    do {
        agent_turn(agent, &(struct agent_input){ n ? AGENT_HEARD : AGENT_BEGIN, answers[n ? 2 - n % 2 : 0], "", 1 },
                   &reply);
        describe(&reply, say, learn, &expect);
        if (n == 1)
            is_str(say, "two hundred and fifty?", "a quantity is read back in words");
        if (n == 2)
            is_str(learn, "guests=250", "and learnt once it is confirmed");
        n++;
    } while (!reply.end && n < AGENT_TURNS_MAX);
    ok(reply.end && n < 12, "a circle ends after %d replies", n);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Whatever comes in: it ends, and what is said is UTF-8 with all its values. */
static void test_any_input(void)
{
    static const char *const texts[] = { "", "yes", "no", "repeat", "oh five two seven six five four", "1", "2", "dana",
                                         "0521234567", "שלום", "no oh five two seven six five four three" };
    static const char *const names[] = { "", "Dana" }, *const froms[] = { "", "+972501234567", "sip:a@b" };
    static struct agent_reply reply;
    uint32_t seed = 7;
    int n_bad = 0, n_most = 0;
    scoped(profile_free) struct profile *english = load("receptionist-en");
    scoped(profile_free) struct profile *hebrew = load("receptionist-he");

    for (int round = 0; round < 5000 && english && hebrew; round++) {
        scoped(agent_free) struct agent *agent = NULL;
        struct agent_caller caller = { froms[next_random(&seed) % 3], names[next_random(&seed) % 2], "972",
                                       next_random(&seed) % 32 };
        int n = 0;

        if (agent_new(round % 2 ? english : hebrew, &caller, &agent) < 0)
            break;
        do {
            struct agent_input input = { (enum agent_input_kind)(next_random(&seed) % (AGENT_CONTINUED + 1)),
                                         texts[next_random(&seed) % ELEMENTSOF(texts)],
                                         next_random(&seed) % 2 ? "rec/1.wav" : NULL, 1 };
            agent_turn(agent, &input, &reply);
            n_bad += reply.n_sentences == 0;
            for (size_t i = 0; i < reply.n_sentences; i++)
                n_bad += strpbrk(reply.sentences[i].text, "{}") != NULL || !reply.sentences[i].text[0] ||
                         !utf8_valid(reply.sentences[i].text, strlen(reply.sentences[i].text));
        } while (!reply.end && ++n < AGENT_TURNS_MAX);
        n_bad += !reply.end;
        n_most = n > n_most ? n : n_most;
    }
    is_int(n_bad, 0, "5000 random conversations end, and nothing unfilled is said");
    printf("# the longest took %d replies\n", n_most);
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(walks); i++)
        test_walk(&walks[i]);
    test_odd();
    test_any_input();
    return done_testing();
}
