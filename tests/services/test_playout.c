/*
 * test_playout.c - what leaves when, and what was heard, with virtual time
 *
 * A row tells the play-out something at a time and says what then leaves. Of what leaves, "1>200" is the first
 * 200 ms of say 1, "1-200" further 200 ms of it, "m600" a mark at 600 ms of the stream, "e1" the end of say 1.
 */
#include "services/playout.h"

#include <errno.h>
#include <stdlib.h>

#include "services/fake_clip.h"
#include "tap.h"
#include "utils/scoped.h"

static struct clip *make(unsigned ms)
{
    struct clip *clip = clip_new(ms * 8);

    for (size_t i = 0; i < clip->n; i++)
        clip->ulaw[i] = (uint8_t)(i / 8 % 251); /* tells the millisecond */
    return clip;
}

enum op {
    SAY,    /* say, ms */
    ORDER,  /* say: its clip comes later */
    READY,  /* say, ms */
    GROW,   /* say, ms: so much of its clip is there, which is queued at the first time */
    WHOLE,  /* say: and that is all of it */
    BREAK,  /* say: and no more will come */
    REDO,   /* say: its clip is let go of */
    DROP,   /* say */
    MARK,   /* text; ms: 1 when it counts */
    WAIT,   /* nothing but time */
    BLOCK,  /* say, ms: and there is no room */
    STOP,   /* say, ms heard, total ms, as they are reported */
    HEARD,  /* the same, without stopping */
    PASSED, /* say: the clock has passed it; 0 none */
    RESUME, /* say; ms: 1 when it works */
    DEADLINE, /* ms from now; -1 none */
};

struct row {
    unsigned at_ms;
    enum op op;
    unsigned say;
    int ms, total_ms;
    const char *text;
    const char *want;
};

#define SECOND "1>200 m200 1-200 1-200 m600 1-200 1-200 m1000"

/* Marks arrive as they should. */
static const struct row plain[] = {
    { 0,    SAY,      1, 1000, 0, "", SECOND },
    { 0,    DEADLINE, 0, 1600, 0, "", "" },
    { 250,  MARK,     0, 1, 0, "g1.s1.1600", "" },
    { 250,  DEADLINE, 0, 800 + PLAYOUT_MARGIN_MS, 0, "", "" },
    { 650,  MARK,     0, 1, 0, "g1.s1.4800", "" },
    { 800,  HEARD,    1, 750, 1000, "", "" },
    { 1050, MARK,     0, 1, 0, "g1.s1.8000", "e1" },
    { 1050, DEADLINE, 0, -1, 0, "", "" },
    { 1050, HEARD,    0, 0, 0, "", "" },
};

/* Long ones are paced: no more than PLAYOUT_AHEAD_MS and a chunk wait at the other end. */
static const struct row paced[] = {
    { 0,    SAY,      1, 2000, 0, "", SECOND " 1-200" },
    { 0,    DEADLINE, 0, 200, 0, "", "" },
    { 199,  WAIT,     0, 0, 0, "", "" },
    { 200,  WAIT,     0, 0, 0, "", "1-200 m1400" },
    { 200,  SAY,      2, 300, 0, "", "" },
    { 900,  WAIT,     0, 0, 0, "", "1-200 1-200 m1800 1-200 m2000" },
    { 1000, WAIT,     0, 0, 0, "", "2>200" },
    { 1200, WAIT,     0, 0, 0, "", "2-100 m2300" },
    { 2599, WAIT,     0, 0, 0, "", "" },
    { 2600, WAIT,     0, 0, 0, "", "e1" },
    { 2600, DEADLINE, 0, 300, 0, "", "" },
    { 2900, WAIT,     0, 0, 0, "", "e2" },
};

/* A peer that plays slower or faster than the clock says so by its marks. */
static const struct row late[] = {
    { 0,    SAY,      1, 1000, 0, "", SECOND },
    { 900,  HEARD,    1, 900, 1000, "", "" },
    { 900,  MARK,     0, 1, 0, "g1.s1.4800", "" },
    { 900,  HEARD,    1, 600, 1000, "", "" },
    { 1000, HEARD,    1, 700, 1000, "", "" },
    { 1600, WAIT,     0, 0, 0, "", "" },
    { 1900, WAIT,     0, 0, 0, "", "e1" },
};

