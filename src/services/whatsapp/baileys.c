/*
 * baileys.c - WhatsApp by a linked device, which a program beside us keeps
 *
 * It listens on a unix socket, and knows each message by an id made from ours: whoever asks twice is told what became
 * of it, and it is sent once. So nothing has to be looked for, and whatever is not heard is asked again.
 */
#include "services/whatsapp/baileys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <openssl/evp.h>

#include "config.h"
#include "services/http_client.h"
#include "utils/json.h"
#include "utils/text.h"

enum { TEXT_MAX = 4096, BODY_MAX = 64 * 1024, CONNECT_MS = 3000, ANSWER_MS = 10000, TRY_LATER_MS = 5000 };

struct baileys {
    struct http_client *client;
    struct http_provider *messages;
    struct baileys_reader *reader;
    struct baileys_forgetter *forgetter;
    struct baileys_feed *feed; /* NULL before start() */
    char *socket;
};

struct asked {
    struct http_call call; /* first */
    struct whatsapp_request *request;
    struct json_object *json;
};

/* --- answers */

static void end(struct whatsapp_request *request, enum outcome_kind kind, const char *error)
{
    request->outcome.kind = kind;
    (void)text_set(request->outcome.error, sizeof(request->outcome.error), error);
}

static void add_found(struct whatsapp_request *request, struct json_object *json)
{
    const char *wa_id = json_get_text(json, "wa_id") ?: "", *state = json_get_text(json, "state") ?: "";

    if (!wa_id[0] || strlen(wa_id) >= ADDRESS_MAX)
        return;
    (void)text_set(request->found[0].provider_id, ADDRESS_MAX, wa_id);
    request->found[0].status = strcmp(state, "failed") == 0 ? MESSAGE_FAILED : MESSAGE_QUEUED; /* events say the rest */
    request->n_found = 1;
}

static void judge_refusal(const struct http_call *call, struct json_object *json, struct whatsapp_request *request)
{
    const char *why = json_get_text(json, "error") ?: "";
    bool is_later = call->status == 429 || call->status == 408 || call->status >= 500;

    end(request, is_later ? OUTCOME_NOT_SENT : OUTCOME_REJECTED, "");
    request->outcome.retry_after_ms = (uint64_t)call->retry_after_ms;
    (void)snprintf(request->outcome.error, sizeof(request->outcome.error), "the linked device does not take it: %.160s (%u)",
                   why, call->status);
}

void baileys_judge(const struct http_call *call, struct whatsapp_request *request)
{
    scoped(json_object_put) struct json_object *json = NULL;

    request->outcome = (struct outcome){ 0 };
    request->n_found = 0;
    if (call->body && json_parse(call->body, call->n_body, &json) == 0 && !json_object_is_type(json, json_type_object))
        json_object_put(steal(&json));
    if (call->r == -EREMOTEIO) {
        judge_refusal(call, json, request);
        return;
    }
    if (call->r == 0)
        add_found(request, json);
    end(request, request->n_found ? OUTCOME_DONE : OUTCOME_NOT_SENT, "");
    if (request->n_found)
        return;
    request->outcome.retry_after_ms = TRY_LATER_MS;
    (void)snprintf(request->outcome.error, sizeof(request->outcome.error),
                   "the linked device's program does not answer at WHATSAPP_SOCKET: %s", call->r ? call->why : "no message in it");
}

static void on_answer(struct http_call *call)
{
    struct asked *asked = (struct asked *)call;

    baileys_judge(call, asked->request);
    asked->request->on_end(asked->request);
}

/* --- requests */

int baileys_id(const char *message_id, char ret_id[BAILEYS_ID_MAX])
{
    unsigned char hash[EVP_MAX_MD_SIZE];

    if (!EVP_Digest(message_id, strlen(message_id), hash, NULL, EVP_sha256(), NULL))
        return -EIO;
    for (size_t i = 0; i < BAILEYS_ID_MAX / 2; i++)
        (void)snprintf(ret_id + 2 * i, 3, "%02x", hash[i]);
    return 0;
}

const char *baileys_bare(const char *address)
{
    if (strncmp(address, "whatsapp:", 9) == 0)
        address += 9;
    return address + (*address == '+');
}

static int add_text(struct json_object *json, const char *key, const char *text)
{
    return json_add(json, key, json_text(text, strlen(text)));
}

