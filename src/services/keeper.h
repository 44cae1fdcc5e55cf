#pragma once
/*
 * keeper.h - the thread that forgets: persons who are to be erased, files that are to be deleted, what is kept long enough
 *
 * It begins with what the last daemon died in, and takes the store's writer for a few ms at a time.
 */

#include "utils/scoped.h"

struct config;
struct db;
struct keeper;
struct media_store;
struct whatsapp;

struct keeper_options {
    struct db *db;
    struct media_store *media;
    struct whatsapp *const *whatsapp; /* who carries messages, as long as the keeper runs; lent; either may be NULL */
    const struct config *config; /* RETAIN_AUDIO_DAYS and its like; lent */
};

/* Errors: -errno. */
int keeper_new(const struct keeper_options *options, struct keeper **ret_keeper);
int keeper_start(struct keeper *keeper); /* begin, or begin again; of the processes that share a store, who leads */
void keeper_stop(struct keeper *keeper); /* before the store is closed; what is not done is found at the next start */
void keeper_free(struct keeper *keeper);
SCOPED_PTR(struct keeper, keeper_free)

/* What is kept long enough is to be forgotten now, and not in an hour. Thread: as below. */
void keeper_forget(struct keeper *keeper);

/* There is something to do. Thread: any; does not wait. keeper may be NULL. */
void keeper_wake(struct keeper *keeper);
