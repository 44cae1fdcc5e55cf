/*
 * twilio.c - WhatsApp over Twilio's Messages resource
 *
 * Twilio knows no key by which it would tell a second request from a first. So a request goes out once, over a
 * connection of its own, and what became of it is one of: taken, refused, never sent, or not known. Each message's
 * status callback brings our own id back, which says more than a list when the answer was lost; the list of what was
 * sent is the second way to find out.
 */
#include "services/whatsapp/twilio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "config.h"
#include "services/http_client.h"
#include "utils/form.h"
#include "utils/json.h"
#include "utils/text.h"

enum {
    TEXT_MAX = 1600,
    BODY_MAX = 512 * 1024,
    CONNECT_MS = 5000,
    ANSWER_MS = 20000,
    LISTED = 50,
    CLOCKS_DIFFER_MS = 120000,
};

struct twilio {
    struct http_provider *messages;
    char from[ADDRESS_MAX];
    char *callback; /* our URL for states; NULL: Twilio cannot reach us */
};

struct asked {
    struct http_call call; /* first */
    struct whatsapp_request *request;
    bool is_look;
    char *text; /* form, or query */
};

/* --- Twilio's words and ours */

static const struct trouble {
    unsigned code;
    enum outcome_kind kind;
    unsigned wait_s; /* at least */
    const char *text;
} troubles[] = {
    { 14107, OUTCOME_NOT_SENT, 30,    "too many messages in a short time" },
    { 20003, OUTCOME_REJECTED, 0,     "Twilio does not accept TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN; correct them" },
    { 20404, OUTCOME_REJECTED, 0,     "Twilio does not know TWILIO_ACCOUNT_SID; correct it" },
    { 20429, OUTCOME_NOT_SENT, 0,     "Twilio is asked too much at once" },
    { 21211, OUTCOME_REJECTED, 0,     "this is no telephone number" },
    { 21212, OUTCOME_REJECTED, 0,     "TWILIO_WHATSAPP_NUMBER is no telephone number; correct it" },
    { 21606, OUTCOME_REJECTED, 0,     "TWILIO_WHATSAPP_NUMBER does not belong to this account; correct it" },
    { 21610, OUTCOME_REJECTED, 0,     "the recipient has asked not to be written to (STOP)" },
    { 21614, OUTCOME_REJECTED, 0,     "this number cannot get messages" },
    { 21617, OUTCOME_REJECTED, 0,     "it is longer than a message may be" },
    { 21620, OUTCOME_REJECTED, 0,     "the URL of the media is not one that Twilio takes" },
    { 21655, OUTCOME_REJECTED, 0,     "there is no template of that content_sid in this account" },
    { 21656, OUTCOME_REJECTED, 0,     "the variables are not what the template takes" },
    { 30001, OUTCOME_NOT_SENT, 300,   "Twilio's queue is full" },
    { 30003, OUTCOME_REJECTED, 0,     "the recipient cannot be reached" },
    { 30005, OUTCOME_REJECTED, 0,     "the recipient is not known" },
    { 30007, OUTCOME_REJECTED, 0,     "it was filtered as unwanted" },
    { 30008, OUTCOME_REJECTED, 0,     "it was not delivered, for no reason that is known" },
    { 63001, OUTCOME_REJECTED, 0,     "WhatsApp does not accept the account; look at the sender in the Twilio console" },
    { 63003, OUTCOME_REJECTED, 0,     "the recipient is not on WhatsApp" },
    { 63005, OUTCOME_REJECTED, 0,     "WhatsApp refuses the content" },
    { 63006, OUTCOME_REJECTED, 0,     "WhatsApp cannot show the content" },
    { 63007, OUTCOME_REJECTED, 0,     "TWILIO_WHATSAPP_NUMBER is no WhatsApp sender of this account; set the sender up in the Twilio console" },
    { 63009, OUTCOME_BROKEN,   60,    "WhatsApp failed over it" },
    { 63010, OUTCOME_BROKEN,   60,    "Twilio failed over it" },
    { 63012, OUTCOME_BROKEN,   60,    "WhatsApp failed over it" },
    { 63013, OUTCOME_REJECTED, 0,     "WhatsApp refuses a variable: empty, with a line end, or with over four blanks in a row" },
    { 63014, OUTCOME_REJECTED, 0,     "the recipient has blocked this number" },
    { 63015, OUTCOME_REJECTED, 0,     "the recipient has not joined the sandbox; let him send it the join words" },
    { 63016, OUTCOME_REJECTED, 0,     "the recipient has not written for 24 hours; only an approved template may be sent now" },
    { 63017, OUTCOME_NOT_SENT, 60,    "too many messages in a short time" },
    { 63018, OUTCOME_NOT_SENT, 60,    "too many messages in a short time" },
    { 63019, OUTCOME_REJECTED, 0,     "Twilio could not fetch the media; see whether its URL is open to all and its type right" },
    { 63020, OUTCOME_REJECTED, 0,     "the business has not accepted Twilio's invitation; do so in Meta's Business Manager" },
    { 63021, OUTCOME_REJECTED, 0,     "the template is too long with these variables" },
    { 63024, OUTCOME_REJECTED, 0,     "the recipient cannot get WhatsApp messages" },
    { 63026, OUTCOME_NOT_SENT, 600,   "WhatsApp takes it for unwanted" },
    { 63027, OUTCOME_REJECTED, 0,     "there is no such template in that language" },
    { 63028, OUTCOME_REJECTED, 0,     "the template takes another number of variables" },
    { 63031, OUTCOME_REJECTED, 0,     "it would be sent to ourselves" },
    { 63032, OUTCOME_REJECTED, 0,     "WhatsApp does not deliver to this recipient" },
    { 63033, OUTCOME_REJECTED, 0,     "the recipient has blocked this number" },
    { 63034, OUTCOME_REJECTED, 0,     "the media is too large for WhatsApp" },
    { 63038, OUTCOME_NOT_SENT, 14400, "the account may send no more messages today" },
    { 63040, OUTCOME_REJECTED, 0,     "WhatsApp has rejected the template; look at it in the Twilio console" },
    { 63041, OUTCOME_REJECTED, 0,     "WhatsApp has paused the template; look at it in the Twilio console" },
    { 63042, OUTCOME_REJECTED, 0,     "WhatsApp has disabled the template; look at it in the Twilio console" },
    { 63049, OUTCOME_REJECTED, 0,     "WhatsApp does not deliver to this recipient" },
    { 63051, OUTCOME_REJECTED, 0,     "WhatsApp has locked the sender; look at it in the Twilio console" },
};

