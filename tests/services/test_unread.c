/*
 * test_unread.c - what nobody has read: counted, read, answered, merged and parted, forgotten
 */
#include "services/crm_unread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "scratch.h"
#include "services/crm.h"
#include "services/crm_erase.h"
#include "services/crm_events.h"
#include "services/crm_schema.h"
#include "tap.h"
#include "utils/json.h"

enum { NOW = 1000000 };

#define ANN "+972501110001"
#define BEN "+972501110002"
#define CLEO "+972501110003"

struct scene {
    struct db_op op; /* first */
    void (*play)(struct db_txn *txn);
};

static int run(struct db_txn *txn, struct db_op *op)
{
    ((struct scene *)op)->play(txn);
    return 0;
}

/* The id of the contact whose address that is. */
static const char *who(struct db_txn *txn, const char *address)
{
    static char ids[4][CONTACT_ID_MAX];
    static int n;
    char *id = ids[n++ % 4];

    id[0] = '\0';
    (void)crm_contact_id_of(txn, address, id);
    return id;
}

/* Returns: its id. */
static const char *write_as(struct db_txn *txn, const char *provider_id, const char *address, uint64_t ms, struct message message)
{
    static char id[CONTACT_ID_MAX];

    message.channel = MESSAGE_WHATSAPP;
    message.created_ms = ms;
    message.body = strdup("hi");
    (void)snprintf(message.provider_id, sizeof(message.provider_id), "%s", provider_id);
    (void)snprintf(message.address, sizeof(message.address), "%s", address);
    (void)crm_message_add(txn, &message, "972");
    memcpy(id, message.id, sizeof(id));
    message_release(&message);
    return id;
}

static const char *hear(struct db_txn *txn, const char *provider_id, const char *address, uint64_t ms)
{
    return write_as(txn, provider_id, address, ms, (struct message){ .direction = MESSAGE_IN, .status = MESSAGE_RECEIVED });
}

static void count_and_read(struct db_txn *txn)
{
    struct crm_reading reading;
    char second[CONTACT_ID_MAX], other[CONTACT_ID_MAX];
    struct event event;
    uint64_t seen;

    (void)hear(txn, "a1", ANN, NOW);
    memcpy(second, hear(txn, "a2", ANN, NOW + 1), sizeof(second));
    (void)hear(txn, "a3", ANN, NOW + 1);
    memcpy(other, hear(txn, "b1", BEN, NOW + 2), sizeof(other));
    is_int(crm_unread(txn, who(txn, ANN)), 3, "what came in is unread");
    (void)hear(txn, "a2", ANN, NOW + 5);
    is_int(crm_unread(txn, who(txn, ANN)), 3, "once, however often it comes");
    (void)write_as(txn, "a4", ANN, NOW + 3, (struct message){ .direction = MESSAGE_IN, .kind = MESSAGE_REACTION });
    is_int(crm_unread(txn, who(txn, ANN)), 3, "a reaction is nothing to be read");
    is_int(crm_read(txn, "C404", "", NOW + 9, &reading), -ENOENT, "nobody is nobody");
    is_int(crm_read(txn, who(txn, ANN), other, NOW + 9, &reading), -ENOMSG, "what somebody else wrote is not his");
    is_int(crm_read(txn, who(txn, ANN), "M404", NOW + 9, &reading), -ENOMSG, "nor is what there is not");
    is_int(crm_read(txn, who(txn, ANN), second, NOW + 9, &reading), 0, "up to the second");
    is_int(reading.n, 2, "two are read");
    ok(strcmp(reading.last, second) == 0 && reading.n_told == 2 && strcmp(reading.told[0], "a1") == 0 && strcmp(reading.told[1], "a2") == 0,
       "these");
    ok(crm_event_next(txn, 0, "contact.read", &event, &seen) == 1 && strcmp(event.contact, who(txn, ANN)) == 0 &&
           strcmp(event.message, second) == 0,
       "the feed tells of it");
    is_int(crm_unread(txn, who(txn, ANN)), 1, "the third, of the same millisecond, is unread");
    is_int(crm_read(txn, who(txn, ANN), second, NOW + 9, &reading), 1, "what is read is read");
    (void)hear(txn, "a5", ANN, NOW);
    is_int(crm_unread(txn, who(txn, ANN)), 2, "what comes late is unread");
    is_int(crm_read(txn, who(txn, ANN), "", NOW + 9, &reading), 0, "all of it");
    is_int(crm_unread(txn, who(txn, ANN)), 0, "none is left");
    is_int(crm_unread(txn, who(txn, BEN)), 1, "but those of others");
}

