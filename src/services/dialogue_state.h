#pragma once
/* dialogue_state.h - inside of the dialogue: its state, what it can do, when it is due. See dialogue.c. */

#include "services/dialogue.h"
#include "services/hearing.h"
#include "services/says.h"

enum {
    BARGE_UNHEARD_MS = 700, /* speech that nobody can transcribe interrupts from this length on */
    KEYS_MAX = 32,
    ACTIONS_MAX = 64,
    TURNS_MAX = 4,
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
    unsigned n_says; /* ever */
    bool paused;     /* stopped by a barge-in that is not decided yet */
    bool stopping;   /* DIALOGUE_SAY_STOPPED is awaited */
    bool keyed;      /* the barge-in was a key */
    bool continuing;
    bool in_parts;   /* the reply did not come at once */
    bool is_held;
    enum state paused_state;
    unsigned n_false, n_fillers, n_failed;
    bool has_filled; /* while this reply was awaited */
    unsigned n_slow; /* replies in a row that were given up after that, before a word of them came */
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
    bool awaiting;             /* a reply, or the rest of it */
    unsigned n_asks;           /* ever */
    unsigned keeping;          /* the utterance whose file is awaited; 0 none */
    uint64_t decided_ms, keep_ms, leave_ms;
    uint64_t awaited_ms; /* since when nothing came of the reply, and nothing was left to be heard */
    uint64_t due_ms;     /* when the timer that fires had to */
    uint64_t next_ms;    /* when the next one has to; UINT64_MAX never */
    struct turn_slot *caller; /* held until the first sound of the reply */

    /* Far more room than most calls ever use, so behind the rest: memory that is never touched costs nothing. */
    size_t n_actions, n_taken;
    struct dialogue_action actions[ACTIONS_MAX];
    struct agent_learnt learnt[AGENT_LEARNT_MAX];
    struct turn_slot turns[TURNS_MAX];
    struct says says;
    struct agent_reply held; /* parts that came while paused */
};

/* --- asking (dialogue_moves.c) */

bool dialogue_hears(const struct dialogue *d, enum answer_kind expect); /* somebody can transcribe it */
bool dialogue_is_speaking(const struct dialogue *d);                    /* a reply, and not the last */
bool dialogue_is_waiting(const struct dialogue *d);                     /* for the first word of a reply */
bool dialogue_is_stalled(const struct dialogue *d);                     /* all that came of it was said, and the rest is awaited */
enum answer_kind dialogue_listening_for(const struct dialogue *d);
bool dialogue_may_barge(const struct dialogue *d);
bool dialogue_may_continue(const struct dialogue *d);
bool dialogue_barge_is_true(const struct dialogue *d);

/* --- the voice */

struct dialogue_action *dialogue_act(struct dialogue *d, enum dialogue_action_kind kind);
void dialogue_say(struct dialogue *d, const struct agent_sentence *sentence, bool filler);
void dialogue_fill(struct dialogue *d);                  /* "one moment" */
void dialogue_stop(struct dialogue *d, bool keyed);      /* until it is known whether it was a barge-in */
void dialogue_stopped(struct dialogue *d);               /* what was heard is in the says */
void dialogue_cut(struct dialogue *d);                   /* it was one: the rest was not heard */
void dialogue_settled(struct dialogue *d, bool late);    /* after anything that settled a sentence */
void dialogue_check_said(struct dialogue *d, bool late); /* is the reply over? */
void dialogue_reply(struct dialogue *d, const struct agent_reply *reply); /* say it, or the next part of it */
void dialogue_cancel_agent(struct dialogue *d);                           /* what is still awaited of a reply */

/* --- the caller's turn */

void dialogue_listen(struct dialogue *d);
void dialogue_drop(struct dialogue *d, unsigned utterance);
void dialogue_end_utterance(struct dialogue *d, struct heard *utterance, uint32_t speech_ms,
                            uint64_t ended_ms);
void dialogue_end_open_utterances(struct dialogue *d); /* the caller goes on, but not for us */
void dialogue_decide(struct dialogue *d);              /* it is over: what was it? */
void dialogue_complete_keys(struct dialogue *d);
void dialogue_kept(struct dialogue *d, const char *file); /* of what has no words; "" no file */

/* --- turns kept, the agent asked, the end */

void dialogue_save_agent(struct dialogue *d);
void dialogue_save_caller(struct dialogue *d);
void dialogue_ask_agent_plainly(struct dialogue *d, enum agent_input_kind kind); /* without words */
void dialogue_close_with(struct dialogue *d, const char *prompt, int end);
void dialogue_closed(struct dialogue *d); /* the last words were said: his are written down */
void dialogue_finish(struct dialogue *d); /* at once */

/* --- time (dialogue_timers.c) */

void dialogue_run(struct dialogue *d); /* all that is due by now; next_ms is then right */
