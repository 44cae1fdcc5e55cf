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

/* What followed the stream, in words. */
static void print_after(struct json_object *call)
{
    static const struct {
        const char *after, *words;
    } afters[] = { { "hang up", "hung up" }, { "dial", "a human was dialled" }, { "record", "a message was asked for" } };
    struct json_object *dial = NULL;
    const char *after = json_get_text(call, "after") ?: "";
    char text[128];

    (void)json_object_object_get_ex(call, "dial", &dial);
    for (size_t i = 0; i < ELEMENTSOF(afters); i++) {
        if (strcmp(afters[i].after, after) != 0)
            continue;
        (void)snprintf(text, sizeof(text), "%s%s%s%.32s", json_get_int(call, "forwarded") ? "all lines were taken, " : "",
                       afters[i].words, dial ? ": " : "", json_get_text(dial, "DialCallStatus") ?: "");
        print_fact("then", text);
    }
}

/* A recording comes twice, as its verb's action and as a callback. */
static void print_recordings(struct json_object *recordings)
{
    for (size_t i = 0; i < json_object_array_length(recordings); i++) {
        const char *url = json_get_text(json_object_array_get_idx(recordings, i), "RecordingUrl");
        bool is_known = false;

        for (size_t k = 0; k < i && url; k++)
            is_known |= strcmp(json_get_text(json_object_array_get_idx(recordings, k), "RecordingUrl") ?: "", url) == 0;
        if (!is_known)
            print_fact("recording", url);
    }
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
    print_fact("summary", json_get_text(call, "summary"));
    print_fact("no summary", json_get_text(call, "summary_error"));
    if (json_object_object_get_ex(call, "learnt", &learnt)) {
        json_object_object_foreach(learnt, field, value)
            print_fact(field, json_object_get_string(value));
    }
    print_after(call);
    if (json_object_object_get_ex(call, "recordings", &recordings))
        print_recordings(recordings);
}

/* Who said what; what was cut off by the other side ends in dots. */
static void add_turn(struct table *table, struct json_object *turn, uint64_t started)
{
    const char *said = json_get_text(turn, "text") ?: "", *audio = json_get_text(turn, "audio") ?: "";
    bool is_caller = strcmp(json_get_text(turn, "who") ?: "", "caller") == 0;
    double confidence = json_get_double(turn, "confidence", -1);
    char text[WHEN_MAX];

    table_add(table, "%s", when(get_ms(turn, "start_ms"), started, text));
    table_add(table, "%s", json_get_text(turn, "who") ?: "");
    if (is_caller && confidence >= 0)
        table_add(table, "%.0f%%", confidence * 100);
    else
        table_add(table, "%s", "");
    table_add(table, "%s%s%s", json_get_int(turn, "keyed") ? "[keys] " : "", !said[0] && is_caller ? "(not transcribed)" : said,
              json_get_int(turn, "interrupted") ? " ..." : "");
    table_add(table, "%s", audio);
}

/* Who took over from whom, and why. */
static void add_step(struct table *table, struct json_object *step, uint64_t started)
{
    const char *to = json_get_text(step, "to") ?: "", *cause = json_get_text(step, "cause") ?: "";
    char text[WHEN_MAX];

    table_add(table, "%s", when(get_ms(step, "at_ms"), started, text));
    table_add(table, "%s:", json_get_text(step, "part") ?: "");
    table_add(table, "%s", "");
    table_add(table, "%s -> %s%s%s", json_get_text(step, "from") ?: "", to[0] ? to : "nobody", cause[0] ? ": " : "", cause);
    table_add(table, "%s", "");
}

/* Turns and steps by time. */
static void print_conversation(struct json_object *call, struct json_object *turns, uint64_t started)
{
    static const char *const headings[] = { "TIME", "WHO", ">SURE", "SAID", "AUDIO" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    struct json_object *steps = NULL;
    int64_t n_ever = json_get_int(call, "n_steps");

    (void)json_object_object_get_ex(call, "steps", &steps);
    size_t n_turns = turns ? json_object_array_length(turns) : 0, n_steps = steps ? json_object_array_length(steps) : 0;
    if (n_turns + n_steps == 0)
        puts("\nNothing was said.");
    if (!table || n_turns + n_steps == 0)
        return;
    for (size_t t = 0, s = 0; t < n_turns || s < n_steps;) {
        struct json_object *turn = t < n_turns ? json_object_array_get_idx(turns, t) : NULL,
                           *step = s < n_steps ? json_object_array_get_idx(steps, s) : NULL;

        if (turn && (!step || get_ms(turn, "start_ms") <= get_ms(step, "at_ms"))) {
            add_turn(table, turn, started);
            t++;
        } else {
            add_step(table, step, started);
            s++;
        }
    }
    putchar('\n');
    table_print(table, stdout);
    if (n_ever > (int64_t)n_steps)
        printf("(%" PRId64 " more steps down like these)\n", n_ever - (int64_t)n_steps);
}

static void add_latencies(struct table *table, const char *label, struct json_object *row)
{
    struct json_object *ms;

    table_add(table, "%s", label);
    for (int stage = 0; stage < LATENCY_N; stage++)
        if (json_object_object_get_ex(row, latency_name(stage), &ms))
            table_add(table, "%" PRId64, json_object_get_int64(ms));
        else
            table_add(table, "%s", "");
}

/* Where the time went between the caller's last sound and the reply's first; see turn.h. */
static void print_latencies(struct json_object *call, struct json_object *turns, uint64_t started)
{
    static const char *const headings[] = { "TIME",      ">LISTENED", ">STT",   ">TOKEN", ">SENTENCE",
                                            ">TTS", ">AUDIO",    ">TOTAL", ">OWN" };
    static const char *const percentiles[] = { "p50", "p95" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    struct json_object *row, *summary = NULL;
    char text[WHEN_MAX];
    size_t n_rows = 0;

    for (size_t i = 0; table && turns && i < json_object_array_length(turns); i++) {
        struct json_object *turn = json_object_array_get_idx(turns, i);

        if (!json_object_object_get_ex(turn, "latency_ms", &row))
            continue;
        n_rows++;
        add_latencies(table, when(get_ms(turn, "end_ms"), started, text), row);
    }
    if (n_rows == 0 || !json_object_object_get_ex(call, "latency_ms", &summary))
        return;
    for (size_t i = 0; i < ELEMENTSOF(percentiles); i++)
        if (json_object_object_get_ex(summary, percentiles[i], &row))
            add_latencies(table, percentiles[i], row);
    puts("\nMilliseconds: silence listened to; waited for the transcript, the reply's first word, its sentence, its voice;\n"
         "from the caller's last sound to audio, to its first frame; of that our own share:");
    table_print(table, stdout);
}

static void print_whole(struct json_object *call)
{
    uint64_t started = get_ms(call, "started_ms");
    struct json_object *turns = NULL;

    print_facts(call);
    (void)json_object_object_get_ex(call, "turns", &turns);
    print_conversation(call, turns, started);
    print_latencies(call, turns, started);
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
