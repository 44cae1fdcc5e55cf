/*
 * routes/api_whatsapp.c - /api/whatsapp: messages are sent, and conversations read
 *
 * 202 says that the message and the job that sends it are on disk; what becomes of it is told by status/{id}. What
 * WhatsApp would refuse is refused here, where whoever asked still listens: limits are those of
 * Twilio's and Meta's documents.
 *
 * A text or media are a human's words: the agent leaves the conversation to him from then on, until it is released, and
 * what was written is read. A
 * template is what programs send when nobody is talking, and changes nothing; whoever answers it is answered.
 */
#include "routes/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "config.h"
#include "routes/api.h"
#include "routes/media_serve.h"
#include "services/crm.h"
#include "services/crm_media.h"
#include "services/crm_agent.h"
#include "services/services.h"
#include "services/whatsapp/provider.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/text.h"
#include "utils/url.h"
#include "utils/utf8.h"

enum { BODY_MAX = 16 * KIB, UPLOAD_MAX = 16 * MIB, TEXT_MAX = 1600, CAPTION_MAX = 1024, VARIABLES_MAX = 1024, URL_MAX = 2048, PAGE = 20, PAGE_MAX = 100 };

/* --- what is taken */

static const char *sendable(size_t i)
{
    const struct media_type *type = media_type_to_send(i);

    return type ? type->name : NULL;
}

static const char *check_type(struct json_object *value)
{
    const struct media_type *type = media_type_find(json_object_get_string(value));

    return type && type->send_max ? NULL : "is none that WhatsApp takes; see /api/openapi.json";
}

static const char *check_url(struct json_object *value)
{
    const char *url = json_object_get_string(value);

    return url_is_public(url) ? NULL : "is no URL that WhatsApp can fetch; give one that begins with https:// and a public host name, "
                                       "without a user, a fragment or blanks";
}

static const char *check_content_sid(struct json_object *value)
{
    const char *sid = json_object_get_string(value);

    return strncmp(sid, "HX", 2) == 0 && strspn(sid + 2, "0123456789abcdefABCDEF") == 32 && !sid[34]
               ? NULL
               : "is no template; give HX and 32 hexadecimal digits, as the Twilio console shows them";
}

static const char *check_variable(const char *name, struct json_object *value)
{
    const char *text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";

    if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")])
        return "has a name that no template has; name them 1, 2, ...";
    if (text[strspn(text, " ")] == '\0')
        return "has a value that is no text, or empty; give each a text";
    if (strpbrk(text, "\r\n\t") || strstr(text, "     "))
        return "has a value with a line end, a tab, or over four blanks in a row; WhatsApp refuses those";
    return NULL;
}

static const char *check_variables(struct json_object *value)
{
    size_t n = 0;

    json_object_object_foreach(value, name, text) {
        const char *wrong = check_variable(name, text);
        if (wrong)
            return wrong;
        n += utf8_length(json_object_get_string(text));
    }
    return n > VARIABLES_MAX ? "are longer than the 1024 characters of a template; shorten them" : NULL;
}

#define TO { .name = "to", .type = API_TEXT, .is_needed = true, .min = 1, .max = ADDRESS_MAX - 1, .summary = "The recipient's telephone number, or the id of a contact" }
#define REPLY_TO { .name = "reply_to", .type = API_TEXT, .min = 1, .max = CONTACT_ID_MAX - 1, .summary = "The id of the message that this one answers; a linked device shows it above the answer, Twilio cannot" }

static const struct api_field send_fields[] = {
    TO,
    { .name = "text", .type = API_TEXT, .is_needed = true, .min = 1, .max = TEXT_MAX, .summary = "What is said" },
    REPLY_TO,
};

