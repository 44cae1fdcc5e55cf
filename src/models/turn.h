#pragma once
/* turn.h - one side's contribution to a call: what was said, and heard */

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json_object.h>

enum turn_who { TURN_AGENT, TURN_CALLER };

enum { TURN_TEXT_MAX = 1024, TURN_AUDIO_MAX = 128 };

/* What kind of answer a question expects; the embedded recogniser picks its grammar by it. */
enum answer_kind {
    ANSWER_FREE,   /* anything: the audio is kept when nobody can transcribe it */
    ANSWER_YESNO,
    ANSWER_DIGITS, /* a telephone number, digit by digit */
    ANSWER_NUMBER,
    ANSWER_COMMAND, /* yes, no, repeat, stop, help, start, go */
    ANSWER_N_KINDS
};

/* Milestones of a caller's turn up to the first sound of the reply, unix ms; 0: did not happen. */
struct turn_times {
    uint64_t speech_end, decided, transcript, first_token, first_sentence, first_audio, first_frame;
    uint64_t listened;                   /* when the silence that ends a turn was long enough; decided comes after it */
    /* Waits for a provider: given to the network, answered or given up. One without an end counts as ours. */
    uint64_t stt_asked, stt_answered;    /* the whole answer is there */
    uint64_t chat_asked, chat_answered;  /* answered: the first sentence was complete */
    uint64_t tts_asked, tts_answered;    /* answered: the first audio of the first sentence of the reply */
};

struct turn {
    enum turn_who who;
    char text[TURN_TEXT_MAX];  /* agent: what the caller heard of it; caller: the transcript, "" without one */
    char full[TURN_TEXT_MAX];  /* agent: what was meant to be said, when it was cut; else "" */
    char audio[TURN_AUDIO_MAX]; /* file of the kept audio below the state directory; "" none */
    enum answer_kind expected;
    uint64_t start_ms, end_ms; /* unix time */
    double confidence;         /* 0..1; -1 unknown */
    bool interrupted;          /* agent: cut by a barge-in */
    bool keyed;                /* caller: DTMF */
    struct turn_times times;
};

/* Where the time goes between the caller's last sound and the first sound of the reply. */
enum latency {
    LATENCY_LISTENED, /* the silence that ends a turn, kept on purpose */
    LATENCY_STT,      /* waits for the providers: the transcript, ... */
    LATENCY_TOKEN,    /* ... the first word of the reply, ... */
    LATENCY_SENTENCE, /* ... the rest of its first sentence, ... */
    LATENCY_TTS,      /* ... the first audio of it */
    LATENCY_AUDIO,    /* from the caller's last sound until there was audio to send */
    LATENCY_TOTAL,    /* and until its first frame was sent */
    LATENCY_OWN,      /* of the total, what was neither listened nor waited */
    LATENCY_N
};

enum { LATENCY_UNKNOWN = -1 };

const char *latency_name(enum latency stage); /* "listened", "stt" ... */

/*
 * The ms of each stage, by its number; LATENCY_UNKNOWN where a milestone is missing or they contradict each other.
 * Waits that overlap count once in LATENCY_OWN, and only where they lie within the total.
 */
void turn_latencies(const struct turn_times *times, int64_t ret_ms[LATENCY_N]);

/* A histogram's buckets: bucket i counts up to latency_bound_ms(i), included; the last one has no bound. */
enum { LATENCY_BUCKETS = 12 };
unsigned latency_bucket(int64_t ms);
uint64_t latency_bound_ms(unsigned bucket); /* UINT64_MAX of the last */

int answer_kind_parse(const char *name); /* or -EINVAL */

struct json_object *turn_to_json(const struct turn *turn);
/* Errors: -EBADMSG. */
int turn_from_json(struct json_object *json, struct turn *ret_turn);
