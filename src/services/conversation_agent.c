/*
 * conversation_agent.c - what a conversation is answered, and what is written down of it
 */
#include "services/conversation_state.h"

#include "config.h"
#include "services/chat.h"
#include "utils/log.h"

/* Of the chat model's, or of who took over from it. */
static void tell_reply(struct conversation *c, const struct agent_reply *reply)
{
    uint64_t unix_ms = conversation_to_unix(c, c->now_ms);

    if (reply->whatsapp[0])
        journal_whatsapp(c->journal, reply->whatsapp, reply->may_reword ? WORDING_FREE : WORDING_KEPT, unix_ms);
    if (reply->stepped[0]) {
        session_count(&c->env->counters.n_chat_failed, 1);
        journal_step(c->journal, &(struct call_step){ .part = "chat", .from = c->env->config->chat_model, .to = "script",
                                                      .cause = reply->stepped, .at_ms = unix_ms });
    }
    conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_REPLY, .ask = c->ask, .reply = reply });
}

void conversation_ask_agent(struct conversation *c, const struct dialogue_action *action)
{
    struct agent_reply *reply = &c->env->scratch->reply;
    struct agent_input input = *action->input;

    c->first_audio_ms = c->first_frame_ms = c->tts_asked_ms = c->tts_answered_ms = 0;
    c->first_say = 0;
    c->ask = action->ask;
    input.unix_ms = conversation_to_unix(c, c->now_ms);
    if (agent_turn(c->agent, &input, reply))
        tell_reply(c, reply);
}

void conversation_cancel_agent(struct conversation *c, const struct dialogue_action *action)
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
    if (ms[LATENCY_TOTAL] > (int64_t)c->env->config->slow_turn_ms)
        log_limited_about(LOG_WARNING, (&(struct log_about){ LOG_TURN_SLOW, c->journal->sid, .contact_id = c->journal->contact_id,
                                                             .duration_us = (uint64_t)ms[LATENCY_TOTAL] * 1000 }),
                          "an answer took %d ms, %d of them our own", (int)ms[LATENCY_TOTAL], (int)ms[LATENCY_OWN]);
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

void conversation_save_turn(struct conversation *c, const struct dialogue_action *action)
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
        *all[i] = conversation_to_unix(c, *all[i]);
    if (turn->who == TURN_CALLER)
        count_latencies(c, times);
    c->n_turns++;
    agent_said(c->agent, turn);
    journal_turn(c->journal, turn);
}

void conversation_learn(struct conversation *c, const struct dialogue_action *action)
{
    journal_learn(c->journal, action->field, action->value, conversation_to_unix(c, c->now_ms));
}

/* The parts of a reply: one at a time, since each brings its own entries of the journal. */
void conversation_take_parts(struct conversation *c)
{
    struct agent_reply *reply = &c->env->scratch->reply;

    while (c->has_parts && journal_has_room(c->env->journal)) {
        c->has_parts = agent_take(c->agent, reply);
        if (c->has_parts)
            tell_reply(c, reply);
    }
}
