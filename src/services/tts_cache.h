#pragma once
/* tts_cache.h - rendered speech on disk, found again by what it was made from */

#include <stddef.h>
#include <stdint.h>

#include "services/tts.h"

struct tts_cache;

enum { TTS_CACHE_MAX = 256 * MIB };

/* What a rendering depends on. Order matters, NULL does not occur. */
struct tts_key {
    const char *engine, *identity, *language, *text;
};

/*
 * Opens <folder>/speech, making it if it is not there. Over max bytes, what was not used for
 * longest goes.
 *
 * Errors: -errno the folder cannot be made or written.
 */
int tts_cache_open(const char *folder, uint64_t max, struct tts_cache **ret_cache);
void tts_cache_close(struct tts_cache *cache); /* NULL is fine */
SCOPED_PTR(struct tts_cache, tts_cache_close)

/* Errors: -ENOENT not there, or damaged, which is the same. Thread: any. */
int tts_cache_get(struct tts_cache *cache, const struct tts_key *key, struct clip **ret_clip);

/* A reader sees the whole of it or nothing, also after a crash. Thread: any. */
int tts_cache_put(struct tts_cache *cache, const struct tts_key *key, const struct clip *clip);

uint64_t tts_cache_size(struct tts_cache *cache); /* bytes of all files */
