/*
 * conversation.c - the talking part of a call: performs what the dialogue decides
 *
 * In:  audio goes to the listener, which cuts utterances from it and holds them until the one action that keeps or
 *      drops each, and longer while an errand reads it.
 * Out: sentences are queued in the play-out, rendered or not; what is due leaves in chunks with marks.
 *
 * Errands come home by the inbox into `came` and are told to the dialogue in conversation_run(), so that a call
 * whose journal is full can leave them there.
 */
#include "services/conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/agent.h"
#include "services/chat.h"
#include "services/dialogue.h"
#include "services/errand.h"
#include "services/listener.h"
#include "services/playout.h"
#include "services/profile.h"
#include "services/stt.h"
#include "services/tts.h"
#include "utils/clock.h"
#include "utils/log.h"
#include "utils/text.h"

enum {
    HINTS_MAX = 128,
    EVENTS_MAX = 32,
    RETRY_MS = 20, /* for what found no room */
};

struct conversation {
    struct session_env *env;
    struct leg *leg;
    struct journal *journal;
    struct dialogue *dialogue;
    struct agent *agent;
    struct listener listener;
    struct playout playout;
    uint64_t now_ms, unix_offset_ms;

    struct errand *out, *came; /* under way; come home, in order of arrival */
    struct errand *speaking;   /* come home with audio, and still at it */
    uint64_t first_audio_ms, first_frame_ms; /* of the present reply; 0: not yet */
    uint64_t tts_asked_ms, tts_answered_ms;  /* of its first sentence; 0: nobody was waited for */
    unsigned first_say;                      /* that one; 0: not yet */
    struct {
        const char *from, *to;
    } stepped[TTS_VOICES]; /* the last step down from each voice that was told */
    uint64_t stt_asked_ms, stt_answered_ms;  /* of the latest transcript that no turn was saved with; 0: none */
    char hints[HINTS_MAX]; /* what the caller may be called */
    unsigned n_turns, n_barge_ins;
    unsigned ask; /* the reply that is under way, or was */
    bool has_parts;
    bool is_hung_up, is_over;
    enum call_end end;
};

struct session_scratch {
    struct agent_reply reply;
    struct turn turn;
    struct dialogue_event events[EVENTS_MAX];
    unsigned n_events;
    bool is_telling;
};

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
}

/* The errand is over: so is its reading. */
static void errand_drop(struct conversation *c, struct errand *errand)
{
    for (unsigned i = 0; i < errand->n_parts; i++)
        listener_read_done(&c->listener, errand->parts[i]);
    errand_put(errand);
}

static int errand_go(struct conversation *c, struct errand *errand)
{
    int r = errand_send(errand, errand_came, c);

    if (r < 0) {
        errand_drop(c, errand);
        return r;
    }
    errand->next = c->out;
    c->out = errand;
    return 0;
}

static void give_up_unwanted(struct conversation *c, struct errand *errand)
{
    for (; errand; errand = errand->next)
        if (errand->kind == ERRAND_SPEAK && !playout_wants(&c->playout, errand->number))
            errand_give_up(errand);
}

/* What is rendered for a say that was dropped need not be begun, or gone on with. */
static void forget_unwanted(struct conversation *c)
{
    give_up_unwanted(c, c->out);
    give_up_unwanted(c, c->speaking);
}

/* --- telling the dialogue, doing what it answers */

static void tell(struct conversation *c, const struct dialogue_event *event);

static void clip_came(struct conversation *c)
{
    if (!c->first_audio_ms)
        c->first_audio_ms = c->now_ms;
}

static struct clip *prompt_clip(struct conversation *c, const char *id)
{
    const struct prompt *prompt = id ? profile_prompt(c->env->profile, id) : NULL;

    return prompt ? c->env->prompts[prompt - c->env->profile->prompts] : NULL;
}

static int render(struct conversation *c, unsigned say, const char *text)
{
    struct errand *errand = errand_get(c->env->errands, ERRAND_SPEAK, say);

    if (!errand)
        return -EAGAIN;
    (void)snprintf(errand->speak.text, sizeof(errand->speak.text), "%s", text);
    return errand_go(c, errand);
}

