#pragma once
/*
 * google_token.h - what is shown to Google: an access token, kept fresh
 *
 * A thread of its own has it from the service account's token endpoint, and the next one five minutes before its end.
 * While there is none (the start, an endpoint that fails), a token that we signed ourselves takes its place, which
 * Text-to-Speech accepts too: so there always is one, and nobody waits for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/google_lease.h"
#include "utils/scoped.h"

struct config;
struct google_token;
struct http_client;

/*
 * By GOOGLE_TTS_SA_JSON, or the file that GOOGLE_APPLICATION_CREDENTIALS names; asks for the first token.
 *
 * Errors: -EINVAL the account cannot be used, -EACCES in production others may read its file, -errno of the file: all
 *         logged with what to do; -ENOMEM.
 */
int google_token_open(const struct config *config, struct http_client *client, struct google_token **ret_token);
void google_token_close(struct google_token *token); /* before the client; NULL is fine */
SCOPED_PTR(struct google_token, google_token_close)

/*
 * Copy the token of now: the bearer of a request.
 *
 * Shape:  letters, digits, dots and the like; a request keeps its own, for google_token_refused().
 * Thread: any; never waits for the network, never allocates.
 */
void google_token_get(struct google_token *token, char ret_bearer[GOOGLE_TOKEN_MAX]);

/* The bearer was answered by 401: it is not given out again where there is another, and another one is asked for, once. */
void google_token_refused(struct google_token *token, const char *bearer); /* thread: any, as above */

struct google_token_stats {
    uint64_t n_asked, n_failed;
    bool is_self_signed; /* what google_token_get() gives now */
};
void google_token_stats(struct google_token *token, struct google_token_stats *ret_stats); /* any thread */
