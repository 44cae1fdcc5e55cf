/*
 * baileys_events.c - what the linked device's program tells, into the store
 *
 * Its events are numbered, and are told again until they are asked for from a later number on. The last number is kept
 * in the transaction of what it told, so that each is in the store once, whoever dies when.
 *
 * A message is known by its chat and its WhatsApp id, since the second is its sender's choice; one of ours by the id
 * alone, which that program made. What the owner writes on his own telephone comes as a message out that nobody owed.
 */
#include "services/whatsapp/baileys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "db.h"
#include "services/crm.h"
#include "services/crm_agent.h"
#include "services/crm_contacts.h"
#include "services/crm_reply.h"
#include "services/media_type.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/log.h"
#include "utils/text.h"

static const char cursor_key[] = "baileys cursor";

/* What the name of an outbox is made of: it goes into a URL and into the cursor. */
static const char name_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

enum { CURSOR_TEXT_MAX = 80, NUMBER_MAX = 16, HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };

static const int64_t last_ms = 253402300799999; /* of the year 9999 */

/* --- the cursor: "SEQ OUTBOX" */

static struct db_bytes key_bytes(void)
{
    return (struct db_bytes){ cursor_key, sizeof(cursor_key) - 1 };
}

int baileys_cursor_get(struct db_txn *txn, struct baileys_cursor *ret_cursor)
{
    struct db_bytes value;
    char text[CURSOR_TEXT_MAX] = "";
    int r = db_get(txn, DB_META, key_bytes(), &value);

    *ret_cursor = (struct baileys_cursor){ 0 };
    if (r == -ENOENT)
        return 0;
    if (r < 0 || value.n >= sizeof(text))
        return r < 0 ? r : -EUCLEAN;
    memcpy(text, value.data, value.n);
    return sscanf(text, "%" SCNu64 " %39s", &ret_cursor->seq, ret_cursor->outbox) == 2 ? 0 : -EUCLEAN;
}

int baileys_cursor_put(struct db_txn *txn, const struct baileys_cursor *cursor)
{
    char text[CURSOR_TEXT_MAX];
    int n = snprintf(text, sizeof(text), "%" PRIu64 " %s", cursor->seq, cursor->outbox);

    return db_put(txn, DB_META, key_bytes(), (struct db_bytes){ text, (size_t)n });
}

struct json_object *baileys_batch(struct json_object *json, struct baileys_cursor *ret_cursor)
{
    const char *outbox = json_get_text(json, "outbox") ?: "";
    struct json_object *events = NULL, *number = NULL;
    int64_t next = json_object_object_get_ex(json, "next", &number) && json_object_is_type(number, json_type_int) ? json_get_int(json, "next") : -1;

    if (!outbox[0] || strlen(outbox) >= sizeof(ret_cursor->outbox) || outbox[strspn(outbox, name_letters)] || next < 0 ||
        !json_object_object_get_ex(json, "events", &events) || !json_object_is_type(events, json_type_array))
        return NULL;
    *ret_cursor = (struct baileys_cursor){ .seq = (uint64_t)next };
    (void)text_set(ret_cursor->outbox, sizeof(ret_cursor->outbox), outbox);
    return events;
}

/* --- times */

/* When that program wrote it down. */
static uint64_t told_ms(struct json_object *event)
{
    int64_t t = json_get_int(event, "t");

    return t > 0 && t <= last_ms ? (uint64_t)t : clock_real_ms();
}

/* When it was sent, unless that is after it came: then it would be the last of its conversation for long. */
static uint64_t sent_ms(struct json_object *event)
{
    int64_t ts = json_get_int(event, "ts");
    uint64_t told = told_ms(event);

    return ts > 0 && ts <= last_ms / 1000 && (uint64_t)ts * 1000 <= told + DAY_MS ? (uint64_t)ts * 1000 : told;
}

/* --- messages */

