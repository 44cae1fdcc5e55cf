/*
 * outbox_message.c - a message is sent
 *
 * One attempt is one of three steps, chosen by what is stored:
 *
 *   look    the last sending may have happened: is it among what the provider has sent?
 *   reword  the business's fixed words are put into the recipient's way; what comes of it is kept, and sent next
 *   send
 *
 * Whatever a status callback has told meanwhile counts first: a message that the provider has named is not sent.
 */
#include "services/outbox_effect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/crm.h"
#include "services/crm_paraphrase.h"
#include "services/engine.h"
#include "services/media_link.h"
#include "services/media_store.h"
#include "services/outbox.h"
#include "services/whatsapp/baileys.h"
#include "services/whatsapp/provider.h"
#include "utils/clock.h"
#include "utils/file.h"
#include "utils/json.h"
#include "utils/text.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };

enum { SAMPLE_MAX = 1024, PATH_MAX_BYTES = 4096 };

enum step { LOOK, REWORD, SEND };

struct sending {
    struct engine_job job; /* first */
    struct effect *effect;
    char url[MEDIA_LINK_MAX], spooled[BAILEYS_ID_MAX];
    enum step step;
    struct message message;
    struct whatsapp_request request;
    struct crm_paraphrase *paraphrase;
    char quote[ADDRESS_MAX]; /* the provider's id of what it answers; "" none, or he shows none */
    char sample[SAMPLE_MAX]; /* how the recipient speaks */
    char *words;             /* what came of the rewording */
};

static void end(struct effect *effect, enum outcome_kind kind, const char *error)
{
    effect->outcome = (struct outcome){ .kind = kind };
    (void)text_set(effect->outcome.error, sizeof(effect->outcome.error), error);
    effect_end(effect);
}

/* --- what is to be done */

static void release(struct effect *effect)
{
    struct sending *sending = effect->state;

    if (!sending)
        return;
    if (effect->outbox && outbox_services(effect->outbox)->whatsapp)
        whatsapp_release(outbox_services(effect->outbox)->whatsapp, &sending->request);
    crm_paraphrase_free(sending->paraphrase);
    message_release(&sending->message);
    free(sending->words);
    free(sending);
    effect->state = NULL;
}

static enum step choose_step(const struct effect *effect, const struct sending *sending)
{
    if (effect->job.doubt != JOB_SURE)
        return LOOK;
    return sending->message.wording == WORDING_FREE && outbox_services(effect->outbox)->chat ? REWORD : SEND;
}

/* What it answers, which may have been forgotten, or not have been sent. */
static int find_quote(struct db_txn *txn, const struct effect *effect, struct sending *sending)
{
    scoped(message_release) struct message answered = { 0 };
    struct whatsapp *whatsapp = outbox_services(effect->outbox)->whatsapp;

    if (!sending->message.reply_to[0] || !whatsapp || !whatsapp_capabilities(whatsapp)->shows_quotes)
        return 0;
    int r = crm_message_by_id(txn, sending->message.reply_to, &answered);
    if (r == 0)
        memcpy(sending->quote, answered.provider_id, sizeof(sending->quote));
    return r;
}

static int begin(struct db_txn *txn, struct effect *effect, uint64_t now_ms, bool *ret_harmless)
{
    release(effect);
    struct sending *sending = effect->state = calloc(1, sizeof(*sending));
    int r = sending ? crm_message_owed(txn, effect->job.message_id, &sending->message) : -ENOMEM;

    if (r)
        return r;
    sending->step = choose_step(effect, sending);
    if (sending->step == REWORD && sending->message.call_sid[0])
        r = crm_call_sample(txn, sending->message.call_sid, sending->sample, sizeof(sending->sample));
    if (r == 0 || r == -ENOENT)
        r = find_quote(txn, effect, sending);
    *ret_harmless = sending->step != SEND;
    return r == -ENOENT ? 0 : r; /* the call may have been erased */
}

/* --- doing it */

