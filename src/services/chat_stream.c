/*
 * chat_stream.c - the parts of a chat model's answer, from its bytes as they come
 *
 * Every chunk is read by itself and into fixed places: text into the cutter of sentences, calls of tools into their rows by
 * index, where they stay until the answer says that it is finished. Servers differ, so nothing is required that is not
 * needed: role, id, usage, the choice's index and the last [DONE] may be missing; a call may come whole or in
 * fragments, with its index, or with none; and all calls may have the same index, when their ids differ.
 *
 * How it ends:
 *   stop, tool_calls         all is handed out;
 *   length                   what is there is said, as a sentence that is cut short; calls of tools would be cut short, too:
 *                            -ENODATA;
 *   content_filter           -ENODATA, and the sentence that had begun goes;
 *   [DONE] without any       as stop;
 *   the end without any      -ENODATA: it broke off;
 *   a refusal                is said: it is the model's answer;
 *   a sentence too many      the model is stopped, and what was handed out is the answer; a text too long likewise, unless
 *                            there was nothing to say in it: -ENODATA.
 */
#include "services/chat_stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "utils/json.h"

static const char unreadable[] = "its answer cannot be read", reported[] = "it reports an error",
                  broke_off[] = "its answer broke off", out_of_memory[] = "out of memory";

static int fail(struct chat_stream *stream, int r, const char *why)
{
    if (stream->r == 0) {
        stream->r = r;
        stream->why = why;
    }
    return stream->r;
}

/* --- what comes out */

static struct chat_part *add_part(struct chat_stream *stream, enum chat_part_kind kind)
{
    struct chat_part *part = &stream->parts[stream->n_parts++];

    *part = (struct chat_part){ .kind = kind, .text = "", .id = "", .name = "", .arguments = "", .why = "" };
    return part;
}

static int stop_talking(struct chat_stream *stream, const char *why)
{
    stream->is_truncated = true;
    if (stream->n_parts == 0)
        return fail(stream, -ENODATA, why);
    return fail(stream, -ECANCELED, why);
}

static int take_sentence(void *user, const char *text, size_t n)
{
    struct chat_stream *stream = user;

    if (stream->n_said == AGENT_SENTENCES_MAX)
        return stop_talking(stream, "it did not stop talking");
    char *said = stream->said[stream->n_said++];
    memcpy(said, text, n);
    said[n] = '\0';
    add_part(stream, CHAT_SENTENCE)->text = said;
    return 0;
}

static int finish(struct chat_stream *stream)
{
    int r = sentences_end(&stream->sentences, take_sentence, stream);

    for (size_t i = 0; i < stream->n_tools && r == 0; i++) {
        struct chat_tool *tool = &stream->tools[i];

        if (!tool->name[0])
            return fail(stream, -EBADMSG, "it calls a tool without a name");
        struct chat_part *part = add_part(stream, CHAT_TOOL);
        part->id = tool->id;
        part->name = tool->name;
        part->arguments = tool->arguments;
    }
    return r;
}

/* --- text */

static int take_text(struct chat_stream *stream, const char *text, size_t n)
{
    stream->n_text += n;
    if (stream->n_text > CHAT_TEXT_MAX)
        return stop_talking(stream, stream->n_parts ? "it did not stop talking" : "it said nothing that can be spoken");
    int r = sentences_push(&stream->sentences, text, n, take_sentence, stream);
    stream->has_begun |= stream->sentences.has_begun;
    return r;
}

/* A text, or, as some have it, a list of typed ones, of which only "text" is meant to be read. */
static int take_content(struct chat_stream *stream, struct json_object *content)
{
    int r = 0;

    if (json_object_is_type(content, json_type_string))
        return take_text(stream, json_object_get_string(content), (size_t)json_object_get_string_len(content));
    if (!json_object_is_type(content, json_type_array))
        return 0;
    for (size_t i = 0; i < json_object_array_length(content) && r == 0; i++) {
        struct json_object *piece = json_object_array_get_idx(content, i);
        const char *type = json_get_text(piece, "type"), *text = json_get_text(piece, "text");

        if (type && text && strcmp(type, "text") == 0)
            r = take_text(stream, text, strlen(text));
    }
    return r;
}

