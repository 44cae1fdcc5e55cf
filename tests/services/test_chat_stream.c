/*
 * test_chat_stream.c - the parts of an answer, in whatever pieces its bytes come, and what becomes of one that is none
 */
#include "services/chat_stream.h"

#include <errno.h>

#include <json-c/json_object.h>

#include "tap.h"
#include "utils/json.h"

#define EVENT(json) "data: " json "\n\n"
#define DELTA(delta) EVENT("{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta ",\"finish_reason\":null}]}")
#define TEXT(text) DELTA("{\"content\":\"" text "\"}")
#define TOOL(fragment) DELTA("{\"tool_calls\":[" fragment "]}")
#define FINISH(reason) EVENT("{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}")
#define USAGE EVENT("{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}")
#define DONE EVENT("[DONE]")
#define WHOLE(message) "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":" message ",\"finish_reason\":\"stop\"}]}"
#define CALL(i, id, name, arguments) "{\"index\":" #i ",\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" arguments "\"}}"
#define MORE(i, arguments) "{\"index\":" #i ",\"function\":{\"arguments\":\"" arguments "\"}}"
#define K16 "xxxxxxxxxxxxxxxx"
#define K256 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16

/* Sentences between bars, tools as <id name arguments>, then the end's r and why. */
static const struct {
    const char *what, *bytes, *want;
} cases[] = {
    { "an answer", DELTA("{\"role\":\"assistant\",\"content\":\"\"}") TEXT("Hello") TEXT(" there.") TEXT(" How are") TEXT(" you?") FINISH("stop") USAGE DONE,
      "Hello there.|How are you?|0" },
    { "in Hebrew, escaped or not", TEXT("\\u05e9\\u05dc\\u05d5\\u05dd. ") TEXT("מה שלומך?") FINISH("stop") DONE, "שלום.|מה שלומך?|0" },
    { "content that is null or missing", DELTA("{\"role\":\"assistant\",\"content\":null}") DELTA("{}") TEXT("Yes.") FINISH("stop") DONE, "Yes.|0" },
    { "a refusal is said", DELTA("{\"content\":null,\"refusal\":\"I cannot\"}") DELTA("{\"refusal\":\" do that.\"}") FINISH("stop") DONE, "I cannot do that.|0" },
    { "reasoning is not", DELTA("{\"reasoning\":\"Hm.\"}") DELTA("{\"reasoning_content\":\"So. What?\",\"content\":\"\"}") TEXT("Yes.") FINISH("stop") DONE, "Yes.|0" },
    { "nor are thoughts", TEXT("<thi") TEXT("nk>What. Now?</th") TEXT("ink>\\n\\nYes.") FINISH("stop") DONE, "Yes.|0" },
    { "typed content", DELTA("{\"content\":[{\"type\":\"thinking\",\"text\":\"Hm.\"},{\"type\":\"text\",\"text\":\"Yes.\"}]}") FINISH("stop") DONE, "Yes.|0" },
    { "comments, obfuscation, other fields", ": PROCESSING\n\n" EVENT("{\"choices\":[{\"delta\":{\"content\":\"Yes.\"}}],\"obfuscation\":\"xyz\"}") EVENT("{\"type\":\"ping\"}") FINISH("stop") DONE, "Yes.|0" },
    { "no [DONE]", TEXT("Yes.") FINISH("stop"), "Yes.|0" },
    { "no finish_reason", TEXT("Yes. And") DONE, "Yes.|And|0" },
    { "[DONE] with more behind it", TEXT("Yes.") FINISH("stop") "data: [DONE] \n\n" TEXT("No.") "data: {\n\n", "Yes.|0" },
    { "[DONE] without an end of line", TEXT("Yes.") "data: [DONE]", "Yes.|0" },
    { "a last chunk without a blank line", TEXT("Yes.") "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n", "Yes.|0" },
    { "text behind the finish_reason", TEXT("Yes.") FINISH("stop") TEXT(" No.") DONE, "Yes.|0" },
    { "another choice", EVENT("{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"No.\"}}]}") TEXT("Yes.") FINISH("stop") DONE, "Yes.|0" },
    { "nothing to say", FINISH("stop") DONE, "0" },

    /* tools */
    { "a call in fragments", TOOL(CALL(0, "call_a", "end_call", "")) TOOL(MORE(0, "{\\\"a\\\"")) TOOL(MORE(0, ":1}")) FINISH("tool_calls") DONE, "<call_a end_call {\"a\":1}>|0" },
    { "a call at once", TOOL(CALL(0, "call_a", "end_call", "{}")) FINISH("tool_calls") DONE, "<call_a end_call {}>|0" },
    { "with words before it", TEXT("One moment") TOOL(CALL(0, "call_a", "end_call", "{}")) FINISH("tool_calls") DONE, "One moment|<call_a end_call {}>|0" },
    { "two, their fragments mixed", TOOL(CALL(0, "a", "x", "")) TOOL(CALL(1, "b", "y", "")) TOOL(MORE(1, "1") "," MORE(0, "2")) TOOL(MORE(0, "3")) FINISH("tool_calls") DONE, "<a x 23>|<b y 1>|0" },
    { "two whole ones with the same index", TOOL(CALL(0, "a", "x", "{}") "," CALL(0, "b", "y", "{}")) FINISH("tool_calls") DONE, "<a x {}>|<b y {}>|0" },
    { "without an index", TOOL("{\"id\":\"a\",\"function\":{\"name\":\"x\",\"arguments\":\"{\"}}") TOOL("{\"function\":{\"arguments\":\"}\"}}") FINISH("tool_calls") DONE, "<a x {}>|0" },
    { "without an id", TOOL("{\"index\":0,\"function\":{\"name\":\"x\",\"arguments\":\"{}\"}}") FINISH("tool_calls") DONE, "< x {}>|0" },
    { "without either", TOOL("{\"function\":{\"name\":\"x\",\"arguments\":\"{}\"}}") TOOL("{\"function\":{\"name\":\"y\",\"arguments\":\"{}\"}}") FINISH("stop") DONE, "< x {}>|< y {}>|0" },
    { "id and name in every fragment", TOOL(CALL(0, "a", "x", "{")) TOOL(CALL(0, "a", "x", "}")) FINISH("tool_calls") DONE, "<a x {}>|0" },
    { "arguments as an object", TOOL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"x\",\"arguments\":{\"b\":[1]}}}") FINISH("tool_calls") DONE, "<a x {\"b\":[1]}>|0" },
    { "arguments that are no JSON are for others to judge", TOOL(CALL(0, "a", "x", "{\\\"b")) FINISH("tool_calls") DONE, "<a x {\"b>|0" },
    { "tool_calls that is null", DELTA("{\"content\":\"Yes.\",\"tool_calls\":null}") FINISH("stop") DONE, "Yes.|0" },
    { "calls and a [DONE] without a finish_reason", TOOL(CALL(0, "a", "x", "{}")) DONE, "<a x {}>|0" },
    { "a call without a name", TOOL("{\"index\":0,\"id\":\"a\",\"function\":{\"arguments\":\"{}\"}}") FINISH("tool_calls") DONE, "-EBADMSG it calls a tool without a name" },
    { "too many calls", TEXT("Yes. No") TOOL(CALL(0, "a", "x", "") "," CALL(1, "b", "x", "") "," CALL(2, "c", "x", "") "," CALL(3, "d", "x", "")) TOOL(CALL(4, "e", "x", "")), "Yes.|-EBADMSG it calls too many tools at once" },
    { "too long a name", TOOL(CALL(0, "a", K16 K16 K16 K16, "")), "-EBADMSG it calls a tool with too long a name" },
    { "too long an id", TOOL(CALL(0, K16 K16 K16 K16, "x", "")), "-EBADMSG it calls a tool with too long an id" },
    { "too long arguments", TOOL(CALL(0, "a", "x", K256 K256 K256 K256)) TOOL(MORE(0, K256 K256 K256 K256)), "-EBADMSG it calls a tool with too long arguments" },
    { "a call that is none", TOOL("7"), "-EBADMSG its answer cannot be read" },

    /* ends */
    { "it broke off", TEXT("Yes. And then"), "Yes.|-ENODATA its answer broke off" },
    { "half a JSON", TEXT("Yes. And") "data: {\"choices\":[{\"del", "Yes.|-ENODATA its answer broke off" },
    { "half a JSON, and on", TEXT("Yes. And") "data: {\"choices\":[{\"del\n\n" DONE, "Yes.|-EBADMSG its answer cannot be read" },
    { "JSON that is no object", "data: [1]\n\n", "-EBADMSG its answer cannot be read" },
    { "bytes that are no UTF-8", TEXT("\xFF"), "-EBADMSG its answer cannot be read" },
    { "an error in the stream", TEXT("Yes. And") EVENT("{\"error\":{\"message\":\"sk-secret\",\"type\":\"server_error\",\"code\":null}}"), "Yes.|-EREMOTEIO it reports an error (server_error)" },
    { "an error by name", "event: error\n" EVENT("{\"message\":\"no\"}"), "-EREMOTEIO it reports an error" },
    { "an error in words", EVENT("{\"error\":\"overloaded, sk-secret\"}"), "-EREMOTEIO it reports an error" },
    { "an error with no word that may be shown", EVENT("{\"error\":{\"code\":\"key sk-secret\"}}"), "-EREMOTEIO it reports an error" },
    { "at its greatest length", TEXT("Yes. And then") FINISH("length") DONE, "Yes.|And then|0 cut" },
    { "at its greatest length in a call", TEXT("Yes. And") TOOL(CALL(0, "a", "x", "{")) FINISH("length") DONE, "Yes.|-ENODATA its answer was cut at the greatest length" },
    { "withheld", TEXT("Yes. And") FINISH("content_filter") DONE, "Yes.|-ENODATA its provider's filter withheld the answer" },
    { "a sentence too many", TEXT("Aa. Bb. Cc. Dd. Ee. Ff. Gg. Hh. Jj. ") TEXT("And on"), "Aa.|Bb.|Cc.|Dd.|Ee.|Ff.|Gg.|Hh.|0 cut" },
    { "a page", "<!DOCTYPE html><html>", "-EBADMSG its answer is a page and no stream" },
    { "words", "Bad gateway\n", "-EBADMSG its answer is no stream" },
    { "nothing", "", "-EBADMSG its answer is no stream" },
    { "blanks", "\n\n \n", "-EBADMSG its answer is no stream" },

    /* not streamed */
    { "a whole answer", WHOLE("{\"role\":\"assistant\",\"content\":\"Hello. Who is it?\",\"refusal\":null}"), "Hello.|Who is it?|0" },
    { "a whole answer behind blanks", "\r\n " WHOLE("{\"content\":\"Yes.\"}") "\n", "Yes.|0" },
    { "a whole answer with calls", WHOLE("{\"content\":null,\"tool_calls\":[" CALL(0, "a", "x", "{}") ",{\"id\":\"b\",\"function\":{\"name\":\"y\",\"arguments\":\"{}\"}}]}"), "<a x {}>|<b y {}>|0" },
    { "a whole error", "{\"error\":{\"message\":\"m\",\"code\":\"model_not_found\"}}", "-EREMOTEIO it reports an error (model_not_found)" },
    { "half an answer", "{\"choices\":[{\"message\":{\"cont", "-EBADMSG its answer cannot be read" },
    { "another JSON", "{\"detail\":\"Not found\"}", "-ENODATA its answer broke off" },
};

