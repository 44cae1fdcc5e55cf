/*
 * fuzz_outgoing.c - what providers and models answer to what is owed
 *
 * The first byte says what the rest is: m a message's answer of Twilio's, l a list's, s a model's summary, p words for
 * others, with a NUL between them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "services/crm_paraphrase.h"
#include "services/crm_summary.h"
#include "services/http_client.h"
#include "services/whatsapp/twilio.h"
#include "utils/utf8.h"

static const struct summary_field fields[] = { { "need", "", false }, { "name", "", false }, { "callback", "", true } };

static void judge(char *body, size_t n, bool is_look)
{
    static const struct {
        int r;
        unsigned status;
    } ends[] = { { 0, 201 }, { -EREMOTEIO, 400 }, { -EREMOTEIO, 503 } };

    for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
        struct http_call call = { .r = ends[i].r, .status = ends[i].status, .why = "", .was_sent = true, .body = body, .n_body = n };
        struct whatsapp_request request = { .text = "hi", .since_ms = 1000 };

        whatsapp_twilio_judge(&call, is_look, &request);
        bool is_done = request.outcome.kind == OUTCOME_DONE;
        if (is_done != (request.n_found > 0) || request.n_found > WHATSAPP_FOUND_MAX || (is_done && !request.found[0].provider_id[0]))
            abort();
        if (ends[i].r < 0 && is_done)
            abort();
    }
}

static void sum_up(const char *text)
{
    struct summary summary = { .fields = NULL };

    if (summary_read(text, fields, ELEMENTSOF(fields), &summary) < 0)
        return;
    if (!summary.text[0] || strpbrk(summary.text, "\r\n\t") || !utf8_valid(summary.text, strlen(summary.text)))
        abort();
    summary_done(&summary);
}

static void reword(const char *text, const char *words)
{
    if (text[strspn(text, " \t\r\n")] && !crm_paraphrase_holds(text, text))
        abort();
    if (crm_paraphrase_holds(text, words) && strpbrk(text, "0123456789") && !strpbrk(words, "0123456789"))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    char *text = calloc(n + 1, 1); /* with a NUL behind it and one behind that */
    memcpy(text, data + 1, n - 1);
    switch (data[0]) {
    case 'm':
    case 'l':
        judge(text, n - 1, data[0] == 'l');
        break;
    case 's':
        sum_up(text);
        break;
    default:
        reword(text, strlen(text) < n - 1 ? text + strlen(text) + 1 : "");
        break;
    }
    free(text);
    return 0;
}
