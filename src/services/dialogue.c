/*
 * dialogue.c - who speaks when
 *
 * State     what happens                                leaves for
 * IDLE      the stream has not begun                    GREETING (through THINKING)
 * GREETING  the first reply is being said               LISTENING when all of it was heard, or at a barge-in
 * LISTENING the caller's turn: utterances, keys         THINKING when it is over, or nothing came
 * THINKING  an audio file or the agent is awaited       SPEAKING, CLOSING
 * SPEAKING  a reply is being said                       as GREETING
 * CLOSING   the last words are being said               ENDED
 * ENDED     DO_HANG_UP is out, nothing follows
 *
 * An event changes the state; then every timer that is due fires, the earliest first, until none is. A
 * timer is a row of `timers`: a function that derives its time from the state (UINT64_MAX: not running) and
 * one that acts. Nothing is armed or cancelled, so nothing can be forgotten; the deadline is the least of
 * the rows. No row depends on a mark, a transcript, a file or a reply to arrive.
 *
 * Barge-in: speech that lasts BARGE_MS over the voice stops it (`paused`). The caller's turn then decides
 * whether it was one: without words the voice goes on (resume()), with words the sentence is cut where it
 * was heard (cut()). A key is always one. After BARGE_FALSE_MAX false ones a reply is said to its end. What
 * comes within CONTINUE_MS of a reply to a free answer is taken as the rest of that answer (`continuing`),
 * since the new question cannot have been heard.
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
#include "services/dialogue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/call.h"
#include "services/endpointing.h"
#include "services/hearing.h"
#include "services/says.h"
#include "utils/spoken.h"
#include "utils/text.h"

enum {
    BARGE_MS = 200,         /* on top of the detector's onset: real speech, not a click */
    BARGE_UNHEARD_MS = 700, /* speech that nobody can transcribe interrupts from this length on */
    BARGE_FALSE_MAX = 3,    /* a noisy line: let the caller hear the sentence */
    CONTINUE_MS = 1200,     /* so little of a reply says nothing yet */
    NOISE_MS = 250,         /* shorter and without words: a cough */
    LAST_WORDS_MS = 600,    /* said over the goodbye and worth a file */
    STOPPED_MAX_MS = 500,   /* for DIALOGUE_SAY_STOPPED, then the clock decides */
    FILL_MS = 2500,         /* of silence because of us: "one moment"; with 300 ms of detector below 4 s */
    FILLERS_MAX = 2,
    FILL_GRACE_MS = 300,    /* for an answer that is as good as there */
    TRANSCRIPT_MAX_MS = 6000,
    PAUSED_MAX_MS = 2500,   /* for the transcript of a barge-in: the voice is hanging in mid-word */
    KEEP_MAX_MS = 1500,     /* for a file */
    REPLY_MAX_MS = 8000,
    TURN_MAX_MS = 60000,    /* an answer without end is an open radio */
    KEY_MS = 3000,          /* the pause that ends a number */
    KEYS_MAX = 32,
    KEYPAD_SILENCE_MS = 10000,
    LINGER_MS = 3000,
    LEAVE_MAX_MS = 2000,    /* after the caller hung up */
    LEAVE_TRANSCRIPT_MS = 1200,
    OVER_MS = 30000,        /* beyond call_max_ms, whatever is going on */
    FAILED_MAX = 4,         /* replies in a row that no voice could say: a question's ladder, and the next */
    ACTIONS_MAX = 48,
    TURNS_MAX = 4,
};

/* Of silence after a question. */
static const uint16_t first_word_ms[ANSWER_N_KINDS] = {
    [ANSWER_FREE] = 8000, /* one has to think what to say */
    [ANSWER_YESNO] = 6000,  [ANSWER_DIGITS] = 8000, /* or to find the number */
    [ANSWER_NUMBER] = 6000, [ANSWER_COMMAND] = 6000,
};

enum state { IDLE, GREETING, LISTENING, THINKING, SPEAKING, CLOSING, ENDED };

struct turn_slot {
    struct turn turn;
    enum { SLOT_FREE, SLOT_HELD, SLOT_OUT } use; /* OUT: an action points to it until the next push */
};

struct dialogue {
    struct dialogue_options options;
    char language[8];
    enum state state;
    bool leaving;
    int end;
    uint64_t now_ms, answered_ms;

