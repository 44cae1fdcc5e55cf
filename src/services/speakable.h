#pragma once
/*
 * speakable.h - text as a voice should get it: numbers, dates, prices, addresses in words
 *
 * Every voice gets the same, also one that reads figures by itself: telephone numbers are what these read badly, and
 * what is kept of rendered speech has one key.
 */

#include <stddef.h>

/*
 * "Call 050-1234567 at 8:15" -> "Call zero five zero, one two three, four five six seven at eight fifteen".
 *
 * language: "en", "he", also with a country ("he-IL"); any other is taken as English.
 * Shape:    words stay byte for byte, also where they are no UTF-8; a text of words alone is returned as it is, so a
 *           second pass changes nothing. What does not fit is cut: between two characters of plain text, never within
 *           what is put in words, which goes whole or not at all.
 * Returns:  the bytes in ret, without the NUL; less than size.
 * Thread:   any; allocates nothing.
 */
size_t speakable(const char *language, const char *text, char *ret, size_t size);