static const struct row early[] = {
    { 0,   SAY,   1, 2000, 0, "", SECOND " 1-200" },
    { 10,  MARK,  0, 1, 0, "g1.s1.8000", "1-200 m1400 1-200 1-200 m1800 1-200 m2000" },
    { 10,  HEARD, 1, 1000, 2000, "", "" },
    { 20,  MARK,  0, 1, 0, "g1.s1.16000", "e1" },
};

/* What is not a mark of ours, or tells nothing new, changes nothing. */
static const struct row foreign[] = {
    { 0,   SAY,   1, 1000, 0, "", SECOND },
    { 100, MARK,  0, 0, 0, "", "" },
    { 100, MARK,  0, 0, 0, "g", "" },
    { 100, MARK,  0, 0, 0, "g1", "" },
    { 100, MARK,  0, 0, 0, "g1.s1", "" },
    { 100, MARK,  0, 0, 0, "g1.s1.", "" },
    { 100, MARK,  0, 0, 0, "g1.s1.1600x", "" },
    { 100, MARK,  0, 0, 0, "x1.s1.1600", "" },
    { 100, MARK,  0, 0, 0, "g1.s1.-1600", "" },
    { 100, MARK,  0, 0, 0, "g2.s1.1600", "" },
    { 100, MARK,  0, 0, 0, "g99999999999999999999.s1.1600", "" },
    { 100, MARK,  0, 0, 0, "g1.s1.8001", "" },
    { 100, MARK,  0, 0, 0, "g1.s1.99999999999999999999999", "" },
    { 100, MARK,  0, 0, 0, "g1.s1.0", "" },
    { 100, HEARD, 1, 100, 1000, "", "" },
    { 210, MARK,  0, 1, 0, "g1.s1.1600", "" },
    { 310, MARK,  0, 0, 0, "g1.s1.1600", "" },
    { 310, HEARD, 1, 300, 1000, "", "" },
};

/* A barge-in: what was heard is the last mark and the time since, never more than was sent. */
static const struct row stop[] = {
    { 0,    SAY,    1, 1000, 0, "", SECOND },
    { 0,    SAY,    2, 500, 0, "", "2>200" },
    { 250,  MARK,   0, 1, 0, "g1.s1.1600", "2-200 m1400" },
    { 650,  MARK,   0, 1, 0, "g1.s1.4800", "2-100 m1500" },
    { 700,  STOP,   1, 650, 1000, "clear", "" },
    { 700,  STOP,   1, 600, 1000, "", "" },
    { 700,  DEADLINE, 0, -1, 0, "", "" },
    { 720,  MARK,   0, 0, 0, "g1.s1.8000", "" },
    { 5000, WAIT,   0, 0, 0, "", "" },
    { 5000, RESUME, 2, 0, 0, "", "" },
    { 5000, RESUME, 1, 1, 0, "", "1-200 m200 1-200 m400 2>200 2-200 m800 2-100 m900" },
    { 5100, MARK,   0, 0, 0, "g1.s1.12000", "" },
    { 5450, MARK,   0, 1, 0, "g2.s1.3200", "e1" },
    { 6000, MARK,   0, 1, 0, "g2.s2.7200", "e2" },
};

/* The barge-in was true: something else is said, the rest is dropped. */
static const struct row replaced[] = {
    { 0,   SAY,    1, 1000, 0, "", SECOND },
    { 0,   SAY,    2, 500, 0, "", "2>200" },
    { 300, STOP,   1, 300, 1000, "clear", "" },
    { 900, SAY,    3, 300, 0, "", "3>200 m200 3-100 m300" },
    { 900, RESUME, 1, 0, 0, "", "" },
    { 910, MARK,   0, 0, 0, "g1.s1.1600", "" },
    { 1250, MARK,  0, 1, 0, "g2.s3.2400", "e3" },
};

/* No mark ever comes. */
static const struct row silent[] = {
    { 0,    SAY,    1, 400, 0, "", "1>200 m200 1-200 m400" },
    { 0,    SAY,    2, 400, 0, "", "2>200 2-200 m800" },
    { 300,  PASSED, 0, 0, 0, "", "" },
    { 500,  PASSED, 1, 0, 0, "", "" },
    { 500,  PASSED, 0, 0, 0, "", "" },
    { 500,  STOP,   2, 100, 400, "clear", "" },
    { 600,  RESUME, 2, 1, 0, "", "2>200 m200 2-200 m400" },
    { 1300, STOP,   2, 400, 400, "clear", "" },
};

