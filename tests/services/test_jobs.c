/*
 * test_jobs.c - what is owed, in order of time and of lanes
 */
#include "services/jobs.h"

#include <errno.h>
#include <string.h>

#include "count_rows.h"
#include "scratch.h"
#include "tap.h"

static struct db *db;

/* --- one write, one step: a job is called by the number of its adding */

enum verb { ADD, CLAIM, AGAIN, FAIL, END };

struct step {
    enum verb verb;
    unsigned number;
    const char *lane;
    uint64_t due_ms;
    int want;
};

enum { JOBS_MAX = 8 };

struct step_op {
    struct db_op op;
    const struct step *step;
    struct job added;
};

static struct job jobs[JOBS_MAX]; /* as they are stored */

static int fresh(const struct job *job, void *arg)
{
    jobs[job->id - 1] = *job;
    return 0;
}

static void read_all(void)
{
    scoped(db_read_end) struct db_txn *txn = NULL;

    if (db_read_begin(db, &txn) < 0 || jobs_each_due(txn, UINT64_MAX - 2, fresh, NULL) < 0 ||
        jobs_each_under_way(txn, fresh, NULL) < 0 || jobs_each_over(txn, fresh, NULL) < 0)
        printf("# the jobs cannot be read\n");
}

static int run_step(struct db_txn *txn, struct db_op *op)
{
    struct step_op *this = (struct step_op *)op;
    const struct step *step = this->step;
    struct job job = jobs[step->number - 1], was = job;

    switch (step->verb) {
    case ADD:
        this->added = (struct job){ .kind = JOB_MESSAGE, .due_ms = step->due_ms };
        strcpy(this->added.lane, step->lane ?: "");
        return jobs_add(txn, &this->added);
    case CLAIM:
        job.state = JOB_UNDER_WAY;
        return jobs_move(txn, &was, &job);
    case AGAIN:
        job.state = JOB_WAITING;
        job.due_ms = step->due_ms;
        return jobs_move(txn, &was, &job);
    case FAIL:
        job.state = JOB_FAILED;
        return jobs_move(txn, &was, &job);
    default:
        return jobs_end(txn, &was);
    }
}

static void take(const struct step *step)
{
    struct step_op op = { .op = { .run = run_step, .what = "a step" }, .step = step };

    ok(db_write(db, &op.op) == step->want, "step %d of job %u", (int)step->verb, step->number);
    if (step->verb == ADD)
        is_int(op.added.id, step->number, "jobs are counted");
    read_all();
}

/* --- what is seen */

static int append(const struct job *job, void *arg)
{
    char *text = arg;

    sprintf(text + strlen(text), "%s%d", *text ? " " : "", (int)job->id);
    return 0;
}

static const char *due(uint64_t now_ms)
{
    static char text[128];
    scoped(db_read_end) struct db_txn *txn = NULL;
    uint64_t next_ms = 0;

    text[0] = '\0';
    if (db_read_begin(db, &txn) < 0 || jobs_each_due(txn, now_ms, append, text) < 0 || jobs_next_due(txn, now_ms, &next_ms) < 0)
        return "cannot be read";
    sprintf(text + strlen(text), "%s%d", next_ms == UINT64_MAX ? "; " : "; next ", next_ms == UINT64_MAX ? 0 : (int)next_ms);
    return text;
}

static const char *of(int (*each)(struct db_txn *txn, jobs_fn *fn, void *arg))
{
    static char text[128];
    scoped(db_read_end) struct db_txn *txn = NULL;

    text[0] = '\0';
    return db_read_begin(db, &txn) < 0 || each(txn, append, text) < 0 ? "cannot be read" : text;
}

static const struct {
    const char *what;
    struct step step;
    const char *due, *under_way, *over; /* at 100; NULL: not looked at */
} rows[] = {
    { "the first of a lane is due", { ADD, 1, "a", 10 }, "1; 0", "", "" },
    { "the second waits behind it", { ADD, 2, "a", 5 }, "1; 0", "", "" },
    { "and the third", { ADD, 3, "a", 5 }, "1; 0", "", "" },
    { "another lane does not", { ADD, 4, "b", 7 }, "4 1; 0", "", "" },
    { "nor one of no lane", { ADD, 5, NULL, 200 }, "4 1; next 200", "", "" },
    { "what is under way is not due", { CLAIM, 1 }, "4; next 200", "1", "" },
    { "one lane ends and the others stay", { END, 4 }, "; next 200", "1", "" },
    { "tried again it is later, and its lane waits", { AGAIN, 1, .due_ms = 150 }, "; next 150", "", "" },
    { "claimed again", { CLAIM, 1 }, "; next 200", "1", "" },
    { "done: the next of its lane has its turn", { END, 1 }, "2; next 200", "", "" },
    { "once", { END, 1, .want = -ENOENT }, "2; next 200", "", "" },
    { "a dead letter lets its lane go on", { FAIL, 2 }, "3; next 200", "", "2" },
    { "its own end does not", { END, 2 }, "3; next 200", "", "" },
    { "the last of a lane", { END, 3 }, "; next 200", "", "" },
    { "a lane can begin anew", { ADD, 6, "a", 50 }, "6; next 200", "", "" },
    { "and fail", { FAIL, 6 }, "; next 200", "", "6" },
    { "over without a lane", { FAIL, 5 }, "; 0", "", "6 5" },
};

static int run_doubt(struct db_txn *txn, struct db_op *op)
{
    struct job waits = { .kind = JOB_MESSAGE, .lane = "a", .due_ms = 50 }, behind = waits, sums = { .kind = JOB_SUMMARY, .due_ms = 60 };
    int r = jobs_add(txn, &waits);

    r = r ?: jobs_add(txn, &behind);
    r = r ?: jobs_add(txn, &sums);
    return r ?: jobs_doubt(txn, JOB_MESSAGE, 777);
}

static int print_doubt(const struct job *job, void *arg)
{
    char *text = arg;
    size_t n = strlen(text);

    (void)snprintf(text + n, 256 - n, "%d:%d@%d ", job->kind, job->doubt, (int)job->tried_ms);
    return 0;
}

/* What comes from a backup may have been done since. */
static void test_doubt(void)
{
    struct db_op op = { .run = run_doubt, .what = "doubt" };
    char text[256] = "";

    is_int(db_write(db, &op), 0, "what is owed is doubted");
    scoped(db_read_end) struct db_txn *txn = NULL;
    if (db_read_begin(db, &txn) == 0)
        (void)jobs_each_due(txn, 100, print_doubt, text);
    is_str(text, "0:1@777 1:0@0 ", "  one of that kind is looked for since then, another kind is not");
}

int main(void)
{
    struct db_options options = { .path = scratch_file("store") };

    if (db_open(&options, &db) < 0)
        return 1;
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        take(&rows[i].step);
        is_str(due(100), rows[i].due, rows[i].what);
        is_str(of(jobs_each_under_way), rows[i].under_way, "  under way");
        is_str(of(jobs_each_over), rows[i].over, "  over");
    }
    is_int(count_rows(db, DB_JOB_LANES), 0, "no lane is left");
    test_doubt();
    db_close(db);
    return done_testing();
}
