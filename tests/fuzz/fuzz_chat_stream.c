/*
 * fuzz_chat_stream.c - any bytes as a chat model's answer: parts keep their limits, an end always comes, and is the last
 */
#include "services/chat_stream.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint64_t read_pieces(const uint8_t *data, size_t n, size_t n_piece)
{
    static struct chat_stream stream;
    uint64_t sum = 0;
    int r = 0;

    chat_stream_init(&stream);
    for (size_t at = 0; at < n && r == 0; at += n_piece)
        r = chat_stream_push(&stream, (const char *)data + at, n_piece < n - at ? n_piece : n - at);
    chat_stream_end(&stream, r, "refused");
    assert(stream.n_parts > 0 && stream.n_parts <= CHAT_PARTS_MAX);
    for (size_t i = 0; i < stream.n_parts; i++) {
        const struct chat_part *part = &stream.parts[i];

        assert((part->kind == CHAT_END) == (i + 1 == stream.n_parts));
        assert(part->kind != CHAT_SENTENCE || (*part->text && strlen(part->text) < AGENT_SENTENCE_MAX));
        assert(part->kind != CHAT_TOOL || (*part->name && strlen(part->id) < CHAT_ID_MAX && strlen(part->arguments) < CHAT_ARGUMENTS_MAX));
        sum = sum * 31 + (uint64_t)part->kind + (uint64_t)-part->r;
        for (const char *c = part->kind == CHAT_SENTENCE ? part->text : part->arguments; *c; c++)
            sum = sum * 31 + (uint8_t)*c;
    }
    chat_stream_done(&stream);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    assert(read_pieces(data, n, n ? n : 1) == read_pieces(data, n, 1));
    return 0;
}
