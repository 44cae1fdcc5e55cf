#pragma once
/*
 * fake_call.h - a worker for the dialogue in virtual time
 *
 * Plays what is said at PER_CHAR_MS a character, hears what a script says, asks the real agent, or one whose replies
 * are a table and come in parts. Writes
 * down what a store would keep, one line each, and checks what must hold in every call whatever happens:
 * each utterance is recognised at most once and then kept or dropped exactly once; sentences are numbered
 * in order; the last action is the one DO_HANG_UP; a deadline never lies in the past.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "models/call.h"
#include "services/dialogue.h"

enum {
    FAKE_PER_CHAR_MS = 50,
    FAKE_START_MS = 20,  /* from DO_SAY to the first frame */
    FAKE_MARK_MS = 100,  /* a mark's way back */
    FAKE_ONSET_MS = 120, /* the detector's */
    FAKE_OFFSET_MS = 300,
    FAKE_EVENTS_MAX = 256,
    FAKE_UTTERANCES_MAX = 512,
    FAKE_SAYS_MAX = 8,
    FAKE_LOG_MAX = 16384,
    FAKE_SILENCE_MAX_MS = 4000,
};

enum fake_fault {
    FAKE_NO_MARKS = 1 << 0,       /* DIALOGUE_SAY_ENDED never comes */
    FAKE_MARKS_TWICE = 1 << 1,    /* and once more two seconds later */
    FAKE_NO_STARTS = 1 << 2,      /* DIALOGUE_SAY_STARTED never comes */
    FAKE_NO_LENGTHS = 1 << 3,     /* total_ms is 0 */
    FAKE_NO_STOPPED = 1 << 4,
    FAKE_NO_TRANSCRIPTS = 1 << 5,
    FAKE_NO_REPLIES = 1 << 6,     /* after the first */
    FAKE_NO_FILES = 1 << 7,
    FAKE_NO_VOICE = 1 << 8,       /* every sentence fails */
    FAKE_NO_NUMBERS = 1 << 9,     /* every sentence that is no fixed prompt fails */
    FAKE_STUCK_VOICE = 1 << 10,   /* those never begin */
    FAKE_EVENTS_TWICE = 1 << 11,
};

struct fake_event {
    struct dialogue_event event;
    uint64_t order;
    char text[128];
    struct agent_reply *reply;
};

struct fake_say {
    unsigned number;
    uint64_t begins_ms, ends_ms; /* 0: not begun, length in ends_ms */
    uint32_t heard_ms;           /* before it was stopped and resumed */
};

struct fake_call {
    struct dialogue *dialogue;
    struct agent *agent;
    unsigned faults;
    unsigned deaf_to; /* bits 1 << enum answer_kind */
    uint32_t stt_ms;
    uint64_t now_ms;

    struct fake_event events[FAKE_EVENTS_MAX];
    size_t n_events;
    uint64_t n_ordered;

    struct fake_say says[FAKE_SAYS_MAX];
    size_t n_says;
    bool held;
    unsigned n_said, n_replies;
    uint64_t sounded_ms; /* the last moment the voice was heard */
    uint64_t spoke_ms;   /* the same of the caller, and his keys */
    bool prompted;       /* what is said now comes because the caller was silent */
    uint64_t gap_ms;     /* the longest silence because of us */

    char words[FAKE_UTTERANCES_MAX][128];
    unsigned char begun[FAKE_UTTERANCES_MAX], recognised[FAKE_UTTERANCES_MAX], settled[FAKE_UTTERANCES_MAX];
    unsigned n_utterances, last_begun;

    unsigned n_hung_up, n_bad, n_actions_most;
    uint64_t last_start_ms, first_frame_ms;
    char log[FAKE_LOG_MAX];
    size_t n_log;

    /*
     * NULL: the agent is asked. Else a reply each, parts separated by '|': milliseconds after the part before, and a
     * sentence, or "" none. The last part ends the reply, "..." at the end leaves it open, "END" is said to be the end.
     */
    const char *const *replies;