/* A voice that is not ready holds up what is behind it, and is let go of when it never will be. */
static const struct row rendered[] = {
    { 0,   ORDER, 1, 0, 0, "", "" },
    { 0,   SAY,   2, 200, 0, "", "" },
    { 0,   DEADLINE, 0, -1, 0, "", "" },
    { 50,  STOP,  1, 0, 0, "", "" },
    { 60,  READY, 1, 200, 0, "", "" },
    { 70,  RESUME, 1, 1, 0, "", "1>200 m200 2>200 m400" },
    { 500, MARK,  0, 1, 0, "g2.s2.3200", "e1 e2" },
    { 600, ORDER, 3, 0, 0, "", "" },
    { 600, SAY,   4, 200, 0, "", "" },
    { 700, DROP,  3, 0, 0, "", "4>200 m600" },
    { 900, READY, 3, 200, 0, "gone", "" },
    { 920, MARK,  0, 1, 0, "g2.s4.4800", "e4" },
};

/* No room: it waits, and the clock does not run before the first of it went. */
static const struct row blocked[] = {
    { 0,   BLOCK,    1, 200, 0, "", "" },
    { 90,  DEADLINE, 0, 0, 0, "", "1>200 m200" },
    { 100, SAY,      2, 0, 0, "", "" }, /* of no length: over when its turn comes */
    { 889, WAIT,     0, 0, 0, "", "" },
    { 890, WAIT,     0, 0, 0, "", "e1 e2" },
};

/*
 * A voice that is played while it comes, "w1:300/0" is where it is of what length: whole chunks, an end only when it is
 * whole, and a clock that stands still while it is dry.
 */
static const struct row growing[] = {
    { 0,    ORDER,    1, 0, 0, "", "" },
    { 0,    GROW,     1, 100, 0, "", "" },
    { 0,    DEADLINE, 0, PLAYOUT_GROWTH_MS, 0, "", "" },
    { 20,   GROW,     1, 300, 0, "", "1>200 m200" },
    { 20,   SAY,      2, 200, 0, "", "" },
    { 120,  HEARD,    1, 100, 0, "", "" },
    { 140,  GROW,     1, 450, 0, "", "1-200" },
    { 240,  MARK,     0, 1, 0, "g1.s1.1600", "" },
    { 250,  HEARD,    1, 210, 0, "", "" },
    { 900,  WAIT,     0, 0, 0, "", "" }, /* dry since 420 */
    { 900,  HEARD,    1, 400, 0, "", "" },
    { 900,  PASSED,   0, 0, 0, "", "" },
    { 2000, HEARD,    1, 400, 0, "", "" },
    { 3000, GROW,     1, 700, 0, "", "1-200 m600 w1:400/0" },
    { 3100, HEARD,    1, 500, 0, "", "" },
    { 3100, WHOLE,    1, 0, 0, "", "w1:500/700 1-100 m700 2>200 m900" },
    { 3100, DEADLINE, 0, 200 + PLAYOUT_MARGIN_MS, 0, "", "" },
    { 3350, MARK,     0, 1, 0, "g1.s1.5600", "e1" },
    { 3600, MARK,     0, 1, 0, "g1.s2.7200", "e2" },
};

/* All of it was sent before it was known to be all: it has its mark at the end nevertheless. */
static const struct row tail[] = {
    { 0,   ORDER, 1, 0, 0, "", "" },
    { 0,   GROW,  1, 400, 0, "", "1>200 m200 1-200" },
    { 100, WHOLE, 1, 0, 0, "", "m400 w1:100/400" },
    { 450, MARK,  0, 1, 0, "g1.s1.3200", "e1" },
};

/* It breaks: another voice says it from its start, and nothing of that counts as heard before it is. */
static const struct row broken[] = {
    { 0,    ORDER, 1, 0, 0, "", "" },
    { 0,    GROW,  1, 500, 0, "", "1>200 m200 1-200" },
    { 0,    SAY,   2, 200, 0, "", "" },
    { 100,  BREAK, 1, 0, 0, "", "" },
    { 120,  REDO,  1, 0, 0, "", "" },
    { 120,  HEARD, 1, 0, 0, "", "" },
    { 200,  MARK,  0, 1, 0, "g1.s1.1600", "" },
    { 300,  READY, 1, 300, 0, "", "1-200 m600 w1:0/300 1-100 m700 2>200 m900" },
    { 350,  HEARD, 1, 0, 300, "", "" }, /* the end of the first attempt is heard until 400 */
    { 500,  HEARD, 1, 100, 300, "", "" },
    { 720,  MARK,  0, 1, 0, "g1.s1.5600", "e1" },
    { 920,  MARK,  0, 1, 0, "g1.s2.7200", "e2" },
    { 1000, REDO,  2, 1, 0, "", "" }, /* nobody wants it any more */
};

