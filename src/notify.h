#pragma once
/* notify.h - what the service manager is told (sd_notify); without one every call does nothing */

#include <stdint.h>

void notify_ready(const char *status);     /* also ends a reload */
void notify_status(const char *status);    /* one line for `systemctl status` */
void notify_reloading(void);
void notify_stopping(const char *status);
void notify_extend(uint64_t ms);           /* this much longer to start or stop, from now on */
void notify_alive(void);                   /* feeds the watchdog */

/* How often the watchdog wants to be fed: half of WatchdogSec=; 0 never. */
uint64_t notify_alive_every_ms(void);
