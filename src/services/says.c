/*
 * says.c - what the agent is saying, and how much of it was heard
 */
#include "services/says.h"

#include <assert.h>
#include <string.h>

#include "utils/text.h"
#include "utils/utf8.h"

enum {
    START_MAX_MS = 3000,  /* from its place in the queue to its first frame; a caller bears no more silence */
    END_SLACK_MS = 1400,  /* a mark's way to the caller's end and back; with what fills a silence below 4 s */
    PER_CHARACTER_MS = 75, /* slow speech, for a length that nobody told */
    LEAST_MS = 1000,
};

static uint32_t length_ms(const struct say *say)
{
    return say->total_ms ? say->total_ms
                         : LEAST_MS + PER_CHARACTER_MS * (uint32_t)utf8_length(say->sentence.text);
}

static bool settled(const struct say *say)
{
    return say->state == SAY_HEARD || say->state == SAY_FAILED;
}

static struct say *find(struct says *says, unsigned number)
{
    for (size_t i = 0; i < says->n; i++)
        if (says->list[i].number == number && !settled(&says->list[i]))
            return &says->list[i];
    return NULL;
}

const struct agent_sentence *says_add(struct says *says, unsigned number,
                                      const struct agent_sentence *sentence, bool filler,
                                      uint64_t now_ms)
{
    assert(says->n < SAYS_MAX);
    struct say *say = &says->list[says->n++];

    *say = (struct say){ .number = number, .filler = filler, .queued_ms = now_ms, .sentence = *sentence };
    return &say->sentence;
}

void says_clear(struct says *says)
{
    says->n = 0;
    says->first_ms = says->last_ms = 0;
}

/* The first behind `say` (NULL: of all) that is not settled, or NULL. */
static struct say *after(struct says *says, const struct say *say)
{
    for (struct say *next = say ? &says->list[say - says->list + 1] : says->list; next < says->list + says->n; next++)
        if (!settled(next))
            return next;
    return NULL;
}

static void heard_until(struct says *says, const struct say *end)
{
    for (struct say *say = says->list; say < end; say++)
        if (!settled(say))
            say->state = SAY_HEARD;
}

/*
 * What the clock has passed is heard, also when nobody told. A say begins to be heard where the one
 * before it ends, and leaves up to a second earlier: that the next one left says nothing of one whose
 * length is known.
 */
static void pass(struct says *says, uint64_t now_ms)
{
    struct say *say = after(says, NULL);

    for (struct say *next; say && say->state == SAY_PLAYING; say = next) {
        uint64_t end_ms = say->started_ms + say->total_ms;

        next = after(says, say);
        if (!next || next->state != SAY_PLAYING || end_ms > now_ms)
            return;
        say->state = SAY_HEARD;
        next->started_ms = end_ms > next->started_ms ? end_ms : next->started_ms;
    }
}

const struct say *says_started(struct says *says, unsigned number, uint32_t total_ms,
                               uint64_t now_ms)
{
    struct say *say = find(says, number);

    if (!say || say->state != SAY_QUEUED)
        return NULL;
    say->state = SAY_PLAYING;
    say->started_ms = now_ms;
    say->total_ms = total_ms;
    pass(says, now_ms);
    if (!says->first_ms)
        says->first_ms = now_ms;
    says->last_ms = now_ms;
    return say;
}

void says_moved(struct says *says, unsigned number, uint32_t heard_ms, uint32_t total_ms, uint64_t now_ms)
{
    struct say *say = find(says, number);

    if (!say || say->state != SAY_PLAYING)
        return;
    say->total_ms = total_ms;
    if (say == says_current(says)) /* others are ahead of the ear */
        say->started_ms = now_ms > heard_ms ? now_ms - heard_ms : 0;
}

/* Nobody told us when it began, but for how long it was heard. */
static void began_by(struct says *says, uint64_t now_ms, uint32_t heard_ms)
{
    if (!says->first_ms)
        says->first_ms = now_ms > heard_ms ? now_ms - heard_ms : now_ms;
}

void says_ended(struct says *says, unsigned number, uint64_t now_ms)
{
    struct say *say = find(says, number);

    if (!say)
        return;
    heard_until(says, say + 1);
    began_by(says, now_ms, length_ms(say));
    says->last_ms = now_ms;
    struct say *next = after(says, say);
    if (next && next->state == SAY_PLAYING)
        next->started_ms = now_ms; /* it was sent ahead, and is only heard from here on */
}

void says_failed(struct says *says, unsigned number)
{
    struct say *say = find(says, number);

    if (say && (say->state == SAY_QUEUED || say->state == SAY_PLAYING)) /* a voice may break within */
        say->state = SAY_FAILED;
}

