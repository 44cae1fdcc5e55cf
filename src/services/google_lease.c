/*
 * google_lease.c - when to ask for another access token, and what the answer says
 *
 * A token is asked for early, and the one that is held is shown until shortly before its end, whatever happens to the
 * asking: so an endpoint may be away for minutes before anybody notices. A short-lived one is renewed at half its life.
 * Failures are followed by 1, 2, 4... seconds up to a minute; those that somebody has to mend by a minute at once,
 * since he who mends the clock or the account does not start us again.
 */
#include "services/google_lease.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "utils/backoff.h"
#include "utils/json.h"
#include "utils/text.h"

enum {
    BACKOFF_MS = 1000,
    BACKOFF_MAX_MS = 60000,
    MARGIN_MS = 10000, /* a request that is under way when the token ends */
    AGAIN_MS = 10000,  /* between two tokens of which the first was refused */
    WORD_MAX = 40,     /* a longer one in a foreign text could be a secret */
};

bool google_lease_holds(const struct google_lease *lease, uint64_t now_ms)
{
    return now_ms < lease->until_ms;
}

bool google_lease_ask(struct google_lease *lease, uint64_t now_ms)
{
    if (lease->is_asking || now_ms < lease->due_ms)
        return false;
    lease->is_asking = true;
    return true;
}

void google_lease_got(struct google_lease *lease, uint64_t now_ms, unsigned life_s)
{
    uint64_t life_ms = 1000 * (uint64_t)(life_s < GOOGLE_TOKEN_LIFE_S ? life_s : GOOGLE_TOKEN_LIFE_S);
    uint64_t early_ms = life_ms > 2000 * (uint64_t)GOOGLE_TOKEN_EARLY_S ? 1000 * (uint64_t)GOOGLE_TOKEN_EARLY_S : life_ms / 2;
    uint64_t margin_ms = life_ms > 2 * MARGIN_MS ? MARGIN_MS : life_ms / 2;

    *lease = (struct google_lease){ .until_ms = now_ms + life_ms - margin_ms, .due_ms = now_ms + life_ms - early_ms, .got_ms = now_ms };
    if (lease->due_ms < now_ms + BACKOFF_MS)
        lease->due_ms = now_ms + BACKOFF_MS;
}

void google_lease_failed(struct google_lease *lease, uint64_t now_ms, bool is_final)
{
    lease->due_ms = now_ms + (is_final ? (uint64_t)BACKOFF_MAX_MS : backoff_ms(BACKOFF_MS, BACKOFF_MAX_MS, lease->n_failed, 0));
    lease->n_failed++;
    lease->is_asking = false;
}

void google_lease_refused(struct google_lease *lease, uint64_t now_ms)
{
    uint64_t soonest_ms = lease->got_ms + AGAIN_MS;

    lease->until_ms = 0;
    if (!lease->n_failed)
        lease->due_ms = now_ms > soonest_ms ? now_ms : soonest_ms;
}

/* --- answers */

/* What may stand in a header; RFC 6750, 2.1. */
static bool is_bearer(const char *token, size_t n_token)
{
    size_t n = strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");

    return n > 0 && n < GOOGLE_TOKEN_MAX && n == n_token;
}

int google_lease_read(const char *body, size_t n, char ret_token[GOOGLE_TOKEN_MAX], unsigned *ret_life_s)
{
    scoped(json_object_put) struct json_object *json = NULL;
    int r = json_parse(body, n, &json);

    if (r < 0)
        return r;
    char *token = (char *)json_get_text(json, "access_token");
    const char *type = json_get_text(json, "token_type");
    int64_t life_s = json_get_int(json, "expires_in");
    if (!token)
        return -EBADMSG;
    int n_token = json_object_get_string_len(json_object_object_get(json, "access_token"));
    if (is_bearer(token, (size_t)n_token) && life_s > 0 && (!type || strcasecmp(type, "Bearer") == 0)) {
        (void)text_set(ret_token, GOOGLE_TOKEN_MAX, token);
        *ret_life_s = life_s < GOOGLE_TOKEN_LIFE_S ? (unsigned)life_s : GOOGLE_TOKEN_LIFE_S;
    } else {
        r = -EBADMSG;
    }
    explicit_bzero(token, strlen(token));
    return r;
}

/* Most telling first. */
static const struct refusal {
    const char *error, *words; /* all of what is said; NULL anything */
    const char *advice;
    bool is_final;
} refusals[] = {
    { "invalid_grant", "Invalid JWT Signature", "the key was revoked, or is of another account: make another key and set it", true },
    { "invalid_grant", "short-lived token", "this machine's clock is wrong: set it (timedatectl shows it)", true },
    { "invalid_grant", "reasonable timeframe", "this machine's clock is wrong: set it (timedatectl shows it)", true },
    { "invalid_grant", "audience", "token_uri of the key file is not the endpoint's own: download the key again", true },
    { "invalid_grant", "account not found", "the service account was deleted or disabled: make another one", true },
    { "invalid_grant", NULL, "the service account or its key is not accepted: see IAM, service accounts in the Cloud console", true },
    { "invalid_client", NULL, "the service account is not known or disabled: see IAM, service accounts in the Cloud console", true },
    { "unauthorized_client", NULL, "the service account may not ask for tokens: see IAM in the Cloud console", true },
    { "invalid_scope", NULL, "the service account may not ask for this scope: see IAM in the Cloud console", true },
};

/* Foreign text for a line of the log: words of one line, none that could be a secret. */
static void quote(const char *from, char *text, size_t size)
{
    size_t n_used = 0;

    text[0] = '\0';
    while (*from) {
        size_t n = strcspn(from, " \t\r\n");
        bool fits = n > 0 && n <= WORD_MAX && n_used + n + 2 < size;

        for (size_t i = 0; i < n && fits; i++)
            fits = (unsigned char)from[i] >= ' ' && from[i] != 0x7f;
        if (fits) {
            text_add(text, size, &n_used, " ", n_used > 0);
            text_add(text, size, &n_used, from, n);
        }
        from += n + (from[n] != '\0');
    }
}

bool google_lease_explain(unsigned status, const char *body, size_t n, char *ret_text, size_t size)
{
    scoped(json_object_put) struct json_object *json = NULL;
    char code[2 * WORD_MAX], words[4 * WORD_MAX];

    if (body && n)
        (void)json_parse(body, n, &json);
    const char *error = json_get_text(json, "error") ?: "", *description = json_get_text(json, "error_description") ?: "";
    for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
        if (strcmp(error, refusals[i].error) == 0 && (!refusals[i].words || strcasestr(description, refusals[i].words))) {
            (void)snprintf(ret_text, size, "%s: %s", error, refusals[i].advice);
            return refusals[i].is_final;
        }
    quote(error, code, sizeof(code));
    quote(description, words, sizeof(words));
    (void)snprintf(ret_text, size, "HTTP status %u%s%s%s%s", status, code[0] ? ", " : "", code, words[0] ? ": " : "", words);
    return status >= 400 && status < 500 && status != 408 && status != 429;
}
