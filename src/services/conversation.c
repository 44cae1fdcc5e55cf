/*
 * conversation.c - the talking part of a call: performs what the dialogue decides
 *
 * In:  audio goes to the listener, which cuts utterances from it and holds them until the one action that keeps or
 *      drops each, and longer while an errand reads it.
 * Out: sentences are queued in the play-out, rendered or not; what is due leaves in chunks with marks.
 *
 * Errands come home by the inbox into `came` and are told to the dialogue in conversation_run(), so that a call
 * whose journal is full can leave them there.
 *
 * conversation_voice.c speaks; conversation_agent.c asks for replies and writes down.
 */
#include "services/conversation_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/profile.h"
#include "services/stt.h"
#include "utils/clock.h"
#include "utils/log.h"
#include "utils/text.h"

enum { RETRY_MS = 20 /* for what found no room */ };

int conversation_scratch_new(struct session_scratch **ret_scratch)
{
    *ret_scratch = calloc(1, sizeof(**ret_scratch));
    return *ret_scratch ? 0 : -ENOMEM;
}

void conversation_scratch_free(struct session_scratch *scratch)
{
    free(scratch);
}

/* --- errands */

/* Returns: whether it was in the list. */
static bool take_from(struct errand **at, struct errand *errand)
{
    while (*at && *at != errand)
        at = &(*at)->next;
    if (!*at)
        return false;
    *at = errand->next;
    errand->next = NULL;
    return true;
}

static void errand_came(struct errand *errand)
{
    struct conversation *c = errand->user;
    struct errand **at = &c->came;

    if (!take_from(&c->out, errand) && !take_from(&c->speaking, errand))
        return; /* its end came before its audio was looked at */
    while (*at)
        at = &(*at)->next;
    *at = errand;
    journal_news(c->journal);
}

/* The errand is over: so is its reading. */
void conversation_errand_drop(struct conversation *c, struct errand *errand)
{
    for (unsigned i = 0; i < errand->n_parts; i++)
        listener_read_done(&c->listener, errand->parts[i]);
    errand_put(errand);
}

int conversation_errand_go(struct conversation *c, struct errand *errand)
{
    int r = errand_send(errand, errand_came, c);

    if (r < 0) {
        conversation_errand_drop(c, errand);
        return r;
    }
    errand->next = c->out;
    c->out = errand;
    return 0;
}

void conversation_give_up_unwanted(struct conversation *c, struct errand *errand)
{
    for (; errand; errand = errand->next)
        if (errand->kind == ERRAND_SPEAK && !playout_wants(&c->playout, errand->number))
            errand_give_up(errand);
}

/* What is rendered for a say that was dropped need not be begun, or gone on with. */
void conversation_forget_unwanted(struct conversation *c)
{
    conversation_give_up_unwanted(c, c->out);
    conversation_give_up_unwanted(c, c->speaking);
}

void conversation_send_control(struct conversation *c, enum frame_kind kind, const char *bytes)
{
    struct frame *frame = leg_outbound_slot(c->leg, kind);

    if (!frame)
        return; /* the loop is a second behind; it will drop the peer */
    frame->n = (uint16_t)strnlen(bytes, FRAME_BYTES);
    memcpy(frame->bytes, bytes, frame->n);
    leg_outbound_commit(c->leg);
}

uint64_t conversation_to_unix(const struct conversation *c, uint64_t ms)
{
    return ms ? ms + c->unix_offset_ms : 0;
}

/* --- telling the dialogue, doing what it answers */

static void not_recognised(struct conversation *c, unsigned utterance)
{
    conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_TRANSCRIPT, .utterance = utterance, .text = "", .confidence = -1,
                                      .unheard = true });
}

static void do_recognise(struct conversation *c, const struct dialogue_action *action)
{
    struct held_utterance *held = listener_find(&c->listener, action->utterance);
    struct errand *errand = NULL;

    if (held && held->audio.n)
        errand = errand_get(c->env->errands, ERRAND_RECOGNISE, action->utterance);
    if (errand) {
        errand->parts[errand->n_parts++] = listener_read(held);
        errand->recognise.expect = action->expect;
        errand->recognise.hints = c->hints;
        if (conversation_errand_go(c, errand) == 0)
            return;
    }
    session_count(&c->env->counters.n_stt_failed, 1);
    not_recognised(c, action->utterance);
}