/* --- calls of tools */

static struct chat_tool *new_tool(struct chat_stream *stream, int64_t index)
{
    if (stream->n_tools == CHAT_TOOLS_MAX)
        return NULL;
    struct chat_tool *tool = &stream->tools[stream->n_tools++];
    tool->id[0] = tool->name[0] = tool->arguments[0] = '\0';
    tool->index = index;
    return tool;
}

/* Whose fragment it is: that of its index, unless it brings another id; without an index, of its id or the last one. */
static struct chat_tool *find_tool(struct chat_stream *stream, int64_t index, const char *id)
{
    for (size_t i = stream->n_tools; i-- > 0;) {
        struct chat_tool *tool = &stream->tools[i];
        bool is_same_id = !*id || !tool->id[0] || strncmp(tool->id, id, sizeof(tool->id) - 1) == 0;

        if (is_same_id && (index < 0 || tool->index == index))
            return tool;
    }
    return new_tool(stream, index);
}

/* Returns: whether all of it has room behind what is there. */
static bool append(char *buffer, size_t size, const char *text)
{
    size_t n = strlen(buffer), n_text = strlen(text);

    if (n_text >= size - n)
        return false;
    memcpy(buffer + n, text, n_text + 1);
    return true;
}

/* Most send text; a few the object itself. */
static const char *arguments_of(struct json_object *function)
{
    struct json_object *arguments = NULL;
    size_t n;

    if (!json_object_object_get_ex(function, "arguments", &arguments) || !arguments)
        return "";
    return json_object_is_type(arguments, json_type_string) ? json_object_get_string(arguments) : json_print(arguments, &n);
}

static int take_tool(struct chat_stream *stream, struct json_object *fragment)
{
    struct json_object *function = NULL, *number = NULL;
    const char *id = json_get_text(fragment, "id") ?: "";

    if (!json_object_is_type(fragment, json_type_object))
        return fail(stream, -EBADMSG, unreadable);
    (void)json_object_object_get_ex(fragment, "function", &function);
    (void)json_object_object_get_ex(fragment, "index", &number);
    const char *name = json_get_text(function, "name") ?: "", *arguments = function ? arguments_of(function) : "";
    bool is_whole = !number && *name && !*id;
    struct chat_tool *tool = is_whole ? new_tool(stream, -1) : find_tool(stream, number ? json_object_get_int64(number) : -1, id);

    if (!tool)
        return fail(stream, -EBADMSG, "it calls too many tools at once");
    if (!arguments)
        return fail(stream, -ENOMEM, out_of_memory);
    if (!tool->id[0] && !append(tool->id, sizeof(tool->id), id))
        return fail(stream, -EBADMSG, "it calls a tool with too long an id");
    if (!tool->name[0] && !append(tool->name, sizeof(tool->name), name))
        return fail(stream, -EBADMSG, "it calls a tool with too long a name");
    if (!append(tool->arguments, sizeof(tool->arguments), arguments))
        return fail(stream, -EBADMSG, "it calls a tool with too long arguments");
    stream->has_begun = true;
    return 0;
}

static int take_tools(struct chat_stream *stream, struct json_object *tools)
{
    int r = 0;

    if (!json_object_is_type(tools, json_type_array))
        return 0; /* null */
    for (size_t i = 0; i < json_object_array_length(tools) && r == 0; i++)
        r = take_tool(stream, json_object_array_get_idx(tools, i));
    return r;
}

/* --- chunks */

static int take_end(struct chat_stream *stream, const char *reason)
{
    stream->is_finished = true;
    if (strcmp(reason, "content_filter") == 0)
        return fail(stream, -ENODATA, "its provider's filter withheld the answer");
    if (strcmp(reason, "length") == 0) {
        stream->is_truncated = true;
        if (stream->n_tools > 0)
            return fail(stream, -ENODATA, "its answer was cut at the greatest length");
    }
    return finish(stream);
}

