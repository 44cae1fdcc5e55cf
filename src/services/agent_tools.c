/*
 * agent_tools.c - what a chat model may do, besides talking
 *
 * A tool is a row: what the model is told, its parameters, and what it does. The JSON schema in the request and the
 * check of the arguments are both made from the parameters. Those of save_contact are the profile's fields.
 */
#include "services/agent_tools.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/call.h"
#include "models/contact.h"
#include "services/chat.h"
#include "utils/json.h"
#include "utils/json_plain.h"
#include "utils/text.h"
#include "utils/utf8.h"
#include "utils/when.h"

enum {
    TOOLS_MAX = 5,
    PARAMETERS_MAX = PROFILE_QUESTIONS_MAX + 1,
    NAME_CHARACTERS = 60,
    TEXT_CHARACTERS = 120, /* of two bytes each, as Hebrew has, they fit AGENT_VALUE_MAX */
    MESSAGE_CHARACTERS = 250,
    ABOUT_MAX = 200,
    FAR_DAYS = 2 * 366, /* a call-back later than this is a mistake */
};

enum value_kind { VALUE_TEXT, VALUE_PHONE, VALUE_WHEN, VALUE_MESSAGE };

struct parameter {
    const char *name;
    enum value_kind kind;
    bool is_required;
    unsigned characters; /* at most; 0: the kind says */
    const char *about;
};

struct running;

enum where { EVERYWHERE, ON_THE_PHONE, IN_WRITING };

struct tool {
    const char *name, *about;
    int (*run)(struct running *running);
    struct parameter parameters[PARAMETERS_MAX];
    size_t n_parameters;
    enum where where;
};

struct agent_tools {
    struct agent_tools_options options;
    struct tool tools[TOOLS_MAX];
    size_t n_tools;
    struct json_object *json[2]; /* while somebody is in the office; while nobody is, NULL when that makes no difference */
    const char *texts[2];        /* of them */
};

/* A call that is being checked and done. */
struct running {
    const struct agent_tools *tools;
    const struct tool *tool;
    const struct agent_tools_call *call;
    struct agent_reply *reply;
    const char *values[PARAMETERS_MAX]; /* by parameter; NULL: not given */
    char *result;
    size_t n_result;
    unsigned n_problems;
};

__attribute__((format(printf, 2, 3))) static void problem(struct running *running, const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    const char *before = running->n_problems++ ? "; " : "refused: ";
    text_add(running->result, AGENT_RESULT_MAX, &running->n_result, before, strlen(before));
    text_add(running->result, AGENT_RESULT_MAX, &running->n_result, line, text_fit(line, (size_t)n, sizeof(line) - 1));
}

static int done(struct running *running, const char *result)
{
    (void)text_set(running->result, AGENT_RESULT_MAX, result);
    return 0;
}

static int refuse(struct running *running, const char *why)
{
    problem(running, "%s", why);
    return -EINVAL;
}

/* --- what they do; the arguments are good by themselves */

static void learn(struct running *running, const char *field, const char *value)
{
    struct agent_reply *reply = running->reply;

    assert(reply->n_learnt < AGENT_LEARNT_MAX);
    (void)text_set(reply->learnt[reply->n_learnt].field, AGENT_FIELD_MAX, field);
    (void)text_set(reply->learnt[reply->n_learnt].value, AGENT_VALUE_MAX, value);
    reply->n_learnt++;
}

static void learn_phone(struct running *running, const char *field, const char *number)
{
    char e164[ADDRESS_MAX];

    if (phone_normalise(number, running->tools->options.country, e164) == 0)
        learn(running, field, e164);
}

