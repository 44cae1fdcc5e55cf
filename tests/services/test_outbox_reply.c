/*
 * test_outbox_reply.c - messages that are answered, and a daemon that is killed between every two steps of it
 *
 * As test_outbox.c does it: the daemon is a process of its own with the real outbox and store; the model and the provider
 * are ours, in memory that outlives it, and kill it where they are told to.
 */
#include "services/outbox.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <json-c/json.h>

#include "hurry.h"
#include "scratch.h"
#include "services/agent_tools.h"
#include "services/chat.h"
#include "services/crm.h"
#include "services/whatsapp/provider.h"
#include "tap.h"
#include "utils/clock.h"
#include "utils/json.h"

enum { TAKEN_MAX = 32, PEOPLE = 2 };

static const char *const people[PEOPLE] = { "+972501110001", "+972501110002" };
static const struct crm_reply_rules rules = { .when = REPLY_ON, .per_hour = 30 };

static struct world {
    _Atomic unsigned n_points; /* that were come by */
    unsigned kill_at;          /* 0: never */
    _Atomic unsigned n_asked;
    unsigned n_failing;        /* so many of the first questions are not answered */
    unsigned n_taken;
    char taken[TAKEN_MAX][256]; /* "to: text", in order */
} *world;

static void point(void)
{
    if (++world->n_points == world->kill_at)
        raise(SIGKILL);
}

/* --- the model: it saves the name, then greets */

struct chat_question {
    void (*on_answer)(struct chat_question *question, int r, const char *text, void *user);
    void *user;
    bool knows_result;
};

int chat_question_new(struct chat *chat, const char *system, const char *user_text, bool json,
                      void (*on_answer)(struct chat_question *question, int r, const char *text, void *user), void *user,
                      struct chat_question **ret_question)
{
    return -ENOMEM;
}

int chat_question_of(struct chat *chat, const char *messages, const char *tools,
                     void (*on_answer)(struct chat_question *question, int r, const char *text, void *user), void *user,
                     struct chat_question **ret_question)
{
    struct chat_question *question = calloc(1, sizeof(*question));

    *question = (struct chat_question){ on_answer, user, strstr(messages, "tool_call_id") != NULL };
    *ret_question = question;
    return 0;
}

size_t chat_question_calls(const struct chat_question *question, struct chat_call ret_calls[CHAT_TOOLS_MAX])
{
    ret_calls[0] = (struct chat_call){ "c1", "save_contact", "{\"name\":\"Dana\"}" };
    return question->knows_result ? 0 : 1;
}

static void *answer_main(void *arg)
{
    struct chat_question *question = arg;

    point(); /* asked, and not answered */
    if (world->n_asked++ < world->n_failing)
        question->on_answer(question, -ETIMEDOUT, "", question->user);
    else
        question->on_answer(question, 0, question->knows_result ? "Hello Dana." : "", question->user);
    point(); /* answered, and perhaps settled */
    return NULL;
}

void chat_question_ask(struct chat_question *question)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, answer_main, question) != 0)
        abort();
    pthread_detach(thread);
}

void chat_question_abort(struct chat_question *question)
{
}

void chat_question_free(struct chat_question *question)
{
    free(question);
}

/* --- the provider */

static const struct whatsapp_capabilities capabilities = { 1600, true, true };

const struct whatsapp_capabilities *whatsapp_capabilities(const struct whatsapp *whatsapp)
{
    return &capabilities;
}

static void end(struct whatsapp_request *request, enum outcome_kind kind, unsigned number)
{
    request->outcome = (struct outcome){ .kind = kind };
    if (kind == OUTCOME_DONE) {
        snprintf(request->found[0].provider_id, ADDRESS_MAX, "SM%u", number);
        request->found[0].status = MESSAGE_SENT;
        request->n_found = 1;
    }
    request->on_end(request);
}

void whatsapp_send(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
    point();
    snprintf(world->taken[world->n_taken++], sizeof(world->taken[0]), "%s: %s", request->to, request->text);
    point();
    end(request, OUTCOME_DONE, world->n_taken);
    point();
}

void whatsapp_look(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
    unsigned number = 0;
    char line[256];

    snprintf(line, sizeof(line), "%s: %s", request->to, request->text);
    for (unsigned i = 0; i < world->n_taken; i++)
        if (strcmp(world->taken[i], line) == 0)
            number = i + 1;
    end(request, number ? OUTCOME_DONE : OUTCOME_NOT_FOUND, number);
}

void whatsapp_abort(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
}

void whatsapp_release(struct whatsapp *whatsapp, struct whatsapp_request *request)
{
}

/* --- the daemon */