/* Errors: -EINVAL the event names none. */
static int name_message(struct json_object *event, char ret_name[ADDRESS_MAX])
{
    const char *chat = json_get_text(event, "chat") ?: "", *wa_id = json_get_text(event, "wa_id") ?: "";
    bool is_unread = strcmp(json_get_text(event, "type") ?: "", "undecryptable") == 0; /* its text may come yet */
    char name[2 * ADDRESS_MAX];

    if (!*chat || !*wa_id || strlen(chat) >= ADDRESS_MAX)
        return -EINVAL;
    if (snprintf(name, sizeof(name), "%s %s%s", chat, wa_id, is_unread ? "?" : "") < ADDRESS_MAX) {
        memcpy(ret_name, name, ADDRESS_MAX);
        return 0;
    }
    return baileys_id(wa_id, name) < 0 || snprintf(ret_name, ADDRESS_MAX, "%.30s %s", chat, name) < 0 ? -EINVAL : 0;
}

/* A telephone number when it is known, beside the id that WhatsApp has for him; else that. */
static void set_address(struct json_object *event, struct message *message)
{
    const char *number = json_get_text(event, "pn") ?: "", *chat = json_get_text(event, "chat") ?: "";
    bool is_known = *number && strlen(number) < NUMBER_MAX && strspn(number, "0123456789") == strlen(number);

    if (is_known)
        (void)snprintf(message->address, sizeof(message->address), "+%s", number);
    if (!is_known || address_is_lid(chat))
        (void)text_set(is_known ? message->alias : message->address, ADDRESS_MAX, chat);
}

/* All but the text, as text, so that what we do not know yet is not lost. */
static int read_params(struct json_object *event, struct json_object **ret_params)
{
    scoped(json_object_put) struct json_object *params = json_object_new_object();

    if (!params)
        return -ENOMEM;
    json_object_object_foreach(event, key, value) {
        const char *text = value ? json_object_get_string(value) : NULL;
        bool is_name = strcmp(key, "name") == 0;

        if (text && strcmp(key, "text") != 0 && json_add(params, is_name ? "ProfileName" : key, json_text(text, strlen(text))) < 0)
            return -ENOMEM;
    }
    *ret_params = steal(&params);
    return 0;
}

/* Returns: whether it brings media, and *ret_kind of which kind. */
static bool has_media(struct json_object *event, enum message_kind *ret_kind)
{
    static const struct {
        const char *name;
        enum message_kind kind;
    } types[] = {
        { "image", MESSAGE_IMAGE }, { "video", MESSAGE_VIDEO }, { "audio", MESSAGE_AUDIO },
        { "voice", MESSAGE_AUDIO }, { "document", MESSAGE_DOCUMENT },
    };
    const char *type = json_get_text(event, "type") ?: "";

    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (strcmp(type, types[i].name) == 0) {
            *ret_kind = types[i].kind;
            return true;
        }
    return false;
}

/* [{"type","name","spool"}]; spool is what its file is called there, and comes later. Errors: -ENOMEM. */
static int read_media(const char *mime, const char *file_name, const char *spool, struct json_object **ret_media)
{
    char name[MEDIA_NAME_MAX];
    scoped(json_object_put) struct json_object *media = json_object_new_array();
    struct json_object *item = json_object_new_object();
    const struct {
        const char *key, *value;
    } members[] = { { "type", mime }, { "name", file_name ? name : NULL }, { "spool", spool } };
    int r = media && item ? 0 : -ENOMEM;

    media_safe_name(file_name ?: "", name);

    for (size_t i = 0; r == 0 && i < ELEMENTSOF(members); i++)
        if (members[i].value && *members[i].value)
            r = json_add(item, members[i].key, json_text(members[i].value, strlen(members[i].value)));
    if (r < 0 || json_append(media, json_object_get(item)) < 0)
        r = -ENOMEM;
    json_object_put(item);
    if (r == 0)
        *ret_media = steal(&media);
    return r;
}

/* What it is; anything else is a text. */
static enum message_kind kind_of(struct json_object *event)
{
    static const struct {
        const char *type;
        enum message_kind kind;
    } types[] = {
        { "image", MESSAGE_IMAGE },       { "voice", MESSAGE_AUDIO },    { "audio", MESSAGE_AUDIO },
        { "video", MESSAGE_VIDEO },       { "document", MESSAGE_DOCUMENT }, { "location", MESSAGE_LOCATION },
        { "contact", MESSAGE_CARD },      { "reaction", MESSAGE_REACTION },
    };
    const char *type = json_get_text(event, "type") ?: "";

    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (strcmp(type, types[i].type) == 0)
            return types[i].kind;
    return MESSAGE_TEXT;
}