    /* the question: what the last reply asked for */
    enum answer_kind expect;
    bool keypad;
    unsigned digits_min, digits_max;

    /* the voice */
    struct says says;
    unsigned n_says; /* ever */
    bool paused;     /* stopped by a barge-in that is not decided yet */
    bool stopping;   /* DIALOGUE_SAY_STOPPED is awaited */
    bool keyed;      /* the barge-in was a key */
    bool continuing;
    enum state paused_state;
    unsigned n_false, n_fillers, n_failed;
    uint64_t stopped_ms, barge_ms, quiet_ms, closing_ms; /* UINT64_MAX: not */

    /* the caller's turn */
    struct hearing hearing;
    unsigned last_utterance;
    char keys[KEYS_MAX + 1];
    size_t n_keys;
    bool keys_done, answer_done;
    uint64_t first_key_ms, last_key_ms, listening_ms;

    /* thinking */
    struct agent_input input;
    char input_text[TURN_TEXT_MAX], input_audio[TURN_AUDIO_MAX];
    enum answer_kind answered; /* what kind of answer the last input was */
    bool awaiting;             /* a reply */
    unsigned keeping;          /* the utterance whose file is awaited; 0 none */
    uint64_t decided_ms, asked_ms, keep_ms, leave_ms;

    struct turn_slot turns[TURNS_MAX];
    struct turn_slot *caller; /* held until the first sound of the reply */
    char learnt[AGENT_LEARNT_MAX][2][AGENT_VALUE_MAX];

    struct dialogue_action actions[ACTIONS_MAX];
    size_t n_actions, n_taken;
};

/* --- actions --- */

static struct dialogue_action *act(struct dialogue *d, enum dialogue_action_kind kind)
{
    assert(d->n_actions < ACTIONS_MAX);
    struct dialogue_action *action = &d->actions[d->n_actions++];
    *action = (struct dialogue_action){ .kind = kind };
    return action;
}

static bool hears(const struct dialogue *d, enum answer_kind expect)
{
    return !d->options.can_transcribe || d->options.can_transcribe(d->options.user, expect);
}

static bool is_speaking(const struct dialogue *d)
{
    return d->state == GREETING || d->state == SPEAKING;
}

static enum answer_kind listening_for(const struct dialogue *d)
{
    return d->continuing || d->state == CLOSING ? ANSWER_FREE : d->expect;
}

static void say(struct dialogue *d, const struct agent_sentence *sentence, bool filler)
{
    unsigned number = ++d->n_says;
    const struct agent_sentence *kept = says_add(&d->says, number, sentence, filler, d->now_ms);
    struct dialogue_action *action = act(d, DO_SAY);

    action->say = number;
    action->sentence = kept;
}

/* One of the profile's own sentences. Returns: whether there is one. */
static bool say_prompt(struct dialogue *d, const char *id, bool filler)
{
    const struct prompt *prompt = d->options.profile ? profile_prompt(d->options.profile, id) : NULL;
    struct agent_sentence sentence;

    if (!prompt)
        return false;
    sentence.prompt = prompt->id;
    (void)text_set(sentence.text, sizeof(sentence.text), prompt->text);
    say(d, &sentence, filler);
    return true;
}

/* --- turns --- */

static struct turn_slot *turn_hold(struct dialogue *d, enum turn_who who)
{
    struct turn_slot *slot = d->turns;

    while (slot < d->turns + TURNS_MAX && slot->use != SLOT_FREE)
        slot++;
    assert(slot < d->turns + TURNS_MAX);
    *slot = (struct turn_slot){ .use = SLOT_HELD };
    slot->turn.who = who;
    slot->turn.expected = listening_for(d);
    slot->turn.confidence = -1;
    return slot;
}

static void turn_save(struct dialogue *d, struct turn_slot *slot)
{
    slot->use = SLOT_OUT;
    act(d, DO_SAVE_TURN)->turn = &slot->turn;
}

static void save_caller(struct dialogue *d)
{
    if (d->caller)
        turn_save(d, d->caller);
    d->caller = NULL;
}

