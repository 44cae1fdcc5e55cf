#pragma once
/*
 * wishes.h - what a message asks for in so many words, in English and Hebrew, whoever reads it: no more messages, messages
 * again, a human
 *
 * In any case, with any punctuation, points and final letters. Thread: any.
 */

#include <stdbool.h>

bool wish_stop(const char *text);  /* all of it is "stop", "unsubscribe", ...: a sentence with that word in it is none */
bool wish_start(const char *text); /* the same: "start", ... */
bool wish_human(const char *text); /* somewhere in it a human is asked for */