static const struct api_field media_fields[] = {
    TO,
    { .name = "url", .type = API_TEXT, .is_needed = true, .min = 9, .max = URL_MAX, .pattern = "^https://", .check = check_url,
      .summary = "Where WhatsApp fetches it from" },
    { .name = "type", .type = API_TEXT, .is_needed = true, .max = MEDIA_TYPE_MAX - 1, .check = check_type, .summary = "Its type, as its server says" },
    { .name = "caption", .type = API_TEXT, .min = 1, .max = CAPTION_MAX, .summary = "Text below an image/jpeg or image/png" },
    { .name = "size", .type = API_NUMBER, .min = 1, .max = 1024 * (uint64_t)MIB,
      .summary = "Its bytes, when they are known: too large a one is refused at once; 5 MiB for images, 16 MiB for others" },
    REPLY_TO,
};

static const struct api_field upload_fields[] = {
    TO,
    { .name = "caption", .type = API_TEXT, .min = 1, .max = CAPTION_MAX, .summary = "Text below an image/jpeg or image/png" },
    { .name = "name", .type = API_TEXT, .min = 1, .max = MEDIA_NAME_MAX - 1, .summary = "What the file is called" },
    REPLY_TO,
};

static const struct api_field template_fields[] = {
    TO,
    { .name = "content_sid", .type = API_TEXT, .is_needed = true, .min = 34, .max = 34, .pattern = "^HX[0-9a-fA-F]{32}$",
      .check = check_content_sid, .summary = "The approved template" },
    { .name = "variables", .type = API_OBJECT, .check = check_variables, .summary = "A text for each of its places: {\"1\": \"Dana\"}" },
};

static const struct api_field page_fields[] = {
    { .name = "limit", .type = API_NUMBER, .min = 1, .max = PAGE_MAX, .summary = "At most so many; 20 unless given" },
    { .name = "after", .type = API_TEXT, .min = 1, .max = CONTACT_ID_MAX + 22, .summary = "\"next\" of the page before" },
};

static const struct api_shape send_shape = { .body = send_fields, .n_body = ELEMENTSOF(send_fields), .is_write = true };
static const struct api_shape upload_shape = { .query = upload_fields, .n_query = ELEMENTSOF(upload_fields), .is_write = true };
static const struct api_shape media_shape = { .body = media_fields, .n_body = ELEMENTSOF(media_fields), .query = upload_fields,
                                              .n_query = ELEMENTSOF(upload_fields), .is_write = true, .raw_type = sendable };
static const struct api_shape template_shape = { .body = template_fields, .n_body = ELEMENTSOF(template_fields), .is_write = true };
static const struct api_shape page_shape = { .query = page_fields, .n_query = ELEMENTSOF(page_fields) };

/* --- sending */

static int prepare(struct api_write *write, struct api_problem *problem)
{
    if (write->services->whatsapp)
        return 0;
    return api_problem(problem, 503, "no_provider", "", "nobody carries WhatsApp messages here; see WHATSAPP_PROVIDER and TWILIO_WHATSAPP_NUMBER");
}

/* What is wrong with a file of so many bytes, 0 they are not known. */
static int check_media(const struct media_type *type, uint64_t n_bytes, const char *caption, int status, const char *field,
                       struct api_problem *problem)
{
    if (n_bytes > type->send_max)
        return api_problem(problem, status, "too_large", field, "WhatsApp takes at most %llu bytes of %s; make it smaller",
                           (unsigned long long)type->send_max, type->name);
    if (caption && strcmp(type->name, "image/jpeg") != 0 && strcmp(type->name, "image/png") != 0)
        return api_problem(problem, 422, "no_caption", "caption", "WhatsApp shows no caption with %s; send the text by itself", type->name);
    return 0;
}

static int prepare_media(struct api_write *write, struct api_problem *problem)
{
    const struct media_type *type = media_type_find(json_get_text(write->body, "type"));
    int r = check_media(type, (uint64_t)json_get_int(write->body, "size"), json_get_text(write->body, "caption"), 422, "size", problem);

    return r < 0 ? r : prepare(write, problem);
}

/* --- bytes that are sent */

struct upload {
    char message_id[CONTACT_ID_MAX], type[MEDIA_TYPE_MAX];
    struct media_kept kept;
};

