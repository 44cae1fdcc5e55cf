/*
 * notify.c - what the service manager is told
 */
#include "notify.h"

#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "utils/clock.h"

static bool is_alone, has_timer; /* the main thread's, as the timer */
static timer_t timer;

static void set_timer(uint64_t timeout_ms)
{
    struct itimerspec when = { .it_value = { (time_t)(timeout_ms / 1000), (long)(timeout_ms % 1000) * 1000000 } };
    struct sigevent abort_us = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGABRT };

    has_timer = has_timer || timer_create(CLOCK_MONOTONIC, &abort_us, &timer) == 0;
    if (has_timer)
        (void)timer_settime(timer, 0, &when, NULL);
}

void notify_main(int pid, const char *status)
{
    (void)sd_notifyf(0, "MAINPID=%d\nREADY=1\nSTATUS=%s", pid, status);
    is_alone = pid != getpid();
    if (!is_alone && has_timer)
        set_timer(0);
    notify_alive();
}

void notify_ready(const char *status)
{
    if (is_alone)
        return;
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_status(const char *status)
{
    if (is_alone)
        return;
    (void)sd_notifyf(0, "STATUS=%s", status);
}

void notify_reloading(void)
{
    if (is_alone)
        return;
    /* managers from 253 on wait for ever without the time, older ones do not look at it */
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_mono_us());
}

void notify_stopping(const char *status)
{
    if (is_alone)
        return;
    (void)sd_notifyf(0, "STOPPING=1\nSTATUS=%s", status);
}

void notify_extend(uint64_t ms)
{
    (void)sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)ms * 1000);
}

void notify_alive(void)
{
    if (!is_alone)
        (void)sd_notify(0, "WATCHDOG=1");
    else if (notify_alive_every_ms())
        set_timer(2 * notify_alive_every_ms());
}

uint64_t notify_alive_every_ms(void)
{
    uint64_t timeout_us = 0;

    return sd_watchdog_enabled(0, &timeout_us) > 0 ? timeout_us / 2000 : 0;
}