/* The utterances named are let go of, those with audio once the errand (NULL: none) has read them. */
static void take_held(struct conversation *c, const struct dialogue_action *action, struct errand *errand)
{
    unsigned number = action->utterance;

    do {
        struct held_utterance *held = listener_find(&c->listener, number);

        if (!held || held->is_dismissed)
            continue;
        if (errand && held->audio.n && errand->n_parts < ERRAND_PARTS_MAX)
            errand->parts[errand->n_parts++] = listener_read(held);
        listener_dismiss(&c->listener, held);
    } while (number++ < action->last_utterance);
}

static void do_keep_audio(struct conversation *c, const struct dialogue_action *action)
{
    struct errand *errand = errand_get(c->env->errands, ERRAND_KEEP, action->utterance);

    take_held(c, action, errand);
    if (errand && errand->n_parts) {
        (void)snprintf(errand->keep.sid, sizeof(errand->keep.sid), "%s", c->journal->sid);
        if (conversation_errand_go(c, errand) == 0)
            return;
    } else if (errand) {
        conversation_errand_drop(c, errand);
    }
    log_limited(LOG_ERR, c->journal->sid, "the audio of an answer is not kept: there is none, or too much is under way");
    conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_AUDIO_KEPT, .utterance = action->utterance, .text = "" });
}

static void do_drop_audio(struct conversation *c, const struct dialogue_action *action)
{
    struct held_utterance *held = listener_find(&c->listener, action->utterance);

    if (held)
        listener_dismiss(&c->listener, held);
}

static void do_hang_up(struct conversation *c, const struct dialogue_action *action)
{
    c->is_over = true;
    c->end = (enum call_end)action->end;
}

static void (*const doers[])(struct conversation *c, const struct dialogue_action *action) = {
    [DO_SAY] = conversation_say,
    [DO_STOP] = conversation_stop,
    [DO_RESUME] = conversation_resume,
    [DO_RECOGNISE] = do_recognise,
    [DO_KEEP_AUDIO] = do_keep_audio,
    [DO_DROP_AUDIO] = do_drop_audio,
    [DO_ASK_AGENT] = conversation_ask_agent,
    [DO_CANCEL_AGENT] = conversation_cancel_agent,
    [DO_SAVE_TURN] = conversation_save_turn,
    [DO_LEARN] = conversation_learn,
    [DO_HANG_UP] = do_hang_up,
};

static void tell_one(struct conversation *c, const struct dialogue_event *event)
{
    struct dialogue_action action;

    dialogue_push(c->dialogue, event);
    while (dialogue_take(c->dialogue, &action))
        doers[action.kind](c, &action);
}

/*
 * An action may bring an event (a stop its answer). It waits until all actions of the event before were done,
 * since their pointers live only until the next push.
 */
void conversation_tell(struct conversation *c, const struct dialogue_event *event)
{
    struct session_scratch *scratch = c->env->scratch;

    if (c->is_over)
        return;
    if (scratch->n_events == EVENTS_MAX) {
        log_limited(LOG_ERR, c->journal->sid, "the dialogue was not told of something: too much at once");
        return;
    }
    scratch->events[scratch->n_events] = *event;
    scratch->events[scratch->n_events++].now_ms = c->now_ms;
    if (scratch->is_telling)
        return;

    scratch->is_telling = true;
    for (unsigned i = 0; i < scratch->n_events && !c->is_over; i++)
        tell_one(c, &scratch->events[i]);
    scratch->n_events = 0;
    scratch->is_telling = false;
}

/* --- what comes in */

