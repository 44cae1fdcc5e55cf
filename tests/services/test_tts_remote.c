/*
 * test_tts_remote.c - voices over the network: what they are asked, and every way they can fail in
 *
 * The service is in this process and behaves as the first part of the path says; the token is the test's own. The voice
 * that takes over is the embedded one.
 */
#include "services/tts.h"

#include <errno.h>
#include <math.h>

#include "config.h"
#include "services/fake_provider.h"
#include "scratch.h"
#include "services/google_token.h"
#include "services/http_client.h"
#include "services/speak.h"
#include "services/tts_engine.h"
#include "services/tts_google.h"
#include "tap.h"
#include "utils/base64.h"
#include "utils/text.h"
#include "utils/utf8.h"

enum { TONE_MS = 1200, CROWD = 100 };

/* --- the token */

struct google_token {
    _Atomic unsigned n_refused;
};

void google_token_get(struct google_token *token, char ret_bearer[GOOGLE_TOKEN_MAX])
{
    (void)snprintf(ret_bearer, GOOGLE_TOKEN_MAX, "token-%u", token->n_refused);
}

void google_token_refused(struct google_token *token, const char *bearer)
{
    token->n_refused++;
}

/* --- the service */

static sem_t let_go; /* whoever is silent waits for it */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static char last_head[1024];

