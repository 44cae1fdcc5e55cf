#pragma once
/*
 * chat_stream.h - the parts of a chat model's answer, from its bytes as they come
 *
 * Server-sent events of chat.completion.chunk, or, from a server that does not stream, one whole chat.completion.
 * No clock and no network; it may allocate. Thread: whoever owns the struct; the parts may be read by another that was told
 * of them, since none is ever changed.
 */

#include "services/chat.h"
#include "services/sentences.h"
#include "services/sse.h"

enum {
    CHAT_PARTS_MAX = AGENT_SENTENCES_MAX + CHAT_TOOLS_MAX + 1, /* so that a round always has room */
    CHAT_TEXT_MAX = 16 * KIB,   /* bytes of text, spoken or not, after which a model does not stop talking */
    CHAT_WHOLE_MAX = 64 * KIB,  /* of an answer that is not streamed */
    CHAT_ERROR_MAX = 32,
};

struct chat_tool {
    char id[CHAT_ID_MAX], name[CHAT_NAME_MAX], arguments[CHAT_ARGUMENTS_MAX];
    int64_t index; /* of its fragments; -1 none is given */
};

struct chat_stream {
    struct sse sse;
    struct sentences sentences;
    char *whole; /* what is not streamed */
    bool is_sniffed, is_whole, has_events;
    size_t n_whole, n_text, n_tools, n_said;
    struct chat_tool tools[CHAT_TOOLS_MAX];
    char said[AGENT_SENTENCES_MAX][AGENT_SENTENCE_MAX];
    struct chat_part parts[CHAT_PARTS_MAX];
    size_t n_parts;
    bool has_begun;    /* something to say or to do came */
    bool is_finished;  /* it said why it ended */
    bool is_done;      /* and that nothing follows */
    bool is_truncated; /* it was stopped, or ran into the limit of its own length */
    int r;             /* why nothing more is read, and in words */
    const char *why;
    char error[CHAT_ERROR_MAX]; /* the provider's word for what it reports: "insufficient_quota"; "" none */
};

void chat_stream_init(struct chat_stream *stream);
void chat_stream_done(struct chat_stream *stream);

/*
 * Errors, after which nothing may be pushed: -EBADMSG, -EREMOTEIO the provider reports an error, -ENODATA it cut its answer
 * short, -ENOMEM, -ECANCELED the model was stopped since it did not stop talking.
 */
int chat_stream_push(struct chat_stream *stream, const char *bytes, size_t n);

/* The connection ended, in its way: r, why. Adds the last part, always. */
void chat_stream_end(struct chat_stream *stream, int r, const char *why);

/* The text of a whole answer as JSON. Lives as long as it. NULL: there is none. */
struct json_object;
const char *chat_stream_text(struct json_object *answer);
/* The tools it calls, in the same way; those without a name are left out. Returns: how many. */
size_t chat_stream_calls(struct json_object *answer, struct chat_call ret_calls[CHAT_TOOLS_MAX]);

/* The word for an error in a body that reports one; "" when there is none that can be shown. */
void chat_stream_error(struct json_object *answer, char ret_error[static CHAT_ERROR_MAX]);
