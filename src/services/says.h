#pragma once
/*
 * says.h - what the agent is saying, and how much of it was heard
 *
 * The sentences of one agent's turn in the order they are played. Times are the events'. A sentence is
 * heard, cut or failed for good; a report about one that is already settled, or unknown, changes nothing, so
 * late and repeated marks are harmless.
 */

#include "services/agent.h"

/* A reply, and the sentences of our own that can stand beside it: two before each of its parts, seldom any. */
enum { SAYS_MAX = AGENT_SENTENCES_MAX + 8 };

enum say_state { SAY_QUEUED, SAY_PLAYING, SAY_CUT, SAY_HEARD, SAY_FAILED };

struct say {
    unsigned number;
    enum say_state state;
    bool filler; /* "one moment, please": no reply */
    uint64_t queued_ms, started_ms;
    uint32_t heard_ms, total_ms; /* total 0: unknown */
    struct agent_sentence sentence;
};

struct says {
    struct say list[SAYS_MAX];
    size_t n;
    uint64_t first_ms, last_ms; /* when the first began and the last report came; 0 never */
};

/* The sentence to be played is in the list then. */
const struct agent_sentence *says_add(struct says *says, unsigned number,
                                      const struct agent_sentence *sentence, bool filler,
                                      uint64_t now_ms);
void says_clear(struct says *says);

/*
 * Its first frame left, which may be while an earlier one is still being heard.
 *
 * Returns: the say, or NULL when it is unknown, settled or had begun.
 */
const struct say *says_started(struct says *says, unsigned number, uint32_t total_ms,
                               uint64_t now_ms);
/* Where the current one is now, and how long: its voice faltered, or its length (0 unknown) is only known now. */
void says_moved(struct says *says, unsigned number, uint32_t heard_ms, uint32_t total_ms, uint64_t now_ms);
void says_ended(struct says *says, unsigned number, uint64_t now_ms);
void says_failed(struct says *says, unsigned number);
/* heard_ms > total_ms is taken as total_ms. */
void says_stopped(struct says *says, unsigned number, uint32_t heard_ms, uint32_t total_ms,
                  uint64_t now_ms);
/* By the clock: nobody said how much was heard. */
void says_stopped_now(struct says *says, uint64_t now_ms);
void says_resumed(struct says *says, uint64_t now_ms);
void says_give_up(struct says *says); /* whatever has not begun has failed */

const struct say *says_current(const struct says *says); /* queued, playing or cut; NULL all settled */
uint32_t says_heard_ms(const struct says *says, uint64_t now_ms); /* of all of them, so far */

/* When the current one is overdue: to have ended if it plays, to have begun if not; UINT64_MAX never. */
uint64_t says_overdue_ms(const struct says *says);

bool says_any_failed(const struct says *says);
bool says_last_heard(const struct says *says); /* that is where a reply asks */

/* text, full, interrupted, start_ms, end_ms. Returns: whether anything was heard. */
bool says_to_turn(const struct says *says, struct turn *turn);
