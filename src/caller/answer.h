#pragma once
/* answer.h - an HTTP/1.1 response, from bytes */

#include <stdbool.h>
#include <stddef.h>

enum { ANSWER_FIELDS_MAX = 64, ANSWER_HEAD_MAX = 32 * 1024, ANSWER_BODY_MAX = 1024 * 1024 };

struct answer {
    int status;
    char *storage; /* the head; names and values point into it */
    struct {
        const char *name, *value; /* as received, value trimmed */
    } fields[ANSWER_FIELDS_MAX];
    size_t n_fields;
    char *body; /* NUL-terminated; n_body is the truth; NULL: none may come */
    size_t n_body;
};

/*
 * Read one response from what has come so far.
 *
 * eof:     nothing more will come; it ends a body that has neither length nor chunks.
 * Returns: how many bytes it took, *ret_answer filled; 0 more is needed.
 * Errors:  -EBADMSG with *ret_why set; -ENOMEM. Interim responses (1xx but 101) are skipped.
 * Owner:   ret_answer is to be released with answer_done().
 */
long answer_parse(const char *bytes, size_t n, bool eof, struct answer *ret_answer, const char **ret_why);
void answer_done(struct answer *answer);

const char *answer_field(const struct answer *answer, const char *name); /* case-insensitive; NULL: none */
bool answer_has_token(const struct answer *answer, const char *name, const char *token); /* in a comma list */
