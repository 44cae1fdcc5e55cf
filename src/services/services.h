#pragma once
/* services.h - what a handler can reach: the router's context, filled once by app.c */

struct config;
struct db;
struct speech;
struct twilio_security;

struct services {
    const struct config *config;
    struct db *db;
    struct speech *speech;
    struct twilio_security *security;
    _Atomic int draining; /* no new calls */
};
