#pragma once
/* self.h - what this process costs */

#include <stdint.h>

struct self_usage {
    double cpu_s;      /* user and system, of all threads */
    double started_s;  /* unix time */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t n_threads, n_fds, n_fds_max;
};

/* From /proc; 0 what cannot be read. Thread: any. */
void self_usage(struct self_usage *ret_usage);
