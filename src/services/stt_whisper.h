#pragma once
/* stt_whisper.h - Whisper over the network: OpenAI, or a faster-whisper or whisper.cpp server that speaks its dialect */

#include "services/http_client.h"
#include "services/stt.h"

struct stt_whisper;

/* Errors: -EINVAL the URL; -ENOMEM. */
int stt_whisper_open(const struct config *config, struct http_client *client, unsigned timeout_ms, struct stt_whisper **ret_whisper);
void stt_whisper_close(struct stt_whisper *whisper); /* when no question is out; NULL is fine */
SCOPED_PTR(struct stt_whisper, stt_whisper_close)

void stt_whisper_warm(struct stt_whisper *whisper); /* any thread */

/* Holds what is to be sent; the request may go. Thread: any that may allocate. Errors: -ENOMEM, -EFBIG. */
int stt_whisper_question(struct stt_whisper *whisper, const struct stt_request *request, struct stt_question **ret_question);

void stt_whisper_stats(struct stt_whisper *whisper, struct stt_stats *ret_stats);

/*
 * What an answer says of audio that long: the filter against text that Whisper invents on silence and noise.
 * Thread: any. Errors: -EBADMSG it is no transcription.
 */
int stt_whisper_read(const char *json, size_t n, double seconds, struct stt_result *ret_result);
