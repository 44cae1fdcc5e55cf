#pragma once
/*
 * crm_reply.h - who is to be answered by the agent on WhatsApp, what it has to know for it, and what it answers
 *
 * As crm.h says of all its functions. A message that is to be answered has a job in its writer's lane (job_lane_in()), behind
 * whatever makes its words known. What is asked of the store when that begins is asked again when it ends: a reply that
 * nobody wants any more is not written.
 */

#include "db.h"
#include "models/contact.h"
#include "models/message.h"
#include "services/agent.h"
#include "utils/hours.h"

enum reply_when { REPLY_ON, REPLY_CLOSED, REPLY_OFF }; /* always; while nobody is in the office; never */

struct crm_reply_rules {
    enum reply_when when;
    unsigned per_hour; /* replies to one person; he who gets more is no person, or needs one */
    const struct hours *hours;
    const char *own_number; /* of the business; NULL none */
};

enum {
    CRM_REPLY_QUIET_MS = 2000,           /* without another message of his */
    CRM_REPLY_LISTEN_MS = 10 * 1000,     /* a recording comes after its message, and its words after that */
    CRM_REPLY_LATE_MS = 60 * 60 * 1000,  /* what is older is not answered as if it had just come */
    CRM_REPLY_LINES_MAX = 20,
    CRM_REPLY_WORDS_MAX = 1024,
};

/*
 * A message has come in, or one of ours: in the transaction that stores it, once. Heeds what he wishes (wishes.h): no
 * automatic messages, or them again. Returns: 0 an answer is owed; 1 none is.
 */
int crm_reply_owe(struct db_txn *txn, const struct crm_reply_rules *rules, const struct message *message, uint64_t now_ms);

/* A conversation, as far as it is of use. */
struct crm_reply_line {
    bool is_in;
    enum message_author author;
    enum message_kind kind;
    uint64_t at_ms;
    char words[CRM_REPLY_WORDS_MAX];
};

struct crm_reply {
    struct message message; /* the one to be answered: his newest */
    struct contact person;
    struct crm_reply_line lines[CRM_REPLY_LINES_MAX]; /* newest first */
    size_t n_lines;
    char words[CRM_REPLY_WORDS_MAX]; /* all he wrote since he was last answered, a message a line */
    bool is_greeted;                 /* he was written to within a day */
    bool is_thanked;                 /* by the script, within a day: it has asked all it has to ask */
    char asked[MESSAGE_ASKED_MAX];   /* by the script in our last message, within a day; "" nothing */
    unsigned n_asked;                /* how often in a row */
    unsigned n_hour;                 /* our replies within the hour, and since he was released */
};
void crm_reply_done(struct crm_reply *reply); /* what it owns */
static inline void scoped_crm_reply_done(struct crm_reply *reply)
{
    crm_reply_done(reply);
}

/* Returns: 0; 1 that message is not to be answered, or not any more. Errors: -ENOENT it is gone. */
int crm_reply_begin(struct db_txn *txn, const struct crm_reply_rules *rules, const char *message_id, uint64_t now_ms,
                    struct crm_reply *ret_reply);

struct crm_answer {
    const char *text;  /* "" nothing is written */
    const char *asked; /* as in struct message */
    const struct agent_learnt *learnt;
    size_t n_learnt;
    bool to_human;     /* he is left to a human from now on */
    bool needs_human;  /* somebody has to write to him, and the agent goes on meanwhile */
};

/*
 * All that is in the answer, and the job that sends it. Returns: 0; 1 nothing, since it is not wanted any more.
 * Errors: -ENOENT as above.
 */
int crm_reply_keep(struct db_txn *txn, const struct crm_reply_rules *rules, const char *message_id, const struct crm_answer *answer,
                   uint64_t now_ms);
