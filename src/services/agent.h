#pragma once
/*
 * agent.h - decides what to say
 *
 * What was heard goes in, sentences and what was learnt come out. The scripted receptionist (greet, ask what is
 * needed, name, call-back number, read back, confirm, save, goodbye) answers at once; a chat model is thought of as
 * somebody who needs a while, and whose reply comes in parts.
 *
 * What is learnt goes by the question's field: FIELD the answer (a number once it is confirmed; a telephone
 * number as E.164 when it can be), FIELD_heard the digits before it is confirmed, FIELD_audio the file of an
 * answer that has no words.
 */

#include "services/profile.h"

enum { AGENT_SENTENCES_MAX = 8, AGENT_LEARNT_MAX = 8, AGENT_FIELD_MAX = 32, AGENT_VALUE_MAX = 256,
       AGENT_TURNS_MAX = 512, AGENT_WHY_MAX = 160,
       AGENT_SENTENCE_MAX = PROFILE_TEXT_MAX /* bytes, with NUL */ };

struct agent; /* one per call */
struct agent_tools;
struct chat_pool;
struct chat_times;

struct agent_caller {
    const char *from; /* E.164 or ""; offered as the call-back number */
    const char *name; /* what the CRM knows; "" nothing */
    const char *country; /* DEFAULT_COUNTRY, so that a number is read out as people there say it; NULL: in full */
    unsigned deaf_to; /* bits 1 << enum answer_kind that nobody can transcribe: asked for by keypad at once */
    const char *known; /* what the CRM knows of him, lines; NULL nothing */
    uint64_t unix_ms;  /* when he calls; 0 unknown */

    /* A chat model, when the profile has a part for one and what is said can be transcribed. */
    struct chat_pool *chat; /* NULL: the script answers */
    const struct agent_tools *tools;
    void (*on_part)(void *user); /* agent_take() is worth a look; on the worker, from within its inbox */
    void *user;
};

enum agent_input_kind {
    AGENT_BEGIN,    /* the call was answered */
    AGENT_HEARD,    /* an answer with words */
    AGENT_UNHEARD,  /* an answer that nobody could transcribe; its audio is kept under `audio` */
    AGENT_UNCLEAR,  /* speech that was not understood though its kind could have been */
    AGENT_KEYED,    /* DTMF, complete */
    AGENT_SILENCE,  /* nothing came */
    AGENT_CONTINUED, /* more of the last answer (text or audio): the reply to its first half was not heard */
    AGENT_FAILED,   /* the last reply could not be spoken, or did not come: say something simpler, at once */
};

struct agent_input {
    enum agent_input_kind kind;
    const char *text;  /* words or keys; "" otherwise */
    const char *audio; /* where the answer's audio is kept; "" nowhere */
    double confidence;
    bool is_last;      /* the caller left: nobody hears a reply, only what is learnt counts */
    uint64_t unix_ms;  /* when; 0 unknown */
};

struct agent_sentence {
    const char *prompt; /* prompt id when it is a fixed prompt, else NULL */
    char text[AGENT_SENTENCE_MAX];
};

struct agent_learnt {
    char field[AGENT_FIELD_MAX];
    char value[AGENT_VALUE_MAX];
};

struct agent_reply {
    struct agent_sentence sentences[AGENT_SENTENCES_MAX];
    size_t n_sentences;
    enum answer_kind expect; /* of the answer to come */
    bool keypad;             /* the answer is asked for by keypad */
    unsigned digits_min, digits_max; /* of a keyed or spoken number; 0 any */
    struct agent_learnt learnt[AGENT_LEARNT_MAX];
    size_t n_learnt;
    bool more; /* further parts of this reply follow; expect and what is after it are of the last part */
    bool end;  /* say it, then hang up */
    int end_as; /* enum call_end; CALL_END_NONE: as the dialogue sees it */
    char whatsapp[AGENT_SENTENCE_MAX]; /* to be sent to the caller; "" nothing */
    bool may_reword; /* it is one of the profile's messages, and may be said in the caller's way; else it stays as it is */
    char stepped[AGENT_WHY_MAX]; /* why the script answers from now on; "" nothing changed */
};

int agent_new(const struct profile *profile, const struct agent_caller *caller, struct agent **ret_agent);
void agent_free(struct agent *agent); /* when it is at rest */
SCOPED_PTR(struct agent, agent_free)

/* Thread: the call's worker, as for all below. Nothing is allocated. A script ends within AGENT_TURNS_MAX replies. */

/*
 * Returns: true and the reply, all of it; false: it is being thought of, its parts come by agent_take(). A reply
 *          that is still under way is given up.
 */
bool agent_turn(struct agent *agent, const struct agent_input *input, struct agent_reply *ret_reply);
/* The next part of the reply, when there is one. */
bool agent_take(struct agent *agent, struct agent_reply *ret_reply);
/* The reply under way is not wanted any more: no part of it comes after this. */
void agent_cancel(struct agent *agent);
/* A turn that is kept: what the caller heard of a reply, and nothing else, is what was said to him. */
void agent_said(struct agent *agent, const struct turn *turn);
/* No reply is under way. */
bool agent_is_at_rest(const struct agent *agent);
/* Of the latest reply; all 0 when nobody had to be waited for. */
void agent_times(const struct agent *agent, struct chat_times *ret_times);