static void say_failed(struct conversation *c, unsigned say)
{
    session_count(&c->env->counters.n_tts_failed, 1);
    playout_drop(&c->playout, say);
    tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_FAILED, .say = say });
}

static void do_say(struct conversation *c, const struct dialogue_action *action)
{
    struct clip *clip = prompt_clip(c, action->sentence->prompt);

    if (!c->first_say)
        c->first_say = action->say;
    int r = playout_say(&c->playout, action->say, clip);
    forget_unwanted(c);
    if (r == 0 && clip)
        clip_came(c);
    else if (r == 0)
        r = render(c, action->say, action->sentence->text);
    if (r < 0)
        say_failed(c, action->say);
}

static void send_control(struct conversation *c, enum frame_kind kind, const char *bytes)
{
    struct frame *frame = leg_outbound_slot(c->leg, kind);

    if (!frame)
        return; /* the loop is a second behind; it will drop the peer */
    frame->n = (uint16_t)strnlen(bytes, FRAME_BYTES);
    memcpy(frame->bytes, bytes, frame->n);
    leg_outbound_commit(c->leg);
}

static void do_stop(struct conversation *c, const struct dialogue_action *action)
{
    struct playout_heard heard;

    for (unsigned say; (say = playout_passed(&c->playout, c->now_ms));)
        tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_ENDED, .say = say });
    if (playout_stop(&c->playout, c->now_ms, &heard))
        send_control(c, FRAME_CLEAR, "");
    if (!heard.say)
        return;
    c->n_barge_ins++;
    session_count(&c->env->counters.n_barge_ins, 1);
    tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_STOPPED, .say = heard.say, .heard_ms = heard.heard_ms,
                                      .total_ms = heard.total_ms });
}

static void do_resume(struct conversation *c, const struct dialogue_action *action)
{
    if (playout_resume(&c->playout, action->say) < 0)
        say_failed(c, action->say);
}

