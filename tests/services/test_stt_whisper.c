/*
 * test_stt_whisper.c - what Whisper's answers say, and what is not believed of them
 */
#include "services/stt_whisper.h"

#include <errno.h>
#include <math.h>
#include <semaphore.h>

#include "config.h"
#include "fake_provider.h"
#include "tap.h"

#define SEGMENT(text, figures) "{\"text\":\"" text "\"," figures "}"
#define SURE "\"avg_logprob\":-0.1,\"no_speech_prob\":0.01,\"compression_ratio\":1.1"
#define SILENCE "\"avg_logprob\":-0.9,\"no_speech_prob\":0.9,\"compression_ratio\":1.1"
#define LOOP "\"avg_logprob\":-0.1,\"no_speech_prob\":0.01,\"compression_ratio\":9"

static const struct {
    const char *what, *json;
    double seconds;
    int r;
    const char *want; /* NULL: not understood */
    double confidence;
} rows[] = {
    { "json", "{\"text\":\" Hello, it's Anna.\\n\"}", 2, 0, "Hello, it's Anna.", -1 },
    { "Hebrew", "{\"text\":\"שלום, מדברת דנה\"}", 2, 0, "שלום, מדברת דנה", -1 },
    { "verbose_json", "{\"text\":\"x\",\"segments\":[" SEGMENT(" A leak.", SURE) "]}", 2, 0, "A leak.", 0.905 },
    { "a segment of silence", "{\"text\":\"x\",\"segments\":[" SEGMENT(" Yes.", SURE) "," SEGMENT(" Bye.", SILENCE) "]}", 2, 0, "Yes.", 0.905 },
    { "silence alone", "{\"text\":\"Bye.\",\"segments\":[" SEGMENT(" Bye.", SILENCE) "]}", 2, 0, NULL, -1 },
    { "a loop", "{\"text\":\"x\",\"segments\":[" SEGMENT(" no no no", LOOP) "]}", 2, 0, NULL, -1 },
    { "no figures", "{\"text\":\"x\",\"segments\":[{\"text\":\" yes\"}]}", 1, 0, "yes", -1 },
    { "tokens", "{\"text\":\"yes\",\"logprobs\":[{\"token\":\"y\",\"logprob\":-0.1},{\"token\":\"es\",\"logprob\":-0.3}]}", 1, 0, "yes", 0.819 },
    { "no tokens", "{\"text\":\"yes\",\"logprobs\":[]}", 1, 0, "yes", -1 },
    { "tokens of nonsense", "{\"text\":\"yes\",\"logprobs\":[{\"logprob\":-0.1},null,{}]}", 1, 0, "yes", -1 },
    { "figures that are none", "{\"text\":\"x\",\"segments\":[" SEGMENT(" yes", "\"avg_logprob\":1e999") "]}", 1, 0, "yes", -1 },
    { "no segments", "{\"text\":\"yes\",\"segments\":[]}", 1, 0, "yes", -1 },
    { "nothing", "{\"text\":\"\"}", 1, 0, NULL, -1 },
    { "no words", "{\"text\":\" ... \"}", 1, 0, NULL, -1 },
    { "too many for the time", "{\"text\":\"this is much more than anybody says so soon\"}", 0.4, 0, NULL, -1 },
    { "subtitles", "{\"text\":\"Thank you for watching!\"}", 2, 0, NULL, -1 },
    { "Hebrew subtitles", "{\"text\":\"תודה רבה על הצפייה.\"}", 2, 0, NULL, -1 },
    { "thanks are no subtitles", "{\"text\":\"Thank you.\"}", 1, 0, "Thank you.", -1 },
    { "half a JSON", "{\"text\":\"hel", 1, -EBADMSG, NULL, -1 },
    { "no text", "{\"error\":\"x\"}", 1, -EBADMSG, NULL, -1 },
    { "text that is none", "{\"text\":7}", 1, -EBADMSG, NULL, -1 },
    { "segments that are none", "{\"text\":\"yes\",\"segments\":{\"a\":1}}", 1, 0, "yes", -1 },
    { "segments of nonsense", "{\"text\":\"yes\",\"segments\":[1,null,\"a\"]}", 1, 0, NULL, -1 },
    { "an array", "[1]", 1, -EBADMSG, NULL, -1 },
};

/* --- what it is asked */

static _Atomic unsigned n_warmed;

