/*
 * jobs.c - the rows of what is owed
 *
 *   jobs       be64 due_ms, be64 id  -> job
 *   job_lanes  lane, 0, be64 id      -> nothing, while the job is not over
 *
 * Ids count up, so that of two jobs the later one has the higher. Only the first job of a lane has its time for a key;
 * states that have no time have keys that no time has: under way first, before all times; behind another, and over,
 * after them. So a look at what is due meets nothing that is not, however much there is, and what the last daemon died
 * over is the beginning of the table.
 */
#include "services/jobs.h"

#include <errno.h>
#include <stdlib.h>

#include "services/store_key.h"
#include "utils/json.h"

#define DUE_UNDER_WAY ((uint64_t)0)
#define DUE_FIRST ((uint64_t)1)
#define DUE_LAST (UINT64_MAX - 2)
#define DUE_BEHIND (UINT64_MAX - 1)
#define DUE_OVER UINT64_MAX

static const struct db_bytes nothing = { "", 0 };

static uint64_t due_of(const struct job *job)
{
    switch (job->state) {
    case JOB_UNDER_WAY:
        return DUE_UNDER_WAY;
    case JOB_BEHIND:
        return DUE_BEHIND;
    case JOB_FAILED:
    case JOB_UNCERTAIN:
        return DUE_OVER;
    default:
        return job->due_ms < DUE_FIRST ? DUE_FIRST : job->due_ms > DUE_LAST ? DUE_LAST : job->due_ms;
    }
}

static struct key key_of(uint64_t due_ms, uint64_t id)
{
    struct key key = { 0 };

    key_add_number(&key, due_ms, 8);
    key_add_number(&key, id, 8);
    return key;
}

static struct key key_due(uint64_t due_ms)
{
    struct key key = { 0 };

    key_add_number(&key, due_ms, 8);
    return key;
}

static struct key key_in_lane(const struct job *job)
{
    struct key key = key_below(job->lane);

    key_add_number(&key, job->id, 8);
    return key;
}

static int read_job(struct db_bytes value, struct job *ret_job)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = json_parse(value.data, value.n, &json);

    if (r == 0)
        r = job_from_json(json, ret_job);
    return r == -EBADMSG ? -EUCLEAN : r;
}

static int get_job(struct db_txn *txn, uint64_t due_ms, uint64_t id, struct job *ret_job)
{
    struct key key = key_of(due_ms, id);
    struct db_bytes value;
    int r = db_get(txn, DB_JOBS, key_bytes(&key), &value);

    return r < 0 ? r : read_job(value, ret_job);
}

static int put_job(struct db_txn *txn, const struct job *job)
{
    scoped(json_object_put) struct json_object *json = job_to_json(job);
    struct key key = key_of(due_of(job), job->id);
    struct db_bytes value;

    value.data = json ? json_print(json, &value.n) : NULL;
    return value.data ? db_put(txn, DB_JOBS, key_bytes(&key), value) : -ENOMEM;
}

static int delete_job(struct db_txn *txn, const struct job *job)
{
    struct key key = key_of(due_of(job), job->id);

    return db_delete(txn, DB_JOBS, key_bytes(&key));
}

/* --- lanes */

static int take_id(struct db_bytes key, struct db_bytes value, void *arg)
{
    if (key.n < 8)
        return -EUCLEAN;
    *(uint64_t *)arg = key_number((const char *)key.data + key.n - 8, 8);
    return 1;
}

/* Returns: 1 and its id, 0 the lane is empty. */
static int first_of_lane(struct db_txn *txn, const char *lane, uint64_t *ret_id)
{
    struct key prefix = key_below(lane);

    return db_each(txn, DB_JOB_LANES, key_bytes(&prefix), nothing, DB_UP, take_id, ret_id);
}

/* The first of it has his turn. Errors: -ENOENT he has it already. */
static int advance(struct db_txn *txn, const char *lane)
{
    struct job next;
    uint64_t id = 0;
    int r = first_of_lane(txn, lane, &id);

    if (r <= 0)
        return r;
    r = get_job(txn, DUE_BEHIND, id, &next);
    if (r == 0)
        r = delete_job(txn, &next);
    if (r < 0)
        return r;
    next.state = JOB_WAITING;
    return put_job(txn, &next);
}

/* Whoever stood behind it has his turn. */
static int leave_lane(struct db_txn *txn, const struct job *job)
{
    struct key key = key_in_lane(job);

    if (!job->lane[0])
        return 0;
    int r = db_delete(txn, DB_JOB_LANES, key_bytes(&key));
    if (r == 0)
        r = advance(txn, job->lane);
    return r == -ENOENT ? -EUCLEAN : r; /* a lane that leads nowhere */
}

