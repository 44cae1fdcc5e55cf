/*
 * cli/import.c - agentlocator import: contacts from a table, or the lines of an export
 *
 *   file ─> reader: a line of JSON, or why it is none ─> batch ─> daemon, or the store itself ─> report
 *
 * A batch is one short transaction, so that calls go on beside it, and whatever is killed leaves whole batches; reading
 * the file again does the rest. A dry run does all of it to a copy of the store, which is thrown away: so it says exactly
 * what would happen.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli/admin.h"
#include "cli/import_columns.h"
#include "cli/store.h"
#include "config.h"
#include "db.h"
#include "services/import_batch.h"
#include "utils/csv.h"
#include "utils/file.h"
#include "utils/json.h"
#include "utils/utf8.h"

static const char usage[] =
    "Usage: agentlocator import FILE [OPTIONS]\n"
    "\n"
    "Reads contacts from a table with a heading (CSV; - is stdin), or what `agentlocator export`\n"
    "wrote. Through the running daemon, or into the store when none runs. What is there already\n"
    "stays; a file may be read again, also after something was killed meanwhile.\n"
    "\n"
    "  --dry-run          say what would happen, and change nothing\n"
    "  --map COLUMN=WHAT  what a column is: name, first, middle, last, phone, tags, note, stage,\n"
    "                     none, or else the field it goes to; may be given several times\n"
    "  --format FORMAT    csv or jsonl, when the file does not say\n"
    "  --json             print JSON\n"
    "  --env-file FILE    read settings from FILE too; DEFAULT_COUNTRY is that of numbers without one\n"
    "  --help             print this\n"
    "\n"
    "Exit status: 0; 1 some lines were refused, or it failed. See agentlocator-export(1).\n";

enum { MAPS_MAX = 64, LINE_MAX_BYTES = IMPORT_BATCH_BYTES - 64, PROGRESS_EVERY = 1000, REFUSED_SHOWN = 50, PATIENCE_S = 120 };

struct asked {
    const char *path, *env_file, *format;
    const char *maps[MAPS_MAX];
    size_t n_maps;
    bool is_dry, json;
};

/* --- reading: a line of JSON, or why it is none */

struct reader {
    FILE *file;
    struct csv *csv; /* NULL: lines of JSON */
    struct import_columns *columns;
    size_t line;     /* of what was read last */
    char *text;
    size_t room;
};

static void reader_done(struct reader *reader)
{
    import_columns_free(reader->columns);
    csv_free(reader->csv);
    free(reader->text);
    if (reader->file)
        fclose(reader->file);
}

/* A file that can be sought: what comes by a pipe is kept in one without a name. */
static FILE *open_file(const char *path)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re"), *file = NULL;
    char piece[64 * KIB];
    size_t n;

    if (!in || fseeko(in, 0, SEEK_END) == 0)
        return in;
    file = tmpfile();
    while (file && (n = fread(piece, 1, sizeof(piece), in)) > 0)
        if (fwrite(piece, 1, n, file) != n) {
            fclose(steal(&file));
        }
    if (in != stdin)
        fclose(in);
    return file;
}

static bool begins_like_json(FILE *file)
{
    int c;

    rewind(file);
    while ((c = getc(file)) == ' ' || c == '\n' || c == '\r' || c == '\t')
        ;
    rewind(file);
    return c == '{';
}

static int begin_table(struct reader *reader, const struct asked *asked)
{
    struct csv_record heading;
    int r = csv_new(reader->file, &reader->csv);

    if (r == 0)
        r = csv_read(reader->csv, &heading);
    if (r < 0) {
        fprintf(stderr, "agentlocator import: cannot read %s: %s.\n", asked->path, strerror(-r));
        return r;
    }
    if (r == 0 || heading.problem) {
        fprintf(stderr, "agentlocator import: %s has no line of headings that can be read%s%s.\n", asked->path, r ? ": it " : "", r ? heading.problem : "");
        return -EINVAL;
    }
    scoped(free) char *problem = NULL;
    size_t n;
    FILE *problems = open_memstream(&problem, &n);
    if (!problems)
        return -ENOMEM;
    r = import_columns_new(&heading, asked->maps, asked->n_maps, problems, &reader->columns);
    fclose(problems);
    if (r < 0)
        fprintf(stderr, "agentlocator import: %s.\n", n ? problem : strerror(-r));
    return r;
}

