/*
 * cli/export.c - agentlocator export: what the store holds, to a file or to stdout
 *
 * The store is read in one snapshot, beside a running daemon or without one. As long as it is held, no page that the
 * daemon replaces is used again, so the snapshot ends with the reading: what goes to stdout is kept in a file without a
 * name first, however slow who reads it is. A file appears whole, under its name, or not at all.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/store.h"
#include "config.h"
#include "db.h"
#include "services/crm.h"
#include "services/crm_tables.h"
#include "utils/clock.h"
#include "utils/file.h"
#include "utils/json.h"
#include "utils/when.h"

static const char usage[] =
    "Usage: agentlocator export [FILE] [OPTIONS]\n"
    "\n"
    "Writes what the store holds to FILE, or to stdout: JSON, an object a line, which `agentlocator\n"
    "import` reads again; or a table for a spreadsheet.\n"
    "\n"
    "  --format FORMAT  jsonl (the default) or csv\n"
    "  --kind KINDS     only these, with commas between: contact, link, parted, address, call, turn,\n"
    "                   message, note, task; a table is of one: contact, call or message\n"
    "  --contact WHO    only what is his: an id or a telephone number\n"
    "  --since TIME     only what happened or was changed since: 2026-08-01T00:00, by the office's clock\n"
    "  --bom            begin a table with a byte order mark, by which Excel knows Hebrew\n"
    "  --env-file FILE  read settings from FILE too; DATABASE_URL says where the store is\n"
    "  --help           print this\n"
    "\n"
    "See agentlocator-export(1).\n";

enum { PROGRESS_EVERY = 10000 };

struct asked {
    const char *path, *contact, *since, *env_file;
    struct export_filter filter;
    bool is_table, has_mark, shows_progress;
};

/* --- what is asked */

static int parse_kinds(const char *text, unsigned *ret_kinds)
{
    for (const char *word = text; *word;) {
        size_t n = strcspn(word, ",");
        int kind = export_kind_parse(word, n);
        if (kind < 0) {
            fprintf(stderr, "agentlocator export: there is no kind '%.*s'. See --help.\n", (int)n, word);
            return CLI_USAGE;
        }
        *ret_kinds |= 1u << kind;
        word += n + (word[n] == ',');
    }
    return CLI_OK;
}

static int refuse(const char *text, const char *what)
{
    fprintf(stderr, "agentlocator export: %s, not '%s'. See --help.\n", text, what);
    return CLI_USAGE;
}

static int take_option(struct asked *asked, int option)
{
    switch (option) {
    case 'f':
        asked->is_table = strcmp(optarg, "csv") == 0;
        return asked->is_table || strcmp(optarg, "jsonl") == 0 ? CLI_OK : refuse("--format takes jsonl or csv", optarg);
    case 'k':
        return parse_kinds(optarg, &asked->filter.kinds);
    case 's':
        asked->since = optarg;
        return CLI_OK;
    case 'c':
        asked->contact = optarg;
        return CLI_OK;
    case 'b':
        asked->has_mark = true;
        return CLI_OK;
    case 'e':
        asked->env_file = optarg;
        return CLI_OK;
    default:
        return CLI_USAGE;
    }
}

/* Returns: CLI_OK to go on; otherwise the exit status, -1 for a --help that was given. */
static int parse(int argc, char **argv, struct asked *asked)
{
    static const struct option options[] = {
        { "format", required_argument, NULL, 'f' }, { "kind", required_argument, NULL, 'k' },
        { "contact", required_argument, NULL, 'c' }, { "since", required_argument, NULL, 's' },
        { "bom", no_argument, NULL, 'b' },           { "env-file", required_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
    };
    int option, status = CLI_OK;

    while (status == CLI_OK && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return -1;
        }
        status = take_option(asked, option);
    }
    if (status == CLI_OK && optind < argc)
        asked->path = argv[optind++];
    if (status == CLI_OK && optind < argc)
        status = refuse("one FILE is written", argv[optind]);
    if (status == CLI_OK && asked->has_mark && !asked->is_table)
        status = refuse("--bom goes with --format csv", "jsonl");
    return status;
}

/* Which one it is a table of. */
static int table_kind(const struct asked *asked, enum export_kind *ret_kind)
{
    static const enum export_kind kinds[] = { EXPORT_CONTACT, EXPORT_CALL, EXPORT_MESSAGE };

    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (asked->filter.kinds == 1u << kinds[i] || (i == 0 && !asked->filter.kinds)) {
            *ret_kind = kinds[i];
            return CLI_OK;
        }
    fputs("agentlocator export: a table is of one kind: contact, call or message. See --help.\n", stderr);
    return CLI_USAGE;
}

/* --- writing */

struct writing {
    const struct asked *asked;
    FILE *out;
    uint64_t n;
};

static void tell_one(void *arg)
{
    struct writing *writing = arg;

    writing->n++;
    if (writing->asked->shows_progress && writing->n % PROGRESS_EVERY == 0)
        fprintf(stderr, "\r%" PRIu64 " written", writing->n);
}

static int write_line(enum export_kind kind, struct json_object *line, void *arg)
{
    struct writing *writing = arg;
    size_t n;
    const char *text = json_print(line, &n);

    if (!text)
        return -ENOMEM;
    tell_one(writing);
    return fwrite(text, 1, n, writing->out) == n && putc('\n', writing->out) != EOF ? 0 : -EIO;
}

