/*
 * test_exposition.c - what Prometheus reads
 */
#include "utils/exposition.h"

#include <stdlib.h>

#include "tap.h"

static const char want[] =
    "# HELP a_total One \\\\ and\\nanother \"thing\".\n"
    "# TYPE a_total counter\n"
    "a_total 3\n"
    "a_total{x=\"\\\\ \\\" \\n\"} 0.5\n"
    "a_total{x=\"1\",y=\"\",z=\"3\"} 1e+20\n"
    "# HELP h_seconds How long.\n"
    "# TYPE h_seconds histogram\n"
    "h_seconds_bucket{le=\"0.001\"} 2\n"
    "h_seconds_bucket{le=\"2.5\"} 3\n"
    "h_seconds_bucket{le=\"+Inf\"} 4\n"
    "h_seconds_sum 5.001501\n"
    "h_seconds_count 4\n"
    "h_seconds_bucket{x=\"y\",le=\"0.001\"} 0\n"
    "h_seconds_bucket{x=\"y\",le=\"2.5\"} 0\n"
    "h_seconds_bucket{x=\"y\",le=\"+Inf\"} 0\n"
    "h_seconds_sum{x=\"y\"} 0\n"
    "h_seconds_count{x=\"y\"} 0\n";

static void test_text(void)
{
    static const struct histogram_scale scale = { .n = 3, .unit = 1e-6, .bounds = { 1000, 2500000, UINT64_MAX } };
    static const struct histogram_sums none;
    static const uint64_t values[] = { 500, 1000, 1001, 4999000 };
    scoped(exposition_free) struct exposition *out = NULL;
    scoped(free) char *text = NULL;
    struct histogram histogram = { 0 };
    struct histogram_sums sums = { 0 };
    size_t n;

    if (exposition_new(&out) < 0)
        return;
    exposition_family(out, "a_total", EXPOSITION_COUNTER, "One \\ and\nanother \"thing\".");
    exposition_add(out, NULL, 3);
    exposition_add(out, &(struct exposition_labels){ { "x" }, { "\\ \" \n" } }, 0.5);
    exposition_add(out, &(struct exposition_labels){ { "x", "y", "z" }, { "1", "", "3" } }, 1e20);
    exposition_family(out, "nothing", EXPOSITION_GAUGE, "A family without a sample is not there.");
    for (size_t i = 0; i < ELEMENTSOF(values); i++)
        histogram_add(&histogram, &scale, values[i]);
    histogram_sum(&histogram, &sums);
    exposition_family(out, "h_seconds", EXPOSITION_HISTOGRAM, "How long.");
    exposition_add_histogram(out, NULL, &scale, &sums);
    exposition_add_histogram(out, &(struct exposition_labels){ { "x" }, { "y" } }, &scale, &none);
    is_int(exposition_end(out, &text, &n), 0, "it ends");
    is_str(text, want, "as Prometheus reads it");
    is_int((long long)n, (long long)sizeof(want) - 1, "its length is told");
}

static void test_scales(void)
{
    static const struct {
        const struct histogram_scale *scale;
        const char *name;
    } rows[] = { { &histogram_us, "microseconds" }, { &histogram_number, "numbers" }, { &histogram_percent, "percents" } };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        const struct histogram_scale *scale = rows[i].scale;
        int is_good = scale->n <= HISTOGRAM_BUCKETS && scale->bounds[scale->n - 1] == UINT64_MAX;

        for (size_t k = 1; k < scale->n; k++)
            is_good &= scale->bounds[k] > scale->bounds[k - 1];
        for (size_t k = 0; k < scale->n; k++)
            is_good &= histogram_bucket(scale, scale->bounds[k]) == k;
        ok(is_good, "the scale of %s goes up, to the end", rows[i].name);
    }
}

int main(void)
{
    test_text();
    test_scales();
    return done_testing();
}