static int prepare_upload(struct api_write *write, struct api_problem *problem)
{
    const struct config *config = write->services->config;
    char name[sizeof(write->content_type)];

    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(write->content_type, "; "), write->content_type);
    const struct media_type *type = media_type_find(name);
    if (!type || !type->send_max)
        return api_problem(problem, 415, "bad_type", "Content-Type",
                           "WhatsApp takes no %.40s; send JSON with a URL, or the bytes as image/jpeg, audio/ogg, video/mp4, application/pdf...",
                           *name ? name : "body without a Content-Type");
    if (write->n_bytes == 0)
        return api_problem(problem, 400, "empty", "", "the body is empty; send the bytes of the file");
    int r = check_media(type, write->n_bytes, json_get_text(write->body, "caption"), 413, "", problem);
    if (r == 0)
        r = prepare(write, problem);
    if (r == 0 && !config->public_host && whatsapp_capabilities(write->services->whatsapp)->fetches_media)
        return api_problem(problem, 503, "no_public_host", "", "WhatsApp fetches the file from here, and PUBLIC_HOST is not set");
    return r;
}

/* The folder's name is drawn before the message is there: what belongs to none in the end is swept away. */
static int name_message(char ret_id[CONTACT_ID_MAX])
{
    uint8_t random[ID_RANDOM];

    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    id_make('M', clock_real_ms(), random, ret_id);
    return 0;
}

static int keep_upload(struct api_write *write)
{
    scoped(media_file_free) struct media_file *file = NULL;
    struct upload *upload = write->extra = calloc(1, sizeof(*upload));
    int r = upload ? name_message(upload->message_id) : -ENOMEM;

    if (r == 0)
        r = media_file_new(write->services->media, upload->message_id, 0, write->n_bytes, &file);
    if (r == 0)
        r = media_file_write(file, write->bytes, write->n_bytes);
    if (r == 0)
        r = media_judge(media_file_fd(file), write->content_type, upload->type);
    if (r == 0 && strncmp(upload->type, write->content_type, strcspn(write->content_type, "; ")) != 0)
        r = -EMEDIUMTYPE;
    return r < 0 ? r : media_file_keep(file, &upload->kept);
}

static void end_upload(struct api_write *write, int r)
{
    struct upload *upload = write->extra;

    if (upload && r != 0)
        (void)media_store_erase(write->services->media, upload->message_id);
    free(upload);
}

static int set_upload(const struct api_write *write, struct message *message)
{
    const struct upload *upload = write->extra;

    memcpy(message->id, upload->message_id, sizeof(message->id));
    return crm_media_attach(message, upload->type, json_get_text(write->body, "name") ?: "", &upload->kept);
}

static int set_media(struct json_object *body, struct message *message)
{
    struct json_object *item = json_object_new_object();
    int r;

    message->media = json_object_new_array();
    r = item && message->media ? 0 : -ENOMEM;
    if (r == 0)
        r = json_add(item, "url", json_object_new_string(json_get_text(body, "url")));
    if (r == 0)
        r = json_add(item, "type", json_object_new_string(json_get_text(body, "type")));
    if (r < 0)
        json_object_put(item);
    return r < 0 ? r : json_append(message->media, item);
}

/* Every kind of message: what the body does not have is not in it. */
static int keep(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    const struct services *services = write->services;
    const struct crm_letter letter = {
        .to = json_get_text(write->body, "to"),
        .country = services->config->default_country,
        .has_window = whatsapp_capabilities(services->whatsapp)->has_window,
    };
    scoped(message_release) struct message message = { .channel = MESSAGE_WHATSAPP, .created_ms = write->now_ms };
    const char *text = json_get_text(write->body, "text") ?: json_get_text(write->body, "caption");
    struct crm_reading reading;
    int r = write->extra                        ? set_upload(write, &message)
            : json_get_text(write->body, "url") ? set_media(write->body, &message)
                                                : 0;

    (void)text_set(message.reply_to, sizeof(message.reply_to), json_get_text(write->body, "reply_to") ?: "");
    (void)text_set(message.content_sid, sizeof(message.content_sid), json_get_text(write->body, "content_sid") ?: "");
    message.variables = json_object_get(json_object_object_get(write->body, "variables"));
    message.body = strdup(text ?: "");
    message.author = AUTHOR_HUMAN;
    if (r == 0)
        r = message.body ? crm_message_write(txn, &letter, &message) : -ENOMEM;
    if (r >= 0 && !message.content_sid[0])
        r = crm_agent_silence(txn, message.contact_id, write->now_ms);
    if (r >= 0 && !message.content_sid[0])
        r = whatsapp_read(services->whatsapp, txn, message.contact_id, "", write->now_ms, &reading);
    if (r < 0)
        return r;
    struct json_object *answer = json_object_new_object();
    r = answer ? json_add(answer, "id", json_object_new_string(message.id)) : -ENOMEM;
    if (r == 0)
        r = json_add(answer, "status", json_object_new_string("queued"));
    *ret_answer = answer; /* the caller's also then */
    return r;
}

