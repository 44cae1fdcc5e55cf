/*
 * report.c - what happened, as it happens and in sum
 *
 * Lines of one call: seconds since it began, who, what. With many calls only their
 * breaches are told, a few of each kind; the sum counts all of them.
 */
#include "caller/report.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <json-c/json.h>

#include "utils/clock.h"

enum { TOLD_MAX = 5, REACTIONS_MAX = 64 };

struct reaction {
    char said[SCRIPT_LABEL_MAX]; /* what was answered */
    double ms;
};

struct report {
    struct report_options options;
    uint64_t begin_us;
    unsigned told[BREACH_N];
    struct spread round_trips, lags, reactions;
    char said[SCRIPT_LABEL_MAX];             /* call 0: what the caller said last */
    struct reaction answered[REACTIONS_MAX]; /* call 0 */
    size_t n_answered;
};

int report_new(const struct report_options *options, struct report **ret_report)
{
    struct report *report = calloc(1, sizeof(*report));

    if (!report)
        return -ENOMEM;
    report->options = *options;
    report->begin_us = clock_mono_us();
    *ret_report = report;
    return 0;
}

void report_free(struct report *report)
{
    free(report);
}

struct spread *report_round_trips(struct report *report)
{
    return &report->round_trips;
}

struct spread *report_lags(struct report *report)
{
    return &report->lags;
}

/* --- as it happens */

__attribute__((format(printf, 4, 5))) static void line(const struct report *report, uint64_t at_us,
                                                       const char *who, const char *format, ...)
{
    FILE *out = report->options.live;
    va_list args;

    if (!out)
        return;
    fprintf(out, "%8.2f  %-8s",
            at_us > report->begin_us ? (double)(at_us - report->begin_us) / 1e6 : 0.0, who);
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputc('\n', out);
    fflush(out);
}

static void on_stage(void *user, unsigned call, uint64_t at_us, const char *what,
                     const char *detail)
{
    line(user, at_us, what, "%s", detail);
}

static void tell_turn(struct report *report, const struct caller_event *event)
{
    const struct script_turn *turn = event->turn;
    double seconds = (double)event->took_us / 1e6;

    switch (turn->kind) {
    case SCRIPT_SPEECH:
        (void)snprintf(report->said, sizeof(report->said), "%s",
                       turn->label[0] ? turn->label : turn->file);
        line(report, event->at_us, "caller", "%s%s%s(%s, %.1f s)", turn->label[0] ? "\"" : "",
             turn->label, turn->label[0] ? "\" " : "", turn->file, seconds);
        break;
    case SCRIPT_KEYS:
        (void)snprintf(report->said, sizeof(report->said), "keys %s", turn->keys);
        line(report, event->at_us, "caller", "keys %s", turn->keys);
        break;
    case SCRIPT_SILENCE:
        line(report, event->at_us, "caller", "is silent for %.1f s", seconds);
    }
}

static void take_reaction(struct report *report, unsigned call, int64_t reaction_us)
{
    if (reaction_us < 0)
        return;
    spread_add(&report->reactions, (uint64_t)reaction_us);
    if (call != 0 || report->n_answered == REACTIONS_MAX)
        return;
    struct reaction *reaction = &report->answered[report->n_answered++];
    reaction->ms = (double)reaction_us / 1000.0;
    strcpy(reaction->said, report->said);
}

static void on_event(void *user, unsigned call, const struct caller_event *event)
{
    struct report *report = user;

    switch (event->kind) {
    case CALLER_AGENT_STARTS:
        take_reaction(report, call, event->reaction_us);
        if (event->reaction_us >= 0)
            line(report, event->at_us, "agent", "speaks, %lld ms after the caller's last sound",
                 (long long)event->reaction_us / 1000);
        else
            line(report, event->at_us, "agent", "speaks");
        break;
    case CALLER_AGENT_ENDS:
        line(report, event->at_us, "agent", "spoke for %.1f s", (double)event->took_us / 1e6);
        break;
    case CALLER_SPEAKS:
        tell_turn(report, event);
        break;
    case CALLER_CLEARED:
        if (event->reaction_us >= 0)
            line(report, event->at_us, "agent",
                 "falls silent %lld ms after the caller's first sound, %.1f s unsaid",
                 (long long)event->reaction_us / 1000, (double)event->took_us / 1e6);
        else
            line(report, event->at_us, "agent", "clears %.1f s of audio",
                 (double)event->took_us / 1e6);
        break;
    case CALLER_IMPATIENT:
        line(report, event->at_us, "caller", "has waited long enough");
        break;
    case CALLER_HANGS_UP:
        line(report, event->at_us, "caller", "hangs up");
    }
}

