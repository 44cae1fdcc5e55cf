/*
 * test_twilio.c - what Twilio's answers mean for a message
 */
#include "services/whatsapp/twilio.h"

#include <errno.h>
#include <string.h>

#include "services/http_client.h"
#include "tap.h"

enum { NOW_S = 1692853305 }; /* Thu, 24 Aug 2023 05:01:45 +0000 */

#define MESSAGE(sid, body, date) \
    "{\"sid\":\"" sid "\",\"status\":\"delivered\",\"body\":\"" body "\",\"date_created\":\"" date "\"}"
#define THEN "Thu, 24 Aug 2023 05:01:45 +0000"
#define BEFORE "Thu, 24 Aug 2023 04:01:45 +0000"

static const struct {
    const char *what;
    bool is_look;
    int r;
    unsigned status;
    const char *body;
    bool was_sent;
    int64_t retry_after_ms;
    enum outcome_kind want;
    uint64_t want_wait_ms;
    const char *want_error; /* a part of it */
    size_t n_found;
} rows[] = {
    { "taken", false, 0, 201, "{\"sid\":\"SM1\",\"status\":\"queued\"}", true, 0, OUTCOME_DONE, 0, "", 1 },
    { "taken, in a state nobody knows", false, 0, 201, "{\"sid\":\"SM1\",\"status\":\"dancing\"}", true, 0, OUTCOME_DONE, 0, "", 1 },
    { "taken, it says, without a name", false, 0, 201, "{\"status\":\"queued\"}", true, 0, OUTCOME_UNHEARD, 0, "cannot be read", 0 },
    { "half an answer", false, 0, 201, "{\"sid\":\"SM", true, 0, OUTCOME_UNHEARD, 0, "cannot be read", 0 },
    { "no object", false, 0, 201, "[1]", true, 0, OUTCOME_UNHEARD, 0, "cannot be read", 0 },
    { "nothing", false, 0, 201, NULL, true, 0, OUTCOME_UNHEARD, 0, "cannot be read", 0 },
    { "a name as long as no name is", false, 0, 201,
      "{\"sid\":\"SM111111111111111111111111111111111111111111111111111111111111111111111111111\"}", true, 0, OUTCOME_UNHEARD, 0, "", 0 },
    { "outside the 24 hours", false, -EREMOTEIO, 400, "{\"code\":63016,\"message\":\"x\"}", true, 0, OUTCOME_REJECTED, 0, "63016: the recipient has not written for 24 hours", 0 },
    { "stopped", false, -EREMOTEIO, 400, "{\"code\":21610}", true, 0, OUTCOME_REJECTED, 0, "STOP", 0 },
    { "a wrong key", false, -EREMOTEIO, 401, "{\"code\":20003}", true, 0, OUTCOME_REJECTED, 0, "TWILIO_AUTH_TOKEN", 0 },
    { "too busy", false, -EREMOTEIO, 429, "{\"code\":20429}", true, 7000, OUTCOME_NOT_SENT, 7000, "20429", 0 },
    { "too busy, without a code", false, -EREMOTEIO, 429, "slow down", true, 0, OUTCOME_NOT_SENT, 0, "HTTP 429", 0 },
    { "no more today", false, -EREMOTEIO, 400, "{\"code\":63038}", true, 1000, OUTCOME_NOT_SENT, 14400000, "63038", 0 },
    { "it failed over it", false, -EREMOTEIO, 500, "{\"code\":20500}", true, 0, OUTCOME_BROKEN, 0, "error 20500", 0 },
    { "a proxy failed", false, -EREMOTEIO, 502, "<html>", true, 0, OUTCOME_BROKEN, 0, "HTTP 502", 0 },
    { "an error nobody knows", false, -EREMOTEIO, 400, "{\"code\":29999,\"message\":\"+972501234567\"}", true, 0, OUTCOME_REJECTED, 0, "https://www.twilio.com/docs/errors/29999", 0 },
    { "a code in words", false, -EREMOTEIO, 404, "{\"code\":\"x\"}", true, 0, OUTCOME_REJECTED, 0, "HTTP 404", 0 },
    { "nobody there", false, -ECONNREFUSED, 0, NULL, false, 0, OUTCOME_NOT_SENT, 0, "down", 0 },
    { "no certificate", false, -EPROTO, 0, NULL, false, 0, OUTCOME_NOT_SENT, 0, "down", 0 },
    { "no answer", false, -ETIMEDOUT, 0, NULL, true, 0, OUTCOME_UNHEARD, 0, "down", 0 },
    { "not even connected", false, -ETIMEDOUT, 0, NULL, false, 0, OUTCOME_NOT_SENT, 0, "down", 0 },
    { "broken off", false, -ECONNRESET, 200, NULL, true, 0, OUTCOME_UNHEARD, 0, "down", 0 },
    { "aborted before it left", false, -ECANCELED, 0, NULL, false, 0, OUTCOME_NOT_SENT, 0, "down", 0 },
    { "found", true, 0, 200, "{\"messages\":[" MESSAGE("SM1", "hi", THEN) "]}", true, 0, OUTCOME_DONE, 0, "", 1 },
    { "of two", true, 0, 200, "{\"messages\":[" MESSAGE("SM2", "hi", THEN) "," MESSAGE("SM1", "hi", THEN) "]}", true, 0, OUTCOME_DONE, 0, "", 2 },
    { "other words", true, 0, 200, "{\"messages\":[" MESSAGE("SM1", "ho", THEN) "]}", true, 0, OUTCOME_NOT_FOUND, 0, "", 0 },
    { "an older one", true, 0, 200, "{\"messages\":[" MESSAGE("SM1", "hi", BEFORE) "]}", true, 0, OUTCOME_NOT_FOUND, 0, "", 0 },
    { "a date nobody can read", true, 0, 200, "{\"messages\":[" MESSAGE("SM1", "hi", "now") "]}", true, 0, OUTCOME_DONE, 0, "", 1 },
    { "an empty list", true, 0, 200, "{\"messages\":[]}", true, 0, OUTCOME_NOT_FOUND, 0, "", 0 },
    { "a list of nonsense", true, 0, 200, "{\"messages\":[1,null,{}]}", true, 0, OUTCOME_NOT_FOUND, 0, "", 0 },
    { "no list is not an empty one", true, 0, 200, "{}", true, 0, OUTCOME_BROKEN, 0, "cannot be read", 0 },
    { "nor is half of one", true, 0, 200, "{\"messages\":[", true, 0, OUTCOME_BROKEN, 0, "cannot be read", 0 },
    { "a look that is refused", true, -EREMOTEIO, 401, "{\"code\":20003}", true, 0, OUTCOME_REJECTED, 0, "20003", 0 },
};

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct http_call call = { .r = rows[i].r, .status = rows[i].status, .why = "down", .was_sent = rows[i].was_sent,
                                  .retry_after_ms = rows[i].retry_after_ms, .body = (char *)rows[i].body,
                                  .n_body = rows[i].body ? strlen(rows[i].body) : 0 };
        struct whatsapp_request request = { .text = "hi", .since_ms = NOW_S * (uint64_t)1000 };

        whatsapp_twilio_judge(&call, rows[i].is_look, &request);
        is_int(request.outcome.kind, rows[i].want, rows[i].what);
        is_int((int64_t)request.outcome.retry_after_ms, (int64_t)rows[i].want_wait_ms, "  when");
        ok(strstr(request.outcome.error, rows[i].want_error) && !strstr(request.outcome.error, "+972"), "  why: %s", request.outcome.error);
        is_int((int64_t)request.n_found, (int64_t)rows[i].n_found, "  found");
        if (rows[i].n_found)
            is_str(request.found[0].provider_id, "SM1", "  the oldest first");
    }
    is_str(whatsapp_twilio_explain(63003), "the recipient is not on WhatsApp", "a code is explained");
    ok(whatsapp_twilio_explain(1) == NULL, "one that is not known is not");
    return done_testing();
}
