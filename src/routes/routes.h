#pragma once
/* routes.h - the blueprints, one per file of this folder; app.c lists them */

#include "router.h"

guard_fn metrics_guard; /* AUTH_METRICS: METRICS_TOKEN, in constant time; without one there is nothing here */

extern const struct blueprint admin;           /* /admin */
extern const struct blueprint admin_contacts;  /* /admin/contacts */
extern const struct blueprint admin_events;    /* /admin/events */
extern const struct blueprint admin_records;   /* /admin/records */
extern const struct blueprint api_crm;         /* /api/crm */
extern const struct blueprint api_crm_records; /* /api/crm */
extern const struct blueprint api_crm_tasks;   /* /api/crm */
extern const struct blueprint api_events;      /* /api/events */
extern const struct blueprint api_openapi;     /* /api/openapi.json */
extern const struct blueprint api_whatsapp;    /* /api/whatsapp */
extern const struct blueprint api_whatsapp_read; /* /api/whatsapp/read */
extern const struct blueprint health;          /* /health */
extern const struct blueprint media_public;    /* /media */
extern const struct blueprint metrics;         /* /metrics */
extern const struct blueprint twilio_voice;    /* /webhook */
extern const struct blueprint whatsapp_twilio; /* /webhook/whatsapp */
extern const struct blueprint ws_media;        /* /ws */
