/*
 * cli/calls.c - agentlocator calls: who called, and what was said
 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "cli/listing.h"
#include "cli/table.h"
#include "services/crm.h"
#include "utils/clock.h"
#include "utils/json.h"

static const char usage[] =
    "Usage: agentlocator calls [SID] [OPTIONS]\n"
    "\n"
    "Lists the latest calls; with a SID shows one of them with everything that was said. Times are "
    "local.\n"
    "\n"
    "  --last N         list so many (50)\n"
    "  --json           print JSON; times are milliseconds of unix time\n"
    "  --env-file FILE  read settings from FILE too; DATABASE_URL says where the store is\n"
    "  --help           print this\n";

static uint64_t get_ms(struct json_object *call, const char *key)
{
    int64_t ms = json_get_int(call, key);

    return ms > 0 ? (uint64_t)ms : 0;
}

/* From the answer to the end, or to now. "" while it rings, and when nobody answered. */
static const char *talk_time(struct json_object *call, char ret[WHEN_MAX])
{
    uint64_t answered = get_ms(call, "answered_ms"), ended = get_ms(call, "ended_ms");

    ret[0] = '\0';
    if (answered && !ended)
        ended = clock_real_ms();
    return answered && ended >= answered ? duration(ended - answered, ret) : ret;
}

static void print_page(struct json_object *array)
{
    static const char *const headings[] = { "STARTED", "FROM", "NAME", "STATUS", ">TALK", ">TURNS", "END", "SID" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    size_t n = json_object_array_length(array);
    char text[WHEN_MAX];

    if (n == 0) {
        puts("No calls yet.");
        return;
    }
    for (size_t i = 0; table && i < n; i++) {
        struct json_object *call = json_object_array_get_idx(array, i);
        table_add(table, "%s", when(get_ms(call, "started_ms"), 0, text));
        table_add(table, "%s", json_get_text(call, "from") ?: "");
        table_add(table, "%s", json_get_text(call, "name") ?: "");
        table_add(table, "%s", json_get_text(call, "status") ?: "");
        table_add(table, "%s", talk_time(call, text));
        table_add(table, "%" PRId64, json_get_int(call, "n_turns"));
        table_add(table, "%s", json_get_text(call, "end") ?: "");
        table_add(table, "%s", json_get_text(call, "sid") ?: "");
    }
    if (table)
        table_print(table, stdout);
}

static void print_facts(struct json_object *call)
{
    struct json_object *contact = NULL, *learnt = NULL, *recordings = NULL;
    uint64_t started = get_ms(call, "started_ms");
    char text[WHEN_MAX];

    print_fact("call", json_get_text(call, "sid"));
    print_fact("from", json_get_text(call, "from"));
    print_fact("to", json_get_text(call, "to"));
    if (json_object_object_get_ex(call, "contact", &contact)) {
        print_fact("contact", json_get_text(contact, "id"));
        print_fact("known as", json_get_text(contact, "name"));
    }
    print_fact("started", when(started, 0, text));
    print_fact("answered", when(get_ms(call, "answered_ms"), started, text));
    print_fact("ended", when(get_ms(call, "ended_ms"), started, text));
    print_fact("talk", talk_time(call, text));
    print_fact("status", json_get_text(call, "status"));
    print_fact("end", json_get_text(call, "end"));
    if (json_object_object_get_ex(call, "learnt", &learnt)) {
        json_object_object_foreach(learnt, field, value)
            print_fact(field, json_object_get_string(value));
    }
    if (json_object_object_get_ex(call, "recordings", &recordings))
        for (size_t i = 0; i < json_object_array_length(recordings); i++)
            print_fact("recording",
                       json_get_text(json_object_array_get_idx(recordings, i), "RecordingUrl"));
}

/* Who said what; what was cut off by the other side ends in dots. */
static void print_conversation(struct json_object *turns, uint64_t started)
{
    static const char *const headings[] = { "TIME", "WHO", ">SURE", "SAID", "AUDIO" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    char text[WHEN_MAX];

    for (size_t i = 0; table && i < json_object_array_length(turns); i++) {
        struct json_object *turn = json_object_array_get_idx(turns, i);
        const char *said = json_get_text(turn, "text") ?: "",
                   *audio = json_get_text(turn, "audio") ?: "";
        bool is_caller = strcmp(json_get_text(turn, "who") ?: "", "caller") == 0;
        double confidence = json_get_double(turn, "confidence", -1);

        table_add(table, "%s", when(get_ms(turn, "start_ms"), started, text));
        table_add(table, "%s", json_get_text(turn, "who") ?: "");
        if (is_caller && confidence >= 0)
            table_add(table, "%.0f%%", confidence * 100);
        else
            table_add(table, "%s", "");
        table_add(table, "%s%s%s", json_get_int(turn, "keyed") ? "[keys] " : "",
                  !said[0] && is_caller ? "(not transcribed)" : said,
                  json_get_int(turn, "interrupted") ? " ..." : "");
        table_add(table, "%s", audio);
    }
    if (table)
        table_print(table, stdout);
}

/* From the end of the caller's speech to each milestone, in ms. */
static void print_reactions(struct json_object *turns, uint64_t started)
{
    static const char *const headings[] = { "TIME", ">DECIDED", ">TRANSCRIPT", ">TOKEN", ">SENTENCE", ">AUDIO", ">FRAME" };
    static const char *const keys[] = { "decided",        "transcript",  "first_token",
                                        "first_sentence", "first_audio", "first_frame" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    char text[WHEN_MAX];
    size_t n_rows = 0;

    for (size_t i = 0; table && i < json_object_array_length(turns); i++) {
        struct json_object *times;
        uint64_t from;

        if (!json_object_object_get_ex(json_object_array_get_idx(turns, i), "times", &times))
            continue;
        from = get_ms(times, "speech_end");
        if (!from)
            continue;
        n_rows++;
        table_add(table, "%s", when(from, started, text));
        for (size_t k = 0; k < ELEMENTSOF(keys); k++) {
            uint64_t at = get_ms(times, keys[k]);
            if (at)
                table_add(table, "%" PRId64, (int64_t)(at - from));
            else
                table_add(table, "%s", "");
        }
    }
    if (n_rows) {
        puts("\nMilliseconds from the end of the caller's speech:");
        table_print(table, stdout);
    }
}

static void print_whole(struct json_object *call)
{
    uint64_t started = get_ms(call, "started_ms");
    struct json_object *turns = NULL;

    print_facts(call);
    if (!json_object_object_get_ex(call, "turns", &turns) || json_object_array_length(turns) == 0) {
        puts("\nNothing was said.");
        return;
    }
    putchar('\n');
    print_conversation(turns, started);
    print_reactions(turns, started);
}

static int whole(struct db_txn *txn, const struct config *config, const char *which,
                 struct json_object **ret_object)
{
    return crm_call_whole(txn, which, ret_object);
}

int cli_calls(int argc, char **argv)
{
    static const struct listing listing = { usage,      "call", crm_calls_page,
                                            print_page, whole,  print_whole };

    return listing_run(&listing, argc, argv);
}
