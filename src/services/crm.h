#pragma once
/*
 * crm.h - calls, their turns, messages and what was learnt; contacts: crm_contacts.h
 *
 * Every function works inside the caller's transaction, so that an event and its effect are one commit.
 * Write functions are for db_op.run(); they change nothing outside the store but what is said here.
 *
 * What comes from outside may come twice and in any order: the same set of callbacks leaves the same rows. Of a call or
 * message that was erased (crm_erase.h) nothing is kept: what is told of it returns 1, and fills nothing in.
 * Errors of all: -EINVAL a sid that is empty or too long; -EUCLEAN a stored row cannot be read; -ENOMEM; those of db.h.
 */

#include "db.h"
#include "models/call.h"
#include "models/contact.h"
#include "models/message.h"
#include "models/turn.h"
#include "services/crm_contacts.h"

/*
 * Keep a new call: finds or makes the contact by call->from, sets contact_id, writes indexes and an event.
 * A caller without a telephone number has no contact until something is learnt from him.
 *
 * Returns: 0 new, also when only callbacks had come before; 1 the call was opened already (a redelivery).
 *          Either way *call is then what is stored; its stream_token is the one to answer with.
 *          call->stream_token (not ""), started_ms, from, to, account_sid and params are the caller's to fill in.
 */
int crm_call_open(struct db_txn *txn, struct call *call, const char *country);

/* ret_call is to be released with call_done(). Errors: -ENOENT. */
int crm_call_get(struct db_txn *txn, const char *sid, struct call *ret_call);

/*
 * A status callback, in any order. The status only moves forward: a lower sequence than one seen (-1: none came)
 * changes no status, and a final one stays. Every param is kept, known or not; of several values the one
 * of the highest sequence. A call that is not known yet is made from params From, To and AccountSid.
 *
 * Returns: 0 kept; 1 nothing in it was new. params is not kept; may be NULL.
 */
int crm_call_status(struct db_txn *txn, const char *sid, enum call_status status, int64_t sequence,
                    struct json_object *params, uint64_t now_ms);

/*
 * A recording callback; kept once per (RecordingSid, RecordingStatus).
 *
 * Returns: 0 kept; 1 it was there. Errors: -EINVAL no RecordingSid.
 */
int crm_call_recording(struct db_txn *txn, const char *sid, struct json_object *params, uint64_t now_ms);

/*
 * The stream began: in-progress. A call that was closed as lost before its stream came goes on: the caller
 * is there, it was the daemon that was restarted between the webhook and the stream.
 *
 * Errors: -ENOENT; -EALREADY the call has ended or was streamed before.
 */
int crm_call_stream(struct db_txn *txn, const char *sid, const char *stream_sid, uint64_t now_ms);

/*
 * What follows the stream. The first decision stays: *after is the wish, and then what counts.
 * forwarded: instead of a stream, not after it.
 *
 * Returns: 0 kept; 1 it was decided before. Errors: -ENOENT.
 */
int crm_call_after(struct db_txn *txn, const char *sid, enum call_after *after, bool forwarded, uint64_t now_ms);

/* How it went with the human who was dialled; the first outcome stays. Returns: 0 kept; 1 there was one. Errors: -ENOENT. */
int crm_call_dial(struct db_txn *txn, const char *sid, struct json_object *params, uint64_t now_ms);

/* The stream ended: completed, with why. Returns: 0; 1 a second end, which changes nothing. Errors: -ENOENT. */
int crm_call_end(struct db_txn *txn, const char *sid, enum call_end end, uint64_t now_ms);

/* Append a turn; its number is the call's n_turns. Errors: -ENOENT. */
int crm_turn_add(struct db_txn *txn, const char *sid, const struct turn *turn);

/* Append a step of the ladder; of those after CALL_STEPS_MAX only the number is kept. Errors: -ENOENT. */
int crm_call_step(struct db_txn *txn, const char *sid, const struct call_step *step);

/*
 * Something learnt in a call: kept with the call and with its contact, which is made here when the caller hid
 * his number. Field "name" sets the contact's name, any other goes to its fields; its stage moves from NEW to
 * QUALIFIED on "callback". An empty value changes nothing.
 *
 * Returns: 0; 1 it was known. Errors: -ENOENT.
 */
