/*
 * notify.c - what the service manager is told
 */
#include "notify.h"

#include <systemd/sd-daemon.h>

#include "utils/clock.h"

void notify_ready(const char *status)
{
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_status(const char *status)
{
    (void)sd_notifyf(0, "STATUS=%s", status);
}

void notify_reloading(void)
{
    /* managers from 253 on wait for ever without the time, older ones do not look at it */
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_mono_us());
}

void notify_stopping(const char *status)
{
    (void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

void notify_extend(uint64_t ms)
{
    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)ms * 1000);
}

void notify_alive(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_alive_every_ms(void)
{
    uint64_t timeout_us = 0;

    return sd_watchdog_enabled(0, &timeout_us) > 0 ? timeout_us / 2000 : 0;
}
