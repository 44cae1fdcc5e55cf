/*
 * outbox_transcribe.c - what is said in a recording is written down
 *
 *   engine: read, decoded ──> engine: a piece becomes a question ──> Whisper ──> the next piece, or it is written
 *
 * Pieces are of some twenty seconds, parted where it is most silent: Whisper hears thirty at once, an answer stays short,
 * and one recording never holds more than one request. They go by the way of recordings (stt.h), which no call uses.
 *
 * Nobody is asked to guess: a recogniser that knows short answers alone is not given one of these. When nobody can tell
 * what is said, the message says why, and the recording is there as it came.
 */
#include "services/outbox_effect.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "services/crm.h"
#include "services/crm_media.h"
#include "services/engine.h"
#include "services/outbox.h"
#include "services/profile.h"
#include "services/stt.h"
#include "services/voice_note.h"
#include "utils/file.h"
#include "utils/json.h"
#include "utils/text.h"

enum { SECOND_MS = 1000, PIECE_S = 26, FILE_MAX = 16 * MIB, TEXT_MAX = 32 * KIB, WHY_MAX = 160 };

struct transcribing {
    struct engine_job job; /* first */
    struct effect *effect;
    struct message message;
    unsigned n; /* which of its media */
    struct voice_note note;
    size_t at; /* samples that were asked about */
    struct stt_question *_Atomic question;
    struct stt_request request; /* the piece that is being asked about */
    _Atomic bool is_aborted;
    char *text;
    size_t n_text;
    char why[WHY_MAX]; /* why nobody could tell; "" somebody did */
};

static void end(struct transcribing *this, enum outcome_kind kind, const char *error)
{
    this->effect->outcome = (struct outcome){ .kind = kind };
    (void)text_set(this->effect->outcome.error, sizeof(this->effect->outcome.error), error);
    effect_end(this->effect);
}

/* It will be no better the next time. */
static void end_unheard(struct transcribing *this, const char *why)
{
    (void)text_set(this->why, sizeof(this->why), why);
    end(this, OUTCOME_DONE, "");
}

static void end_whole(struct transcribing *this)
{
    if (this->n_text == 0)
        end_unheard(this, "nothing that could be understood is said in it");
    else if (this->note.is_cut)
        end_unheard(this, "only its first ten minutes are written down");
    else
        end(this, OUTCOME_DONE, "");
}

/* --- piece by piece */

/* The work is done by done(), after which the engine does not look at the job any more: it may be gone. */
static void run_nothing(struct engine_job *job, unsigned thread)
{
}

static void submit(struct transcribing *this, void (*work)(struct engine_job *job))
{
    this->job = (struct engine_job){ .run = run_nothing, .done = work };
    if (engine_submit(outbox_services(this->effect->outbox)->engine, &this->job) < 0)
        end(this, OUTCOME_NOT_SENT, "it is not transcribed yet: too much is under way");
}

static void ask_piece(struct engine_job *job);

/* Thread: the http client's. */
static void on_answer(struct stt_question *question)
{
    struct transcribing *this = question->user;
    struct stt_result result = { .confidence = -1 };
    char error[JOB_ERROR_MAX];
    int r = stt_settle(outbox_services(this->effect->outbox)->stt, question, &this->request, &result);

    if (r < 0) {
        (void)snprintf(error, sizeof(error), "Whisper does not transcribe it: %.160s", question->why ?: "");
        end(this, OUTCOME_NOT_SENT, error);
        return;
    }
    if (result.understood) {
        text_add(this->text, TEXT_MAX, &this->n_text, " ", this->n_text > 0);
        text_add(this->text, TEXT_MAX, &this->n_text, result.text, strlen(result.text));
    }
    this->at += this->request.n_samples;
    submit(this, ask_piece); /* to make a question takes time and memory */
}

/* Thread: the engine's, as below. */
static void ask_piece(struct engine_job *job)
{
    struct transcribing *this = (struct transcribing *)job;
    const struct outbox_services *services = outbox_services(this->effect->outbox);
    const struct voice_note *note = &this->note;
    size_t to = this->at + (size_t)PIECE_S * note->rate_hz;

    if (this->is_aborted) {
        end(this, OUTCOME_NOT_SENT, "we are stopping");
        return;
    }
    if (this->at >= note->n_samples) {
        end_whole(this);
        return;
    }
    this->request = (struct stt_request){
        .pcm = note->pcm + this->at,
        .n_samples = voice_note_part(note, this->at, to) - this->at,
        .rate_hz = note->rate_hz,
        .is_note = true,
        .language = services->profile->language,
        .expect = ANSWER_FREE,
    };
    stt_question_free(atomic_exchange(&this->question, NULL));
    struct stt_question *question = NULL;
    int r = stt_question_new(services->stt, &this->request, &question);
    if (r == -EOPNOTSUPP) {
        end_unheard(this, "nobody transcribes recordings here: set OPENAI_API_KEY or STT_BASE_URL");
    } else if (r < 0) {
        end(this, OUTCOME_NOT_SENT, "it is not transcribed yet: out of memory");
    } else {
        question->on_answer = on_answer;
        question->user = this;
        this->question = question;
        stt_ask(question);
    }
}

