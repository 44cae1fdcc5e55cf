/*
 * tts_google.c - WaveNet: Google's Text-to-Speech
 *
 * One request for each sentence, answered whole: mu-law in a WAV file in base64 in JSON. (What streams is gRPC, and not
 * WaveNet.) A text that is too long for one request is asked for piece by piece, one after the other. The answer is read
 * on the http client's thread: a fraction of a millisecond for ten seconds of speech.
 *
 * 401 once: the token may have been withdrawn, and another one is at hand or soon will be. Then it is final.
 */
#include "services/tts_google.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "services/google_token.h"
#include "services/tts.h"
#include "services/tts_render.h"
#include "utils/base64.h"
#include "utils/clock.h"
#include "utils/json.h"
#include "utils/language.h"
#include "utils/log.h"
#include "utils/text.h"

enum { CONNECT_MS = 1000, STALL_MS = 1000, BODY_MAX = 8 * MIB, STATUS_MAX = 32, WHY_MAX = 160 };

/* Who speaks, when GOOGLE_TTS_VOICE does not say. */
static const struct {
    const char *language, *code, *name;
} voices[] = {
    { "he", "he-IL", "he-IL-Wavenet-A" },
    { "en", "en-US", "en-US-Wavenet-F" },
};

static const struct {
    unsigned status;
    const char *why;
} refusals[] = {
    { 400, "it takes the request for wrong; see GOOGLE_TTS_VOICE" },
    { 401, "it refuses the token of the service account" },
    { 403, "it does not permit this: is the Text-to-Speech API enabled for the project, and billing?" },
    { 404, "nobody speaks there: see GOOGLE_TTS_BASE_URL" },
    { 429, "the project's quota is used up" },
};

struct google {
    struct http_provider *provider;
    struct google_token *token;
    const char *voice; /* NULL: by the language */
};

struct google_attempt {
    struct tts_attempt super; /* first */
    struct google *google;
    char language[16];
    const char *rest; /* of the text, from the piece that is asked for on */
    size_t n_piece;
    unsigned timeout_ms;
    uint64_t deadline_ms; /* from when it is started */
    int16_t *pcm; /* of the pieces that came */
    size_t n_pcm;
    bool was_refused; /* with 401 */
    char bearer[GOOGLE_TOKEN_MAX];
    char why[WHY_MAX];
};

/* --- what is asked */

size_t tts_google_piece(const char *text, size_t max)
{
    size_t n = text_fit(text, strlen(text), max), at_word = 0, at_sentence = 0;

    if (!text[n])
        return n;
    if (n == 0) /* no UTF-8 */
        return max;
    for (size_t i = 1; i <= n; i++)
        if (text[i] == ' ' || text[i - 1] == '\n') {
            at_word = i;
            at_sentence = strchr(".!?:\n", text[i - 1]) ? i : at_sentence;
        }
    return at_sentence ? at_sentence : at_word ? at_word : n;
}

static struct json_object *with_text(const char *key, const char *text, size_t n)
{
    struct json_object *object = json_object_new_object();

    if (object && json_add(object, key, json_text(text, n)) < 0) {
        json_object_put(object);
        return NULL;
    }
    return object;
}

static struct json_object *voice_of(const struct google *google, const char *language)
{
    const char *code = language, *name = NULL;

    for (size_t i = 0; i < ELEMENTSOF(voices); i++)
        if (language_is(language, voices[i].language)) {
            code = strchr(language, '-') ? language : voices[i].code;
            name = voices[i].name;
        }
    size_t n_language = strcspn(language, "-"), n_code = strlen(code);
    if (google->voice && strncmp(google->voice, language, n_language) == 0 && google->voice[n_language] == '-') {
        name = code = google->voice; /* "he-IL-Wavenet-D" */
        n_code = n_language + 1 + strcspn(name + n_language + 1, "-");
    }
    struct json_object *voice = with_text("languageCode", code, n_code);
    if (voice && name && strncmp(name, code, n_code) == 0)
        (void)json_add(voice, "name", json_text(name, strlen(name)));
    return voice;
}

static struct json_object *format(void)
{
    struct json_object *format = with_text("audioEncoding", "MULAW", strlen("MULAW"));

    if (format)
        (void)json_add(format, "sampleRateHertz", json_object_new_int(TTS_RATE_HZ));
    return format;
}