static int reader_init(struct reader *reader, const struct asked *asked)
{
    reader->file = open_file(asked->path);
    if (!reader->file) {
        fprintf(stderr, "agentlocator import: cannot read %s: %s.\n", asked->path, strerror(errno));
        return -EIO;
    }
    bool is_json = asked->format ? strcmp(asked->format, "jsonl") == 0 : begins_like_json(reader->file);
    if (!is_json)
        return begin_table(reader, asked);
    if (asked->n_maps) {
        fputs("agentlocator import: --map goes with a table.\n", stderr);
        return -EINVAL;
    }
    return 0;
}

/* Returns: bytes, without the line feed; -1 at the end. *ret_is_cut: there was more of it. */
static ssize_t read_text(struct reader *reader, bool *ret_is_cut)
{
    size_t n = 0;
    int c;

    if (!reader->text && !(reader->text = malloc(LINE_MAX_BYTES)))
        return -ENOMEM;
    *ret_is_cut = false;
    while ((c = getc(reader->file)) != EOF && c != '\n') {
        if (n == LINE_MAX_BYTES)
            *ret_is_cut = true;
        else
            reader->text[n++] = (char)c;
    }
    return c == EOF && n == 0 ? -1 : (ssize_t)n;
}

/* Returns: 1 and the line, or why it is none; 0 at the end; -errno. */
static int read_json(struct reader *reader, struct json_object **ret_json, const char **ret_why)
{
    bool is_cut;
    ssize_t n;

    do {
        n = read_text(reader, &is_cut);
        reader->line++;
    } while (n == 0);
    if (n < 0)
        return n == -1 ? (ferror(reader->file) ? -EIO : 0) : (int)n;
    *ret_why = is_cut ? "is longer than 64 KiB" : NULL;
    if (!is_cut && json_parse(reader->text, (size_t)n, ret_json) < 0)
        *ret_why = utf8_valid(reader->text, (size_t)n) ? "is no JSON" : "is not UTF-8";
    return 1;
}

static int read_record(struct reader *reader, struct json_object **ret_json, const char **ret_why)
{
    struct csv_record record;
    int r = csv_read(reader->csv, &record);

    if (r <= 0)
        return r;
    reader->line = record.line;
    *ret_why = record.problem;
    if (!record.problem)
        *ret_json = import_columns_person(reader->columns, &record);
    return *ret_why || *ret_json ? 1 : -ENOMEM;
}

/* --- what came of it */

struct report {
    uint64_t n[IMPORT_N_OUTCOMES], n_lines;
    struct json_object *refused; /* array of {"line","why"} */
};

static int add_refused(struct report *report, size_t line, const char *why)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    int r = json ? json_add(json, "line", json_object_new_uint64(line)) : -ENOMEM;

    report->n[IMPORT_REFUSED]++;
    if (r == 0)
        r = json_add(json, "why", json_text(why, strlen(why)));
    return r < 0 ? r : json_append(report->refused, json_object_get(json));
}

static int add_outcome(struct report *report, size_t line, struct json_object *row)
{
    const char *outcome = json_get_text(row, "outcome") ?: "";

    for (int i = 0; i < IMPORT_N_OUTCOMES; i++)
        if (strcmp(import_outcome_name(i), outcome) == 0) {
            if (i == IMPORT_REFUSED)
                return add_refused(report, line, json_get_text(row, "why") ?: "");
            report->n[i]++;
            return 0;
        }
    return -EPROTO;
}

/* --- writing */

struct batch {
    const struct config *config;
    struct db *db; /* NULL: the daemon's */
    size_t lines[IMPORT_BATCH_ROWS];
    size_t n, n_bytes;
    char text[IMPORT_BATCH_BYTES];
};

static int write_directly(struct batch *batch, struct json_object **ret_json)
{
    struct import_batch write;
    int r = import_batch_init(&write, batch->text, batch->n_bytes, batch->config->default_country);

    if (r < 0)
        return r;
    r = db_write(batch->db, &write.op);
    if (r == 0)
        *ret_json = import_batch_report(&write);
    import_batch_done(&write);
    return r < 0 ? r : *ret_json ? 0 : -ENOMEM;
}

static int write_by_daemon(struct batch *batch, struct json_object **ret_json)
{
    scoped(free) char *body = NULL;
    int status = socket_ask(&(struct socket_request){ batch->config->admin_socket, "POST", "/admin/records/import", batch->text, PATIENCE_S }, &body);

    if (status < 0)
        return status;
    if (status != 200)
        return -EREMOTEIO;
    return json_parse(body, strlen(body), ret_json);
}

