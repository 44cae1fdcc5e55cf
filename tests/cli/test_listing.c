/*
 * test_listing.c - calls, contacts and messages as an operator sees them, beside a daemon that has the store open
 */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "scratch.h"
#include "services/crm.h"
#include "services/crm_schema.h"
#include "tap.h"
#include "utils/json.h"

enum { OUTPUT_MAX = 64 * 1024 };

/* 2026-08-01 12:00:00 UTC */
static const uint64_t noon = 1785585600000;

/* --- the daemon: a process of its own, since a store is opened once in each */

static int run_calls(struct db_txn *txn, struct db_op *op)
{
    struct call call = { .sid = "CA1", .from = "050-1234567", .to = "+97231234567", .stream_token = "secret-token",
                         .started_ms = noon };
    struct call hidden = { .sid = "CA2", .from = "anonymous", .stream_token = "secret-token", .started_ms = noon + 86400000 };
    struct turn turns[] = {
        { .who = TURN_AGENT, .text = "Hello, how can I", .full = "Hello, how can I help?", .interrupted = true,
          .confidence = -1, .start_ms = noon + 2000, .end_ms = noon + 3000 },
        { .who = TURN_CALLER, .text = "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", .confidence = 0.93,
          .start_ms = noon + 3000, .end_ms = noon + 4000,
          .times = { noon + 4000, noon + 4500, noon + 4700, noon + 4900, noon + 5000, noon + 5090, noon + 5100,
                     .listened = noon + 4500, .stt_asked = noon + 4010, .stt_answered = noon + 4690, .chat_asked = noon + 4700,
                     .chat_answered = noon + 5000 } },
        { .who = TURN_CALLER, .audio = "recordings/CA1/2.wav", .confidence = -1, .start_ms = noon + 5000,
          .end_ms = noon + 6000 },
        { .who = TURN_CALLER, .text = "0501234567", .keyed = true, .confidence = 1, .start_ms = noon + 7000,
          .end_ms = noon + 8000, .times = { noon + 8000, noon + 8200, .first_frame = noon + 8210 } },
    };
    struct message message = { .provider_id = "SM1", .address = "whatsapp:+972501234567", .status = MESSAGE_RECEIVED,
                               .created_ms = noon + 60000, .body = strdup("See \x1b[2Jyou\nsoon") };
    enum call_after after = CALL_AFTER_DIAL;
    struct json_object *dial = json_object_new_object();
    json_object_object_add(dial, "DialCallStatus", json_object_new_string("no-answer"));
    json_object_object_add(dial, "RecordingSid", json_object_new_string("RE1"));
    json_object_object_add(dial, "RecordingUrl", json_object_new_string("https://api/RE1"));
    int r = crm_call_open(txn, &call, "972");

    call_done(&call);
    r = r ?: crm_call_open(txn, &hidden, "972");
    call_done(&hidden);
    r = r ?: crm_call_stream(txn, "CA1", "MZ1", noon + 1000);
    for (unsigned i = 0; i < CALL_STEPS_MAX + 3; i++)
        r = r ?: crm_call_step(txn, "CA1", &(struct call_step){ "chat", "gpt-4o-mini", i ? "" : "script",
                                                              i ? NULL : "no first word within 2500 ms\n", noon + 4600 + i });
    r = r ?: crm_call_after(txn, "CA1", &after, false, noon + 69000);
    r = r ?: crm_call_dial(txn, "CA1", dial, noon + 70000);
    r = r ?: crm_call_recording(txn, "CA1", dial, noon + 71000);
    for (size_t i = 0; i < ELEMENTSOF(turns); i++)
        r = r ?: crm_turn_add(txn, "CA1", &turns[i]);
    r = r ?: crm_call_learn(txn, "CA1", "name", "Dana \x1b[31mCohen", noon + 5000);
    r = r ?: crm_call_learn(txn, "CA1", "need", "a lawyer", noon + 5000);
    r = r ?: crm_call_end(txn, "CA1", CALL_END_CALLER, noon + 68000);
    r = r ?: crm_message_add(txn, &message, "972");
    message_release(&message);
    json_object_put(dial);
    return r;
}

/* Returns: the pid; the store is filled and open. */
static pid_t start_daemon(const char *path)
{
    int fds[2];
    pid_t pid;
    char c = 0;

    if (pipe(fds) < 0 || (pid = fork()) < 0)
        return -1;
    if (pid == 0) {
        struct db_options options = { .path = path, .map_mib = 16, .migrations = crm_migrations, .n_migrations = crm_n_migrations };
        struct db_op op = { .run = run_calls };
        struct db *db;

        close(fds[0]);
        c = db_open(&options, &db) == 0 && db_write(db, &op) == 0;
        if (write(fds[1], &c, 1) == 1)
            pause();
        _exit(0);
    }
    close(fds[1]);
    if (read(fds[0], &c, 1) != 1 || !c)
        printf("# the daemon could not fill the store\n");
    close(fds[0]);
    return pid;
}

/* --- commands */

static char output[OUTPUT_MAX];