static void not_recognised(struct conversation *c, unsigned utterance)
{
    tell(c, &(struct dialogue_event){ .kind = DIALOGUE_TRANSCRIPT, .utterance = utterance, .text = "", .confidence = -1,
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
        if (errand_go(c, errand) == 0)
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
        if (errand_go(c, errand) == 0)
            return;
    } else if (errand) {
        errand_drop(c, errand);
    }
    log_limited(LOG_ERR, c->journal->sid, "the audio of an answer is not kept: there is none, or too much is under way");
    tell(c, &(struct dialogue_event){ .kind = DIALOGUE_AUDIO_KEPT, .utterance = action->utterance, .text = "" });
}

static void do_drop_audio(struct conversation *c, const struct dialogue_action *action)
{
    struct held_utterance *held = listener_find(&c->listener, action->utterance);

    if (held)
        listener_dismiss(&c->listener, held);
}

static uint64_t to_unix(const struct conversation *c, uint64_t ms)
{
    return ms ? ms + c->unix_offset_ms : 0;
}

/* Of the chat model's, or of who took over from it. */
static void tell_reply(struct conversation *c, const struct agent_reply *reply)
{
    uint64_t unix_ms = to_unix(c, c->now_ms);

    if (reply->whatsapp[0])
        journal_whatsapp(c->journal, reply->whatsapp, reply->is_fixed_text ? WORDING_FREE : WORDING_KEPT, unix_ms);
    if (reply->stepped[0]) {
        session_count(&c->env->counters.n_chat_failed, 1);
        journal_step(c->journal, &(struct call_step){ .part = "chat", .from = c->env->config->chat_model, .to = "script",
                                                      .cause = reply->stepped, .at_ms = unix_ms });
    }
    tell(c, &(struct dialogue_event){ .kind = DIALOGUE_REPLY, .ask = c->ask, .reply = reply });
}

static void do_ask_agent(struct conversation *c, const struct dialogue_action *action)
{
    struct agent_reply *reply = &c->env->scratch->reply;
    struct agent_input input = *action->input;

    c->first_audio_ms = c->first_frame_ms = c->tts_asked_ms = c->tts_answered_ms = 0;
    c->first_say = 0;
    c->ask = action->ask;
    input.unix_ms = to_unix(c, c->now_ms);
    if (agent_turn(c->agent, &input, reply))
        tell_reply(c, reply);
}

static void do_cancel_agent(struct conversation *c, const struct dialogue_action *action)
{
    agent_cancel(c->agent);
    c->has_parts = false;
}

static void count_latencies(struct conversation *c, const struct turn_times *times)
{
    struct session_counters *counters = &c->env->counters;
    int64_t ms[LATENCY_N];

    turn_latencies(times, ms);
    for (int stage = 0; stage < LATENCY_N; stage++)
        if (ms[stage] != LATENCY_UNKNOWN) {
            session_count(&counters->latency[stage][latency_bucket(ms[stage])], 1);
            session_count(&counters->latency_sum_ms[stage], (uint64_t)ms[stage]);
        }
}

/* How long the chat model was waited for. */
static void note_thinking(const struct conversation *c, struct turn_times *times)
{
    struct chat_times chat;

    agent_times(c->agent, &chat);
    if (!chat.asked_ms || chat.asked_ms < times->decided)
        return;
    times->chat_asked = chat.asked_ms;
    times->first_token = chat.first_token_ms;
    times->chat_answered = chat.first_sentence_ms;
    if (chat.first_sentence_ms)
        times->first_sentence = chat.first_sentence_ms;
}

static void do_save_turn(struct conversation *c, const struct dialogue_action *action)
{
    struct turn *turn = &c->env->scratch->turn;
    struct turn_times *times = &turn->times;
    uint64_t *const all[] = { &turn->start_ms, &turn->end_ms, &times->speech_end, &times->decided, &times->transcript,
                              &times->first_token, &times->first_sentence, &times->first_audio, &times->first_frame,
                              &times->listened, &times->stt_asked, &times->stt_answered, &times->chat_asked,
                              &times->chat_answered, &times->tts_asked, &times->tts_answered };

    *turn = *action->turn;
    if (turn->who == TURN_CALLER && times->decided && !times->first_audio && c->first_audio_ms >= times->decided)
        times->first_audio = c->first_audio_ms;
    if (turn->who == TURN_CALLER && times->decided && !times->first_frame && c->first_frame_ms >= times->decided)
        times->first_frame = c->first_frame_ms;
    if (turn->who == TURN_CALLER && times->decided && c->tts_asked_ms >= times->decided) {
        times->tts_asked = c->tts_asked_ms;
        times->tts_answered = c->tts_answered_ms;
    }
    if (turn->who == TURN_CALLER && c->stt_answered_ms <= times->decided) {
        times->stt_asked = c->stt_asked_ms;
        times->stt_answered = c->stt_answered_ms;
        c->stt_asked_ms = c->stt_answered_ms = 0;
    }
    if (turn->who == TURN_CALLER)
        note_thinking(c, times);
    for (size_t i = 0; i < ELEMENTSOF(all); i++)
        *all[i] = to_unix(c, *all[i]);
    if (turn->who == TURN_CALLER)
        count_latencies(c, times);
    c->n_turns++;
    agent_said(c->agent, turn);
    journal_turn(c->journal, turn);
}

static void do_learn(struct conversation *c, const struct dialogue_action *action)
{
    journal_learn(c->journal, action->field, action->value, to_unix(c, c->now_ms));
}

static void do_hang_up(struct conversation *c, const struct dialogue_action *action)
{
    c->is_over = true;
    c->end = (enum call_end)action->end;
}

static void (*const doers[])(struct conversation *c, const struct dialogue_action *action) = {
    [DO_SAY] = do_say,
    [DO_STOP] = do_stop,
    [DO_RESUME] = do_resume,
    [DO_RECOGNISE] = do_recognise,
    [DO_KEEP_AUDIO] = do_keep_audio,
    [DO_DROP_AUDIO] = do_drop_audio,
    [DO_ASK_AGENT] = do_ask_agent,
    [DO_CANCEL_AGENT] = do_cancel_agent,
    [DO_SAVE_TURN] = do_save_turn,
    [DO_LEARN] = do_learn,
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
static void tell(struct conversation *c, const struct dialogue_event *event)
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
        tell(c, &(struct dialogue_event){
                    .kind = change.kind == VAD_STARTED ? DIALOGUE_SPEECH_STARTED : DIALOGUE_SPEECH_ENDED,
                    .utterance = change.utterance,
                    .at_ms = change.at_ms,
                    .speech_ms = change.speech_ms,
                });
    }
}

