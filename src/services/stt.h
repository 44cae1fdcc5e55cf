#pragma once
/*
 * stt.h - speech to text
 *
 * One front for every recogniser; the engines live in stt_*.c. Blocking: called on engine threads
 * only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/turn.h"
#include "utils/scoped.h"

struct config;
struct stt;

struct stt_request {
    const int16_t *pcm; /* mono, 8000 Hz */
    size_t n_samples;
    const char *language; /* "en", "he" */
    enum answer_kind expect;
};

struct stt_result {
    char text[TURN_TEXT_MAX]; /* lower case words; "" when nothing was understood */
    double confidence;        /* 0..1; -1 unknown */
    bool understood;          /* false: no words, rejected, or nobody can transcribe this kind */
};

/*
 * Opens the embedded engine: loads the model and makes one decoder a thread. A model that is
 * missing or cannot be used is a warning, and stt_can() is then false for everything.
 */
int stt_open(const struct config *config, unsigned n_threads, struct stt **ret_stt);
void stt_close(struct stt *stt);
SCOPED_PTR(struct stt, stt_close)

/* Whether such an answer in this language can be transcribed at all; if not, its audio is kept. */
bool stt_can(const struct stt *stt, const char *language, enum answer_kind expect);

/*
 * Thread: engine thread number `thread` (0..n_threads-1); one call at a time per number.
 * Errors: -EOPNOTSUPP see stt_can(); -EIO the engine failed.
 */
int stt_recognise(struct stt *stt, unsigned thread, const struct stt_request *request,
                  struct stt_result *ret_result);