static int save_contact(struct running *running)
{
    const struct tool *tool = running->tool;
    size_t n = 0;

    for (size_t i = 0; i < tool->n_parameters; i++)
        n += running->values[i] != NULL;
    if (n < 1 || n > AGENT_LEARNT_MAX)
        return refuse(running, n ? "too much at once: save 8 fields at most" : "there is nothing to save");
    for (size_t i = 0; i < tool->n_parameters; i++) {
        if (running->values[i] && tool->parameters[i].kind == VALUE_PHONE)
            learn_phone(running, tool->parameters[i].name, running->values[i]);
        else if (running->values[i])
            learn(running, tool->parameters[i].name, running->values[i]);
    }
    return done(running, "saved");
}

enum { CALLBACK_WHEN, CALLBACK_PHONE, CALLBACK_ABOUT };

static int schedule_callback(struct running *running)
{
    const char *phone = running->values[CALLBACK_PHONE] ? running->values[CALLBACK_PHONE] : running->call->from;
    char when[WHEN_MAX], result[AGENT_RESULT_MAX];
    uint64_t unix_ms = 0;

    if (!phone[0])
        return refuse(running, "phone: the caller's number is hidden; ask for one");
    (void)when_parse(running->values[CALLBACK_WHEN], &unix_ms);
    when_print(unix_ms, when);
    learn(running, "callback_at", when);
    learn_phone(running, "callback", phone);
    if (running->values[CALLBACK_ABOUT])
        learn(running, "callback_about", running->values[CALLBACK_ABOUT]);
    (void)snprintf(result, sizeof(result), "noted for %s", when);
    return done(running, result);
}

enum { WHATSAPP_TEXT, WHATSAPP_MESSAGE };

static const char *message_text(const struct profile *profile, const char *id)
{
    for (size_t i = 0; i < profile->chat.n_messages; i++)
        if (strcmp(profile->chat.messages[i].id, id) == 0)
            return profile->chat.messages[i].text;
    return NULL;
}

static int send_whatsapp(struct running *running)
{
    const char *text = running->values[WHATSAPP_TEXT], *id = running->values[WHATSAPP_MESSAGE];

    if (!text == !id)
        return refuse(running, "give either text or message");
    if (!running->call->from[0])
        return refuse(running, "the caller's number is hidden: nothing can be sent");
    text = id ? message_text(running->tools->options.profile, id) : text;
    if (strlen(text) >= sizeof(running->reply->whatsapp))
        return refuse(running, "text: too long");
    (void)text_set(running->reply->whatsapp, sizeof(running->reply->whatsapp), text);
    running->reply->may_reword = id;
    return done(running, "it will be sent to the number the caller calls from");
}

/* Nobody answers the telephone then; what is written somebody reads when he comes. */
static bool has_hours(const struct agent_tools_options *options)
{
    return options->profile->hours.is_set && !options->is_written;
}

static bool is_closed(const struct agent_tools *tools, uint64_t unix_ms)
{
    struct hours_state state = { .is_open = true };

    if (has_hours(&tools->options) && unix_ms)
        hours_at(&tools->options.profile->hours, unix_ms, &state);
    return !state.is_open;
}

static int transfer_to_human(struct running *running)
{
    if (is_closed(running->tools, running->call->unix_ms))
        return refuse(running, "nobody is in the office now; offer to note when he is to be called back");
    learn(running, "transfer_reason", running->values[0]);
    running->reply->end = true;
    running->reply->end_as = CALL_END_TRANSFER;
    return done(running, running->tools->options.is_written ? "a human is told, and goes on from here; say so to the customer"
                                                            : "the caller is being put through");
}

static int end_call(struct running *running)
{
    running->reply->end = true;
    return done(running, "the call ends when your last words were heard");
}