/* --- reading it */

static int read_file(struct transcribing *this, char **ret_bytes, size_t *ret_n)
{
    scoped(close) int fd = media_store_fd(outbox_services(this->effect->outbox)->media, this->message.id, this->n);

    return fd < 0 ? fd : file_read_fd(fd, FILE_MAX, ret_bytes, ret_n);
}

static void read_note(struct engine_job *job)
{
    struct transcribing *this = (struct transcribing *)job;
    scoped(free) char *bytes = NULL;
    size_t n = 0;
    int r = read_file(this, &bytes, &n);

    if (r == -ENOENT) {
        end_unheard(this, "its file is not there any more");
        return;
    }
    if (r < 0) {
        end(this, OUTCOME_NOT_SENT, "its file cannot be read");
        return;
    }
    r = voice_note_decode(bytes, n, &this->note);
    if (r == 0)
        ask_piece(job);
    else if (r == -ENOMEM)
        end(this, OUTCOME_NOT_SENT, "it is not transcribed yet: out of memory");
    else
        end_unheard(this, r == -EOPNOTSUPP ? "recordings of this type cannot be decoded here; Ogg/Opus and AMR can"
                          : r == -ETIME    ? "it takes too much time to decode"
                                           : "it is damaged");
}

/* --- the effect */

static void release(struct effect *effect)
{
    struct transcribing *this = effect->state;

    if (!this)
        return;
    stt_question_free(this->question);
    voice_note_done(&this->note);
    message_release(&this->message);
    free(this->text);
    free(this);
    effect->state = NULL;
}

static bool is_known(const struct message *message, int n)
{
    return message->transcript || json_get_text(json_object_array_get_idx(message->media, (size_t)n), "unheard");
}

static int begin(struct db_txn *txn, struct effect *effect, uint64_t now_ms, bool *ret_harmless)
{
    release(effect);
    struct transcribing *this = effect->state = calloc(1, sizeof(*this));

    *ret_harmless = true;
    if (!this || !(this->text = calloc(1, TEXT_MAX)))
        return -ENOMEM;
    int r = crm_message_by_id(txn, effect->job.message_id, &this->message);
    if (r < 0)
        return r;
    int n = crm_media_recording(&this->message);
    if (n < 0 || is_known(&this->message, n))
        return 1;
    this->effect = effect;
    this->n = (unsigned)n;
    return 0;
}

static void perform(struct effect *effect)
{
    struct transcribing *this = effect->state;
    const struct outbox_services *services = outbox_services(effect->outbox);

    if (!services->stt || !services->media || !services->engine ||
        !stt_can(services->stt, services->profile->language, ANSWER_FREE))
        end_unheard(this, "nobody transcribes recordings here: set OPENAI_API_KEY or STT_BASE_URL");
    else
        submit(this, read_note);
}

static void abort_it(struct effect *effect)
{
    struct transcribing *this = effect->state;
    struct stt_question *question = this->question;

    this->is_aborted = true;
    if (question)
        stt_give_up(question);
}

static int settle(struct db_txn *txn, const struct effect *effect, enum verdict verdict, const struct job *job, uint64_t now_ms)
{
    const struct transcribing *this = effect->state;
    scoped(message_release) struct message message = { 0 };
    int r = 0;

    if (verdict == VERDICT_DONE) {
        r = crm_media_heard(txn, effect->job.message_id, this->n, this->n_text ? this->text : NULL, this->why, now_ms);
    } else if (verdict == VERDICT_OVER) {
        r = crm_message_by_id(txn, effect->job.message_id, &message);
        if (r == 0 && crm_media_recording(&message) >= 0)
            r = crm_media_heard(txn, message.id, (unsigned)crm_media_recording(&message), NULL, job->error, now_ms);
    }
    return r < 0 ? r : 0;
}

const struct effect_kind effect_transcribe = {
    .rules = { .is_repeatable = true, .back_off_ms = 2 * SECOND_MS, .back_off_max_ms = 60 * SECOND_MS, .give_up_ms = 1800 * SECOND_MS },
    .is_kept = false,
    .begin = begin,
    .perform = perform,
    .abort = abort_it,
    .settle = settle,
    .release = release,
};
