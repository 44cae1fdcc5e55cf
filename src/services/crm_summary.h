#pragma once
/* crm_summary.h - what a call came to, as a chat model puts it: what it is asked, what of its answer is believed */

#include "db.h"
#include "models/call.h"
#include "services/profile.h"

enum { SUMMARY_MAX = 1200, SUMMARY_TURNS_MAX = 24 * 1024 /* bytes of what was said */ };

/* What is wanted beside the summary: the profile's fields, each once. */
enum { SUMMARY_FIELDS_MAX = PROFILE_QUESTIONS_MAX };

struct summary_field {
    const char *name;
    const char *question; /* as the caller is asked */
    bool is_number;       /* of a telephone */
};
size_t summary_fields(const struct profile *profile, struct summary_field ret_fields[SUMMARY_FIELDS_MAX]);

/* What of an answer can be believed by itself: a text, and values of those fields. */
struct summary {
    char text[SUMMARY_MAX];
    struct json_object *fields; /* object: name -> text; owned */
};
void summary_done(struct summary *summary);
static inline void scoped_summary_done(struct summary *summary)
{
    summary_done(summary);
}

/* Values that are no text, too long, or of no field are left out. Errors: -EBADMSG no JSON object, or no summary; -ENOMEM. */
int summary_read(const char *answer, const struct summary_field *fields, size_t n_fields, struct summary *ret_summary);

/* --- in the store; errors as in crm.h */

/* The call ended: its summary is owed, if the caller said anything. Returns: 0; 1 there is nothing to sum up. */
int crm_summary_owe(struct db_txn *txn, const char *sid, uint64_t now_ms);

/* Array of {"who","text"}: what was said, the end of it if it is too much. 1: nothing was said, or it is summed up. */
int crm_summary_turns(struct db_txn *txn, const char *sid, struct json_object **ret_turns);

/*
 * Keep it with the call and, as a note of the last one, with its contact. Of the fields only what nobody has said
 * better: what was learnt in the call stays, as does a name that is known; a telephone number has to have been said, and is
 * kept as unconfirmed.
 */
int crm_summary_keep(struct db_txn *txn, const char *sid, const struct summary *summary, const struct summary_field *fields,
                     size_t n_fields, uint64_t now_ms);

/* There is none, and why. */
int crm_summary_fail(struct db_txn *txn, const char *sid, const char *why, uint64_t now_ms);