static const struct trouble *trouble_of(unsigned code)
{
    for (size_t i = 0; i < ELEMENTSOF(troubles); i++)
        if (troubles[i].code == code)
            return &troubles[i];
    return NULL;
}

const char *whatsapp_twilio_explain(unsigned code)
{
    const struct trouble *trouble = trouble_of(code);

    return trouble ? trouble->text : NULL;
}

/* --- answers */

static void end(struct whatsapp_request *request, enum outcome_kind kind, const char *error)
{
    request->outcome.kind = kind;
    (void)text_set(request->outcome.error, sizeof(request->outcome.error), error);
}

/* No answer: it matters whether anything had left. */
static void judge_silence(const struct http_call *call, struct whatsapp_request *request)
{
    bool is_nothing = !call->was_sent && !call->status;

    end(request, is_nothing ? OUTCOME_NOT_SENT : OUTCOME_UNHEARD, "");
    (void)snprintf(request->outcome.error, sizeof(request->outcome.error), "Twilio does not answer: %s", call->why);
}

static void judge_refusal(const struct http_call *call, struct json_object *json, struct whatsapp_request *request)
{
    unsigned code = (unsigned)json_get_int(json, "code");
    const struct trouble *trouble = trouble_of(code);
    enum outcome_kind kind = trouble              ? trouble->kind
                             : call->status == 429 ? OUTCOME_NOT_SENT
                             : call->status >= 500 || call->status == 408 ? OUTCOME_BROKEN
                                                                          : OUTCOME_REJECTED;

    end(request, kind, "");
    request->outcome.retry_after_ms = (uint64_t)call->retry_after_ms;
    if (trouble) {
        if (trouble->wait_s * (uint64_t)1000 > request->outcome.retry_after_ms)
            request->outcome.retry_after_ms = trouble->wait_s * (uint64_t)1000;
        (void)snprintf(request->outcome.error, sizeof(request->outcome.error), "%u: %s", code, trouble->text);
    } else if (code) {
        (void)snprintf(request->outcome.error, sizeof(request->outcome.error),
                       "Twilio refuses it with error %u (HTTP %u); see https://www.twilio.com/docs/errors/%u", code,
                       call->status, code);
    } else {
        (void)snprintf(request->outcome.error, sizeof(request->outcome.error), "Twilio refuses it with HTTP %u", call->status);
    }
}

