/*
 * test_inbox.c - order, wake-ups, and several senders at once
 */
#include "utils/inbox.h"

#include <pthread.h>

#include "tap.h"

enum { N_SENDERS = 3, N_EACH = 20000 };

struct item {
    struct inbox_item super;
    unsigned sender, n;
};

static unsigned next_of[N_SENDERS], n_got;
static int in_order = 1;

static void take(struct inbox_item *super)
{
    struct item *item = (struct item *)super;

    in_order &= item->n == next_of[item->sender]++;
    n_got++;
}

struct sender {
    struct inbox *inbox;
    struct item items[N_EACH];
};

static void *send_all(void *arg)
{
    struct sender *sender = arg;

    for (unsigned i = 0; i < N_EACH; i++)
        inbox_post(sender->inbox, &sender->items[i].super);
    return NULL;
}

static void test_bell(struct inbox *inbox)
{
    struct item items[3] = { { { take }, 0, 0 }, { { take }, 0, 1 }, { { take }, 0, 2 } };

    inbox_arm(inbox);
    is_int(inbox_wait(inbox, 0), 0, "nothing rang");
    inbox_arm(inbox);
    inbox_ring(inbox);
    inbox_ring(inbox);
    is_int(inbox_wait(inbox, 0), 1, "two rings wake");
    is_int(inbox_wait(inbox, 0), 0, "but once");
    inbox_ring(inbox);
    is_int(inbox_wait(inbox, 0), 0, "an owner who is awake is not rung");

    for (int i = 0; i < 3; i++)
        inbox_post(inbox, &items[i].super);
    inbox_run(inbox);
    ok(n_got == 3 && in_order, "items run in order");
}

static void test_bells(struct inbox *inbox)
{
    scoped(inbox_unref) struct inbox *other = NULL;
    struct inbox *many[BELLS_MAX] = { 0 };
    struct item items[3] = { { { take }, 0, 0 }, { { take }, 0, 1 }, { { take }, 0, 2 } };
    struct bells bells = { 0 };
    int n_rang = 0;

    if (inbox_new(&other) < 0)
        return;
    inbox_arm(inbox);
    in_order = 1;
    next_of[0] = 0;
    inbox_post(inbox, &items[0].super);
    (void)inbox_wait(inbox, 0);
    inbox_arm(inbox);
    bells_put(&bells, inbox, &items[1].super);
    bells_put(&bells, inbox, NULL);
    bells_put(&bells, inbox, &items[2].super);
    is_int(inbox_wait(inbox, 0), 0, "what is kept in the bells rings none");
    is_int((long long)bells.n, 1, "an inbox is down once");
    bells_ring(&bells);
    is_int(inbox_wait(inbox, 0), 1, "until they are rung");
    ok(inbox_run(inbox) == 3 && in_order, "then all items are there, in order");

    for (int i = 0; i < BELLS_MAX; i++) {
        if (inbox_new(&many[i]) < 0)
            return;
        inbox_arm(many[i]);
        bells_put(&bells, many[i], NULL);
    }
    inbox_arm(other);
    bells_put(&bells, other, NULL);
    for (int i = 0; i < BELLS_MAX; i++) {
        n_rang += inbox_wait(many[i], 0);
        inbox_unref(many[i]);
    }
    is_int(n_rang, BELLS_MAX, "one too many has the others rung at once");
    bells_ring(&bells);
    is_int(inbox_wait(other, 0), 1, "and itself later");
}

static void test_senders(struct inbox *inbox)
{
    static struct sender senders[N_SENDERS];
    pthread_t threads[N_SENDERS];

    n_got = 0;
    memset(next_of, 0, sizeof(next_of));
    for (unsigned s = 0; s < N_SENDERS; s++) {
        senders[s].inbox = inbox;
        for (unsigned i = 0; i < N_EACH; i++)
            senders[s].items[i] = (struct item){ { take }, s, i };
        pthread_create(&threads[s], NULL, send_all, &senders[s]);
    }
    while (n_got < N_SENDERS * N_EACH) {
        unsigned before = n_got;

        inbox_arm(inbox);
        inbox_run(inbox);
        if (n_got == before && !inbox_wait(inbox, 10000))
            break;
    }
    for (unsigned s = 0; s < N_SENDERS; s++)
        pthread_join(threads[s], NULL);
    is_int(n_got, N_SENDERS * N_EACH, "everything sent by three threads arrives, and no wake-up is lost");
    ok(in_order, "in the order of each");
}

int main(void)
{
    scoped(inbox_unref) struct inbox *inbox = NULL;

    if (inbox_new(&inbox) < 0)
        return 1;
    test_bell(inbox);
    test_bells(inbox);
    test_senders(inbox);
    return done_testing();
}