static const struct api_refusal refusals[] = {
    { -ENOENT, 422, "unknown_number", "to", "this is neither a telephone number nor the id of a contact; write + and the country code" },
    { -EDESTADDRREQ, 422, "no_number", "to", "this contact has no telephone number that could be written to" },
    { -ETIME, 409, "window_closed", "to",
      "this person has not written for 24 hours, so WhatsApp takes no free text; send an approved template by POST /api/whatsapp/template" },
    { -ENOMSG, 422, "unknown_message", "reply_to", "there is no such message in this conversation; leave it out" },
    { -EMEDIUMTYPE, 415, "wrong_type", "Content-Type", "the bytes are not of the type that Content-Type says; correct it" },
    { -ENOSPC, 503, "no_room", "", "there is no room for files; the operator has to look at MEDIA_MAX_MIB and MEDIA_FREE_MIB" },
    { 0 },
};

static const struct api_write_kind send_kind = { "a message by the API", &send_shape, prepare, keep, refusals };
static const struct api_write_kind media_kind = { "media by the API", &media_shape, prepare_media, keep, refusals };
static const struct api_write_kind upload_kind = { .what = "a file by the API", .shape = &upload_shape, .prepare = prepare_upload,
                                                   .keep = keep, .refusals = refusals, .is_raw = true, .work = keep_upload, .end = end_upload };
static const struct api_write_kind template_kind = { "a template by the API", &template_shape, prepare, keep, refusals };

/* --- who answers somebody */

static const char *const agent_words[] = { "on", "silent", NULL };

static const struct api_field agent_fields[] = {
    { .name = "agent", .type = API_TEXT, .is_needed = true, .words = agent_words,
      .summary = "silent: somebody of yours goes on with this person, and the agent writes nothing by itself; on: it answers again" },
};

static const struct api_shape agent_shape = { .body = agent_fields, .n_body = ELEMENTSOF(agent_fields), .is_write = true };

static int keep_agent(struct db_txn *txn, struct api_write *write, struct json_object **ret_answer)
{
    scoped(contact_done) struct contact person = { 0 };
    bool is_silent = strcmp(json_get_text(write->body, "agent"), "silent") == 0;
    int r = is_silent ? crm_agent_silence(txn, write->param, write->now_ms) : crm_agent_release(txn, write->param, write->now_ms);

    if (r >= 0)
        r = crm_contact_get(txn, write->param, &person);
    if (r < 0)
        return r;
    struct json_object *answer = *ret_answer = json_object_new_object();
    r = answer ? json_add(answer, "contact_id", json_object_new_string(person.id)) : -ENOMEM;
    return r < 0 ? r : json_add(answer, "agent", json_object_new_string(crm_agent_name(crm_agent_of(&person))));
}

static const struct api_refusal agent_refusals[] = {
    { -ENOENT, 404, "not_found", "", "there is no contact of that id" },
    { 0 },
};

static const struct api_write_kind agent_kind = { "who answers somebody", &agent_shape, NULL, keep_agent, agent_refusals, 200 };

static int agent_post(struct http_request *request, struct http_response *response)
{
    return api_take(request, &agent_kind);
}

static int send_post(struct http_request *request, struct http_response *response)
{
    return api_take(request, &send_kind);
}

static int media_post(struct http_request *request, struct http_response *response)
{
    return api_take(request, api_is_json(request) ? &media_kind : &upload_kind);
}

