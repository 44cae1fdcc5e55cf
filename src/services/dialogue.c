/*
 * dialogue.c - who speaks when
 *
 * State     what happens                                leaves for
 * IDLE      the stream has not begun                    GREETING (through THINKING)
 * GREETING  the first reply is being said               LISTENING when all of it was heard, or at a barge-in
 * LISTENING the caller's turn: utterances, keys         THINKING when it is over, or nothing came
 * THINKING  an audio file or the agent is awaited       SPEAKING, CLOSING; LISTENING when the caller goes on
 * SPEAKING  a reply is being said                       as GREETING
 * CLOSING   the last words are being said               ENDED
 * ENDED     DO_HANG_UP is out, nothing follows
 *
 * An event changes the state; then every timer that is due fires, the earliest first, until none is. A
 * timer is a row of `timers`: a function that derives its time from the state (UINT64_MAX: not running) and
 * one that acts. Nothing is armed or cancelled, so nothing can be forgotten; the deadline is the least of
 * the rows. No row depends on a mark, a transcript, a file or a reply to arrive.
 *
 * Barge-in: speech over the voice stops it, BARGE_MS after the detector told (`paused`). The caller's turn then decides
 * whether it was one: without words the voice goes on (resume()), with words the sentence is cut where it
 * was heard (cut()). A key is always one. After BARGE_FALSE_MAX false ones a reply is said to its end. What
 * comes within CONTINUE_MS of a reply to a free answer is taken as the rest of that answer (`continuing`),
 * since the new question cannot have been heard.
 *
 * A reply may come in parts: each is said as it comes, and it is over when the last one came and all was heard. In
 * between nothing may be left to be said (a stall): then "one moment" is, as in THINKING. A barge-in works the same
 * in all three; what comes while it is undecided is held, and said or forgotten with the rest.
 *
 * The goodbye is never cut: nothing hangs on an answer to it. What is said over it is still written
 * down, and it may be finished for LINGER_MS before the line goes down.
 *
 * Turns are saved in the order they were spoken: the caller's is held back until the first sound of the
 * reply, so that its latency is known, and is always let go before the agent's turn that follows.
 *
 * When the caller hangs up (`leaving`), what he had begun to say still goes its way, transcript, file,
 * agent, so that it is learnt; only nobody answers.
 */
#include "services/dialogue_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "models/call.h"
#include "utils/text.h"

enum {
    /* On top of the detector's onset, which is past any click. Its hangover keeps even the shortest
       cough open for 280 ms more, so a wait below that tells nothing and is only felt. */
    BARGE_MS = 40,
};

/* --- events --- */

static void on_answered(struct dialogue *d, const struct dialogue_event *event)
{
    if (d->state != IDLE)
        return;
    d->answered_ms = d->quiet_ms = d->now_ms;
    dialogue_ask_agent_plainly(d, AGENT_BEGIN);
}

static struct heard *begin_utterance(struct dialogue *d, const struct dialogue_event *event)
{
    uint64_t began_ms = event->at_ms ? event->at_ms : d->now_ms;

    if (event->utterance <= d->last_utterance)
        return NULL; /* repeated, or dropped before it ended */
    d->last_utterance = event->utterance;
    struct heard *utterance = hearing_add(&d->hearing, event->utterance, began_ms);
    if (!utterance)
        dialogue_drop(d, event->utterance);
    return utterance;
}

static void on_speech_started(struct dialogue *d, const struct dialogue_event *event)
{
    if (begin_utterance(d, event) && dialogue_may_barge(d))
        d->barge_ms = d->now_ms + BARGE_MS;
}

static void on_speech_ended(struct dialogue *d, const struct dialogue_event *event)
{
    struct heard *utterance = hearing_find(&d->hearing, event->utterance);

    if (!utterance)
        utterance = begin_utterance(d, event);
    if (!utterance || !utterance->open)
        return;
    if (dialogue_is_speaking(d)) { /* an aside while the voice goes on */
        dialogue_drop(d, utterance->number);
        hearing_remove(&d->hearing, utterance);
        d->barge_ms = UINT64_MAX;
        return;
    }
    dialogue_end_utterance(d, utterance, event->speech_ms, event->at_ms ? event->at_ms : d->now_ms);
    d->quiet_ms = d->now_ms;
}

static void on_transcript(struct dialogue *d, const struct dialogue_event *event)
{
    struct heard *utterance = hearing_find(&d->hearing, event->utterance);

    if (!utterance || !utterance->waiting)
        return;
    utterance->unheard = event->unheard;
    hearing_words(&d->hearing, utterance, event->understood && event->text ? event->text : "",
                  event->confidence, d->now_ms);
}