static void save_agent(struct dialogue *d)
{
    says_stopped_now(&d->says, d->now_ms);
    if (d->says.n) {
        struct turn_slot *slot = turn_hold(d, TURN_AGENT);
        bool heard = says_to_turn(&d->says, &slot->turn);

        if (heard) {
            save_caller(d);
            turn_save(d, slot);
        } else {
            slot->use = SLOT_FREE;
        }
    }
    says_clear(&d->says);
}

/* The caller's turn, begun at start_ms, is over: it is held until the reply sounds. */
static struct turn *hold_caller(struct dialogue *d, uint64_t start_ms)
{
    if (d->says.first_ms && d->says.first_ms <= start_ms && !says_current(&d->says))
        save_agent(d); /* "one moment", said before */
    save_caller(d);
    d->caller = turn_hold(d, TURN_CALLER);
    d->caller->turn.start_ms = start_ms;
    d->caller->turn.times.decided = d->decided_ms = d->now_ms;
    return &d->caller->turn;
}

/* --- utterances --- */

static void drop(struct dialogue *d, unsigned utterance)
{
    act(d, DO_DROP_AUDIO)->utterance = utterance;
}

static void drop_hearing(struct dialogue *d)
{
    for (size_t i = 0; i < d->hearing.n; i++)
        drop(d, d->hearing.list[i].number);
    hearing_clear(&d->hearing);
    d->answer_done = false;
}

static void keep_hearing(struct dialogue *d)
{
    struct dialogue_action *action = act(d, DO_KEEP_AUDIO);

    action->utterance = d->hearing.list[0].number;
    action->last_utterance = d->hearing.list[d->hearing.n - 1].number;
    d->keeping = action->utterance;
    d->keep_ms = d->now_ms + KEEP_MAX_MS;
    hearing_clear(&d->hearing);
    d->answer_done = false;
}

static void end_utterance(struct dialogue *d, struct utterance *utterance, uint32_t speech_ms, uint64_t ended_ms)
{
    utterance->open = false;
    utterance->speech_ms = speech_ms;
    utterance->ended_ms = ended_ms;
    utterance->reported_ms = d->now_ms;
    if ((d->state != LISTENING && d->state != CLOSING) || d->n_keys || !hears(d, listening_for(d)))
        return;
    struct dialogue_action *action = act(d, DO_RECOGNISE);
    action->utterance = utterance->number;
    action->expect = listening_for(d);
    utterance->waiting = true;
}

/* The caller goes on speaking, but not for us. */
static void end_open_utterances(struct dialogue *d)
{
    for (size_t i = 0; i < d->hearing.n; i++) {
        struct utterance *utterance = &d->hearing.list[i];
        if (utterance->open)
            end_utterance(d, utterance, (uint32_t)(d->now_ms - utterance->began_ms), d->now_ms);
    }
}

/* --- states --- */

static void listen(struct dialogue *d)
{
    d->state = LISTENING;
    d->listening_ms = d->now_ms;
    d->n_fillers = 0;
}

static void finish(struct dialogue *d)
{
    save_agent(d);
    save_caller(d);
    drop_hearing(d);
    act(d, DO_HANG_UP)->end = d->end ? d->end : CALL_END_AGENT;
    d->state = ENDED;
}

static void close_with(struct dialogue *d, const char *prompt, int end)
{
    d->n_keys = 0;
    d->end = end;
    d->state = CLOSING;
    d->closing_ms = d->now_ms;
    (void)say_prompt(d, prompt, false);
}

static void ask_agent(struct dialogue *d, enum agent_input_kind kind)
{
    bool answer = kind == AGENT_HEARD || kind == AGENT_UNHEARD || kind == AGENT_UNCLEAR;

    d->answered = listening_for(d);
    d->input.kind = d->continuing && answer ? AGENT_CONTINUED : kind;
    d->input.text = d->input_text;
    d->input.audio = d->input_audio;
    d->continuing = false;
    d->awaiting = true;
    d->asked_ms = d->now_ms;
    d->state = THINKING;
    act(d, DO_ASK_AGENT)->input = &d->input;
}

static void ask_agent_plainly(struct dialogue *d, enum agent_input_kind kind)
{
    d->decided_ms = d->now_ms;
    d->input_text[0] = d->input_audio[0] = '\0';
    d->input.confidence = -1;
    ask_agent(d, kind);
}

/* --- the voice --- */