int jobs_add(struct db_txn *txn, struct job *job)
{
    uint64_t first;
    int r = db_next(txn, "jobs", &job->id);

    if (r < 0)
        return r;
    r = job->lane[0] ? first_of_lane(txn, job->lane, &first) : 0;
    if (r < 0)
        return r;
    job->state = r ? JOB_BEHIND : JOB_WAITING;
    if (job->lane[0]) {
        struct key key = key_in_lane(job);
        r = db_put(txn, DB_JOB_LANES, key_bytes(&key), nothing);
    }
    return r < 0 ? r : put_job(txn, job);
}

int jobs_add_over(struct db_txn *txn, struct job *job)
{
    int r = db_next(txn, "jobs", &job->id);

    job->state = JOB_FAILED;
    return r < 0 ? r : put_job(txn, job);
}

int jobs_move(struct db_txn *txn, const struct job *was, const struct job *job)
{
    int r = delete_job(txn, was);

    if (r == 0)
        r = put_job(txn, job);
    return r == 0 && job_is_over(job) && !job_is_over(was) ? leave_lane(txn, job) : r;
}

int jobs_end(struct db_txn *txn, const struct job *was)
{
    int r = delete_job(txn, was);

    return r == 0 && !job_is_over(was) ? leave_lane(txn, was) : r;
}

int jobs_get_over(struct db_txn *txn, uint64_t id, struct job *ret_job)
{
    return get_job(txn, DUE_OVER, id, ret_job);
}

/* --- walking */

struct walk {
    uint64_t until_ms, next_ms;
    jobs_fn *fn; /* NULL: only next_ms is wanted */
    void *arg;
};

static int step(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct walk *walk = arg;
    struct job job;

    if (key.n != 16)
        return -EUCLEAN;
    uint64_t due_ms = key_number(key.data, 8);
    if (due_ms > walk->until_ms) {
        walk->next_ms = due_ms <= DUE_LAST ? due_ms : UINT64_MAX;
        return 1;
    }
    int r = read_job(value, &job);
    return r < 0 ? r : walk->fn(&job, walk->arg);
}

int jobs_each_due(struct db_txn *txn, uint64_t now_ms, jobs_fn *fn, void *arg)
{
    struct walk walk = { .until_ms = now_ms, .fn = fn, .arg = arg };
    struct key from = key_due(DUE_FIRST);
    int r = db_each(txn, DB_JOBS, nothing, key_bytes(&from), DB_UP, step, &walk);

    return r < 0 ? r : 0;
}

int jobs_next_due(struct db_txn *txn, uint64_t now_ms, uint64_t *ret_due_ms)
{
    struct walk walk = { .until_ms = now_ms, .next_ms = UINT64_MAX };
    struct key from = key_due(now_ms + 1);
    int r = db_each(txn, DB_JOBS, nothing, key_bytes(&from), DB_UP, step, &walk);

    if (r >= 0)
        *ret_due_ms = walk.next_ms;
    return r < 0 ? r : 0;
}

static int each_of(struct db_txn *txn, uint64_t due_ms, enum db_order order, jobs_fn *fn, void *arg)
{
    struct walk walk = { .until_ms = UINT64_MAX, .fn = fn, .arg = arg };
    struct key prefix = key_due(due_ms);
    int r = db_each(txn, DB_JOBS, key_bytes(&prefix), nothing, order, step, &walk);

    return r < 0 ? r : 0;
}

int jobs_each_under_way(struct db_txn *txn, jobs_fn *fn, void *arg)
{
    return each_of(txn, DUE_UNDER_WAY, DB_UP, fn, arg);
}

int jobs_each_over(struct db_txn *txn, jobs_fn *fn, void *arg)
{
    return each_of(txn, DUE_OVER, DB_DOWN, fn, arg);
}

static int count_one(struct db_bytes key, struct db_bytes value, void *arg)
{
    return ++*(uint64_t *)arg >= JOBS_COUNTED;
}

static int count_due(struct db_txn *txn, uint64_t due_ms, uint64_t *ret_n)
{
    struct key prefix = key_due(due_ms);
    int r = db_each(txn, DB_JOBS, key_bytes(&prefix), nothing, DB_UP, count_one, ret_n);

    return r < 0 ? r : 0;
}