static int template_post(struct http_request *request, struct http_response *response)
{
    return api_take(request, &template_kind);
}

/* --- reading */

static int answer_read(struct http_request *request, int r, struct json_object *json, const char *missing)
{
    struct api_problem problem;

    if (r == -ENOENT)
        (void)api_problem(&problem, 404, "not_found", "", "%s", missing);
    else if (r == -EINVAL)
        (void)api_problem(&problem, 422, "bad_cursor", "after", "after is no \"next\" of a page; begin without it");
    else
        return r < 0 ? r : api_answer(request, json);
    return api_refuse(request, &problem);
}

static int status_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    int r = db_read_begin(services->db, &txn);

    if (r == 0)
        r = crm_message_view(txn, request->param, &json);
    return answer_read(request, r, json, "there is no message of that id");
}

/* contact_id NULL: all conversations. */
static int read_page(struct http_request *request, const char *contact_id)
{
    const struct services *services = request->context;
    scoped(json_object_put) struct json_object *query = NULL, *json = NULL;
    scoped(db_read_end) struct db_txn *txn = NULL;
    struct api_problem problem;
    int r = api_read_query(request, &page_shape, &query, &problem);

    if (r < 0)
        return r == -EINVAL ? api_refuse(request, &problem) : r;
    const char *after = json_get_text(query, "after") ?: "";
    size_t max = (size_t)json_get_int(query, "limit") ?: PAGE;
    r = db_read_begin(services->db, &txn);
    if (r == 0)
        r = contact_id ? crm_conversation_page(txn, contact_id, after, max, &json) : crm_conversations_page(txn, after, max, &json);
    return answer_read(request, r, json, "there is no contact of that id");
}

/* MESSAGE/N */
static int media_get(struct http_request *request, struct http_response *response)
{
    const struct services *services = request->context;
    scoped(message_release) struct message message = { 0 };
    scoped(db_read_end) struct db_txn *txn = NULL;
    char id[CONTACT_ID_MAX], path[MEDIA_PATH_MAX];
    unsigned n;
    int n_path = snprintf(path, sizeof(path), "media/%s", request->param);
    int r = n_path < MEDIA_PATH_MAX && media_path_read(path, id, &n) == 0 ? db_read_begin(services->db, &txn) : -ENOENT;

    if (r == 0)
        r = crm_message_by_id(txn, id, &message);
    if (r == 0)
        r = media_serve(request, &message, n);
    return r == -ENOENT ? answer_read(request, r, NULL, "there is no such file, or it is not here yet; GET /api/whatsapp/status/{id} tells") : r;
}

static int conversations_get(struct http_request *request, struct http_response *response)
{
    return read_page(request, NULL);
}

static int conversation_get(struct http_request *request, struct http_response *response)
{
    return read_page(request, request->param);
}

static const struct route routes[] = {
    { "POST", "/send", AUTH_TOKEN, BODY_MAX, send_post, "Send a text", &send_shape },
    { "GET", "/media/{message}/{n}", AUTH_TOKEN, 0, media_get, "A file of a message, N counting what it has from 0", NULL, ASIDE },
    { "POST", "/media", AUTH_TOKEN, UPLOAD_MAX, media_post, "Send an image, a recording, a video or a document, by URL or as it is", &media_shape },
    { "POST", "/template", AUTH_TOKEN, BODY_MAX, template_post, "Send an approved template, at any time", &template_shape },
    { "GET", "/status/{id}", AUTH_TOKEN, 0, status_get, "What became of a message", NULL, ASIDE },
    { "GET", "/conversations", AUTH_TOKEN, 0, conversations_get, "Conversations, the latest first", &page_shape, ASIDE },
    { "POST", "/conversations/{contact}", AUTH_TOKEN, BODY_MAX, agent_post, "Have the agent answer one person, or be silent", &agent_shape },
    { "GET", "/conversations/{contact}", AUTH_TOKEN, 0, conversation_get, "The messages of one person, newest first", &page_shape, ASIDE },
};

const struct blueprint api_whatsapp = BLUEPRINT("api_whatsapp", "/api/whatsapp", routes);