static void on_audio_kept(struct dialogue *d, const struct dialogue_event *event)
{
    if (d->keeping && event->utterance == d->keeping)
        dialogue_kept(d, event->text ? event->text : "");
}

static void learn_from(struct dialogue *d, const struct agent_reply *reply)
{
    for (size_t i = 0; i < reply->n_learnt; i++) {
        struct dialogue_action *action = dialogue_act(d, DO_LEARN);
        d->learnt[i] = reply->learnt[i];
        action->field = d->learnt[i].field;
        action->value = d->learnt[i].value;
    }
}

/* Parts that came while it was not known whether anybody will hear them: the last one tells how the reply ends. */
static void hold(struct dialogue *d, const struct agent_reply *reply)
{
    struct agent_reply *held = &d->held;
    size_t n = d->is_held ? held->n_sentences : 0;

    held->n_sentences = n;
    for (size_t i = 0; i < reply->n_sentences && held->n_sentences < AGENT_SENTENCES_MAX; i++)
        held->sentences[held->n_sentences++] = reply->sentences[i];
    held->expect = reply->expect;
    held->keypad = reply->keypad;
    held->digits_min = reply->digits_min;
    held->digits_max = reply->digits_max;
    held->more = reply->more;
    held->end = reply->end;
    held->end_as = reply->end_as;
    d->is_held = true;
}

static void on_reply(struct dialogue *d, const struct dialogue_event *event)
{
    const struct agent_reply *reply = event->reply;
    bool was_thinking = d->state == THINKING;

    if (!d->awaiting || !reply || event->ask != d->n_asks)
        return;
    d->awaiting = reply->more;
    learn_from(d, reply);
    if (d->leaving && !reply->more)
        dialogue_finish(d);
    if (d->leaving) /* too late to be said */
        return;
    if (d->caller && !d->caller->turn.times.first_sentence && reply->n_sentences)
        d->caller->turn.times.first_sentence = d->now_ms;
    if (d->paused)
        hold(d, reply);
    else
        dialogue_reply(d, reply);
    if (was_thinking && dialogue_is_speaking(d) && hearing_open(&d->hearing) && dialogue_may_barge(d))
        d->barge_ms = d->now_ms + BARGE_MS;
}

static void on_say_started(struct dialogue *d, const struct dialogue_event *event)
{
    const struct say *started =
        d->paused ? NULL : says_started(&d->says, event->say, event->total_ms, d->now_ms);

    if (!started || started->filler || !d->caller)
        return;
    d->caller->turn.times.first_frame = d->now_ms;
    dialogue_save_caller(d);
}

static void on_say_moved(struct dialogue *d, const struct dialogue_event *event)
{
    says_moved(&d->says, event->say, event->heard_ms, event->total_ms, d->now_ms);
}

static void on_say_ended(struct dialogue *d, const struct dialogue_event *event)
{
    if (!says_current(&d->says))
        return; /* told once more */
    says_ended(&d->says, event->say, d->now_ms);
    if (d->stopping && !says_current(&d->says))
        dialogue_stopped(d);
    dialogue_settled(d, false);
}

static void on_say_stopped(struct dialogue *d, const struct dialogue_event *event)
{
    if (!d->stopping)
        return;
    says_stopped(&d->says, event->say, event->heard_ms, event->total_ms, d->now_ms);
    says_stopped_now(&d->says, d->now_ms); /* had it named another */
    dialogue_stopped(d);
}

static void on_say_failed(struct dialogue *d, const struct dialogue_event *event)
{
    if (!says_current(&d->says))
        return;
    says_failed(&d->says, event->say);
    if (!d->paused)
        dialogue_settled(d, false);
}

static void gather_key(struct dialogue *d, char key)
{
    if (!d->n_keys)
        d->first_key_ms = d->now_ms;
    d->last_key_ms = d->now_ms;
    if (d->n_keys < KEYS_MAX)
        d->keys[d->n_keys++] = key;
    d->keys[d->n_keys] = '\0';
    d->keys_done = d->expect == ANSWER_YESNO || d->expect == ANSWER_COMMAND ||
                   d->n_keys == KEYS_MAX || (d->digits_max && d->n_keys >= d->digits_max);
}

static void on_hash(struct dialogue *d)
{
    d->last_key_ms = d->now_ms;
    if (!d->n_keys && d->expect == ANSWER_FREE && d->hearing.n) {
        dialogue_end_open_utterances(d);
        d->answer_done = true;
        return;
    }
    if (!d->n_keys)
        d->first_key_ms = d->now_ms;
    d->keys[d->n_keys] = '\0';
    d->keys_done = true;
}

