/*
 * media_serve.c - a kept file as an answer
 *
 * The file is opened, and read, on the media's engine; the loop only passes on what is there. One piece is asked for when
 * the one before it was taken, so that a slow client costs a piece and a descriptor, however long the file is.
 */
#include "routes/media_serve.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "services/engine.h"
#include "services/media_store.h"
#include "services/media_type.h"
#include "services/services.h"
#include "utils/json.h"

struct file_source {
    struct http_source source; /* first */
    struct engine_job job;
    struct engine *engine;
    int fd;
    uint64_t at;
    char *buffer;
    size_t size;
    struct http_pull *pull;
};

struct serving {
    struct engine_job job; /* first */
    const struct services *services;
    struct http_ticket *ticket;
    char message_id[CONTACT_ID_MAX], request_id[HTTP_REQUEST_ID_MAX];
    unsigned n;
    char type[MEDIA_TYPE_MAX], disposition[32 + 3 * MEDIA_NAME_MAX];
};

/* The work is done by done(), after which the engine does not look at the job any more: it may be gone. */
static void run_nothing(struct engine_job *job, unsigned thread)
{
}

/* --- pieces */

static void read_piece(struct engine_job *job)
{
    struct file_source *file = (struct file_source *)((char *)job - offsetof(struct file_source, job));
    ssize_t n = pread(file->fd, file->buffer, file->size, (off_t)file->at);

    file->at += n > 0 ? (uint64_t)n : 0;
    file->pull->done(file->pull, n < 0 ? -errno : (int)n);
}

static void pull(struct http_source *source, char *buffer, size_t size, struct http_pull *asked)
{
    struct file_source *file = (struct file_source *)source;

    file->buffer = buffer;
    file->size = size;
    file->pull = asked;
    file->job = (struct engine_job){ .run = run_nothing, .done = read_piece };
    int r = engine_submit(file->engine, &file->job);
    if (r < 0)
        asked->done(asked, r);
}

static void close_source(struct http_source *source)
{
    struct file_source *file = (struct file_source *)source;

    (void)close(file->fd);
    free(file);
}

/* Takes the descriptor. */
static struct http_source *open_source(struct engine *engine, int fd)
{
    struct file_source *file = calloc(1, sizeof(*file));
    struct stat st;

    if (!file || fstat(fd, &st) < 0) {
        (void)close(fd);
        free(file);
        return NULL;
    }
    file->source = (struct http_source){ .n_bytes = (uint64_t)st.st_size, .pull = pull, .close = close_source };
    file->engine = engine;
    file->fd = fd;
    return &file->source;
}

/* --- the answer */

static void answer(struct engine_job *job)
{
    static const struct http_field sandbox = { "content-security-policy", 23, "default-src 'none'; sandbox", 27 };
    struct serving *serving = (struct serving *)job;
    struct http_response response = { .content_type = serving->type };
    char error[HTTP_ERROR_MAX];
    int fd = media_store_fd(serving->services->media, serving->message_id, serving->n);

    response.source = fd >= 0 ? open_source(serving->services->media_engine, fd) : NULL;
    if (response.source) {
        response.extra[response.n_extra++] = sandbox;
        response.extra[response.n_extra++] =
            (struct http_field){ "content-disposition", 19, serving->disposition, strlen(serving->disposition) };
    } else if (fd == -ENOENT) {
        http_error(&response, 404, "not_found", "That file is not here.", serving->request_id, error);
    } else {
        http_error(&response, 503, "busy", "The file cannot be read now; try again.", serving->request_id, error);
    }
    serving->ticket->answer(serving->ticket, &response);
    free(serving);
}

/* RFC 6266: a name that is not plain is told in UTF-8, byte by byte. */
static void write_disposition(const char *name, bool is_inert, char *ret_text, size_t size)
{
    size_t n = (size_t)snprintf(ret_text, size, "%s", is_inert ? "inline" : "attachment");

    if (!*name)
        return;
    n += (size_t)snprintf(ret_text + n, size - n, "; filename*=UTF-8''");
    for (const unsigned char *c = (const unsigned char *)name; *c && n + 4 < size; c++)
        n += (size_t)snprintf(ret_text + n, size - n, (*c < 0x80 && isalnum(*c)) || strchr("-._", *c) ? "%c" : "%%%02X", *c);
}

int media_serve(struct http_request *request, const struct message *message, unsigned n)
{
    const struct services *services = request->context;
    struct json_object *item = message->media && n < json_object_array_length(message->media) ? json_object_array_get_idx(message->media, n) : NULL;
    struct serving *serving = calloc(1, sizeof(*serving));
    const struct media_type *type = media_type_find(json_get_text(item, "type") ?: "");

    if (!serving || media_path_read(json_get_text(item, "file") ?: "", serving->message_id, &serving->n) < 0) {
        int r = serving ? -ENOENT : -ENOMEM;
        free(serving);
        return r;
    }
    serving->job = (struct engine_job){ .run = run_nothing, .done = answer };
    serving->services = services;
    (void)snprintf(serving->request_id, sizeof(serving->request_id), "%s", request->request_id);
    (void)snprintf(serving->type, sizeof(serving->type), "%s", type ? type->name : "application/octet-stream");
    write_disposition(json_get_text(item, "name") ?: "", type && type->is_inert, serving->disposition, sizeof(serving->disposition));
    serving->ticket = request->later(request);
    if (!serving->ticket) {
        free(serving);
        return -ENOMEM;
    }
    if (engine_submit(services->media_engine, &serving->job) < 0) {
        struct http_response response = { 0 };
        char error[HTTP_ERROR_MAX];
        http_error(&response, 503, "busy", "Too much is under way; try again.", serving->request_id, error);
        serving->ticket->answer(serving->ticket, &response);
        free(serving);
    }
    return HTTP_LATER;
}