int crm_call_learn(struct db_txn *txn, const char *sid, const char *field, const char *value, uint64_t now_ms);

/*
 * What crm_close_lost() closes: every call that is open in the store and nowhere else. One whose stream another process has
 * is open as long as that lives, and lost at once when it died.
 */
struct crm_lost {
    bool (*is_live)(void *user, const char *sid); /* whether it is on a worker of ours; NULL: none is, since we have just started */
    void *user;
    uint64_t quiet_ms; /* only if not heard of for so long; a call that was handed to a human may take longer, too */
    uint64_t now_ms;
    bool sum_up;       /* their summaries are owed */
};

enum { CRM_DIAL_MAX_MS = 4 * 3600 * 1000 }; /* as Twilio is told in <Dial timeLimit> */

/* How many calls each of these generations has a stream of; db.h says who lives. */
int crm_count_streams(struct db_txn *txn, const uint64_t *generations, size_t n, unsigned *ret_counts);

/* Such a call ended when it was last heard of. Returns: how many were closed. */
int crm_close_lost(struct db_txn *txn, const struct crm_lost *lost);

/*
 * As crm_contact_map(), of somebody who is there: the provider's id stays when a person changes his number, so a number
 * that comes with another id than the one it had has passed to another person, and what he wrote before stays where it is.
 */
int crm_contact_pair(struct db_txn *txn, const char *id, const char *number, uint64_t now_ms);

/*
 * Keep a message that came in or was sent: finds or makes the contact by message->address ("whatsapp:+972..."
 * and "+972..." are the same person), sets id, contact_id and address, writes indexes and an event.
 *
 * In:      provider_id, address, direction, channel, status, created_ms; body, media, params may be NULL.
 *          A contact without a name takes params "ProfileName".
 * Returns: 0 new, also when only its status had come before; 1 a redelivery. Either way *message is then what is stored.
 * Errors:  -EINVAL no provider_id or no address.
 */
int crm_message_add(struct db_txn *txn, struct message *message, const char *country);

/*
 * The media of a message that came in, of which is known only now where they are; they are owed from then on. Takes
 * media in any case.
 *
 * Returns: 0; 1 they were known. Errors: -ENOENT; -ENOMEM, also when media is NULL.
 */
int crm_message_media(struct db_txn *txn, const char *provider_id, struct json_object *media, uint64_t now_ms);

/* What a provider says of a message of ours. */
struct message_report {
    const char *provider_id;
    const char *id;     /* ours, which he was told; "" or NULL: he does not say */
    enum message_status status;
    const char *error;  /* a sentence; "" or NULL none */
    struct json_object *params; /* not kept; may be NULL */
    uint64_t now_ms;
};

/*
 * A status callback of a message, in any order: the highest rank wins. One that is not known yet is made.
 *
 * Returns: 0 kept; 1 nothing in it was new.
 */
int crm_message_status(struct db_txn *txn, const struct message_report *report);

/*
 * A message that is to be sent, and the job that sends it. One without an address is kept as failed; error may say why.
 *
 * In: contact_id, address, channel, wording, created_ms, body; call_sid, media, params may be empty; an id that is set is
 * its own, under which files are kept already. Sets the rest.
 */
int crm_message_send(struct db_txn *txn, struct message *message);

/* To whom a message goes that somebody at the desk, or a program, wants written. */
struct crm_letter {
    const char *to;      /* his number, or the id of a contact; who is not known by it is made a contact */
    const char *country; /* of a number without one */
    bool has_window;     /* free words go only to who has written within a day; a template always */
};

/*
 * Write it and its job. In: channel, created_ms, body; media, reply_to, content_sid, variables may be empty.
 *
 * Errors: -ENOENT neither a number nor a contact; -EDESTADDRREQ a contact without a number; -ETIME he has not written
 *         within a day, so that only a template may be sent; -ENOMSG reply_to is no message of his.
 */
int crm_message_write(struct db_txn *txn, const struct crm_letter *letter, struct message *message);

