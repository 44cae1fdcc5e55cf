/*
 * cli/erasures.c - agentlocator contacts erase, and agentlocator erasures: who was erased
 */
#include "cli/erasures.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/listing.h"
#include "cli/table.h"
#include "config.h"
#include "services/crm_erase.h"
#include "utils/json.h"

/* --- what there was */

static const struct {
    const char *key, *heading, *one;
} counts[] = {
    { "contacts", ">CONTACTS", "contact" }, { "addresses", ">ADDRESSES", "address" }, { "calls", ">CALLS", "call" },
    { "turns", ">TURNS", "turn" },          { "messages", ">MESSAGES", "message" },   { "notes", ">NOTES", "note" },
    { "tasks", ">TASKS", "task" },          { "jobs", ">JOBS", "thing owed to him" }, { "answers", ">ANSWERS", "kept answer" },
};

enum { DEVICE_TEXT_MAX = WHEN_MAX + 24 };

/* What became of what the linked device's program held of him; "" it held nothing. */
static const char *device(struct json_object *receipt, char ret_text[DEVICE_TEXT_MAX])
{
    int64_t n = json_get_int(receipt, "owed"), ms = json_get_int(receipt, "device_ms");

    ret_text[0] = '\0';
    if (n)
        (void)snprintf(ret_text, DEVICE_TEXT_MAX, "%" PRId64 " owed", n);
    return !n && ms ? when((uint64_t)ms, 0, ret_text) : ret_text;
}

static void print_page(struct json_object *array)
{
    enum { N_COUNTS = ELEMENTSOF(counts), N_COLUMNS = 5 + N_COUNTS };
    const char *headings[N_COLUMNS] = { "RECEIPT", "ASKED", "DONE" };
    char text[DEVICE_TEXT_MAX];

    for (size_t i = 0; i < N_COUNTS; i++)
        headings[3 + i] = counts[i].heading;
    headings[N_COLUMNS - 2] = "DEVICE";
    headings[N_COLUMNS - 1] = "BY";
    scoped(table_free) struct table *table = table_new(headings, N_COLUMNS);
    if (json_object_array_length(array) == 0) {
        puts("Nobody was erased.");
        return;
    }
    for (size_t i = 0; table && i < json_object_array_length(array); i++) {
        struct json_object *receipt = json_object_array_get_idx(array, i);
        table_add(table, "%s", json_get_text(receipt, "id") ?: "");
        table_add(table, "%s", when((uint64_t)json_get_int(receipt, "at_ms"), 0, text));
        table_add(table, "%s", json_get_int(receipt, "done_ms") ? when((uint64_t)json_get_int(receipt, "done_ms"), 0, text) : "under way");
        for (size_t k = 0; k < N_COUNTS; k++)
            table_add(table, "%" PRId64, json_get_int(receipt, counts[k].key));
        table_add(table, "%s", device(receipt, text));
        table_add(table, "%s", json_get_text(receipt, "by") ?: "");
    }
    if (table)
        table_print(table, stdout);
}

static int page(struct db_txn *txn, size_t max, struct json_object **ret_array)
{
    return crm_erasures_page(txn, "", max, ret_array);
}

static int whole(struct db_txn *txn, const struct config *config, const char *which, struct json_object **ret_object)
{
    scoped(erasure_done) struct erasure erasure = { 0 };
    int r = crm_erasure_get(txn, which, &erasure);

    if (r < 0)
        return r;
    *ret_object = erasure_to_json(&erasure);
    if (!*ret_object)
        return -ENOMEM;
    json_object_object_del(*ret_object, "members");
    return 0;
}

static void print_whole(struct json_object *receipt)
{
    struct json_object *proofs;
    char text[DEVICE_TEXT_MAX];

    print_fact("receipt", json_get_text(receipt, "id"));
    print_fact("asked by", json_get_text(receipt, "by"));
    print_fact("asked", when((uint64_t)json_get_int(receipt, "at_ms"), 0, text));
    print_fact("done", json_get_int(receipt, "done_ms") ? when((uint64_t)json_get_int(receipt, "done_ms"), 0, text) : "under way");
    for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
        (void)snprintf(text, sizeof(text), "%" PRId64, json_get_int(receipt, counts[i].key));
        print_fact(counts[i].key, text);
    }
    if (*device(receipt, text))
        print_fact("linked device", device(receipt, text));
    if (json_object_object_get_ex(receipt, "proofs", &proofs))
        for (size_t i = 0; i < json_object_array_length(proofs); i++)
            print_fact("proof", json_object_get_string(json_object_array_get_idx(proofs, i)));
}

static const char usage[] =
    "Usage: agentlocator erasures [RECEIPT] [OPTIONS]\n"
    "       agentlocator erasures prove KEY NUMBER\n"
    "\n"
    "Lists who was erased: when, by whom, how much there was, and nothing of him; with a receipt\n"
    "shows one of them. Whoever erases somebody is told a key, once: prove prints what the receipt\n"
    "of one with that number must have under \"proof\". DEVICE is when the linked device's program\n"
    "had forgotten him, too; or how many of his addresses it is still to forget.\n"
    "\n"
    "  --last N         list so many (50)\n"
    "  --json           print JSON; times are milliseconds of unix time\n"
    "  --env-file FILE  read settings from FILE too; DATABASE_URL says where the store is\n"
    "  --help           print this\n";