static const struct tool standing[] = {
    {
        "schedule_callback",
        "Note when the caller is to be called back. Only when he named a time; say it back to him.",
        schedule_callback,
        {
            [CALLBACK_WHEN] = { "when", VALUE_WHEN, true, 0, "ISO 8601, local time of the office, e.g. 2026-01-31T09:30" },
            [CALLBACK_PHONE] = { "phone", VALUE_PHONE, false, 0, "when it is not the number he calls from" },
            [CALLBACK_ABOUT] = { "about", VALUE_TEXT, false, TEXT_CHARACTERS, "what it is about, in a few words" },
        },
        3,
    },
    {
        "send_whatsapp",
        "Send the caller a WhatsApp message, to the number he calls from. Only when he asked for it or agreed.",
        send_whatsapp,
        {
            [WHATSAPP_TEXT] = { "text", VALUE_TEXT, false, MESSAGE_CHARACTERS, "your own words" },
            [WHATSAPP_MESSAGE] = { "message", VALUE_MESSAGE, false, 0, "or one of our messages" },
        },
        2,
        ON_THE_PHONE,
    },
    {
        "transfer_to_human",
        "Put the caller through to a human: when he asks for one, in an emergency, or when you cannot help.",
        transfer_to_human,
        { { "reason", VALUE_TEXT, true, TEXT_CHARACTERS, "why, in a few words" } },
        1,
        ON_THE_PHONE,
    },
    {
        "transfer_to_human",
        "Leave the conversation to a human: when the customer asks for one, in an emergency, or when you cannot help. You "
        "write nothing more to him after this reply.",
        transfer_to_human,
        { { "reason", VALUE_TEXT, true, TEXT_CHARACTERS, "why, in a few words" } },
        1,
        IN_WRITING,
    },
    { "end_call", "Hang up. Say goodbye first, in the same reply.", end_call, { { NULL, 0, false, 0, NULL } }, 0, ON_THE_PHONE },
};

/* --- the check */

/* What is learnt and sent is one line of text, without space around it. */
static const char *one_line(char *text)
{
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7F)
            *p = ' ';
    text += strspn(text, " ");
    for (size_t n = strlen(text); n && text[n - 1] == ' ';)
        text[--n] = '\0';
    return text;
}

static void check_when(struct running *running, const struct parameter *parameter, const char *value)
{
    uint64_t unix_ms, now_ms = running->call->unix_ms;
    char now[WHEN_MAX];

    if (when_parse(value, &unix_ms) < 0) {
        problem(running, "%s: must be a date with a time, like 2026-01-31T09:30", parameter->name);
        return;
    }
    when_print(now_ms, now);
    if (unix_ms <= now_ms)
        problem(running, "%s: must be in the future, and it is %s now", parameter->name, now);
    else if (unix_ms - now_ms > FAR_DAYS * UINT64_C(86400000))
        problem(running, "%s: is more than two years from now", parameter->name);
}

static void check_value(struct running *running, const struct parameter *parameter, const char *value)
{
    char e164[ADDRESS_MAX];

    if (parameter->characters && utf8_length(value) > parameter->characters)
        problem(running, "%s: over %u characters", parameter->name, parameter->characters);
    if (parameter->kind == VALUE_PHONE && phone_normalise(value, running->tools->options.country, e164) < 0)
        problem(running, "%s: not a telephone number; ask again", parameter->name);
    if (parameter->kind == VALUE_WHEN)
        check_when(running, parameter, value);
    if (parameter->kind == VALUE_MESSAGE && !message_text(running->tools->options.profile, value))
        problem(running, "%s: there is no message of this id", parameter->name);
}

static void check_member(struct running *running, const struct json_plain *member)
{
    const struct tool *tool = running->tool;
    size_t i = 0;

    while (i < tool->n_parameters && strcmp(tool->parameters[i].name, member->key) != 0)
        i++;
    if (i == tool->n_parameters) {
        problem(running, "there is no argument \"%.*s\"", (int)text_fit(member->key, strlen(member->key), 32), member->key);
    } else if (member->kind == JSON_PLAIN_OTHER) {
        problem(running, "%s: must be a string", tool->parameters[i].name);
    } else if (member->kind == JSON_PLAIN_TEXT) {
        const char *value = one_line(member->text);

        running->values[i] = value[0] ? value : NULL;
        if (running->values[i])
            check_value(running, &tool->parameters[i], value);
    }
}

