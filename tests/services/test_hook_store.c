/*
 * test_hook_store.c - how far endpoints were told, and dead letters: kept, bounded, wanted again
 */
#include "services/hook_store.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "scratch.h"
#include "tap.h"
#include "utils/json.h"

static struct db *db;

/* One transaction of a test's. */
struct act {
    struct db_op op; /* first */
    int (*fn)(struct db_txn *txn);
};

static int run_act(struct db_txn *txn, struct db_op *op)
{
    return ((struct act *)op)->fn(txn);
}

static int act(int (*fn)(struct db_txn *txn))
{
    struct act act = { .op = { .run = run_act, .what = "act" }, .fn = fn };

    return db_write(db, &act.op);
}

static int put(struct db_txn *txn, const char *hook, uint64_t seq)
{
    struct letter letter = { .event = { .seq = seq, .at_ms = 5, .kind = "call.end", .call = "CA1" }, .given_up_ms = 9, .error = "HTTP 400" };

    return letter_put(txn, hook, &letter);
}

static int states(struct db_txn *txn)
{
    struct hook_place_state state;

    if (hook_state_get(txn, "crm", &state) != -ENOENT)
        return 1;
    (void)hook_state_put(txn, "crm", &(struct hook_place_state){ 7, 2 });
    return hook_state_get(txn, "crm", &state) == 0 && state.seq == 7 && state.n_missed == 2 ? 0 : 2;
}

static int letters(struct db_txn *txn)
{
    struct letter letter;

    if (put(txn, "crm", 300) || put(txn, "crm", 4) || put(txn, "crm2", 1))
        return 1;
    if (letters_count(txn, "crm") != 2 || letters_count(txn, "cr") != 0 || letters_count(txn, "crm2") != 1)
        return 2;
    if (letter_next_again(txn, "crm", &letter) != 0)
        return 3;
    return 0;
}

static int again(struct db_txn *txn)
{
    struct letter letter = { .again = false };

    if (letter_again(txn, "crm", 5) != -ENOENT || letter_again(txn, "nobody", 0) != -ENOENT)
        return 1;
    if (letter_again(txn, "crm", 300) != 1 || letter_next_again(txn, "crm", &letter) != 1 || letter.event.seq != 300)
        return 2;
    if (strcmp(letter.event.call, "CA1") != 0 || letter.event.at_ms != 5 || strcmp(letter.error, "HTTP 400") != 0)
        return 3;
    if (letter_again(txn, "crm", 0) != 1 || letter_next_again(txn, "crm", &letter) != 1 || letter.event.seq != 4)
        return 4; /* the other one; the oldest first */
    if (letter_drop(txn, "crm", 4) < 0 || letter_next_again(txn, "crm", &letter) != 1 || letter.event.seq != 300)
        return 5;
    return 0;
}

static int bound(struct db_txn *txn)
{
    int r = 0;

    for (uint64_t seq = 1; seq <= LETTERS_MAX && r == 0; seq++)
        r = put(txn, "full", seq);
    if (r || letters_count(txn, "full") != LETTERS_MAX)
        return 1;
    if (put(txn, "full", 5000) != 1 || letters_count(txn, "full") != LETTERS_MAX)
        return 2;
    return letter_again(txn, "full", 1) == -ENOENT && letter_again(txn, "full", 2) == 1 ? 0 : 3;
}

static void test_page(void)
{
    scoped(json_object_put) struct json_object *array = NULL;
    struct db_txn *txn;

    if (!ok(db_read_begin(db, &txn) == 0, "a snapshot"))
        return;
    is_int(letters_page(txn, 2, &array), 0, "dead letters are listed");
    db_read_end(txn);
    struct json_object *first = json_object_array_get_idx(array, 0), *second = json_object_array_get_idx(array, 1);
    is_int((long long)json_object_array_length(array), 2, "as many as are asked for");
    ok(strcmp(json_get_text(first, "hook"), "crm") == 0 && json_get_int(first, "seq") == 300, "of the first endpoint");
    ok(strcmp(json_get_text(second, "hook"), "crm2") == 0 && strcmp(json_get_text(second, "id"), "evt_5_1") == 0, "then of the next");
}

int main(void)
{
    struct db_options options = { .path = scratch_file("hooks") };

    if (!ok(db_open(&options, &db) == 0, "a store"))
        return done_testing();
    is_int(act(states), 0, "how far an endpoint was told is kept");
    is_int(act(letters), 0, "dead letters are kept, of each endpoint its own");
    is_int(act(again), 0, "they can be wanted again, one or all, the oldest first");
    test_page();
    is_int(act(bound), 0, "the oldest of a thousand goes for a new one, and that is said");
    db_close(db);
    return done_testing();
}
