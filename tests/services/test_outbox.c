/*
 * test_outbox.c - messages that are owed, and a daemon that is killed between every two steps of sending them
 *
 * The daemon is a process of its own with the real outbox and store; its provider is one of ours, in memory that outlives
 * it, and kills it where it is told to. Waits are cut short by writing that what is later is due now.
 */
#include "services/outbox.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <json-c/json.h>

#include "hurry.h"
#include "scratch.h"
#include "services/crm.h"
#include "services/whatsapp/provider.h"
#include "tap.h"
#include "utils/clock.h"
#include "utils/json.h"

enum { TAKEN_MAX = 64, MESSAGES = 4 };

/* What the provider's next answers are; the last one stays. */
enum answer { TAKES, DOWN, REFUSES, BREAKS, BREAKS_AND_TAKES, SILENT, SILENT_AND_TAKES };

static struct world {
    unsigned n_points, kill_at; /* points that were come by; 0: never */
    bool can_look;
    enum answer answers[4];
    unsigned n_answers, n_sent;
    unsigned n_taken;
    char taken[TAKEN_MAX][64]; /* texts, in order */
} *world;

/* --- the provider */

struct whatsapp {
    struct whatsapp_capabilities capabilities;
};

const struct whatsapp_capabilities *whatsapp_capabilities(const struct whatsapp *whatsapp)
{
    return &whatsapp->capabilities;
}

static void point(void)
{
    if (++world->n_points == world->kill_at)
        raise(SIGKILL);
}

static void end(struct whatsapp_request *request, enum outcome_kind kind, unsigned number)
{
    request->outcome = (struct outcome){ .kind = kind };
    if (kind == OUTCOME_DONE) {
        snprintf(request->found[0].provider_id, ADDRESS_MAX, "SM%u", number);
        request->found[0].status = MESSAGE_SENT;
        request->n_found = 1;
    } else {
        strcpy(request->outcome.error, "trouble");
    }
    request->on_end(request);
}

void whatsapp_send(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
    static const struct {
        bool takes;
        enum outcome_kind kind;
    } acts[] = {
        [TAKES] = { true, OUTCOME_DONE },
        [DOWN] = { false, OUTCOME_NOT_SENT },
        [REFUSES] = { false, OUTCOME_REJECTED },
        [BREAKS] = { false, OUTCOME_BROKEN },
        [BREAKS_AND_TAKES] = { true, OUTCOME_BROKEN },
        [SILENT] = { false, OUTCOME_UNHEARD },
        [SILENT_AND_TAKES] = { true, OUTCOME_UNHEARD },
    };
    unsigned i = world->n_sent++;
    enum answer answer = world->answers[i < world->n_answers ? i : world->n_answers - 1];

    point(); /* claimed, and not sent */
    if (acts[answer].takes)
        snprintf(world->taken[world->n_taken++], sizeof(world->taken[0]), "%s", request->text);
    point(); /* sent, and not answered */
    end(request, acts[answer].kind, world->n_taken);
    point(); /* answered, and not settled, or just */
}

void whatsapp_look(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
    unsigned number = 0;

    point();
    for (unsigned i = 0; i < world->n_taken; i++)
        if (strcmp(world->taken[i], request->text) == 0)
            number = i + 1;
    end(request, number ? OUTCOME_DONE : OUTCOME_NOT_FOUND, number);
    point();
}

void whatsapp_abort(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
}

void whatsapp_release(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
}

/* --- the daemon */

/* Until nothing is owed any more. Never returns. */
static void be_daemon(const char *path)
{
    struct db_options options = { .path = path };
    struct whatsapp whatsapp = { .capabilities = { 1600, world->can_look } };
    struct outbox_services services = { .whatsapp = &whatsapp };
    struct hurry_op hurry = { .op = { .run = run_hurry, .what = "hurry" } };
    struct outbox *outbox = NULL;

    if (db_open(&options, &services.db) < 0 || outbox_new(&services, &outbox) < 0 || outbox_start(outbox) < 0)
        _exit(2);
    do {
        if (db_write(services.db, &hurry.op) < 0)
            _exit(3);
        sched_yield();
    } while (hurry.n_live);
    outbox_free(outbox);
    db_close(services.db);
    _exit(0);
}

