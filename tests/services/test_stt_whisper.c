/*
 * test_stt_whisper.c - what Whisper's answers say, and what is not believed of them
 */
#include "services/stt_whisper.h"

#include <errno.h>
#include <math.h>

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

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct stt_result result = { .confidence = -1 };
        int r = stt_whisper_read(rows[i].json, strlen(rows[i].json), rows[i].seconds, &result);

        ok(r == rows[i].r && result.understood == (rows[i].want != NULL) && fabs(result.confidence - rows[i].confidence) < 0.01,
           "%s: %d, %.3f", rows[i].what, r, result.confidence);
        is_str(result.text, rows[i].want ?: "", "  and its text");
    }
    return done_testing();
}
