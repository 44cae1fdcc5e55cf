/*
 * test_journal.c - order, a store that is full, and what a call holds meanwhile
 */
#include "services/journal.h"

#include "services/fake_store.h"
#include "tap.h"

static void settle(struct inbox *inbox)
{
    inbox_arm(inbox);
    inbox_run(inbox);
}

static void test_order(struct inbox *inbox, struct journal_pool *pool)
{
    struct turn turn = { .who = TURN_CALLER, .text = "one", .confidence = -1 };
    struct journal journal;

    fake_store_reset();
    journal_init(&journal, pool, "CA1", "contact-1");
    ok(journal_at_rest(&journal), "a fresh journal is at rest");
    journal_turn(&journal, &turn);
    strcpy(turn.text, "two");
    journal_turn(&journal, &turn);
    journal_learn(&journal, "name", "Ada", 1000);
    journal_step(&journal, &(struct call_step){ "chat", "gpt-4o-mini", NULL, NULL, 1500 });
    journal_whatsapp(&journal, "Our address is 5 Long Street.", WORDING_FREE, 1500);
    journal_end(&journal, CALL_END_AGENT, 2000);
    is_int(fake_store.n_turns, 0, "nothing is written before the flush");

    fake_store.n_full = 1;
    ok(!journal_flush(&journal), "a full store is asked again");
    is_int(fake_store.n_turns, 0, "and nothing overtakes");
    fake_store.n_full = 0;
    ok(journal_flush(&journal), "later it takes everything");
    is_int(fake_store.n_turns, 2, "both turns");
    is_str(fake_store.turns[0].text, "one", "in order");
    is_str(fake_store.turns[1].text, "two", "whatever became of the struct");
    is_str(fake_store.values[0], "Ada", "what was learnt");
    is_str(fake_store.learnt_of, "CA1", "in which call");
    is_str(fake_store.steps[0], "chat: gpt-4o-mini -> : ", "a step of the ladder, to nobody and without a cause");
    ok(fake_store.n_messages == 1 && fake_store.wording == WORDING_FREE, "a message to the caller");
    is_str(fake_store.message, "Our address is 5 Long Street.", "in its words");
    ok(fake_store.n_ends == 1 && fake_store.end == CALL_END_AGENT && fake_store.end_ms == 2000, "and the end");
    ok(!journal_at_rest(&journal), "it is not at rest before the answers came home");
    settle(inbox);
    ok(journal_at_rest(&journal), "and then it is");
}

static void test_room(struct inbox *inbox, struct journal_pool *pool, unsigned n_entries)
{
    struct turn turn = { .text = "x" };
    struct journal journal;

    fake_store_reset();
    fake_store.n_full = 1000;
    journal_init(&journal, pool, "CA2", "");
    for (unsigned i = 0; i < n_entries - JOURNAL_BATCH + 1; i++)
        journal_turn(&journal, &turn);
    ok(!journal_has_room(pool), "room ends before the pool does");
    for (unsigned i = 0; i < JOURNAL_BATCH - 1; i++)
        journal_turn(&journal, &turn);
    is_int(journal.n_failed, 0, "so that one more event always fits");
    journal_end(&journal, CALL_END_CALLER, 1);
    fake_store.n_full = 0;
    ok(journal_flush(&journal), "all of it is kept when the store recovers");
    settle(inbox);
    ok(fake_store.n_turns == n_entries && fake_store.n_ends == 1, "nothing was lost");
    ok(journal_has_room(pool) && journal_at_rest(&journal), "the entries are back in the pool");
}

static bool end_again(struct inbox *inbox, struct journal *journal)
{
    journal_end_again(journal);
    (void)journal_flush(journal);
    settle(inbox);
    return journal_at_rest(journal);
}

static void test_full_disk(struct inbox *inbox, struct journal_pool *pool)
{
    struct journal journal;

    fake_store_reset();
    fake_store.n_disk_full = 3;
    journal_init(&journal, pool, "CA3", "");
    journal_end(&journal, CALL_END_CALLER, 7);
    (void)journal_flush(&journal);
    settle(inbox);
    ok(!journal_at_rest(&journal) && journal.must_end_again, "an end that finds no room on the disk is held");
    ok(!end_again(inbox, &journal) && !end_again(inbox, &journal), "and held");
    ok(end_again(inbox, &journal) && !journal.must_end_again, "until there is room");
    ok(fake_store.n_ends == 1 && fake_store.end == CALL_END_CALLER && fake_store.end_ms == 7 && journal.n_failed == 0,
       "it is the end that it was");

    fake_store.n_disk_full = 1000;
    journal_init(&journal, pool, "CA4", "");
    journal_end(&journal, CALL_END_CALLER, 7);
    for (int i = 0; i < JOURNAL_END_TRIES + 1; i++)
        (void)end_again(inbox, &journal);
    ok(journal_at_rest(&journal) && journal.n_failed == 1, "not for ever");

    journal_init(&journal, pool, "CA5", "");
    journal_end(&journal, CALL_END_CALLER, 7);
    (void)end_again(inbox, &journal);
    journal_end_give_up(&journal);
    ok(journal_at_rest(&journal) && journal.n_failed == 1, "nor when the daemon stops");
}

int main(void)
{
    scoped(inbox_unref) struct inbox *inbox = NULL;
    struct journal_pool *pool = NULL;
    unsigned n_entries = 24;

    if (inbox_new(&inbox) < 0 || journal_pool_new(NULL, inbox, n_entries, &pool) < 0)
        return 1;
    test_order(inbox, pool);
    test_room(inbox, pool, n_entries);
    test_full_disk(inbox, pool);
    journal_pool_free(pool);
    return done_testing();
}
