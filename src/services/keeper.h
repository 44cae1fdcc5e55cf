#pragma once
/*
 * keeper.h - the thread that forgets: persons who are to be erased, files that are to be deleted, what is kept long enough
 *
 * It begins with what the last daemon died in, and takes the store's writer for a few ms at a time.
 */

#include "utils/scoped.h"

struct db;
struct keeper;
struct media_store;

struct keeper_options {
    struct db *db;
    const char *state_dir; /* lent */
    struct media_store *media;
};

/* Errors: -errno. */
int keeper_new(const struct keeper_options *options, struct keeper **ret_keeper);
void keeper_stop(struct keeper *keeper); /* before the store is closed; what is not done is found at the next start */
void keeper_free(struct keeper *keeper);
SCOPED_PTR(struct keeper, keeper_free)

/* There is something to do. Thread: any; does not wait. keeper may be NULL. */
void keeper_wake(struct keeper *keeper);
