#pragma once
/* services.h - what a handler can reach: the router's context, filled once by app.c */

#include <stdint.h>

struct api_gate;
struct chat;
struct config;
struct crm_reply_rules;
struct db;
struct event_hooks;
struct engine;
struct google_token;
struct keeper;
struct media_store;
struct places;
struct profile;
struct reloading;
struct outbox;
struct router;
struct server;
struct speech;
struct stt;
struct tts;
struct twilio_security;
struct whatsapp;

struct services {
    const struct config *config;
    struct db *db;
    struct media_store *media;   /* the files of messages */
    struct engine *media_engine; /* a thread for what has to do with them and waits for the disk */
    struct engine *read_engine;  /* threads for requests that read the store; see routes/aside.h */
    const struct profile *profile;
    const struct crm_reply_rules *reply_rules; /* of who is answered by the agent on WhatsApp */
    struct speech *speech;
    struct places *places; /* for calls whose streams are to come */
    struct outbox *outbox;
    struct event_hooks *event_hooks; /* NULL: nobody is told */
    struct keeper *keeper;
    struct whatsapp *whatsapp; /* NULL: nobody carries messages */
    struct chat *chat; /* NULL: none is configured */
    struct stt *stt; /* these two: NULL on the echo line */
    struct tts *tts;
    struct google_token *google_token; /* NULL: Google is not set up */
    struct twilio_security *security;
    struct api_gate *api_gate;
    struct router *router; /* whose rows openapi.json tells of */
    struct server *server; /* its counters */
    struct reloading *reloading;
    uint64_t started_mono_ms;
    _Atomic int draining; /* no new calls */
};