static void answer(struct db_txn *txn)
{
    struct message ours = { .direction = MESSAGE_OUT, .status = MESSAGE_SENT };
    struct message agents = { .channel = MESSAGE_WHATSAPP, .author = AUTHOR_AGENT, .created_ms = NOW + 30, .address = ANN, .body = strdup("yes") };

    (void)hear(txn, "a6", ANN, NOW + 20);
    memcpy(agents.contact_id, who(txn, ANN), sizeof(agents.contact_id));
    (void)crm_message_send(txn, &agents);
    message_release(&agents);
    is_int(crm_unread(txn, who(txn, ANN)), 1, "the agent has read nothing for anybody");
    ours.author = AUTHOR_AGENT;
    (void)write_as(txn, "o1", ANN, NOW + 31, ours);
    is_int(crm_unread(txn, who(txn, ANN)), 1, "however it is heard of");
    (void)hear(txn, "a7", ANN, NOW + 40);
    ours.author = AUTHOR_HUMAN;
    (void)write_as(txn, "o2", ANN, NOW + 35, ours);
    is_int(crm_unread(txn, who(txn, ANN)), 1, "a human has read what was there when he wrote, and not what came since");
    (void)write_as(txn, "o3", ANN, NOW + 40, ours);
    is_int(crm_unread(txn, who(txn, ANN)), 0, "then that, too");
}

static int hash_row(struct db_bytes key, struct db_bytes value, void *arg)
{
    uint64_t *sum = arg;

    for (size_t i = 0; i < key.n + value.n; i++)
        *sum = (*sum ^ (i < key.n ? ((const uint8_t *)key.data)[i] : ((const uint8_t *)value.data)[i - key.n])) * 0x100000001b3;
    return 0;
}

static uint64_t hash(struct db_txn *txn)
{
    uint64_t sum = 0xcbf29ce484222325;

    (void)db_each(txn, DB_UNREAD, (struct db_bytes){ 0 }, (struct db_bytes){ 0 }, DB_UP, hash_row, &sum);
    return sum;
}

static void merge(struct db_txn *txn)
{
    struct crm_reading reading;
    char ann[CONTACT_ID_MAX], ben[CONTACT_ID_MAX];

    memcpy(ann, who(txn, ANN), sizeof(ann));
    memcpy(ben, who(txn, BEN), sizeof(ben));
    (void)hear(txn, "a8", ANN, NOW + 50);
    (void)hear(txn, "a9", ANN, NOW + 60);
    uint64_t before = hash(txn);
    is_int(crm_contact_merge(txn, ben, ann, "by hand", NOW + 70), 0, "two are one");
    is_int(crm_unread(txn, ben), 3, "with what nobody has read of both");
    is_int(crm_unread(txn, ann), 3, "by either name");
    (void)crm_contact_unmerge(txn, ann, NOW + 71);
    ok(hash(txn) == before, "parted, it is as it was");
    (void)crm_contact_merge(txn, ben, ann, "by hand", NOW + 72);
    (void)hear(txn, "a10", ANN, NOW + 73);
    is_int(crm_read(txn, ann, "", NOW + 74, &reading), 0, "merged, all is read");
    is_int(reading.n, 4, "of both");
    (void)hear(txn, "a11", ANN, NOW + 75);
    (void)crm_contact_unmerge(txn, ann, NOW + 76);
    is_int(crm_unread(txn, ann), 1, "parted, what came by his address is his");
    is_int(crm_unread(txn, ben), 0, "and what was read stays so");
}

static void many(struct db_txn *txn)
{
    scoped(message_release) struct message first = { 0 };
    struct crm_reading reading;
    char name[16];

    for (int i = 0; i < 150; i++) {
        (void)snprintf(name, sizeof(name), "c%d", i);
        (void)hear(txn, name, CLEO, NOW + (uint64_t)i);
    }
    is_int(crm_unread(txn, who(txn, CLEO)), UNREAD_MAX, "a count ends at its bound");
    is_int(crm_message_get(txn, "c0", &first), 0, "the first");
    is_int(crm_forget_message(txn, &first, NOW + 500), 0, "is forgotten");
    is_int(crm_read(txn, who(txn, CLEO), "", NOW + 500, &reading), 0, "the others are read");
    is_int(reading.n, 149, "all");
    is_int((long long)reading.n_told, READ_TOLD_MAX, "of which the last are told");
    bool has_last = false, has_old = false;
    for (size_t i = 0; i < reading.n_told; i++) {
        has_last |= strcmp(reading.told[i], "c149") == 0;
        has_old |= strcmp(reading.told[i], "c133") == 0;
    }
    ok(has_last && !has_old, "and those only");
    is_int(crm_unread(txn, who(txn, CLEO)), 0, "none is left");
}

int main(void)
{
    static void (*const scenes[])(struct db_txn *txn) = { count_and_read, answer, merge, many };
    struct db_options options = { .path = scratch_file("unread"), .migrations = crm_migrations, .n_migrations = crm_n_migrations };
    struct db *db;

    if (!ok(db_open(&options, &db) == 0, "a store"))
        return done_testing();
    for (size_t i = 0; i < ELEMENTSOF(scenes); i++) {
        struct scene scene = { .op = { .run = run, .what = "scene" }, .play = scenes[i] };
        is_int(db_write(db, &scene.op), 0, "a scene");
    }
    db_close(db);
    return done_testing();
}
