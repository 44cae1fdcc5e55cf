#pragma once
/* logging.h - sets logging up for a process that has its settings */

#include <stdint.h>

struct config;

/* Lines of LOG_LEVEL and above go to the journal when systemd connected stderr to it, else to
 * stderr. */
void logging_setup(const struct config *config);

/* For db_options.on_slow: the store itself does not log. */
void logging_slow_transaction(const char *what, uint64_t took_us, unsigned n_ops);
