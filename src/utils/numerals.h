#pragma once
/*
 * numerals.h - numbers in words, as they are said
 *
 * English ("en") and Hebrew ("he"); any other language is taken as English. What does not fit is cut between two
 * characters. Nothing here allocates. Thread: any.
 */

#include <stddef.h>
#include <stdint.h>

#define NUMERAL_MAX UINT64_C(999999999999) /* what is more is said digit by digit */

enum numeral_gender { /* of what is counted; English has none */
    NUMERAL_FEMININE, /* also of numbers by themselves */
    NUMERAL_MASCULINE,
};

/* 250 -> "two hundred and fifty" */
void numeral_cardinal(const char *language, uint64_t value, enum numeral_gender gender, char *ret_text, size_t size);

/* 3 -> "third"; in Hebrew from 11 on as a cardinal, as it is said. */
void numeral_ordinal(const char *language, unsigned value, enum numeral_gender gender, char *ret_text, size_t size);

/* "05" -> "zero five"; what is no digit is passed over. */
void numeral_digits(const char *language, const char *digits, char *ret_text, size_t size);

/*
 * A telephone number as it is read out: "0 5 0, 1 2 3, 4 5 6 7"; in Hebrew in words.
 *
 * country: a number that begins with + and this is read as people there say it; NULL or "": in full.
 */
void numeral_phone(const char *language, const char *number, const char *country, char *ret_text, size_t size);