void chat_stream_error(struct json_object *answer, char ret_error[static CHAT_ERROR_MAX])
{
    struct json_object *error = NULL;
    const char *word;

    ret_error[0] = '\0';
    if (!json_object_is_type(answer, json_type_object) || !json_object_object_get_ex(answer, "error", &error))
        return;
    word = json_object_is_type(error, json_type_object) ? json_get_text(error, "code") ?: json_get_text(error, "type") : NULL;
    /* a word and no message: messages quote keys and what was asked */
    if (word && word[strspn(word, "abcdefghijklmnopqrstuvwxyz_")] == '\0' && strlen(word) < CHAT_ERROR_MAX)
        (void)append(ret_error, CHAT_ERROR_MAX, word);
}

/* The only choice there is; NULL: none, as in the chunk that tells the usage. */
static struct json_object *choice_of(struct json_object *answer)
{
    struct json_object *choices = NULL, *choice;

    (void)json_object_object_get_ex(answer, "choices", &choices);
    if (!json_object_is_type(choices, json_type_array) || json_object_array_length(choices) == 0)
        return NULL;
    choice = json_object_array_get_idx(choices, 0);
    return json_object_is_type(choice, json_type_object) && json_get_int(choice, "index") == 0 ? choice : NULL;
}

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    if (json_object_is_type(object, json_type_object))
        (void)json_object_object_get_ex(object, key, &value);
    return value;
}

static int take_chunk(struct chat_stream *stream, struct json_object *chunk)
{
    struct json_object *choice, *message;
    const char *reason;

    if (!json_object_is_type(chunk, json_type_object))
        return fail(stream, -EBADMSG, unreadable);
    if (member(chunk, "error")) {
        chat_stream_error(chunk, stream->error);
        return fail(stream, -EREMOTEIO, reported);
    }
    choice = choice_of(chunk);
    if (!choice || stream->is_finished)
        return 0;
    message = member(choice, "delta") ?: member(choice, "message");
    int r = take_content(stream, member(message, "content"));
    if (r == 0)
        r = take_content(stream, member(message, "refusal"));
    if (r == 0)
        r = take_tools(stream, member(message, "tool_calls"));
    reason = json_get_text(choice, "finish_reason");
    return r == 0 && reason ? take_end(stream, reason) : r;
}

static int take_json(struct chat_stream *stream, const char *text, size_t n, bool is_cut)
{
    scoped(json_object_put) struct json_object *chunk = NULL;
    int r = json_parse(text, n, &chunk);

    if (r == -ENOMEM)
        return fail(stream, r, out_of_memory);
    if (r < 0)
        return is_cut ? fail(stream, -ENODATA, broke_off) : fail(stream, r, unreadable);
    return take_chunk(stream, chunk);
}

static int take_event(void *user, const struct sse_event *event)
{
    struct chat_stream *stream = user;

    if (stream->is_done)
        return 0;
    if (strncmp(event->data, "[DONE]", strlen("[DONE]")) == 0) {
        stream->is_done = true;
        if (stream->is_finished)
            return 0;
        stream->is_finished = true;
        return finish(stream);
    }
    if (event->n_data == 0)
        return 0;
    stream->has_events = true;
    int r = take_json(stream, event->data, event->n_data, event->is_cut);
    return r == 0 && strcmp(event->name, "error") == 0 ? fail(stream, -EREMOTEIO, reported) : r;
}

/* --- bytes */

void chat_stream_init(struct chat_stream *stream)
{
    sse_init(&stream->sse);
    sentences_init(&stream->sentences);
    stream->whole = NULL;
    stream->n_whole = stream->n_text = stream->n_tools = stream->n_said = stream->n_parts = 0;
    stream->is_sniffed = stream->is_whole = stream->has_events = false;
    stream->has_begun = stream->is_finished = stream->is_done = stream->is_truncated = false;
    stream->r = 0;
    stream->why = "";
    stream->error[0] = '\0';
}

