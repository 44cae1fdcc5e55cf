#pragma once
/* sentences.h - speakable sentences, Hebrew and English, from a text that comes in any pieces; for markdown see unmark.h */

#include "services/agent.h"
#include "services/unmark.h"

/*
 * So that the first sound comes sooner, the first sentence ends at a comma, semicolon, colon or dash already, once it
 * has so many letters and digits. Later ones are whole.
 */
enum { SENTENCES_FIRST_MIN = 24 };

/* text: without NUL at its end, and only until it returns. Returns: 0, or a negative error, with which all ends. */
typedef int sentences_take(void *user, const char *text, size_t n);

struct sentences {
    struct unmark unmark;
    char text[AGENT_SENTENCE_MAX]; /* the sentence so far, without the space that is due */
    size_t n, n_letters;
    size_t clause_at, space_at; /* where it could be cut when it gets too long; 0 nowhere */
    size_t n_taken;
    bool is_space_due, has_begun;
    sentences_take *take; /* while bytes are being pushed */
    void *user;
};

void sentences_init(struct sentences *sentences);

/*
 * Each sentence is under AGENT_SENTENCE_MAX bytes of UTF-8 and has a letter or a digit.
 *
 * Returns: what take() returned when that was an error; nothing may be pushed after one.
 */
int sentences_push(struct sentences *sentences, const char *bytes, size_t n, sentences_take *take, void *user);

/* The text is over: what is there is a sentence. */
int sentences_end(struct sentences *sentences, sentences_take *take, void *user);
