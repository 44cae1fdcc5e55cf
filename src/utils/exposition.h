#pragma once
/*
 * exposition.h - counters as text that Prometheus reads
 *
 * Source: Prometheus, "Exposition formats", text-based format 0.0.4.
 */

#include <stdint.h>
#include <stdio.h>

#include "utils/histogram.h"
#include "utils/scoped.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_kind { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct exposition;

int exposition_new(struct exposition **ret_exposition);
void exposition_free(struct exposition *exposition);
SCOPED_PTR(struct exposition, exposition_free)

/* Samples follow; its HELP and TYPE are written with the first of them. name and help are lent until the next family. */
void exposition_family(struct exposition *exposition, const char *name, enum exposition_kind kind, const char *help);

enum { EXPOSITION_LABELS = 3 };

/* names NULL none, in order. A value may hold anything. */
struct exposition_labels {
    const char *names[EXPOSITION_LABELS], *values[EXPOSITION_LABELS];
};

/* labels: NULL none. */
void exposition_add(struct exposition *exposition, const struct exposition_labels *labels, double value);
void exposition_add_histogram(struct exposition *exposition, const struct exposition_labels *labels,
                              const struct histogram_scale *scale, const struct histogram_sums *sums);

/* The text, and the end. Errors: -ENOMEM. Owner: free(). */
int exposition_end(struct exposition *exposition, char **ret_text, size_t *ret_n);