static struct chat_stream stream;

static void tell(char *text, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < stream.n_parts; i++) {
        const struct chat_part *part = &stream.parts[i];

        if (part->kind == CHAT_SENTENCE)
            n += (size_t)snprintf(text + n, size - n, "%s|", part->text);
        else if (part->kind == CHAT_TOOL)
            n += (size_t)snprintf(text + n, size - n, "<%s %s %s>|", part->id, part->name, part->arguments);
        else if (part->r == 0)
            n += (size_t)snprintf(text + n, size - n, "0%s", stream.is_truncated ? " cut" : "");
        else
            n += (size_t)snprintf(text + n, size - n, "-%s %s%s%s%s", strerrorname_np(-part->r), part->why,
                                  stream.error[0] ? " (" : "", stream.error, stream.error[0] ? ")" : "");
    }
}

static void read_pieces(const char *bytes, size_t n, size_t first, size_t others, char *text, size_t size)
{
    int r = 0;

    memset(&stream, 0xAA, sizeof(stream));
    chat_stream_init(&stream);
    for (size_t at = 0, piece = first; at < n && r == 0; at += piece, piece = others)
        r = chat_stream_push(&stream, bytes + at, piece < n - at ? piece : n - at);
    chat_stream_end(&stream, r, "refused by itself");
    tell(text, size);
    chat_stream_done(&stream);
}

