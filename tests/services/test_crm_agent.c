/*
 * test_crm_agent.c - who is left to a human, who wants no messages: kept, told, merged and parted
 */
#include "services/crm_agent.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>

#include "scratch.h"
#include "services/crm.h"
#include "services/crm_events.h"
#include "services/crm_schema.h"
#include "services/crm_tasks.h"
#include "tap.h"
#include "utils/json.h"

enum { NOW = 1000000 };

struct scene {
    struct db_op op; /* first */
    void (*play)(struct db_txn *txn);
};

static char ann[CONTACT_ID_MAX], ben[CONTACT_ID_MAX];

static int run(struct db_txn *txn, struct db_op *op)
{
    ((struct scene *)op)->play(txn);
    return 0;
}

static const char *state_of(struct db_txn *txn, const char *id)
{
    scoped(contact_done) struct contact person = { 0 };

    return crm_contact_get(txn, id, &person) < 0 ? "nobody" : crm_agent_name(crm_agent_of(&person));
}

static void make(struct db_txn *txn)
{
    struct contact_edit edit = { .stage = -1 };

    (void)crm_contact_make(txn, "+972501110001", "972", &edit, NOW, ann);
    (void)crm_contact_make(txn, "+972501110002", "972", &edit, NOW, ben);
    is_str(state_of(txn, ann), "on", "at first everybody is answered");
}

static bool tells(struct db_txn *txn, const char *kind, const char *contact)
{
    struct event event;
    uint64_t seen;

    return crm_event_next(txn, 0, kind, &event, &seen) == 1 && strcmp(event.contact, contact) == 0;
}

static void silence(struct db_txn *txn)
{
    is_int(crm_agent_silence(txn, ann, NOW), 0, "somebody is left to a human");
    is_int(crm_agent_silence(txn, ann, NOW + 1), 1, "once");
    is_str(state_of(txn, ann), "silent", "and stays so");
    is_str(state_of(txn, ben), "on", "he alone");
    ok(tells(txn, "contact.silent", ann), "the feed tells of it");
    is_int(crm_agent_release(txn, ann, NOW), 0, "he is released, within the same millisecond");
    is_str(state_of(txn, ann), "on", "and answered again");
    ok(tells(txn, "contact.released", ann), "the feed tells of that, too");
    is_int(crm_agent_release(txn, ann, NOW + 1), 1, "he was released");
    is_int(crm_agent_silence(txn, "C404", NOW), -ENOENT, "nobody is nobody");
    is_int(crm_agent_silence(txn, "", NOW), -ENOENT, "nor is this");
}

static void merge_and_part(struct db_txn *txn)
{
    is_int(crm_agent_silence(txn, ben, NOW + 10), 0, "Ben is left to a human");
    is_int(crm_contact_merge(txn, ann, ben, "by hand", NOW + 11), 0, "he turns out to be Ann");
    is_str(state_of(txn, ann), "silent", "so is she");
    is_int(crm_agent_release(txn, ann, NOW + 12), 0, "she is released");
    is_str(state_of(txn, ben), "on", "so is he");
    is_int(crm_agent_silence(txn, ben, NOW + 13), 0, "left again, by his old name");
    is_int(crm_contact_unmerge(txn, ben, NOW + 14), 0, "they are two after all");
    is_str(state_of(txn, ann), "silent", "she stays with the human");
    is_str(state_of(txn, ben), "silent", "and so does he");
}

static void unwanted(struct db_txn *txn)
{
    is_int(crm_agent_want(txn, ann, false, NOW + 20), 0, "she wants no automatic messages");
    is_str(state_of(txn, ann), "unwanted", "which counts more than silence");
    is_int(crm_agent_release(txn, ann, NOW + 21), 0, "the human releases her");
    is_str(state_of(txn, ann), "unwanted", "that is not for him to say");
    is_int(crm_agent_want(txn, ann, true, NOW + 22), 0, "but for her");
    is_str(state_of(txn, ann), "on", "and she is answered");
}

static void call_human(struct db_txn *txn)
{
    scoped(json_object_put) struct json_object *tasks = NULL;

    is_int(crm_agent_call_human(txn, ann, "She asks for a human.", NOW + 30), 0, "a human is called");
    is_int(crm_agent_call_human(txn, ann, "Again.", NOW + 31), 1, "once while he has not come");
    (void)crm_tasks_of(txn, ann, 10, &tasks);
    struct json_object *task = json_object_array_get_idx(tasks, 0);
    is_str(json_get_text(task, "text"), "She asks for a human.", "it says why");
    is_str(json_get_text(task, "kind"), "reply", "of its own kind");
    is_int(json_get_int(task, "due_ms"), NOW + 30, "due at once");
    is_int(crm_task_edit(txn, json_get_text(task, "id"), &(struct task_edit){ .state = TASK_DONE }, NOW + 32), 0, "he has come");
    is_int(crm_agent_call_human(txn, ann, "Again.", NOW + 33), 0, "the next time he is called anew");
    is_int(crm_agent_call_human(txn, "C404", "x", NOW), -ENOENT, "for nobody there is no need");
}

int main(void)
{
    static void (*const scenes[])(struct db_txn *txn) = { make, silence, merge_and_part, unwanted, call_human };
    struct db_options options = { .path = scratch(), .migrations = crm_migrations, .n_migrations = crm_n_migrations };
    scoped(db_close) struct db *db = NULL;

    if (db_open(&options, &db) < 0)
        return 1;
    for (size_t i = 0; i < ELEMENTSOF(scenes); i++) {
        struct scene scene = { .op = { .run = run, .what = "a scene" }, .play = scenes[i] };
        is_int(db_write(db, &scene.op), 0, "a scene is kept");
    }
    return done_testing();
}