static bool may_continue(const struct dialogue *d)
{
    bool free_answer = d->input.kind == AGENT_HEARD || d->input.kind == AGENT_UNHEARD || d->input.kind == AGENT_CONTINUED;
    return free_answer && d->answered == ANSWER_FREE && says_heard_ms(&d->says, d->now_ms) < CONTINUE_MS;
}

/* What nobody can transcribe, and no file is wanted of, cannot interrupt. */
static bool may_barge(const struct dialogue *d)
{
    bool wanted = d->expect == ANSWER_FREE || hears(d, d->expect) || may_continue(d);
    return is_speaking(d) && d->n_false < BARGE_FALSE_MAX && wanted;
}

static void stop(struct dialogue *d, bool keyed)
{
    act(d, DO_STOP);
    d->paused = d->stopping = true;
    d->keyed = keyed;
    d->paused_state = d->state;
    d->continuing = !keyed && may_continue(d);
    d->stopped_ms = d->now_ms;
    d->barge_ms = UINT64_MAX;
    listen(d);
}

/* The barge-in is true: the rest was not heard. */
static void cut(struct dialogue *d)
{
    d->paused = false;
    save_agent(d);
    d->listening_ms = d->now_ms;
}

static void fill(struct dialogue *d)
{
    d->n_fillers++;
    d->quiet_ms = d->now_ms;
    (void)say_prompt(d, "wait", true);
}

static void reply_failed(struct dialogue *d, bool late)
{
    if (++d->n_failed >= FAILED_MAX) {
        close_with(d, "trouble", CALL_END_AGENT);
        return;
    }
    if (late)
        fill(d);
    d->expect = ANSWER_FREE;
    ask_agent_plainly(d, AGENT_UNCLEAR);
}

/* After anything that settled a sentence. */
static void check_said(struct dialogue *d, bool late)
{
    if (!d->says.n || says_current(&d->says))
        return;
    d->quiet_ms = d->now_ms;
    if (d->state == CLOSING)
        d->closing_ms = d->now_ms;
    if (!is_speaking(d))
        return;

    bool failed = d->says.list[d->says.n - 1].state == SAY_FAILED;
    save_agent(d);
    listen(d);
    if (failed)
        reply_failed(d, late);
    else
        d->n_failed = 0;
}

static void resume(struct dialogue *d)
{
    d->paused = d->continuing = false;
    d->state = d->paused_state;
    d->n_false++;
    says_resumed(&d->says, d->now_ms);
    const struct say *current = says_current(&d->says);
    if (current)
        act(d, DO_RESUME)->say = current->number;
    else
        check_said(d, false);
}

static void stopped(struct dialogue *d)
{
    d->stopping = false;
    if (d->keyed)
        cut(d);
}

/* --- the caller's turn is over --- */

static void turn_from_hearing(const struct hearing *hearing, struct turn *turn)
{
    for (size_t i = 0; i < hearing->n; i++)
        if (hearing->list[i].ended_ms > turn->end_ms)
            turn->end_ms = hearing->list[i].ended_ms;
    turn->confidence = hearing->confidence;
    turn->times.speech_end = turn->end_ms;
    turn->times.transcript = hearing->transcript_ms;
    (void)text_set(turn->text, sizeof(turn->text), hearing->text);
}

static bool barge_is_true(const struct dialogue *d)
{
    bool yesno = listening_for(d) == ANSWER_YESNO || listening_for(d) == ANSWER_COMMAND; /* "uh huh" answers them */

    if (d->hearing.text[0])
        return yesno || !spoken_backchannel(d->language, d->hearing.text);
    return !hears(d, listening_for(d)) && hearing_speech_ms(&d->hearing) >= BARGE_UNHEARD_MS;
}

static bool too_few_digits(const struct dialogue *d)
{
    char digits[KEYS_MAX];

    return listening_for(d) == ANSWER_DIGITS &&
           spoken_digits(d->language, d->hearing.text, digits, sizeof(digits)) < d->digits_min;
}

