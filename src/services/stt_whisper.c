/*
 * stt_whisper.c - Whisper over the network
 *
 * A question is a multipart form, made on an engine thread and sent by the http client; its answer is read on the
 * client's thread. verbose_json is asked for, since only it says how sure Whisper was; a
 * server that refuses it is asked again in json, and in json ever after. gpt-4o-transcribe, which has json only, says it
 * by token.
 *
 * Whisper invents text where nobody speaks. The voice detector lets little of that through; of the rest a segment
 * goes by Whisper's own figures, a text that nobody could say in the time goes whole, and last a few phrases of
 * subtitles that no caller says.
 */
#include "services/stt_whisper.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include <json-c/json.h>

#include "config.h"
#include "utils/audio.h"
#include "utils/json.h"
#include "utils/spoken.h"
#include "utils/text.h"
#include "utils/utf8.h"

enum {
    RATE_HZ = 8000,
    CONNECT_MS = 1000,
    STALL_MS = 1000,
    BODY_MAX = 256 * KIB,
    PARTS_MAX = 7,
    LETTERS_PER_SECOND = 30, /* twice of what a fast speaker says */
    LETTERS_FREE = 12,
    PROMPT_MAX = 768,
    ANOTHER_MS = 300, /* with less time left nobody else is asked */
};

struct stt_whisper {
    struct stt_whisper *next; /* who is asked when it does not answer; NULL nobody */
    const char *name;
    struct http_provider *provider;
    char *model;
    char prompt[PROMPT_MAX]; /* words that are likely to come: the operator's, and the name of the business */
    unsigned timeout_ms; /* of it alone */
    unsigned budget_ms;  /* of it and who is asked after it */
    bool has_prompt;
    bool has_logprobs;     /* it can say how sure it was in json, too */
    _Atomic bool is_plain; /* json, not verbose_json */
};

struct whisper_question {
    struct stt_question question; /* first */
    struct http_call call;
    struct stt_whisper *whisper;
    struct http_part parts[PARTS_MAX];
    char language[8], prompt[PROMPT_MAX];
    uint8_t *wav;
    size_t n_wav;
    double seconds;
    bool asked_plain;
};

/* --- the answer */

/* Nobody says these to a receptionist; Whisper learnt them from subtitles. As spoken_split() has the words. */
static const char *const inventions[] = {
    "thank you for watching",
    "thanks for watching",
    "thank you so much for watching",
    "please subscribe",
    "please like and subscribe",
    "like and subscribe",
    "subtitles by the amara org community",
    "תודה על הצפייה",
    "תודה רבה על הצפייה",
    "תודה שצפיתם",
    "תודה שצפיתם בסרטון",
    "כתוביות על ידי קהילת amara org",
};

static bool is_invention(const char *text)
{
    struct spoken_words words;
    char joined[SPOKEN_TEXT_MAX] = "";
    size_t n = 0;

    spoken_split(text, &words);
    for (size_t i = 0; i < words.n; i++) {
        text_add(joined, sizeof(joined), &n, " ", i > 0);
        text_add(joined, sizeof(joined), &n, words.word[i], strlen(words.word[i]));
    }
    for (size_t i = 0; i < ELEMENTSOF(inventions); i++)
        if (strcmp(joined, inventions[i]) == 0)
            return true;
    return words.n == 0; /* "..." */
}

static bool is_too_long(const char *text, double seconds)
{
    return (double)utf8_length(text) > LETTERS_FREE + LETTERS_PER_SECOND * seconds;
}

/* Whisper's own thresholds: nobody speaks and the words are a guess, a loop, or no more than a guess. */
static bool is_doubtful(struct json_object *segment)
{
    double logprob = json_get_double(segment, "avg_logprob", 0);

    return (json_get_double(segment, "no_speech_prob", 0) > 0.6 && logprob < -0.8) ||
           json_get_double(segment, "compression_ratio", 1) > 2.4 || logprob < -1.5;
}

static double sure_of(double logprob_sum, double weight)
{
    return weight > 0 && isfinite(logprob_sum) ? fmin(1, exp(logprob_sum / weight)) : -1;
}

