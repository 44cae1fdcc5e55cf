/*
 * hearing.c - what the caller is saying
 */
#include "services/hearing.h"

#include <assert.h>
#include <string.h>

#include "utils/text.h"

void hearing_clear(struct hearing *hearing)
{
    hearing->n = 0;
    hearing->text[0] = '\0';
    hearing->confidence = -1;
    hearing->transcript_ms = 0;
}

struct heard *hearing_add(struct hearing *hearing, unsigned number, uint64_t began_ms)
{
    if (hearing->n == HEARING_MAX)
        return NULL;
    struct heard *utterance = &hearing->list[hearing->n++];
    *utterance = (struct heard){ .number = number, .open = true, .began_ms = began_ms };
    return utterance;
}

struct heard *hearing_find(struct hearing *hearing, unsigned number)
{
    for (size_t i = 0; i < hearing->n; i++)
        if (hearing->list[i].number == number)
            return &hearing->list[i];
    return NULL;
}

void hearing_remove(struct hearing *hearing, struct heard *utterance)
{
    size_t n_behind = (size_t)(hearing->list + hearing->n - utterance - 1);

    assert(!utterance->n_text);
    memmove(utterance, utterance + 1, n_behind * sizeof(*utterance));
    hearing->n--;
}

void hearing_words(struct hearing *hearing, struct heard *utterance, const char *text, double confidence,
                   uint64_t now_ms)
{
    char tail[TURN_TEXT_MAX];
    size_t at = 0;

    utterance->waiting = false;
    hearing->transcript_ms = now_ms;
    if (!text[0] || utterance->n_text)
        return;
    for (const struct heard *u = hearing->list; u < utterance; u++)
        if (u->n_text)
            at += u->n_text + (at > 0);

    if (at > strlen(hearing->text))
        at = strlen(hearing->text); /* what did not fit had been cut */
    size_t n_before = at;
    (void)text_set(tail, sizeof(tail), hearing->text + at + (at == 0 || !hearing->text[at] ? 0 : 1));
    text_add(hearing->text, sizeof(hearing->text), &at, " ", at > 0);
    size_t start = at;
    text_add(hearing->text, sizeof(hearing->text), &at, text, strlen(text));
    utterance->n_text = at - start;
    if (!utterance->n_text) {
        hearing->text[n_before] = '\0'; /* full: not even a first letter */
        return;
    }
    text_add(hearing->text, sizeof(hearing->text), &at, " ", tail[0] != '\0');
    text_add(hearing->text, sizeof(hearing->text), &at, tail, strlen(tail));
    if (confidence >= 0 && (hearing->confidence < 0 || confidence < hearing->confidence))
        hearing->confidence = confidence;
}

bool hearing_open(const struct hearing *hearing)
{
    for (size_t i = 0; i < hearing->n; i++)
        if (hearing->list[i].open)
            return true;
    return false;
}

bool hearing_waiting(const struct hearing *hearing)
{
    for (size_t i = 0; i < hearing->n; i++)
        if (hearing->list[i].waiting)
            return true;
    return false;
}

bool hearing_unheard(const struct hearing *hearing)
{
    for (size_t i = 0; i < hearing->n; i++)
        if (hearing->list[i].unheard)
            return true;
    return false;
}

uint32_t hearing_speech_ms(const struct hearing *hearing)
{
    uint32_t sum_ms = 0;

    for (size_t i = 0; i < hearing->n; i++)
        sum_ms += hearing->list[i].speech_ms;
    return sum_ms;
}

uint64_t hearing_reported_ms(const struct hearing *hearing)
{
    uint64_t last_ms = 0;

    for (size_t i = 0; i < hearing->n; i++)
        if (hearing->list[i].reported_ms > last_ms)
            last_ms = hearing->list[i].reported_ms;
    return last_ms;
}
