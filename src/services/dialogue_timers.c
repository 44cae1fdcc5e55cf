/*
 * dialogue_timers.c - when a dialogue acts by itself
 *
 * A row is a function that derives its time from the state, and one that acts then. The state changes with a push only,
 * and so does the earliest of the times, which is asked for with every frame: it is found once a push.
 */
#include "services/dialogue_state.h"

#include "models/call.h"
#include "services/endpointing.h"

enum {
    STOPPED_MAX_MS = 500,   /* for DIALOGUE_SAY_STOPPED, then the clock decides */
    FILL_MS = 2500,         /* of silence because of us: "one moment"; with 300 ms of detector below 4 s */
    FILLERS_MAX = 2,
    FILL_GRACE_MS = 300,    /* for an answer that is as good as there */
    TRANSCRIPT_MAX_MS = 6000,
    /* Short, and nobody can transcribe it: "mm", or "hello," before a sentence? With what the detector
       takes, pauses up to 430 ms belong to one answer; more would be felt as a voice that is gone. */
    AFTERTHOUGHT_MS = 250,
    PAUSED_MAX_MS = 2500,   /* for the transcript of a barge-in: the voice is hanging in mid-word */
    REPLY_MAX_MS = 8000,
    SIMPLE_REPLY_MAX_MS = 500, /* to AGENT_FAILED */
    SLOW_MAX = 3,              /* who says something at every "one moment" would wait for ever */
    SLOW_REPLY_MAX_MS = 3000,
    TURN_MAX_MS = 60000,    /* an answer without end is an open radio */
    KEY_MS = 3000,          /* the pause that ends a number */
    KEYPAD_SILENCE_MS = 10000,
    LINGER_MS = 3000,
    LEAVE_MAX_MS = 2000,    /* after the caller hung up */
    LEAVE_TRANSCRIPT_MS = 1200,
    OVER_MS = 30000,        /* beyond call_max_ms, whatever is going on */
};

/* Of silence after a question. */
static const uint16_t first_word_ms[ANSWER_N_KINDS] = {
    [ANSWER_FREE] = 8000, /* one has to think what to say */
    [ANSWER_YESNO] = 6000,  [ANSWER_DIGITS] = 8000, /* or to find the number */
    [ANSWER_NUMBER] = 6000, [ANSWER_COMMAND] = 6000,
};

/* --- timers --- */

static uint64_t over_at(const struct dialogue *d)
{
    return d->state == IDLE ? UINT64_MAX : d->answered_ms + d->options.call_max_ms + OVER_MS;
}

static void too_long(struct dialogue *d)
{
    if (says_current(&d->says))
        dialogue_act(d, DO_STOP);
    d->paused = d->stopping = d->continuing = false;
    dialogue_save_agent(d);
    dialogue_close_with(d, "too_long", CALL_END_TOO_LONG);
}

static uint64_t too_long_at(const struct dialogue *d)
{
    return d->state == IDLE || d->state == CLOSING || d->leaving
               ? UINT64_MAX
               : d->answered_ms + d->options.call_max_ms;
}

static uint64_t leave_at(const struct dialogue *d)
{
    return d->leaving ? d->leave_ms + LEAVE_MAX_MS : UINT64_MAX;
}

static void not_stopped(struct dialogue *d)
{
    says_stopped_now(&d->says, d->stopped_ms);
    dialogue_stopped(d);
}

static uint64_t not_stopped_at(const struct dialogue *d)
{
    return d->stopping ? d->stopped_ms + STOPPED_MAX_MS : UINT64_MAX;
}

static void say_overdue(struct dialogue *d)
{
    const struct say *current = says_current(&d->says);
    bool late = current->state == SAY_QUEUED;

    if (late) {
        dialogue_act(d, DO_STOP); /* so that it does not come in the middle of what follows */
        says_give_up(&d->says);
    } else {
        says_ended(&d->says, current->number, d->now_ms);
    }
    dialogue_settled(d, late);
}

static uint64_t say_overdue_at(const struct dialogue *d)
{
    return d->paused || d->leaving ? UINT64_MAX : says_overdue_ms(&d->says);
}

static void barge(struct dialogue *d)
{
    d->barge_ms = UINT64_MAX;
    if (dialogue_may_barge(d) && hearing_open(&d->hearing) && (d->awaiting || says_current(&d->says)))
        dialogue_stop(d, false);
}

static uint64_t barge_at(const struct dialogue *d)
{
    return d->barge_ms;
}

static void turn_over(struct dialogue *d)
{
    bool long_enough = hearing_speech_ms(&d->hearing) >= BARGE_UNHEARD_MS;

    if (d->paused && hearing_waiting(&d->hearing) && long_enough && !d->leaving)
        dialogue_cut(d); /* the transcript is late, but nobody coughs for so long */
    else
        dialogue_decide(d);
}

static uint32_t answer_wait_ms(const struct dialogue *d)
{
    enum answer_kind kind = dialogue_listening_for(d);
    const struct endpointing *rules =
        d->options.endpointing ? d->options.endpointing : &endpointing_rules;
    struct endpointing_turn turn = {
        .language = d->language,
        .expect = kind,
        .text = d->hearing.text,
        .can_transcribe = dialogue_hears(d, kind),
        .digits_min = d->digits_min,
        .digits_max = d->digits_max,
    };

    return rules->wait_ms(&turn);
}

