/*
 * dialogue_moves.c - what a dialogue does: say, stop, save, ask, decide that a turn is over
 */
#include "services/dialogue_state.h"

#include <assert.h>
#include <string.h>

#include "models/call.h"
#include "utils/spoken.h"
#include "utils/text.h"

enum {
    BARGE_FALSE_MAX = 3,    /* a noisy line: let the caller hear the sentence */
    CONTINUE_MS = 1200,     /* so little of a reply says nothing yet */
    NOISE_MS = 250,         /* shorter and without words: a cough */
    LAST_WORDS_MS = 600,    /* said over the goodbye and worth a file */
    KEEP_MAX_MS = 1500,     /* for a file */
    FAILED_MAX = 4,         /* replies in a row that no voice could say: a question's ladder, and the next */
};

/* --- actions --- */

struct dialogue_action *dialogue_act(struct dialogue *d, enum dialogue_action_kind kind)
{
    assert(d->n_actions < ACTIONS_MAX);
    struct dialogue_action *action = &d->actions[d->n_actions++];
    *action = (struct dialogue_action){ .kind = kind };
    return action;
}

bool dialogue_hears(const struct dialogue *d, enum answer_kind expect)
{
    return !d->options.can_transcribe || d->options.can_transcribe(d->options.user, expect);
}

bool dialogue_is_speaking(const struct dialogue *d)
{
    return d->state == GREETING || d->state == SPEAKING;
}

bool dialogue_is_waiting(const struct dialogue *d)
{
    return d->state == THINKING && d->awaiting && !d->leaving;
}

bool dialogue_is_stalled(const struct dialogue *d)
{
    const struct say *current = says_current(&d->says);
    return dialogue_is_speaking(d) && d->awaiting && (!current || current->filler);
}

enum answer_kind dialogue_listening_for(const struct dialogue *d)
{
    return d->continuing || d->state == CLOSING ? ANSWER_FREE : d->expect;
}

void dialogue_say(struct dialogue *d, const struct agent_sentence *sentence, bool filler)
{
    if (d->says.n == SAYS_MAX)
        return; /* no agent says so much */
    unsigned number = ++d->n_says;
    const struct agent_sentence *kept = says_add(&d->says, number, sentence, filler, d->now_ms);
    struct dialogue_action *action = dialogue_act(d, DO_SAY);

    action->say = number;
    action->sentence = kept;
}

/* One of the profile's own sentences. Returns: whether there is one. */
static bool say_prompt(struct dialogue *d, const char *id, bool filler)
{
    const struct prompt *prompt =
        d->options.profile ? profile_prompt(d->options.profile, id) : NULL;
    struct agent_sentence sentence;

    if (!prompt)
        return false;
    sentence.prompt = prompt->id;
    (void)text_set(sentence.text, sizeof(sentence.text), prompt->text);
    dialogue_say(d, &sentence, filler);
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
    slot->turn.expected = dialogue_listening_for(d);
    slot->turn.confidence = -1;
    return slot;
}

static void turn_save(struct dialogue *d, struct turn_slot *slot)
{
    slot->use = SLOT_OUT;
    dialogue_act(d, DO_SAVE_TURN)->turn = &slot->turn;
}

void dialogue_save_caller(struct dialogue *d)
{
    if (d->caller)
        turn_save(d, d->caller);
    d->caller = NULL;
}