static void on_breach(void *user, unsigned call, uint64_t at_us, enum breach breach,
                      const char *detail)
{
    struct report *report = user;
    const struct breach_kind *kind = breach_kind(breach);

    if (report->told[breach]++ >= TOLD_MAX)
        return;
    fprintf(report->options.live ? report->options.live : stderr, "%8.2f  BREACH  %d %s%s%s\n",
            (double)(at_us - report->begin_us) / 1e6, kind->code, kind->what, detail[0] ? ": " : "",
            detail);
}

static void on_audio(void *user, unsigned call, bool agent, uint64_t at_us, const uint8_t *ulaw,
                     size_t n)
{
    struct report *report = user;

    if (call == 0 && report->options.recorder)
        (void)recorder_put(report->options.recorder, agent, at_us, ulaw, n);
}

const struct exchange_ops report_ops = { on_stage, on_event, on_breach, on_audio };

/* --- in sum */

struct sum {
    unsigned outcomes[OUTCOME_N], n_established, n_failed;
    uint64_t n_frames, n_messages, n_bytes, n_echo_sent, n_echo_back, n_echo_again, n_echo_garbled,
        n_marks, n_clears;
    uint64_t breaches[BREACH_N], n_breaches;
    bool good;
};

static struct sum add_up(const struct report *report, const struct exchange_result *results)
{
    struct sum sum = { 0 };

    for (unsigned i = 0; i < report->options.n_calls; i++) {
        const struct exchange_result *result = &results[i];
        bool ok;

        (void)exchange_outcome_name(result->outcome, &ok);
        sum.outcomes[result->outcome]++;
        sum.n_established += result->opened_us != 0;
        sum.n_failed += !ok;
        sum.n_frames += result->counts.n_frames_sent;
        sum.n_messages += result->counts.n_messages;
        sum.n_bytes += result->counts.n_audio_bytes;
        sum.n_marks += result->counts.n_marks;
        sum.n_clears += result->counts.n_clears;
        sum.n_echo_sent += result->echo.n_sent;
        sum.n_echo_back += result->echo.n_back;
        sum.n_echo_again += result->echo.n_again;
        sum.n_echo_garbled += result->echo.n_garbled;
        for (int breach = 0; breach < BREACH_N; breach++) {
            sum.breaches[breach] += result->breaches[breach];
            sum.n_breaches += result->breaches[breach];
        }
    }
    sum.good = sum.n_failed == 0 && sum.n_breaches == 0 && sum.n_echo_back == sum.n_echo_sent &&
               sum.n_echo_again == 0 && sum.n_echo_garbled == 0;
    return sum;
}

static void print_spread(FILE *out, const char *what, const struct spread *spread)
{
    if (spread->n > 0)
        fprintf(out, "%-12s p50 %.1f ms, p99 %.1f ms, max %.1f ms (%llu)\n", what,
                spread_at(spread, 0.5), spread_at(spread, 0.99), (double)spread->max_us / 1000.0,
                (unsigned long long)spread->n);
}

bool report_sum(const struct report *report, const struct exchange_result *results, FILE *out)
{
    struct sum sum = add_up(report, results);

    if (report->options.n_calls > 1)
        fprintf(out, "calls        %u of %u established\n", sum.n_established,
                report->options.n_calls);
    for (int outcome = 0; outcome < OUTCOME_N; outcome++)
        if (sum.outcomes[outcome])
            fprintf(out, "ended        %u: %s\n", sum.outcomes[outcome],
                    exchange_outcome_name((enum exchange_outcome)outcome, NULL));
    fprintf(out,
            "frames       %llu sent; %llu messages with %.1f s of audio, %llu marks and %llu "
            "clears received\n",
            (unsigned long long)sum.n_frames, (unsigned long long)sum.n_messages,
            (double)sum.n_bytes / 8000.0, (unsigned long long)sum.n_marks,
            (unsigned long long)sum.n_clears);
    if (report->options.echo)
        fprintf(out,
                "echo         %llu of %llu frames came back, %llu lost, %llu late or twice, %llu "
                "bytes garbled\n",
                (unsigned long long)sum.n_echo_back, (unsigned long long)sum.n_echo_sent,
                (unsigned long long)(sum.n_echo_sent - sum.n_echo_back),
                (unsigned long long)sum.n_echo_again, (unsigned long long)sum.n_echo_garbled);
    print_spread(out, "round trip", &report->round_trips);
    for (size_t i = 0; i < report->n_answered && report->options.n_calls == 1; i++)
        fprintf(out, "%-12s %.0f ms after \"%s\"\n", i ? "" : "first audio", report->answered[i].ms,
                report->answered[i].said);
    print_spread(out, "reaction", &report->reactions);
    print_spread(out, "own lag", &report->lags);
    for (int breach = 0; breach < BREACH_N; breach++)
        if (sum.breaches[breach])
            fprintf(out, "BREACH       %llu x %d %s\n", (unsigned long long)sum.breaches[breach],
                    breach_kind((enum breach)breach)->code, breach_kind((enum breach)breach)->what);
    fprintf(out, "breaches     %llu\n", (unsigned long long)sum.n_breaches);
    return sum.good;
}

