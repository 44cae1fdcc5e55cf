#pragma once
/* process.h - run another program: text in, bytes out, within limits */

#include <stddef.h>

struct process {
    const char *const *argv;        /* argv[0] is a path; ends in NULL */
    const char *const *environment; /* NAME=value, all of it; ends in NULL */
    const char *in;                 /* its standard input */
    size_t n_in;
    size_t out_max;
    unsigned deadline_ms;
};

/*
 * Wait until it ends; whatever it started and left behind is killed with it.
 *
 * Shape:   it leads a process group of its own and has no descriptors but 0, 1 and 2; 2 is ours.
 * Errors:  -ETIMEDOUT, -EFBIG more than out_max bytes, -EIO it did not exit with 0, -errno it
 *          could not be started.
 * Owner:   *ret_out is to be freed.
 * Thread:  any that may block.
 */
int process_run(const struct process *process, char **ret_out, size_t *ret_n);
