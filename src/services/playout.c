/*
 * playout.c - what has been sent of the agent's voice, and what was heard of it
 *
 * The stream is the sequence of samples sent since the last clear. The other end
 * plays 8 a millisecond, so what was heard of it at a time is
 *
 *     min(sent, anchor + 8 * (now - anchor_ms))
 *
 * The anchor is set when audio meets an empty queue (there it begins to play) and by
 * each mark, which says what really was heard: an early one moves the clock on, a
 * late one back. A mark counts once and only forward of the last one, so whoever
 * sends false ones can delay or hasten no more than he was sent.
 *
 *     stream   0 .......... confirmed ..... heard ......... sent
 *     queue    [ say 1 | say 2           | say 3                  ] says[].start
 *                                                 <- ahead  ->
 */
#include "services/playout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "services/clip.h"

enum { PER_MS = 8, CHUNK = PLAYOUT_CHUNK_MS * PER_MS };

static uint32_t to_ms(uint64_t n_samples)
{
    return (uint32_t)(n_samples / PER_MS);
}

static uint64_t heard_at(const struct playout *playout, uint64_t now_ms)
{
    uint64_t heard = playout->anchor + (now_ms > playout->anchor_ms ? now_ms - playout->anchor_ms : 0) * PER_MS;

    return heard < playout->sent ? heard : playout->sent;
}

static uint64_t time_of(const struct playout *playout, uint64_t position)
{
    uint64_t ahead = position > playout->anchor ? position - playout->anchor : 0;

    return playout->anchor_ms + (ahead + PER_MS - 1) / PER_MS;
}

static bool is_all_sent(const struct playout_say *say)
{
    enum clip_state state;

    return say->clip && say->sent == clip_look(say->clip, &state) && state == CLIP_WHOLE;
}

/* 0: nobody knows yet. */
static uint32_t total_ms(const struct playout_say *say)
{
    enum clip_state state;
    size_t n = say->clip ? clip_look(say->clip, &state) : 0;

    return n && state == CLIP_WHOLE ? to_ms(n) : 0;
}

/* Since it was queued, stopped or begun again. */
static bool is_begun(const struct playout_say *say)
{
    return say->sent > say->from;
}

/* Of one that is all sent. */
static uint64_t end_of(const struct playout_say *say)
{
    return say->start + (say->sent - say->from);
}

static struct playout_say *find(struct playout *playout, unsigned say)
{
    for (unsigned i = 0; i < playout->n_says; i++)
        if (playout->says[i].say == say)
            return &playout->says[i];
    return NULL;
}

static void forget(struct playout *playout, struct playout_say *say)
{
    size_t at = (size_t)(say - playout->says);

    clip_unref(say->clip);
    playout->n_says--;
    memmove(say, say + 1, (playout->n_says - at) * sizeof(*say));
}

static void forget_all(struct playout *playout)
{
    while (playout->n_says)
        forget(playout, &playout->says[playout->n_says - 1]);
}

void playout_init(struct playout *playout)
{
    *playout = (struct playout){ .generation = 1 };
}

void playout_done(struct playout *playout)
{
    forget_all(playout);
}

int playout_say(struct playout *playout, unsigned say, struct clip *clip)
{
    if (playout->is_held)
        forget_all(playout);
    playout->is_held = false;
    if (playout->n_says == PLAYOUT_SAYS)
        return -ENOBUFS;
    playout->says[playout->n_says++] = (struct playout_say){ .say = say, .clip = clip ? clip_ref(clip) : NULL };
    return 0;
}

int playout_ready(struct playout *playout, unsigned say, struct clip *clip)
{
    struct playout_say *at = find(playout, say);

    if (!at || at->clip)
        return -ENOENT;
    at->clip = clip_ref(clip);
    return 0;
}

int playout_redo(struct playout *playout, unsigned say)
{
    struct playout_say *at = find(playout, say);

    if (!at || !at->clip)
        return -ENOENT;
    clip_unref(at->clip);
    *at = (struct playout_say){ .say = say, .is_started = at->is_started, .is_moved = at->is_started };
    return 0;
}

void playout_drop(struct playout *playout, unsigned say)
{
    struct playout_say *at = find(playout, say);

    if (at)
        forget(playout, at);
}

bool playout_wants(const struct playout *playout, unsigned say)
{
    return find((struct playout *)playout, say) != NULL;
}

