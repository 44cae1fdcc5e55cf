#pragma once
/*
 * spoken.h - what is said and what is meant: yes, no, digits, numbers, names (the other way: numerals.h)
 *
 * English ("en") and Hebrew ("he"); any other language is taken as English. Input is a recogniser's
 * text in any case and with any punctuation. Nothing here allocates. Thread: any.
 */

#include <stdbool.h>
#include <stddef.h>

enum { SPOKEN_WORDS_MAX = 128, SPOKEN_TEXT_MAX = 1024 };

/* Lower-case words without punctuation. What is longer than the limits is left out. */
struct spoken_words {
    size_t n;
    const char *word[SPOKEN_WORDS_MAX];
    char text[SPOKEN_TEXT_MAX];
};

void spoken_split(const char *text, struct spoken_words *ret_words);

/* Returns: 1 yes, 0 no, -1 neither or both. */
int spoken_yesno(const char *language, const char *text);

/* Whether the whole of it asks to hear the question again ("pardon?", "can you repeat that please"). */
bool spoken_repeat(const char *language, const char *text);

/* Whether the whole of it only says "I am listening" ("mm hmm"). */
bool spoken_backchannel(const char *language, const char *text);

/*
 * "oh five two double three" -> "05233"; "+972 52" -> "+97252". Words that are no numbers are passed over.
 *
 * Returns: how many digits (the plus is none), at most size - 1 characters.
 */
size_t spoken_digits(const char *language, const char *text, char *ret_digits, size_t size);

/* "two hundred and fifty" -> 250. Returns: whether there was a number. */
bool spoken_number(const char *language, const char *text, unsigned long *ret_value);

/* "my name is dana cohen" -> "Dana Cohen" */
void spoken_name(const char *language, const char *text, char *ret_name, size_t size);
