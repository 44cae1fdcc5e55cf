/*
 * bench_chat.c - what a token of a streamed reply costs until it is part of a sentence
 */
#include <string.h>

#include "bench/bench.h"
#include "services/chat_stream.h"

enum { ROUNDS = 3000 };

#define CHUNK(delta, reason)                                                                                       \
    "data: {\"id\":\"chatcmpl-Bxyz\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"gpt-4o-mini-2024-07-18\"," \
    "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{\"index\":0,\"delta\":" delta ",\"logprobs\":null," \
    "\"finish_reason\":" reason "}],\"usage\":null}\n\n"

static const char *const tokens[] = {
    "שלום",  " לך",   ",",    " תודה", " שהתקשרת", " למספרה", " של",    " דנה",   ".",     " איך",  " אפשר", " לעזור", " לך",
    "?",     " אפשר", " לקבוע", " תור", " ליום",  " שלישי", " ב",     "-",      "3",     ".",     "5",    " בשעה", " 10",   ":30",
    " אצל",  " ד\\\"", "ר",    " כהן",  ".",      " מתאים", " לך",    "?",
};

static void hear_out(struct chat_stream *stream, char chunks[][512])
{
    chat_stream_init(stream);
    for (size_t i = 0; i < ELEMENTSOF(tokens); i++)
        BENCH_KEEP(chat_stream_push(stream, chunks[i], strlen(chunks[i])));
    BENCH_KEEP(stream->n_said);
}

static int ignore(void *user, const char *text, size_t n)
{
    return 0;
}

static void cut_out(struct sentences *sentences)
{
    sentences_init(sentences);
    for (size_t i = 0; i < ELEMENTSOF(tokens); i++)
        BENCH_KEEP(sentences_push(sentences, tokens[i], strlen(tokens[i]), ignore, NULL));
}

int main(void)
{
    static char chunks[ELEMENTSOF(tokens)][512];
    static struct chat_stream stream;
    static struct sentences sentences;

    for (size_t i = 0; i < ELEMENTSOF(tokens); i++)
        (void)snprintf(chunks[i], sizeof(chunks[i]), CHUNK("{\"content\":\"%s\"}", "null"), tokens[i]);
    bench_row("chat: a token, from its event to its sentence", BENCH_NS(ROUNDS, hear_out(&stream, chunks)) / ELEMENTSOF(tokens), "ns", "");
    bench_row("chat: of that the cutting", BENCH_NS(ROUNDS, cut_out(&sentences)) / ELEMENTSOF(tokens), "ns", "");
    chat_stream_done(&stream);
    return 0;
}