static int flush(struct batch *batch, struct report *report)
{
    scoped(json_object_put) struct json_object *json = NULL;
    struct json_object *rows = NULL;

    if (batch->n == 0)
        return 0;
    batch->text[batch->n_bytes++] = ']';
    batch->text[batch->n_bytes] = '\0';
    int r = batch->db ? write_directly(batch, &json) : write_by_daemon(batch, &json);
    if (r < 0)
        return r;
    if (!json_object_object_get_ex(json, "rows", &rows) || json_object_array_length(rows) != batch->n)
        return -EPROTO;
    for (size_t i = 0; r == 0 && i < batch->n; i++)
        r = add_outcome(report, batch->lines[i], json_object_array_get_idx(rows, i));
    batch->n = batch->n_bytes = 0;
    return r;
}

static int add(struct batch *batch, struct report *report, size_t line, struct json_object *json)
{
    size_t n;
    const char *text = json_print(json, &n);

    if (!text)
        return -ENOMEM;
    if (n > LINE_MAX_BYTES)
        return add_refused(report, line, "is longer than 64 KiB");
    if (batch->n == IMPORT_BATCH_ROWS || batch->n_bytes + n + 3 > sizeof(batch->text)) {
        int r = flush(batch, report);
        if (r < 0)
            return r;
    }
    batch->text[batch->n_bytes++] = batch->n ? ',' : '[';
    memcpy(batch->text + batch->n_bytes, text, n);
    batch->n_bytes += n;
    batch->lines[batch->n++] = line;
    return 0;
}

static int import(struct reader *reader, struct batch *batch, struct report *report)
{
    bool shows_progress = isatty(STDERR_FILENO);
    int r = 1;

    while (r > 0) {
        scoped(json_object_put) struct json_object *json = NULL;
        const char *why = NULL;

        r = reader->csv ? read_record(reader, &json, &why) : read_json(reader, &json, &why);
        if (r <= 0)
            break;
        int added = why ? add_refused(report, reader->line, why) : add(batch, report, reader->line, json);
        if (added < 0)
            return added;
        if (++report->n_lines % PROGRESS_EVERY == 0 && shows_progress)
            fprintf(stderr, "\r%" PRIu64 " lines", report->n_lines);
    }
    if (report->n_lines >= PROGRESS_EVERY && shows_progress)
        fputc('\n', stderr);
    return r < 0 ? r : flush(batch, report);
}

/* --- telling */

static void print_report(const struct report *report, const struct reader *reader, const struct asked *asked)
{
    scoped(json_object_put) struct json_object *unknown = reader->columns ? import_columns_unknown(reader->columns) : NULL;
    size_t n_refused = json_object_array_length(report->refused);

    for (size_t i = 0; i < n_refused && i < REFUSED_SHOWN; i++) {
        struct json_object *row = json_object_array_get_idx(report->refused, i);
        fprintf(stderr, "line %" PRId64 " %s\n", json_get_int(row, "line"), json_get_text(row, "why"));
    }
    if (n_refused > REFUSED_SHOWN)
        fprintf(stderr, "and %zu more; --json lists all\n", n_refused - REFUSED_SHOWN);
    for (size_t i = 0; unknown && i < json_object_array_length(unknown); i++)
        fprintf(stderr, "column '%s' is left out; --map says what it is\n", json_object_get_string(json_object_array_get_idx(unknown, i)));
    printf("%s: %" PRIu64 " new, %" PRIu64 " updated, %" PRIu64 " merged, %" PRIu64 " unchanged, %" PRIu64 " refused.\n",
           asked->is_dry ? "Would import" : "Imported", report->n[IMPORT_NEW], report->n[IMPORT_UPDATED], report->n[IMPORT_MERGED],
           report->n[IMPORT_UNCHANGED], report->n[IMPORT_REFUSED]);
}

static void print_json(const struct report *report, const struct reader *reader, const struct asked *asked)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();

    (void)json_add(json, "dry_run", json_object_new_boolean(asked->is_dry));
    for (int i = 0; i < IMPORT_N_OUTCOMES; i++)
        (void)json_add(json, import_outcome_name(i), json_object_new_uint64(report->n[i]));
    (void)json_add(json, "lines", json_object_get(report->refused));
    if (reader->columns)
        (void)json_add(json, "columns_left_out", import_columns_unknown(reader->columns));
    puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* --- where to */

