/*
 * test_event.c - the table of kinds, words for some of them, and rows of the feed
 */
#include "models/event.h"

#include <errno.h>
#include <string.h>

#include "tap.h"
#include "utils/json.h"

static const struct {
    const char *kinds, *name;
    bool want;
} wants[] = {
    { NULL, "message.new", true },
    { "", "message.new", true },
    { "message.new", "message.new", true },
    { "message.new", "message.newer", false },
    { "message.new", "message", false },
    { " call.end  message.* ", "message.status", true },
    { "call.* note.new", "message.status", false },
    { "*", "message.new", false },
    { ".*", "message.new", false },
};

static const struct {
    const char *kinds, *wrong;
} lists[] = {
    { "message.* call.summary", NULL },
    { "message.* mesage.new", "mesage.new" },
    { "fax.* call.end", "fax.* call.end" },
    { "*", "*" },
};

static void test_table(void)
{
    for (int i = 0; i < EVENT_N_KINDS; i++) {
        const struct event_kind_row *kind = event_kind(i);
        const char *subject = event_subject_name(kind->subject);

        ok(kind->name && kind->summary && event_kind_find(kind->name) == kind && strlen(kind->name) < EVENT_KIND_MAX &&
               strncmp(kind->name, subject, strlen(subject)) == 0 && kind->name[strlen(subject)] == '.',
           "%s is there once, and begins with what it is of", kind->name);
    }
    ok(!event_kind_find("fax.new"), "no other is there");
}

static void test_row(void)
{
    static const char text[] = "{\"kind\":\"message.new\",\"at_ms\":4660,\"contact\":\"C1\",\"message\":\"M1\"}";
    scoped(json_object_put) struct json_object *json = NULL, *bad = NULL;
    struct event event = { .kind = "kept" };
    char id[EVENT_ID_MAX];

    ok(json_parse(text, strlen(text), &json) == 0 && event_from_json(json, &event) == 0, "a row is read");
    event.seq = 7;
    is_str(event_ref(&event), "M1", "it is about the message");
    event_id(&event, id);
    is_str(id, "evt_1234_7", "its id is its time and place");
    strcpy(event.kind, "fax.new");
    is_str(event_ref(&event), "", "one of another version is about nothing");
    ok(json_parse("{\"kind\":5}", 10, &bad) == 0, "a row that is none");
    is_int(event_from_json(bad, &event), -EBADMSG, "is refused");
    is_str(event.kind, "fax.new", "and changes nothing");
}

int main(void)
{
    test_table();
    for (size_t i = 0; i < ELEMENTSOF(wants); i++)
        ok(event_is_wanted(wants[i].kinds, wants[i].name) == wants[i].want, "'%s' %s %s", wants[i].kinds ?: "(all)",
           wants[i].want ? "has" : "has not", wants[i].name);
    for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
        const char *wrong = event_kinds_problem(lists[i].kinds);
        ok(lists[i].wrong ? wrong && strcmp(wrong, lists[i].wrong) == 0 : !wrong, "'%s' is looked through", lists[i].kinds);
    }
    test_row();
    return done_testing();
}
