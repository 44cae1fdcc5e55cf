/*
 * outbox_reply.c - a message that came in is answered
 *
 * The chat model is asked with what was written and said before. Asking twice does no harm: what it decides is done, and
 * what it writes is written down with the job that sends it, in the transaction that ends this one, if it is wanted then
 * still. When the model has failed TRIES_MAX times the script answers; where there is no model it does so at once.
 */
#include "services/outbox_effect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "services/agent_text.h"
#include "services/agent_text_script.h"
#include "services/crm.h"
#include "services/crm_reply.h"
#include "services/outbox.h"
#include "utils/text.h"

enum { SECOND_MS = 1000, TRIES_MAX = 4, KNOWN_MAX = 2 * KIB, CALLS_MAX = 4 * KIB };

struct answering {
    struct crm_reply reply;
    char known[KNOWN_MAX], calls[CALLS_MAX];
    uint64_t now_ms;
    struct agent_text *text; /* NULL: the script answers */
    struct agent_text_reply said;
};

static bool has_model(const struct outbox_services *services)
{
    return services->chat && services->text_tools && services->profile->has_chat;
}

static void release(struct effect *effect)
{
    struct answering *answering = effect->state;

    if (!answering)
        return;
    agent_text_free(answering->text);
    crm_reply_done(&answering->reply);
    free(answering);
    effect->state = NULL;
}

static int begin(struct db_txn *txn, struct effect *effect, uint64_t now_ms, bool *ret_harmless)
{
    const struct outbox_services *services = outbox_services(effect->outbox);

    release(effect);
    struct answering *answering = effect->state = calloc(1, sizeof(*answering));
    int r = answering ? crm_reply_begin(txn, &services->reply_rules, effect->job.message_id, now_ms, &answering->reply) : -ENOMEM;

    *ret_harmless = true;
    if (r)
        return r;
    answering->now_ms = now_ms;
    if (has_model(services))
        r = crm_known(txn, &answering->reply.person, answering->known, sizeof(answering->known));
    if (r == 0 && has_model(services))
        r = crm_known_calls(txn, &answering->reply.person, now_ms, answering->calls, sizeof(answering->calls));
    return r;
}

/* --- asking */

static void end(struct effect *effect, enum outcome_kind kind, const char *why)
{
    effect->outcome = (struct outcome){ .kind = kind };
    (void)text_set(effect->outcome.error, sizeof(effect->outcome.error), why);
    effect_end(effect);
}

static void on_end(struct agent_text *text, int r, const char *why, const struct agent_text_reply *reply, void *user)
{
    struct effect *effect = user;
    struct answering *answering = effect->state;

    if (r == 0)
        answering->said = *reply;
    end(effect, r == 0 ? OUTCOME_DONE : effect->job.n_tried < TRIES_MAX ? OUTCOME_NOT_SENT : OUTCOME_REJECTED, r == 0 ? "" : why);
}

/* What a message without words is, for the model. */
static const char *what_of(enum message_kind kind)
{
    static const char *const names[MESSAGE_N_KINDS] = {
        [MESSAGE_IMAGE] = "a picture, which you cannot see",   [MESSAGE_AUDIO] = "a recording, which you cannot hear",
        [MESSAGE_VIDEO] = "a film, which you cannot see",      [MESSAGE_DOCUMENT] = "a document, which you cannot read",
        [MESSAGE_STICKER] = "a sticker",                       [MESSAGE_CARD] = "the card of a person",
        [MESSAGE_LOCATION] = "a place",
    };

    return names[kind] ?: "something without words";
}

static void add_lines(struct answering *answering)
{
    for (size_t i = answering->reply.n_lines; i-- > 0;) {
        const struct crm_reply_line *line = &answering->reply.lines[i];

        agent_text_add(answering->text, line->is_in ? TEXT_CUSTOMER : line->author == AUTHOR_HUMAN ? TEXT_COLLEAGUE : TEXT_AGENT,
                       line->at_ms, line->words, what_of(line->kind));
    }
}

static int ask(struct effect *effect, struct answering *answering)
{
    const struct outbox_services *services = outbox_services(effect->outbox);
    const char *address = answering->reply.message.address;
    struct agent_text_options options = {
        .chat = services->chat,
        .profile = services->profile,
        .tools = services->text_tools,
        .writer = { .from = address[0] == '+' ? address : "", .name = answering->reply.person.name, .known = answering->known,
                    .unix_ms = answering->now_ms },
        .calls = answering->calls,
        .on_end = on_end,
        .user = effect,
    };
    int r = agent_text_new(&options, &answering->text);

    if (r < 0)
        return r;
    add_lines(answering);
    agent_text_ask(answering->text);
    return 0;
}

static void perform(struct effect *effect)
{
    struct answering *answering = effect->state;
    int r = has_model(outbox_services(effect->outbox)) ? ask(effect, answering) : -ENOENT;

    if (r == -ENOENT)
        end(effect, OUTCOME_REJECTED, ""); /* the script's, as below */
    else if (r < 0)
        end(effect, r == -EMSGSIZE ? OUTCOME_REJECTED : OUTCOME_NOT_SENT,
            r == -EMSGSIZE ? "the profile is too long for the chat model" : "out of memory");
}

static void abort_it(struct effect *effect)
{
    struct answering *answering = effect->state;

    if (answering->text)
        agent_text_abort(answering->text);
}

/* --- what came of it */

static int keep_said(struct db_txn *txn, const struct effect *effect, const struct agent_text_reply *said, uint64_t now_ms)
{
    const struct outbox_services *services = outbox_services(effect->outbox);
    struct crm_answer answer = {
        .text = said->text[0] ? said->text : agent_text_script_farewell(services->profile),
        .asked = "",
        .learnt = said->learnt,
        .n_learnt = said->n_learnt,
        .to_human = said->to_human,
    };

    return crm_reply_keep(txn, &services->reply_rules, effect->job.message_id, &answer, now_ms);
}

/* Also when the daemon died in the attempt, and nothing of it is there but the job. */
static int keep_script(struct db_txn *txn, const struct effect *effect, uint64_t now_ms)
{
    const struct outbox_services *services = outbox_services(effect->outbox);
    struct crm_reply *reply = calloc(1, sizeof(*reply));
    struct text_script_answer *said = calloc(1, sizeof(*said));
    int r = reply && said ? crm_reply_begin(txn, &services->reply_rules, effect->job.message_id, now_ms, reply) : -ENOMEM;

    if (r == 0) {
        agent_text_script(services->profile, services->country, reply, now_ms, said);
        r = crm_reply_keep(txn, &services->reply_rules, effect->job.message_id, &said->answer, now_ms);
    }
    if (reply)
        crm_reply_done(reply);
    free(reply);
    free(said);
    return r;
}

static int settle(struct db_txn *txn, const struct effect *effect, enum verdict verdict, const struct job *job, uint64_t now_ms)
{
    const struct answering *answering = effect->state;
    int r;

    if (verdict == VERDICT_AGAIN)
        return 0;
    r = verdict == VERDICT_DONE && answering ? keep_said(txn, effect, &answering->said, now_ms) : keep_script(txn, effect, now_ms);
    return r < 0 ? r : 1;
}

const struct effect_kind effect_reply = {
    .rules = { .is_repeatable = true, .back_off_ms = 3 * SECOND_MS, .back_off_max_ms = 20 * SECOND_MS, 
               .give_up_ms = CRM_REPLY_LATE_MS },
    .is_kept = false,
    .begin = begin,
    .perform = perform,
    .abort = abort_it,
    .settle = settle,
    .release = release,
};