static uint64_t turn_over_at(const struct dialogue *d)
{
    const struct hearing *hearing = &d->hearing;
    uint64_t reported_ms = hearing_reported_ms(hearing);

    if (d->state != LISTENING || d->stopping || d->n_keys || d->keys_done || !hearing->n ||
        hearing_open(hearing))
        return UINT64_MAX;
    if (hearing_waiting(hearing) && d->leaving)
        return d->leave_ms + LEAVE_TRANSCRIPT_MS;
    if (hearing_waiting(hearing))
        return reported_ms + (d->paused ? PAUSED_MAX_MS : TRANSCRIPT_MAX_MS);
    if (d->leaving || d->answer_done || hearing->n == HEARING_MAX)
        return reported_ms;
    if (d->paused && !dialogue_barge_is_true(d))
        return reported_ms + (dialogue_hears(d, dialogue_listening_for(d)) ? 0 : AFTERTHOUGHT_MS);
    return reported_ms + answer_wait_ms(d);
}

static uint64_t turn_endless_at(const struct dialogue *d)
{
    bool open = d->state == LISTENING && hearing_open(&d->hearing);
    return open ? d->hearing.list[0].began_ms + TURN_MAX_MS : UINT64_MAX;
}

static uint64_t fill_at(const struct dialogue *d)
{
    bool waiting = dialogue_is_stalled(d) || d->state == THINKING ||
                   (d->state == LISTENING && !d->n_keys && hearing_waiting(&d->hearing) &&
                    !hearing_open(&d->hearing));

    if (!waiting || d->paused || d->leaving || d->n_fillers >= FILLERS_MAX ||
        says_current(&d->says))
        return UINT64_MAX;
    uint64_t due_ms = d->quiet_ms + FILL_MS, grace_ms = d->decided_ms + FILL_GRACE_MS;
    bool is_near = d->state == THINKING && d->input.kind != AGENT_FAILED;
    return is_near && grace_ms > due_ms ? grace_ms : due_ms;
}

static void not_kept(struct dialogue *d)
{
    dialogue_kept(d, "");
}

static uint64_t not_kept_at(const struct dialogue *d)
{
    return d->keeping ? d->keep_ms : UINT64_MAX;
}

/* What came of it, if anything, is the reply. */
static void no_reply(struct dialogue *d)
{
    dialogue_cancel_agent(d);
    if (dialogue_is_speaking(d))
        dialogue_check_said(d, false);
    else if (d->input.kind == AGENT_FAILED)
        dialogue_close_with(d, "trouble", CALL_END_TROUBLE);
    else
        dialogue_ask_agent_plainly(d, AGENT_FAILED);
}

static uint64_t no_reply_at(const struct dialogue *d)
{
    if (!d->awaiting || !(dialogue_is_stalled(d) || dialogue_is_waiting(d)))
        return UINT64_MAX;
    if (d->input.kind == AGENT_FAILED)
        return d->awaited_ms + SIMPLE_REPLY_MAX_MS;
    return d->awaited_ms + (d->n_slow < SLOW_MAX ? REPLY_MAX_MS : SLOW_REPLY_MAX_MS);
}

static uint64_t keys_over_at(const struct dialogue *d)
{
    if (d->state != LISTENING || d->stopping || (!d->n_keys && !d->keys_done))
        return UINT64_MAX;
    return d->keys_done ? d->last_key_ms : d->last_key_ms + KEY_MS;
}

static void silence(struct dialogue *d)
{
    d->quiet_ms = d->now_ms; /* until now the silence was the caller's */
    dialogue_ask_agent_plainly(d, AGENT_SILENCE);
}

static uint64_t silence_at(const struct dialogue *d)
{
    if (d->state != LISTENING || d->paused || d->leaving || d->hearing.n || d->n_keys ||
        d->keys_done)
        return UINT64_MAX;
    return d->listening_ms + (d->keypad ? KEYPAD_SILENCE_MS : first_word_ms[d->expect]);
}

static uint64_t closed_at(const struct dialogue *d)
{
    bool more = hearing_open(&d->hearing) || hearing_waiting(&d->hearing);

    if (d->state != CLOSING || says_current(&d->says) || d->keeping)
        return UINT64_MAX;
    return d->closing_ms + (more && !d->leaving ? LINGER_MS : 0);
}

static const struct timer {
    uint64_t (*at)(const struct dialogue *d);
    void (*fire)(struct dialogue *d);
} timers[] = {
    { over_at, dialogue_finish },          { too_long_at, too_long },
    { leave_at, dialogue_finish },         { not_stopped_at, not_stopped },
    { say_overdue_at, say_overdue }, { barge_at, barge },
    { turn_over_at, turn_over },  { turn_endless_at, dialogue_end_open_utterances },
    { fill_at, dialogue_fill },            { not_kept_at, not_kept },
    { no_reply_at, no_reply },    { keys_over_at, dialogue_complete_keys },
    { silence_at, silence },      { closed_at, dialogue_closed },
};

static const struct timer *next_timer(const struct dialogue *d, uint64_t *ret_at_ms)
{
    const struct timer *next = NULL;

    *ret_at_ms = UINT64_MAX;
    for (size_t i = 0; i < ELEMENTSOF(timers) && d->state != ENDED; i++) {
        uint64_t at_ms = timers[i].at(d);
        if (at_ms < *ret_at_ms) {
            *ret_at_ms = at_ms;
            next = &timers[i];
        }
    }
    return next;
}

void dialogue_run(struct dialogue *d)
{
    const struct timer *timer;
    uint64_t at_ms;

    while ((timer = next_timer(d, &at_ms)) && at_ms <= d->now_ms) {
        d->due_ms = at_ms;
        timer->fire(d);
    }
    d->next_ms = at_ms;
}