/* How sure gpt-4o-transcribe was, token by token. */
static double read_tokens(struct json_object *tokens)
{
    double sum = 0;
    size_t n = json_object_array_length(tokens);

    for (size_t i = 0; i < n; i++) {
        struct json_object *token = json_object_array_get_idx(tokens, i);

        sum += json_object_is_type(token, json_type_object) ? json_get_double(token, "logprob", NAN) : NAN;
    }
    return sure_of(sum, (double)n);
}

/* The text of the segments that can be believed, and how sure Whisper was of them. */
static void read_segments(struct json_object *segments, struct stt_result *result)
{
    double sum = 0, n_sure = 0;
    size_t used = 0;

    for (size_t i = 0; i < json_object_array_length(segments); i++) {
        struct json_object *segment = json_object_array_get_idx(segments, i), *logprob;
        const char *text = json_get_text(segment, "text");

        if (!text || is_doubtful(segment))
            continue;
        text_add(result->text, sizeof(result->text), &used, text, strlen(text));
        if (json_object_object_get_ex(segment, "avg_logprob", &logprob)) {
            double weight = (double)strlen(text);
            sum += json_object_get_double(logprob) * weight;
            n_sure += weight;
        }
    }
    result->confidence = sure_of(sum, n_sure);
}

static void trim(char *text)
{
    static const char space[] = " \t\r\n";
    size_t n_before = strspn(text, space), n = strlen(text);

    while (n > n_before && strchr(space, text[n - 1]))
        n--;
    memmove(text, text + n_before, n - n_before);
    text[n - n_before] = '\0';
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

int stt_whisper_read(const char *json, size_t n, double seconds, struct stt_result *ret_result)
{
    scoped(json_object_put) struct json_object *answer = NULL;
    struct stt_result result = { .confidence = -1 };
    struct json_object *segments = NULL, *tokens;

    int r = json_parse(json, n, &answer);
    if (r < 0)
        return r;
    const char *text = json_object_is_type(answer, json_type_object) ? json_get_text(answer, "text") : NULL;
    if (!text)
        return -EBADMSG;
    if (json_object_object_get_ex(answer, "segments", &segments) && json_object_is_type(segments, json_type_array) &&
        json_object_array_length(segments) > 0)
        read_segments(segments, &result);
    else
        (void)text_set(result.text, sizeof(result.text), text);
    if (json_object_object_get_ex(answer, "logprobs", &tokens) && json_object_is_type(tokens, json_type_array))
        result.confidence = read_tokens(tokens);
    trim(result.text);
    result.understood = result.text[0] && !is_too_long(result.text, seconds) && !is_invention(result.text);
    if (!result.understood)
        result = (struct stt_result){ .confidence = -1 };
    *ret_result = result;
    return 0;
}

/* --- questions */

static void add_part(struct whisper_question *q, const char *name, const char *text)
{
    assert(q->call.n_parts < PARTS_MAX);
    q->parts[q->call.n_parts++] = (struct http_part){ .name = name, .bytes = text, .n = strlen(text) };
}

/* Whisper looks at the last 224 tokens only: so what matters most comes last. */
static void add_hints(char prompt[PROMPT_MAX], const char *hints)
{
    size_t n = strlen(prompt);

    if (!hints || !*hints)
        return;
    text_add(prompt, PROMPT_MAX, &n, " ", n > 0);
    text_add(prompt, PROMPT_MAX, &n, hints, strlen(hints));
    text_add(prompt, PROMPT_MAX, &n, ".", 1);
}

/* For q->whisper, within so many ms. */
static void compose(struct whisper_question *q, unsigned within_ms)
{
    struct stt_whisper *whisper = q->whisper;

    q->call.provider = whisper->provider;
    q->call.first_byte_ms = q->call.total_ms = within_ms;
    q->call.n_parts = 0;
    q->question.asked = whisper->name;
    q->parts[q->call.n_parts++] =
        (struct http_part){ .name = "file", .bytes = q->wav, .n = q->n_wav, .filename = "a.wav", .type = "audio/wav" };
    q->asked_plain = whisper->is_plain;
    add_part(q, "response_format", q->asked_plain ? "json" : "verbose_json");
    add_part(q, "model", whisper->model);
    add_part(q, "temperature", "0");
    if (q->language[0])
        add_part(q, "language", q->language);
    if (whisper->has_logprobs)
        add_part(q, "include[]", "logprobs");
    if (q->prompt[0] && whisper->has_prompt)
        add_part(q, "prompt", q->prompt);
}

/* It would answer if it were asked for less. */
static bool wants_plain(const struct whisper_question *q)
{
    const struct http_call *call = &q->call;

    return !q->asked_plain && (call->status == 400 || call->status == 422) && call->body &&
           (strstr(call->body, "response_format") || strstr(call->body, "verbose_json"));
}

/* The one after it, if there is one and time for it. Returns: whether it is being asked. */
static bool ask_another(struct whisper_question *q, uint64_t first_asked_ms)
{
    struct stt_question *question = &q->question;
    uint64_t used_ms = first_asked_ms && question->answered_ms > first_asked_ms ? question->answered_ms - first_asked_ms : 0;
    unsigned budget_ms = q->whisper->budget_ms;

    if (question->r >= 0 || question->r == -ECANCELED || !q->whisper->next || used_ms + ANOTHER_MS > budget_ms)
        return false;
    question->failed = q->whisper->name;
    (void)snprintf(question->cause, sizeof(question->cause), question->status ? "%s, HTTP %u" : "%s", question->why ?: "",
                   question->status);
    q->whisper = q->whisper->next;
    compose(q, budget_ms - (unsigned)used_ms);
    http_start(&q->call);
    return true;
}

static void answered(struct http_call *call)
{
    struct whisper_question *q = (struct whisper_question *)((char *)call - offsetof(struct whisper_question, call));
    struct stt_question *question = &q->question;
    scoped(free) char *body = NULL;

    if (wants_plain(q)) {
        free(steal(&call->body));
        q->whisper->is_plain = q->asked_plain = true;
        q->parts[1].bytes = "json";
        q->parts[1].n = strlen("json");
        question->asked_ms = call->asked_ms;
        http_start(call);
        return;
    }
    body = steal(&call->body);
    question->r = call->r;
    question->why = call->why;
    question->status = call->status;
    question->asked_ms = question->asked_ms ?: call->asked_ms;
    question->answered_ms = call->done_ms;
    if (call->r == 0)
        question->r = call->is_json && body ? stt_whisper_read(body, call->n_body, q->seconds, &question->result) : -EBADMSG;
    if (question->r == -EBADMSG)
        question->why = "its answer is no transcription";
    if (!ask_another(q, question->asked_ms))
        question->on_answer(question);
}

static void ask(struct stt_question *question)
{
    http_start(&((struct whisper_question *)question)->call);
}

static void give_up(struct stt_question *question)
{
    http_abort(&((struct whisper_question *)question)->call);
}

static void release(struct stt_question *question)
{
    free(((struct whisper_question *)question)->wav);
    free(question);
}

int stt_whisper_question(struct stt_whisper *whisper, const struct stt_request *request, struct stt_question **ret_question)
{
    struct wav wav = { .rate_hz = request->rate_hz ?: RATE_HZ, .n_channels = 1, .n_samples = request->n_samples, .pcm = (int16_t *)request->pcm };
    struct whisper_question *q = calloc(1, sizeof(*q));

    if (!q)
        return -ENOMEM;
    q->question.ask = ask;
    q->question.give_up = give_up;
    q->question.release = release;
    q->question.result.confidence = -1;
    q->whisper = whisper;
    q->seconds = (double)request->n_samples / wav.rate_hz;
    (void)text_set(q->language, sizeof(q->language), request->language);
    q->language[strcspn(q->language, "-")] = '\0'; /* ISO 639-1 */
    q->call = (struct http_call){
        .parts = q->parts,
        .is_repeatable = true,
        .stall_ms = STALL_MS,
        .body_max = BODY_MAX,
        .done = answered,
    };
    int r = wav_print(&wav, &q->wav, &q->n_wav);
    if (r < 0) {
        free(q);
        return r;
    }
    if (request->expect == ANSWER_FREE) { /* a short answer would be drowned in it */
        memcpy(q->prompt, whisper->prompt, sizeof(q->prompt));
        add_hints(q->prompt, request->hints);
    }
    compose(q, whisper->timeout_ms);
    *ret_question = &q->question;
    return 0;
}

/* --- the service */

/* whisper.cpp has a path of its own, unless it was told another; it is named whole. */
static bool is_whole(const char *url)
{
    static const char path[] = "/inference";
    size_t n = strlen(url);

    return n > strlen(path) && strcmp(url + n - strlen(path), path) == 0;
}

static int open_one(const struct config *config, struct http_client *client, const char *url, const char *key,
                    const char *model, unsigned timeout_ms, struct stt_whisper **ret_whisper)
{
    scoped(stt_whisper_close) struct stt_whisper *whisper = calloc(1, sizeof(*whisper));
    struct http_provider_options options = {
        .base_url = url,
        .path = is_whole(url) ? "inference" : "audio/transcriptions",
        .key = key,
        .connect_ms = CONNECT_MS,
    };

    if (!whisper)
        return -ENOMEM;
    whisper->name = "whisper";
    whisper->timeout_ms = whisper->budget_ms = timeout_ms;
    whisper->is_plain = strncmp(model, "gpt-", 4) == 0;
    whisper->has_prompt = !strstr(model, "diarize");
    whisper->has_logprobs = whisper->has_prompt && strncmp(model, "gpt-4o", 6) == 0;
    add_hints(whisper->prompt, config->stt_hints);
    add_hints(whisper->prompt, config->business_name);
    whisper->model = strdup(model);
    int r = whisper->model ? http_provider_new(client, &options, &whisper->provider) : -ENOMEM;
    if (r == 0)
        *ret_whisper = steal(&whisper);
    return r;
}

int stt_whisper_open(const struct config *config, struct http_client *client, unsigned timeout_ms, struct stt_whisper **ret_whisper)
{
    const char *url = config_stt_url(config), *openai = config_openai_url(config);
    scoped(stt_whisper_close) struct stt_whisper *whisper = NULL;

    int r = open_one(config, client, url, config_stt_key(config), config->stt_model, timeout_ms, &whisper);
    if (r == 0 && openai && strcmp(openai, url) != 0) { /* STT_MODEL is a model of STT_BASE_URL */
        r = open_one(config, client, openai, config->openai_api_key, "whisper-1", timeout_ms, &whisper->next);
        if (r == 0)
            whisper->next->name = "openai";
        whisper->timeout_ms = whisper->budget_ms / 5 * 3;
    }
    if (r == 0)
        *ret_whisper = steal(&whisper);
    return r;
}

void stt_whisper_close(struct stt_whisper *whisper)
{
    if (!whisper)
        return;
    stt_whisper_close(whisper->next);
    http_provider_free(whisper->provider);
    free(whisper->model);
    free(whisper);
}

void stt_whisper_warm(struct stt_whisper *whisper)
{
    struct http_provider_stats stats;

    http_provider_stats(whisper->provider, &stats);
    http_warm((stats.is_open && whisper->next ? whisper->next : whisper)->provider);
}

void stt_whisper_stats(struct stt_whisper *whisper, struct stt_stats *ret_stats)
{
    struct http_provider_stats stats;

    http_provider_stats(whisper->provider, &stats);
    ret_stats->is_tripped = stats.is_open;
    for (; whisper; whisper = whisper->next) {
        http_provider_stats(whisper->provider, &stats);
        ret_stats->n_asked += stats.n_calls;
        ret_stats->n_failed += stats.n_failed;
        ret_stats->n_retries += stats.n_retries;
        ret_stats->n_refused += stats.n_refused;
        ret_stats->n_connections += stats.n_connections;
        for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
            ret_stats->took_us.counts[i] += stats.took_us.counts[i];
        ret_stats->took_us.sum += stats.took_us.sum;
    }
}