static void answers_have_parts(void)
{
    char text[4 * KIB];

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        size_t n = strlen(cases[i].bytes), n_same = 0, n_tried = 0;

        read_pieces(cases[i].bytes, n, n ? n : 1, 1, text, sizeof(text));
        is_str(text, cases[i].want, cases[i].what);
        read_pieces(cases[i].bytes, n, 1, 1, text, sizeof(text));
        is_str(text, cases[i].want, "and byte by byte");
        for (size_t first = 1; first < n; first++, n_tried++) {
            read_pieces(cases[i].bytes, n, first, n, text, sizeof(text));
            n_same += strcmp(text, cases[i].want) == 0;
        }
        is_int((long long)n_same, (long long)n_tried, "and in two pieces");
    }
}

static void talk(const char *event, size_t n_max)
{
    int r = 0;

    chat_stream_init(&stream);
    for (size_t i = 0; i < n_max && r == 0; i++)
        r = chat_stream_push(&stream, event, strlen(event));
    chat_stream_end(&stream, r, "refused by itself");
}

static void those_that_do_not_stop_are_stopped(void)
{
    static const char no_sentence[] = TEXT("and ever "), thoughts[] = TEXT("<think> and ever ");
    static char line[SSE_EVENT_MAX + 16], whole[CHAT_WHOLE_MAX + 2];

    talk(no_sentence, SIZE_MAX);
    ok(stream.r == 0 && stream.is_truncated && stream.n_said == AGENT_SENTENCES_MAX, "a sentence that never ends");
    talk(thoughts, SIZE_MAX);
    ok(stream.r == -ENODATA && stream.n_text > CHAT_TEXT_MAX, "thoughts that never end");
    (void)snprintf(line, sizeof(line), "data: %*d", SSE_EVENT_MAX, 1);
    talk(line, 1);
    is_int(stream.r, -EBADMSG, "an event that is too long");
    (void)snprintf(whole, sizeof(whole), "{%*d", CHAT_WHOLE_MAX, 1);
    talk(whole, 1);
    is_int(stream.r, -EBADMSG, "a whole that is too long");
    chat_stream_done(&stream);
}

