#pragma once
/*
 * agent_text.h - a chat model that answers in writing
 *
 * One reply: what was written and said before goes in, and what it writes, learnt and decided comes out, once. It may call
 * the tools of agent_tools.h, for a few rounds. Nothing is done here but asking: whoever has the reply does what is in it.
 */

#include "services/agent.h"
#include "utils/scoped.h"

struct agent_text;
struct chat;

enum { AGENT_TEXT_MAX = 1601 /* bytes, with NUL; so no more characters than WhatsApp takes */, AGENT_TEXT_LEARNT_MAX = 32 };

struct agent_text_reply {
    char text[AGENT_TEXT_MAX];   /* "" only when it leaves the conversation to a human without a word */
    struct agent_learnt learnt[AGENT_TEXT_LEARNT_MAX]; /* what is over is not kept, and the model was told so */
    size_t n_learnt;
    bool to_human;               /* the conversation is left to one; "transfer_reason" is among what is learnt */
};

struct agent_text_options {
    struct chat *chat;
    const struct profile *profile; /* with a part for a chat model */
    const struct agent_tools *tools; /* those for writing */
    struct agent_caller writer;    /* from, name, known and unix_ms are used */
    const char *calls;             /* his last calls, lines; NULL none */
    /*
     * Once; r < 0: there is no reply, and why. On the http client's thread, or on that of agent_text_ask().
     */
    void (*on_end)(struct agent_text *text, int r, const char *why, const struct agent_text_reply *reply, void *user);
    void *user;
};

/* What options points to must outlive it, but for writer and calls. Errors: -EMSGSIZE the profile says too much; -ENOMEM. */
int agent_text_new(const struct agent_text_options *options, struct agent_text **ret_text);
void agent_text_free(struct agent_text *text); /* not while it is asked, but in on_end() too */
SCOPED_PTR(struct agent_text, agent_text_free)

/* The conversation up to now, oldest first. words: "" without any; then what it is, "an image". */
enum agent_text_who { TEXT_CUSTOMER, TEXT_AGENT, TEXT_COLLEAGUE };
void agent_text_add(struct agent_text *text, enum agent_text_who who, uint64_t unix_ms, const char *words, const char *what);

void agent_text_ask(struct agent_text *text);
void agent_text_abort(struct agent_text *text); /* it ends soon; any thread, while it is asked */