/* What the owner wrote on his telephone is a human's, and he goes on; what is told only now of long ago says nothing. */
static int note_human(struct db_txn *txn, const struct message *message, uint64_t now_ms)
{
    bool is_news = message->kind != MESSAGE_REACTION && message->contact_id[0] &&
                   now_ms < message->created_ms + HOUR_MS;
    int r = is_news ? crm_agent_silence(txn, message->contact_id, now_ms) : 0;

    return r < 0 ? r : 0;
}

static int owe_reply(struct db_txn *txn, const struct message *message, const struct crm_reply_rules *rules)
{
    int r = crm_reply_owe(txn, rules, message, clock_real_ms());

    return r < 0 ? r : 0;
}

static bool is_same_chat(const struct message *a, const struct message *b)
{
    return strcmp(a->address, b->address) == 0 || (b->alias[0] && strcmp(a->address, b->alias) == 0) ||
           (a->alias[0] && (strcmp(a->alias, b->address) == 0 || strcmp(a->alias, b->alias) == 0));
}

/* chat: "" one of ours. Errors: -ENOENT, also of one in another conversation: an id is its sender's choice. */
static int find_quoted(struct db_txn *txn, const char *chat, const char *wa_id, struct message *message)
{
    scoped(message_release) struct message quoted = { 0 };
    char name[2 * ADDRESS_MAX], normal[ADDRESS_MAX];

    if ((size_t)snprintf(name, sizeof(name), "%s%s%s", chat, *chat ? " " : "", wa_id) >= ADDRESS_MAX)
        return -ENOENT;
    int r = crm_message_get(txn, name, &quoted);
    if (r < 0)
        return r;
    struct message here = *message; /* as it will be stored */
    if (address_normalise(here.address, "", normal) == 0)
        memcpy(here.address, normal, sizeof(normal));
    if (address_normalise(here.alias, "", normal) == 0)
        memcpy(here.alias, normal, sizeof(normal));
    if (!is_same_chat(&quoted, &here))
        return -ENOENT;
    memcpy(message->reply_to, quoted.id, sizeof(message->reply_to));
    return 0;
}

/* The message that it answers, if it is here: of this chat, by either id that he has, or one that we sent. */
static int set_reply_to(struct db_txn *txn, struct json_object *event, struct message *message)
{
    const char *quote = json_get_text(event, "quote") ?: "", *pn = json_get_text(event, "pn") ?: "";
    char other[ADDRESS_MAX + 16];
    int r = *quote ? find_quoted(txn, json_get_text(event, "chat") ?: "", quote, message) : 1;

    (void)snprintf(other, sizeof(other), "%.*s@s.whatsapp.net", NUMBER_MAX, pn);
    if (r == -ENOENT && *pn)
        r = find_quoted(txn, other, quote, message);
    if (r == -ENOENT)
        r = find_quoted(txn, "", quote, message);
    return r == -ENOENT || r > 0 ? 0 : r;
}

static int apply_message(struct db_txn *txn, struct json_object *event, const struct crm_reply_rules *rules)
{
    scoped(message_release) struct message message = { .channel = MESSAGE_WHATSAPP };
    struct json_object *mine = NULL;
    bool is_mine = json_object_object_get_ex(event, "from_me", &mine) && json_object_get_boolean(mine);

    message.direction = is_mine ? MESSAGE_OUT : MESSAGE_IN;
    message.author = is_mine ? AUTHOR_HUMAN : AUTHOR_UNKNOWN;
    message.kind = kind_of(event);
    message.status = is_mine ? MESSAGE_SENT : MESSAGE_RECEIVED;
    message.created_ms = sent_ms(event);
    set_address(event, &message);
    int r = name_message(event, message.provider_id);
    if (r == 0)
        r = set_reply_to(txn, event, &message);
    if (r == 0)
        r = read_params(event, &message.params);
    if (r == 0 && has_media(event, &message.kind))
        r = read_media(json_get_text(event, "mime"), json_get_text(event, "file_name"), NULL, &message.media);
    if (r == 0 && !(message.body = strdup(json_get_text(event, "text") ?: "")))
        r = -ENOMEM;
    if (r == 0)
        r = crm_message_add(txn, &message, "");
    if (r == 0)
        r = is_mine ? note_human(txn, &message, told_ms(event)) : owe_reply(txn, &message, rules);
    return r;
}