/* The request for the next piece, in memory of its own. */
static int compose(struct google_attempt *attempt)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();
    struct http_call *call = &attempt->super.call;
    const char *text;
    int r = json ? 0 : -ENOMEM;

    attempt->n_piece = tts_google_piece(attempt->rest, TTS_GOOGLE_PIECE_MAX);
    if (r == 0)
        r = json_add(json, "input", with_text("text", attempt->rest, attempt->n_piece));
    if (r == 0)
        r = json_add(json, "voice", voice_of(attempt->google, attempt->language));
    if (r == 0)
        r = json_add(json, "audioConfig", format());
    text = r == 0 ? json_print(json, &call->n_content) : NULL;
    free((char *)call->content);
    call->content = text ? strdup(text) : NULL;
    return call->content ? 0 : -ENOMEM;
}

/* --- what is answered */

int tts_google_read(const char *json, size_t n, struct wav *ret_wav, const char **ret_why)
{
    scoped(json_object_put) struct json_object *answer = NULL;
    struct json_object *content = NULL;

    *ret_why = "its answer is not what is documented";
    int r = json_parse(json, n, &answer);
    if (r < 0)
        return r;
    if (!json_object_is_type(answer, json_type_object) || !json_object_object_get_ex(answer, "audioContent", &content) ||
        !json_object_is_type(content, json_type_string))
        return -EBADMSG;

    size_t n_text = (size_t)json_object_get_string_len(content);
    scoped(free) uint8_t *bytes = malloc(n_text / 4 * 3 + 1);
    if (!bytes)
        return -ENOMEM;
    *ret_why = "its audio is no base64";
    ssize_t n_bytes = base64_decode(json_object_get_string(content), n_text, bytes, n_text / 4 * 3 + 1);
    return n_bytes < 0 ? -EBADMSG : wav_parse(bytes, (size_t)n_bytes, ret_wav, ret_why);
}

static void end(struct google_attempt *attempt, int r, const char *why)
{
    struct tts_attempt *super = &attempt->super;

    super->r = r;
    super->why = why;
    super->on_end(super);
}

/* Behind what came before. */
static int append(struct google_attempt *attempt, struct wav *wav)
{
    scoped(free) int16_t *pcm = NULL;
    size_t n = 0;

    int r = wav_to_mono(wav, TTS_RATE_HZ, &pcm, &n);
    wav_done(wav);
    if (r < 0)
        return r;
    if (n > TTS_CLIP_MAX - attempt->n_pcm)
        return -EFBIG;
    int16_t *all = realloc(attempt->pcm, (attempt->n_pcm + n + 1) * sizeof(*all));
    if (!all)
        return -ENOMEM;
    memcpy(all + attempt->n_pcm, pcm, n * sizeof(*all));
    attempt->pcm = all;
    attempt->n_pcm += n;
    return 0;
}

/* Its level is good, and its samples stay as they are. */
static int make_clip(struct google_attempt *attempt)
{
    size_t first, n = tts_cut(attempt->pcm, attempt->n_pcm, &first);

    return n ? tts_clip_from(attempt->pcm + first, n, &attempt->super.clip) : -EIO;
}

static void ask(struct google_attempt *attempt)
{
    struct http_call *call = &attempt->super.call;
    uint64_t now_ms = clock_mono_ms();

    if (now_ms >= attempt->deadline_ms) {
        end(attempt, -ETIMEDOUT, "the answer is not there in time");
        return;
    }
    call->first_byte_ms = call->total_ms = (unsigned)(attempt->deadline_ms - now_ms);
    google_token_get(attempt->google->token, attempt->bearer);
    http_start(call);
}

static void take(struct google_attempt *attempt, const char *body, size_t n)
{
    struct wav wav = { 0 };
    const char *why = "";

    int r = tts_google_read(body, n, &wav, &why);
    if (r == 0)
        r = append(attempt, &wav);
    attempt->rest += attempt->n_piece;
    attempt->rest += strspn(attempt->rest, " \n");
    if (r == 0 && *attempt->rest) {
        r = compose(attempt);
        if (r == 0) {
            ask(attempt);
            return;
        }
    }
    if (r == 0) {
        r = make_clip(attempt);
        why = "there is nothing to be heard";
    }
    if (r == 0) {
        attempt->super.audio_ms = clock_mono_ms();
        attempt->super.on_audio(&attempt->super);
    }
    end(attempt, r, r == 0 ? "" : r == -EFBIG ? "what it says has no end" : why);
}