/* Those with a time, up to the first that has none. */
static int count_timed(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct jobs_counts *counts = arg;
    uint64_t due_ms = key.n == 16 ? key_number(key.data, 8) : UINT64_MAX;

    if (due_ms > DUE_LAST)
        return 1;
    if (counts->n_waiting == 0)
        counts->due_ms = due_ms;
    return ++counts->n_waiting >= JOBS_COUNTED;
}

int jobs_count(struct db_txn *txn, struct jobs_counts *ret_counts)
{
    struct jobs_counts counts = { 0 };
    struct key from = key_due(DUE_FIRST);
    int r = db_each(txn, DB_JOBS, nothing, key_bytes(&from), DB_UP, count_timed, &counts);

    if (r >= 0)
        r = count_due(txn, DUE_BEHIND, &counts.n_waiting);
    if (r >= 0)
        r = count_due(txn, DUE_UNDER_WAY, &counts.n_under_way);
    if (r >= 0)
        r = count_due(txn, DUE_OVER, &counts.n_over);
    if (r >= 0)
        *ret_counts = counts;
    return r;
}

/* --- several of them, to be changed after the walk */

struct job_list {
    struct job *jobs;
    size_t n, room;
};

static int append(struct job_list *list, const struct job *job)
{
    if (list->n == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct job *larger = realloc(list->jobs, room * sizeof(*larger));
        if (!larger)
            return -ENOMEM;
        list->jobs = larger;
        list->room = room;
    }
    list->jobs[list->n++] = *job;
    return 0;
}

/* --- what may have happened since */

struct doubtful {
    enum job_kind kind;
    struct job_list list;
};

static int collect_doubtful(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct doubtful *doubtful = arg;
    struct job job;
    int r = read_job(value, &job);

    if (r < 0 || job.kind != doubtful->kind || job_is_over(&job) || job.doubt != JOB_SURE)
        return r;
    return append(&doubtful->list, &job);
}

/* As if whoever was asked had failed over it: what is not found there is done, at last. */
int jobs_doubt(struct db_txn *txn, enum job_kind kind, uint64_t at_ms)
{
    struct doubtful doubtful = { .kind = kind };
    int r = db_each(txn, DB_JOBS, nothing, nothing, DB_UP, collect_doubtful, &doubtful);

    for (size_t i = 0; r == 0 && i < doubtful.list.n; i++) {
        struct job *job = &doubtful.list.jobs[i];
        job->doubt = JOB_REFUSED;
        if (!job->tried_ms)
            job->tried_ms = at_ms;
        r = put_job(txn, job);
    }
    free(doubtful.list.jobs);
    return r;
}

/* --- of somebody who is to be forgotten */

struct dropping {
    const char (*ids)[CONTACT_ID_MAX];
    size_t n_ids;
    struct job_list list;
};

static bool is_one_of(const struct dropping *dropping, const char *id)
{
    for (size_t i = 0; i < dropping->n_ids; i++)
        if (strcmp(dropping->ids[i], id) == 0)
            return true;
    return false;
}

static bool may_be_of(const struct dropping *dropping, struct db_bytes value)
{
    for (size_t i = 0; i < dropping->n_ids; i++)
        if (memmem(value.data, value.n, dropping->ids[i], strlen(dropping->ids[i])))
            return true;
    return false;
}

static int collect(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct dropping *dropping = arg;
    struct job job;

    if (key.n != 16)
        return -EUCLEAN;
    if (key_number(key.data, 8) == DUE_OVER)
        return 1;
    if (!may_be_of(dropping, value))
        return 0;
    int r = read_job(value, &job);
    return r < 0 || !is_one_of(dropping, job.contact_id) ? r : append(&dropping->list, &job);
}

static int drop(struct db_txn *txn, const struct job *job)
{
    struct key key = key_in_lane(job);
    int r = delete_job(txn, job);

    return r < 0 || !job->lane[0] ? r : db_delete(txn, DB_JOB_LANES, key_bytes(&key));
}

int jobs_drop_of(struct db_txn *txn, const char (*contact_ids)[CONTACT_ID_MAX], size_t n_ids)
{
    struct dropping dropping = { .ids = contact_ids, .n_ids = n_ids };
    struct job_list *list = &dropping.list;
    int r = db_each(txn, DB_JOBS, nothing, nothing, DB_UP, collect, &dropping);

    for (size_t i = 0; i < list->n && r >= 0; i++)
        r = drop(txn, &list->jobs[i]);
    for (size_t i = 0; i < list->n && r >= 0; i++) {
        r = list->jobs[i].lane[0] ? advance(txn, list->jobs[i].lane) : 0;
        r = r == -ENOENT ? 0 : r;
    }
    free(list->jobs);
    return r < 0 ? r : (int)list->n;
}