static void add_found(struct whatsapp_request *request, struct json_object *message)
{
    const char *sid = json_get_text(message, "sid") ?: "", *name = json_get_text(message, "status") ?: "";
    int status = message_status_parse(name, strlen(name));

    if (!sid[0] || strlen(sid) >= ADDRESS_MAX || request->n_found == WHATSAPP_FOUND_MAX)
        return;
    (void)text_set(request->found[request->n_found].provider_id, ADDRESS_MAX, sid);
    request->found[request->n_found++].status = status < 0 ? MESSAGE_QUEUED : (enum message_status)status;
}

/* "Thu, 24 Aug 2023 05:01:45 +0000"; 0 cannot be read. */
static uint64_t read_date(const char *text)
{
    struct tm tm = { 0 };
    const char *rest = text ? strptime(text, "%a, %d %b %Y %H:%M:%S", &tm) : NULL;
    time_t seconds = rest ? timegm(&tm) : 0;

    return seconds > 0 ? (uint64_t)seconds * 1000 : 0;
}

/* Ours has the same text, and is no older than the attempt. What Twilio makes of a template is not known here. */
static bool may_be(const struct whatsapp_request *request, struct json_object *message)
{
    uint64_t created_ms = read_date(json_get_text(message, "date_created"));
    const char *n_media = json_get_text(message, "num_media") ?: "0";

    return (request->content_sid || (strcmp(json_get_text(message, "body") ?: "", request->text) == 0 &&
                                     (strcmp(n_media, "0") != 0) == (request->media_url != NULL))) &&
           (!created_ms || created_ms + CLOCKS_DIFFER_MS >= request->since_ms);
}

static void judge_list(struct json_object *json, struct whatsapp_request *request)
{
    struct json_object *messages = NULL;

    if (!json || !json_object_object_get_ex(json, "messages", &messages) || !json_object_is_type(messages, json_type_array)) {
        end(request, OUTCOME_BROKEN, "Twilio's list of messages cannot be read");
        return;
    }
    for (size_t i = json_object_array_length(messages); i-- > 0;) {
        struct json_object *message = json_object_array_get_idx(messages, i);
        if (json_object_is_type(message, json_type_object) && may_be(request, message))
            add_found(request, message);
    }
    end(request, request->n_found ? OUTCOME_DONE : OUTCOME_NOT_FOUND, "");
}

void whatsapp_twilio_judge(const struct http_call *call, bool is_look, struct whatsapp_request *request)
{
    scoped(json_object_put) struct json_object *json = NULL;

    request->outcome = (struct outcome){ 0 };
    request->n_found = 0;
    if (call->body && json_parse(call->body, call->n_body, &json) == 0 && !json_object_is_type(json, json_type_object))
        json_object_put(steal(&json));
    if (call->r == -EREMOTEIO) {
        judge_refusal(call, json, request);
    } else if (call->r < 0) {
        judge_silence(call, request);
    } else if (is_look) {
        judge_list(json, request);
    } else {
        if (json)
            add_found(request, json);
        end(request, request->n_found ? OUTCOME_DONE : OUTCOME_UNHEARD,
            request->n_found ? "" : "Twilio's answer cannot be read");
    }
}

static void on_answer(struct http_call *call)
{
    struct asked *asked = (struct asked *)call;

    whatsapp_twilio_judge(call, asked->is_look, asked->request);
    asked->request->on_end(asked->request);
}

/* --- requests */

static void write_address(FILE *out, const char *name, const char *address)
{
    char full[ADDRESS_MAX + sizeof("whatsapp:")];

    (void)snprintf(full, sizeof(full), "%s%s", strncmp(address, "whatsapp:", 9) == 0 ? "" : "whatsapp:", address);
    form_write(out, name, full);
}

