/*
 * voice_twiml.c - the documents that a call is answered with
 *
 * A document is a list of pieces, every second of which comes from outside and is escaped.
 */
#include "routes/voice_twiml.h"

#include <stdio.h>
#include <string.h>

#include "utils/language.h"
#include "utils/scoped.h"
#include "utils/text.h"

#define DIAL_RING_SECONDS "25"      /* below most mailboxes */
#define DIAL_LIMIT_SECONDS "14400"  /* Twilio's own; CRM_DIAL_MAX_MS */
#define RECORD_MAX_SECONDS "180"
#define RECORD_SILENCE_SECONDS "6"

static void add_escaped(char *text, size_t *n_used, const char *raw)
{
    static const struct {
        char letter;
        const char *entity;
    } entities[] = {
        { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&apos;" },
    };

    while (*raw) {
        size_t n = strcspn(raw, "&<>\"'");

        text_add(text, TWIML_MAX, n_used, raw, n);
        raw += n;
        for (size_t i = 0; *raw && i < ELEMENTSOF(entities); i++)
            if (entities[i].letter == *raw) {
                text_add(text, TWIML_MAX, n_used, entities[i].entity, strlen(entities[i].entity));
                raw++;
                break;
            }
    }
}

/* The pieces alternate: as it is, to be escaped, as it is ... */
static void compose(char *ret_twiml, const char *const *pieces, size_t n_pieces)
{
    size_t n = 0;

    for (size_t i = 0; i < n_pieces; i++)
        if (i % 2)
            add_escaped(ret_twiml, &n, pieces[i]);
        else
            text_add(ret_twiml, TWIML_MAX, &n, pieces[i], strlen(pieces[i]));
}

void voice_twiml_connect(char ret_twiml[TWIML_MAX], const char *host, const char *token)
{
    const char *const pieces[] = {
        TWIML_HEAD "<Response><Connect action=\"https://", host, "/webhook/after_stream\"><Stream url=\"wss://", host,
        "/ws/twilio-media\"><Parameter name=\"token\" value=\"", token, "\"/></Stream></Connect></Response>",
    };

    compose(ret_twiml, pieces, ELEMENTSOF(pieces));
}

void voice_twiml_dial(char ret_twiml[TWIML_MAX], const char *host, const char *number, const char *caller_id)
{
    const char *const pieces[] = {
        TWIML_HEAD "<Response><Dial answerOnBridge=\"true\" timeout=\"" DIAL_RING_SECONDS "\" timeLimit=\"" DIAL_LIMIT_SECONDS
                   "\" action=\"https://", host, "/webhook/after_dial\"", "", caller_id ? " callerId=\"" : "", caller_id ?: "",
        caller_id ? "\"><Number>" : "><Number>", number, "</Number></Dial></Response>",
    };

    compose(ret_twiml, pieces, ELEMENTSOF(pieces));
}

/* Twilio's voice of a language; an unknown one is left to its default. */
static const struct tongue {
    const char *language, *say, *text, *busy;
} tongues[] = {
    { "he", "<Say voice=\"Google.he-IL-Wavenet-A\" language=\"he-IL\">",
      "סליחה, אין כרגע מי שיענה לשיחה. אפשר להשאיר הודעה אחרי הצפצוף.", "סליחה, כל הקווים תפוסים כרגע. נא להתקשר שוב בעוד כמה דקות." },
    { "en", "<Say language=\"en-US\">", "I am sorry, nobody can take your call right now. Please leave a message after the tone.",
      "I am sorry, all our lines are busy right now. Please call again in a few minutes." },
};

static const struct tongue *tongue_of(const char *language)
{
    for (size_t i = 0; i < ELEMENTSOF(tongues); i++)
        if (language_is(language, tongues[i].language))
            return &tongues[i];
    return NULL;
}

void voice_twiml_busy(char ret_twiml[TWIML_MAX], const char *text, const char *language)
{
    const struct tongue *tongue = tongue_of(language);
    const char *const pieces[] = {
        TWIML_HEAD "<Response>", "", tongue ? tongue->say : "<Say>", text ?: (tongue ?: &tongues[ELEMENTSOF(tongues) - 1])->busy,
        "</Say><Hangup/></Response>",
    };

    compose(ret_twiml, pieces, ELEMENTSOF(pieces));
}

void voice_twiml_record(char ret_twiml[TWIML_MAX], const char *host, const char *text, const char *language)
{
    const struct tongue *tongue = tongue_of(language);
    const char *fallback = tongue ? tongue->text : tongues[ELEMENTSOF(tongues) - 1].text;
    const char *say = tongue ? tongue->say : "<Say>";
    const char *const pieces[] = {
        TWIML_HEAD "<Response>", "", say, text ?: fallback,
        "</Say><Record maxLength=\"" RECORD_MAX_SECONDS "\" timeout=\"" RECORD_SILENCE_SECONDS
        "\" playBeep=\"true\" trim=\"trim-silence\" action=\"https://", host,
        "/webhook/handle_recording\" recordingStatusCallback=\"https://", host, "/webhook/handle_recording\"/></Response>",
    };

    compose(ret_twiml, pieces, ELEMENTSOF(pieces));
}
