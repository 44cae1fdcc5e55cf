/*
 * cli/table.c - aligned columns for a terminal
 *
 * Width is counted in characters: one column each, none for marks that combine
 * with the one before. Wide scripts come out ragged, which is no harm.
 */
#include "cli/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct table {
    const char *const *headings;
    size_t n_columns;
    char **cells; /* row by row */
    size_t n_cells, room;
};

struct range {
    uint32_t from, to;
};

static const struct range steering[] = {
    { 0x00, 0x1f }, { 0x7f, 0x9f }, { 0x202a, 0x202e }, { 0x2066, 0x2069 }, /* the last two turn text around */
};

static const struct range combining[] = {
    { 0x300, 0x36f }, { 0x591, 0x5bd }, { 0x5bf, 0x5bf }, { 0x5c1, 0x5c2 },   { 0x5c4, 0x5c5 },
    { 0x5c7, 0x5c7 }, { 0x610, 0x61a }, { 0x64b, 0x65f }, { 0x200b, 0x200f }, { 0xfe00, 0xfe0f },
};

static bool is_in(uint32_t c, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

/* Takes one character off *text; what is not UTF-8 counts as a byte each, which steers. */
static uint32_t next_character(const char **text)
{
    const uint8_t *p = (const uint8_t *)*text;
    size_t n = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc0 ? 2 : 0;
    uint32_t c = n == 1 ? *p : n == 0 ? 0 : *p & (0x7fu >> n);

    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            n = 0;
            break;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    *text += n ?: 1;
    return n ? c : 0;
}

/* Returns: the width. out NULL only measures. */
static size_t put_text(FILE *out, const char *text)
{
    size_t width = 0;

    while (*text) {
        const char *from = text;
        uint32_t c = next_character(&text);
        bool steers = is_in(c, steering, ELEMENTSOF(steering));

        width += !is_in(c, combining, ELEMENTSOF(combining));
        if (out && steers)
            fputc('?', out);
        else if (out)
            fwrite(from, 1, (size_t)(text - from), out);
    }
    return width;
}

void print_fact(const char *label, const char *text)
{
    if (!text || !text[0])
        return;
    printf("%-10s  ", label);
    (void)put_text(stdout, text);
    putchar('\n');
}

struct table *table_new(const char *const *headings, size_t n_columns)
{
    struct table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->headings = headings;
    table->n_columns = n_columns;
    return table;
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

void table_add(struct table *table, const char *format, ...)
{
    char *cell = NULL;
    va_list args;

    if (table->n_cells == table->room) {
        size_t room = table->room ? 2 * table->room : 256;
        char **larger = realloc(table->cells, room * sizeof(*larger));
        if (!larger)
            return;
        table->cells = larger;
        table->room = room;
    }
    va_start(args, format);
    if (vasprintf(&cell, format, args) < 0)
        cell = NULL;
    va_end(args);
    table->cells[table->n_cells++] = cell;
}

static const char *cell_of(const struct table *table, size_t row, size_t column)
{
    const char *cell = table->cells[row * table->n_columns + column];

    return cell ?: "";
}

static bool is_right(const struct table *table, size_t column)
{
    return table->headings[column][0] == '>';
}

static size_t width_of(const struct table *table, size_t column, size_t n_rows)
{
    size_t widest = 0;

    for (size_t row = 0; row < n_rows; row++) {
        size_t width = put_text(NULL, cell_of(table, row, column));
        widest = width > widest ? width : widest;
    }
    if (widest == 0)
        return 0; /* an empty column */
    size_t heading = strlen(table->headings[column] + is_right(table, column));
    return heading > widest ? heading : widest;
}

static void put_row(const struct table *table, FILE *out, const size_t *widths, size_t row, bool is_heading)
{
    size_t pending = 0; /* blanks owed before the next text; none are printed at the end of a line */

    for (size_t column = 0; column < table->n_columns; column++) {
        const char *text = is_heading ? table->headings[column] + is_right(table, column) : cell_of(table, row, column);
        if (!widths[column])
            continue;

        size_t blank = widths[column] - put_text(NULL, text);
        if (is_right(table, column))
            pending += blank;
        if (text[0]) {
            fprintf(out, "%*s", (int)pending, "");
            pending = 0;
            put_text(out, text);
        }
        pending += (is_right(table, column) ? 0 : blank) + 2;
    }
    fputc('\n', out);
}

void table_print(const struct table *table, FILE *out)
{
    scoped(free) size_t *widths = calloc(table->n_columns, sizeof(*widths));
    size_t n_rows = table->n_cells / table->n_columns;

    if (!widths)
        return;
    for (size_t column = 0; column < table->n_columns; column++)
        widths[column] = width_of(table, column, n_rows);
    put_row(table, out, widths, 0, true);
    for (size_t row = 0; row < n_rows; row++)
        put_row(table, out, widths, row, false);
}