/* Returns: the exit status; what it printed, with errors, is in output. */
static int command(const char *arguments)
{
    char line[1024];
    FILE *pipe_out;
    size_t n;
    int status;

    snprintf(line, sizeof(line), "TZ=UTC DATABASE_URL=lmdb://%s %s/agentlocator %s 2>&1", scratch_file("store"),
             getenv("top_builddir") ?: ".", arguments);
    pipe_out = popen(line, "r");
    n = pipe_out ? fread(output, 1, sizeof(output) - 1, pipe_out) : 0;
    output[n] = '\0';
    status = pipe_out ? pclose(pipe_out) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void shows(const char *text)
{
    if (!ok(strstr(output, text) != NULL, "  it shows: %.*s", (int)strcspn(text, "\n"), text))
        fprintf(stderr, "wanted:\n%s\nin:\n%s\n", text, output);
}

static const struct {
    const char *arguments;
    int want;
    const char *shows;
} commands[] = {
    { "calls --help", 0, "Usage: agentlocator calls [SID]" },
    { "contacts --help", 0, "Usage: agentlocator contacts [ID | NUMBER]" },
    { "messages --help", 0, "Usage: agentlocator messages" },
    { "calls --last 0", 2, "--last takes a number" },
    { "calls --last 1x", 2, "--last takes a number" },
    { "calls --last", 2, "requires an argument" },
    { "calls --wrong", 2, "unrecognized option" },
    { "calls CA1 CA2", 2, "what is 'CA2'? See --help." },
    { "messages SM1", 2, "what is 'SM1'? See --help." },
    { "calls CA404", 1, "there is no call CA404; `agentlocator calls` lists the latest." },
    { "contacts C404", 1, "there is no contact C404; `agentlocator contacts` lists the latest." },
    { "calls --env-file /nowhere/x.env", 1, "/nowhere/x.env" },
    { "calls --last 1 --json", 0, "\"sid\":\"CA2\"" },
    { "contacts 0501234567 --json", 0, "\"calls\":[" },
    { "calls", 0, "STARTED              FROM         NAME             STATUS     TALK  TURNS  END             SID\n"
                  "2026-08-02 12:00:00  anonymous                     ringing              0                  CA2\n"
                  "2026-08-01 12:00:00  050-1234567  Dana ?[31mCohen  completed  1:07      4  caller hung up  CA1\n" },
    { "contacts", 0, "Dana ?[31mCohen  +972501234567  new" },
    { "messages", 0, "2026-08-01 12:01:00  in   whatsapp  +972501234567  received  See ?[2Jyou?soon\n" },
    { "contacts 050-1234567", 0, "need        a lawyer\n" },
    { "contacts +972501234567", 0, "See ?[2Jyou?soon" },
    { "calls CA2", 0, "Nothing was said." },
};

static void test_one_call(void)
{
    is_int(command("calls CA1"), 0, "one call");
    shows("call        CA1\nfrom        050-1234567\nto          +97231234567\n");
    shows("known as    Dana ?[31mCohen\n");
    shows("answered    12:00:01\nended       12:01:08\ntalk        1:07\nstatus      completed\n"
          "end         caller hung up\n");
    shows("12:00:02  agent         Hello, how can I ...");
    shows("12:00:03  caller   93%  \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd");
    shows("12:00:05  caller        (not transcribed)                                    recordings/CA1/2.wav\n");
    shows("12:00:07  caller  100%  [keys] 0501234567");
    shows("then        a human was dialled: no-answer\nrecording   https://api/RE1\n");
    shows("12:00:04  chat:         gpt-4o-mini -> script: no first word within 2500 ms\n"
          "12:00:04  chat:         gpt-4o-mini -> nobody\n");
    shows("(3 more steps down like these)\n");
    shows("TIME      LISTENED  STT  TOKEN  SENTENCE  AUDIO  TOTAL  OWN\n"
          "12:00:04       500  680    200       100   1090   1100  110\n"
          "12:00:08                                           210  210\n"
          "p50            500  680    200       100   1090    210  110\n"
          "p95            500  680    200       100   1090   1100  210\n");
    ok(!strstr(output, "secret-token"), "and not the stream's token");
}

static void test_json(void)
{
    scoped(json_object_put) struct json_object *call = NULL;

    is_int(command("calls CA1 --json"), 0, "one call as JSON");
    is_int(json_parse(output, strlen(output), &call), 0, "is JSON");
    is_str(json_get_text(call, "sid"), "CA1", "of that call");
    shows("\"latency_ms\":{\n    \"p50\":{\n      \"listened\":500,");
    shows("\"cause\":\"no first word within 2500 ms\"");
    is_int(json_get_int(call, "ended_ms"), (long long)noon + 68000, "with times as numbers");
    ok(!strstr(output, "secret-token"), "and not the stream's token");
}

static void test_stores(void)
{
    FILE *file;

    is_int(command("calls --env-file /dev/null"), 1, "a store that is gone");
    shows("there is no store yet; the daemon makes it when it first starts; check DATABASE_URL.");

    mkdir(scratch_file("store"), 0700);
    file = fopen(scratch_file("store/data.mdb"), "w");
    fputs("something else", file);
    fclose(file);
    is_int(command("calls"), 1, "what is no store");
    shows("this is not a store, or it is damaged");
    ok(access(scratch_file("store/lock.mdb"), F_OK) < 0, "looking at it leaves nothing behind");
}

int main(void)
{
    const char *path = strdup(scratch_file("store"));
    pid_t daemon = start_daemon(path);
    int status;

    for (size_t i = 0; i < ELEMENTSOF(commands); i++) {
        is_int(command(commands[i].arguments), commands[i].want, commands[i].arguments);
        shows(commands[i].shows);
    }
    test_one_call();
    test_json();

    kill(daemon, SIGKILL);
    waitpid(daemon, &status, 0);
    is_int(command("calls CA1"), 0, "after the daemon died the store can be read");
    scratch_remove();
    (void)mkdir(scratch(), 0700);
    test_stores();
    free((void *)path);
    return done_testing();
}