/* Of what may be it, what no other message of ours is. */
static void choose_found(struct effect *effect, struct whatsapp_request *request)
{
    scoped(db_read_end) struct db_txn *txn = NULL;
    size_t n_found = 0;

    if (request->outcome.kind != OUTCOME_DONE)
        return;
    if (db_read_begin(outbox_services(effect->outbox)->db, &txn) < 0) {
        request->outcome.kind = OUTCOME_NOT_SENT; /* it is looked for again */
        return;
    }
    for (size_t i = 0; i < request->n_found; i++)
        if (!crm_message_is_known(txn, request->found[i].provider_id))
            request->found[n_found++] = request->found[i];
    request->n_found = n_found;
    if (n_found == 0)
        request->outcome.kind = OUTCOME_NOT_FOUND;
}

static void on_end(struct whatsapp_request *request)
{
    struct effect *effect = request->user;
    struct sending *sending = effect->state;

    if (sending->step == LOOK)
        choose_found(effect, request);
    effect->outcome = request->outcome;
    effect_end(effect);
}

static void on_words(struct crm_paraphrase *paraphrase, const char *words, void *user)
{
    struct effect *effect = user;
    struct sending *sending = effect->state;

    sending->words = strdup(words);
    end(effect, sending->words ? OUTCOME_GO_ON : OUTCOME_NOT_SENT, sending->words ? "" : "out of memory");
}

static void hurry(struct effect *effect)
{
    struct sending *sending = effect->state;

    crm_paraphrase_hurry(sending->paraphrase);
}

static void reword(struct effect *effect, struct sending *sending)
{
    int r = crm_paraphrase_new(outbox_services(effect->outbox)->chat, sending->message.body ?: "", sending->sample, on_words,
                               effect, &sending->paraphrase);

    if (r < 0) {
        on_words(NULL, sending->message.body ?: "", effect);
        return;
    }
    effect->on_alarm = hurry;
    effect->alarm_ms = clock_mono_ms() + CRM_PARAPHRASE_MS;
    crm_paraphrase_ask(sending->paraphrase);
}

/* --- a file of ours goes with it */

static struct json_object *first_media(const struct message *message)
{
    return message->media ? json_object_array_get_idx(message->media, 0) : NULL;
}

static void ask_provider(struct effect *effect)
{
    struct sending *sending = effect->state;
    struct whatsapp *whatsapp = outbox_services(effect->outbox)->whatsapp;

    if (sending->step == SEND)
        whatsapp_send(whatsapp, &sending->request);
    else
        whatsapp_look(whatsapp, &sending->request);
}

