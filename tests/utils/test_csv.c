/*
 * test_csv.c - tables as text: what is read, what is refused and where it goes on, what is written
 */
#include "utils/csv.h"

#include <stdlib.h>

#include "tap.h"

static const struct {
    const char *text;
    const char *want; /* cells in brackets, records with their lines; '!' a problem */
} cases[] = {
    { "a,b\n1,2\n", "1[a][b]2[1][2]" },
    { "a,b\r\n1,2", "1[a][b]2[1][2]" },
    { "a;b\n1;2,3\n", "1[a][b]2[1][2,3]" },
    { "a\tb\n", "1[a][b]" },
    { "\xef\xbb\xbf"
      "a,b\n",
      "1[a][b]" },
    { "\"a,b\",\"c\"\"d\"\n", "1[a,b][c\"d]" },
    { "\"two\nlines\",x\nnext\n", "1[two\nlines][x]3[next]" },
    { "a,\n,b\n", "1[a][]2[][b]" },
    { "\n\na\n\n", "3[a]" },
    { "a\rb\r", "1[a]1[b]" },
    { "\"open\nfine,x\n", "1!2[fine][x]" },
    { "\"a\"b,c\nfine\n", "1!2[fine]" },
    { "a\xff\nfine\n", "1!2[fine]" },
    { "x\"y\n", "1[x\"y]" },
    { "", "" },
    { "\"\"\n", "" },
};

static const struct {
    const char *cell, *written;
} writes[] = {
    { "plain", "plain" },
    { "a,b", "\"a,b\"" },
    { "a\"b", "\"a\"\"b\"" },
    { "+972501234567", "+972501234567" },
    { "+972 50", "\"'+972 50\"" },
    { "=HYPERLINK(1)", "\"'=HYPERLINK(1)\"" },
    { "-1", "\"'-1\"" },
    { "@x", "\"'@x\"" },
    { "\tx", "\"'\tx\"" },
    { "'=x", "\"''=x\"" },
    { "'x", "'x" },
    { "\u05d3\u05e0\u05d4", "\u05d3\u05e0\u05d4" },
};

static char *read_all(const char *text)
{
    FILE *in = tmpfile(), *out;
    struct csv *csv;
    struct csv_record record;
    char *result = NULL;
    size_t n;

    if (!in || fputs(text, in) == EOF)
        abort();
    if (csv_new(in, &csv) < 0)
        abort();
    out = open_memstream(&result, &n);
    while (csv_read(csv, &record) == 1) {
        fprintf(out, "%zu%s", record.line, record.problem ? "!" : "");
        for (size_t i = 0; i < record.n_cells; i++)
            fprintf(out, "[%s]", record.cells[i]);
    }
    fclose(out);
    csv_free(csv);
    fclose(in);
    return result;
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        char *got = read_all(cases[i].text);
        is_str(got, cases[i].want, "a table is read");
        free(got);
    }
    for (size_t i = 0; i < ELEMENTSOF(writes); i++) {
        char *text = NULL;
        size_t n;
        FILE *out = open_memstream(&text, &n);
        csv_write(out, writes[i].cell, true);
        fclose(out);
        is_str(text, writes[i].written, "a cell is written");
        free(text);
    }
    return done_testing();
}