/* file null: it could not be fetched, and that is the end of it. */
static int apply_media(struct db_txn *txn, struct json_object *event, const struct crm_reply_rules *rules)
{
    scoped(message_release) struct message message = { 0 };
    struct json_object *media = NULL;
    char name[ADDRESS_MAX];
    const char *file = json_get_text(event, "file");
    int r = name_message(event, name);

    if (r == 0)
        r = crm_message_get(txn, name, &message);
    struct json_object *item = message.media ? json_object_array_get_idx(message.media, 0) : NULL;
    if (r < 0 || json_get_text(item, "spool") || json_get_text(item, "file"))
        return r < 0 ? r : 1; /* it is told again */
    r = read_media(json_get_text(item, "type"), json_get_text(item, "name"), file, &media);
    if (r == 0 && !file)
        r = json_add(json_object_array_get_idx(media, 0), "error", json_object_new_string("the linked device could not fetch it"));
    return r < 0 ? r : crm_message_media(txn, name, media, told_ms(event));
}

/* --- what became of ours */

static void explain(struct json_object *event, char *ret_error, size_t size)
{
    struct json_object *code = NULL;
    const char *text = json_object_object_get_ex(event, "code", &code) && code ? json_object_get_string(code) : "no reason";

    if (strcmp(text, "463") == 0)
        (void)snprintf(ret_error, size, "463: WhatsApp lets the account write to nobody new for now; he has to write first");
    else
        (void)snprintf(ret_error, size, "WhatsApp did not take it: %.128s", text);
}

static int apply_status(struct db_txn *txn, struct json_object *event, const struct crm_reply_rules *rules)
{
    static const struct {
        const char *name;
        enum message_status status;
    } states[] = {
        { "sent", MESSAGE_SENDING },        { "server", MESSAGE_SENT }, { "failed", MESSAGE_FAILED },
        { "delivered", MESSAGE_DELIVERED }, { "read", MESSAGE_READ },   { "played", MESSAGE_READ },
    };
    const char *state = json_get_text(event, "state") ?: "";
    char error[MESSAGE_ERROR_MAX] = "";

    for (size_t i = 0; i < ELEMENTSOF(states); i++) {
        if (strcmp(states[i].name, state) != 0)
            continue;
        if (states[i].status == MESSAGE_FAILED)
            explain(event, error, sizeof(error));
        return crm_message_status(txn, &(struct message_report){
                                           .provider_id = json_get_text(event, "wa_id") ?: "",
                                           .status = states[i].status,
                                           .error = error,
                                           .now_ms = told_ms(event),
                                       });
    }
    return 1;
}

static int apply_idmap(struct db_txn *txn, struct json_object *event, const struct crm_reply_rules *rules)
{
    const char *lid = json_get_text(event, "lid") ?: "", *pn = json_get_text(event, "pn") ?: "";
    char e164[ADDRESS_MAX];

    (void)snprintf(e164, sizeof(e164), "+%.*s", (int)strspn(pn, "0123456789"), pn);
    return crm_contact_pair(txn, lid, e164, told_ms(event));
}

static const struct {
    const char *kind;
    int (*apply)(struct db_txn *txn, struct json_object *event, const struct crm_reply_rules *rules);
} kinds[] = {
    { "message", apply_message },
    { "media", apply_media },
    { "status", apply_status },
    { "idmap", apply_idmap },
};

int baileys_apply(struct db_txn *txn, struct json_object *event, const struct crm_reply_rules *rules)
{
    const char *kind = json_object_is_type(event, json_type_object) ? json_get_text(event, "k") ?: "" : "";
    int r = 1;

    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            r = kinds[i].apply(txn, event, rules);
    if (r == -EUCLEAN)
        log_limited(LOG_ERR, NULL, "whatsapp: an event (%.16s) is not kept, since a row of the store that it belongs to cannot be read", kind);
    /* that will be no better the next time, and what comes after it is not to wait */
    return r == -EINVAL || r == -ENOENT || r == -EMLINK || r == -EUCLEAN ? 1 : r;
}