void dialogue_save_agent(struct dialogue *d)
{
    says_stopped_now(&d->says, d->now_ms);
    if (d->says.n) {
        struct turn_slot *slot = turn_hold(d, TURN_AGENT);
        bool heard = says_to_turn(&d->says, &slot->turn);

        if (heard) {
            dialogue_save_caller(d);
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
        dialogue_save_agent(d); /* "one moment", said before */
    dialogue_save_caller(d);
    d->caller = turn_hold(d, TURN_CALLER);
    d->caller->turn.start_ms = start_ms;
    d->caller->turn.times.listened = d->due_ms;
    d->caller->turn.times.decided = d->decided_ms = d->now_ms;
    return &d->caller->turn;
}

/* --- utterances --- */

void dialogue_drop(struct dialogue *d, unsigned utterance)
{
    dialogue_act(d, DO_DROP_AUDIO)->utterance = utterance;
}

static void drop_hearing(struct dialogue *d)
{
    for (size_t i = 0; i < d->hearing.n; i++)
        dialogue_drop(d, d->hearing.list[i].number);
    hearing_clear(&d->hearing);
    d->answer_done = false;
}

static void keep_hearing(struct dialogue *d)
{
    struct dialogue_action *action = dialogue_act(d, DO_KEEP_AUDIO);

    action->utterance = d->hearing.list[0].number;
    action->last_utterance = d->hearing.list[d->hearing.n - 1].number;
    d->keeping = action->utterance;
    d->keep_ms = d->now_ms + KEEP_MAX_MS;
    hearing_clear(&d->hearing);
    d->answer_done = false;
}

void dialogue_end_utterance(struct dialogue *d, struct heard *utterance, uint32_t speech_ms,
                            uint64_t ended_ms)
{
    utterance->open = false;
    utterance->speech_ms = speech_ms;
    utterance->ended_ms = ended_ms > utterance->began_ms ? ended_ms : utterance->began_ms;
    utterance->reported_ms = d->now_ms;
    if ((d->state != LISTENING && d->state != CLOSING) || d->n_keys ||
        !dialogue_hears(d, dialogue_listening_for(d)))
        return;
    struct dialogue_action *action = dialogue_act(d, DO_RECOGNISE);
    action->utterance = utterance->number;
    action->expect = dialogue_listening_for(d);
    utterance->waiting = true;
}

/* The caller goes on speaking, but not for us. */
void dialogue_end_open_utterances(struct dialogue *d)
{
    for (size_t i = 0; i < d->hearing.n; i++) {
        struct heard *utterance = &d->hearing.list[i];
        if (utterance->open)
            dialogue_end_utterance(d, utterance, (uint32_t)(d->now_ms - utterance->began_ms),
                                   d->now_ms);
    }
}

/* --- states --- */

void dialogue_listen(struct dialogue *d)
{
    d->state = LISTENING;
    d->listening_ms = d->now_ms;
    d->n_fillers = 0;
}

void dialogue_finish(struct dialogue *d)
{
    dialogue_cancel_agent(d);
    dialogue_save_agent(d);
    dialogue_save_caller(d);
    drop_hearing(d);
    dialogue_act(d, DO_HANG_UP)->end = d->end ? d->end : CALL_END_AGENT;
    d->state = ENDED;
}

void dialogue_close_with(struct dialogue *d, const char *prompt, int end)
{
    dialogue_cancel_agent(d);
    d->n_keys = 0;
    d->end = end;
    d->state = CLOSING;
    d->closing_ms = d->now_ms;
    (void)say_prompt(d, prompt, false);
}

static void ask_agent(struct dialogue *d, enum agent_input_kind kind)
{
    bool answer = kind == AGENT_HEARD || kind == AGENT_UNHEARD || kind == AGENT_UNCLEAR;

    d->answered = dialogue_listening_for(d);
    d->input.kind = d->continuing && answer ? AGENT_CONTINUED : kind;
    d->input.text = d->input_text;
    d->input.audio = d->input_audio;
    d->input.is_last = d->leaving;
    d->continuing = d->in_parts = d->is_held = d->has_filled = false;
    d->n_false = 0;
    d->awaiting = true;
    d->awaited_ms = d->now_ms;
    d->state = THINKING;
    struct dialogue_action *action = dialogue_act(d, DO_ASK_AGENT);
    action->ask = ++d->n_asks;
    action->input = &d->input;
}

void dialogue_cancel_agent(struct dialogue *d)
{
    if (d->awaiting)
        dialogue_act(d, DO_CANCEL_AGENT);
    d->n_slow += d->awaiting && d->has_filled && !d->in_parts;
    d->awaiting = false;
}

void dialogue_ask_agent_plainly(struct dialogue *d, enum agent_input_kind kind)
{
    d->decided_ms = d->now_ms;
    d->input_text[0] = d->input_audio[0] = '\0';
    d->input.confidence = -1;
    ask_agent(d, kind);
}

/* --- the voice --- */

bool dialogue_may_continue(const struct dialogue *d)
{
    bool free_answer = d->input.kind == AGENT_HEARD || d->input.kind == AGENT_UNHEARD ||
                       d->input.kind == AGENT_CONTINUED;
    return free_answer && d->answered == ANSWER_FREE &&
           says_heard_ms(&d->says, d->now_ms) < CONTINUE_MS;
}

/* What nobody can transcribe, and no file is wanted of, cannot interrupt. */
bool dialogue_may_barge(const struct dialogue *d)
{
    bool wanted =
        d->expect == ANSWER_FREE || dialogue_hears(d, d->expect) || dialogue_may_continue(d);
    bool ours = dialogue_is_speaking(d) || dialogue_is_waiting(d); /* the turn is */
    return ours && d->n_false < BARGE_FALSE_MAX && wanted;
}

/* The barge-in is true: the rest was not heard. */
void dialogue_cut(struct dialogue *d)
{
    d->paused = d->is_held = false;
    dialogue_cancel_agent(d);
    dialogue_save_agent(d);
    d->listening_ms = d->now_ms;
}

void dialogue_stop(struct dialogue *d, bool keyed)
{
    bool sounds = says_current(&d->says);

    if (sounds)
        dialogue_act(d, DO_STOP);
    d->paused = true;
    d->stopping = sounds;
    d->keyed = keyed;
    d->paused_state = d->state;
    d->continuing = !keyed && dialogue_may_continue(d);
    d->stopped_ms = d->now_ms;
    d->barge_ms = UINT64_MAX;
    dialogue_listen(d);
    if (!sounds && keyed)
        dialogue_cut(d);
}

void dialogue_fill(struct dialogue *d)
{
    d->n_fillers++;
    d->has_filled = true;
    d->quiet_ms = d->now_ms;
    (void)say_prompt(d, "wait", true);
}

static void reply_failed(struct dialogue *d, bool late)
{
    if (++d->n_failed >= FAILED_MAX) {
        dialogue_close_with(d, "trouble", CALL_END_TROUBLE);
        return;
    }
    if (late)
        dialogue_fill(d);
    d->expect = ANSWER_FREE;
    dialogue_ask_agent_plainly(d, AGENT_FAILED);
}

/*
 * What no voice could say is asked in other words. But who keyed a number knows it: where only prompts
 * are recorded, "if that is right, press 1" is a question without the number, too.
 */
static bool was_asked(const struct dialogue *d)
{
    bool known = d->input.kind == AGENT_KEYED || d->in_parts; /* of many sentences, the last one asks */
    return (known && says_last_heard(&d->says)) || !says_any_failed(&d->says);
}

void dialogue_settled(struct dialogue *d, bool late)
{
    if (d->says.n && !says_current(&d->says)) {
        d->quiet_ms = d->now_ms;
        if (d->state == CLOSING)
            d->closing_ms = d->now_ms;
        if (!d->says.list[d->says.n - 1].filler)
            d->awaited_ms = d->now_ms; /* the rest, if any */
    }
    dialogue_check_said(d, late);
}

/* Is the reply over? */
void dialogue_check_said(struct dialogue *d, bool late)
{
    if (!d->says.n || says_current(&d->says) || !dialogue_is_speaking(d))
        return;
    if (d->awaiting) /* no */
        return;

    bool asked = was_asked(d);
    dialogue_save_agent(d);
    dialogue_listen(d);
    if (asked)
        d->n_failed = 0;
    else
        reply_failed(d, late);
}

/* What was said while we were thinking is no answer to what will be asked; what is still being said may be. */
static void drop_ended(struct dialogue *d)
{
    for (size_t i = d->hearing.n; i-- > 0;)
        if (!d->hearing.list[i].open) {
            dialogue_drop(d, d->hearing.list[i].number);
            hearing_remove(&d->hearing, &d->hearing.list[i]);
        }
}

/* Nothing more will come of the reply. */
static void reply_is_whole(struct dialogue *d, const struct agent_reply *reply)
{
    if (reply->end) {
        d->end = reply->end_as                      ? reply->end_as
                 : d->input.kind == AGENT_SILENCE ? CALL_END_SILENCE
                                                  : CALL_END_AGENT;
        d->state = CLOSING;
        d->closing_ms = d->now_ms;
    } else if (d->state == THINKING) {
        dialogue_listen(d);
    } else {
        dialogue_check_said(d, false); /* all of it may have been heard before */
    }
}

void dialogue_reply(struct dialogue *d, const struct agent_reply *reply)
{
    d->expect = reply->expect;
    d->keypad = reply->keypad;
    d->digits_min = reply->digits_min;
    d->digits_max = reply->digits_max;
    d->in_parts |= reply->more;
    d->n_slow = 0;
    d->n_fillers = 0;
    d->awaited_ms = d->now_ms;
    if (d->state == THINKING && (reply->n_sentences || !reply->more))
        drop_ended(d);
    for (size_t i = 0; i < reply->n_sentences; i++)
        dialogue_say(d, &reply->sentences[i], false);
    if (d->state == THINKING && reply->n_sentences)
        d->state = d->input.kind == AGENT_BEGIN ? GREETING : SPEAKING;
    if (!reply->more)
        reply_is_whole(d, reply);
}

static void resume(struct dialogue *d)
{
    d->paused = d->continuing = false;
    d->state = d->paused_state;
    d->n_false++;
    says_resumed(&d->says, d->now_ms);
    const struct say *current = says_current(&d->says);
    if (current)
        dialogue_act(d, DO_RESUME)->say = current->number;
    if (d->is_held) {
        d->is_held = false;
        dialogue_reply(d, &d->held);
    } else if (!current) {
        dialogue_check_said(d, false);
    }
}

void dialogue_stopped(struct dialogue *d)
{
    bool over = !says_current(&d->says) && !d->awaiting && !d->is_held; /* at the very end: nothing was cut */

    d->stopping = false;
    if (d->keyed || over)
        dialogue_cut(d);
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

/* Words that say something: "uh huh" answers a yes/no, and nothing else. */
static bool has_words(const struct dialogue *d)
{
    enum answer_kind kind = dialogue_listening_for(d);
    bool short_answer = kind == ANSWER_YESNO || kind == ANSWER_COMMAND;

    return d->hearing.text[0] &&
           (short_answer || !spoken_backchannel(d->language, d->hearing.text));
}

static bool is_noise(const struct dialogue *d)
{
    return !has_words(d) && (d->hearing.text[0] || hearing_speech_ms(&d->hearing) < NOISE_MS);
}

bool dialogue_barge_is_true(const struct dialogue *d)
{
    bool loud = (!dialogue_hears(d, dialogue_listening_for(d)) || hearing_unheard(&d->hearing)) &&
                hearing_speech_ms(&d->hearing) >= BARGE_UNHEARD_MS;
    return has_words(d) || loud;
}

static bool too_few_digits(const struct dialogue *d)
{
    char digits[KEYS_MAX];

    return dialogue_listening_for(d) == ANSWER_DIGITS &&
           spoken_digits(d->language, d->hearing.text, digits, sizeof(digits)) < d->digits_min;
}

void dialogue_decide(struct dialogue *d)
{
    bool words = has_words(d);

    if (d->paused && !dialogue_barge_is_true(d)) {
        drop_hearing(d);
        resume(d);
        return;
    }
    if (d->paused)
        dialogue_cut(d);
    if (is_noise(d)) {
        drop_hearing(d);
        if (d->leaving)
            dialogue_finish(d);
        return;
    }

    /* a free answer whose transcript does not come, or cannot be had, is kept as it is; another kind is worth asking again */
    enum answer_kind kind = dialogue_listening_for(d);
    bool unheard =
        !dialogue_hears(d, kind) ||
        (kind == ANSWER_FREE && (hearing_waiting(&d->hearing) || hearing_unheard(&d->hearing)));

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

void dialogue_complete_keys(struct dialogue *d)
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

/* The file, or no file, of what had no words. */
void dialogue_kept(struct dialogue *d, const char *file)
{
    d->keeping = 0;
    (void)text_set(d->input_audio, sizeof(d->input_audio), file);
    if (d->caller)
        (void)text_set(d->caller->turn.audio, sizeof(d->caller->turn.audio), file);
    if (d->state == THINKING)
        ask_agent(d, d->input.kind);
}

void dialogue_closed(struct dialogue *d)
{
    bool words = d->hearing.text[0];

    dialogue_end_open_utterances(d);
    if (!words && (!d->hearing.n || hearing_speech_ms(&d->hearing) < LAST_WORDS_MS)) {
        dialogue_finish(d);
        return;
    }
    turn_from_hearing(&d->hearing, hold_caller(d, d->hearing.list[0].began_ms));
    if (words)
        dialogue_finish(d);
    else
        keep_hearing(d);
}