static const struct {
    const char *bytes;
    int r, want; /* how the connection ended, and what becomes of it */
} ends[] = {
    { TEXT("Yes. And"), -ECONNRESET, -ECONNRESET },
    { TEXT("Yes. And"), -ETIMEDOUT, -ETIMEDOUT },
    { "", -EREMOTEIO, -EREMOTEIO },
    { TEXT("Yes."), -ECANCELED, -ECANCELED },
    { TEXT("Yes.") FINISH("stop"), -ETIMEDOUT, 0 },
    { TEXT("Yes.") FINISH("stop") DONE, -ECONNRESET, 0 },
};

int main(void)
{
    scoped(json_object_put) struct json_object *answer = NULL;
    static const char whole[] = WHOLE("{\"content\":\"Hi\"}");

    answers_have_parts();
    those_that_do_not_stop_are_stopped();
    for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
        chat_stream_init(&stream);
        (void)chat_stream_push(&stream, ends[i].bytes, strlen(ends[i].bytes));
        chat_stream_end(&stream, ends[i].r, "the connection's end");
        ok(stream.parts[stream.n_parts - 1].r == ends[i].want, "row %zu: the end of the connection", i);
    }
    (void)json_parse(whole, strlen(whole), &answer);
    is_str(chat_stream_text(answer), "Hi", "the text of a whole answer");
    ok(!chat_stream_text(NULL), "or of none");
    return done_testing();
}
