/*
 * test_agent_text_script.c - the receptionist in writing without a model: what is asked, learnt, passed over and said
 */
#include "services/agent_text_script.h"

#include <stdio.h>
#include <string.h>

#include "tap.h"
#include "utils/json.h"
#include "utils/when.h"

#define NUMBER "+972501110001"

static uint64_t now;

/* One answer: where it stands, what he wrote, what comes of it. */
static const struct {
    const char *what, *language, *from, *name, *need; /* what is known; need: learnt an hour ago; "old" two days ago */
    const char *asked;
    unsigned n_asked;
    bool is_greeted, is_thanked, is_recording, is_closed;
    const char *words;
    const char *text, *next, *learnt; /* learnt: "field=value;" */
    const char *more;                 /* "h" left to a human, "t" a task */
} cases[] = {
    { "a greeting", "en", NUMBER, "", "", "", 0, false, false, false, false, "Hi", "Hello, this is Acme. How can we help you?", "need", "", "" },
    { "a first sentence is the matter", "en", NUMBER, "", "", "", 0, false, false, false, false, "My boiler is broken",
      "Hello, this is Acme. May I have your name, please?", "name", "need=My boiler is broken;", "" },
    { "the matter", "en", NUMBER, "", "", "need", 1, true, false, false, false, "a boiler\nfor two", "May I have your name, please?", "name",
      "need=a boiler for two;", "" },
    { "the name, and he writes from a number", "en", NUMBER, "", "a boiler", "name", 1, true, false, false, false, "I am Dana Cohen",
      "Thank you, that is noted. Somebody will get back to you.", "goodbye", "name=Dana Cohen;", "t" },
    { "the name, without a number", "en", "77@lid", "", "a boiler", "name", 1, true, false, false, false, "Dana",
      "Which number can we call you on?", "number", "name=Dana;", "" },
    { "a sentence is no name", "en", NUMBER, "", "a boiler", "name", 1, true, false, false, false, "why do you want to know that at all",
      "Thank you, that is noted. Somebody will get back to you.", "goodbye", "name_heard=why do you want to know that at all;", "t" },
    { "a number", "en", "77@lid", "Dana", "a boiler", "number", 1, true, false, false, false, "050-111 0002",
      "Thank you, that is noted. Somebody will get back to you.", "goodbye", "callback=+972501110002;", "t" },
    { "no number", "en", "77@lid", "Dana", "a boiler", "number", 1, true, false, false, false, "the usual one",
      "Which number can we call you on?", "number", "", "" },
    { "no number again", "en", "77@lid", "Dana", "a boiler", "number", 2, true, false, false, false, "the usual one!",
      "Thank you, that is noted. Somebody will get back to you.", "goodbye", "", "t" },
    { "who is known is not asked his name", "en", NUMBER, "Dana", "", "need", 1, true, false, false, false, "a boiler",
      "Thank you, that is noted. Somebody will get back to you.", "goodbye", "need=a boiler;", "t" },
    { "days later it is another matter", "en", NUMBER, "Dana", "old", "", 0, false, false, false, false, "Hi",
      "Hello, this is Acme. How can we help you?", "need", "", "" },
    { "after goodbye there is silence, and a task", "en", NUMBER, "Dana", "a boiler", "goodbye", 1, true, true, false, false, "Thanks!", "", "",
      "", "t" },
    { "but for a human", "en", NUMBER, "Dana", "a boiler", "goodbye", 1, true, true, false, false, "can I talk to a human?",
      "Somebody of our team will go on from here.", "", "", "h" },
    { "a recording", "en", NUMBER, "", "", "need", 1, true, false, true, false, "",
      "Recordings cannot be heard here, I am afraid. Could you write it, please?", "need", "", "" },
    { "the third recording", "en", NUMBER, "", "", "need", 2, true, false, true, false, "", "May I have your name, please?", "name", "", "" },
    { "a picture is no answer", "en", NUMBER, "", "", "need", 1, true, false, false, false, "", "How can we help you?", "need", "", "" },
    { "closed", "en", NUMBER, "", "", "", 0, false, false, false, true, "Hi",
      "Hello, this is Acme. We are closed now, and open again on Sunday, December 6, at 09:00. How can we help you?", "need", "", "" },
    { "closed in the end", "en", NUMBER, "", "a boiler", "name", 1, true, false, false, true, "Dana",
      "Thank you, that is noted. Somebody will get back to you. We are closed now, and open again on Sunday, December 6, at 09:00.", "goodbye",
      "name=Dana;", "t" },
    { "Hebrew", "he", NUMBER, "", "", "", 0, false, false, false, true, "היי",
      "שלום, כאן Acme. המשרד סגור עכשיו, וייפתח ביום ראשון, 6.12, בשעה 09:00. במה אפשר לעזור?", "need", "", "" },
    { "Hebrew, a name", "he", NUMBER, "", "דוד", "name", 1, true, false, false, false, "קוראים לי דנה",
      "תודה, הפרטים נרשמו. ניצור קשר בהקדם.", "goodbye", "name=דנה;", "t" },
    { "Hebrew, a human", "he", NUMBER, "", "", "need", 1, true, false, false, false, "תנו לי נציג!", "מכאן ימשיך איתכם אדם מהצוות שלנו.", "", "", "h" },
};

