/*
 * listener.c - cuts a caller's audio into utterances and holds them
 *
 * Audio comes in payloads of any length and is cut into blocks of 20 ms. Each goes to the lead (the last blocks
 * before speech was noticed), to the VAD, and while somebody speaks to the utterance that is being recorded, which
 * begins with the lead. When all slots or the pool's chunks are used, what is said is not recorded, which is
 * logged; its beginning and end are told all the same.
 */
#include "services/listener.h"

#include <string.h>

#include "utils/audio.h"
#include "utils/log.h"

int listener_init(struct listener *listener, const char *sid, struct utterance_pool *pool)
{
    *listener = (struct listener){ .sid = sid, .pool = pool };
    return vad_new(&listener->vad);
}

void listener_done(struct listener *listener)
{
    for (size_t i = 0; i < LISTENER_SLOTS; i++)
        if (listener->slots[i].number)
            utterance_clear(listener->pool, &listener->slots[i].audio);
    vad_free(listener->vad);
}

static struct held_utterance *slot_of(struct listener *listener, unsigned number)
{
    for (size_t i = 0; i < LISTENER_SLOTS; i++)
        if (listener->slots[i].number == number)
            return &listener->slots[i];
    return NULL;
}

static void record(struct listener *listener, const uint8_t *ulaw)
{
    if (utterance_add(listener->pool, &listener->recording->audio, ulaw, LISTENER_BLOCK))
        return;
    log_limited(LOG_WARNING, listener->sid, "what is said is not recorded any further: too long, or too much at once");
    listener->recording = NULL;
}

static void begin(struct listener *listener, uint64_t now_ms, struct listener_change *change)
{
    unsigned number = ++listener->n_utterances;

    listener->began_ms = now_ms - VAD_ONSET_MS;
    *change = (struct listener_change){ VAD_STARTED, number, listener->began_ms, 0 };
    listener->recording = slot_of(listener, 0);
    if (!listener->recording) {
        log_limited(LOG_WARNING, listener->sid, "what is said is not recorded: too much of it waits already");
        return;
    }
    *listener->recording = (struct held_utterance){ .number = number };
    for (unsigned i = listener->n_lead; listener->recording && i; i--)
        record(listener, listener->lead[(listener->lead_at + LISTENER_LEAD - i) % LISTENER_LEAD]);
}

static void end(struct listener *listener, uint64_t now_ms, struct listener_change *change)
{
    uint64_t at_ms = now_ms - VAD_OFFSET_MS;

    at_ms = at_ms > listener->began_ms ? at_ms : listener->began_ms;
    *change = (struct listener_change){ VAD_ENDED, listener->n_utterances, at_ms, (uint32_t)(at_ms - listener->began_ms) };
    listener->recording = NULL;
    listener->n_lead = 0;
}

static void hear_block(struct listener *listener, uint64_t now_ms, struct listener_change *change)
{
    int16_t pcm[LISTENER_BLOCK];

    memcpy(listener->lead[listener->lead_at], listener->block, LISTENER_BLOCK);
    listener->lead_at = (listener->lead_at + 1) % LISTENER_LEAD;
    listener->n_lead = listener->n_lead < LISTENER_LEAD ? listener->n_lead + 1 : LISTENER_LEAD;
    if (listener->recording)
        record(listener, listener->block);

    ulaw_decode(listener->block, pcm, LISTENER_BLOCK);
    switch (vad_push(listener->vad, pcm)) {
    case VAD_STARTED:
        begin(listener, now_ms, change);
        break;
    case VAD_ENDED:
        end(listener, now_ms, change);
        break;
    case VAD_NOTHING:
        break;
    }
}

size_t listener_hear(struct listener *listener, uint64_t now_ms, const uint8_t *ulaw, size_t n,
                     struct listener_change *ret_change)
{
    size_t n_taken = 0;

    *ret_change = (struct listener_change){ .kind = VAD_NOTHING };
    while (n_taken < n && ret_change->kind == VAD_NOTHING) {
        size_t room = LISTENER_BLOCK - listener->n_block, left = n - n_taken;
        size_t n_now = left < room ? left : room;

        memcpy(listener->block + listener->n_block, ulaw + n_taken, n_now);
        n_taken += n_now;
        listener->n_block += n_now;
        if (listener->n_block < LISTENER_BLOCK)
            break;
        listener->n_block = 0;
        hear_block(listener, now_ms, ret_change);
    }
    return n_taken;
}

struct held_utterance *listener_find(struct listener *listener, unsigned number)
{
    struct held_utterance *held = number ? slot_of(listener, number) : NULL;

    if (held && held == listener->recording)
        listener->recording = NULL;
    return held;
}

static void release(struct listener *listener, struct held_utterance *held)
{
    if (held->n_readers || !held->is_dismissed)
        return;
    utterance_clear(listener->pool, &held->audio);
    *held = (struct held_utterance){ 0 };
}

const struct utterance *listener_read(struct held_utterance *held)
{
    held->n_readers++;
    return &held->audio;
}

void listener_read_done(struct listener *listener, const struct utterance *audio)
{
    struct held_utterance *held = (struct held_utterance *)((char *)audio - offsetof(struct held_utterance, audio));

    held->n_readers--;
    release(listener, held);
}

void listener_dismiss(struct listener *listener, struct held_utterance *held)
{
    held->is_dismissed = true;
    release(listener, held);
}