/* Google's own word for it, which is one of a list: "PERMISSION_DENIED". */
static void read_status(const char *body, size_t n, char ret[STATUS_MAX])
{
    scoped(json_object_put) struct json_object *answer = NULL;
    struct json_object *error = NULL;
    const char *word = NULL;

    ret[0] = '\0';
    if (body && json_parse(body, n, &answer) == 0 && json_object_is_type(answer, json_type_object) &&
        json_object_object_get_ex(answer, "error", &error) && json_object_is_type(error, json_type_object))
        word = json_get_text(error, "status");
    if (word && !word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")])
        (void)snprintf(ret, STATUS_MAX, " %s", word);
}

static void refuse(struct google_attempt *attempt, const char *body)
{
    const struct http_call *call = &attempt->super.call;
    const char *why = call->why;
    char status[STATUS_MAX];

    for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
        why = refusals[i].status == call->status ? refusals[i].why : why;
    read_status(body, call->n_body, status);
    (void)snprintf(attempt->why, sizeof(attempt->why), "HTTP %u%s, %s", call->status, status, why);
    end(attempt, call->r, attempt->why);
}

static void answered(struct http_call *call)
{
    struct google_attempt *attempt = (struct google_attempt *)call;
    scoped(free) char *body = steal(&call->body);

    if (call->r == 0) {
        take(attempt, body ? body : "", call->n_body);
    } else if (call->r == -EREMOTEIO && call->status == 401 && !attempt->was_refused) {
        attempt->was_refused = true;
        google_token_refused(attempt->google->token, attempt->bearer);
        ask(attempt);
    } else if (call->r == -EREMOTEIO) {
        refuse(attempt, body);
    } else {
        end(attempt, call->r, call->why);
    }
}

/* --- the voice */

static void attempt_start(struct tts_attempt *super)
{
    struct google_attempt *attempt = (struct google_attempt *)super;

    attempt->deadline_ms = clock_mono_ms() + attempt->timeout_ms;
    ask(attempt);
}

static void attempt_release(struct tts_attempt *super)
{
    struct google_attempt *attempt = (struct google_attempt *)super;

    clip_unref(super->clip);
    explicit_bzero(attempt->bearer, sizeof(attempt->bearer));
    free((char *)super->call.content);
    free(attempt->pcm);
    free(attempt);
}

static int attempt_new(void *voice, const struct tts_order *order, struct tts_attempt **ret_attempt)
{
    struct google_attempt *attempt = calloc(1, sizeof(*attempt));

    if (!attempt)
        return -ENOMEM;
    attempt->google = voice;
    attempt->rest = order->text;
    attempt->timeout_ms = order->timeout_ms;
    (void)text_set(attempt->language, sizeof(attempt->language), order->language);
    attempt->super.call = (struct http_call){
        .provider = attempt->google->provider,
        .content_type = "application/json; charset=utf-8",
        .bearer = attempt->bearer,
        .is_repeatable = true,
        .stall_ms = STALL_MS,
        .body_max = BODY_MAX,
        .done = answered,
    };
    int r = compose(attempt);
    if (r < 0) {
        attempt_release(&attempt->super);
        return r;
    }
    *ret_attempt = &attempt->super;
    return 0;
}

static bool google_can(const struct config *config, const char *language)
{
    return config->google_tts_sa_json || config->google_application_credentials;
}

static char *google_identity(const struct config *config)
{
    return strdup(config->google_tts_voice ? config->google_tts_voice : "Wavenet-A/F");
}

static void google_close(void *voice)
{
    struct google *google = voice;

    http_provider_free(google->provider);
    free(google);
}

static int google_open(const struct tts_options *options, void **ret_voice)
{
    const struct config *config = options->config;
    struct google *google = options->token ? calloc(1, sizeof(*google)) : NULL;
    struct http_provider_options provider = {
        .base_url = config->google_tts_base_url,
        .path = "text:synthesize",
        .connect_ms = CONNECT_MS,
    };

    if (!google)
        return options->token ? -ENOMEM : 0;
    google->voice = config->google_tts_voice;
    google->token = options->token;
    int r = http_provider_new(options->client, &provider, &google->provider);
    if (r < 0) {
        google_close(google);
        return log_err(r, "GOOGLE_TTS_BASE_URL cannot be used");
    }
    *ret_voice = google;
    return 0;
}

static void google_warm(void *voice)
{
    http_warm(((struct google *)voice)->provider);
}

static void google_stats(void *voice, struct http_provider_stats *ret_stats)
{
    http_provider_stats(((struct google *)voice)->provider, ret_stats);
}

static const struct tts_remote remote = {
    .open = google_open,
    .close = google_close,
    .warm = google_warm,
    .stats = google_stats,
    .attempt_new = attempt_new,
    .start = attempt_start,
    .release = attempt_release,
};

const struct tts_engine tts_google = { "google", google_can, google_identity, NULL, &remote };