/* The first that has something left to be sent, NULL when it is not rendered or there is none. */
static struct playout_say *next_to_send(const struct playout *playout)
{
    for (unsigned i = 0; i < playout->n_says; i++)
        if (!is_all_sent(&playout->says[i]))
            return playout->says[i].clip ? (struct playout_say *)&playout->says[i] : NULL;
    return NULL;
}

/* How much of a say was heard when the stream was heard up to a position. */
static uint32_t heard_of(const struct playout_say *say, uint64_t position)
{
    uint64_t n = say->sent > say->from && position > say->start ? position - say->start : 0;
    uint32_t n_sent = say->sent - say->from;

    return say->from + (n < n_sent ? (uint32_t)n : n_sent);
}

static bool step_moved(const struct playout *playout, uint64_t now_ms, struct playout_step *step)
{
    for (unsigned i = 0; i < playout->n_says; i++) {
        struct playout_say *say = (struct playout_say *)&playout->says[i];
        uint32_t total = total_ms(say);

        if (!is_begun(say) || !say->is_started || !(say->is_moved || (total && !say->is_measured)))
            continue;
        say->is_moved = false;
        say->is_measured = total > 0;
        step->kind = PLAYOUT_MOVED;
        step->say = say->say;
        step->heard_ms = to_ms(heard_of(say, heard_at(playout, now_ms)));
        step->total_ms = total;
        return true;
    }
    return false;
}

static bool step_ended(struct playout *playout, uint64_t now_ms, struct playout_step *step)
{
    struct playout_say *say = &playout->says[0];

    if (!playout->n_says || !is_all_sent(say))
        return false;
    if (playout->confirmed < end_of(say) && now_ms < time_of(playout, end_of(say)) + PLAYOUT_MARGIN_MS)
        return false;
    step->kind = PLAYOUT_ENDED;
    step->say = say->say;
    forget(playout, say);
    return true;
}

/* The last of it was sent before anybody knew that it was the last. */
static bool is_end_unmarked(const struct playout *playout)
{
    const struct playout_say *last = NULL;

    for (unsigned i = 0; i < playout->n_says; i++)
        if (is_begun(&playout->says[i]))
            last = &playout->says[i];
    return last && playout->marked < playout->sent && is_all_sent(last);
}

static bool step_mark(struct playout *playout, struct playout_step *step)
{
    if (!playout->is_mark_due && !is_end_unmarked(playout))
        return false;
    playout->is_mark_due = false;
    playout->marked = playout->sent;
    step->kind = PLAYOUT_MARK;
    for (unsigned i = 0; i < playout->n_says && is_begun(&playout->says[i]); i++)
        step->say = playout->says[i].say;
    (void)snprintf(step->mark, sizeof(step->mark), "g%" PRIu32 ".s%u.%" PRIu64, playout->generation, step->say,
                   playout->sent);
    return true;
}

/* Of what is growing whole chunks only, of what broke nothing. */
static size_t n_to_send(const struct playout_say *say)
{
    enum clip_state state;
    size_t n = clip_look(say->clip, &state) - say->sent;

    if (state == CLIP_BROKEN || (state == CLIP_GROWING && n < CHUNK))
        return 0;
    return n < CHUNK ? n : CHUNK;
}

static bool step_audio(struct playout *playout, uint64_t now_ms, size_t n_room, struct playout_step *step)
{
    struct playout_say *say = next_to_send(playout);
    uint64_t heard = heard_at(playout, now_ms);

    if (!say || playout->sent - heard > PLAYOUT_AHEAD_MS * PER_MS)
        return false;

    size_t n = n_to_send(say);
    if (n == 0 || n > n_room)
        return false;

    if (heard == playout->sent) { /* it begins to play at once */
        playout->anchor = heard;
        playout->anchor_ms = now_ms;
        say->is_moved |= is_begun(say);
    }
    if (!is_begun(say))
        say->start = playout->sent;

    step->kind = PLAYOUT_AUDIO;
    step->say = say->say;
    step->ulaw = say->clip->ulaw + say->sent;
    step->n = n;
    step->is_first = !say->is_started;
    step->total_ms = total_ms(say);

    bool is_fresh = playout->marked == playout->sent && playout->confirmed == playout->sent;
    if (step->is_first) {
        say->is_moved = false;
        say->is_measured = step->total_ms > 0;
    }
    say->is_started = true;
    say->sent += (uint32_t)n;
    playout->sent += n;
    playout->is_mark_due = is_fresh || playout->sent - playout->marked >= PLAYOUT_MARK_MS * PER_MS;
    return true;
}

