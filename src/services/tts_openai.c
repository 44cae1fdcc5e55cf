/*
 * tts_openai.c - OpenAI's speech, or that of a service that is compatible with it
 *
 * Raw PCM of 24 kHz, which comes as it is made: it is played from the moment there is a little of it. From then on no
 * other voice can say this sentence without being heard to begin again; so what breaks later breaks the clip.
 *
 * PCM does not say how long it is. Where HTTP does (a length, chunks, a stream's end), the client knows what is half; where
 * it does not, or who sends it ended it too soon himself, what is faster than anybody can speak is taken for broken.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/tts.h"
#include "services/tts_engine.h"
#include "services/tts_stream.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/log.h"
#include "utils/utf8.h"

enum {
    CONNECT_MS = 1000,
    STALL_MS = 1000,
    TOTAL_MS = 60000,
    BODY_MAX = TTS_CLIP_MAX * 3 * 2,
    CHARACTERS_MAX = 4096,
    FIRST = TTS_RATE_HZ * 300 / 1000, /* played from so much on: a chunk, and half of one in reserve */
    ROOM_FREE = 10 * TTS_RATE_HZ,     /* what a sentence may take, and much more a character than anybody needs */
    ROOM_PER_BYTE = TTS_RATE_HZ * 3 / 10,
    WHY_MAX = 96,
    LATIN = TTS_RATE_HZ * 25 / 1000, /* least samples a letter: twice as fast as a hurried speaker */
    HEBREW = TTS_RATE_HZ * 35 / 1000, /* whose vowels are not written */
    LEAST_FREE = TTS_RATE_HZ * 200 / 1000, /* a short word may be shorter */
};

struct openai {
    struct http_provider *provider;
    const char *model, *voice;
};

struct openai_attempt {
    struct tts_attempt super; /* first */
    struct tts_stream stream;
    unsigned timeout_ms;
    bool is_told; /* of its audio */
    size_t least; /* samples that it takes to say it */
    char head[8]; /* of the body, to tell PCM from what only calls itself so */
    size_t n_head;
    char why[WHY_MAX];
};

static void tell_audio(struct openai_attempt *attempt)
{
    attempt->is_told = true;
    attempt->super.clip = clip_ref(attempt->stream.clip);
    attempt->super.audio_ms = clock_mono_ms();
    attempt->super.on_audio(&attempt->super);
}

/* Until there is enough to tell. */
static bool is_other_audio(struct openai_attempt *attempt, const char *bytes, size_t n)
{
    static const char *const types[] = { "", "audio/pcm", "audio/l16", "audio/raw", "application/octet-stream", "audio/x-raw" };
    const struct http_call *call = &attempt->super.call;
    size_t n_more = sizeof(attempt->head) - attempt->n_head;
    const char *kind = NULL;
    bool is_known = false;

    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        is_known |= strcmp(call->type, types[i]) == 0;
    n_more = n < n_more ? n : n_more;
    memcpy(attempt->head + attempt->n_head, bytes, n_more);
    attempt->n_head += n_more;
    kind = is_known ? tts_stream_mistaken(attempt->head, attempt->n_head) : call->type;
    if (kind)
        (void)snprintf(attempt->why, sizeof(attempt->why), "PCM was asked for and %s came", kind);
    return kind != NULL;
}

static int on_bytes(struct http_call *call, const char *bytes, size_t n)
{
    struct openai_attempt *attempt = (struct openai_attempt *)call;
    size_t n_fresh = attempt->n_head;

    if (n_fresh < sizeof(attempt->head) && is_other_audio(attempt, bytes, n))
        return -EBADMSG;
    int r = tts_stream_push(&attempt->stream, bytes, n);
    if (r < 0)
        return r;
    if (!attempt->is_told && attempt->stream.n_heard >= FIRST)
        tell_audio(attempt);
    if (!attempt->is_told && clock_mono_ms() - call->asked_ms > attempt->timeout_ms)
        return -ETIMEDOUT;
    return 0;
}

static const char *why_not(struct openai_attempt *attempt)
{
    const struct http_call *call = &attempt->super.call;

    if (attempt->why[0])
        return attempt->why;
    if (call->r != -EREMOTEIO)
        return call->r == -ETIMEDOUT && call->status ? "there is nothing to be heard in time" : call->why;
    (void)snprintf(attempt->why, sizeof(attempt->why), "HTTP %u%s", call->status,
                   call->status == 401 ? ", see OPENAI_API_KEY" : call->status == 404 ? ", see OPENAI_TTS_MODEL" : "");
    return attempt->why;
}

/* In samples. What may not be spoken, such as the points of Hebrew, is not counted. */
static size_t least_of(const char *text)
{
    static const struct {
        uint32_t first, last;
        size_t least;
    } letters[] = { { '0', '9', LATIN }, { 'A', 'Z', LATIN }, { 'a', 'z', LATIN }, { 0xC0, 0x24F, LATIN }, { 0x5D0, 0x5EA, HEBREW } };
    size_t n = strlen(text), least = 0, n_bytes;
    uint32_t character;

    for (; (n_bytes = utf8_decode(text, n, &character)) > 0; text += n_bytes, n -= n_bytes)
        for (size_t i = 0; i < ELEMENTSOF(letters); i++)
            if (character >= letters[i].first && character <= letters[i].last)
                least += letters[i].least;
    return least > LEAST_FREE ? least - LEAST_FREE : 0;
}