static void key(struct conversation *c, char digit)
{
    tell(c, &(struct dialogue_event){ .kind = DIALOGUE_KEY, .text = (const char[]){ digit, '\0' } });
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

/* The steps of one sentence; that a voice rests is told once, and not with each sentence. */
static void tell_steps(struct conversation *c, const struct tts_sentence *sentence)
{
    for (unsigned i = 0; i < sentence->n_steps; i++) {
        const struct tts_step *step = &sentence->steps[i];

        unsigned at = 0;

        while (at < TTS_VOICES - 1 && c->stepped[at].from && c->stepped[at].from != step->from)
            at++;
        bool is_known = c->stepped[at].from == step->from && c->stepped[at].to == step->to;
        c->stepped[at].from = step->from;
        c->stepped[at].to = step->to;
        if (step->is_rest && is_known)
            continue;
        journal_step(c->journal, &(struct call_step){ .part = "tts", .from = step->from, .to = step->to, .cause = step->cause,
                                                      .at_ms = to_unix(c, step->at_ms) });
    }
}

static void take_audio(struct conversation *c, struct errand *errand)
{
    const struct tts_sentence *sentence = &errand->speak.sentence;

    if (errand->number == c->first_say && !c->tts_asked_ms) {
        c->tts_asked_ms = sentence->asked_ms;
        c->tts_answered_ms = sentence->answered_ms;
    }
    if (errand->r == 0 && playout_ready(&c->playout, errand->number, sentence->clip) == 0)
        clip_came(c);
    else if (playout_wants(&c->playout, errand->number))
        say_failed(c, errand->number);
}

/* Its voice broke within: the next one begins it again. Returns: false when nobody wants it, or nobody can. */
static bool speak_again(struct conversation *c, struct errand *errand)
{
    const struct clip *clip = errand->speak.sentence.clip;

    if (!clip || clip->state != CLIP_BROKEN || playout_redo(&c->playout, errand->number) < 0)
        return false;
    if (errand_send_again(errand) < 0) {
        say_failed(c, errand->number);
        return false;
    }
    errand->next = c->out;
    c->out = errand;
    return true;
}

/* Comes twice when there was audio before the end. */
static void spoken(struct conversation *c, struct errand *errand)
{
    if (!errand->speak.is_taken)
        take_audio(c, errand);
    errand->speak.is_taken = true;
    if (!errand->speak.is_over) {
        errand->next = c->speaking;
        c->speaking = errand;
        return;
    }
    if (speak_again(c, errand)) {
        errand->speak.is_taken = false;
        return;
    }
    if (!c->is_over)
        tell_steps(c, &errand->speak.sentence);
    errand_drop(c, errand);
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
                                                      errand->recognise.why_failed, to_unix(c, c->now_ms) });
    if (errand->recognise.next)
        journal_step(c->journal, &(struct call_step){ "stt", errand->recognise.asked, errand->recognise.next,
                                                      errand->recognise.cause, to_unix(c, c->now_ms) });
}

static void recognised(struct conversation *c, struct errand *errand)
{
    const struct stt_result *result = &errand->recognise.result;

    note_recognition(c, errand);
    if (errand->r < 0) {
        session_count(&c->env->counters.n_stt_failed, 1);
        not_recognised(c, errand->number);
    } else {
        tell(c, &(struct dialogue_event){ .kind = DIALOGUE_TRANSCRIPT, .utterance = errand->number, .text = result->text,
                                          .confidence = result->confidence, .understood = result->understood });
    }
    errand_drop(c, errand);
}

