/*
 * test_google_lease.c - when another token is asked for, in virtual time, and what answers say
 */
#include "services/google_lease.h"

#include <errno.h>

#include "tap.h"
#include "utils/scoped.h"

enum { S = 1000 };

/* What happens at a second, and what is so then. */
static const struct step {
    const char *what;
    unsigned at_s;
    enum { NOTHING, GOT, FAILED, FINAL, REFUSED } event;
    unsigned life_s;
    bool asks, holds; /* afterwards; asking begins then */
} steps[] = {
    { "at the start it asks", 100, NOTHING, 0, true, false },
    { "once", 100, NOTHING, 0, false, false },
    { "the answer", 101, GOT, 3600, false, true },
    { "half its life", 1900, NOTHING, 0, false, true },
    { "just not five minutes before the end", 3400, NOTHING, 0, false, true },
    { "five minutes before the end", 3401, NOTHING, 0, true, true },
    { "it failed: the token still holds", 3405, FAILED, 0, false, true },
    { "after a second it asks again", 3406, NOTHING, 0, true, true },
    { "again in vain", 3410, FAILED, 0, false, true },
    { "a second later", 3411, NOTHING, 0, false, true },
    { "two seconds later", 3412, NOTHING, 0, true, true },
    { "somebody has to mend it", 3413, FINAL, 0, false, true },
    { "that takes a minute", 3472, NOTHING, 0, false, true },
    { "by the end of it", 3473, NOTHING, 0, true, true },
    { "it answers, and the next answer is far", 3480, GOT, 3600, false, true },
    { "failures are forgotten", 6780, NOTHING, 0, true, true },
    { "and back off from one second", 6781, FAILED, 0, false, true },
    { "again", 6782, NOTHING, 0, true, true },
    { "no answer for long: seconds before the end it does not hold", 7070, NOTHING, 0, false, false },
    { "until one comes", 7071, GOT, 3600, false, true },
    { "it is refused where it is shown", 8000, REFUSED, 0, true, false },
    { "once more: one asking at a time", 8000, REFUSED, 0, false, false },
    { "another one", 8001, GOT, 3600, false, true },
    { "that is refused at once", 8002, REFUSED, 0, false, false },
    { "is not asked for at once", 8010, NOTHING, 0, false, false },
    { "but soon", 8011, NOTHING, 0, true, false },
    { "a life of a minute", 8012, GOT, 60, false, true },
    { "is half used", 8041, NOTHING, 0, false, true },
    { "before another one is asked for", 8042, NOTHING, 0, true, true },
    { "a life of a second", 8043, GOT, 1, false, true },
    { "does not make it ask without end", 8043, NOTHING, 0, false, true },
    { "it is over soon", 8044, NOTHING, 0, true, false },
    { "a life of a year", 8050, GOT, 31536000, false, true },
    { "is taken for an hour", 8050 + 3299, NOTHING, 0, false, true },
    { "not more", 8050 + 3300, NOTHING, 0, true, true },
};

static void times(void)
{
    struct google_lease lease = { 0 };

    for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
        const struct step *step = &steps[i];
        uint64_t now_ms = (uint64_t)step->at_s * S;

        if (step->event == GOT)
            google_lease_got(&lease, now_ms, step->life_s);
        else if (step->event == FAILED || step->event == FINAL)
            google_lease_failed(&lease, now_ms, step->event == FINAL);
        else if (step->event == REFUSED)
            google_lease_refused(&lease, now_ms);
        bool asks = google_lease_ask(&lease, now_ms), holds = google_lease_holds(&lease, now_ms);
        ok(asks == step->asks && holds == step->holds, "%u s, %s: %s, %s", step->at_s, step->what, asks ? "asks" : "does not ask",
           holds ? "holds" : "holds nothing");
    }
}

static void back_off(void)
{
    static const unsigned waits_s[] = { 1, 2, 4, 8, 16, 32, 60, 60, 60 };
    struct google_lease lease = { 0 };
    uint64_t now_ms = 0;

    for (size_t i = 0; i < ELEMENTSOF(waits_s); i++) {
        (void)google_lease_ask(&lease, now_ms);
        google_lease_failed(&lease, now_ms, false);
        is_int((long long)(lease.due_ms - now_ms), (long long)waits_s[i] * S, "how long after a failure");
        now_ms = lease.due_ms;
    }
    google_lease_refused(&lease, now_ms - 1);
    ok(!google_lease_ask(&lease, now_ms - 1), "a refusal does not shorten it");
}

#define GOOD "\"access_token\":\"ya29.a-b_c\",\"token_type\":\"Bearer\""

