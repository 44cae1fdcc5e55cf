/*
 * trash.c - files that are to be deleted
 *
 *   trash  "recordings/" CallSid, or "media/" message id  -> nothing
 *
 * A row goes when its folder is gone and that is on disk. A folder that is not there is gone.
 */
#include "services/trash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/call.h"
#include "services/media_store.h"
#include "services/store_row.h"
#include "utils/file.h"

enum { AT_ONCE = 32, NAME_MAX_BYTES = 64 };

static const char *const folders[TRASH_N_KINDS] = { [TRASH_RECORDINGS] = "recordings", [TRASH_MEDIA] = "media" };

int trash_add(struct db_txn *txn, enum trash_kind kind, const char *id)
{
    struct key key = { 0 };

    if (!call_sid_is_plain(id))
        return -EINVAL;
    key_add_bytes(&key, folders[kind], strlen(folders[kind]));
    key_add_bytes(&key, "/", 1);
    key_add_bytes(&key, id, strlen(id));
    return row_put_index(txn, DB_TRASH, &key, nothing);
}

struct emptying {
    struct db_op op; /* first */
    char names[AT_ONCE][NAME_MAX_BYTES];
    char from[NAME_MAX_BYTES]; /* go on behind it */
    bool is_gone[AT_ONCE];
    size_t n;
};

static int take(struct db_bytes key, struct db_bytes value, void *arg)
{
    struct emptying *emptying = arg;

    if (key.n >= NAME_MAX_BYTES)
        return -EUCLEAN;
    if (strlen(emptying->from) == key.n && memcmp(emptying->from, key.data, key.n) == 0)
        return 0;
    if (emptying->n == AT_ONCE)
        return 1;
    memcpy(emptying->names[emptying->n], key.data, key.n);
    emptying->names[emptying->n++][key.n] = '\0';
    return 0;
}

static int read_some(struct db *db, struct emptying *emptying)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_read_begin(db, &txn);

    emptying->n = 0;
    return r < 0 ? r : db_each(txn, DB_TRASH, nothing, text_bytes(emptying->from), DB_UP, take, emptying);
}

static int run_forget(struct db_txn *txn, struct db_op *op)
{
    const struct emptying *emptying = (const struct emptying *)op;
    int r = 0;

    for (size_t i = 0; i < emptying->n && r == 0; i++)
        if (emptying->is_gone[i])
            r = row_drop(txn, DB_TRASH, text_bytes(emptying->names[i]));
    return r;
}

static int delete_folder(const char *state_dir, struct media_store *media, const char *name)
{
    scoped(free) char *path = NULL;
    size_t n = strlen(folders[TRASH_MEDIA]);

    if (media && strncmp(name, folders[TRASH_MEDIA], n) == 0 && name[n] == '/')
        return media_store_erase(media, name + n + 1);
    return asprintf(&path, "%s/%s", state_dir, name) < 0 ? -ENOMEM : file_remove(path);
}

int trash_empty(struct db *db, const char *state_dir, struct media_store *media)
{
    struct emptying emptying = { .op = { .run = run_forget, .what = "files that are deleted" } };
    int r, failed = 0, n_gone = 0;

    do {
        r = read_some(db, &emptying);
        if (r < 0)
            return r;
        for (size_t i = 0; i < emptying.n; i++) {
            int deleted = delete_folder(state_dir, media, emptying.names[i]);
            emptying.is_gone[i] = deleted == 0;
            n_gone += deleted == 0;
            failed = failed ?: deleted;
        }
        if (emptying.n)
            memcpy(emptying.from, emptying.names[emptying.n - 1], NAME_MAX_BYTES);
        int written = emptying.n ? db_write(db, &emptying.op) : 0;
        if (written < 0)
            return written;
    } while (r == 1);
    return failed < 0 ? failed : n_gone;
}