    bool recording;
    uint64_t digest;
    struct fake_event *tape;
    size_t n_tape;
};

__attribute__((format(printf, 2, 3))) static void fake_log(struct fake_call *call, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(call->log + call->n_log, FAKE_LOG_MAX - call->n_log, format, args);
    va_end(args);
    call->n_log += (size_t)n < FAKE_LOG_MAX - call->n_log ? (size_t)n : 0;
}

__attribute__((format(printf, 3, 4))) static void fake_check(struct fake_call *call, bool good, const char *format, ...)
{
    va_list args;

    if (good)
        return;
    call->n_bad++;
    printf("# at %llu ms: ", (unsigned long long)call->now_ms);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static struct fake_event *fake_event(struct fake_call *call, enum dialogue_event_kind kind, uint64_t at_ms)
{
    if (call->n_events == FAKE_EVENTS_MAX) {
        printf("Bail out! too many events\n");
        exit(99);
    }
    struct fake_event *event = &call->events[call->n_events++];
    *event = (struct fake_event){ .event.kind = kind, .event.now_ms = at_ms, .order = call->n_ordered++ };
    return event;
}

/* --- the voice --- */

static void fake_forget_marks(struct fake_call *call, unsigned say)
{
    for (size_t i = call->n_events; i-- > 0;) {
        const struct dialogue_event *event = &call->events[i].event;
        if ((event->kind == DIALOGUE_SAY_ENDED || event->kind == DIALOGUE_SAY_STARTED) && event->say == say)
            call->events[i] = call->events[--call->n_events];
    }
}

static void fake_play(struct fake_call *call, struct fake_say *say, uint64_t at_ms, bool again)
{
    uint32_t total_ms = (uint32_t)say->ends_ms;

    uint64_t quiet_ms = call->sounded_ms > call->spoke_ms ? call->sounded_ms : call->spoke_ms;
    if (!again && !call->prompted && at_ms > quiet_ms + call->gap_ms)
        call->gap_ms = at_ms - quiet_ms;
    if (!again && !call->prompted && at_ms > quiet_ms + FAKE_SILENCE_MAX_MS)
        fake_log(call, "(silent for %llu ms)\n", (unsigned long long)(at_ms - quiet_ms));
    call->prompted = false;
    say->begins_ms = at_ms;
    say->ends_ms = at_ms + total_ms - say->heard_ms;
    if (!(call->faults & FAKE_NO_STARTS) && !again) {
        struct dialogue_event *event = &fake_event(call, DIALOGUE_SAY_STARTED, at_ms)->event;
        event->say = say->number;
        event->total_ms = call->faults & FAKE_NO_LENGTHS ? 0 : total_ms;
    }
    for (int i = 0; i < 2; i++)
        if (!(call->faults & FAKE_NO_MARKS) && (!i || call->faults & FAKE_MARKS_TWICE))
            fake_event(call, DIALOGUE_SAY_ENDED, say->ends_ms + FAKE_MARK_MS + (i ? 2000 : 0))->event.say = say->number;
    if (say->ends_ms > call->sounded_ms)
        call->sounded_ms = say->ends_ms;
}

static uint64_t fake_free_ms(const struct fake_call *call)
{
    uint64_t at_ms = call->now_ms + FAKE_START_MS;

    for (size_t i = 0; i < call->n_says; i++)
        if (call->says[i].begins_ms && call->says[i].ends_ms > at_ms)
            at_ms = call->says[i].ends_ms;
    return at_ms;
}

static void fake_say(struct fake_call *call, const struct dialogue_action *action)
{
    bool fixed = action->sentence->prompt;

    fake_check(call, action->say == call->n_said + 1, "say %u after %u", action->say, call->n_said);
    call->n_said = action->say;
    if (call->held)
        call->n_says = 0;
    call->held = false;
    if (call->faults & FAKE_NO_VOICE || (call->faults & FAKE_NO_NUMBERS && !fixed)) {
        fake_event(call, DIALOGUE_SAY_FAILED, call->now_ms + 200)->event.say = action->say;
        return;
    }
    if (call->faults & FAKE_STUCK_VOICE && !fixed)
        return;
    if (call->n_says == FAKE_SAYS_MAX)
        memmove(call->says, call->says + 1, --call->n_says * sizeof(call->says[0]));

    uint64_t at_ms = fake_free_ms(call);
    struct fake_say *say = &call->says[call->n_says++];
    call->prompted |= fixed && strcmp(action->sentence->prompt, "too_long") == 0; /* said whoever's turn it is */
    *say = (struct fake_say){ action->say, 0, strlen(action->sentence->text) * FAKE_PER_CHAR_MS, 0 };
    fake_play(call, say, at_ms, false);
}

static void fake_stop(struct fake_call *call)
{
    struct dialogue_event answer = { 0 };

    for (size_t i = 0; i < call->n_says; i++) {
        struct fake_say *say = &call->says[i];
        if (!say->begins_ms || say->ends_ms <= call->now_ms)
            continue;
        uint32_t total_ms = (uint32_t)(say->ends_ms - say->begins_ms) + say->heard_ms;
        say->heard_ms += call->now_ms > say->begins_ms ? (uint32_t)(call->now_ms - say->begins_ms) : 0;
        fake_forget_marks(call, say->number);
        if (!answer.say) {
            answer.say = say->number;
            answer.heard_ms = say->heard_ms;
            answer.total_ms = total_ms;
        }
        say->begins_ms = 0;
        say->ends_ms = total_ms;
    }
    call->held = true;
    call->sounded_ms = call->now_ms;
    if (answer.say && !(call->faults & FAKE_NO_STOPPED)) {
        struct fake_event *event = fake_event(call, DIALOGUE_SAY_STOPPED, call->now_ms);
        answer.kind = DIALOGUE_SAY_STOPPED;
        answer.now_ms = call->now_ms;
        event->event = answer;
    }
}

static void fake_resume(struct fake_call *call, const struct dialogue_action *action)
{
    bool found = false;

    fake_log(call, "(resumed)\n");
    fake_check(call, call->held, "resumed without a stop");
    call->held = false;
    for (size_t i = 0; i < call->n_says; i++)
        if (!call->says[i].begins_ms) {
            found |= call->says[i].number == action->say;
            fake_play(call, &call->says[i], fake_free_ms(call), call->says[i].heard_ms > 0);
        }
    fake_check(call, found || call->faults, "say %u cannot be resumed", action->say);
}

/* --- what is kept --- */

static void fake_log_turn(struct fake_call *call, const struct turn *turn)
{
    /* the detector is late: speech may end before the reply it is said to interrupt */
    fake_check(call, call->faults & FAKE_NO_STARTS || turn->end_ms + FAKE_OFFSET_MS >= call->last_start_ms, "a turn out of order: %s", turn->text);
    fake_check(call, turn->end_ms >= turn->start_ms, "a turn that ends before it begins: %s", turn->text);
    fake_check(call, turn->interrupted == (turn->full[0] != 0), "full and interrupted go together: %s", turn->text);
    call->last_start_ms = turn->start_ms;
    if (turn->who == TURN_AGENT)
        fake_log(call, "agent: %s%s\n", turn->text, turn->interrupted ? "--" : "");
    else
        fake_log(call, "caller%s: %s%s%s\n", turn->keyed ? " keys" : "", turn->text, turn->audio[0] ? " @" : "",
                 turn->audio);
    if (turn->who == TURN_CALLER && turn->times.first_frame) {
        fake_check(call, turn->times.decided >= turn->times.speech_end, "decided before the end");
        call->first_frame_ms = turn->times.first_frame - turn->times.speech_end;
    }
}

static void fake_settle(struct fake_call *call, unsigned from, unsigned to)
{
    for (unsigned u = from; u <= to && u < FAKE_UTTERANCES_MAX; u++) {
        if (from == to) /* a range passes over those that were dropped */
            fake_check(call, call->begun[u] && !call->settled[u], "utterance %u settled twice, or never begun", u);
        call->settled[u] = 1;
    }
}

static void fake_recognise(struct fake_call *call, const struct dialogue_action *action)
{
    unsigned u = action->utterance;

    fake_check(call, call->begun[u] && !call->recognised[u] && !call->settled[u], "utterance %u recognised", u);
    fake_check(call, !(call->deaf_to & 1U << action->expect), "recognised what cannot be");
    call->recognised[u] = 1;
    if (call->faults & FAKE_NO_TRANSCRIPTS)
        return;
    struct fake_event *event = fake_event(call, DIALOGUE_TRANSCRIPT, call->now_ms + call->stt_ms);
    event->event.utterance = u;
    event->event.understood = call->words[u][0];
    event->event.confidence = 0.9;
    snprintf(event->text, sizeof(event->text), "%s", call->words[u]);
}

/* A part of a reply from the table. Returns: where the next begins, NULL: there is none. */
static const char *fake_part(struct fake_call *call, const char *part, unsigned ask, uint64_t *at_ms)
{
    char *text;
    *at_ms += strtoul(part, &text, 10);
    text += *text == ' ';
    int n = (int)strcspn(text, "|");
    bool more = text[n] == '|';

    if (strncmp(text, "...", 3) == 0)
        return NULL;
    struct fake_event *event = fake_event(call, DIALOGUE_REPLY, *at_ms);
    event->event.ask = ask;
    event->reply = calloc(1, sizeof(*event->reply));
    if (!event->reply)
        exit(99);
    event->reply->more = more;
    event->reply->end = n == 3 && strncmp(text, "END", 3) == 0;
    event->reply->n_sentences = n && !event->reply->end;
    (void)snprintf(event->reply->sentences[0].text, AGENT_SENTENCE_MAX, "%.*s", n, text);
    return more ? text + n + 1 : NULL;
}

static void fake_ask_table(struct fake_call *call, const struct dialogue_action *action)
{
    static const char *const kinds[] = { "begin", "heard", "unheard", "unclear", "keyed", "silence", "continued", "failed" };
    uint64_t at_ms = call->now_ms;

    if (action->input->kind != AGENT_BEGIN)
        fake_log(call, "asked: %s %s\n", kinds[action->input->kind], action->input->text);
    for (const char *part = *call->replies; part; part = fake_part(call, part, action->ask, &at_ms))
        ;
    call->replies += *call->replies != NULL;
}

static void fake_ask(struct fake_call *call, const struct dialogue_action *action)
{
    if (call->replies) {
        call->prompted = action->input->kind == AGENT_SILENCE;
        fake_ask_table(call, action);
        return;
    }
    if (call->n_replies++ && call->faults & FAKE_NO_REPLIES)
        return;
    call->prompted = action->input->kind == AGENT_SILENCE;
    struct fake_event *event = fake_event(call, DIALOGUE_REPLY, call->now_ms);
    event->event.ask = action->ask;
    event->reply = malloc(sizeof(*event->reply));
    if (event->reply)
        agent_turn(call->agent, action->input, event->reply);
}

static void fake_perform(struct fake_call *call, const struct dialogue_action *action)
{
    struct fake_event *event;

    fake_check(call, !call->n_hung_up, "action %d after the end", action->kind);
    switch (action->kind) {
    case DO_SAY:
        fake_say(call, action);
        break;
    case DO_STOP:
        fake_stop(call);
        break;
    case DO_RESUME:
        fake_resume(call, action);
        break;
    case DO_RECOGNISE:
        fake_recognise(call, action);
        break;
    case DO_KEEP_AUDIO:
        fake_settle(call, action->utterance, action->last_utterance);
        if (call->faults & FAKE_NO_FILES)
            break;
        event = fake_event(call, DIALOGUE_AUDIO_KEPT, call->now_ms + 30);
        event->event.utterance = action->utterance;
        snprintf(event->text, sizeof(event->text), "rec/%u.wav", action->utterance);
        break;
    case DO_DROP_AUDIO:
        fake_settle(call, action->utterance, action->utterance);
        break;
    case DO_ASK_AGENT:
        fake_ask(call, action);
        break;
    case DO_CANCEL_AGENT: /* what was under way comes all the same */
        if (call->replies)
            fake_log(call, "(cancelled)\n");
        else
            agent_cancel(call->agent);
        break;
    case DO_SAVE_TURN:
        fake_log_turn(call, action->turn);
        break;
    case DO_LEARN:
        fake_log(call, "learnt: %s=%s\n", action->field, action->value);
        break;
    case DO_HANG_UP:
        call->n_hung_up++;
        fake_log(call, "end: %d\n", action->end);
        break;
    }
}

/* A number that tells two streams of actions apart. */
static uint64_t fake_digest(uint64_t digest, const struct dialogue_action *action)
{
    char line[4 * TURN_TEXT_MAX];
    const struct turn *turn = action->kind == DO_SAVE_TURN ? action->turn : NULL;
    const char *text = action->kind == DO_SAY        ? action->sentence->text
                       : action->kind == DO_ASK_AGENT ? action->input->text
                       : action->kind == DO_LEARN     ? action->field
                                                      : "";
    int n = snprintf(line, sizeof(line), "%d %u %u %u %d %d %s %s", action->kind, action->utterance,
                     action->last_utterance, action->say, action->expect, action->end, text,
                     action->kind == DO_LEARN ? action->value : "");

    if (turn)
        n += snprintf(line + n, sizeof(line) - (size_t)n, "%d %s %s %s %llu %llu %llu", turn->who, turn->text, turn->full,
                      turn->audio, (unsigned long long)turn->start_ms, (unsigned long long)turn->end_ms,
                      (unsigned long long)turn->times.decided);
    for (int i = 0; i < n && (size_t)i < sizeof(line); i++)
        digest = (digest ^ (unsigned char)line[i]) * 0x100000001B3;
    return digest;
}

/* The event with all that it points to, so that the call can be replayed. */
static void fake_record(struct fake_call *call, const struct dialogue_event *event)
{
    struct fake_event *tape = realloc(call->tape, (call->n_tape + 1) * sizeof(*tape));

    if (!tape)
        exit(99);
    call->tape = tape;
    tape += call->n_tape++;
    *tape = (struct fake_event){ .event = *event };
    if (event->text)
        snprintf(tape->text, sizeof(tape->text), "%s", event->text);
    if (event->reply) {
        tape->reply = malloc(sizeof(*tape->reply));
        if (!tape->reply)
            exit(99);
        *tape->reply = *event->reply;
    }
}

static void fake_push(struct fake_call *call, const struct dialogue_event *event)
{
    struct dialogue_action action;
    unsigned n = 0;

    if (call->recording)
        fake_record(call, event);
    dialogue_push(call->dialogue, event);
    for (; dialogue_take(call->dialogue, &action); n++) {
        call->digest = fake_digest(call->digest, &action);
        fake_perform(call, &action);
    }
    if (n > call->n_actions_most)
        call->n_actions_most = n;
    fake_check(call, dialogue_deadline(call->dialogue) > call->now_ms, "a deadline that has passed");
    fake_check(call, dialogue_ended(call->dialogue) == (call->n_hung_up == 1), "ended and hung up differ");
}

/* Utterances are numbered upwards: one that comes behind a later one never was. */
static void fake_begin(struct fake_call *call, const struct dialogue_event *event)
{
    bool speech = event->kind == DIALOGUE_SPEECH_STARTED || event->kind == DIALOGUE_SPEECH_ENDED;

    if (!speech || event->utterance <= call->last_begun)
        return;
    call->last_begun = event->utterance;
    call->begun[event->utterance] = 1;
}

/* The next thing that is to happen, no later than until_ms. Returns: false nothing did. */
static bool fake_step(struct fake_call *call, uint64_t until_ms)
{
    uint64_t at_ms = dialogue_deadline(call->dialogue);
    struct fake_event next = { .event = { .kind = DIALOGUE_TICK } };
    size_t which = SIZE_MAX;

    for (size_t i = 0; i < call->n_events; i++)
        if (call->events[i].event.now_ms < at_ms || (call->events[i].event.now_ms == at_ms &&
            (which == SIZE_MAX || call->events[i].order < call->events[which].order))) {
            at_ms = call->events[i].event.now_ms;
            which = i;
        }
    if (at_ms > until_ms) {
        call->now_ms = until_ms > call->now_ms ? until_ms : call->now_ms;
        return false;
    }
    if (which != SIZE_MAX) {
        next = call->events[which];
        call->events[which] = call->events[--call->n_events];
    }
    call->now_ms = at_ms > call->now_ms ? at_ms : call->now_ms;
    next.event.now_ms = call->now_ms;
    next.event.text = next.text;
    next.event.reply = next.reply;
    fake_begin(call, &next.event);
    if (next.event.kind == DIALOGUE_SPEECH_ENDED)
        call->spoke_ms = next.event.at_ms;
    if (next.event.kind == DIALOGUE_KEY)
        call->spoke_ms = call->now_ms;
    fake_push(call, &next.event);
    if (call->faults & FAKE_EVENTS_TWICE && !call->n_hung_up && next.event.kind != DIALOGUE_KEY)
        fake_push(call, &next.event);
    free(next.reply);
    return true;
}

static void fake_run(struct fake_call *call, uint64_t until_ms)
{
    while (!call->n_hung_up && fake_step(call, until_ms))
        ;
}

/* Speech of the caller from at_ms on; words "" are not understood. */
__attribute__((unused)) static void fake_speak(struct fake_call *call, uint64_t at_ms, uint32_t ms, const char *words)
{
    unsigned u = ++call->n_utterances;
    struct dialogue_event *event;

    snprintf(call->words[u], sizeof(call->words[u]), "%s", words);
    event = &fake_event(call, DIALOGUE_SPEECH_STARTED, at_ms + FAKE_ONSET_MS)->event;
    event->utterance = u;
    event->at_ms = at_ms;
    event = &fake_event(call, DIALOGUE_SPEECH_ENDED, at_ms + ms + FAKE_OFFSET_MS)->event;
    event->utterance = u;
    event->at_ms = at_ms + ms;
    event->speech_ms = ms;
}

__attribute__((unused)) static void fake_keys(struct fake_call *call, uint64_t at_ms, const char *keys)
{
    for (; *keys; keys++, at_ms += 250)
        fake_event(call, DIALOGUE_KEY, at_ms)->text[0] = *keys;
}

static bool fake_can(void *user, enum answer_kind expect)
{
    const struct fake_call *call = user;
    return !(call->deaf_to & 1U << expect);
}

/* After dialogue and agent are set. */
static void fake_answer(struct fake_call *call)
{
    fake_event(call, DIALOGUE_ANSWERED, call->now_ms);
    fake_step(call, call->now_ms);
}

static void fake_finish(struct fake_call *call)
{
    for (unsigned u = 1; u <= call->n_utterances; u++)
        fake_check(call, call->settled[u] || !call->begun[u], "utterance %u was neither kept nor dropped", u);
    fake_check(call, call->n_hung_up == 1, "hung up %u times", call->n_hung_up);
    for (size_t i = 0; i < call->n_events; i++)
        free(call->events[i].reply);
    call->n_events = 0;
}

/* What was recorded, into a dialogue that is as it was at the beginning. Returns the digest of what it did. */
__attribute__((unused)) static uint64_t fake_replay(const struct fake_call *call, struct dialogue *dialogue)
{
    uint64_t digest = 0;

    for (size_t i = 0; i < call->n_tape; i++) {
        struct dialogue_event event = call->tape[i].event;
        struct dialogue_action action;

        event.text = call->tape[i].text;
        event.reply = call->tape[i].reply;
        dialogue_push(dialogue, &event);
        while (dialogue_take(dialogue, &action))
            digest = fake_digest(digest, &action);
    }
    return digest;
}