static void decide(struct dialogue *d)
{
    bool words = d->hearing.text[0];

    if (d->paused && !barge_is_true(d)) {
        drop_hearing(d);
        resume(d);
        return;
    }
    if (d->paused)
        cut(d);
    if (!words && hearing_speech_ms(&d->hearing) < NOISE_MS) {
        drop_hearing(d);
        if (d->leaving)
            finish(d);
        return;
    }

    /* a free answer whose transcript does not come is kept as it is; another kind is worth asking again */
    enum answer_kind kind = listening_for(d);
    bool unheard = !hears(d, kind) || (kind == ANSWER_FREE && hearing_waiting(&d->hearing));

    turn_from_hearing(&d->hearing, hold_caller(d, d->hearing.list[0].began_ms));
    (void)text_set(d->input_text, sizeof(d->input_text), d->hearing.text);
    d->input_audio[0] = '\0';
    d->input.confidence = d->hearing.confidence;
    d->input.kind = words ? AGENT_HEARD : unheard ? AGENT_UNHEARD : AGENT_UNCLEAR;
    if (words && !too_few_digits(d)) {
        drop_hearing(d);
        ask_agent(d, d->input.kind);
        return;
    }
    keep_hearing(d); /* what has no words, or not enough, is kept to be listened to */
    d->state = THINKING;
}

static void complete_keys(struct dialogue *d)
{
    struct turn *turn = hold_caller(d, d->first_key_ms);

    turn->keyed = true;
    turn->end_ms = turn->times.speech_end = d->last_key_ms;
    (void)text_set(turn->text, sizeof(turn->text), d->n_keys ? d->keys : "#");
    (void)text_set(d->input_text, sizeof(d->input_text), d->keys);
    d->input_audio[0] = '\0';
    d->input.confidence = -1;
    d->n_keys = 0;
    d->keys_done = false;
    drop_hearing(d);
    ask_agent(d, AGENT_KEYED);
}

/* --- events --- */

static void on_answered(struct dialogue *d, const struct dialogue_event *event)
{
    if (d->state != IDLE)
        return;
    d->answered_ms = d->quiet_ms = d->now_ms;
    ask_agent_plainly(d, AGENT_BEGIN);
}

static struct utterance *begin_utterance(struct dialogue *d, const struct dialogue_event *event)
{
    uint64_t began_ms = event->at_ms ? event->at_ms : d->now_ms;

    if (event->utterance <= d->last_utterance)
        return NULL; /* repeated, or dropped before it ended */
    d->last_utterance = event->utterance;
    struct utterance *utterance = hearing_add(&d->hearing, event->utterance, began_ms);
    if (!utterance)
        drop(d, event->utterance);
    return utterance;
}

static void on_speech_started(struct dialogue *d, const struct dialogue_event *event)
{
    if (begin_utterance(d, event) && may_barge(d))
        d->barge_ms = d->now_ms + BARGE_MS;
}

static void on_speech_ended(struct dialogue *d, const struct dialogue_event *event)
{
    struct utterance *utterance = hearing_find(&d->hearing, event->utterance);

    if (!utterance)
        utterance = begin_utterance(d, event);
    if (!utterance || !utterance->open)
        return;
    if (is_speaking(d)) { /* an aside while the voice goes on */
        drop(d, utterance->number);
        hearing_remove(&d->hearing, utterance);
        d->barge_ms = UINT64_MAX;
        return;
    }
    end_utterance(d, utterance, event->speech_ms, event->at_ms ? event->at_ms : d->now_ms);
    d->quiet_ms = d->now_ms;
}

static void on_transcript(struct dialogue *d, const struct dialogue_event *event)
{
    struct utterance *utterance = hearing_find(&d->hearing, event->utterance);

    if (utterance && utterance->waiting)
        hearing_words(&d->hearing, utterance, event->understood && event->text ? event->text : "", event->confidence,
                      d->now_ms);
}

/* The file, or no file, of what had no words. */
static void kept(struct dialogue *d, const char *file)
{
    d->keeping = 0;
    (void)text_set(d->input_audio, sizeof(d->input_audio), file);
    if (d->caller)
        (void)text_set(d->caller->turn.audio, sizeof(d->caller->turn.audio), file);
    if (d->state == THINKING)
        ask_agent(d, d->input.kind);
}

static void on_audio_kept(struct dialogue *d, const struct dialogue_event *event)
{
    if (d->keeping && event->utterance == d->keeping)
        kept(d, event->text ? event->text : "");
}