void playout_next(struct playout *playout, uint64_t now_ms, size_t n_room, struct playout_step *ret_step)
{
    *ret_step = (struct playout_step){ .kind = PLAYOUT_NOTHING };
    if (playout->is_held)
        return;
    if (!step_mark(playout, ret_step) && !step_moved(playout, now_ms, ret_step) &&
        !step_ended(playout, now_ms, ret_step))
        (void)step_audio(playout, now_ms, n_room, ret_step);
}

uint64_t playout_deadline(const struct playout *playout, uint64_t now_ms)
{
    uint64_t deadline_ms = UINT64_MAX;

    if (playout->is_held || !playout->n_says)
        return UINT64_MAX;
    if (is_all_sent(&playout->says[0]))
        deadline_ms = time_of(playout, end_of(&playout->says[0])) + PLAYOUT_MARGIN_MS;
    const struct playout_say *next = next_to_send(playout);
    if (next) {
        uint64_t ahead = PLAYOUT_AHEAD_MS * PER_MS;
        uint64_t send_ms = playout->sent > ahead ? time_of(playout, playout->sent - ahead) : now_ms;
        if (!n_to_send(next) && send_ms < now_ms + PLAYOUT_GROWTH_MS)
            send_ms = now_ms + PLAYOUT_GROWTH_MS;
        deadline_ms = send_ms < deadline_ms ? send_ms : deadline_ms;
    }
    return deadline_ms > now_ms ? deadline_ms : now_ms;
}

/* Digits up to the end or to the character given. */
static bool read_number(const char **at, const char *end, char until, uint64_t max, uint64_t *ret)
{
    const char *p = *at;
    uint64_t n = 0;

    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (uint64_t)(*p - '0');
        if (n > max)
            return false;
    }
    if (p == *at || (until ? p == end || *p++ != until : p != end))
        return false;
    *at = p;
    *ret = n;
    return true;
}

bool playout_mark(struct playout *playout, const char *name, size_t n, uint64_t now_ms)
{
    const char *p = name, *end = name + n;
    uint64_t generation, say, position;

    if (p == end || *p++ != 'g' || !read_number(&p, end, '.', UINT32_MAX, &generation))
        return false;
    if (p == end || *p++ != 's' || !read_number(&p, end, '.', UINT32_MAX, &say))
        return false;
    if (!read_number(&p, end, 0, playout->sent, &position))
        return false;
    if (generation != playout->generation || position <= playout->confirmed)
        return false;
    playout->confirmed = playout->anchor = position;
    playout->anchor_ms = now_ms;
    return true;
}

void playout_heard(const struct playout *playout, uint64_t now_ms, struct playout_heard *ret_heard)
{
    const struct playout_say *say = &playout->says[0];

    *ret_heard = (struct playout_heard){ 0 };
    if (!playout->n_says)
        return;
    /* when held, `from` is where it will go on */
    uint32_t heard = playout->is_held ? say->from : heard_of(say, heard_at(playout, now_ms));
    *ret_heard = (struct playout_heard){ say->say, to_ms(heard), total_ms(say) };
}

unsigned playout_passed(struct playout *playout, uint64_t now_ms)
{
    struct playout_say *say = &playout->says[0];

    /* the last one stays: somebody has to be what was stopped */
    if (playout->is_held || playout->n_says < 2 || !is_all_sent(say) || heard_at(playout, now_ms) < end_of(say))
        return 0;

    unsigned number = say->say;
    forget(playout, say);
    return number;
}

bool playout_stop(struct playout *playout, uint64_t now_ms, struct playout_heard *ret_heard)
{
    bool was_sent = playout->sent > playout->confirmed;

    playout_heard(playout, now_ms, ret_heard);
    if (playout->is_held)
        return false;
    for (unsigned i = 0; i < playout->n_says; i++) {
        struct playout_say *say = &playout->says[i];
        say->from = say->sent = heard_of(say, playout->confirmed);
        say->start = 0;
        say->is_started = say->is_started && say->from; /* what begins again is told again */
    }
    playout->is_held = true;
    playout->generation++;
    playout->sent = playout->confirmed = playout->anchor = playout->marked = 0;
    playout->anchor_ms = now_ms;
    playout->is_mark_due = false;
    return was_sent;
}

int playout_resume(struct playout *playout, unsigned say)
{
    if (!playout->is_held || !playout->n_says || playout->says[0].say != say)
        return -ENOENT;
    playout->is_held = false;
    return 0;
}

bool playout_is_idle(const struct playout *playout)
{
    return !playout->n_says || playout->is_held;
}