static void on_key(struct dialogue *d, const struct dialogue_event *event)
{
    char key = event->text ? event->text[0] : '\0';
    bool figure = key >= '0' && key <= '9';

    if (!figure && key != '#' && key != '*')
        return;
    if ((dialogue_is_speaking(d) || dialogue_is_waiting(d)) && figure) /* the hash that ends a number may come late: it stops nothing */
        dialogue_stop(d, true);
    if (d->state != LISTENING || d->leaving)
        return;
    d->quiet_ms = d->now_ms;
    if (d->paused && !d->keyed) {
        d->keyed = true;
        d->continuing = false;
        if (!d->stopping)
            dialogue_cut(d);
    }
    if (figure) {
        gather_key(d, key);
    } else if (key == '#') {
        on_hash(d);
    } else {
        d->n_keys = 0;
        d->keys_done = false;
        d->listening_ms = d->now_ms;
    }
}

static void on_tick(struct dialogue *d, const struct dialogue_event *event)
{
}

static void on_hang_up(struct dialogue *d, const struct dialogue_event *event)
{
    if (d->leaving)
        return;
    d->leaving = true;
    d->end = event->end ? event->end : CALL_END_CALLER;
    d->leave_ms = d->now_ms;

    d->continuing = dialogue_is_speaking(d) ? dialogue_may_continue(d) : d->continuing;
    if (event->say && (event->total_ms || event->heard_ms))
        says_stopped(&d->says, event->say, event->heard_ms, event->total_ms, d->now_ms);
    says_stopped_now(&d->says, d->now_ms);
    dialogue_cancel_agent(d);
    d->stopping = d->paused = d->is_held = false;
    if (!d->hearing.n || d->says.first_ms <= d->hearing.list[0].began_ms)
        dialogue_save_agent(d);
    if (dialogue_is_speaking(d))
        d->state = LISTENING;
    dialogue_end_open_utterances(d);
    if (d->n_keys)
        d->keys_done = true;
    if (d->state == IDLE || (d->state == LISTENING && !d->n_keys && !d->hearing.n) ||
        (d->state == THINKING && !d->keeping))
        dialogue_finish(d);
}

static void (*const handlers[])(struct dialogue *d, const struct dialogue_event *event) = {
    [DIALOGUE_ANSWERED] = on_answered,
    [DIALOGUE_SPEECH_STARTED] = on_speech_started,
    [DIALOGUE_SPEECH_ENDED] = on_speech_ended,
    [DIALOGUE_TRANSCRIPT] = on_transcript,
    [DIALOGUE_AUDIO_KEPT] = on_audio_kept,
    [DIALOGUE_REPLY] = on_reply,
    [DIALOGUE_SAY_STARTED] = on_say_started,
    [DIALOGUE_SAY_MOVED] = on_say_moved,
    [DIALOGUE_SAY_ENDED] = on_say_ended,
    [DIALOGUE_SAY_STOPPED] = on_say_stopped,
    [DIALOGUE_SAY_FAILED] = on_say_failed,
    [DIALOGUE_KEY] = on_key,
    [DIALOGUE_TICK] = on_tick,
    [DIALOGUE_HANG_UP] = on_hang_up,
};

/* --- public --- */

int dialogue_new(const struct dialogue_options *options, struct dialogue **ret_dialogue)
{
    struct dialogue *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->options = *options;
    (void)text_set(d->language, sizeof(d->language), options->language ? options->language : "en");
    d->barge_ms = d->next_ms = UINT64_MAX;
    hearing_clear(&d->hearing);
    *ret_dialogue = d;
    return 0;
}

void dialogue_free(struct dialogue *dialogue)
{
    free(dialogue);
}

void dialogue_push(struct dialogue *dialogue, const struct dialogue_event *event)
{
    struct dialogue *d = dialogue;

    assert(d->n_taken == d->n_actions); /* all of the last push were taken */
    d->n_actions = d->n_taken = 0;
    for (size_t i = 0; i < TURNS_MAX; i++)
        if (d->turns[i].use == SLOT_OUT)
            d->turns[i].use = SLOT_FREE;
    if (d->state == ENDED)
        return;

    if (event->now_ms > d->now_ms)
        d->now_ms = event->now_ms;
    handlers[event->kind](d, event);
    dialogue_run(d);
}

bool dialogue_take(struct dialogue *dialogue, struct dialogue_action *ret_action)
{
    if (dialogue->n_taken == dialogue->n_actions)
        return false;
    *ret_action = dialogue->actions[dialogue->n_taken++];
    return true;
}

uint64_t dialogue_deadline(const struct dialogue *dialogue)
{
    return dialogue->next_ms;
}

bool dialogue_ended(const struct dialogue *dialogue)
{
    return dialogue->state == ENDED;
}
