#pragma once
/*
 * stt.h - speech to text
 *
 * One front for every recogniser; the engines live in stt_*.c. Whisper is asked first where it is configured, and not
 * waited for; the embedded engine blocks an engine thread and is the step down.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/call.h"
#include "models/turn.h"
#include "utils/histogram.h"
#include "utils/scoped.h"

struct config;
struct http_client;
struct stt;

struct stt_request {
    const int16_t *pcm; /* mono */
    size_t n_samples;
    const char *language; /* "en", "he" */
    enum answer_kind expect;
    const char *hints; /* words that are likely to come, such as the caller's name; NULL none */
    unsigned rate_hz; /* 0: 8000, as calls are */
    bool is_note; /* nobody waits for it on the telephone: it goes its own way, with patience, so that no call learns of its fate */
};

struct stt_result {
    char text[TURN_TEXT_MAX]; /* as its engine writes it; "" when nothing was understood */
    double confidence;        /* 0..1; -1 unknown */
    bool understood;          /* false: no words, rejected, or nobody can transcribe this kind */
};

/*
 * Opens the embedded engine: loads the model and makes one decoder a thread. A model that is missing or cannot be used
 * is a warning. client: NULL, or what Whisper is asked through if the config names one.
 */
int stt_open(const struct config *config, struct http_client *client, unsigned n_threads, struct stt **ret_stt);
void stt_close(struct stt *stt);
SCOPED_PTR(struct stt, stt_close)

/* Whether such an answer in this language can be transcribed at all when all goes well; if not, its audio is kept. */
bool stt_can(const struct stt *stt, const char *language, enum answer_kind expect);

/*
 * The embedded engine.
 *
 * Thread: engine thread number `thread` (0..n_threads-1); one call at a time per number.
 * Errors: -EOPNOTSUPP not such an answer in this language; -EIO the engine failed.
 */
int stt_recognise(struct stt *stt, unsigned thread, const struct stt_request *request,
                  struct stt_result *ret_result);

/* --- without waiting */

void stt_warm(struct stt *stt); /* a connection for the first answer of a call. Thread: any; never blocks */

struct stt_question {
    void (*on_answer)(struct stt_question *question); /* once; on the http client's thread: quick */
    void *user;

    /* the recogniser's: what it knows to do with it, and how it went, see stt_settle() */
    void (*ask)(struct stt_question *question);
    void (*give_up)(struct stt_question *question);
    void (*release)(struct stt_question *question);
    int r;
    const char *why;
    unsigned status;
    uint64_t asked_ms, answered_ms; /* clock_mono_ms(): given to the network, answered or given up; 0 never */
    const char *asked;              /* whom, the last one when there were two */
    const char *failed;             /* who was asked before; NULL nobody */
    char cause[STEP_CAUSE_MAX];     /* why that one did not answer */
    struct stt_result result;
};

/*
 * Prepare to ask over the network.
 *
 * Owner:  *ret_question is released with stt_question_free(); the request may go.
 * Thread: engine threads.
 * Errors: -EOPNOTSUPP nobody is configured; -ENOMEM; -EFBIG.
 */
int stt_question_new(struct stt *stt, const struct stt_request *request, struct stt_question **ret_question);
void stt_question_free(struct stt_question *question); /* not while it is out; NULL is fine */

/* Thread of both: any; they neither block nor allocate. After stt_give_up() it is answered soon. */
void stt_ask(struct stt_question *question);
void stt_give_up(struct stt_question *question);

/*
 * How it went. A failure is counted here, once for each question; it is the call's to tell of it (call_step).
 *
 * Returns: 0 and the result; -EAGAIN stt_recognise() can do it; -EOPNOTSUPP nobody can, the audio is what is left;
 *          -ECANCELED given up.
 */
int stt_settle(struct stt *stt, const struct stt_question *question, const struct stt_request *request,
               struct stt_result *ret_result);

struct stt_stats {
    uint64_t n_asked, n_failed, n_retries, n_refused, n_connections; /* of Whisper; refused: left alone, having failed too often */
    uint64_t n_filtered;               /* answered, with nothing that can be believed */
    uint64_t n_passed_on;               /* to the other service over the network */
    uint64_t n_stepped_down, n_unheard; /* to the embedded engine; to nobody */
    bool is_tripped;
    struct histogram_sums took_us; /* see http_provider_stats */
};
void stt_stats(struct stt *stt, struct stt_stats *ret_stats); /* any thread */