static void say_bytes(struct fake_connection *connection, const void *bytes, size_t n)
{
    for (const char *at = bytes; n;) {
        ssize_t sent = send(connection->fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
        n -= (size_t)sent;
    }
}

static void say_head(struct fake_connection *connection, unsigned status, const char *type, size_t n)
{
    char head[256];

    (void)snprintf(head, sizeof(head), "HTTP/1.1 %u So\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status, type, n);
    fake_say(connection, head);
}

static void answer(struct fake_connection *connection, unsigned status, const char *type, const char *body)
{
    say_head(connection, status, type, strlen(body));
    fake_say(connection, body);
}

/* A second of a tone between silences, 16 bit. */
static int16_t *tone(unsigned rate_hz, unsigned before_ms, unsigned ms, unsigned after_ms, size_t *ret_n)
{
    size_t n_before = (size_t)before_ms * rate_hz / 1000, n_tone = (size_t)ms * rate_hz / 1000;
    size_t n = n_before + n_tone + (size_t)after_ms * rate_hz / 1000;
    int16_t *pcm = calloc(n + 1, sizeof(*pcm));

    for (size_t i = 0; pcm && i < n_tone; i++)
        pcm[n_before + i] = (int16_t)(9000 * sin(2 * M_PI * 500 * (double)i / rate_hz));
    *ret_n = n;
    return pcm;
}

static void put32(uint8_t *at, size_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* As Google's: mu-law with an fmt chunk of 18 bytes, a fact chunk, and one of odd length that nobody asked for. */
static size_t google_wav(uint8_t *bytes, size_t n_data, const int16_t *pcm)
{
    static const uint8_t format[] = { 'f', 'm', 't', ' ', 18, 0, 0, 0, 7, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x40, 0x1F, 0, 0, 1, 0, 8, 0, 0, 0 };
    static const uint8_t odd[] = { 'L', 'I', 'S', 'T', 3, 0, 0, 0, 'a', 'b', 'c', 0 };
    size_t n = 0;

    memcpy(bytes, "RIFF    WAVE", 12), n = 12;
    memcpy(bytes + n, format, sizeof(format)), n += sizeof(format);
    memcpy(bytes + n, "fact\4\0\0\0    ", 12), put32(bytes + n + 8, n_data), n += 12;
    memcpy(bytes + n, odd, sizeof(odd)), n += sizeof(odd);
    memcpy(bytes + n, "data    ", 8), put32(bytes + n + 4, n_data), n += 8;
    ulaw_encode(pcm, bytes + n, n_data), n += n_data;
    put32(bytes + 4, n - 8);
    return n;
}

static void google_speaks(struct fake_connection *connection, unsigned before_ms, unsigned ms, bool is_pretty)
{
    size_t n_pcm;
    scoped(free) int16_t *pcm = tone(8000, before_ms, ms, 500, &n_pcm);
    scoped(free) uint8_t *wav = malloc(n_pcm + 128);
    scoped(free) char *text = calloc(1, BASE64_SIZE(n_pcm + 128) + 1), *body = malloc(BASE64_SIZE(n_pcm + 128) + 128);

    base64_encode(wav, google_wav(wav, n_pcm, pcm), text);
    (void)snprintf(body, BASE64_SIZE(n_pcm + 128) + 128, is_pretty ? "{\n  \"timepoints\": [],\n  \"audioContent\": \"%s\"\n}\n" : "{\"audioContent\":\"%s\"}", text);
    answer(connection, 200, "application/json; charset=UTF-8", body);
}

static bool half(struct fake_connection *connection, bool is_reset)
{
    size_t n;
    scoped(free) int16_t *pcm = tone(24000, 200, 900, 0, &n);

    say_head(connection, 200, "audio/pcm", n * 4);
    say_bytes(connection, pcm, n * sizeof(*pcm));
    sem_wait(&let_go);
    if (is_reset) /* so Linux disconnects at once */
        (void)connect(connection->fd, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr));
    return false;
}

/* In pieces that split samples. */
static void openai_speaks(struct fake_connection *connection, unsigned before_ms, unsigned ms, const char *type)
{
    size_t n, n_bytes;
    scoped(free) int16_t *pcm = tone(24000, before_ms, ms, 700, &n);

    n_bytes = n * sizeof(*pcm);
    say_head(connection, 200, type, n_bytes);
    for (size_t at = 0, piece = 777; at < n_bytes; at += piece)
        say_bytes(connection, (const char *)pcm + at, n_bytes - at < piece ? n_bytes - at : piece);
}

static bool google_answers(struct fake_connection *connection, const char *how)
{
    static const char refused[] = "{\"error\":{\"code\":400,\"message\":\"of 050-1234567\",\"status\":\"INVALID_ARGUMENT\"}}";
    static const struct {
        const char *how;
        unsigned status;
        const char *type, *body;
    } plain[] = {
        { "malformed", 200, "application/json", "{\"audioContent\":\"UklG" },
        { "html", 200, "text/html", "<html>hello</html>" },
        { "nothing", 200, "application/json", "{}" },
        { "array", 200, "application/json", "[\"audioContent\"]" },
        { "number", 200, "application/json", "{\"audioContent\":7}" },
        { "nobase64", 200, "application/json", "{\"audioContent\":\"UklG*A==\"}" },
        { "nowav", 200, "application/json", "{\"audioContent\":\"aGVsbG8gdGhlcmU=\"}" },
        { "empty", 200, "application/json", "" },
        { "refused", 400, "application/json", refused },
        { "unauthorised", 401, "application/json", "{\"error\":{\"status\":\"UNAUTHENTICATED\"}}" },
        { "forbidden", 403, "application/json", "{\"error\":{\"status\":\"PERMISSION_DENIED\"}}" },
        { "lost", 404, "text/html", "<html>" },
        { "busy", 429, "application/json", "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\"}}" },
        { "broken", 500, "application/json", "{\"error\":{\"status\":\"lower case and\\nlines\"}}" },
    };
    unsigned n = connection->provider->n_requests;

    for (size_t i = 0; i < ELEMENTSOF(plain); i++)
        if (strcmp(how, plain[i].how) == 0) {
            answer(connection, plain[i].status, plain[i].type, plain[i].body);
            return true;
        }
    if (strcmp(how, "once401") == 0 && n == 1)
        answer(connection, 401, "application/json", "{}");
    else if (strcmp(how, "once503") == 0 && n == 1)
        answer(connection, 503, "application/json", "{}");
    else if (strcmp(how, "silent") == 0)
        sem_wait(&let_go);
    else if (strcmp(how, "stall") == 0) {
        say_head(connection, 200, "application/json", 1000);
        fake_say(connection, "{\"audioContent\":");
        sem_wait(&let_go);
    } else if (strcmp(how, "close") == 0) {
        say_head(connection, 200, "application/json", 1000);
        fake_say(connection, "{\"audioContent\":");
        return false;
    } else if (strcmp(how, "quiet") == 0)
        google_speaks(connection, 30000, 0, false);
    else if (strcmp(how, "pretty") == 0)
        google_speaks(connection, 300, TONE_MS, true);
    else
        google_speaks(connection, 300, TONE_MS, false);
    return true;
}

static bool openai_answers(struct fake_connection *connection, const char *how)
{
    static const struct {
        const char *how, *type, *bytes;
        unsigned status;
    } plain[] = {
        { "mp3", "audio/mpeg", "ID3whatever", 200 },
        { "liar", "audio/pcm", "RIFF....WAVEfmt ", 200 },
        { "json", "application/json", "{\"error\":\"oops\"}", 200 },
        { "nothing", "audio/pcm", "", 200 },
        { "byte", "audio/pcm", "a", 200 },
        { "unauthorised", "application/json", "{\"error\":{\"code\":\"invalid_api_key\"}}", 401 },
        { "lost", "application/json", "{\"detail\":\"Not Found\"}", 404 },
        { "busy", "application/json", "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", 429 },
        { "broken", "application/json", "{\"error\":\"oops\"}", 500 },
    };

    for (size_t i = 0; i < ELEMENTSOF(plain); i++)
        if (strcmp(how, plain[i].how) == 0) {
            answer(connection, plain[i].status, plain[i].type, plain[i].bytes);
            return true;
        }
    if (strcmp(how, "silent") == 0)
        sem_wait(&let_go);
    else if (strcmp(how, "half") == 0 || strcmp(how, "cut") == 0)
        return half(connection, how[0] == 'c');
    else if (strcmp(how, "quiet") == 0)
        openai_speaks(connection, 30000, 0, "audio/pcm");
    else if (strcmp(how, "short") == 0)
        openai_speaks(connection, 100, 120, "application/octet-stream");
    else
        openai_speaks(connection, 400, TONE_MS, "audio/pcm");
    return true;
}

static bool serve(struct fake_connection *connection)
{
    char how[32] = "";
    bool is_google = strstr(connection->request, "/text:synthesize ") != NULL;

    (void)sscanf(connection->request, "POST /%31[^/]/", how);
    pthread_mutex_lock(&lock);
    (void)text_set(last_head, sizeof(last_head), connection->request);
    pthread_mutex_unlock(&lock);
    return is_google ? google_answers(connection, how) : openai_answers(connection, how);
}

/* --- one setting */

struct setting {
    struct fake_provider service;
    struct http_client *client;
    struct google_token token;
    struct config config;
    struct tts *tts;
    char google_url[128], openai_url[128];
};

static bool setup(struct setting *s, const char *google, const char *openai, const char *cache_dir)
{
    struct tts_options options = { .config = &s->config };

    *s = (struct setting){ .config = { .tts_voice = "rms", .cache_dir = cache_dir, .openai_tts_model = openai ? "tts-1" : "none",
                                       .openai_tts_voice = "alloy", .openai_api_key = "sk-secret", .tts_timeout_ms = 500 } };
    sem_init(&let_go, 0, 0);
    if (fake_provider_open(&s->service, serve) != 0 ||
        http_client_new(&(struct http_client_options){ .calls_max = 256 }, &s->client) < 0)
        return false;
    (void)snprintf(s->google_url, sizeof(s->google_url), "%s/%s", s->service.url, google ? google : "");
    (void)snprintf(s->openai_url, sizeof(s->openai_url), "%s/%s", s->service.url, openai ? openai : "");
    s->config.google_tts_base_url = s->google_url;
    s->config.openai_base_url = s->openai_url;
    s->config.google_tts_sa_json = google ? "{}" : NULL;
    options.client = s->client;
    options.token = google ? &s->token : NULL;
    return tts_open(&options, &s->tts) == 0;
}

static void teardown(struct setting *s)
{
    for (int i = 0; i < 2 * CROWD; i++)
        sem_post(&let_go);
    tts_close(s->tts);
    http_client_free(s->client);
    fake_provider_close(&s->service);
    sem_destroy(&let_go);
}

static const struct row {
    const char *how, *cause; /* cause NULL: it speaks */
    unsigned n_requests;     /* 0: any number */
    bool is_english;         /* the embedded voice takes over */
} google_rows[] = {
    { "ok", NULL, 1, false },
    { "pretty", NULL, 1, false },
    { "once401", NULL, 2, false },
    { "once503", NULL, 2, false },
    { "malformed", "not what is documented", 1, true },
    { "html", "not what is documented", 1, true },
    { "nothing", "not what is documented", 1, true },
    { "array", "not what is documented", 1, true },
    { "number", "not what is documented", 1, true },
    { "empty", "not what is documented", 1, true },
    { "nobase64", "no base64", 1, true },
    { "nowav", "not a RIFF WAVE", 1, true },
    { "quiet", "nothing to be heard", 1, true },
    { "refused", "HTTP 400 INVALID_ARGUMENT, it takes the request for wrong", 1, true },
    { "unauthorised", "HTTP 401 UNAUTHENTICATED, it refuses the token", 2, true },
    { "forbidden", "HTTP 403 PERMISSION_DENIED, it does not permit this: is the Text-to-Speech API enabled", 1, true },
    { "lost", "HTTP 404, nobody speaks there", 1, true },
    { "busy", "HTTP 429 RESOURCE_EXHAUSTED, the project's quota", 0, true },
    { "broken", "HTTP 500, it answers with an error", 0, true },
    { "silent", "not there in time", 0, true },
    { "stall", "", 0, true },
    { "close", "broke", 0, true },
}, openai_rows[] = {
    { "ok", NULL, 1, false },
    { "short", NULL, 1, false },
    { "mp3", "PCM was asked for and audio/mpeg came", 1, true },
    { "liar", "PCM was asked for and WAV came", 1, true },
    { "json", "PCM was asked for and application/json came", 1, true },
    { "nothing", "nothing to be heard", 1, true },
    { "byte", "nothing to be heard", 1, true },
    { "quiet", "", 1, true },
    { "unauthorised", "HTTP 401, see OPENAI_API_KEY", 1, true },
    { "lost", "HTTP 404, see OPENAI_TTS_MODEL", 1, true },
    { "busy", "HTTP 429", 1, true },
    { "broken", "HTTP 500", 1, true },
    { "silent", "not there in time", 1, true },
};

static void try_row(const struct row *row, bool is_google)
{
    const char *name = is_google ? "google" : "openai";
    struct setting s;
    struct spoken_one one;

    if (!setup(&s, is_google ? row->how : NULL, is_google ? NULL : row->how, NULL)) {
        ok(false, "%s %s is set up", name, row->how);
        return;
    }
    int r = speak_wait(&one, s.tts, "en", NULL, "good morning");
    const struct tts_sentence *sentence = &one.sentence;
    const char *voice = sentence->voice ? sentence->voice : "";
    unsigned n_requests = s.service.n_requests;
    double seconds = sentence->clip ? (double)sentence->clip->n / 8000 : 0;

    ok(r == 0 && strcmp(voice, row->cause ? "flite" : name) == 0 && sentence->clip->state == CLIP_WHOLE, "%s, %s: %s speaks",
       name, row->how, voice);
    if (row->cause) {
        const struct tts_step *step = &sentence->steps[0];
        if (!ok(sentence->n_steps == 1 && strcmp(step->from, name) == 0 && strcmp(step->to, "flite") == 0 &&
                    strstr(step->cause, row->cause),
                "and it says why"))
            printf("# %u steps, %s\n", sentence->n_steps, step->cause);
        ok(!strstr(step->cause, "secret") && !strstr(step->cause, "050"), "without what is nobody's business");
    } else {
        double want = strcmp(row->how, "short") == 0 ? 0.27 : TONE_MS / 1000.0 + 0.15;
        ok(seconds > want - 0.02 && seconds < want + 0.02, "%.2f s, with silence cut off", seconds);
        ok(sentence->asked_ms && sentence->answered_ms >= sentence->asked_ms, "the wait is noted");
    }
    ok(row->n_requests == 0 || n_requests == row->n_requests, "after %u requests", n_requests);
    tts_sentence_done(&one.sentence);
    teardown(&s);
}

static void test_requests(void)
{
    static const struct {
        const char *language, *voice, *want;
    } rows[] = {
        { "he", NULL, "\"voice\":{\"languageCode\":\"he-IL\",\"name\":\"he-IL-Wavenet-A\"}" },
        { "en", NULL, "\"voice\":{\"languageCode\":\"en-US\",\"name\":\"en-US-Wavenet-F\"}" },
        { "en-GB", NULL, "\"voice\":{\"languageCode\":\"en-GB\"}" },
        { "fr", NULL, "\"voice\":{\"languageCode\":\"fr\"}" },
        { "he", "he-IL-Wavenet-D", "\"voice\":{\"languageCode\":\"he-IL\",\"name\":\"he-IL-Wavenet-D\"}" },
        { "en", "he-IL-Wavenet-D", "\"voice\":{\"languageCode\":\"en-US\",\"name\":\"en-US-Wavenet-F\"}" },
        { "en", "en-GB-Wavenet-B", "\"voice\":{\"languageCode\":\"en-GB\",\"name\":\"en-GB-Wavenet-B\"}" },
    };
    struct setting s;
    struct clip *clip = NULL;

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        if (!setup(&s, "ok", NULL, NULL))
            continue;
        tts_close(s.tts);
        s.config.google_tts_voice = rows[i].voice;
        (void)tts_open(&(struct tts_options){ .config = &s.config, .client = s.client, .token = &s.token }, &s.tts);
        is_int(speak_now(s.tts, rows[i].language, NULL, "\"1\"", &clip), 0, rows[i].language);
        clip_unref(steal(&clip));
        if (!ok(strstr(last_head, rows[i].want) != NULL, "it is asked for by %s", rows[i].want))
            printf("# %s\n", last_head);
        ok(strstr(last_head, "POST /ok/text:synthesize ") && strstr(last_head, "Authorization: Bearer token-0\r\n") &&
               strstr(last_head, "\"audioConfig\":{\"audioEncoding\":\"MULAW\",\"sampleRateHertz\":8000}") &&
               strstr(last_head, "Content-Type: application/json"),
           "as documented");
        teardown(&s);
    }
    if (!setup(&s, NULL, "ok", NULL))
        return;
    is_int(speak_now(s.tts, "he", NULL, "good morning", &clip), 0, "OpenAI speaks Hebrew");
    clip_unref(clip);
    ok(strstr(last_head, "POST /ok/audio/speech ") && strstr(last_head, "Authorization: Bearer sk-secret\r\n") &&
           strstr(last_head, "{\"model\":\"tts-1\",\"input\":\"good morning\",\"voice\":\"alloy\",\"response_format\":\"pcm\"}"),
       "and is asked as documented");
    teardown(&s);
}

static void test_long(void)
{
    static char text[15000];
    static const char sentence[] = "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xd7\xa2\xd7\x95\xd7\x9c\xd7\x9d. ";
    struct setting s;
    struct spoken_one one;
    size_t n = 0;

    while (n < 3900)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", sentence);
    if (!setup(&s, "ok", "ok", NULL))
        return;
    is_int(speak_wait(&one, s.tts, "he", NULL, text), 0, "a very long text is spoken");
    tts_sentence_done(&one.sentence);
    teardown(&s);

    while (n < sizeof(text) - 100)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", sentence);
    size_t n_said = 0, n_pieces = 0, n_bad = 0;
    for (const char *at = text; *at; n_pieces++) {
        size_t piece = tts_google_piece(at, TTS_GOOGLE_PIECE_MAX);
        n_bad += piece == 0 || piece > TTS_GOOGLE_PIECE_MAX || !utf8_valid(at, piece) || !strchr(" .", at[piece - 1]);
        at += piece;
        n_said += piece;
        if (!piece)
            break;
    }
    ok(n_said == strlen(text) && n_bad == 0 && n_pieces == 3, "it is cut in %zu pieces, at the ends of sentences", n_pieces);
    static const struct {
        const char *text;
        size_t max, want;
    } cuts[] = {
        { "one. two three", 20, 14 }, { "one. two three", 9, 4 }, { "onetwo three", 9, 6 }, { "onetwothree", 9, 9 },
        { "\xd7\xa9\xd7\x9c\xd7\x95", 5, 4 }, { "", 5, 0 }, { "1.5 and 2.5 or", 12, 11 }, { "k\xb2\xb2\xb2\xb2\xb2\xb2", 5, 5 },
    };
    for (size_t i = 0; i < ELEMENTSOF(cuts); i++)
        is_int(tts_google_piece(cuts[i].text, cuts[i].max), cuts[i].want, cuts[i].text);
}

/* What is played already breaks: the next voice says it again, from its start. */
static void test_broken(void)
{
    static const char *const ways[] = { "half", "cut" };

    for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
        struct setting s;
        struct spoken_one one;

        if (!setup(&s, NULL, ways[i], NULL))
            return;
        if (ways[i][0] == 'c') /* else the silence ends it */
            sem_post(&let_go);
        is_int(speak_wait(&one, s.tts, "en", NULL, "good morning"), 0, "there is audio");
        ok(one.sentence.clip->state == CLIP_BROKEN && one.sentence.clip->n > 6000 && one.sentence.clip->n < 8000,
           "which breaks after %zu ms", one.sentence.clip->n / 8);
        sem_init(&one.over, 0, 0);
        is_int(tts_say_again(&one.sentence), 0, "it is said again");
        sem_wait(&one.over);
        ok(one.sentence.r == 0 && one.sentence.clip->state == CLIP_WHOLE && strcmp(one.sentence.voice, "flite") == 0,
           "by the next voice");
        ok(one.sentence.n_steps == 1 && strcmp(one.sentence.steps[0].to, "flite") == 0, "%s", one.sentence.steps[0].cause);
        tts_sentence_done(&one.sentence);

        struct tts_stats stats;
        tts_stats(s.tts, &stats);
        ok(stats.n_broken == 1 && stats.voices[0].is_resting, "it is counted, and the voice rests");
        is_int(speak_wait(&one, s.tts, "en", NULL, "once more"), 0, "meanwhile");
        ok(strcmp(one.sentence.voice, "flite") == 0 && one.sentence.steps[0].is_rest, "the other one speaks at once");
        tts_sentence_done(&one.sentence);
        teardown(&s);
    }
}

