#pragma once
/*
 * fake_chat.h - a chat model that says what a table tells it to
 *
 * A round's answer is text, its parts separated by '|': "S sentence", "T id name arguments", "E" the end,
 * "E! why" an end that is a failure. What lies behind the last part that was let go of comes with fake_chat_go().
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/chat.h"

enum { FAKE_ROUNDS_MAX = 8, FAKE_PART_MAX = 4096 };

struct chat_round {
    bool is_out, is_over;
    const char *tools;
    char body[CHAT_BODY_MAX + 1];
    size_t n_body;
    const char *at;       /* in the answer */
    unsigned n_let_go;    /* parts that may be taken */
    void (*on_part)(struct chat_round *round, void *user);
    void *user;
    uint64_t asked_ms, came_ms;
    char part[FAKE_PART_MAX];
};

static struct fake_chat {
    const char *const *answers; /* one a round, then NULL: it never answers */
    bool is_full;               /* no round is to be had */
    unsigned parts_at_once;     /* let go of when a round is asked */
    unsigned n_asked, n_given_up;
    uint64_t now_ms;            /* for the times: asked now, a word at once */
    struct chat_round rounds[FAKE_ROUNDS_MAX];
    struct chat_round *asked;   /* the latest */
    char body[CHAT_BODY_MAX + 1]; /* of it */
} fake_chat;

static void fake_chat_reset(const char *const *answers)
{
    memset(&fake_chat, 0, sizeof(fake_chat));
    fake_chat.answers = answers;
    fake_chat.parts_at_once = 99;
}

__attribute__((unused)) static bool fake_chat_is_home(void)
{
    for (size_t i = 0; i < FAKE_ROUNDS_MAX; i++)
        if (fake_chat.rounds[i].is_out)
            return false;
    return true;
}

struct chat_round *chat_get(struct chat_pool *pool)
{
    for (size_t i = 0; i < FAKE_ROUNDS_MAX && !fake_chat.is_full; i++) {
        struct chat_round *round = &fake_chat.rounds[i];

        if (round->is_out)
            continue;
        round->is_out = true;
        round->n_body = 0;
        round->n_let_go = 0;
        return round;
    }
    return NULL;
}

void chat_tools(struct chat_round *round, const char *tools)
{
    round->tools = tools;
}

int chat_add(struct chat_round *round, const char *json, size_t n)
{
    if (n > CHAT_BODY_MAX - round->n_body)
        return -EMSGSIZE;
    memcpy(round->body + round->n_body, json, n);
    round->n_body += n;
    round->body[round->n_body] = '\0';
    return 0;
}

void chat_ask(struct chat_round *round, void (*on_part)(struct chat_round *round, void *user), void *user)
{
    round->on_part = on_part;
    round->user = user;
    round->at = fake_chat.answers ? *fake_chat.answers : NULL;
    fake_chat.answers += round->at != NULL;
    round->n_let_go = fake_chat.parts_at_once;
    round->asked_ms = fake_chat.now_ms;
    round->came_ms = round->n_let_go ? fake_chat.now_ms : 0;
    fake_chat.asked = round;
    fake_chat.n_asked++;
    memcpy(fake_chat.body, round->body, round->n_body + 1);
}

/* The next part of the latest question's answer comes, or all that there are. */
__attribute__((unused)) static void fake_chat_go(unsigned n)
{
    struct chat_round *round = fake_chat.asked;

    if (!round || !round->is_out)
        return;
    round->n_let_go += n;
    round->came_ms = round->came_ms ? round->came_ms : fake_chat.now_ms;
    if (round->at)
        round->on_part(round, round->user);
}

static void fake_chat_tool(char *text, struct chat_part *part)
{
    part->kind = CHAT_TOOL;
    part->id = strtok(text, " ");
    part->name = strtok(NULL, " ");
    part->arguments = strtok(NULL, "");
    if (strcmp(part->id, "-") == 0)
        part->id = "";
    part->arguments = part->arguments ? part->arguments : "";
}

bool chat_take(struct chat_round *round, struct chat_part *ret_part)
{
    if (!round->n_let_go || !round->at || !round->at[0])
        return false;
    round->n_let_go--;
    size_t n = strcspn(round->at, "|");
    (void)snprintf(round->part, sizeof(round->part), "%.*s", (int)n, round->at);
    round->at += n + (round->at[n] == '|');

    *ret_part = (struct chat_part){ .why = "" };
    if (round->part[0] == 'S') {
        ret_part->kind = CHAT_SENTENCE;
        ret_part->text = round->part + 2;
    } else if (round->part[0] == 'T') {
        fake_chat_tool(round->part + 2, ret_part);
    } else {
        ret_part->kind = CHAT_END;
        ret_part->r = round->part[1] == '!' ? -ECONNRESET : 0;
        ret_part->why = ret_part->r ? round->part + 3 : "";
        round->is_out = false;
    }
    return true;
}

void chat_times(const struct chat_round *round, struct chat_times *ret_times)
{
    *ret_times = (struct chat_times){ round->asked_ms, round->came_ms, round->came_ms };
}

void chat_give_up(struct chat_round *round)
{
    round->is_out = false;
    fake_chat.n_given_up++;
}