static bool serve(struct fake_connection *connection)
{
    if (strncmp(connection->request, "HEAD", 4) == 0) {
        n_warmed++;
        fake_say(connection, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
        return true;
    }
    fake_say(connection, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"text\":\"yes\"}");
    return true;
}

static void on_answer(struct stt_question *question)
{
    sem_post(question->user);
}

static void test_questions(void)
{
    static const struct {
        const char *language, *hints, *words, *model;
        enum answer_kind expect;
        const char *want_language, *want; /* the prompt; NULL none */
    } asked[] = {
        { "en", NULL, NULL, "whisper-1", ANSWER_FREE, "en", "Acme." },
        { "he-IL", "דנה כהן", NULL, "whisper-1", ANSWER_FREE, "he", "Acme. דנה כהן." },
        { "en", "Anna", "Haifa, Holon", "whisper-1", ANSWER_FREE, "en", "Haifa, Holon. Acme. Anna." },
        { "en", "", "Haifa, Holon", "whisper-1", ANSWER_FREE, "en", "Haifa, Holon. Acme." },
        { "en", "Anna", "Haifa, Holon", "whisper-1", ANSWER_YESNO, "en", NULL },
        { "en", NULL, NULL, "gpt-4o-transcribe", ANSWER_FREE, "en", "Acme." },
        { "en", NULL, NULL, "gpt-4o-transcribe-diarize", ANSWER_FREE, "en", NULL },
        { "en", NULL, NULL, "gpt-transcribe", ANSWER_FREE, "en", "Acme." },
    };
    static struct fake_provider server;
    static const int16_t pcm[800];
    scoped(http_client_free) struct http_client *client = NULL;
    sem_t over;

    sem_init(&over, 0, 0);
    if (!ok(fake_provider_open(&server, serve) == 0 && http_client_new(&(struct http_client_options){ .calls_max = 1 }, &client) == 0,
            "a server, and a client"))
        return;
    for (size_t i = 0; i < ELEMENTSOF(asked); i++) {
        struct config config = { .openai_api_key = "sk-openai", .openai_base_url = "https://api.openai.com/v1",
                                 .stt_base_url = server.url, .stt_api_key = "sk-stt", .stt_model = asked[i].model,
                                 .stt_hints = asked[i].words, .stt_timeout_ms = 60000, .business_name = "Acme" };
        struct stt_request request = { pcm, ELEMENTSOF(pcm), asked[i].language, asked[i].expect, asked[i].hints };
        scoped(stt_whisper_close) struct stt_whisper *whisper = NULL;
        struct stt_question *question = NULL;
        char want[256];

        if (!ok(stt_whisper_open(&config, client, (unsigned)(&config)->stt_timeout_ms, &whisper) == 0 && stt_whisper_question(whisper, &request, &question) == 0, "a question"))
            break;
        stt_whisper_warm(whisper);
        question->on_answer = on_answer;
        question->user = &over;
        stt_ask(question);
        sem_wait(&over);
        ok(question->r == 0 && strcmp(question->result.text, "yes") == 0, "  is answered");
        ok(question->asked_ms && question->asked_ms <= question->answered_ms, "  and it is known when");
        ok(fake_was_asked(&server, "Bearer sk-stt\r\n") && !fake_was_asked(&server, "sk-openai"), "  with the key of that host only");
        (void)snprintf(want, sizeof(want), "name=\"language\"\r\n\r\n%s\r\n", asked[i].want_language);
        ok(fake_was_asked(&server, want), "  in %s", asked[i].want_language);
        (void)snprintf(want, sizeof(want), "name=\"prompt\"\r\n\r\n%s\r\n", asked[i].want ?: "");
        ok(fake_was_asked(&server, asked[i].want ? want : "name=\"prompt\"") == (asked[i].want != NULL), "  hints: %s",
           asked[i].want ?: "none");
        (void)snprintf(want, sizeof(want), "name=\"response_format\"\r\n\r\n%s\r\n", asked[i].model[0] == 'g' ? "json" : "verbose_json");
        ok(fake_was_asked(&server, want), "  in the form that %s has", asked[i].model);
        ok(fake_was_asked(&server, "name=\"include[]\"\r\n\r\nlogprobs\r\n") == (strcmp(asked[i].model, "gpt-4o-transcribe") == 0),
           "  and how sure it was, where it has no other way to say it");
        stt_question_free(question);
    }
    http_client_free(steal(&client));
    fake_provider_close(&server);
    ok(n_warmed > 0, "connections are opened ahead");
    sem_destroy(&over);
}

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct stt_result result = { .confidence = -1 };
        int r = stt_whisper_read(rows[i].json, strlen(rows[i].json), rows[i].seconds, &result);

        ok(r == rows[i].r && result.understood == (rows[i].want != NULL) && fabs(result.confidence - rows[i].confidence) < 0.01,
           "%s: %d, %.3f", rows[i].what, r, result.confidence);
        is_str(result.text, rows[i].want ?: "", "  and its text");
    }
    test_questions();
    return done_testing();
}