/* A copy in a folder of its own, in ret_folder. */
static int copy_store(const struct config *config, char *folder, struct db **ret_db)
{
    scoped(db_close) struct db *db = NULL;
    scoped(free) char *path = NULL;
    int r = cli_open_store("import", config_database_path(config), true, &db);

    if (r < 0)
        return r;
    if (!mkdtemp(folder) || asprintf(&path, "%s/" DB_FILE, folder) < 0)
        return -errno;
    scoped(close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    r = fd < 0 ? -errno : db_copy(db, fd);
    if (r < 0) {
        fprintf(stderr, "agentlocator import: cannot make a copy of the store in %s: %s.\n", folder, strerror(-r));
        return r;
    }
    return cli_open_store("import", folder, false, ret_db);
}

static bool daemon_runs(const struct config *config)
{
    scoped(free) char *body = NULL;

    return admin_ask(config, "GET", "/admin/status", &body) > 0;
}

/* On what is opened now. */
static int run(const struct config *config, const struct asked *asked, struct db *db)
{
    struct reader reader = { .line = 0 };
    struct report report = { .refused = json_object_new_array() };
    struct batch *batch = calloc(1, sizeof(*batch));
    int r = !report.refused || !batch ? -ENOMEM : reader_init(&reader, asked);
    bool has_begun = r == 0;

    if (r == 0) {
        batch->config = config;
        batch->db = db;
        r = import(&reader, batch, &report);
    }
    if (has_begun)
        (asked->json ? print_json : print_report)(&report, &reader, asked);
    if (has_begun && r < 0)
        fprintf(stderr, "agentlocator import: it ended before line %zu: %s; what was done is kept, do it again for the rest.\n", reader.line,
                r == -EREMOTEIO ? "the daemon cannot keep it now" : strerror(-r));
    bool is_good = r == 0 && report.n[IMPORT_REFUSED] == 0;
    json_object_put(report.refused);
    free(batch);
    reader_done(&reader);
    return is_good ? CLI_OK : CLI_FAILED;
}

static int dry_run(const struct config *config, const struct asked *asked)
{
    scoped(free) char *folder = NULL;
    struct db *db = NULL;
    int status = CLI_FAILED;

    int r = file_make_folder(config->cache_dir);
    if (r < 0) {
        fprintf(stderr, "agentlocator import: CACHE_DIR %s cannot be used: %s.\n", config->cache_dir, strerror(-r));
        return CLI_FAILED;
    }
    if (asprintf(&folder, "%s/import.XXXXXX", config->cache_dir) < 0)
        return CLI_FAILED;
    if (copy_store(config, folder, &db) == 0)
        status = run(config, asked, db);
    db_close(db);
    if (strstr(folder, "XXXXXX") == NULL)
        (void)file_remove(folder);
    return status;
}

static int for_good(const struct config *config, const struct asked *asked)
{
    scoped(db_close) struct db *db = NULL;

    if (!daemon_runs(config) && cli_open_store("import", config_database_path(config), false, &db) < 0)
        return CLI_FAILED;
    return run(config, asked, db);
}

/* Returns: CLI_OK to go on; otherwise the exit status, -1 for a --help that was given. */
static int parse(int argc, char **argv, struct asked *asked)
{
    static const struct option options[] = {
        { "dry-run", no_argument, NULL, 'd' },       { "map", required_argument, NULL, 'm' },
        { "format", required_argument, NULL, 'f' },  { "json", no_argument, NULL, 'j' },
        { "env-file", required_argument, NULL, 'e' }, { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout) < 0 ? CLI_FAILED : -1;
        if (option == '?' || (option == 'm' && asked->n_maps == MAPS_MAX))
            return CLI_USAGE;
        if (option == 'm')
            asked->maps[asked->n_maps++] = optarg;
        asked->is_dry |= option == 'd';
        asked->json |= option == 'j';
        asked->format = option == 'f' ? optarg : asked->format;
        asked->env_file = option == 'e' ? optarg : asked->env_file;
    }
    bool is_format = !asked->format || strcmp(asked->format, "csv") == 0 || strcmp(asked->format, "jsonl") == 0;
    if (optind + 1 != argc || !is_format) {
        fputs(is_format ? "agentlocator import: which file? See --help.\n" : "agentlocator import: --format takes csv or jsonl. See --help.\n", stderr);
        return CLI_USAGE;
    }
    asked->path = argv[optind];
    return CLI_OK;
}

int cli_import(int argc, char **argv)
{
    scoped(config_free) struct config *config = NULL;
    struct asked asked = { 0 };
    int status = parse(argc, argv, &asked);

    if (status != CLI_OK)
        return status < 0 ? CLI_OK : status;
    if (config_load_tool(asked.env_file, stderr, &config) < 0)
        return CLI_FAILED;
    return asked.is_dry ? dry_run(config, &asked) : for_good(config, &asked);
}