static int end_whole(struct openai_attempt *attempt)
{
    struct tts_attempt *super = &attempt->super;
    int r = tts_stream_end(&attempt->stream);

    if (r < 0) {
        super->why = r == -EIO ? "there is nothing to be heard" : "what it says has no end";
    } else if (attempt->stream.n_heard < attempt->least) {
        (void)snprintf(attempt->why, sizeof(attempt->why), "it ends too soon: %zu ms, of at least %zu", attempt->stream.n_heard * 1000 / TTS_RATE_HZ,
                       attempt->least * 1000 / TTS_RATE_HZ);
        super->why = attempt->why;
        r = -EBADMSG;
    }
    return r;
}

static void answered(struct http_call *call)
{
    struct openai_attempt *attempt = (struct openai_attempt *)call;
    struct tts_attempt *super = &attempt->super;

    free(steal(&call->body));
    super->r = call->r;
    super->why = call->r == 0 ? "" : why_not(attempt);
    if (call->r == 0)
        super->r = end_whole(attempt);
    clip_end(attempt->stream.clip, super->r == 0 ? CLIP_WHOLE : CLIP_BROKEN);
    if (super->r == 0 && !attempt->is_told)
        tell_audio(attempt);
    super->on_end(super);
}

/* --- the voice */

static void attempt_start(struct tts_attempt *attempt)
{
    http_start(&attempt->call);
}

static void attempt_release(struct tts_attempt *super)
{
    struct openai_attempt *attempt = (struct openai_attempt *)super;

    tts_stream_done(&attempt->stream);
    clip_unref(super->clip);
    free((char *)super->call.content);
    free(attempt);
}

static int compose(struct openai_attempt *attempt, const struct openai *openai, const char *text)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    struct http_call *call = &attempt->super.call;
    const struct {
        const char *key, *value;
    } members[] = { { "model", openai->model }, { "input", text }, { "voice", openai->voice }, { "response_format", "pcm" } };

    if (!json)
        return -ENOMEM;
    for (size_t i = 0; i < ELEMENTSOF(members); i++)
        if (json_add(json, members[i].key, json_text(members[i].value, strlen(members[i].value))) < 0)
            return -ENOMEM;
    const char *print = json_print(json, &call->n_content);
    call->content = print ? strdup(print) : NULL;
    return call->content ? 0 : -ENOMEM;
}

static int attempt_new(void *voice, const struct tts_order *order, struct tts_attempt **ret_attempt)
{
    const struct openai *openai = voice;
    size_t room = ROOM_FREE + ROOM_PER_BYTE * strlen(order->text);

    if (utf8_length(order->text) > CHARACTERS_MAX)
        return -EMSGSIZE;
    struct openai_attempt *attempt = calloc(1, sizeof(*attempt));
    if (!attempt)
        return -ENOMEM;
    attempt->timeout_ms = order->timeout_ms;
    attempt->least = least_of(order->text);
    attempt->super.call = (struct http_call){
        .provider = openai->provider,
        .content_type = "application/json",
        .first_byte_ms = order->timeout_ms,
        .stall_ms = STALL_MS,
        .total_ms = TOTAL_MS,
        .body_max = BODY_MAX,
        .on_bytes = on_bytes,
        .done = answered,
    };
    int r = compose(attempt, openai, order->text);
    if (r == 0)
        r = tts_stream_init(&attempt->stream, room < TTS_CLIP_MAX ? room : TTS_CLIP_MAX);
    if (r < 0) {
        attempt_release(&attempt->super);
        return r;
    }
    *ret_attempt = &attempt->super;
    return 0;
}

static bool openai_can(const struct config *config, const char *language)
{
    return config_tts_url(config) != NULL;
}

static char *openai_identity(const struct config *config)
{
    char *identity;

    return asprintf(&identity, "%s %s", config->openai_tts_model, config->openai_tts_voice) < 0 ? NULL : identity;
}

static void openai_close(void *voice)
{
    struct openai *openai = voice;

    http_provider_free(openai->provider);
    free(openai);
}

static int openai_open(const struct tts_options *options, void **ret_voice)
{
    const struct config *config = options->config;
    struct openai *openai = calloc(1, sizeof(*openai));
    struct http_provider_options provider = {
        .base_url = config_tts_url(config),
        .path = "audio/speech",
        .key = config->openai_api_key,
        .connect_ms = CONNECT_MS,
    };

    if (!openai)
        return -ENOMEM;
    openai->model = config->openai_tts_model;
    openai->voice = config->openai_tts_voice;
    int r = http_provider_new(options->client, &provider, &openai->provider);
    if (r < 0) {
        openai_close(openai);
        return log_err(r, "OPENAI_BASE_URL cannot be used");
    }
    *ret_voice = openai;
    return 0;
}

static void openai_warm(void *voice)
{
    http_warm(((struct openai *)voice)->provider);
}

static void openai_stats(void *voice, struct http_provider_stats *ret_stats)
{
    http_provider_stats(((struct openai *)voice)->provider, ret_stats);
}

static const struct tts_remote remote = {
    .open = openai_open,
    .close = openai_close,
    .warm = openai_warm,
    .stats = openai_stats,
    .attempt_new = attempt_new,
    .start = attempt_start,
    .release = attempt_release,
};

const struct tts_engine tts_openai = { "openai", openai_can, openai_identity, NULL, &remote };
