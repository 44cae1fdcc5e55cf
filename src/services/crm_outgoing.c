/*
 * crm_outgoing.c - a message that somebody at the desk, or a program, wants written
 *
 * Whoever has written to us may be answered in free words for a day; from then on WhatsApp takes only a template that
 * was approved. Whether the day is over is decided here, in the transaction that writes the message, less a margin for
 * the way of the message.
 */
#include "services/crm.h"

#include <errno.h>
#include <string.h>

#include "services/crm_internal.h"
#include "services/crm_links.h"
#include "services/crm_store.h"
#include "utils/json.h"

enum { MINUTE_MS = 60 * 1000, WINDOW_MS = 24 * 60 * MINUTE_MS, MARGIN_MS = 5 * MINUTE_MS };

enum { IS_OPEN = 1, TOO_OLD };

static int look_at_message(struct json_object *json, void *arg)
{
    const uint64_t *since_ms = arg;

    if ((uint64_t)json_get_int(json, "created_ms") < *since_ms)
        return TOO_OLD;
    return strcmp(json_get_text(json, "direction") ?: "", "in") == 0 &&
                   strcmp(json_get_text(json, "channel") ?: "", "whatsapp") == 0
               ? IS_OPEN
               : 0;
}

static int is_window_open(struct db_txn *txn, const char *person, uint64_t now_ms)
{
    uint64_t since_ms = now_ms > WINDOW_MS - MARGIN_MS ? now_ms - (WINDOW_MS - MARGIN_MS) : 0;
    int r = store_each_message_of(txn, person, look_at_message, &since_ms);

    return r < 0 ? r : r == IS_OPEN;
}

/* The number of whoever is meant: it is one, or he is known by an id. */
static int find_address(struct db_txn *txn, const struct crm_letter *letter, char ret_address[ADDRESS_MAX])
{
    scoped(contact_done) struct contact contact = { 0 };
    char address[ADDRESS_MAX] = "";

    if (phone_normalise(letter->to, letter->country, ret_address) == 0)
        return 0;
    int r = crm_is_id(letter->to, CONTACT_ID_MAX) ? crm_contact_get(txn, letter->to, &contact) : -ENOENT;
    if (r < 0)
        return r;
    crm_number_of(&contact, address);
    if (!address[0])
        return -EDESTADDRREQ;
    memcpy(ret_address, address, ADDRESS_MAX);
    return 0;
}

/* What is answered was written to or by the same person. */
static int check_answered(struct db_txn *txn, const struct message *message, const char *person)
{
    scoped(message_release) struct message answered = { 0 };
    char other[CONTACT_ID_MAX];
    int r = store_get_message(txn, message->reply_to, &answered);

    if (r == 0)
        r = links_person(txn, answered.contact_id, other);
    return r == -ENOENT || (r == 0 && strcmp(other, person) != 0) ? -ENOMSG : r;
}

int crm_message_write(struct db_txn *txn, const struct crm_letter *letter, struct message *message)
{
    scoped(contact_done) struct contact contact = { 0 };
    char person[CONTACT_ID_MAX];
    int r = find_address(txn, letter, message->address);

    if (r == 0)
        r = crm_find_or_make_contact(txn, message->address, message->created_ms, &contact);
    if (r == 0)
        r = links_person(txn, contact.id, person);
    if (r < 0)
        return r;
    memcpy(message->contact_id, contact.id, sizeof(message->contact_id));
    if (letter->has_window && !message->content_sid[0]) {
        r = is_window_open(txn, person, message->created_ms);
        if (r <= 0)
            return r < 0 ? r : -ETIME;
    }
    r = message->reply_to[0] ? check_answered(txn, message, person) : 0;
    if (r == 0)
        r = crm_save_contact(txn, &contact, "", message->created_ms);
    return r < 0 ? r : crm_message_send(txn, message);
}