void says_stopped(struct says *says, unsigned number, uint32_t heard_ms, uint32_t total_ms,
                  uint64_t now_ms)
{
    struct say *say = find(says, number);

    if (!say)
        return;
    heard_until(says, say);
    if (total_ms)
        say->total_ms = total_ms;
    say->heard_ms = heard_ms < length_ms(say) ? heard_ms : length_ms(say);
    say->state = say->total_ms && say->heard_ms == say->total_ms ? SAY_HEARD : SAY_CUT;
    if (heard_ms)
        says->last_ms = now_ms;
    if (heard_ms)
        began_by(says, now_ms, heard_ms);
    for (struct say *next = say; (next = after(says, next));)
        if (next->state == SAY_PLAYING)
            next->state = SAY_QUEUED; /* sent ahead, and cleared before it was heard */
}

void says_stopped_now(struct says *says, uint64_t now_ms)
{
    pass(says, now_ms);
    const struct say *say = says_current(says);

    if (say && say->state == SAY_PLAYING)
        says_stopped(says, say->number, (uint32_t)(now_ms - say->started_ms), say->total_ms,
                     now_ms);
}

void says_resumed(struct says *says, uint64_t now_ms)
{
    for (size_t i = 0; i < says->n; i++) {
        struct say *say = &says->list[i];
        if (say->state == SAY_CUT && say->heard_ms) {
            say->state = SAY_PLAYING;
            say->started_ms = now_ms - say->heard_ms;
        } else if (say->state == SAY_CUT || say->state == SAY_QUEUED) {
            say->state = SAY_QUEUED;
            say->queued_ms = now_ms;
        }
    }
}

void says_give_up(struct says *says)
{
    for (size_t i = 0; i < says->n; i++)
        if (says->list[i].state == SAY_QUEUED)
            says->list[i].state = SAY_FAILED;
}

const struct say *says_current(const struct says *says)
{
    for (size_t i = 0; i < says->n; i++)
        if (!settled(&says->list[i]))
            return &says->list[i];
    return NULL;
}

uint32_t says_heard_ms(const struct says *says, uint64_t now_ms)
{
    uint64_t sum_ms = 0;

    for (size_t i = 0; i < says->n; i++) {
        const struct say *say = &says->list[i];
        if (say->state == SAY_HEARD)
            sum_ms += length_ms(say);
        else if (say->state == SAY_CUT)
            sum_ms += say->heard_ms;
        else if (say->state == SAY_PLAYING && say == says_current(says)) /* others are ahead of the ear */
            sum_ms += now_ms - say->started_ms;
    }
    return sum_ms < UINT32_MAX ? (uint32_t)sum_ms : UINT32_MAX;
}

uint64_t says_overdue_ms(const struct says *says)
{
    const struct say *say = says_current(says);

    if (!say || say->state == SAY_CUT)
        return UINT64_MAX;
    if (say->state == SAY_PLAYING)
        return say->started_ms + length_ms(say) + END_SLACK_MS;
    return (say->queued_ms > says->last_ms ? say->queued_ms : says->last_ms) + START_MAX_MS;
}

bool says_any_failed(const struct says *says)
{
    for (size_t i = 0; i < says->n; i++)
        if (says->list[i].state == SAY_FAILED && !says->list[i].filler)
            return true;
    return false;
}

bool says_last_heard(const struct says *says)
{
    return says->n && says->list[says->n - 1].state == SAY_HEARD;
}

/* As many whole words as fit into the time that was heard. */
static size_t heard_bytes(const struct say *say)
{
    const char *text = say->sentence.text, *word_end = text;
    uint64_t n_heard = (uint64_t)utf8_length(text) * say->heard_ms / length_ms(say), n = 0;

    for (const char *p = text;; p++) {
        if (*p == ' ' || !*p)
            word_end = p;
        if (!*p || n == n_heard)
            break;
        n += ((unsigned char)p[1] & 0xC0) != 0x80; /* the last byte of a character */
    }
    return (size_t)(word_end - text);
}

static void join(char *text, size_t size, size_t *n_used, const char *more, size_t n)
{
    if (!n)
        return;
    text_add(text, size, n_used, " ", *n_used > 0);
    text_add(text, size, n_used, more, n);
}

bool says_to_turn(const struct says *says, struct turn *turn)
{
    size_t n_text = 0, n_full = 0;

    turn->text[0] = turn->full[0] = '\0';
    for (size_t i = 0; i < says->n; i++) {
        const struct say *say = &says->list[i];
        size_t n = strlen(say->sentence.text), n_heard = 0;

        if (say->state == SAY_FAILED)
            continue;
        if (say->state == SAY_HEARD)
            n_heard = n;
        else if (say->state == SAY_CUT)
            n_heard = heard_bytes(say);
        turn->interrupted |= n_heard < n;
        join(turn->text, sizeof(turn->text), &n_text, say->sentence.text, n_heard);
        join(turn->full, sizeof(turn->full), &n_full, say->sentence.text, n);
    }
    if (!turn->interrupted)
        turn->full[0] = '\0';
    turn->start_ms = says->first_ms;
    turn->end_ms = says->last_ms;
    return turn->text[0];
}
