/*
 * csv.c - tables as text
 *
 * A record is collected in one buffer, its cells with a NUL behind each; their places are kept as offsets, since the
 * buffer may move. While a record is read, where its first line ended is remembered: from there it goes on when the
 * record turns out to be none.
 */
#include "utils/csv.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "utils/utf8.h"

struct csv {
    FILE *file;
    int delimiter;
    size_t line; /* of the next byte */
    char *text;
    size_t n, room;
    size_t starts[CSV_CELLS_MAX];
    const char *cells[CSV_CELLS_MAX];
    size_t n_cells;
    char problem[CSV_PROBLEM_MAX];
    off_t second_line; /* where the line after the record's first begins; -1: not yet */
    size_t first_line;
};

static int delimiter_of(FILE *file)
{
    static const char candidates[] = ",;\t";
    size_t n[sizeof(candidates)] = { 0 }, best = 0;
    bool is_quoted = false;
    int c;

    while ((c = getc(file)) != EOF && (is_quoted || (c != '\n' && c != '\r'))) {
        const char *found = c ? strchr(candidates, c) : NULL;
        is_quoted ^= c == '"';
        if (found && !is_quoted)
            n[found - candidates]++;
    }
    for (size_t i = 1; i < sizeof(candidates) - 1; i++)
        if (n[i] > n[best])
            best = i;
    return candidates[best];
}

/* A byte order mark is none of the text. */
static int skip_mark(FILE *file)
{
    static const char mark[] = { '\xef', '\xbb', '\xbf' };
    char first[sizeof(mark)];

    return fread(first, 1, sizeof(mark), file) == sizeof(mark) && memcmp(first, mark, sizeof(mark)) == 0 ? (int)sizeof(mark) : 0;
}

int csv_new(FILE *file, struct csv **ret_csv)
{
    scoped(csv_free) struct csv *csv = calloc(1, sizeof(*csv));

    if (!csv)
        return -ENOMEM;
    csv->file = file;
    csv->line = 1;
    rewind(file);
    int begin = skip_mark(file);
    if (fseeko(file, begin, SEEK_SET) < 0)
        return -errno;
    csv->delimiter = delimiter_of(file);
    if (ferror(file) || fseeko(file, begin, SEEK_SET) < 0)
        return -EIO;
    *ret_csv = steal(&csv);
    return 0;
}

void csv_free(struct csv *csv)
{
    if (!csv)
        return;
    free(csv->text);
    free(csv);
}

/* --- reading */

static int fail(struct csv *csv, const char *problem)
{
    (void)snprintf(csv->problem, sizeof(csv->problem), "%s", problem);
    return -EBADMSG;
}

static int add(struct csv *csv, int c)
{
    if (csv->n == CSV_RECORD_MAX)
        return fail(csv, "is longer than a record may be (256 KiB)");
    if (csv->n == csv->room) {
        size_t room = csv->room ? 2 * csv->room : 1024;
        char *larger = realloc(csv->text, room);
        if (!larger)
            return -ENOMEM;
        csv->text = larger;
        csv->room = room;
    }
    csv->text[csv->n++] = (char)c;
    return 0;
}

static int next(struct csv *csv)
{
    int c = getc(csv->file);

    if (c == '\n') {
        csv->line++;
        if (csv->second_line < 0)
            csv->second_line = ftello(csv->file);
    }
    return c;
}

/* CR LF, or what stands at its place. */
static int line_end(struct csv *csv, int c)
{
    if (c != '\r')
        return c;
    int after = getc(csv->file);
    if (after == EOF)
        return '\n';
    ungetc(after, csv->file);
    return after == '\n' ? next(csv) : '\n';
}

static int begin_cell(struct csv *csv)
{
    if (csv->n_cells == CSV_CELLS_MAX)
        return fail(csv, "has more than 512 cells");
    csv->starts[csv->n_cells++] = csv->n;
    return 0;
}

/* Behind the opening quote. *ret_c: what came behind the closing one. */
static int read_quoted(struct csv *csv, int *ret_c)
{
    int r = 0;

    while (r == 0) {
        int c = next(csv);
        if (c == EOF)
            return fail(csv, "has a quote that is not closed");
        if (c == '"') {
            c = next(csv);
            if (c != '"') {
                *ret_c = line_end(csv, c);
                if (*ret_c == csv->delimiter || *ret_c == '\n' || *ret_c == EOF)
                    return 0;
                return fail(csv, "has something behind a closing quote; a quote within a cell is written twice");
            }
        }
        r = add(csv, c);
    }
    return r;
}