static void hear(struct conversation *c, const uint8_t *ulaw, size_t n)
{
    struct listener_change change;

    for (size_t at = 0; at < n;) {
        at += listener_hear(&c->listener, c->now_ms, ulaw + at, n - at, &change);
        if (change.kind == VAD_NOTHING)
            continue;
        if (change.kind == VAD_STARTED)
            session_count(&c->env->counters.n_utterances, 1);
        conversation_tell(c, &(struct dialogue_event){
                    .kind = change.kind == VAD_STARTED ? DIALOGUE_SPEECH_STARTED : DIALOGUE_SPEECH_ENDED,
                    .utterance = change.utterance,
                    .at_ms = change.at_ms,
                    .speech_ms = change.speech_ms,
                });
    }
}

static void key(struct conversation *c, char digit)
{
    conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_KEY, .text = (const char[]){ digit, '\0' } });
}

void conversation_frame(struct conversation *c, uint64_t now_ms, const struct frame *frame)
{
    c->now_ms = now_ms;
    if (c->is_over)
        return;
    if (frame->kind == FRAME_AUDIO)
        hear(c, frame->bytes, frame->n);
    else if (frame->kind == FRAME_MARK)
        (void)playout_mark(&c->playout, (const char *)frame->bytes, frame->n, now_ms);
    else if (frame->kind == FRAME_DTMF && frame->n)
        key(c, (char)frame->bytes[0]);
}

/* How long Whisper was waited for, and who took over from it. */
static void note_recognition(struct conversation *c, const struct errand *errand)
{
    if (errand->recognise.answered_ms) {
        c->stt_asked_ms = errand->recognise.asked_ms;
        c->stt_answered_ms = errand->recognise.answered_ms < c->now_ms ? errand->recognise.answered_ms : c->now_ms;
    }
    if (errand->recognise.failed)
        journal_step(c->journal, &(struct call_step){ "stt", errand->recognise.failed, errand->recognise.asked,
                                                      errand->recognise.why_failed, conversation_to_unix(c, c->now_ms) });
    if (errand->recognise.next)
        journal_step(c->journal, &(struct call_step){ "stt", errand->recognise.asked, errand->recognise.next,
                                                      errand->recognise.cause, conversation_to_unix(c, c->now_ms) });
}

static void recognised(struct conversation *c, struct errand *errand)
{
    const struct stt_result *result = &errand->recognise.result;

    note_recognition(c, errand);
    if (errand->r < 0) {
        session_count(&c->env->counters.n_stt_failed, errand->r != -ECANCELED); /* that is nobody's failure */
        if (errand->r != -EOPNOTSUPP && errand->r != -ECANCELED)
            log_limited(LOG_WARNING, c->journal->sid, "an answer could not be recognised: %s",
                        strerrordesc_np(-errand->r) ?: "unknown error");
        not_recognised(c, errand->number);
    } else {
        conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_TRANSCRIPT, .utterance = errand->number, .text = result->text,
                                          .confidence = result->confidence, .understood = result->understood });
    }
    conversation_errand_drop(c, errand);
}

static void kept(struct conversation *c, struct errand *errand)
{
    conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_AUDIO_KEPT, .utterance = errand->number,
                                      .text = errand->r == 0 ? errand->keep.path : "" });
    conversation_errand_drop(c, errand);
}

static void take_came(struct conversation *c)
{
    static void (*const takers[])(struct conversation *c, struct errand *errand) = {
        [ERRAND_SPEAK] = conversation_spoken,
        [ERRAND_RECOGNISE] = recognised,
        [ERRAND_KEEP] = kept,
    };

    while (c->came && journal_has_room(c->env->journal)) {
        struct errand *errand = c->came;

        c->came = errand->next;
        errand->next = NULL;
        takers[errand->kind](c, errand);
    }
}

/* --- for the session */

static bool can_transcribe(void *user, enum answer_kind expect)
{
    const struct session_env *env = user;

    return stt_can(env->stt, env->profile->language, expect);
}

static unsigned deaf_to(struct session_env *env)
{
    unsigned bits = 0;

    for (int kind = 0; kind < ANSWER_N_KINDS; kind++)
        bits |= can_transcribe(env, (enum answer_kind)kind) ? 0 : 1u << kind;
    return bits;
}

static void on_part(void *user)
{
    struct conversation *c = user;

    c->has_parts = true;
    journal_news(c->journal);
}