/* PCM says nothing of its length, and may end as it should and far too soon: who said so little did not say all of it. */
static void test_too_soon(void)
{
    static const struct {
        const char *how, *language, *text;
        unsigned asked_again; /* requests, when it is said a second time */
        bool is_taken;
    } rows[] = {
        { "short", "en", "good morning", 1, true },
        { "short", "en", "\xe2\x80\x94 ... !!! , , , , , , , , , , , , , , , , , , , , , , , yes", 1, true },
        { "short", "en", "We are open on Monday from nine to five.", 1, false },
        { "short", "he", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d, \xd7\x9b\xd7\x90\xd7\x9f \xd7\x9e\xd7\x93\xd7\x91\xd7\xa8\xd7\xaa \xd7\x93\xd7\xa0\xd7\x94", 2, false },
        { "short", "he", "\xd7\xa9\xd6\xb8\xd7\x81\xd7\x9c\xd7\x95\xd6\xb9\xd7\x9d", 1, true }, /* its points are not spoken */
        { "ok", "en", "We are open on Monday from nine to five.", 1, true },
        { "ok", "en", "We are open on Monday from nine to five, on Tuesday from nine to one, and on Friday in the morning.", 1, false },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct setting s;
        struct spoken_one one;
        struct tts_stats stats;

        if (!setup(&s, NULL, rows[i].how, scratch()))
            return;
        (void)speak_wait(&one, s.tts, rows[i].language, NULL, rows[i].text);
        ok((one.sentence.clip && one.sentence.clip->state == CLIP_WHOLE && strcmp(one.sentence.voice, "openai") == 0) == rows[i].is_taken,
           "%s, %zu bytes of text: %s", rows[i].how, strlen(rows[i].text), rows[i].is_taken ? "taken" : "it is not whole");
        if (!rows[i].is_taken && one.sentence.n_steps)
            ok(strstr(one.sentence.steps[0].cause, "too soon") != NULL, "%s", one.sentence.steps[0].cause);
        tts_sentence_done(&one.sentence);
        (void)speak_wait(&one, s.tts, rows[i].language, NULL, rows[i].text);
        tts_sentence_done(&one.sentence);
        tts_stats(s.tts, &stats);
        is_int(stats.voices[0].n_cached, rows[i].is_taken, rows[i].is_taken ? "and kept" : "and not kept");
        is_int(s.service.n_requests, rows[i].asked_again, "requests");
        teardown(&s);
    }
}

static void test_ladder(void)
{
    struct setting s;
    struct spoken_one one;
    struct tts_stats stats;

    if (!setup(&s, "forbidden", "ok", scratch()))
        return;
    is_int(speak_wait(&one, s.tts, "he", NULL, "shalom"), 0, "Google fails and OpenAI speaks");
    ok(strcmp(one.sentence.voice, "openai") == 0 && one.sentence.n_steps == 1, "one step");
    tts_sentence_done(&one.sentence);
    unsigned n_requests = s.service.n_requests;
    is_int(speak_wait(&one, s.tts, "he", NULL, "shalom"), 0, "the second time");
    ok(strcmp(one.sentence.voice, "openai") == 0 && s.service.n_requests == n_requests, "nobody is asked: the cache has it");
    tts_sentence_done(&one.sentence);
    tts_stats(s.tts, &stats);
    ok(strcmp(stats.voices[0].name, "google") == 0 && stats.voices[0].n_failed == 1 && stats.voices[0].is_resting &&
           stats.voices[1].n_spoken == 1 && stats.voices[1].n_cached == 1 && stats.n_stepped_down == 2,
       "all is counted");
    teardown(&s);

    /* the cache keeps each voice's own: when the better one is back, it is heard */
    if (!setup(&s, "ok", "ok", scratch()))
        return;
    is_int(speak_wait(&one, s.tts, "he", NULL, "shalom"), 0, "Google is back");
    is_str(one.sentence.voice, "google", "and speaks");
    tts_sentence_done(&one.sentence);
    teardown(&s);

    if (!setup(&s, "refused", "ok", NULL))
        return;
    is_int(speak_wait(&one, s.tts, "he", NULL, "shalom"), 0, "a voice that takes the first request for wrong");
    tts_sentence_done(&one.sentence);
    is_int(speak_wait(&one, s.tts, "he", NULL, "toda"), 0, "is not asked");
    ok(one.sentence.steps[0].is_rest && s.service.n_requests == 3, "with each sentence");
    tts_sentence_done(&one.sentence);
    teardown(&s);

    if (!setup(&s, "lost", "lost", NULL))
        return;
    is_int(speak_wait(&one, s.tts, "he", NULL, "shalom"), -EIO, "nobody speaks");
    ok(one.sentence.n_steps == 2 && strcmp(one.sentence.steps[0].to, "openai") == 0 && !one.sentence.steps[1].to[0],
       "after two steps, the last to nobody");
    tts_sentence_done(&one.sentence);
    is_int(speak_wait(&one, s.tts, "he", NULL, "shalom"), -EIO, "nor again");
    ok(s.service.n_requests == 3, "the last one is asked all the same, whoever rests");
    tts_sentence_done(&one.sentence);
    ok(tts_can(s.tts, "he") && tts_can_remotely(s.tts, "he"), "they could");
    teardown(&s);
}

/* --- a crowd */

static _Atomic unsigned n_over, n_canceled;
static sem_t all_over, is_free;

static void crowd_audio(struct tts_sentence *sentence, bool is_over)
{
    n_canceled += sentence->r == -ECANCELED;
    if (is_over && ++n_over == CROWD)
        sem_post(&all_over);
}

static void crowd_over(struct tts_sentence *sentence)
{
    if (++n_over == CROWD)
        sem_post(&all_over);
}

static void run_nothing(struct engine_job *job, unsigned thread)
{
}

static void done_nothing(struct engine_job *job)
{
    sem_post(&is_free);
}

/* They hold no engine thread while they are out, and go home when nobody wants them any more. */
static void test_crowd(void)
{
    static struct tts_sentence crowd[CROWD];
    static struct setting s;
    struct engine_job job = { .run = run_nothing, .done = done_nothing };
    unsigned n_sent = 0;

    sem_init(&all_over, 0, 0);
    sem_init(&is_free, 0, 0);
    if (!setup(&s, "silent", NULL, NULL))
        return;
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = (struct tts_sentence){ .tts = s.tts, .engine = speak_engine(), .language = "he", .text = "shalom",
                                          .is_patient = true, .on_audio = crowd_audio, .on_over = crowd_over };
        n_sent += tts_say(&crowd[i]) == 0;
    }
    is_int(n_sent, CROWD, "many are sent");
    while (s.service.n_requests < CROWD)
        sched_yield();
    is_int(n_over, 0, "and all of them are out");
    is_int(engine_submit(speak_engine(), &job), 0, "a job for the engines");
    sem_wait(&is_free);
    ok(true, "is done meanwhile");
    for (int i = 0; i < CROWD; i++) {
        tts_give_up(&crowd[i]);
        tts_give_up(&crowd[i]);
    }
    sem_wait(&all_over);
    is_int(n_canceled, CROWD, "given up, they are over");
    for (int i = 0; i < CROWD; i++)
        tts_sentence_done(&crowd[i]);

    /* given up at any moment */
    n_over = n_canceled = 0;
    for (int i = 0; i < CROWD; i++) {
        crowd[i].is_unwanted = false;
        crowd[i].r = 0;
        n_sent += tts_say(&crowd[i]) == 0;
        tts_give_up(&crowd[i]);
    }
    sem_wait(&all_over);
    is_int(n_canceled, CROWD, "those that are given up at once are, too");
    for (int i = 0; i < CROWD; i++)
        tts_sentence_done(&crowd[i]);
    teardown(&s);
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(google_rows); i++)
        try_row(&google_rows[i], true);
    for (size_t i = 0; i < ELEMENTSOF(openai_rows); i++)
        try_row(&openai_rows[i], false);
    test_requests();
    test_long();
    test_broken();
    test_too_soon();
    test_ladder();
    test_crowd();
    return done_testing();
}