/*
 * The same to the caller of a call, by WhatsApp. One who has no number, or wants no such messages, cannot be written to:
 * the message is kept as failed, with the reason.
 *
 * Returns: 0; 1 just that was written in this call already. Errors: -ENOENT; -EINVAL no text.
 */
int crm_call_message(struct db_txn *txn, const char *sid, const char *text, enum message_wording wording, uint64_t now_ms);

/*
 * For whoever sends it. Errors of all: -ENOENT.
 *
 * owed:     what is to be sent; 1: the provider has it, as he has said by a callback, and there is nothing to do.
 * sent:     he took it, and calls it provider_id.
 * unsent:   he did not: MESSAGE_QUEUED it is tried again, MESSAGE_FAILED never; or who knows, MESSAGE_UNCERTAIN.
 *           1: he has it after all, as above.
 * reworded: these are the words that are sent.
 */
int crm_message_owed(struct db_txn *txn, const char *id, struct message *ret_message);
int crm_message_sent(struct db_txn *txn, const char *id, const char *provider_id, enum message_status status, uint64_t now_ms);
int crm_message_unsent(struct db_txn *txn, const char *id, enum message_status status, const char *error, uint64_t now_ms);
int crm_message_reworded(struct db_txn *txn, const char *id, const char *text, uint64_t now_ms);

bool crm_message_is_known(struct db_txn *txn, const char *provider_id); /* one of ours has it, or it cannot be read */

/* How the caller of a call speaks: the last things he said, one a line, as many as fit. Errors: -ENOENT. */
int crm_call_sample(struct db_txn *txn, const char *sid, char *ret_text, size_t size);

/*
 * A message that failed, or of which nobody knows, is sent again as another one, whose id is given.
 *
 * Errors: -ENOENT; -EALREADY it did not fail, or was sent again before; -EDESTADDRREQ nobody to send it to.
 */
int crm_message_again(struct db_txn *txn, const char *id, uint64_t now_ms, char ret_id[CONTACT_ID_MAX]);

/* What is known of him: his fields, then his last calls, newest first, a line each; cut where there is no more room. */
int crm_known(struct db_txn *txn, const struct contact *contact, char *ret_text, size_t size);
/* His last calls, newest first: how long ago, and what they came to, or the last that was said in them. */
int crm_known_calls(struct db_txn *txn, const struct contact *contact, uint64_t now_ms, char *ret_text, size_t size);
int crm_message_get(struct db_txn *txn, const char *provider_id, struct message *ret_message);
int crm_message_by_id(struct db_txn *txn, const char *id, struct message *ret_message); /* Errors: -ENOENT */

/* A page of JSON, newest first; the shapes of `agentlocator calls --json` and `contacts --json`. */
int crm_calls_page(struct db_txn *txn, size_t max, struct json_object **ret_array);
int crm_contacts_page(struct db_txn *txn, size_t max, struct json_object **ret_array);
int crm_messages_page(struct db_txn *txn, size_t max, struct json_object **ret_array);
/* Those of ours that failed, or of which nobody knows. */
int crm_messages_failed_page(struct db_txn *txn, size_t max, struct json_object **ret_array);
/* As much of a message as a program may know. Errors: -ENOENT. */
int crm_message_view(struct db_txn *txn, const char *id, struct json_object **ret_object);

/*
 * {"conversations":[{"contact_id","name","agent","unread","last"}],"next"} and {"messages":[...],"agent","unread","next"}, newest first;
 * without "next" when there are no more; agent: as crm_agent_name() has it. A page may be short, or empty, with more behind it. after: "next" of the page before, or "".
 *
 * Errors: -EINVAL after; -ENOENT no such contact.
 */
int crm_conversations_page(struct db_txn *txn, const char *after, size_t max, struct json_object **ret_object);
int crm_conversation_page(struct db_txn *txn, const char *contact_id, const char *after, size_t max, struct json_object **ret_object);

/* A call with "turns", "contact" and "latency_ms" of each caller's turn and of all; a contact with "calls" and "messages". Errors: -ENOENT. */
int crm_call_whole(struct db_txn *txn, const char *sid, struct json_object **ret_object);
int crm_contact_whole(struct db_txn *txn, const char *id, struct json_object **ret_object);