static void learn_from(struct dialogue *d, const struct agent_reply *reply)
{
    for (size_t i = 0; i < reply->n_learnt; i++) {
        struct dialogue_action *action = act(d, DO_LEARN);
        (void)text_set(d->learnt[i][0], AGENT_VALUE_MAX, reply->learnt[i].field);
        (void)text_set(d->learnt[i][1], AGENT_VALUE_MAX, reply->learnt[i].value);
        action->field = d->learnt[i][0];
        action->value = d->learnt[i][1];
    }
}

/* What was said while we were thinking is no answer to what will be asked; what is still being said may be. */
static void drop_ended(struct dialogue *d)
{
    for (size_t i = d->hearing.n; i-- > 0;)
        if (!d->hearing.list[i].open) {
            drop(d, d->hearing.list[i].number);
            hearing_remove(&d->hearing, &d->hearing.list[i]);
        }
}

static void on_reply(struct dialogue *d, const struct dialogue_event *event)
{
    const struct agent_reply *reply = event->reply;
    bool first = d->input.kind == AGENT_BEGIN;

    if (!d->awaiting || !reply)
        return;
    d->awaiting = false;
    learn_from(d, reply);
    if (d->leaving)
        finish(d);
    if (d->state != THINKING) /* too late to be said */
        return;
    if (d->caller)
        d->caller->turn.times.first_sentence = d->now_ms;
    d->expect = reply->expect;
    d->keypad = reply->keypad;
    d->digits_min = reply->digits_min;
    d->digits_max = reply->digits_max;
    d->n_false = 0;
    drop_ended(d);
    for (size_t i = 0; i < reply->n_sentences; i++)
        say(d, &reply->sentences[i], false);

    if (reply->end) {
        d->end = d->input.kind == AGENT_SILENCE ? CALL_END_SILENCE : CALL_END_AGENT;
        d->state = CLOSING;
        d->closing_ms = d->now_ms;
    } else if (reply->n_sentences) {
        d->state = first ? GREETING : SPEAKING;
        if (hearing_open(&d->hearing) && may_barge(d))
            d->barge_ms = d->now_ms + BARGE_MS;
    } else {
        listen(d);
    }
}

static void on_say_started(struct dialogue *d, const struct dialogue_event *event)
{
    const struct say *started = d->paused ? NULL : says_started(&d->says, event->say, event->total_ms, d->now_ms);

    if (!started || started->filler || !d->caller)
        return;
    d->caller->turn.times.first_frame = d->now_ms;
    save_caller(d);
}

static void on_say_ended(struct dialogue *d, const struct dialogue_event *event)
{
    says_ended(&d->says, event->say, d->now_ms);
    check_said(d, false);
}

static void on_say_stopped(struct dialogue *d, const struct dialogue_event *event)
{
    if (!d->stopping)
        return;
    says_stopped(&d->says, event->say, event->heard_ms, event->total_ms, d->now_ms);
    says_stopped_now(&d->says, d->now_ms); /* had it named another */
    stopped(d);
}

static void on_say_failed(struct dialogue *d, const struct dialogue_event *event)
{
    says_failed(&d->says, event->say);
    if (!d->paused)
        check_said(d, false);
}

static void gather_key(struct dialogue *d, char key)
{
    if (!d->n_keys)
        d->first_key_ms = d->now_ms;
    d->last_key_ms = d->now_ms;
    if (d->n_keys < KEYS_MAX)
        d->keys[d->n_keys++] = key;
    d->keys[d->n_keys] = '\0';
    d->keys_done = d->expect == ANSWER_YESNO || d->expect == ANSWER_COMMAND || d->n_keys == KEYS_MAX ||
                   (d->digits_max && d->n_keys >= d->digits_max);
}