/* Whose: an id, or a number as people write it. */
static int find_contact(struct db_txn *txn, const struct config *config, const char *which, char ret_id[CONTACT_ID_MAX])
{
    scoped(contact_done) struct contact contact = { 0 };
    char address[ADDRESS_MAX];
    int r = strlen(which) < CONTACT_ID_MAX ? crm_contact_get(txn, which, &contact) : -ENOENT;

    if ((r == -ENOENT || r == -EINVAL) && address_normalise(which, config->default_country, address) == 0)
        r = crm_contact_by_address(txn, address, &contact);
    if (r == 0)
        memcpy(ret_id, contact.id, sizeof(contact.id));
    return r == -EINVAL ? -ENOENT : r;
}

static int write_all(struct db_txn *txn, const struct config *config, struct writing *writing)
{
    const struct asked *asked = writing->asked;
    struct crm_table table = { .since_ms = asked->filter.since_ms, .tell = tell_one, .arg = writing };
    char id[CONTACT_ID_MAX];
    int r = asked->contact ? find_contact(txn, config, asked->contact, id) : 0;

    if (r < 0)
        return r;
    if (asked->has_mark)
        fputs("\xef\xbb\xbf", writing->out);
    table.contact_id = asked->contact ? id : NULL;
    if (asked->is_table)
        return table_kind(asked, &table.kind) == CLI_OK ? crm_table_write(txn, &table, writing->out) : -EINVAL;
    return asked->contact ? crm_export_person(txn, &asked->filter, id, write_line, writing)
                          : crm_export_all(txn, &asked->filter, write_line, writing);
}

static int read_store(const struct config *config, struct writing *writing)
{
    scoped(db_close) struct db *db = NULL;
    struct db_txn *txn;
    int r = cli_open_store("export", config_database_path(config), true, &db);

    if (r < 0)
        return r;
    r = db_read_begin(db, &txn);
    if (r == 0) {
        r = write_all(txn, config, writing);
        db_read_end(txn);
    }
    if (r == 0 && fflush(writing->out) == EOF)
        r = -errno;
    if (writing->asked->shows_progress && writing->n >= PROGRESS_EVERY)
        fprintf(stderr, "\r%" PRIu64 " written\n", writing->n);
    if (r == -ENOENT && writing->asked->contact)
        fprintf(stderr, "agentlocator export: there is no contact %s; `agentlocator contacts` lists the latest.\n", writing->asked->contact);
    else if (r < 0)
        fprintf(stderr, "agentlocator export: cannot write what the store holds: %s.\n", db_explain(r));
    return r;
}

/* --- where to */

static int copy(FILE *from, FILE *to)
{
    char piece[64 * KIB];
    size_t n;

    rewind(from);
    while ((n = fread(piece, 1, sizeof(piece), from)) > 0)
        if (fwrite(piece, 1, n, to) != n)
            return -errno;
    return ferror(from) || fflush(to) == EOF ? -EIO : 0;
}

static int to_stdout(const struct config *config, const struct asked *asked)
{
    FILE *file = tmpfile();
    struct writing writing = { .asked = asked, .out = file };

    if (!file) {
        fprintf(stderr, "agentlocator export: cannot make a temporary file: %s.\n", strerror(errno));
        return CLI_FAILED;
    }
    int r = read_store(config, &writing), copied = r < 0 ? 0 : copy(file, stdout);
    fclose(file);
    if (copied < 0)
        fprintf(stderr, "agentlocator export: cannot write: %s.\n", strerror(-copied));
    return r < 0 || copied < 0 ? CLI_FAILED : CLI_OK;
}

/* It has its name once it is whole and on the disk. */
static int keep(const char *part, const char *path, FILE *file)
{
    scoped(free) char *folder = strdup(path);

    if (!folder)
        return -ENOMEM;
    if (fsync(fileno(file)) < 0 || rename(part, path) < 0)
        return -errno;
    return file_sync(dirname(folder));
}

static int to_file(const struct config *config, const struct asked *asked)
{
    scoped(free) char *part = NULL;
    int fd = asprintf(&part, "%s.XXXXXX", asked->path) < 0 ? -1 : mkstemp(part); /* 0600 */
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    struct writing writing = { .asked = asked, .out = file };

    if (!file) {
        fprintf(stderr, "agentlocator export: cannot make %s: %s.\n", asked->path, strerror(errno));
        return CLI_FAILED;
    }
    int r = read_store(config, &writing);
    if (r == 0 && (r = keep(part, asked->path, file)) < 0)
        fprintf(stderr, "agentlocator export: cannot keep %s: %s.\n", asked->path, strerror(-r));
    fclose(file);
    if (r < 0)
        (void)unlink(part);
    return r < 0 ? CLI_FAILED : CLI_OK;
}

int cli_export(int argc, char **argv)
{
    scoped(config_free) struct config *config = NULL;
    struct asked asked = { .shows_progress = isatty(STDERR_FILENO) };
    enum export_kind kind;
    int status = parse(argc, argv, &asked);

    if (status != CLI_OK)
        return status < 0 ? CLI_OK : status;
    if (asked.is_table && (status = table_kind(&asked, &kind)) != CLI_OK)
        return status;
    if (config_load_tool(asked.env_file, stderr, &config) < 0)
        return CLI_FAILED;
    (void)when_set_zone(config->timezone); /* the daemon says what is wrong with it */
    if (asked.since && when_parse(asked.since, &asked.filter.since_ms) < 0)
        return refuse("--since takes a time as 2026-08-01T00:00", asked.since);
    return asked.path && strcmp(asked.path, "-") != 0 ? to_file(config, &asked) : to_stdout(config, &asked);
}