/* The caller falls in while it grows, and while it is begun again. */
static const struct row cut[] = {
    { 0,    ORDER,  1, 0, 0, "", "" },
    { 0,    GROW,   1, 500, 0, "", "1>200 m200 1-200" },
    { 250,  MARK,   0, 1, 0, "g1.s1.1600", "" },
    { 300,  STOP,   1, 250, 0, "clear", "" },
    { 400,  WHOLE,  1, 0, 0, "", "" },
    { 900,  RESUME, 1, 1, 0, "", "1-200 m200 w1:200/500 1-100 m300" },
    { 1300, MARK,   0, 1, 0, "g2.s1.2400", "e1" },
    { 1300, ORDER,  2, 0, 0, "", "" },
    { 1300, GROW,   2, 300, 0, "", "2>200 m500" },
    { 1510, MARK,   0, 1, 0, "g2.s2.4000", "" },
    { 1520, BREAK,  2, 0, 0, "", "" },
    { 1530, REDO,   2, 0, 0, "", "" },
    { 1540, STOP,   2, 0, 0, "", "" },
    { 1550, READY,  2, 200, 0, "", "" },
    { 1560, RESUME, 2, 1, 0, "", "2>200 m200" },
    { 1800, MARK,   0, 1, 0, "g3.s2.1600", "e2" },
};

static const struct {
    const char *name;
    const struct row *rows;
    size_t n_rows;
} scenes[] = {
    { "plain", plain, ELEMENTSOF(plain) },          { "paced", paced, ELEMENTSOF(paced) },
    { "late", late, ELEMENTSOF(late) },             { "early", early, ELEMENTSOF(early) },
    { "foreign", foreign, ELEMENTSOF(foreign) },    { "stop", stop, ELEMENTSOF(stop) },
    { "replaced", replaced, ELEMENTSOF(replaced) }, { "silent", silent, ELEMENTSOF(silent) },
    { "rendered", rendered, ELEMENTSOF(rendered) }, { "blocked", blocked, ELEMENTSOF(blocked) },
    { "growing", growing, ELEMENTSOF(growing) },    { "tail", tail, ELEMENTSOF(tail) },
    { "broken", broken, ELEMENTSOF(broken) },       { "cut", cut, ELEMENTSOF(cut) },
};

static unsigned clip_at[64]; /* how far each say was sent, in ms */

static int n_wrong_bytes;

/* Write down what leaves. */
static void pump(struct playout *playout, uint64_t now_ms, size_t n_room, char *out, size_t size)
{
    struct playout_step step;
    size_t n = 0;

    *out = '\0';
    for (playout_next(playout, now_ms, n_room, &step); step.kind; playout_next(playout, now_ms, n_room, &step)) {
        const char *space = n ? " " : "", *dot = strrchr(step.mark, '.');

        if (step.kind == PLAYOUT_AUDIO) {
            n += (size_t)snprintf(out + n, size - n, "%s%u%c%zu", space, step.say, step.is_first ? '>' : '-', step.n / 8);
            n_wrong_bytes += step.ulaw[0] != clip_at[step.say] % 251;
            clip_at[step.say] += (unsigned)(step.n / 8);
        } else if (step.kind == PLAYOUT_MARK) {
            n += (size_t)snprintf(out + n, size - n, "%sm%d", space, dot ? atoi(dot + 1) / 8 : -1);
        } else if (step.kind == PLAYOUT_MOVED) {
            n += (size_t)snprintf(out + n, size - n, "%sw%u:%u/%u", space, step.say, step.heard_ms, step.total_ms);
        } else {
            n += (size_t)snprintf(out + n, size - n, "%se%u", space, step.say);
        }
    }
}

static int is_heard(const struct playout_heard *heard, const struct row *row)
{
    if (heard->say == row->say && heard->heard_ms == (uint32_t)row->ms && heard->total_ms == (uint32_t)row->total_ms)
        return 1;
    printf("# heard %u ms of %u ms of say %u\n", heard->heard_ms, heard->total_ms, heard->say);
    return 0;
}

