#pragma once
/* chat_internal.h - the service itself, which rounds (chat.c) and questions (chat_question.c) share */

#include <stdatomic.h>

#include "services/chat_stream.h"
#include "services/http_client.h"

enum { CHAT_HEAD_MAX = 768 };

struct chat {
    struct http_provider *provider;
    char *model;
    const char *key_name, *url_name;  /* of their settings, for who reads the log */
    bool is_openai, is_reasoning;
    _Atomic bool is_plain; /* it knows no response_format */
    unsigned timeout_ms;
    char head[CHAT_HEAD_MAX]; /* of a round's request, up to its messages */
    size_t n_head;
    _Atomic uint64_t n_failed, n_truncated;
};

/* The name under which this server wants the greatest number of tokens. */
const char *chat_tokens_key(const struct chat *chat);

/* A request failed for good: count it, and say what to do about it. what: is missing, "no whole reply". */
void chat_failed(struct chat *chat, const char *what, const struct http_call *call, int r, const char *why, const char *error);
