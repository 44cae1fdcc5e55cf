/*
 * turn.c - a turn's names and its JSON
 *
 * The milestones are a member of their own, "times", and only the caller's
 * turns have any: the reply belongs to the turn that it answers.
 *
 * Milestones come from several threads and, read back, from a file: whatever they are, a stage is a sensible
 * number of ms or unknown.
 */
#include "models/turn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "utils/json.h"

static const char *const whos[] = { [TURN_AGENT] = "agent", [TURN_CALLER] = "caller" };

static const char *const kinds[ANSWER_N_KINDS] = {
    [ANSWER_FREE] = "free",     [ANSWER_YESNO] = "yesno",     [ANSWER_DIGITS] = "digits",
    [ANSWER_NUMBER] = "number", [ANSWER_COMMAND] = "command",
};

static const struct json_field fields[] = {
    JSON_FIELD_ENUM(struct turn, who, whos),
    JSON_FIELD(struct turn, text, JSON_CHARS),
    JSON_FIELD(struct turn, full, JSON_CHARS),
    JSON_FIELD(struct turn, audio, JSON_CHARS),
    JSON_FIELD_ENUM(struct turn, expected, kinds),
    JSON_FIELD(struct turn, start_ms, JSON_U64),
    JSON_FIELD(struct turn, end_ms, JSON_U64),
    JSON_FIELD(struct turn, confidence, JSON_DOUBLE),
    JSON_FIELD(struct turn, interrupted, JSON_BOOL),
    JSON_FIELD(struct turn, keyed, JSON_BOOL),
};

static const struct json_field time_fields[] = {
    JSON_FIELD(struct turn_times, speech_end, JSON_U64),
    JSON_FIELD(struct turn_times, decided, JSON_U64),
    JSON_FIELD(struct turn_times, transcript, JSON_U64),
    JSON_FIELD(struct turn_times, first_token, JSON_U64),
    JSON_FIELD(struct turn_times, first_sentence, JSON_U64),
    JSON_FIELD(struct turn_times, first_audio, JSON_U64),
    JSON_FIELD(struct turn_times, first_frame, JSON_U64),
    JSON_FIELD(struct turn_times, listened, JSON_U64),
    JSON_FIELD(struct turn_times, stt_asked, JSON_U64),
    JSON_FIELD(struct turn_times, stt_answered, JSON_U64),
    JSON_FIELD(struct turn_times, chat_asked, JSON_U64),
    JSON_FIELD(struct turn_times, chat_answered, JSON_U64),
    JSON_FIELD(struct turn_times, tts_asked, JSON_U64),
    JSON_FIELD(struct turn_times, tts_answered, JSON_U64),
};

static const char *const stages[LATENCY_N] = {
    [LATENCY_LISTENED] = "listened", [LATENCY_STT] = "stt", [LATENCY_TOKEN] = "token", [LATENCY_SENTENCE] = "sentence",
    [LATENCY_TTS] = "tts",           [LATENCY_AUDIO] = "audio", [LATENCY_TOTAL] = "total", [LATENCY_OWN] = "own",
};

int answer_kind_parse(const char *name)
{
    return json_name_index(kinds, ELEMENTSOF(kinds), name, strlen(name));
}

/* --- latency */

enum { LATENCY_MS_MAX = 60 * 60 * 1000, WAITS_MAX = 4 };

struct wait {
    uint64_t from, to;
};

static int64_t between(uint64_t from, uint64_t to)
{
    return from && to >= from && to - from <= LATENCY_MS_MAX ? (int64_t)(to - from) : LATENCY_UNKNOWN;
}

static int compare_waits(const void *a, const void *b)
{
    const struct wait *left = a, *right = b;

    return (left->from > right->from) - (left->from < right->from);
}

/* How much of [from, to) lies in at least one of the waits. */
static uint64_t covered_ms(struct wait *waits, size_t n, uint64_t from, uint64_t to)
{
    uint64_t sum = 0;

    qsort(waits, n, sizeof(*waits), compare_waits);
    for (size_t i = 0; i < n; i++) {
        uint64_t begin = waits[i].from > from ? waits[i].from : from, end = waits[i].to < to ? waits[i].to : to;

        if (between(waits[i].from, waits[i].to) < 0 || end <= begin)
            continue;
        sum += end - begin;
        from = end;
    }
    return sum;
}

const char *latency_name(enum latency stage)
{
    return stages[stage];
}

void turn_latencies(const struct turn_times *times, int64_t ret_ms[LATENCY_N])
{
    struct wait waits[WAITS_MAX] = {
        { times->speech_end, times->listened },
        { times->stt_asked, times->stt_answered },
        { times->chat_asked, times->chat_answered },
        { times->tts_asked, times->tts_answered },
    };
    int64_t total = between(times->speech_end, times->first_frame);

    ret_ms[LATENCY_LISTENED] = between(times->speech_end, times->listened);
    ret_ms[LATENCY_STT] = between(times->stt_asked, times->stt_answered);
    ret_ms[LATENCY_TOKEN] = between(times->chat_asked, times->first_token);
    ret_ms[LATENCY_SENTENCE] = times->chat_asked ? between(times->first_token, times->chat_answered) : LATENCY_UNKNOWN;
    ret_ms[LATENCY_TTS] = between(times->tts_asked, times->tts_answered);
    ret_ms[LATENCY_AUDIO] = between(times->speech_end, times->first_audio);
    ret_ms[LATENCY_TOTAL] = total;
    ret_ms[LATENCY_OWN] = total < 0 ? LATENCY_UNKNOWN
                                  : total - (int64_t)covered_ms(waits, WAITS_MAX, times->speech_end, times->first_frame);
}

/* Round the marks our own share is held to, 40 and 80 ms, and the 4 s that nobody is kept waiting. */
static const uint64_t bounds_ms[LATENCY_BUCKETS] = { 10, 20, 40, 80, 160, 320, 640, 1000, 1500, 2500, 4000, UINT64_MAX };

unsigned latency_bucket(int64_t ms)
{
    unsigned bucket = 0;

    while (bucket < LATENCY_BUCKETS - 1 && ms > 0 && (uint64_t)ms > bounds_ms[bucket])
        bucket++;
    return bucket;
}

uint64_t latency_bound_ms(unsigned bucket)
{
    return bounds_ms[bucket];
}

/* --- JSON */

struct json_object *turn_to_json(const struct turn *turn)
{
    static const struct turn_times none;
    struct json_object *json = json_write(fields, ELEMENTSOF(fields), turn);

    if (!json || memcmp(&turn->times, &none, sizeof(none)) == 0)
        return json;
    if (json_add(json, "times", json_write(time_fields, ELEMENTSOF(time_fields), &turn->times)) <
        0) {
        json_object_put(json);
        return NULL;
    }
    return json;
}

int turn_from_json(struct json_object *json, struct turn *ret_turn)
{
    struct turn turn = { .confidence = -1 };
    struct json_object *times;
    int r = json_read(json, fields, ELEMENTSOF(fields), &turn);

    if (r == 0 && json_object_object_get_ex(json, "times", &times))
        r = json_read(times, time_fields, ELEMENTSOF(time_fields), &turn.times);
    if (r == 0)
        *ret_turn = turn;
    return r;
}
