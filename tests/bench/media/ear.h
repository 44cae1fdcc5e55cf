#pragma once
/*
 * ear.h - the caller of an agent: what he says, over and over, and what he hears of the answers
 *
 * What comes of the agent's voice is put into a play-out buffer, as Twilio's is: it plays from the moment there is
 * something in it, and marks are told when what stands before them was played. It may run dry only where the agent has
 * finished, and then nothing more is said to a caller who has not spoken: so what comes to a dry buffer and finds that
 * the caller has spoken is an answer, and else an underrun.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EAR_MARKS = 32,
    EAR_NAME = 64,      /* of a mark, with NUL */
    EAR_ANSWER_S = 2,   /* an utterance so late in a run need not have been answered */
    LINE_FRAME = 160,   /* bytes: 20 ms */
};

struct line { /* what comes from one telephone, over and over */
    uint8_t *ulaw;
    size_t n_frames, n_said; /* all, and those with the utterance, which are the first */
};

struct ear {
    struct {
        uint64_t due_us;
        char name[EAR_NAME];
    } marks[EAR_MARKS];
    unsigned n_marks;
    uint64_t played_us; /* the buffer is empty from here on; 0: nothing came yet */
    uint64_t asked_us;  /* the caller waits for an answer since; 0: he does not */
    bool has_spoken;    /* since the agent was heard */
    bool is_whole;      /* the utterance was begun while somebody counted */
    unsigned n_asked, n_answered, n_underruns;
};

/*
 * The recording as a telephone brings it, 8 kHz at -6 dB, and behind it noise of the line, of so much root mean square,
 * until it has taken cycle_ms.
 *
 * Returns: 0, or -1 when it cannot be read. Owner: line->ulaw is to be freed.
 */
int line_make(const char *wav, unsigned cycle_ms, unsigned noise, struct line *ret_line);

/* From now on is counted. */
void ear_count(struct ear *ear);
/* Frame number at of the line is sent. */
void ear_speak(struct ear *ear, const struct line *line, size_t at, uint64_t now_us);
/* Returns: how long the caller waited for this, as the first of an answer; 0 when it is not. */
uint64_t ear_hear(struct ear *ear, size_t n_bytes, uint64_t now_us);
void ear_mark(struct ear *ear, const char *name, uint64_t now_us);
void ear_clear(struct ear *ear, uint64_t now_us);
/* Returns: the name of a mark that was reached, to be told; NULL none. It lives until the next call. */
const char *ear_reached(struct ear *ear, uint64_t now_us);
unsigned ear_unanswered(const struct ear *ear, uint64_t now_us);