/* Thread: the engine's. The same name at each attempt, so that no second file is left. */
static int copy_to_spool(struct effect *effect)
{
    struct sending *sending = effect->state;
    const struct outbox_services *services = outbox_services(effect->outbox);
    char id[CONTACT_ID_MAX], path[PATH_MAX_BYTES], part[PATH_MAX_BYTES + 8];
    unsigned n;
    int r = media_path_read(json_get_text(first_media(&sending->message), "file") ?: "", id, &n);
    scoped(close) int from = r < 0 ? r : media_store_fd(services->media, id, n);

    if (r < 0 || from < 0)
        return r < 0 ? r : from;
    r = baileys_id(sending->message.id, sending->spooled);
    if (snprintf(path, sizeof(path), "%s/out/%s", services->config->whatsapp_spool, sending->spooled) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    (void)snprintf(part, sizeof(part), "%s.part", path);
    return r < 0 ? r : file_copy_fd(from, part, path);
}

static void spool(struct engine_job *job)
{
    struct sending *sending = (struct sending *)job;
    struct effect *effect = sending->effect;
    char error[JOB_ERROR_MAX];
    int r = copy_to_spool(effect);

    if (r == -ENOENT && !sending->spooled[0]) {
        end(effect, OUTCOME_REJECTED, "its file is not here any more");
    } else if (r < 0) {
        (void)snprintf(error, sizeof(error), "its file cannot be put into WHATSAPP_SPOOL: %s", strerrordesc_np(-r) ?: "unknown error");
        end(effect, OUTCOME_NOT_SENT, error);
    } else {
        sending->request.spooled = sending->spooled;
        ask_provider(effect);
    }
}

/* The work is done by done(), after which the engine does not look at the job any more: it may be gone. */
static void run_nothing(struct engine_job *job, unsigned thread)
{
}

static void hand_over(struct effect *effect)
{
    struct sending *sending = effect->state;
    const struct outbox_services *services = outbox_services(effect->outbox);

    sending->effect = effect;
    sending->job = (struct engine_job){ .run = run_nothing, .done = spool };
    if (!services->engine || !services->media)
        end(effect, OUTCOME_REJECTED, "files are not kept here");
    else if (engine_submit(services->engine, &sending->job) < 0)
        end(effect, OUTCOME_NOT_SENT, "too much is under way");
}

/* By URL, for as long as the provider may queue it. */
static void link_file(struct effect *effect)
{
    struct sending *sending = effect->state;
    const struct outbox_services *services = outbox_services(effect->outbox);

    if (media_link_make(services->config, sending->message.id, 0, clock_real_ms() + MEDIA_LINK_MS, sending->url) < 0) {
        end(effect, OUTCOME_REJECTED, "WhatsApp fetches its file from here: PUBLIC_HOST and TWILIO_AUTH_TOKEN have to be set");
        return;
    }
    sending->request.media_url = sending->url;
    ask_provider(effect);
}

static void send_it(struct effect *effect)
{
    struct sending *sending = effect->state;
    bool fetches = whatsapp_capabilities(outbox_services(effect->outbox)->whatsapp)->fetches_media;

    if (!json_get_text(first_media(&sending->message), "file") || sending->message.content_sid[0])
        ask_provider(effect);
    else if (fetches)
        link_file(effect);
    else
        hand_over(effect);
}

static void perform(struct effect *effect)
{
    struct sending *sending = effect->state;
    struct whatsapp *whatsapp = outbox_services(effect->outbox)->whatsapp;

    sending->request = (struct whatsapp_request){
        .to = sending->message.address,
        .text = sending->message.body ?: "",
        .media_url = json_get_text(first_media(&sending->message), "url"),
        .media_type = json_get_text(first_media(&sending->message), "type") ?: "",
        .media_name = json_get_text(first_media(&sending->message), "name") ?: "",
        .content_sid = sending->message.content_sid[0] ? sending->message.content_sid : NULL,
        .content_variables = sending->message.variables ? json_print(sending->message.variables, NULL) : NULL,
        .quote = sending->quote[0] ? sending->quote : NULL,
        .message_id = sending->message.id,
        .since_ms = effect->job.tried_ms,
        .on_end = on_end,
        .user = effect,
    };
    if (sending->step == REWORD)
        reword(effect, sending);
    else if (!whatsapp)
        end(effect, OUTCOME_REJECTED, "nobody carries WhatsApp messages: TWILIO_WHATSAPP_NUMBER is not set");
    else if (sending->step == SEND || whatsapp_capabilities(whatsapp)->can_look)
        send_it(effect);
    else
        end(effect, OUTCOME_REJECTED, "");
}

static void abort_it(struct effect *effect)
{
    struct sending *sending = effect->state;

    if (sending->step == REWORD)
        hurry(effect);
    else
        whatsapp_abort(outbox_services(effect->outbox)->whatsapp, &sending->request);
}

/* --- what came of it */

static int settle(struct db_txn *txn, const struct effect *effect, enum verdict verdict, const struct job *job, uint64_t now_ms)
{
    const struct sending *sending = effect->state;
    const char *id = effect->job.message_id;

    if (verdict == VERDICT_DONE)
        return crm_message_sent(txn, id, sending->request.found[0].provider_id, sending->request.found[0].status, now_ms);
    if (effect->outcome.kind == OUTCOME_GO_ON)
        return crm_message_reworded(txn, id, sending->words, now_ms);
    return crm_message_unsent(txn, id,
                              verdict == VERDICT_AGAIN        ? MESSAGE_QUEUED
                              : job->state == JOB_UNCERTAIN ? MESSAGE_UNCERTAIN
                                                              : MESSAGE_FAILED,
                              job->error, now_ms);
}

const struct effect_kind effect_message = {
    .rules = { .is_repeatable = false, .back_off_ms = 2 * SECOND_MS, .back_off_max_ms = 10 * MINUTE_MS, .give_up_ms = 24 * HOUR_MS },
    .is_kept = true,
    .begin = begin,
    .perform = perform,
    .abort = abort_it,
    .settle = settle,
    .release = release,
};
