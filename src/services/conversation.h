#pragma once
/*
 * conversation.h - the talking part of a call: performs what the dialogue decides
 *
 * Tells the dialogue what is heard, keyed and played, and does what it answers: speak, fall silent, have speech
 * recognised or kept, ask the agent, write to the journal, hang up.
 */

#include "services/session.h"

struct conversation;
struct session_scratch; /* what a worker's conversations use one after the other */

int conversation_scratch_new(struct session_scratch **ret_scratch);
void conversation_scratch_free(struct session_scratch *scratch);

/* Keeps env, leg and journal, which are the session's. Thread: any; all below: the worker. */
int conversation_new(struct session_env *env, const struct speech_call *call, struct leg *leg, struct journal *journal,
                     struct conversation **ret_conversation);
void conversation_free(struct conversation *conversation); /* when it is at rest */

/* unix_offset_ms: unix time less the clock of now_ms. */
void conversation_begin(struct conversation *conversation, uint64_t now_ms, uint64_t unix_offset_ms);
void conversation_frame(struct conversation *conversation, uint64_t now_ms, const struct frame *frame);

/* What came home, what is due, what can be sent. Returns: when to be called again. */
uint64_t conversation_run(struct conversation *conversation, uint64_t now_ms);

/* The caller left, or the call has to end: once. The conversation then saves what it still can. */
void conversation_hang_up(struct conversation *conversation, uint64_t now_ms, enum call_end end);

/* Over: the dialogue hung up, and what it said last was heard. */
bool conversation_is_over(const struct conversation *conversation, enum call_end *ret_end);
/* Once it is over, instead of conversation_run(): lets go of what still comes home. The leg is not used any more. */
void conversation_settle(struct conversation *conversation);
/* Nothing runs for it elsewhere. */
bool conversation_is_at_rest(const struct conversation *conversation);

struct conversation_sums {
    unsigned n_turns, n_utterances, n_barge_ins;
};
void conversation_sums(const struct conversation *conversation, struct conversation_sums *ret_sums);
