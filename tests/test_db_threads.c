/*
 * test_db_threads.c - many threads submit, read and are answered at once
 *
 * Run it under the thread sanitizer. Each thread keeps its own order and sees its own writes once they are done.
 */
#include "db.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "scratch.h"
#include "tap.h"

enum { N_THREADS = 6, N_OPS = 300, N_PARTS = 4 };

struct worker {
    struct db *db;
    int id;
    struct {
        struct db_op op; /* first */
        struct worker *worker;
        int n;
        uint64_t total; /* of the shared counter, as run() saw it */
    } ops[N_OPS];
    sem_t done;
    int n_done, n_failed, n_out_of_order; /* the writer's, as is last_total */
    uint64_t last_total;
    int n_refused, n_unseen;
};

static int run(struct db_txn *txn, struct db_op *op)
{
    __typeof__(&((struct worker *)0)->ops[0]) mine = (void *)op;
    int key[2] = { mine->worker->id, mine->n };
    struct db_bytes bytes = { key, sizeof(key) };
    int r = db_next(txn, "all", &mine->total);

    return r < 0 ? r : db_put(txn, DB_JOBS, bytes, bytes);
}

static void done(struct db_op *op, int r)
{
    __typeof__(&((struct worker *)0)->ops[0]) mine = (void *)op;
    struct worker *worker = mine->worker;

    worker->n_failed += r != 0;
    worker->n_out_of_order += mine->n != worker->n_done || mine->total <= worker->last_total;
    worker->n_done++;
    worker->last_total = mine->total;
    sem_post(&worker->done);
}

static int is_there(struct worker *worker, int n)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int key[2] = { worker->id, n };
    struct db_bytes bytes = { key, sizeof(key) }, value;

    return db_read_begin(worker->db, &txn) == 0 && db_get(txn, DB_JOBS, bytes, &value) == 0;
}

static void *work(void *arg)
{
    struct worker *worker = arg;

    for (int part = 0; part < N_PARTS; part++) {
        for (int i = part * N_OPS / N_PARTS; i < (part + 1) * N_OPS / N_PARTS; i++) {
            worker->ops[i].op = (struct db_op){ .run = run, .done = done };
            worker->ops[i].worker = worker;
            worker->ops[i].n = i;
            while (db_submit(worker->db, &worker->ops[i].op) == -EAGAIN)
                worker->n_refused++;
        }
        for (int i = part * N_OPS / N_PARTS; i < (part + 1) * N_OPS / N_PARTS; i++) {
            sem_wait(&worker->done);
            worker->n_unseen += !is_there(worker, i);
        }
    }
    return NULL;
}

static void *watch(void *arg)
{
    struct worker *workers = arg;
    struct db_stats stats = { 0 };

    while (stats.n_ops < (uint64_t)N_THREADS * N_OPS) {
        db_stats(workers[0].db, &stats);
        db_check_readers(workers[0].db);
    }
    return NULL;
}

int main(void)
{
    static struct worker workers[N_THREADS];
    struct db_options options = { .path = scratch_file("store"), .map_mib = 1, .queue_max = 64 };
    pthread_t threads[N_THREADS], watcher;
    struct db_stats stats;
    struct db *db = NULL;

    ok(db_open(&options, &db) == 0, "a store with a short queue and a small map");
    for (int i = 0; i < N_THREADS; i++) {
        workers[i].db = db;
        workers[i].id = i;
        sem_init(&workers[i].done, 0, 0);
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    pthread_create(&watcher, NULL, watch, workers);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(watcher, NULL);

    for (int i = 0; i < N_THREADS; i++) {
        is_int(workers[i].n_done, N_OPS, "each write of a thread is answered once");
        is_int(workers[i].n_out_of_order, 0, "in the order in which it was submitted");
        is_int(workers[i].n_failed + workers[i].n_unseen, 0, "and can be read as soon as it is answered");
        sem_destroy(&workers[i].done);
    }
    db_stats(db, &stats);
    is_int((long long)stats.n_ops, N_THREADS * N_OPS, "none is counted twice");
    is_int((long long)stats.n_waiting, 0, "and none is left");
    ok(stats.n_commits < stats.n_ops, "%d writes took %d commits", (int)stats.n_ops, (int)stats.n_commits);
    db_close(db);
    return done_testing();
}
