#pragma once
/* notify.h - what the service manager is told (sd_notify); without one every call does nothing */

#include <stdint.h>

void notify_ready(const char *status);     /* also ends a reload */
void notify_status(const char *status);    /* one line for `systemctl status` */
void notify_reloading(void);
void notify_stopping(const char *status);
void notify_extend(uint64_t ms);           /* this much longer to start or stop, from now on */
void notify_alive(void);                   /* feeds the watchdog */

/*
 * That process is the service's main one from here on, and ready. When it is another one, the manager does not watch us any
 * more: nothing but notify_extend() is told it, and the watchdog is a timer of our own, which aborts.
 */
void notify_main(int pid, const char *status);

/* How often the watchdog wants to be fed: half of WatchdogSec=; 0 never. */
uint64_t notify_alive_every_ms(void);
