#pragma once
/*
 * hearing.h - what the caller is saying: the utterances of one turn and the words in them
 *
 * Transcripts may come in any order; the words stand in the order they were said.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/turn.h"

enum { HEARING_MAX = 16 }; /* utterances; with so many the turn is over */

struct heard {
    unsigned number;
    bool open;    /* still speaking */
    bool waiting; /* for its transcript */
    bool unheard; /* nobody could transcribe it */
    uint64_t began_ms, ended_ms, reported_ms; /* when it really did; when we were told that it ended */
    uint32_t speech_ms;
    size_t n_text; /* bytes of hearing.text, without the space before it */
};

struct hearing {
    struct heard list[HEARING_MAX];
    size_t n;
    char text[TURN_TEXT_MAX];
    double confidence;      /* the least of all; -1 unknown */
    uint64_t transcript_ms; /* when the last one came; 0 none */
};

void hearing_clear(struct hearing *hearing);
struct heard *hearing_add(struct hearing *hearing, unsigned number, uint64_t began_ms); /* NULL: full */
struct heard *hearing_find(struct hearing *hearing, unsigned number);                   /* or NULL */
void hearing_remove(struct hearing *hearing, struct heard *utterance); /* only one without words */

/* The words of an utterance; "" none. */
void hearing_words(struct hearing *hearing, struct heard *utterance, const char *text, double confidence,
                   uint64_t now_ms);

bool hearing_open(const struct hearing *hearing);
bool hearing_waiting(const struct hearing *hearing);
bool hearing_unheard(const struct hearing *hearing);
uint32_t hearing_speech_ms(const struct hearing *hearing);
uint64_t hearing_reported_ms(const struct hearing *hearing); /* the last end we were told of; 0 none */