int conversation_new(struct session_env *env, const struct speech_call *call, struct leg *leg, struct journal *journal,
                     struct conversation **ret_conversation)
{
    struct dialogue_options options = {
        .profile = env->profile,
        .language = env->profile->language,
        .can_transcribe = can_transcribe,
        .user = env,
        .call_max_ms = (uint32_t)(env->config->call_max_s * 1000),
    };
    struct agent_caller caller = {
        .from = call->from,
        .name = call->contact_name,
        .country = env->config->default_country,
        .deaf_to = deaf_to(env),
        .known = call->known,
        .unix_ms = clock_real_ms(),
        .chat = env->chat,
        .tools = env->tools,
        .on_part = on_part,
    };
    struct conversation *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;

    caller.user = c;
    c->env = env;
    c->leg = leg;
    c->journal = journal;
    (void)text_set(c->hints, sizeof(c->hints), call->contact_name ?: "");
    playout_init(&c->playout);
    int r = listener_init(&c->listener, journal->sid, env->utterances);
    if (r == 0)
        r = dialogue_new(&options, &c->dialogue);
    if (r == 0)
        r = agent_new(env->profile, &caller, &c->agent);
    if (r < 0) {
        conversation_free(c);
        return r;
    }
    *ret_conversation = c;
    return 0;
}

void conversation_free(struct conversation *c)
{
    if (!c)
        return;
    listener_done(&c->listener);
    playout_done(&c->playout);
    agent_free(c->agent);
    dialogue_free(c->dialogue);
    free(c);
}

void conversation_begin(struct conversation *c, uint64_t now_ms, uint64_t unix_offset_ms)
{
    c->now_ms = now_ms;
    c->unix_offset_ms = unix_offset_ms;
    conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_ANSWERED });
}

void conversation_hang_up(struct conversation *c, uint64_t now_ms, enum call_end end)
{
    struct playout_heard heard;

    if (c->is_hung_up || c->is_over)
        return;
    c->is_hung_up = true;
    c->now_ms = now_ms;
    for (unsigned say; (say = playout_passed(&c->playout, now_ms));)
        conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_ENDED, .say = say });
    if (playout_stop(&c->playout, now_ms, &heard))
        conversation_send_control(c, FRAME_CLEAR, ""); /* for whoever is still there: what is cut off now was not heard */
    playout_done(&c->playout);
    conversation_forget_unwanted(c);
    conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_HANG_UP, .end = end, .say = heard.say, .heard_ms = heard.heard_ms,
                                      .total_ms = heard.total_ms });
}

uint64_t conversation_run(struct conversation *c, uint64_t now_ms)
{
    c->now_ms = now_ms;
    take_came(c);
    conversation_take_parts(c);
    if (!c->is_over && dialogue_deadline(c->dialogue) <= now_ms)
        conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_TICK });
    conversation_play(c);

    uint64_t dialogue_ms = c->is_over ? UINT64_MAX : dialogue_deadline(c->dialogue);
    uint64_t playout_ms = playout_deadline(&c->playout, now_ms);
    uint64_t deadline_ms = dialogue_ms < playout_ms ? dialogue_ms : playout_ms;
    return deadline_ms > now_ms ? deadline_ms : now_ms + RETRY_MS;
}

void conversation_settle(struct conversation *c)
{
    for (struct errand *errand = c->out; errand; errand = errand->next)
        if (errand->kind == ERRAND_RECOGNISE)
            errand_give_up(errand);
    conversation_forget_unwanted(c);
    take_came(c);
}

bool conversation_is_over(const struct conversation *c, enum call_end *ret_end)
{
    if (!c->is_over || (!c->is_hung_up && !playout_is_idle(&c->playout)))
        return false;
    *ret_end = c->end;
    return true;
}

bool conversation_is_at_rest(const struct conversation *c)
{
    return !c->out && !c->came && !c->speaking && agent_is_at_rest(c->agent);
}

void conversation_sums(const struct conversation *c, struct conversation_sums *ret_sums)
{
    *ret_sums = (struct conversation_sums){ c->n_turns, c->listener.n_utterances, c->n_barge_ins };
}