void chat_stream_done(struct chat_stream *stream)
{
    free(steal(&stream->whole));
}

/* The first byte that is no space tells what it is: JSON begins with {, a page with <, and no line of a stream with either. */
static int sniff(struct chat_stream *stream, const char *bytes, size_t n)
{
    size_t i = 0;

    while (i < n && strchr(" \t\r\n", bytes[i]) && bytes[i])
        i++;
    if (i == n)
        return 0;
    stream->is_sniffed = true;
    stream->is_whole = bytes[i] == '{';
    return bytes[i] == '<' ? fail(stream, -EBADMSG, "its answer is a page and no stream") : 0;
}

static int gather(struct chat_stream *stream, const char *bytes, size_t n)
{
    if (n > CHAT_WHOLE_MAX - stream->n_whole)
        return fail(stream, -EBADMSG, "its answer is too long");
    char *whole = realloc(stream->whole, stream->n_whole + n);
    if (!whole)
        return fail(stream, -ENOMEM, out_of_memory);
    memcpy(whole + stream->n_whole, bytes, n);
    stream->whole = whole;
    stream->n_whole += n;
    return 0;
}

int chat_stream_push(struct chat_stream *stream, const char *bytes, size_t n)
{
    int r = stream->is_sniffed ? 0 : sniff(stream, bytes, n);

    if (r < 0)
        return r;
    if (stream->is_whole)
        return gather(stream, bytes, n);
    r = sse_push(&stream->sse, bytes, n, take_event, stream);
    return r < 0 ? fail(stream, r == -EMSGSIZE ? -EBADMSG : r, "its answer has too long an event") : 0;
}

/* All bytes are here. */
static void read_rest(struct chat_stream *stream)
{
    if (!stream->is_whole)
        (void)sse_end(&stream->sse, take_event, stream); /* what it says is in stream->r */
    else if (take_json(stream, stream->whole, stream->n_whole, false) == 0 && !stream->is_finished && stream->has_begun) {
        stream->is_finished = true;
        (void)finish(stream);
    }
    if (stream->is_finished)
        return;
    if (stream->has_events || stream->n_whole > 0)
        (void)fail(stream, -ENODATA, broke_off);
    else
        (void)fail(stream, -EBADMSG, "its answer is no stream");
}

void chat_stream_end(struct chat_stream *stream, int r, const char *why)
{
    struct chat_part *end;

    if (stream->r == 0 && r == 0)
        read_rest(stream);
    else if (!stream->is_finished)
        (void)fail(stream, r, why);
    if (stream->r == -ECANCELED && stream->is_truncated) /* by ourselves; what there is holds */
        stream->r = 0;
    end = add_part(stream, CHAT_END);
    end->r = stream->r;
    end->why = stream->r < 0 ? stream->why : "";
}

const char *chat_stream_text(struct json_object *answer)
{
    struct json_object *choice = json_object_is_type(answer, json_type_object) ? choice_of(answer) : NULL;

    return json_get_text(member(choice, "message"), "content");
}

size_t chat_stream_calls(struct json_object *answer, struct chat_call ret_calls[CHAT_TOOLS_MAX])
{
    struct json_object *choice = json_object_is_type(answer, json_type_object) ? choice_of(answer) : NULL;
    struct json_object *calls = member(member(choice, "message"), "tool_calls");
    size_t n_calls = json_object_is_type(calls, json_type_array) ? json_object_array_length(calls) : 0, n = 0;

    for (size_t i = 0; i < n_calls && n < CHAT_TOOLS_MAX; i++) {
        struct json_object *call = json_object_array_get_idx(calls, i), *function = member(call, "function");
        const char *name = function ? json_get_text(function, "name") : NULL;

        if (name)
            ret_calls[n++] = (struct chat_call){ json_get_text(call, "id") ?: "", name, json_get_text(function, "arguments") ?: "" };
    }
    return n;
}
