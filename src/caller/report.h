#pragma once
/* report.h - what happened, as it happens and in sum, for people and as JSON */

#include <stdio.h>

#include "caller/exchange.h"
#include "caller/recorder.h"
#include "caller/spread.h"

struct report;

struct report_options {
    FILE *live; /* the conversation, line by line; NULL: not wanted. Breaches are always told. */
    unsigned n_calls;
    bool echo;
    struct recorder *recorder; /* of call 0; may be NULL */
};

int report_new(const struct report_options *options, struct report **ret_report);
void report_free(struct report *report);
SCOPED_PTR(struct report, report_free)

extern const struct exchange_ops report_ops; /* user: the report */

/* Where exchange_options.caller puts what it measures. */
struct spread *report_round_trips(struct report *report);
struct spread *report_lags(struct report *report);

/* Returns: true when every call went well, nothing was lost and no rule was broken. */
bool report_sum(const struct report *report, const struct exchange_result *results, FILE *out);
bool report_json(const struct report *report, const struct exchange_result *results, FILE *out);
