#pragma once
/* stt_pocketsphinx.h - the embedded English recogniser: small grammars, one decoder a thread */

#include "services/stt.h"

struct stt_pocketsphinx;

/* STT_TAKE_ALL is for benchmarks, which count the words that were heard. */
enum stt_doubt { STT_REFUSE_DOUBTFUL, STT_TAKE_ALL };

/*
 * Errors: -ENOENT the model or the dictionary is not there, -EINVAL the model cannot be used,
 *         -ENOMEM; *ret_why says more and lives until the next call.
 */
int stt_pocketsphinx_open(const struct config *config, unsigned n_threads, enum stt_doubt doubt,
                          struct stt_pocketsphinx **ret_engine, const char **ret_why);
void stt_pocketsphinx_close(struct stt_pocketsphinx *engine); /* NULL is fine */
SCOPED_PTR(struct stt_pocketsphinx, stt_pocketsphinx_close)

/* There is a grammar for it. */
bool stt_pocketsphinx_can(enum answer_kind expect);

/* As stt_recognise(). */
int stt_pocketsphinx_recognise(struct stt_pocketsphinx *engine, unsigned thread,
                               const struct stt_request *request, struct stt_result *ret_result);

/* For the tests of who reads the words: the grammar of a kind, or NULL. */
const char *stt_pocketsphinx_grammar(enum answer_kind expect);
