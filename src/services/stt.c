/*
 * stt.c - speech to text
 *
 * One engine so far, which may be missing: then nothing can be transcribed, which stt_can() says,
 * answers are kept as audio and asked for by keypad, and a warning at start names the package that
 * is not there.
 */
#include "services/stt.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "config.h"
#include "services/stt_pocketsphinx.h"
#include "utils/language.h"
#include "utils/log.h"

struct stt {
    struct stt_pocketsphinx *embedded; /* NULL: there is none */
    unsigned n_threads;
};

int stt_open(const struct config *config, unsigned n_threads, struct stt **ret_stt)
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
    *ret_stt = steal(&stt);
    return 0;
}

void stt_close(struct stt *stt)
{
    if (!stt)
        return;
    stt_pocketsphinx_close(stt->embedded);
    free(stt);
}

bool stt_can(const struct stt *stt, const char *language, enum answer_kind expect)
{
    return stt->embedded && language_is(language, "en") && stt_pocketsphinx_can(expect);
}

int stt_recognise(struct stt *stt, unsigned thread, const struct stt_request *request,
                  struct stt_result *ret_result)
{
    assert(thread < stt->n_threads);
    *ret_result = (struct stt_result){ .confidence = -1 };
    if (!stt_can(stt, request->language, request->expect))
        return -EOPNOTSUPP;
    return stt_pocketsphinx_recognise(stt->embedded, thread, request, ret_result);
}