static void fill(size_t i, struct crm_reply *reply)
{
    uint64_t set_ms = now - (strcmp(cases[i].need, "old") == 0 ? 48 : 1) * UINT64_C(3600000);

    *reply = (struct crm_reply){ .n_asked = cases[i].n_asked, .is_greeted = cases[i].is_greeted, .is_thanked = cases[i].is_thanked };
    (void)snprintf(reply->message.address, sizeof(reply->message.address), "%s", cases[i].from);
    reply->message.kind = cases[i].is_recording ? MESSAGE_AUDIO : MESSAGE_TEXT;
    (void)snprintf(reply->person.name, sizeof(reply->person.name), "%s", cases[i].name);
    (void)snprintf(reply->asked, sizeof(reply->asked), "%s", cases[i].asked);
    (void)snprintf(reply->words, sizeof(reply->words), "%s", cases[i].words);
    reply->person.fields = json_object_new_object();
    if (cases[i].need[0]) {
        (void)json_add(reply->person.fields, "need", json_object_new_string(cases[i].need));
        (void)contact_set_time(&reply->person, "field", "need", set_ms, false);
    }
}

static void one(size_t i, struct profile *profile)
{
    static struct text_script_answer said;
    static struct crm_reply reply;
    char learnt[600] = "", more[4];
    size_t n = 0;

    profile->hours = (struct hours){ .is_set = cases[i].is_closed, .n_ranges = { [0] = 1 } };
    (void)hours_parse_range("09:00-17:00", &profile->hours.days[0][0]);
    fill(i, &reply);
    agent_text_script(profile, "972", &reply, now, &said);
    for (size_t k = 0; k < said.answer.n_learnt; k++)
        n += (size_t)snprintf(learnt + n, sizeof(learnt) - n, "%s=%s;", said.learnt[k].field, said.learnt[k].value);
    (void)snprintf(more, sizeof(more), "%s%s", said.answer.to_human ? "h" : "", said.answer.needs_human ? "t" : "");
    is_str(said.answer.text, cases[i].text, cases[i].what);
    is_str(said.answer.asked, cases[i].next, "  what is asked next");
    is_str(learnt, cases[i].learnt, "  what is learnt");
    is_str(more, cases[i].more, "  who is called");
    crm_reply_done(&reply);
}

int main(void)
{
    scoped(profile_free) struct profile *english = NULL, *hebrew = NULL;
    char problems[512];
    static struct text_script_answer said;
    static struct crm_reply reply;

    if (when_set_zone("Asia/Jerusalem") < 0) {
        skip("the script: no zones are installed here");
        return done_testing();
    }
    (void)when_parse("2026-11-30T12:00", &now);
    if (profile_load("receptionist-en", "Acme", problems, sizeof(problems), &english) < 0 ||
        profile_load("receptionist-he", "Acme", problems, sizeof(problems), &hebrew) < 0)
        return 1;
    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        one(i, strcmp(cases[i].language, "he") == 0 ? hebrew : english);

    english->writing.is_set = false;
    (void)snprintf(reply.words, sizeof(reply.words), "Hello");
    agent_text_script(english, "972", &reply, now, &said);
    ok(!said.answer.text[0] && said.answer.needs_human, "a profile without words for it says nothing, and calls a human");
    is_str(agent_text_script_farewell(english), "", "nor does it say goodbye");
    return done_testing();
}