/* Until nothing is owed any more. Never returns. */
static void be_daemon(const char *path, const struct profile *profile, const struct agent_tools *tools)
{
    struct db_options options = { .path = path };
    static int nothing;
    struct outbox_services services = { .whatsapp = (void *)&nothing, .chat = (void *)&nothing, .profile = profile, .text_tools = tools,
                                        .country = "972", .reply_rules = rules };
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

static const struct profile *receptionist;
static const struct agent_tools *its_tools;

/* Returns: its exit status, or -1 when it was killed. */
static int run_daemon(const char *path, unsigned kill_at)
{
    int status = 0;

    fflush(stdout);
    world->n_points = 0;
    world->kill_at = kill_at;
    pid_t pid = fork();
    if (pid == 0)
        be_daemon(path, receptionist, its_tools);
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

/* --- what comes in: two people, one of them with two messages */

static int run_owe(struct db_txn *txn, struct db_op *op)
{
    static const char *const words[] = { "Hi", "My boiler is broken", "My boiler is broken" };
    int r = 0;

    for (int i = 0; i < 3 && r == 0; i++) {
        scoped(message_release) struct message message = { .status = MESSAGE_RECEIVED, .created_ms = clock_real_ms(), .body = strdup(words[i]) };

        snprintf(message.provider_id, sizeof(message.provider_id), "SMin%d", i);
        snprintf(message.address, sizeof(message.address), "%s", people[i == 2]);
        r = crm_message_add(txn, &message, "972");
        if (r == 0)
            r = crm_reply_owe(txn, &rules, &message, clock_real_ms());
    }
    return r;
}

static bool owe(const char *path)
{
    struct db_options options = { .path = path };
    struct db_op op = { .run = run_owe, .what = "owing" };
    scoped(db_close) struct db *db = NULL;

    return db_open(&options, &db) == 0 && db_write(db, &op) == 0;
}

/* What is kept of ours to him: s sent, u uncertain, ? neither; a letter each. */
static const char *kept(const char *path, const char *to)
{
    static char letters[16];
    struct db_options options = { .path = path };
    scoped(db_close) struct db *db = NULL;
    scoped(json_object_put) struct json_object *page = NULL;
    struct db_txn *txn;
    size_t n = 0;

    memset(letters, 0, sizeof(letters));
    if (db_open(&options, &db) < 0 || db_read_begin(db, &txn) < 0)
        return "cannot be read";
    (void)crm_messages_page(txn, 100, &page);
    db_read_end(txn);
    for (size_t i = 0; page && i < json_object_array_length(page) && n < sizeof(letters) - 1; i++) {
        struct json_object *message = json_object_array_get_idx(page, i);
        const char *status = json_get_text(message, "status");
        if (strcmp(json_get_text(message, "direction"), "out") == 0 && strcmp(json_get_text(message, "address"), to) == 0)
            letters[n++] = strcmp(status, "sent") == 0 || strcmp(status, "uncertain") == 0 ? status[0] : '?';
    }
    return letters;
}

static unsigned n_taken(const char *to, const char *text)
{
    char line[256];
    unsigned n = 0;

    snprintf(line, sizeof(line), "%s: %s", to, text);
    for (unsigned i = 0; i < world->n_taken; i++)
        n += strcmp(world->taken[i], line) == 0;
    return n;
}

static const struct {
    const char *what;
    unsigned n_failing;
    const char *text;
} rows[] = {
    { "the model answers", 0, "Hello Dana." },
    { "the model answers at last", 3, "Hello Dana." },
    { "the model never answers, the script does", 1000, "Hello, this is Acme. May I have your name, please?" },
};

/*
 * Everybody is answered once, and so it is kept. Killed: the sending may be in doubt, which is test_outbox.c's business, and
 * the script may answer, since a kill is a failed attempt, too.
 */
static bool is_true(const char *path, size_t i, bool is_killed)
{
    for (int who = 0; who < PEOPLE; who++) {
        unsigned n = n_taken(people[who], rows[i].text) + (is_killed && i != 2 ? n_taken(people[who], rows[2].text) : 0);
        const char *letters = kept(path, people[who]);
        if (!(strcmp(letters, "s") == 0 && n == 1) && !(is_killed && strcmp(letters, "u") == 0 && n <= 1))
            return false;
    }
    return world->n_taken <= PEOPLE;
}

static void reset(size_t i)
{
    memset(world, 0, sizeof(*world));
    world->n_failing = rows[i].n_failing;
}

static void without_a_kill(size_t i)
{
    const char *path = scratch_file(rows[i].what);

    reset(i);
    is_int(owe(path) ? run_daemon(path, 0) : -2, 0, rows[i].what);
    if (!ok(is_true(path, i, false), "  everybody is answered once"))
        for (unsigned k = 0; k < world->n_taken; k++)
            printf("# %s\n", world->taken[k]);
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
        if (r != 0 || !is_true(path, i, true)) {
            printf("# killed at point %u: %d, %u taken\n", kill_at, r, world->n_taken);
            n_wrong++;
        }
    }
    ok(n_wrong == 0 && n_kills > 4, "%s: killed at each of %u points", rows[i].what, n_kills);
}

int main(void)
{
    scoped(profile_free) struct profile *profile = NULL;
    scoped(agent_tools_free) struct agent_tools *tools = NULL;
    struct agent_tools_options options = { .country = "972", .can_transfer = true, .is_written = true };
    char problems[256];

    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (world == MAP_FAILED || profile_load("receptionist-en", "Acme", problems, sizeof(problems), &profile) < 0)
        return 1;
    options.profile = receptionist = profile;
    if (agent_tools_new(&options, &tools) < 0)
        return 1;
    its_tools = tools;
    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        without_a_kill(i);
    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        killed_at_each_point(i);
    return done_testing();
}