static struct clip *clips_growing[64]; /* of each say */

/* Returns: whether it is queued. */
static int grow(struct playout *playout, unsigned say, size_t n)
{
    struct clip *clip = clips_growing[say];
    int r = 0;

    if (!clip) {
        clip = clips_growing[say] = clip_new_growing(10000 * 8);
        r = playout_ready(playout, say, clip);
    }
    for (size_t i = clip->n; i < n; i++)
        clip->ulaw[i] = (uint8_t)(i / 8 % 251);
    clip_publish(clip, n);
    return r == 0;
}

static void end_growth(unsigned say, enum clip_state state)
{
    struct clip *clip = steal(&clips_growing[say]);

    clip_end(clip, state);
    clip_unref(clip);
}

/* Returns: whether it answered as the row says. */
static int tell(struct playout *playout, const struct row *row)
{
    int has_clip = row->op == SAY || row->op == BLOCK || row->op == READY;
    scoped(clip_unref) struct clip *clip = has_clip ? make((unsigned)row->ms) : NULL;
    struct playout_heard heard;
    uint64_t deadline_ms;

    switch (row->op) {
    case SAY:
    case BLOCK:
    case ORDER:
        clip_at[row->say] = 0;
        return playout_say(playout, row->say, clip) == 0;
    case READY:
        clip_at[row->say] = 0;
        return playout_ready(playout, row->say, clip) == (row->text[0] ? -ENOENT : 0);
    case GROW:
        return grow(playout, row->say, (size_t)row->ms * 8);
    case WHOLE:
    case BREAK:
        end_growth(row->say, row->op == WHOLE ? CLIP_WHOLE : CLIP_BROKEN);
        return 1;
    case REDO:
        clip_at[row->say] = 0;
        return playout_redo(playout, row->say) == (row->ms ? -ENOENT : 0);
    case DROP:
        playout_drop(playout, row->say);
        return !playout_wants(playout, row->say);
    case MARK:
        return playout_mark(playout, row->text, strlen(row->text), row->at_ms) == row->ms;
    case STOP: {
        int is_cleared = playout_stop(playout, row->at_ms, &heard);
        for (unsigned i = 0; i < playout->n_says; i++)
            clip_at[playout->says[i].say] = playout->says[i].from / 8;
        return is_heard(&heard, row) && is_cleared == (row->text[0] != '\0');
    }
    case HEARD:
        playout_heard(playout, row->at_ms, &heard);
        return is_heard(&heard, row);
    case PASSED:
        return playout_passed(playout, row->at_ms) == row->say;
    case RESUME:
        return playout_resume(playout, row->say) == (row->ms ? 0 : -ENOENT);
    case DEADLINE:
        deadline_ms = playout_deadline(playout, row->at_ms);
        return row->ms < 0 ? deadline_ms == UINT64_MAX : deadline_ms == row->at_ms + (uint64_t)row->ms;
    case WAIT:
        return 1;
    }
    return 0;
}

static void test_limits(void)
{
    struct playout playout;
    unsigned n = 0;

    playout_init(&playout);
    while (playout_say(&playout, n + 1, NULL) == 0)
        n++;
    is_int(n, PLAYOUT_SAYS, "the queue is bounded");
    ok(!playout_is_idle(&playout), "and not idle");
    playout_done(&playout);
    ok(playout_is_idle(&playout), "until it is emptied");
}

int main(void)
{
    for (size_t s = 0; s < ELEMENTSOF(scenes); s++) {
        struct playout playout;

        playout_init(&playout);
        memset(clip_at, 0, sizeof(clip_at));
        for (size_t i = 0; i < scenes[s].n_rows; i++) {
            const struct row *row = &scenes[s].rows[i];
            char got[256];

            int answered = tell(&playout, row);
            pump(&playout, row->at_ms, row->op == BLOCK ? 100 : 100000, got, sizeof(got));
            if (!ok(answered && strcmp(got, row->want) == 0, "%s, row %zu: %s", scenes[s].name, i, row->want))
                printf("# got \"%s\"%s\n", got, answered ? "" : ", another answer");
        }
        playout_done(&playout);
    }
    is_int(n_wrong_bytes, 0, "every byte left once and in its place");
    is_int(n_clips, 0, "every clip was let go of");
    test_limits();
    return done_testing();
}
