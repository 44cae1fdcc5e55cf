#pragma once
/*
 * google_lease.h - when to ask for another access token, and what the answer says
 *
 * No clock and no network of its own; all times are of one clock that never steps. Thread: whoever owns the struct.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GOOGLE_TOKEN_MAX = 4096,      /* with the NUL */
    GOOGLE_TOKEN_LIFE_S = 3600,   /* no token is believed to live longer */
    GOOGLE_TOKEN_EARLY_S = 300,   /* this long before the end another one is asked for */
};

struct google_lease {
    uint64_t until_ms; /* the token may be shown before this; 0: there is none */
    uint64_t due_ms;   /* when to ask for another one; begins as 0, at once */
    uint64_t got_ms;   /* when it came */
    unsigned n_failed; /* in a row */
    bool is_asking;
};

bool google_lease_holds(const struct google_lease *lease, uint64_t now_ms);

/* Whether to ask now: at most one is asking. Returns true once; then one of the next two has to follow. */
bool google_lease_ask(struct google_lease *lease, uint64_t now_ms);
void google_lease_got(struct google_lease *lease, uint64_t now_ms, unsigned life_s);
/* is_final: asking again soon is of no use, somebody has to mend something. */
void google_lease_failed(struct google_lease *lease, uint64_t now_ms, bool is_final);

/* The token was refused where it was shown: it is not shown again, and another one is due, if not asked for too often. */
void google_lease_refused(struct google_lease *lease, uint64_t now_ms);

/*
 * An access token and how long it lives, from the answer of the token endpoint.
 *
 * Errors: -EBADMSG no JSON, no bearer token, one that cannot be sent in a header, or without a life.
 */
int google_lease_read(const char *body, size_t n, char ret_token[GOOGLE_TOKEN_MAX], unsigned *ret_life_s);

/*
 * What a refusal means and what to do about it, for the log.
 *
 * Shape:   what is not known here is named by its error code and by its words, less what could be a token.
 * Returns: whether asking again soon is of no use.
 */
bool google_lease_explain(unsigned status, const char *body, size_t n, char *ret_text, size_t size);