static void kept(struct conversation *c, struct errand *errand)
{
    tell(c, &(struct dialogue_event){ .kind = DIALOGUE_AUDIO_KEPT, .utterance = errand->number,
                                      .text = errand->r == 0 ? errand->keep.path : "" });
    errand_drop(c, errand);
}

static void take_came(struct conversation *c)
{
    static void (*const takers[])(struct conversation *c, struct errand *errand) = {
        [ERRAND_SPEAK] = spoken,
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

/* The parts of a reply: one at a time, since each brings its own entries of the journal. */
static void take_parts(struct conversation *c)
{
    struct agent_reply *reply = &c->env->scratch->reply;

    while (c->has_parts && journal_has_room(c->env->journal)) {
        c->has_parts = agent_take(c->agent, reply);
        if (c->has_parts)
            tell_reply(c, reply);
    }
}

/* --- what goes out */

/* The room was asked for before; a payload is published whole. */
static void send_audio(struct conversation *c, const struct playout_step *step)
{
    for (size_t at = 0; at < step->n; at += FRAME_BYTES) {
        size_t n = step->n - at < FRAME_BYTES ? step->n - at : FRAME_BYTES;
        struct frame *frame = leg_outbound_slot(c->leg, FRAME_AUDIO);

        if (!frame)
            return;
        frame->n = (uint16_t)n;
        frame->flags = at + n < step->n ? FRAME_MORE : 0;
        memcpy(frame->bytes, step->ulaw + at, n);
        leg_outbound_commit(c->leg);
        session_count(&c->env->counters.n_frames_out, 1);
    }
}

static void play(struct conversation *c)
{
    struct playout_step step;

    while (journal_has_room(c->env->journal)) {
        playout_next(&c->playout, c->now_ms, leg_outbound_room(c->leg) * FRAME_BYTES, &step);
        switch (step.kind) {
        case PLAYOUT_NOTHING:
            return;
        case PLAYOUT_AUDIO:
            send_audio(c, &step);
            if (!c->first_frame_ms)
                c->first_frame_ms = c->now_ms;
            if (step.is_first)
                tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_STARTED, .say = step.say, .total_ms = step.total_ms });
            break;
        case PLAYOUT_MARK:
            send_control(c, FRAME_MARK, step.mark);
            break;
        case PLAYOUT_MOVED:
            tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_MOVED, .say = step.say, .heard_ms = step.heard_ms,
                                              .total_ms = step.total_ms });
            break;
        case PLAYOUT_ENDED:
            tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_ENDED, .say = step.say });
            break;
        }
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
    tell(c, &(struct dialogue_event){ .kind = DIALOGUE_ANSWERED });
}

void conversation_hang_up(struct conversation *c, uint64_t now_ms, enum call_end end)
{
    struct playout_heard heard;

    if (c->is_hung_up || c->is_over)
        return;
    c->is_hung_up = true;
    c->now_ms = now_ms;
    for (unsigned say; (say = playout_passed(&c->playout, now_ms));)
        tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_ENDED, .say = say });
    if (playout_stop(&c->playout, now_ms, &heard))
        send_control(c, FRAME_CLEAR, ""); /* for whoever is still there: what is cut off now was not heard */
    playout_done(&c->playout);
    forget_unwanted(c);
    tell(c, &(struct dialogue_event){ .kind = DIALOGUE_HANG_UP, .end = end, .say = heard.say, .heard_ms = heard.heard_ms,
                                      .total_ms = heard.total_ms });
}

uint64_t conversation_run(struct conversation *c, uint64_t now_ms)
{
    c->now_ms = now_ms;
    take_came(c);
    take_parts(c);
    if (!c->is_over && dialogue_deadline(c->dialogue) <= now_ms)
        tell(c, &(struct dialogue_event){ .kind = DIALOGUE_TICK });
    play(c);

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
    forget_unwanted(c);
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
