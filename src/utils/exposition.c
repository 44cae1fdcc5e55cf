/*
 * exposition.c - counters as text that Prometheus reads
 *
 * A histogram's buckets are counted each for itself, and written as the format wants them: up to a bound, all below it.
 */
#include "utils/exposition.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

struct exposition {
    FILE *out;
    char *text;
    size_t n;
    const char *name, *help;
    enum exposition_kind kind;
    bool is_begun; /* its HELP and TYPE are there */
};

static const char *const kinds[] = {
    [EXPOSITION_COUNTER] = "counter", [EXPOSITION_GAUGE] = "gauge", [EXPOSITION_HISTOGRAM] = "histogram",
};

int exposition_new(struct exposition **ret_exposition)
{
    scoped(exposition_free) struct exposition *exposition = calloc(1, sizeof(*exposition));

    if (!exposition || !(exposition->out = open_memstream(&exposition->text, &exposition->n)))
        return -ENOMEM;
    *ret_exposition = steal(&exposition);
    return 0;
}

void exposition_free(struct exposition *exposition)
{
    if (!exposition)
        return;
    if (exposition->out)
        fclose(exposition->out);
    free(exposition->text);
    free(exposition);
}

void exposition_family(struct exposition *exposition, const char *name, enum exposition_kind kind, const char *help)
{
    exposition->name = name;
    exposition->kind = kind;
    exposition->help = help;
    exposition->is_begun = false;
}

static void write_escaped(FILE *out, const char *text, bool is_label)
{
    for (; *text; text++)
        if (*text == '\\' || (*text == '"' && is_label))
            fprintf(out, "\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", out);
        else
            fputc(*text, out);
}

static void begin(struct exposition *exposition)
{
    if (exposition->is_begun)
        return;
    exposition->is_begun = true;
    fprintf(exposition->out, "# HELP %s ", exposition->name);
    write_escaped(exposition->out, exposition->help, false);
    fprintf(exposition->out, "\n# TYPE %s %s\n", exposition->name, kinds[exposition->kind]);
}

static void write_number(FILE *out, double value)
{
    if (fabs(value) < 1e15 && value == floor(value))
        fprintf(out, "%.0f", value);
    else
        fprintf(out, "%.9g", value);
}

/* le: NULL none. */
static void write_sample(struct exposition *exposition, const char *suffix, const struct exposition_labels *labels,
                         const char *le, double value)
{
    const char *before = "{";

    fprintf(exposition->out, "%s%s", exposition->name, suffix);
    for (int i = 0; labels && i < EXPOSITION_LABELS && labels->names[i]; i++, before = ",") {
        fprintf(exposition->out, "%s%s=\"", before, labels->names[i]);
        write_escaped(exposition->out, labels->values[i] ?: "", true);
        fputc('"', exposition->out);
    }
    if (le) {
        fprintf(exposition->out, "%sle=\"%s\"", before, le);
        before = ",";
    }
    fputs(*before == ',' ? "} " : " ", exposition->out);
    write_number(exposition->out, value);
    fputc('\n', exposition->out);
}

void exposition_add(struct exposition *exposition, const struct exposition_labels *labels, double value)
{
    begin(exposition);
    write_sample(exposition, "", labels, NULL, value);
}

void exposition_add_histogram(struct exposition *exposition, const struct exposition_labels *labels,
                              const struct histogram_scale *scale, const struct histogram_sums *sums)
{
    uint64_t n = 0;
    char le[32];

    begin(exposition);
    for (size_t i = 0; i < scale->n; i++) {
        n += sums->counts[i];
        (void)snprintf(le, sizeof(le), "%.9g", (double)scale->bounds[i] * scale->unit);
        write_sample(exposition, "_bucket", labels, i + 1 < scale->n ? le : "+Inf", (double)n);
    }
    write_sample(exposition, "_sum", labels, NULL, (double)sums->sum * scale->unit);
    write_sample(exposition, "_count", labels, NULL, (double)n);
}

int exposition_end(struct exposition *exposition, char **ret_text, size_t *ret_n)
{
    bool has_failed = ferror(exposition->out);

    if (fclose(steal(&exposition->out)) != 0 || has_failed)
        return -ENOMEM;
    *ret_n = exposition->n;
    *ret_text = steal(&exposition->text);
    return 0;
}