static void put_number(struct json_object *object, const char *key, uint64_t number)
{
    json_object_object_add(object, key, json_object_new_int64((int64_t)number));
}

static void put_ms(struct json_object *object, const char *key, double ms)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%.1f", ms);
    json_object_object_add(object, key, json_object_new_double_s(ms, text));
}

static void put_spread(struct json_object *object, const char *key, const struct spread *spread)
{
    struct json_object *inner = json_object_new_object();

    put_number(inner, "n", spread->n);
    put_ms(inner, "p50", spread_at(spread, 0.5));
    put_ms(inner, "p99", spread_at(spread, 0.99));
    put_ms(inner, "max", (double)spread->max_us / 1000.0);
    json_object_object_add(object, key, inner);
}

static struct json_object *result_to_json(const struct exchange_result *result)
{
    struct json_object *json = json_object_new_object();

    json_object_object_add(json, "call_sid", json_object_new_string(result->call_sid));
    json_object_object_add(json, "stream_sid", json_object_new_string(result->stream_sid));
    json_object_object_add(json, "outcome",
                           json_object_new_string(exchange_outcome_name(result->outcome, NULL)));
    json_object_object_add(json, "dialled", json_object_new_string(result->dialled));
    put_number(json, "recorded", result->n_recorded);
    put_number(json, "webhook_status", (uint64_t)result->webhook_status);
    put_number(json, "callback_status", (uint64_t)result->callback_status);
    put_ms(json, "stream_ms",
           result->opened_us ? (double)(result->ended_us - result->opened_us) / 1000.0 : 0);
    put_number(json, "turns_said", result->counts.n_turns_said);
    put_number(json, "frames_sent", result->counts.n_frames_sent);
    put_number(json, "messages", result->counts.n_messages);
    put_number(json, "echo_sent", result->echo.n_sent);
    put_number(json, "echo_back", result->echo.n_back);
    return json;
}

static struct json_object *breaches_to_json(const struct sum *sum)
{
    struct json_object *list = json_object_new_array();

    for (int breach = 0; breach < BREACH_N; breach++) {
        if (!sum->breaches[breach])
            continue;
        const struct breach_kind *kind = breach_kind((enum breach)breach);
        struct json_object *row = json_object_new_object();
        put_number(row, "code", (uint64_t)kind->code);
        json_object_object_add(row, "what", json_object_new_string(kind->what));
        put_number(row, "count", sum->breaches[breach]);
        json_object_array_add(list, row);
    }
    return list;
}

bool report_json(const struct report *report, const struct exchange_result *results, FILE *out)
{
    struct json_object *json = json_object_new_object(), *outcomes = json_object_new_object();
    struct json_object *each = json_object_new_array(), *answered = json_object_new_array();
    struct sum sum = add_up(report, results);

    json_object_object_add(json, "good", json_object_new_boolean(sum.good));
    put_number(json, "calls", report->options.n_calls);
    put_number(json, "established", sum.n_established);
    for (int outcome = 0; outcome < OUTCOME_N; outcome++)
        if (sum.outcomes[outcome])
            put_number(outcomes, exchange_outcome_name((enum exchange_outcome)outcome, NULL),
                       sum.outcomes[outcome]);
    json_object_object_add(json, "outcomes", outcomes);
    put_number(json, "frames_sent", sum.n_frames);
    put_number(json, "messages", sum.n_messages);
    put_number(json, "audio_bytes", sum.n_bytes);
    put_number(json, "marks", sum.n_marks);
    put_number(json, "clears", sum.n_clears);
    put_number(json, "echo_sent", sum.n_echo_sent);
    put_number(json, "echo_back", sum.n_echo_back);
    put_number(json, "lost", sum.n_echo_sent - sum.n_echo_back);
    put_number(json, "late_or_twice", sum.n_echo_again);
    put_number(json, "garbled_bytes", sum.n_echo_garbled);
    put_spread(json, "round_trip_ms", &report->round_trips);
    put_spread(json, "reaction_ms", &report->reactions);
    put_spread(json, "lag_ms", &report->lags);
    for (size_t i = 0; i < report->n_answered; i++) {
        struct json_object *row = json_object_new_object();
        json_object_object_add(row, "said", json_object_new_string(report->answered[i].said));
        put_ms(row, "first_audio_ms", report->answered[i].ms);
        json_object_array_add(answered, row);
    }
    json_object_object_add(json, "answered", answered);
    put_number(json, "n_breaches", sum.n_breaches);
    json_object_object_add(json, "breaches", breaches_to_json(&sum));
    for (unsigned i = 0; i < report->options.n_calls; i++)
        json_object_array_add(each, result_to_json(&results[i]));
    json_object_object_add(json, "each", each);
    fprintf(out, "%s\n",
            json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
                                                     JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(json);
    return sum.good;
}