static void on_hash(struct dialogue *d)
{
    d->last_key_ms = d->now_ms;
    if (!d->n_keys && d->expect == ANSWER_FREE && d->hearing.n) {
        end_open_utterances(d);
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
    if (is_speaking(d) && figure) /* the hash that ends a number may come late: it stops nothing */
        stop(d, true);
    if (d->state != LISTENING || d->leaving)
        return;
    d->quiet_ms = d->now_ms;
    if (d->paused && !d->keyed) {
        d->keyed = true;
        d->continuing = false;
        if (!d->stopping)
            cut(d);
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

    d->continuing = is_speaking(d) ? may_continue(d) : d->continuing;
    if (event->say && event->total_ms)
        says_stopped(&d->says, event->say, event->heard_ms, event->total_ms, d->now_ms);
    says_stopped_now(&d->says, d->now_ms);
    d->stopping = d->paused = false;
    if (!d->hearing.n || d->says.first_ms <= d->hearing.list[0].began_ms)
        save_agent(d);
    if (is_speaking(d))
        d->state = LISTENING;
    end_open_utterances(d);
    if (d->n_keys)
        d->keys_done = true;
    if (d->state == IDLE || (d->state == LISTENING && !d->n_keys && !d->hearing.n) ||
        (d->state == THINKING && !d->keeping && !d->awaiting))
        finish(d);
}

static void (*const handlers[])(struct dialogue *d, const struct dialogue_event *event) = {
    [DIALOGUE_ANSWERED] = on_answered,
    [DIALOGUE_SPEECH_STARTED] = on_speech_started,
    [DIALOGUE_SPEECH_ENDED] = on_speech_ended,
    [DIALOGUE_TRANSCRIPT] = on_transcript,
    [DIALOGUE_AUDIO_KEPT] = on_audio_kept,
    [DIALOGUE_REPLY] = on_reply,
    [DIALOGUE_SAY_STARTED] = on_say_started,
    [DIALOGUE_SAY_ENDED] = on_say_ended,
    [DIALOGUE_SAY_STOPPED] = on_say_stopped,
    [DIALOGUE_SAY_FAILED] = on_say_failed,
    [DIALOGUE_KEY] = on_key,
    [DIALOGUE_TICK] = on_tick,
    [DIALOGUE_HANG_UP] = on_hang_up,
};

/* --- timers --- */

static uint64_t over_at(const struct dialogue *d)
{
    return d->state == IDLE ? UINT64_MAX : d->answered_ms + d->options.call_max_ms + OVER_MS;
}

static void too_long(struct dialogue *d)
{
    if (says_current(&d->says))
        act(d, DO_STOP);
    d->paused = d->stopping = d->continuing = false;
    save_agent(d);
    close_with(d, "too_long", CALL_END_TOO_LONG);
}

static uint64_t too_long_at(const struct dialogue *d)
{
    return d->state == IDLE || d->state == CLOSING || d->leaving ? UINT64_MAX : d->answered_ms + d->options.call_max_ms;
}

static uint64_t leave_at(const struct dialogue *d)
{
    return d->leaving ? d->leave_ms + LEAVE_MAX_MS : UINT64_MAX;
}

static void not_stopped(struct dialogue *d)
{
    says_stopped_now(&d->says, d->now_ms);
    stopped(d);
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
        act(d, DO_STOP); /* so that it does not come in the middle of what follows */
        says_give_up(&d->says);
    } else {
        says_ended(&d->says, current->number, d->now_ms);
    }
    check_said(d, late);
}

static uint64_t say_overdue_at(const struct dialogue *d)
{
    return d->paused || d->leaving ? UINT64_MAX : says_overdue_ms(&d->says);
}

static void barge(struct dialogue *d)
{
    d->barge_ms = UINT64_MAX;
    if (may_barge(d) && hearing_open(&d->hearing) && says_current(&d->says))
        stop(d, false);
}

static uint64_t barge_at(const struct dialogue *d)
{
    return d->barge_ms;
}

static void turn_over(struct dialogue *d)
{
    bool long_enough = hearing_speech_ms(&d->hearing) >= BARGE_UNHEARD_MS;

    if (d->paused && hearing_waiting(&d->hearing) && long_enough && !d->leaving)
        cut(d); /* the transcript is late, but nobody coughs for so long */
    else
        decide(d);
}

static uint32_t answer_wait_ms(const struct dialogue *d)
{
    enum answer_kind kind = listening_for(d);
    const struct endpointing *rules = d->options.endpointing ? d->options.endpointing : &endpointing_rules;
    struct endpointing_turn turn = {
        .language = d->language,
        .expect = kind,
        .text = d->hearing.text,
        .can_transcribe = hears(d, kind),
        .digits_min = d->digits_min,
        .digits_max = d->digits_max,
    };

    return rules->wait_ms(&turn);
}

static uint64_t turn_over_at(const struct dialogue *d)
{
    const struct hearing *hearing = &d->hearing;
    uint64_t reported_ms = hearing_reported_ms(hearing);

    if (d->state != LISTENING || d->stopping || d->n_keys || d->keys_done || !hearing->n || hearing_open(hearing))
        return UINT64_MAX;
    if (hearing_waiting(hearing) && d->leaving)
        return d->leave_ms + LEAVE_TRANSCRIPT_MS;
    if (hearing_waiting(hearing))
        return reported_ms + (d->paused ? PAUSED_MAX_MS : TRANSCRIPT_MAX_MS);
    if (d->leaving || d->answer_done || hearing->n == HEARING_MAX || (d->paused && !barge_is_true(d)))
        return reported_ms;
    return reported_ms + answer_wait_ms(d);
}

static uint64_t turn_endless_at(const struct dialogue *d)
{
    bool open = d->state == LISTENING && hearing_open(&d->hearing);
    return open ? d->hearing.list[0].began_ms + TURN_MAX_MS : UINT64_MAX;
}

static uint64_t fill_at(const struct dialogue *d)
{
    bool waiting = d->state == THINKING ||
                   (d->state == LISTENING && !d->n_keys && hearing_waiting(&d->hearing) && !hearing_open(&d->hearing));

    if (!waiting || d->paused || d->leaving || d->n_fillers >= FILLERS_MAX || says_current(&d->says))
        return UINT64_MAX;
    uint64_t due_ms = d->quiet_ms + FILL_MS, grace_ms = d->decided_ms + FILL_GRACE_MS;
    return d->state == THINKING && grace_ms > due_ms ? grace_ms : due_ms;
}

static void not_kept(struct dialogue *d)
{
    kept(d, "");
}

static uint64_t not_kept_at(const struct dialogue *d)
{
    return d->keeping ? d->keep_ms : UINT64_MAX;
}

static void no_reply(struct dialogue *d)
{
    close_with(d, "trouble", CALL_END_AGENT);
}

static uint64_t no_reply_at(const struct dialogue *d)
{
    return d->awaiting && d->state == THINKING && !d->leaving ? d->asked_ms + REPLY_MAX_MS : UINT64_MAX;
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
    ask_agent_plainly(d, AGENT_SILENCE);
}

static uint64_t silence_at(const struct dialogue *d)
{
    if (d->state != LISTENING || d->paused || d->leaving || d->hearing.n || d->n_keys || d->keys_done)
        return UINT64_MAX;
    return d->listening_ms + (d->keypad ? KEYPAD_SILENCE_MS : first_word_ms[d->expect]);
}

static void closed(struct dialogue *d)
{
    bool words = d->hearing.text[0];

    if (!words && (!d->hearing.n || hearing_speech_ms(&d->hearing) < LAST_WORDS_MS)) {
        finish(d);
        return;
    }
    end_open_utterances(d);
    turn_from_hearing(&d->hearing, hold_caller(d, d->hearing.list[0].began_ms));
    if (words)
        finish(d);
    else
        keep_hearing(d);
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
    { over_at, finish },          { too_long_at, too_long },
    { leave_at, finish },         { not_stopped_at, not_stopped },
    { say_overdue_at, say_overdue }, { barge_at, barge },
    { turn_over_at, turn_over },  { turn_endless_at, end_open_utterances },
    { fill_at, fill },            { not_kept_at, not_kept },
    { no_reply_at, no_reply },    { keys_over_at, complete_keys },
    { silence_at, silence },      { closed_at, closed },
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

/* --- public --- */

int dialogue_new(const struct dialogue_options *options, struct dialogue **ret_dialogue)
{
    struct dialogue *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->options = *options;
    (void)text_set(d->language, sizeof(d->language), options->language ? options->language : "en");
    d->barge_ms = UINT64_MAX;
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
    const struct timer *timer;
    uint64_t at_ms;

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
    while ((timer = next_timer(d, &at_ms)) && at_ms <= d->now_ms)
        timer->fire(d);
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
    uint64_t at_ms;

    (void)next_timer(dialogue, &at_ms);
    return at_ms;
}

bool dialogue_ended(const struct dialogue *dialogue)
{
    return dialogue->state == ENDED;
}
