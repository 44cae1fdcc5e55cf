/*
 * playback.c - Twilio's play-out queue
 *
 * While something is queued, sample number i of the run is heard at
 * anchor_us + i * 125, so every due time is exact whatever the caller's own
 * pace. The run ends when the queue is empty; the next audio begins another.
 * A mark's due time is the end of the queue when it came. Waiting marks are in
 * order of their due times, since the end of a queue only moves back when it is
 * cleared, and that echoes them all.
 *
 * bytes[from .. to) is what is not yet played; it moves to the front when the
 * front is larger than the rest.
 */
#include "caller/playback.h"

#include <errno.h>
#include <string.h>

struct waiting_mark {
    uint64_t due_us;
    char *name;
};

struct playback {
    const struct playback_ops *ops;
    void *user;
    uint64_t anchor_us;  /* when sample 0 of the run was heard */
    uint64_t n_played;   /* samples of the run */
    uint64_t audible_us; /* end of the last audible sample, queued ones included */
    uint8_t *bytes;
    size_t from, to, n_room;
    struct waiting_mark *marks;
    size_t n_marks, n_marks_room;
};

int playback_new(const struct playback_ops *ops, void *user, struct playback **ret_playback)
{
    struct playback *playback = calloc(1, sizeof(*playback));

    if (!playback)
        return -ENOMEM;
    playback->ops = ops;
    playback->user = user;
    *ret_playback = playback;
    return 0;
}

void playback_free(struct playback *playback)
{
    if (!playback)
        return;
    for (size_t i = 0; i < playback->n_marks; i++)
        free(playback->marks[i].name);
    free(playback->marks);
    free(playback->bytes);
    free(playback);
}

uint64_t playback_end_us(const struct playback *playback)
{
    uint64_t n = playback->n_played + (playback->to - playback->from);

    return playback->anchor_us + n * PLAYBACK_SAMPLE_US;
}

/* Play what is due at now, without looking at marks. */
static void play(struct playback *playback, uint64_t now_us)
{
    size_t n = playback->to - playback->from;
    uint64_t at_us = playback->anchor_us + playback->n_played * PLAYBACK_SAMPLE_US;

    if (n == 0 || now_us < at_us + PLAYBACK_SAMPLE_US)
        return;

    uint64_t n_due = (now_us - at_us) / PLAYBACK_SAMPLE_US;
    if (n_due < n)
        n = (size_t)n_due;
    if (playback->ops->on_played)
        playback->ops->on_played(playback->user, at_us, playback->bytes + playback->from, n);
    playback->from += n;
    playback->n_played += n;
}

/* The mark leaves the list before it is told of. */
static void echo_first_mark(struct playback *playback, uint64_t at_us)
{
    scoped(free) char *name = playback->marks[0].name;

    playback->n_marks--;
    memmove(playback->marks, playback->marks + 1, playback->n_marks * sizeof(*playback->marks));
    playback->ops->on_mark(playback->user, at_us, name);
}

void playback_advance(struct playback *playback, uint64_t now_us)
{
    while (playback->n_marks > 0 && playback->marks[0].due_us <= now_us) {
        uint64_t due_us = playback->marks[0].due_us;
        play(playback, due_us);
        echo_first_mark(playback, due_us);
    }
    play(playback, now_us);
}

static int make_room(struct playback *playback, size_t n)
{
    size_t n_rest = playback->to - playback->from;

    if (playback->from > n_rest) {
        memmove(playback->bytes, playback->bytes + playback->from, n_rest);
        playback->from = 0;
        playback->to = n_rest;
    }
    if (playback->to + n <= playback->n_room)
        return 0;

    size_t n_room = playback->n_room ? playback->n_room : 4096;
    while (n_room < playback->to + n)
        n_room *= 2;
    uint8_t *bytes = realloc(playback->bytes, n_room);
    if (!bytes)
        return -ENOMEM;
    playback->bytes = bytes;
    playback->n_room = n_room;
    return 0;
}

int playback_audio(struct playback *playback, const uint8_t *ulaw, size_t n, uint64_t now_us)
{
    int result = 0;

    playback_advance(playback, now_us);
    size_t n_queued = playback->to - playback->from;
    if (n > PLAYBACK_MAX_SAMPLES - n_queued) {
        n = PLAYBACK_MAX_SAMPLES - n_queued;
        result = -ENOBUFS;
    }
    if (n == 0)
        return result;

    int r = make_room(playback, n);
    if (r < 0)
        return r;
    if (n_queued == 0 && now_us >= playback_end_us(playback)) {
        playback->anchor_us = now_us;
        playback->n_played = 0;
    }

    uint64_t start_us = playback_end_us(playback);
    for (size_t i = n; i > 0; i--)
        if (playback_sample_audible(ulaw[i - 1])) {
            playback->audible_us = start_us + i * PLAYBACK_SAMPLE_US;
            break;
        }
    memcpy(playback->bytes + playback->to, ulaw, n);
    playback->to += n;
    return result;
}

int playback_mark(struct playback *playback, const char *name, uint64_t now_us)
{
    uint64_t due_us;

    playback_advance(playback, now_us);
    due_us = playback_end_us(playback);
    if (playback->to == playback->from || due_us <= now_us) {
        playback->ops->on_mark(playback->user, now_us, name);
        return 0;
    }

    if (playback->n_marks == playback->n_marks_room) {
        size_t n_room = playback->n_marks_room ? playback->n_marks_room * 2 : 8;
        struct waiting_mark *marks = realloc(playback->marks, n_room * sizeof(*marks));
        if (!marks)
            return -ENOMEM;
        playback->marks = marks;
        playback->n_marks_room = n_room;
    }

    char *own_name = strdup(name);
    if (!own_name)
        return -ENOMEM;
    playback->marks[playback->n_marks++] = (struct waiting_mark){ due_us, own_name };
    return 0;
}

size_t playback_clear(struct playback *playback, uint64_t now_us)
{
    playback_advance(playback, now_us);

    size_t n_dropped = playback->to - playback->from;
    playback->from = playback->to = 0;
    playback->anchor_us = now_us;
    playback->n_played = 0;
    if (playback->audible_us > now_us)
        playback->audible_us = now_us;
    while (playback->n_marks > 0)
        echo_first_mark(playback, now_us);
    return n_dropped;
}

uint64_t playback_deadline(const struct playback *playback)
{
    return playback->n_marks > 0 ? playback->marks[0].due_us : UINT64_MAX;
}

uint64_t playback_audible_us(const struct playback *playback)
{
    return playback->audible_us;
}
