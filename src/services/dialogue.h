#pragma once
/*
 * dialogue.h - who speaks when
 *
 * The per-call state machine (greeting, listening, thinking, speaking, closing), sans-IO: events in,
 * actions out. It has no threads, no clock and no network; the time is an argument, so whole
 * conversations are unit tests with virtual time. The speech worker performs its actions.
 *
 * A `say` is one sentence, numbered from 1. An `utterance` is one stretch of caller's speech, numbered by
 * the worker from 1; several utterances may make one turn (a number said in two breaths). The worker holds
 * the audio of each until the one DO_KEEP_AUDIO or DO_DROP_AUDIO that names it; DO_RECOGNISE comes at most
 * once and before. An action may name an utterance that has not ended: it ends there.
 *
 * DO_HANG_UP is the last action of every call and comes once, also after DIALOGUE_HANG_UP: then the
 * dialogue first saves what it still can (a transcript or a kept file that is on its way), within two
 * seconds of ticks. A worker in haste pushes one DIALOGUE_TICK far in the future, and it ends at once.
 */

#include "services/agent.h"

struct dialogue;

enum dialogue_event_kind {
    DIALOGUE_ANSWERED,       /* the stream began */
    DIALOGUE_SPEECH_STARTED, /* utterance, at_ms */
    DIALOGUE_SPEECH_ENDED,   /* utterance, speech_ms, at_ms */
    DIALOGUE_TRANSCRIPT,     /* utterance, text, confidence, understood (false: none), unheard */
    DIALOGUE_AUDIO_KEPT,     /* utterance, text = file, "" when it could not be kept */
    DIALOGUE_REPLY,          /* ask, reply: the agent's answer to that DO_ASK_AGENT, or the next part of it */
    DIALOGUE_SAY_STARTED,    /* say, total_ms (0 unknown): its first frame left, a second ahead of the ear */
    DIALOGUE_SAY_MOVED,      /* say, heard_ms of total_ms (0 unknown): that is where it is now, or how long, after all */
    DIALOGUE_SAY_ENDED,      /* say: all of it was heard (mark, or the play-out clock passed it) */
    DIALOGUE_SAY_STOPPED,    /* say, heard_ms of total_ms: answer to DO_STOP; heard_ms 0 when it had not started */
    DIALOGUE_SAY_FAILED,     /* say: no voice could render it */
    DIALOGUE_KEY,            /* text[0] = 0-9 * # */
    DIALOGUE_TICK,           /* only the time */
    DIALOGUE_HANG_UP,        /* the caller left or the stream died: end; say, heard_ms, total_ms if one was playing */
};

struct dialogue_event {
    enum dialogue_event_kind kind;
    uint64_t now_ms; /* one clock for all events of a call; never goes back */
    uint64_t at_ms;  /* when speech really began or ended, before the detector was sure; 0: now_ms */
    unsigned utterance, say, ask;
    uint32_t speech_ms, heard_ms, total_ms;
    const char *text;
    double confidence;
    bool understood;
    bool unheard; /* nobody could transcribe it, this time */
    const struct agent_reply *reply;
    int end; /* enum call_end */
};

enum dialogue_action_kind {
    DO_SAY,       /* say, sentence: queue it behind what is being said */
    DO_STOP,      /* silence at once; DIALOGUE_SAY_STOPPED answers for the say that was playing, else the next in
                     the queue. The queue is held until DO_RESUME (it goes on) or DO_SAY (it is dropped).
                     With nothing to stop it does nothing */
    DO_RESUME,    /* say: go on from its last confirmed mark (the barge-in was false), then with the held queue */
    DO_RECOGNISE, /* utterance, expect */
    DO_KEEP_AUDIO, /* utterance..last_utterance, those still held: write them in order to one file;
                      DIALOGUE_AUDIO_KEPT answers with `utterance` */
    DO_DROP_AUDIO, /* utterance: not needed any more */
    DO_ASK_AGENT, /* ask, input: DIALOGUE_REPLY answers */
    DO_CANCEL_AGENT, /* the rest of its reply is not wanted: what still comes of it changes nothing */
    DO_SAVE_TURN, /* turn; times in the event's clock, the worker maps them to unix time */
    DO_LEARN,     /* field, value */
    DO_HANG_UP,   /* end: the last action */
};

struct dialogue_action {
    enum dialogue_action_kind kind;
    unsigned utterance, last_utterance, say, ask;
    enum answer_kind expect;
    int end; /* enum call_end */
    union { /* what the kind names; pointers live until the next dialogue_push() */
        const struct agent_sentence *sentence;
        const struct agent_input *input;
        const struct turn *turn;
        struct {
            const char *field, *value;
        };
    };
};

struct dialogue_options {
    const struct profile *profile; /* for the fixed prompts "wait", "trouble", "too_long"; NULL: none of them is said */
    const char *language;
    bool (*can_transcribe)(void *user, enum answer_kind expect); /* NULL: everything */
    void *user;
    const struct endpointing *endpointing; /* NULL: endpointing_rules */
    uint32_t call_max_ms;
};

int dialogue_new(const struct dialogue_options *options, struct dialogue **ret_dialogue);
void dialogue_free(struct dialogue *dialogue);
SCOPED_PTR(struct dialogue, dialogue_free)

/* Thread: the call's worker. Allocates nothing. After each push, take actions until there are none. */
void dialogue_push(struct dialogue *dialogue, const struct dialogue_event *event);
bool dialogue_take(struct dialogue *dialogue, struct dialogue_action *ret_action);

/* When DIALOGUE_TICK is due at the latest; UINT64_MAX never. */
uint64_t dialogue_deadline(const struct dialogue *dialogue);
bool dialogue_ended(const struct dialogue *dialogue);