static void write_message(FILE *out, const struct twilio *twilio, const struct whatsapp_request *request)
{
    char callback[2048];

    write_address(out, "To", request->to);
    form_write(out, "From", twilio->from);
    if (request->content_sid)
        form_write(out, "ContentSid", request->content_sid);
    else if (request->text[0])
        form_write(out, "Body", request->text);
    if (request->content_sid && request->content_variables)
        form_write(out, "ContentVariables", request->content_variables);
    if (!request->content_sid && request->media_url)
        form_write(out, "MediaUrl", request->media_url);
    if (twilio->callback) {
        (void)snprintf(callback, sizeof(callback), "%s?message=%s", twilio->callback, request->message_id);
        form_write(out, "StatusCallback", callback);
    }
}

static void write_query(FILE *out, const struct twilio *twilio, const struct whatsapp_request *request)
{
    char n[16];

    write_address(out, "To", request->to);
    form_write(out, "From", twilio->from);
    (void)snprintf(n, sizeof(n), "%d", LISTED);
    form_write(out, "PageSize", n);
}

static void ask(struct twilio *twilio, struct whatsapp_request *request, bool is_look)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    size_t n = 0;
    FILE *out = asked ? open_memstream(&asked->text, &n) : NULL;

    if (out)
        (is_look ? write_query : write_message)(out, twilio, request);
    if (!out || fclose(out) != 0) {
        free(asked ? asked->text : NULL);
        free(asked);
        end(request, OUTCOME_NOT_SENT, "out of memory");
        request->on_end(request);
        return;
    }
    asked->request = request;
    asked->is_look = is_look;
    asked->call = (struct http_call){
        .provider = twilio->messages,
        .query = is_look ? asked->text : NULL,
        .content = asked->text,
        .n_content = n,
        .content_type = is_look ? NULL : "application/x-www-form-urlencoded",
        .is_repeatable = is_look,
        .is_once = !is_look,
        .first_byte_ms = ANSWER_MS,
        .stall_ms = ANSWER_MS,
        .total_ms = ANSWER_MS,
        .body_max = BODY_MAX,
        .done = on_answer,
    };
    request->state = asked;
    http_start(&asked->call);
}

static void send_message(void *state, struct whatsapp_request *request)
{
    ask(state, request, false);
}

static void look(void *state, struct whatsapp_request *request)
{
    ask(state, request, true);
}

static void abort_request(struct whatsapp_request *request)
{
    struct asked *asked = request->state;

    http_abort(&asked->call);
}

static void release(struct whatsapp_request *request)
{
    struct asked *asked = request->state;

    free(asked->call.body);
    free(asked->text);
    free(asked);
}

/* --- opening */

static void close_twilio(void *state)
{
    struct twilio *twilio = state;

    http_provider_free(twilio->messages);
    free(twilio->callback);
    free(twilio);
}

static int open_provider(const struct config *config, struct http_client *client, struct twilio *twilio)
{
    scoped(free) char *base = NULL;

    if (asprintf(&base, "%s/2010-04-01/Accounts/%s", config->twilio_base_url, config->twilio_account_sid) < 0)
        return -ENOMEM;
    if (config->public_host &&
        asprintf(&twilio->callback, "https://%s/webhook/whatsapp/status", config->public_host) < 0) {
        twilio->callback = NULL;
        return -ENOMEM;
    }
    (void)snprintf(twilio->from, sizeof(twilio->from), "whatsapp:%s", config->twilio_whatsapp_number);
    return http_provider_new(client,
                             &(struct http_provider_options){ .base_url = base,
                                                              .path = "Messages.json",
                                                              .user = config->twilio_account_sid,
                                                              .key = config->twilio_auth_token,
                                                              .connect_ms = CONNECT_MS },
                             &twilio->messages);
}

static int open_twilio(const struct config *config, struct http_client *client, void **ret_state)
{
    if (!config->twilio_whatsapp_number)
        return -ENOENT;

    struct twilio *twilio = calloc(1, sizeof(*twilio));
    int r = twilio ? open_provider(config, client, twilio) : -ENOMEM;
    if (r < 0) {
        if (twilio)
            close_twilio(twilio);
        return r;
    }
    *ret_state = twilio;
    return 0;
}

const struct whatsapp_ops whatsapp_twilio_ops = {
    .name = "twilio",
    .capabilities = { .text_max = TEXT_MAX, .can_look = true, .has_window = true, .fetches_media = true },
    .open = open_twilio,
    .close = close_twilio,
    .send = send_message,
    .look = look,
    .abort = abort_request,
    .release = release,
};
