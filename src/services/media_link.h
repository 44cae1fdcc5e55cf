#pragma once
/*
 * media_link.h - a URL by which somebody outside fetches one file, for a while
 *
 * Whoever has it may have that file and nothing else, until it expires. Nobody can make one, or change one, who has not
 * TWILIO_AUTH_TOKEN, which signs it and cannot be read out of it.
 */

#include <stdint.h>

#include "models/call.h"

struct config;

enum { MEDIA_LINK_MAX = 512, MEDIA_LINK_MS = 6 * 3600 * 1000 }; /* longer than Twilio queues a message */

/* https://PUBLIC_HOST/media/TOKEN, of the n-th media of a message. Errors: -ENOENT PUBLIC_HOST or the key is not set; -EIO. */
int media_link_make(const struct config *config, const char *message_id, unsigned n, uint64_t expires_ms, char ret_url[MEDIA_LINK_MAX]);

/* Errors: -ENOENT it is none of ours; -ETIME it has expired. */
int media_link_check(const struct config *config, const char *token, uint64_t now_ms, char ret_message_id[CONTACT_ID_MAX],
                     unsigned *ret_n);