/* Returns: its exit status, or -1 when it was killed. */
static int run_daemon(const char *path, unsigned kill_at)
{
    int status = 0;

    fflush(stdout);
    world->n_points = 0;
    world->kill_at = kill_at;
    pid_t pid = fork();
    if (pid == 0)
        be_daemon(path);
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

/* --- what is owed */

static const char *const texts[MESSAGES] = { "a1", "a2", "a3", "b1" }; /* a and b: two people */

static int run_owe(struct db_txn *txn, struct db_op *op)
{
    int r = 0;

    for (int who = 0; who < 2 && r == 0; who++) {
        scoped(call_done) struct call call = { .stream_token = "t", .started_ms = clock_real_ms() };
        snprintf(call.sid, sizeof(call.sid), "CA%d", who);
        snprintf(call.from, sizeof(call.from), "+97250123456%d", who);
        r = crm_call_open(txn, &call, "972");
    }
    for (int i = 0; i < MESSAGES && r == 0; i++)
        r = crm_call_message(txn, texts[i][0] == 'a' ? "CA0" : "CA1", texts[i], WORDING_KEPT, clock_real_ms());
    return r;
}

static bool owe(const char *path)
{
    struct db_options options = { .path = path };
    struct db_op op = { .run = run_owe, .what = "owing" };
    scoped(db_close) struct db *db = NULL;

    return db_open(&options, &db) == 0 && db_write(db, &op) == 0;
}

/* A letter for each text: s sent, u uncertain, f failed, q neither. */
static const char *kept(const char *path)
{
    static char letters[MESSAGES + 1];
    struct db_options options = { .path = path };
    scoped(db_close) struct db *db = NULL;
    scoped(json_object_put) struct json_object *page = NULL;
    struct db_txn *txn;

    memset(letters, '-', MESSAGES);
    if (db_open(&options, &db) < 0 || db_read_begin(db, &txn) < 0)
        return "cannot be read";
    (void)crm_messages_page(txn, 100, &page);
    db_read_end(txn);
    for (size_t i = 0; page && i < json_object_array_length(page); i++) {
        struct json_object *message = json_object_array_get_idx(page, i);
        const char *status = json_get_text(message, "status"), *body = json_get_text(message, "body");
        for (int k = 0; k < MESSAGES; k++)
            if (strcmp(texts[k], body) == 0)
                letters[k] = strcmp(status, "sent") == 0 && json_get_text(message, "provider_id")[0] ? 's' : status[0];
    }
    return letters;
}

static unsigned n_taken(const char *text)
{
    unsigned n = 0;

    for (unsigned i = 0; i < world->n_taken; i++)
        n += strcmp(world->taken[i], text) == 0;
    return n;
}

/* The first person's, in the order in which they were written. */
static bool are_in_order(void)
{
    const char *last = "";

    for (unsigned i = 0; i < world->n_taken; i++)
        if (world->taken[i][0] == 'a') {
            if (strcmp(world->taken[i], last) <= 0)
                return false;
            last = world->taken[i];
        }
    return true;
}

static const struct {
    const char *what;
    bool can_look;
    enum answer answers[4];
    unsigned n_answers;
    const char *kept; /* without a kill */
    unsigned n_taken;
} rows[] = {
    { "all is well", true, { TAKES }, 1, "ssss", 4 },
    { "nobody there at first", true, { DOWN, DOWN, DOWN, TAKES }, 4, "ssss", 4 },
    { "one is refused, the others go on", true, { REFUSES, REFUSES, TAKES }, 3, NULL, 2 },
    { "it breaks, and had not taken it", true, { BREAKS, TAKES }, 2, "ssss", 4 },
    { "it breaks, and had taken it", true, { BREAKS_AND_TAKES, TAKES }, 2, "ssss", 4 },
    { "it is silent, and had taken it", true, { SILENT_AND_TAKES, TAKES }, 2, "ssss", 4 },
    { "it is silent, and had not taken it", true, { SILENT, TAKES }, 2, NULL, 3 },
    { "it is silent, and nobody can look", false, { SILENT_AND_TAKES, TAKES }, 2, NULL, 4 },
    { "it breaks, and nobody can look", false, { BREAKS, TAKES }, 2, NULL, 3 },
};

static void reset(size_t i)
{
    memset(world, 0, sizeof(*world));
    world->can_look = rows[i].can_look;
    memcpy(world->answers, rows[i].answers, sizeof(world->answers));
    world->n_answers = rows[i].n_answers;
}

/* Nothing is lost, nothing is sent twice, and what is shown is true. Returns: whether it is so. */
static bool is_true(const char *letters)
{
    for (int k = 0; k < MESSAGES; k++) {
        unsigned n = n_taken(texts[k]);
        if (n > 1 || letters[k] == '-' || letters[k] == 'q' || (letters[k] == 's' && n == 0) || (letters[k] == 'f' && n))
            return false;
    }
    return are_in_order();
}

static void without_a_kill(size_t i)
{
    const char *path = scratch_file(rows[i].what);

    reset(i);
    is_int(owe(path) ? run_daemon(path, 0) : -2, 0, rows[i].what);
    const char *letters = kept(path);
    if (rows[i].kept)
        is_str(letters, rows[i].kept, "  what is kept");
    ok(is_true(letters) && world->n_taken == rows[i].n_taken, "  nothing is lost, or sent twice, or told wrongly: %s", letters);
}

static void killed_at_each_point(size_t i)
{
    unsigned n_wrong = 0, n_kills = 0;

    for (unsigned kill_at = 1;; kill_at++, n_kills++) {
        char name[128];
        snprintf(name, sizeof(name), "%s %u", rows[i].what, kill_at);
        const char *path = scratch_file(name);

        reset(i);
        int r = owe(path) ? run_daemon(path, kill_at) : -2;
        if (r == 0)
            break;
        r = r == -1 ? run_daemon(path, kill_at % 3 ? 0 : kill_at / 3) : r; /* some a second time */
        r = r == -1 ? run_daemon(path, 0) : r;
        const char *letters = kept(path);
        if (r != 0 || !is_true(letters)) {
            printf("# killed at point %u: %d, %s, %u taken\n", kill_at, r, letters, world->n_taken);
            n_wrong++;
        }
    }
    ok(n_wrong == 0 && n_kills >= 8, "  killed at each of %u points, the same holds", n_kills);
}

int main(void)
{
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        without_a_kill(i);
        killed_at_each_point(i);
    }
    return done_testing();
}
