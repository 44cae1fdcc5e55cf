#pragma once
/*
 * dialogue.h - who speaks when
 *
 * The per-call state machine (greeting, listening, thinking, speaking, closing), sans-IO: events in,
 * actions out. It has no threads, no clock and no network; the time is an argument, so whole
 * conversations are unit tests with virtual time. The speech worker performs its actions.
 *
 * A `say` is one sentence, numbered from 1. An `utterance` is one stretch of caller's speech, numbered by
 * the worker from 1; several utterances may make one turn (a number said in two breaths).
 */

#include "services/agent.h"

struct dialogue;

enum dialogue_event_kind {
    DIALOGUE_ANSWERED,       /* the stream began */
    DIALOGUE_SPEECH_STARTED, /* utterance */
    DIALOGUE_SPEECH_ENDED,   /* utterance, speech_ms */
    DIALOGUE_TRANSCRIPT,     /* utterance, text, confidence, understood (false: none) */
    DIALOGUE_AUDIO_KEPT,     /* utterance, text = file, "" when it could not be kept */
    DIALOGUE_REPLY,          /* the agent's answer to DO_ASK_AGENT: reply */
    DIALOGUE_SAY_STARTED,    /* say: its first frame left */
    DIALOGUE_SAY_ENDED,      /* say: all of it was heard (mark, or the play-out clock passed it) */
    DIALOGUE_SAY_STOPPED,    /* say, heard_ms of total_ms: answer to DO_STOP */
    DIALOGUE_SAY_FAILED,     /* say: no voice could render it */
    DIALOGUE_KEY,            /* text[0] = 0-9 * # */
    DIALOGUE_TICK,           /* only the time */
    DIALOGUE_HANG_UP,        /* the caller left or the stream died: end */
};

struct dialogue_event {
    enum dialogue_event_kind kind;
    uint64_t now_ms; /* one clock for all events of a call; never goes back */
    unsigned utterance, say;
    uint32_t speech_ms, heard_ms, total_ms;
    const char *text;
    double confidence;
    bool understood;
    const struct agent_reply *reply;
    int end; /* enum call_end */
};

enum dialogue_action_kind {
    DO_SAY,       /* say, sentence: queue it behind what is being said */
    DO_STOP,      /* barge-in: clear what is queued and playing; DIALOGUE_SAY_STOPPED answers for the say that was playing */
    DO_RESUME,    /* say: go on from the last confirmed mark (the barge-in was false) */
    DO_RECOGNISE, /* utterance, expect */
    DO_KEEP_AUDIO, /* utterance: write it to a file, DIALOGUE_AUDIO_KEPT answers */
    DO_DROP_AUDIO, /* utterance: not needed any more */
    DO_ASK_AGENT, /* input: DIALOGUE_REPLY answers */
    DO_SAVE_TURN, /* turn; times in the event's clock, the worker maps them to unix time */
    DO_LEARN,     /* field, value */
    DO_HANG_UP,   /* end */
};

struct dialogue_action {
    enum dialogue_action_kind kind;
    unsigned utterance, say;
    enum answer_kind expect;
    int end; /* enum call_end */
    /* pointers live until the next dialogue_push() */
    const struct agent_sentence *sentence;
    const struct agent_input *input;
    const struct turn *turn;
    const char *field, *value;
};

struct dialogue_options {
    const char *language;
    bool (*can_transcribe)(void *user, enum answer_kind expect); /* NULL: everything */
    void *user;
    uint32_t call_max_ms;
};

int dialogue_new(const struct dialogue_options *options, struct dialogue **ret_dialogue);
void dialogue_free(struct dialogue *dialogue);

/* Thread: the call's worker. Allocates nothing. After each push, take actions until there are none. */
void dialogue_push(struct dialogue *dialogue, const struct dialogue_event *event);
bool dialogue_take(struct dialogue *dialogue, struct dialogue_action *ret_action);

/* When DIALOGUE_TICK is due; UINT64_MAX never. */
uint64_t dialogue_deadline(const struct dialogue *dialogue);
bool dialogue_ended(const struct dialogue *dialogue);
