/*
 * fuzz_tool.c - any bytes as the arguments of a model's tools: refused with a reason, or done as the schema says
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "services/agent_tools.h"
#include "services/agent_history.h"
#include "utils/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct agent_tools *make_tools(void)
{
    static struct profile *profile; /* for good */
    struct agent_tools_options options = { .country = "972", .can_transfer = true, .can_message = true };
    struct agent_tools *tools = NULL;
    char problems[512];

    if (profile_load("receptionist-en", "Acme", problems, sizeof(problems), &profile) < 0)
        abort();
    options.profile = profile;
    if (agent_tools_new(&options, &tools) < 0)
        abort();
    return tools;
}

static int append(void *user, const char *json, size_t n)
{
    char *body = user;

    strncat(body, json, n);
    return 0;
}

/* What is written down of it is JSON, whatever it was. */
static void write_down(const char *name, const char *arguments, const char *result)
{
    static struct agent_history history;
    static struct history_tools called;
    static char body[2 * HISTORY_MAX];
    scoped(json_object_put) struct json_object *json = NULL;

    memset(&history, 0, sizeof(history));
    history_tools_clear(&called);
    history_tools_add(&called, arguments, name, arguments, true, result);
    history_say(&history, HISTORY_USER, "(", arguments, ")");
    history_turn(&history);
    history_call(&history, &called);
    body[0] = '\0';
    strcpy(body, "[0");
    assert(history_put(&history, arguments, append, body) == 0);
    strcat(body, "]");
    assert(json_parse(body, strlen(body), &json) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = { "save_contact", "schedule_callback", "send_whatsapp", "transfer_to_human", "end_call" };
    static struct agent_tools *tools;
    static struct agent_reply reply;
    char arguments[2048], result[AGENT_RESULT_MAX];
    struct agent_tools_call call = { .arguments = arguments, .from = "+972501234567", .unix_ms = 1795334400000 };

    if (!tools)
        tools = make_tools();
    n = n < sizeof(arguments) - 1 ? n : sizeof(arguments) - 1;
    memcpy(arguments, data, n);
    arguments[n] = '\0';
    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        call.name = names[i];
        memset(&reply, 0, sizeof(reply));
        int r = agent_tools_run(tools, &call, &reply, result);
        assert(result[0] && strlen(result) < sizeof(result));
        assert(r == 0 || (!reply.n_learnt && !reply.whatsapp[0] && !reply.end));
        for (size_t k = 0; k < reply.n_learnt; k++)
            assert(reply.learnt[k].value[0] && !strpbrk(reply.learnt[k].value, "\n\r\t"));
        write_down(names[i], arguments, result);
    }
    return 0;
}
