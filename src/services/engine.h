#pragma once
/*
 * engine.h - threads for work that takes its time: recognition, synthesis, files
 *
 * A bounded queue, first come, first served. The threads run a little below the others, since a sentence
 * may be late by some milliseconds and a frame may not.
 */

#include <stdbool.h>
#include <stddef.h>

#include "utils/scoped.h"

struct engine;

/* Embedded in the caller's own struct; the engine's from engine_submit() until done() is called. */
struct engine_job {
    void (*run)(struct engine_job *job, unsigned thread); /* may block and allocate */
    void (*done)(struct engine_job *job);                 /* same thread, right after; may give the job away */
    struct engine_job *next;
};

int engine_new(unsigned n_threads, size_t queue_max, struct engine **ret_engine);

/* Thread: any; holds a lock for a few instructions. Errors: -EAGAIN queue_max jobs wait already. */
int engine_submit(struct engine *engine, struct engine_job *job);

/* Runs what is queued, then joins the threads. Nobody may submit any more. */
void engine_free(struct engine *engine);
SCOPED_PTR(struct engine, engine_free)
