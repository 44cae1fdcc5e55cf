/*
 * baileys_reader.c - tells WhatsApp, by the linked device, that somebody has read what was written
 *
 * It is a courtesy, and nothing is owed: a receipt that cannot go out at once, since SLOTS others are on their way or the
 * device's program is away, is dropped. The writer's thread begins one, the HTTP client's ends it; stop() waits for those.
 */
#include "services/whatsapp/baileys.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/http_client.h"
#include "utils/json.h"

enum { SLOTS = 4, ANSWER_MS = 5000, CONNECT_MS = 1000, BODY_MAX = 4096 };

struct receipt {
    struct http_call call; /* first */
    struct baileys_reader *reader;
    struct json_object *json;
    bool is_out;
};

struct baileys_reader {
    struct http_provider *provider;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t ended;
    bool is_stopped;
    struct receipt receipts[SLOTS];
};

static void receipt_ended(struct http_call *call)
{
    struct receipt *receipt = (struct receipt *)call;
    struct baileys_reader *reader = receipt->reader;

    pthread_mutex_lock(&reader->lock);
    free(steal(&call->body));
    json_object_put(steal(&receipt->json));
    receipt->is_out = false;
    pthread_cond_broadcast(&reader->ended);
    pthread_mutex_unlock(&reader->lock);
}

/* "CHAT ID" into both; false: the provider's name of it is of another form. */
static bool parse(const char *name, size_t *ret_n_chat, const char **ret_id)
{
    const char *blank = strchr(name, ' ');

    if (!blank || strchr(blank, '?')) /* one that could not be decrypted has no id of its own */
        return false;
    *ret_n_chat = (size_t)(blank - name);
    *ret_id = blank + 1;
    return true;
}

/* {"to","action","ids"} of the messages of one chat. Returns: NULL when out of memory. */
static struct json_object *receipt_json(const struct crm_reading *reading, const char *chat, size_t n_chat)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    struct json_object *ids = json_object_new_array();
    const char *id;
    size_t n;
    int r = json ? 0 : -ENOMEM;

    if (r == 0)
        r = json_add(json, "to", json_text(chat, n_chat));
    if (r == 0)
        r = json_add(json, "action", json_object_new_string("read"));
    for (size_t i = 0; r == 0 && ids && i < reading->n_told; i++)
        if (parse(reading->told[i], &n, &id) && n == n_chat && memcmp(reading->told[i], chat, n) == 0)
            r = json_append(ids, json_text(id, strlen(id)));
    if (r < 0) {
        json_object_put(ids);
        return NULL;
    }
    return json_add(json, "ids", ids) < 0 ? NULL : steal(&json);
}

/* Under the lock. Returns: what is to be started, or NULL. */
static struct receipt *prepare(struct baileys_reader *reader, const struct crm_reading *reading, const char *chat, size_t n_chat)
{
    for (size_t i = 0; i < SLOTS && !reader->is_stopped; i++) {
        struct receipt *receipt = &reader->receipts[i];
        if (receipt->is_out)
            continue;
        receipt->json = receipt_json(reading, chat, n_chat);
        size_t n = 0;
        const char *content = receipt->json ? json_print(receipt->json, &n) : NULL;
        if (!content) {
            json_object_put(steal(&receipt->json));
            return NULL;
        }
        receipt->reader = reader;
        receipt->is_out = true;
        receipt->call = (struct http_call){
            .provider = reader->provider,
            .content = content,
            .n_content = n,
            .content_type = "application/json",
            .first_byte_ms = ANSWER_MS,
            .stall_ms = ANSWER_MS,
            .total_ms = ANSWER_MS,
            .body_max = BODY_MAX,
            .done = receipt_ended,
        };
        return receipt;
    }
    return NULL;
}

static bool is_first_of_chat(const struct crm_reading *reading, size_t i, size_t n_chat)
{
    for (size_t k = 0; k < i; k++)
        if (strncmp(reading->told[k], reading->told[i], n_chat + 1) == 0)
            return false;
    return true;
}

void baileys_reader_tell(struct baileys_reader *reader, const struct crm_reading *reading)
{
    const char *id;
    size_t n;

    for (size_t i = 0; i < reading->n_told; i++) {
        if (!parse(reading->told[i], &n, &id) || !is_first_of_chat(reading, i, n))
            continue;
        pthread_mutex_lock(&reader->lock);
        struct receipt *receipt = prepare(reader, reading, reading->told[i], n);
        if (receipt)
            http_start(&receipt->call);
        pthread_mutex_unlock(&reader->lock);
    }
}

void baileys_reader_stop(struct baileys_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    reader->is_stopped = true;
    for (size_t i = 0; i < SLOTS; i++)
        if (reader->receipts[i].is_out)
            http_abort(&reader->receipts[i].call);
    for (size_t i = 0; i < SLOTS; i++)
        while (reader->receipts[i].is_out)
            pthread_cond_wait(&reader->ended, &reader->lock);
    pthread_mutex_unlock(&reader->lock);
}

int baileys_reader_new(struct http_client *client, const char *socket, struct baileys_reader **ret_reader)
{
    struct baileys_reader *reader = calloc(1, sizeof(*reader));
    int r = reader ? http_provider_new(client,
                                       &(struct http_provider_options){ .base_url = "http://baileys",
                                                                        .path = "chat",
                                                                        .unix_socket = socket,
                                                                        .connect_ms = CONNECT_MS },
                                       &reader->provider)
                   : -ENOMEM;

    if (r < 0) {
        free(reader);
        return r;
    }
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->ended, NULL);
    *ret_reader = reader;
    return 0;
}

void baileys_reader_free(struct baileys_reader *reader)
{
    if (!reader)
        return;
    baileys_reader_stop(reader);
    http_provider_free(reader->provider);
    pthread_cond_destroy(&reader->ended);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}