/* A recording that is Opus is shown as one that was spoken. */
static const char *kind_of(const char *type)
{
    static const struct {
        const char *prefix, *kind;
    } kinds[] = { { "image/", "image" }, { "video/", "video" }, { "audio/ogg", "voice" }, { "audio/", "audio" } };

    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (strncmp(type, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
            return kinds[i].kind;
    return "document";
}

static int write_file(const struct whatsapp_request *request, struct json_object *json)
{
    const char *kind = kind_of(request->media_type);
    int r = add_text(json, "type", kind);

    if (r == 0)
        r = add_text(json, "file", request->spooled);
    if (r == 0)
        r = add_text(json, "mime", request->media_type);
    if (r == 0 && strcmp(kind, "document") == 0)
        r = add_text(json, "name", *request->media_name ? request->media_name : "document");
    return r;
}

/* "CHAT ID", or the id alone of one that was sent; one that could not be decrypted is shown to nobody. */
static int write_quote(const char *name, struct json_object *json)
{
    const char *blank = strrchr(name, ' '), *id = blank ? blank + 1 : name;

    return strchr(id, '?') ? 0 : add_text(json, "quote", id);
}

static int write_message(const struct whatsapp_request *request, struct json_object *json)
{
    char id[BAILEYS_ID_MAX];
    int r = json ? baileys_id(request->message_id, id) : -ENOMEM;

    if (r == 0)
        r = add_text(json, "id", id);
    if (r == 0)
        r = add_text(json, "to", baileys_bare(request->to));
    if (r == 0 && request->spooled)
        r = write_file(request, json);
    else if (r == 0)
        r = add_text(json, "type", "text");
    if (r == 0 && request->quote)
        r = write_quote(request->quote, json);
    return r < 0 || !*request->text ? r : add_text(json, "text", request->text);
}

static void send_message(void *state, struct whatsapp_request *request)
{
    struct baileys *baileys = state;

    if (request->media_url || request->content_sid) {
        request->outcome = (struct outcome){ 0 };
        end(request, OUTCOME_REJECTED, "a linked device sends words and files; WHATSAPP_PROVIDER=twilio sends URLs and templates");
        request->on_end(request);
        return;
    }
    struct asked *asked = calloc(1, sizeof(*asked));
    const char *content = NULL;
    size_t n = 0;

    if (asked) {
        asked->json = json_object_new_object();
        content = write_message(request, asked->json) == 0 ? json_print(asked->json, &n) : NULL;
    }
    request->state = asked;
    if (!content) {
        end(request, OUTCOME_NOT_SENT, "out of memory");
        request->on_end(request);
        return;
    }
    asked->request = request;
    asked->call = (struct http_call){
        .provider = baileys->messages,
        .content = content,
        .n_content = n,
        .content_type = "application/json",
        .is_repeatable = true,
        .first_byte_ms = ANSWER_MS,
        .stall_ms = ANSWER_MS,
        .total_ms = ANSWER_MS,
        .body_max = BODY_MAX,
        .done = on_answer,
    };
    http_start(&asked->call);
}

static void abort_request(struct whatsapp_request *request)
{
    struct asked *asked = request->state;

    if (asked->request)
        http_abort(&asked->call);
}

static void release(struct whatsapp_request *request)
{
    struct asked *asked = request->state;

    free(asked->call.body);
    json_object_put(asked->json);
    free(asked);
}

/* --- opening */

static void close_baileys(void *state)
{
    struct baileys *baileys = state;

    baileys_feed_free(baileys->feed);
    baileys_reader_free(baileys->reader);
    baileys_forgetter_free(baileys->forgetter);
    http_provider_free(baileys->messages);
    free(baileys->socket);
    free(baileys);
}

static int open_baileys(const struct config *config, struct http_client *client, void **ret_state)
{
    struct baileys *baileys = calloc(1, sizeof(*baileys));
    int r = -ENOMEM;

    if (baileys && (baileys->socket = strdup(config->whatsapp_socket)))
        r = http_provider_new(client,
                              &(struct http_provider_options){ .base_url = "http://baileys",
                                                               .path = "messages",
                                                               .unix_socket = baileys->socket,
                                                               .connect_ms = CONNECT_MS },
                              &baileys->messages);
    if (r == 0)
        r = baileys_reader_new(client, baileys->socket, &baileys->reader);
    if (r == 0)
        r = baileys_forgetter_new(client, baileys->socket, &baileys->forgetter);
    if (r < 0) {
        if (baileys)
            close_baileys(baileys);
        return r;
    }
    baileys->client = client;
    *ret_state = baileys;
    return 0;
}

static int start(void *state, struct db *db, const struct crm_reply_rules *rules)
{
    struct baileys *baileys = state;

    const struct baileys_feed_options options = { db, rules, baileys->client, baileys->socket };
    int r = baileys->feed ? 0 : baileys_feed_new(&options, &baileys->feed);

    baileys_forgetter_start(baileys->forgetter);
    return r ?: baileys_feed_start(baileys->feed);
}

static void stop(void *state)
{
    struct baileys *baileys = state;

    baileys_reader_stop(baileys->reader);
    baileys_forgetter_stop(baileys->forgetter);
    if (baileys->feed)
        baileys_feed_stop(baileys->feed);
}

static void tell_read(void *state, const struct crm_reading *reading)
{
    struct baileys *baileys = state;

    baileys_reader_tell(baileys->reader, reading);
}

static int forget(void *state, const char *address, uint64_t before_ms)
{
    struct baileys *baileys = state;

    return baileys_forget(baileys->forgetter, address, before_ms);
}

static const struct json_field stats_fields[] = {
    JSON_FIELD(struct baileys_stats, state, JSON_CHARS),
    { "there", JSON_BOOL, offsetof(struct baileys_stats, is_there), 0, NULL },
    JSON_FIELD(struct baileys_stats, error, JSON_CHARS),
    { "events", JSON_U64, offsetof(struct baileys_stats, n_events), 0, NULL },
    { "failed", JSON_U64, offsetof(struct baileys_stats, n_failed), 0, NULL },
    JSON_FIELD(struct baileys_stats, restricted_until_ms, JSON_U64),
};

static int describe(void *state, struct json_object *status)
{
    struct baileys *baileys = state;
    struct baileys_stats stats = { 0 };

    if (baileys->feed)
        baileys_feed_stats(baileys->feed, &stats);
    return json_add(status, "device", json_write(stats_fields, ELEMENTSOF(stats_fields), &stats));
}

const struct whatsapp_ops whatsapp_baileys_ops = {
    .name = "baileys",
    .capabilities = { .text_max = TEXT_MAX, .can_look = true, .shows_quotes = true },
    .open = open_baileys,
    .close = close_baileys,
    .send = send_message,
    .look = send_message, /* it is told what became of it, or sent once */
    .abort = abort_request,
    .release = release,
    .start = start,
    .stop = stop,
    .read = tell_read,
    .forget = forget,
    .describe = describe,
};