static const struct tool *find(const struct agent_tools *tools, const char *name)
{
    for (size_t i = 0; i < tools->n_tools; i++)
        if (strcmp(tools->tools[i].name, name) == 0)
            return &tools->tools[i];
    return NULL;
}

int agent_tools_run(const struct agent_tools *tools, const struct agent_tools_call *call, struct agent_reply *reply,
                    char ret_result[AGENT_RESULT_MAX])
{
    struct running running = { .tools = tools, .tool = find(tools, call->name), .call = call, .reply = reply,
                               .result = ret_result };
    struct json_plain members[PARAMETERS_MAX];
    char room[CHAT_ARGUMENTS_MAX + 1];

    ret_result[0] = '\0';
    if (!running.tool)
        return refuse(&running, "there is no such tool");
    const char *arguments = call->arguments[strspn(call->arguments, " \t\r\n")] ? call->arguments : "{}";
    int n = json_plain_read(arguments, room, sizeof(room), members, ELEMENTSOF(members));
    if (n < 0)
        return refuse(&running, n == -EBADMSG ? "the arguments are not a JSON object of strings" : "too many arguments");
    for (int i = 0; i < n; i++)
        check_member(&running, &members[i]);
    for (size_t i = 0; i < running.tool->n_parameters; i++)
        if (running.tool->parameters[i].is_required && !running.values[i])
            problem(&running, "%s: is missing", running.tool->parameters[i].name);
    return running.n_problems ? -EINVAL : running.tool->run(&running);
}

/* --- the schema */

static int add_text(struct json_object *object, const char *key, const char *text)
{
    size_t n = text_fit(text, strlen(text), ABOUT_MAX);

    return json_add(object, key, json_object_new_string_len(text, (int)n));
}

static struct json_object *messages_json(const struct profile *profile)
{
    scoped(json_object_put) struct json_object *ids = json_object_new_array();

    for (size_t i = 0; ids && i < profile->chat.n_messages; i++)
        if (json_append(ids, json_object_new_string(profile->chat.messages[i].id)) < 0)
            return NULL;
    return steal(&ids);
}

static struct json_object *parameter_json(const struct agent_tools *tools, const struct parameter *parameter)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();

    if (!json || add_text(json, "type", "string") < 0 || add_text(json, "description", parameter->about) < 0)
        return NULL;
    if (parameter->characters && json_add(json, "maxLength", json_object_new_int((int)parameter->characters)) < 0)
        return NULL;
    if (parameter->kind == VALUE_MESSAGE && json_add(json, "enum", messages_json(tools->options.profile)) < 0)
        return NULL;
    return steal(&json);
}

static struct json_object *schema_json(const struct agent_tools *tools, const struct tool *tool)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    scoped(json_object_put) struct json_object *properties = json_object_new_object();
    scoped(json_object_put) struct json_object *required = json_object_new_array();

    if (!json || !properties || !required)
        return NULL;
    for (size_t i = 0; i < tool->n_parameters; i++) {
        const struct parameter *parameter = &tool->parameters[i];

        if (json_add(properties, parameter->name, parameter_json(tools, parameter)) < 0)
            return NULL;
        if (parameter->is_required && json_append(required, json_object_new_string(parameter->name)) < 0)
            return NULL;
    }
    if (add_text(json, "type", "object") < 0 || json_add(json, "properties", steal(&properties)) < 0 ||
        json_add(json, "required", steal(&required)) < 0 ||
        json_add(json, "additionalProperties", json_object_new_boolean(false)) < 0)
        return NULL;
    return steal(&json);
}

static struct json_object *tool_json(const struct agent_tools *tools, const struct tool *tool)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    scoped(json_object_put) struct json_object *function = json_object_new_object();

    if (!json || !function || add_text(function, "name", tool->name) < 0 ||
        add_text(function, "description", tool->about) < 0 ||
        json_add(function, "parameters", schema_json(tools, tool)) < 0 || add_text(json, "type", "function") < 0 ||
        json_add(json, "function", steal(&function)) < 0)
        return NULL;
    return steal(&json);
}

