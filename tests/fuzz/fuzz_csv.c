/*
 * fuzz_csv.c - every cell is UTF-8 without a NUL, and what is written of a record is read again as it was
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "utils/csv.h"
#include "utils/utf8.h"

static void write_record(FILE *out, const struct csv_record *record)
{
    for (size_t i = 0; i < record->n_cells; i++)
        csv_write(out, record->cells[i], i == 0);
    csv_end(out);
}

static void read_again(const struct csv_record *record)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    struct csv *csv;
    struct csv_record again;

    csv_write(out, ",,", true); /* the delimiter is that of the first line */
    csv_write(out, "", false);
    csv_write(out, "", false);
    csv_end(out);
    write_record(out, record);
    fclose(out);
    FILE *in = fmemopen(text, n, "r");
    if (!in || csv_new(in, &csv) < 0 || csv_read(csv, &again) != 1 || csv_read(csv, &again) != 1)
        abort();
    if (!again.problem && again.n_cells != record->n_cells)
        abort();
    for (size_t i = 0; !again.problem && i < again.n_cells; i++)
        if (strcmp(csv_plain(again.cells[i]), record->cells[i]) != 0)
            abort();
    csv_free(csv);
    fclose(in);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    FILE *file = n ? fmemopen((void *)data, n, "r") : NULL;
    struct csv *csv = NULL;
    struct csv_record record;
    size_t line = 0;

    if (!file || csv_new(file, &csv) < 0) {
        if (file)
            fclose(file);
        return 0;
    }
    while (csv_read(csv, &record) == 1) {
        if (record.line < line) /* two of one line: a CR stood between */
            abort();
        line = record.line;
        for (size_t i = 0; !record.problem && i < record.n_cells; i++)
            if (!utf8_valid(record.cells[i], strlen(record.cells[i])))
                abort();
        if (!record.problem)
            read_again(&record);
    }
    csv_free(csv);
    fclose(file);
    return 0;
}
