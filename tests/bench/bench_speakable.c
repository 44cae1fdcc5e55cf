/*
 * bench_speakable.c - what a sentence costs before a voice gets it
 */
#include "bench.h"

#include "services/speakable.h"
#include "utils/scoped.h"

enum { ROUNDS = 2000 };

static const struct {
    const char *what, *language, *text;
} rows[] = {
    { "speakable: a sentence of words", "en", "Good morning, this is the office, how can I help you with that today?" },
    { "speakable: numbers, English", "en", "Your visit is on 24.11.2026 at 16:30, the fee is ₪1,250.50; call 052-1234567." },
    { "speakable: numbers, Hebrew", "he", "הביקור ב-24.11.2026 בשעה 16:30, דירת 3-4 חדרים, 95 מ\"ר, 1,250.50 ש\"ח; טל' 052-1234567." },
};

int main(void)
{
    char text[1024];

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        double ns = BENCH_NS(ROUNDS, BENCH_KEEP(speakable(rows[i].language, rows[i].text, text, sizeof(text))));
        bench_row(rows[i].what, ns / 1000, "us", "per sentence");
    }
    return 0;
}