static int make_json(struct agent_tools *tools, bool is_closed)
{
    struct json_object *json = tools->json[is_closed] = json_object_new_array();

    for (size_t i = 0; json && i < tools->n_tools; i++)
        if (!(is_closed && tools->tools[i].run == transfer_to_human) && json_append(json, tool_json(tools, &tools->tools[i])) < 0)
            return -ENOMEM;
    tools->texts[is_closed] = json ? json_print(json, NULL) : NULL;
    if (!tools->texts[is_closed])
        return -ENOMEM;
    return strlen(tools->texts[is_closed]) <= CHAT_TOOLS_BODY_MAX ? 0 : -EMSGSIZE;
}

/* --- which there are */

static void add_field(struct tool *tool, const char *field, enum value_kind kind, const char *about)
{
    bool is_name = strcmp(field, "name") == 0;

    for (size_t i = 0; i < tool->n_parameters; i++)
        if (strcmp(tool->parameters[i].name, field) == 0)
            return;
    tool->parameters[tool->n_parameters++] = (struct parameter){
        .name = field,
        .kind = kind,
        .characters = kind != VALUE_TEXT ? 0 : is_name ? NAME_CHARACTERS : TEXT_CHARACTERS,
        .about = about,
    };
}

/* A yes/no with a field offers the caller's number for it. */
static void add_save_contact(struct agent_tools *tools)
{
    const struct profile *profile = tools->options.profile;
    struct tool *tool = &tools->tools[tools->n_tools++];

    *tool = (struct tool){
        .name = "save_contact",
        .about = "Keep what the caller told: each thing as soon as it is known, and again when he corrects it.",
        .run = save_contact,
    };
    add_field(tool, "name", VALUE_TEXT, "the caller's name");
    for (size_t i = 0; i < profile->n_questions; i++) {
        const struct question *question = &profile->questions[i];
        bool is_phone = question->expect == ANSWER_DIGITS || question->expect == ANSWER_YESNO;

        if (question->field)
            add_field(tool, question->field, is_phone ? VALUE_PHONE : VALUE_TEXT,
                      profile_prompt(profile, question->ask.prompts[0])->text);
    }
}

static bool is_offered(const struct agent_tools_options *options, const struct tool *tool)
{
    if (tool->where != EVERYWHERE && (tool->where == IN_WRITING) != options->is_written)
        return false;
    return tool->run == transfer_to_human ? options->can_transfer
           : tool->run == send_whatsapp   ? options->can_message
                                          : true;
}

/* An empty enum is no schema. */
static void add_standing(struct agent_tools *tools, const struct tool *tool)
{
    struct tool *added = &tools->tools[tools->n_tools++];

    *added = *tool;
    if (tool->run == send_whatsapp && !tools->options.profile->chat.n_messages)
        added->n_parameters = WHATSAPP_MESSAGE;
}

int agent_tools_new(const struct agent_tools_options *options, struct agent_tools **ret_tools)
{
    scoped(agent_tools_free) struct agent_tools *tools = calloc(1, sizeof(*tools));

    if (!tools)
        return -ENOMEM;
    tools->options = *options;
    add_save_contact(tools);
    for (size_t i = 0; i < ELEMENTSOF(standing); i++)
        if (is_offered(options, &standing[i]))
            add_standing(tools, &standing[i]);
    int r = make_json(tools, false);
    if (r == 0 && has_hours(options))
        r = make_json(tools, true);
    if (r < 0)
        return r;
    *ret_tools = steal(&tools);
    return 0;
}

void agent_tools_free(struct agent_tools *tools)
{
    if (!tools)
        return;
    json_object_put(tools->json[0]);
    json_object_put(tools->json[1]);
    free(tools);
}

const char *agent_tools_json(const struct agent_tools *tools, uint64_t unix_ms)
{
    return tools->texts[is_closed(tools, unix_ms)];
}