/* *ret_c: what ended it. */
static int read_cell(struct csv *csv, int c, int *ret_c)
{
    int r = begin_cell(csv);

    if (r == 0 && c == '"') {
        r = read_quoted(csv, ret_c);
        return r < 0 ? r : add(csv, '\0');
    }
    for (; r == 0; c = next(csv)) {
        int end = line_end(csv, c);
        if (end == csv->delimiter || end == '\n' || end == EOF) {
            *ret_c = end;
            return add(csv, '\0');
        }
        r = add(csv, end);
    }
    return r;
}

static int check(struct csv *csv)
{
    for (size_t i = 0; i < csv->n_cells; i++) {
        size_t end = i + 1 < csv->n_cells ? csv->starts[i + 1] : csv->n;
        const char *cell = csv->text + csv->starts[i];
        size_t n = end - csv->starts[i] - 1;

        if (memchr(cell, '\0', n))
            return fail(csv, "holds a NUL; save it as CSV UTF-8");
        if (!utf8_valid(cell, n))
            return fail(csv, "is not UTF-8; save it as CSV UTF-8");
        csv->cells[i] = cell;
    }
    return 0;
}

static int read_record(struct csv *csv, int c)
{
    int r = 0, end = csv->delimiter;

    csv->n = csv->n_cells = 0;
    while (r == 0 && end == csv->delimiter) {
        r = read_cell(csv, c, &end);
        if (r == 0 && end == csv->delimiter)
            c = next(csv);
    }
    return r < 0 ? r : check(csv);
}

/* Behind the record that is none. */
static int resume(struct csv *csv)
{
    int c = 0;

    while (csv->second_line < 0 && c != EOF)
        c = next(csv);
    clearerr(csv->file);
    csv->line = csv->first_line + 1;
    return fseeko(csv->file, csv->second_line < 0 ? 0 : csv->second_line, csv->second_line < 0 ? SEEK_END : SEEK_SET) < 0 ? -errno : 0;
}

static bool is_blank(const struct csv *csv)
{
    return csv->n_cells == 1 && csv->cells[0][0] == '\0';
}

int csv_read(struct csv *csv, struct csv_record *ret_record)
{
    for (;;) {
        csv->second_line = -1;
        csv->first_line = csv->line;
        int c = next(csv);
        if (c == EOF)
            return ferror(csv->file) ? -EIO : 0;
        int r = read_record(csv, c);
        *ret_record = (struct csv_record){ .line = csv->first_line, .n_cells = csv->n_cells, .cells = csv->cells };
        if (r == -EBADMSG) {
            *ret_record = (struct csv_record){ .line = csv->first_line, .problem = csv->problem };
            r = ferror(csv->file) ? -EIO : resume(csv);
            return r < 0 ? r : 1;
        }
        if (r < 0 || ferror(csv->file))
            return r < 0 ? r : -EIO;
        if (!is_blank(csv))
            return 1;
    }
}

/* --- writing */

static bool is_number(const char *text)
{
    size_t n = *text == '+' ? strspn(text + 1, "0123456789") : 0;

    return n && !text[1 + n];
}

static bool is_formula(const char *text)
{
    return *text && (strchr("=+-@", *text) || (unsigned char)*text < ' ') && !is_number(text);
}

/* Also what the guard of another one would leave. */
static bool needs_guard(const char *text)
{
    return is_formula(text + strspn(text, "'"));
}

void csv_write(FILE *out, const char *text, bool is_first)
{
    bool is_guarded = needs_guard(text);
    bool is_quoted = is_guarded || strpbrk(text, "\",;\t\r\n") || isspace((unsigned char)text[0]) || (!text[0] && is_first);

    if (!is_first)
        putc(',', out);
    if (!is_quoted) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    if (is_guarded)
        putc('\'', out);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', out);
        putc(*text, out);
    }
    putc('"', out);
}

void csv_end(FILE *out)
{
    fputs("\r\n", out);
}

const char *csv_plain(const char *cell)
{
    return cell[0] == '\'' && needs_guard(cell) ? cell + 1 : cell;
}
