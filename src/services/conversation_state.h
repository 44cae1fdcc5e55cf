#pragma once
/* conversation_state.h - inside of a conversation: its state, and what its parts do for each other. See conversation.c. */

#include "services/agent.h"
#include "services/conversation.h"
#include "services/dialogue.h"
#include "services/errand.h"
#include "services/listener.h"
#include "services/playout.h"
#include "services/tts.h"

enum {
    HINTS_MAX = 128,
    EVENTS_MAX = 32,
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

void conversation_tell(struct conversation *c, const struct dialogue_event *event);
uint64_t conversation_to_unix(const struct conversation *c, uint64_t ms); /* 0 stays */
void conversation_send_control(struct conversation *c, enum frame_kind kind, const char *bytes);

/* --- errands */

int conversation_errand_go(struct conversation *c, struct errand *errand);
void conversation_errand_drop(struct conversation *c, struct errand *errand); /* it is over: so is its reading */
void conversation_give_up_unwanted(struct conversation *c, struct errand *errand);
void conversation_forget_unwanted(struct conversation *c); /* what is rendered for a say that was dropped */

/* --- the voice (conversation_voice.c) */

void conversation_say(struct conversation *c, const struct dialogue_action *action);
void conversation_stop(struct conversation *c, const struct dialogue_action *action);
void conversation_resume(struct conversation *c, const struct dialogue_action *action);
void conversation_take_audio(struct conversation *c, struct errand *errand);
void conversation_spoken(struct conversation *c, struct errand *errand); /* the errand came home */
void conversation_play(struct conversation *c);                          /* what is due */

/* --- replies, and what is written down (conversation_agent.c) */

void conversation_ask_agent(struct conversation *c, const struct dialogue_action *action);
void conversation_cancel_agent(struct conversation *c, const struct dialogue_action *action);
void conversation_take_parts(struct conversation *c); /* of a reply that is being thought of */
void conversation_save_turn(struct conversation *c, const struct dialogue_action *action);
void conversation_learn(struct conversation *c, const struct dialogue_action *action);
