/*
 * stt.c - speech to text
 *
 * Both engines may be missing: the embedded one when its model is not installed, which leaves a warning that names the
 * package, Whisper when it is not configured. What nobody can transcribe, which stt_can() says, is kept as audio or
 * asked for by keypad. Whisper can everything, at STT_BASE_URL first and then, where both are configured, at OpenAI;
 * when it fails, each question takes one step down by itself, so that a call goes on with what there is.
 */
#include "services/stt.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "config.h"
#include "services/stt_pocketsphinx.h"
#include "services/stt_whisper.h"
#include "utils/language.h"
#include "utils/log.h"

enum { NOTE_TIMEOUT_MS = 60000 };

struct stt {
    struct stt_pocketsphinx *embedded; /* NULL: there is none */
    struct stt_whisper *whisper;       /* NULL: not configured */
    struct stt_whisper *notes;         /* the same for what nobody waits for on the telephone */
    unsigned n_threads;
    _Atomic uint64_t n_filtered, n_passed_on, n_stepped_down, n_unheard;
};

int stt_open(const struct config *config, struct http_client *client, unsigned n_threads, struct stt **ret_stt)
{
    scoped(stt_close) struct stt *stt = calloc(1, sizeof(*stt));
    const char *why;

    if (!stt)
        return -ENOMEM;
    stt->n_threads = n_threads;
    int r = stt_pocketsphinx_open(config, n_threads, STT_REFUSE_DOUBTFUL, &stt->embedded, &why);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        (void)log_warning(r, "no answer is recognised, install pocketsphinx-en-us: %s", why);
    if (client && config_stt_url(config)) {
        r = stt_whisper_open(config, client, (unsigned)config->stt_timeout_ms, &stt->whisper);
        if (r == 0)
            r = stt_whisper_open(config, client, NOTE_TIMEOUT_MS, &stt->notes);
        if (r < 0)
            return log_err(r, "Whisper cannot be asked at STT_BASE_URL or OPENAI_BASE_URL");
        log_info("answers are transcribed by %s at %s", config->stt_model,
                 config->stt_base_url ? "STT_BASE_URL" : "OPENAI_BASE_URL");
    }
    *ret_stt = steal(&stt);
    return 0;
}

void stt_close(struct stt *stt)
{
    if (!stt)
        return;
    stt_pocketsphinx_close(stt->embedded);
    stt_whisper_close(stt->whisper);
    stt_whisper_close(stt->notes);
    free(stt);
}

static bool embedded_can(const struct stt *stt, const char *language, enum answer_kind expect)
{
    return stt->embedded && language_is(language, "en") && stt_pocketsphinx_can(expect);
}

bool stt_can(const struct stt *stt, const char *language, enum answer_kind expect)
{
    return stt->whisper || embedded_can(stt, language, expect);
}

int stt_recognise(struct stt *stt, unsigned thread, const struct stt_request *request,
                  struct stt_result *ret_result)
{
    assert(thread < stt->n_threads);
    *ret_result = (struct stt_result){ .confidence = -1 };
    if (!embedded_can(stt, request->language, request->expect))
        return -EOPNOTSUPP;
    return stt_pocketsphinx_recognise(stt->embedded, thread, request, ret_result);
}

/* --- without waiting */

void stt_warm(struct stt *stt)
{
    if (stt->whisper)
        stt_whisper_warm(stt->whisper);
}

int stt_question_new(struct stt *stt, const struct stt_request *request, struct stt_question **ret_question)
{
    struct stt_whisper *whisper = request->is_note ? stt->notes : stt->whisper;

    return whisper ? stt_whisper_question(whisper, request, ret_question) : -EOPNOTSUPP;
}

void stt_question_free(struct stt_question *question)
{
    if (question)
        question->release(question);
}

void stt_ask(struct stt_question *question)
{
    question->ask(question);
}

void stt_give_up(struct stt_question *question)
{
    question->give_up(question);
}

int stt_settle(struct stt *stt, const struct stt_question *question, const struct stt_request *request,
               struct stt_result *ret_result)
{
    bool can = embedded_can(stt, request->language, request->expect);

    stt->n_passed_on += question->failed != NULL;
    if (question->r == -ECANCELED)
        return question->r;
    if (question->r == 0) {
        stt->n_filtered += !question->result.understood;
        *ret_result = question->result;
        return 0;
    }
    *(can ? &stt->n_stepped_down : &stt->n_unheard) += 1;
    return can ? -EAGAIN : -EOPNOTSUPP;
}

void stt_stats(struct stt *stt, struct stt_stats *ret_stats)
{
    *ret_stats = (struct stt_stats){
        .n_filtered = stt->n_filtered,
        .n_passed_on = stt->n_passed_on,
        .n_stepped_down = stt->n_stepped_down,
        .n_unheard = stt->n_unheard,
    };
    if (stt->whisper)
        stt_whisper_stats(stt->whisper, ret_stats);
}