static const struct {
    const char *what, *body;
    int r;
    unsigned life_s;
} answers[] = {
    { "Google's", "{\n  \"access_token\": \"ya29.a-b_c\",\n  \"expires_in\": 3599,\n  \"token_type\": \"Bearer\"\n}", 0, 3599 },
    { "bearer in small letters", "{\"access_token\":\"ya29.a-b_c\",\"expires_in\":60,\"token_type\":\"bearer\"}", 0, 60 },
    { "no type", "{\"access_token\":\"ya29.a-b_c\",\"expires_in\":60}", 0, 60 },
    { "a life of a day", "{" GOOD ",\"expires_in\":86400}", 0, 3600 },
    { "a life beyond all numbers", "{" GOOD ",\"expires_in\":99999999999999999999}", 0, 3600 },
    { "no life", "{" GOOD "}", -EBADMSG, 0 },
    { "a life of nothing", "{" GOOD ",\"expires_in\":0}", -EBADMSG, 0 },
    { "a life less than nothing", "{" GOOD ",\"expires_in\":-1}", -EBADMSG, 0 },
    { "no token", "{\"expires_in\":3599,\"token_type\":\"Bearer\"}", -EBADMSG, 0 },
    { "an identity alone", "{\"id_token\":\"x\",\"expires_in\":3599}", -EBADMSG, 0 },
    { "an empty token", "{\"access_token\":\"\",\"expires_in\":3599}", -EBADMSG, 0 },
    { "a token that is a number", "{\"access_token\":7,\"expires_in\":3599}", -EBADMSG, 0 },
    { "a token that ends a header", "{\"access_token\":\"a\\r\\nX: y\",\"expires_in\":3599}", -EBADMSG, 0 },
    { "a token with a NUL", "{\"access_token\":\"a\\u0000b\",\"expires_in\":3599}", -EBADMSG, 0 },
    { "a token of another kind", "{\"access_token\":\"a\",\"expires_in\":3599,\"token_type\":\"mac\"}", -EBADMSG, 0 },
    { "cut short", "{" GOOD ",\"expi", -EBADMSG, 0 },
    { "no JSON", "<html>Sign in</html>", -EBADMSG, 0 },
    { "an array", "[]", -EBADMSG, 0 },
    { "nothing", "", -EBADMSG, 0 },
};

static void answers_are_read(void)
{
    char token[GOOGLE_TOKEN_MAX];

    for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
        unsigned life_s = 0;
        (void)snprintf(token, sizeof(token), "as it was");
        int r = google_lease_read(answers[i].body, strlen(answers[i].body), token, &life_s);
        ok(r == answers[i].r && life_s == answers[i].life_s && strcmp(token, r ? "as it was" : "ya29.a-b_c") == 0, "%s: %d", answers[i].what, r);
    }

    static char body[2 * GOOGLE_TOKEN_MAX];
    for (int n = GOOGLE_TOKEN_MAX - 1; n <= GOOGLE_TOKEN_MAX; n++) {
        unsigned life_s;
        int n_body = snprintf(body, sizeof(body), "{\"access_token\":\"%0*d\",\"expires_in\":9}", n, 0);
        is_int(google_lease_read(body, (size_t)n_body, token, &life_s), n < GOOGLE_TOKEN_MAX ? 0 : -EBADMSG, "as long as may be, and longer");
    }
}

#define GRANT(words) "{\"error\":\"invalid_grant\",\"error_description\":\"" words "\"}"

static const struct {
    unsigned status;
    const char *body, *want;
    bool is_final;
} refusals[] = {
    { 400, GRANT("Invalid JWT Signature."), "invalid_grant: the key was revoked, or is of another account: make another key and set it", true },
    { 400, GRANT("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values "
                 "in the JWT claim."),
      "invalid_grant: this machine's clock is wrong: set it (timedatectl shows it)", true },
    { 400, GRANT("Invalid JWT: Failed audience check."),
      "invalid_grant: token_uri of the key file is not the endpoint's own: download the key again", true },
    { 400, GRANT("Invalid grant: account not found"),
      "invalid_grant: the service account was deleted or disabled: make another one", true },
    { 400, GRANT("Of another kind."),
      "invalid_grant: the service account or its key is not accepted: see IAM, service accounts in the Cloud console", true },
    { 400, "{\"error\":\"invalid_grant\"}",
      "invalid_grant: the service account or its key is not accepted: see IAM, service accounts in the Cloud console", true },
    { 401, "{\"error\":\"invalid_client\",\"error_description\":\"The OAuth client was not found.\"}",
      "invalid_client: the service account is not known or disabled: see IAM, service accounts in the Cloud console", true },
    { 403, "{\"error\":\"org_policy\",\"error_description\":\"Not  here.\\nNot now.\"}",
      "HTTP status 403, org_policy: Not here. Not now.", true },
    { 400, "{\"error\":\"x\",\"error_description\":\"bad assertion eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJ4 sent\"}",
      "HTTP status 400, x: bad assertion sent", true },
    { 403, "{\"error\":{\"code\":403,\"message\":\"no\"}}", "HTTP status 403", true },
    { 403, "<html>", "HTTP status 403", true },
    { 429, "{}", "HTTP status 429", false },
    { 408, NULL, "HTTP status 408", false },
    { 500, "{\"error\":\"internal_failure\"}", "HTTP status 500, internal_failure", false },
    { 503, "", "HTTP status 503", false },
    { 302, "", "HTTP status 302", false },
};

static void refusals_are_explained(void)
{
    char text[256];

    for (size_t i = 0; i < ELEMENTSOF(refusals); i++) {
        const char *body = refusals[i].body;
        bool is_final = google_lease_explain(refusals[i].status, body, body ? strlen(body) : 0, text, sizeof(text));
        is_str(text, refusals[i].want, "a refusal in words");
        is_int(is_final, refusals[i].is_final, is_final ? "somebody has to mend it" : "it may pass");
    }
}

int main(void)
{
    times();
    back_off();
    answers_are_read();
    refusals_are_explained();
    return done_testing();
}