static int prove(int argc, char **argv)
{
    scoped(config_free) struct config *config = NULL;
    char address[ADDRESS_MAX], proof[ERASURE_PROOF_TEXT];

    if (argc != 2) {
        fputs("Usage: agentlocator erasures prove KEY NUMBER\n", stderr);
        return CLI_USAGE;
    }
    if (config_load_tool(NULL, stderr, &config) < 0)
        return CLI_FAILED;
    if (address_normalise(argv[1], config->default_country, address) < 0) {
        fprintf(stderr, "agentlocator erasures: '%s' is no telephone number; write + and the country code.\n", argv[1]);
        return CLI_USAGE;
    }
    if (erasure_proof(argv[0], address, proof) < 0) {
        fputs("agentlocator erasures: a key has 32 digits from 0 to f; it was told when he was erased.\n", stderr);
        return CLI_USAGE;
    }
    puts(proof);
    return CLI_OK;
}

int cli_erasures(int argc, char **argv)
{
    static const struct listing listing = { usage, "receipt", page, print_page, whole, print_whole };

    if (argc > 1 && strcmp(argv[1], "prove") == 0)
        return prove(argc - 2, argv + 2);
    return listing_run(&listing, argc, argv);
}

/* --- erasing */

static const char erase_usage[] = "Usage: agentlocator contacts erase ID [--yes] [--json] [--env-file FILE]\n";

static bool is_meant(const char *id)
{
    char answer[16];

    if (!isatty(STDIN_FILENO)) {
        fputs("agentlocator contacts erase: nobody can be asked; give --yes.\n", stderr);
        return false;
    }
    fprintf(stderr, "Erase %s, with all calls, recordings, messages, notes and tasks? It cannot be undone. Type yes: ", id);
    return fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0;
}

static int report(int status, const char *body, bool as_json)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct json_object *error = NULL;
    bool has_any = false;

    (void)json_parse(body, strlen(body), &json);
    if (status != 200 && status != 202) {
        (void)(json && json_object_object_get_ex(json, "error", &error));
        fprintf(stderr, "agentlocator contacts erase: %s.\n", json_get_text(error, "message") ?: "the daemon does not say why not");
        return CLI_FAILED;
    }
    if (as_json) {
        puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY));
        return CLI_OK;
    }
    printf(status == 200 ? "Erased" : "Nobody finds him any more, and the rest of what is his is being erased; until now");
    for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
        int64_t n = json_get_int(json, counts[i].key);
        if (n) {
            printf("%s %" PRId64 " %s%s", has_any ? "," : ":", n, counts[i].one, n == 1 ? "" : strcmp(counts[i].one, "address") == 0 ? "es" : "s");
            has_any = true;
        }
    }
    if (json_get_int(json, "owed"))
        printf(".\nThe linked device's program is still to forget %" PRId64 " of his addresses; agentlocator erasures says when it has",
               json_get_int(json, "owed"));
    printf(".\nReceipt %s; its key is not kept, note it if you may have to prove it: %s\n", json_get_text(json, "id") ?: "",
           json_get_text(json, "key") ?: "");
    return CLI_OK;
}

struct asked {
    const char *id, *env_file;
    bool yes, json;
};

static int ask(const struct asked *asked)
{
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *path = NULL, *body = NULL;

    if (config_load_tool(asked->env_file, stderr, &config) < 0)
        return CLI_FAILED;
    if (asprintf(&path, "/admin/records/erase/%s", asked->id) < 0)
        return CLI_FAILED;
    int status = admin_ask(config, "POST", path, &body);
    if (status > 0)
        return report(status, body, asked->json);
    fprintf(stderr, "agentlocator contacts: the daemon cannot be asked at %s: %s; ADMIN_SOCKET says where it listens.\n",
            config->admin_socket, strerror(-status));
    return CLI_FAILED;
}

int erase_run(int argc, char **argv)
{
    static const struct option options[] = {
        { "yes", no_argument, NULL, 'y' },
        { "json", no_argument, NULL, 'j' },
        { "env-file", required_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct asked asked = { 0 };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return fputs(erase_usage, stdout) < 0;
        if (option == '?')
            return CLI_USAGE;
        asked.yes |= option == 'y';
        asked.json |= option == 'j';
        asked.env_file = option == 'e' ? optarg : asked.env_file;
    }
    if (optind + 1 != argc || !call_sid_is_plain(argv[optind])) {
        fputs(erase_usage, stderr);
        return CLI_USAGE;
    }
    asked.id = argv[optind];
    if (!asked.yes && !is_meant(asked.id))
        return CLI_FAILED;
    return ask(&asked);
}
