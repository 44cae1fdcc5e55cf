/*
 * cli/whatsapp.c - agentlocator whatsapp: the device that is linked to a WhatsApp account
 *
 * The program that keeps it is asked directly, so that a device can be linked before the daemon runs.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli/admin.h"
#include "config.h"
#include "utils/json.h"
#include "utils/when.h"

static const char usage[] =
    "Usage: agentlocator whatsapp status|link|unlink [OPTIONS]\n"
    "\n"
    "  status           print how the linked device is\n"
    "  link             link a device to a WhatsApp account\n"
    "  unlink           give the device up; what is kept of it is erased\n"
    "\n"
    "  --phone NUMBER   link: the account's number, with its country code; prints the code to type on the\n"
    "                   telephone. Without it the text of a QR code is printed, for a program that draws it\n"
    "  --json           print the answer as it came\n"
    "  --env-file FILE  read settings from FILE too; WHATSAPP_SOCKET says where the device's program listens\n"
    "  --help           print this\n";

enum { ASK_S = 15, PAIR_S = 40, PHONE_MIN = 7, PHONE_MAX = 15 };

struct asking {
    char phone[PHONE_MAX + 1]; /* digits alone; "" none */
    const char *env_file;
    bool wants_json;
};

/* --- what it says */

static const struct {
    const char *state, *text;
} states[] = {
    { "open", "The device is linked and connected." },
    { "starting", "It has just been started." },
    { "pairing", "A device is being linked: type or scan the code on the telephone." },
    { "connecting", "The device is linked, and is being connected." },
    { "backoff", "The device is linked; WhatsApp cannot be reached for now, and is tried again." },
    { "logged_out", "No device is linked: agentlocator whatsapp link --phone NUMBER" },
    { "replaced", "Another program uses the same device: stop one of the two, then restart this one." },
    { "banned", "WhatsApp has blocked the account." },
    { "broken", "The session is broken again and again: agentlocator whatsapp unlink, then link." },
};

static int show_status(struct json_object *json)
{
    const char *state = json_get_text(json, "state") ?: "", *text = *state ? state : "It does not say how it is.";
    int64_t until_ms = json_get_int(json, "restricted_until");
    struct json_object *is_filling = NULL;
    char when[WHEN_MAX];

    for (size_t i = 0; i < ELEMENTSOF(states); i++)
        if (strcmp(states[i].state, state) == 0)
            text = states[i].text;
    printf("%s\n", text);
    printf("Held for the daemon: %lld. To be sent: %lld.\n", (long long)json_get_int(json, "outbox"),
           (long long)json_get_int(json, "sendq"));
    if (json_object_object_get_ex(json, "is_filling", &is_filling) && json_object_get_boolean(is_filling))
        puts("agentlocator does not fetch what came: see that it runs, with WHATSAPP_PROVIDER=baileys.");
    if (until_ms > 0) {
        when_print((uint64_t)until_ms, when);
        printf("WhatsApp lets the account write to nobody new until %s.\n", when);
    }
    return strcmp(state, "open") == 0 ? CLI_OK : CLI_FAILED;
}

static int show_code(struct json_object *json)
{
    const char *code = json_get_text(json, "code"), *qr = json_get_text(json, "qr");

    if (code)
        printf("On the telephone: WhatsApp, Linked devices, Link a device, Link with phone number instead. The code is\n\n"
               "    %.4s-%s\n\nIt is good for a few minutes; agentlocator whatsapp status tells when it was taken.\n",
               code, strlen(code) > 4 ? code + 4 : "");
    else if (qr)
        printf("%s\n", qr);
    return code || qr ? CLI_OK : CLI_FAILED;
}

static int show_unlinked(struct json_object *json)
{
    struct json_object *told = NULL;
    bool is_told = json_object_object_get_ex(json, "told", &told) && json_object_get_boolean(told);

    puts(is_told ? "The device is unlinked."
                 : "The device is given up, but WhatsApp could not be told: remove it on the telephone, under Linked devices.");
    return CLI_OK;
}

/* --- asking */

static const struct verb {
    const char *name, *method, *path;
    unsigned patience_s;
    int (*show)(struct json_object *json); /* returns the exit status */
} verbs[] = {
    { "status", "GET", "/v1/health", ASK_S, show_status },
    { "link", "POST", "/v1/pair", PAIR_S, show_code },
    { "unlink", "POST", "/v1/logout", ASK_S, show_unlinked },
};

static int report(const struct verb *verb, const struct asking *asking, int status, const char *body)
{
    scoped(json_object_put) struct json_object *json = NULL;

    (void)json_parse(body, strlen(body), &json);
    if (!json_object_is_type(json, json_type_object) || status / 100 != 2) {
        fprintf(stderr, "agentlocator whatsapp: %s: %s (%d).\n", verb->name,
                json_get_text(json, "error") ?: "what the linked device's program says is no JSON", status);
        return CLI_FAILED;
    }
    if (!asking->wants_json)
        return verb->show(json);
    printf("%s\n", body);
    return CLI_OK;
}

static int ask(const struct verb *verb, const struct asking *asking)
{
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *body = NULL;
    char content[64] = "";

    if (config_load_tool(asking->env_file, stderr, &config) < 0)
        return CLI_FAILED;
    if (asking->phone[0])
        (void)snprintf(content, sizeof(content), "{\"phone\":\"%s\"}", asking->phone);
    int status = socket_ask(&(struct socket_request){ config->whatsapp_socket, verb->method, verb->path, content,
                                                      verb->patience_s }, &body);
    if (status > 0)
        return report(verb, asking, status, body);
    fprintf(stderr, "agentlocator whatsapp: the linked device's program cannot be asked at %s: %s; WHATSAPP_SOCKET says where it listens.\n",
            config->whatsapp_socket, strerror(-status));
    return CLI_FAILED;
}

/* --- the command line */

/* As people write it: +, blanks and hyphens are left out. */
static bool read_phone(const char *text, char ret_phone[PHONE_MAX + 1])
{
    size_t n = 0;

    for (text += *text == '+'; *text; text++) {
        if (*text == ' ' || *text == '-')
            continue;
        if (!isdigit((unsigned char)*text) || n == PHONE_MAX)
            return false;
        ret_phone[n++] = *text;
    }
    ret_phone[n] = '\0';
    return n >= PHONE_MIN && ret_phone[0] != '0';
}

static int wrong(const char *what, const char *text)
{
    fprintf(stderr, "agentlocator whatsapp: '%s' %s. See --help.\n", text, what);
    return CLI_USAGE;
}

int cli_whatsapp(int argc, char **argv)
{
    static const struct option options[] = {
        { "phone", required_argument, NULL, 'p' }, { "json", no_argument, NULL, 'j' },
        { "env-file", required_argument, NULL, 'e' }, { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct asking asking = { 0 };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout) < 0 ? CLI_FAILED : CLI_OK;
        if (option == '?')
            return CLI_USAGE;
        if (option == 'p' && !read_phone(optarg, asking.phone))
            return wrong("is no international number; write the country code and the number, e.g. 972501234567", optarg);
        asking.wants_json |= option == 'j';
        asking.env_file = option == 'e' ? optarg : asking.env_file;
    }
    const char *name = argv[optind] ?: "";
    for (size_t i = 0; i < ELEMENTSOF(verbs) && optind + 1 == argc; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return asking.phone[0] && verbs[i].show != show_code ? wrong("takes no --phone", name) : ask(&verbs[i], &asking);
    return wrong("is not one of status, link and unlink", name);
}
