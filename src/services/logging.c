/*
 * logging.c - sets logging up for a process that has its settings
 *
 * utils/log.c prints a line and knows no settings; the floors below services
 * do not log. What joins the two is here.
 */
#include "services/logging.h"

#include <string.h>

#include "config.h"
#include "utils/log.h"

static const struct {
    const char *name;
    int level;
} levels[] = {
    { "debug", LOG_DEBUG },
    { "info", LOG_INFO },
    { "warning", LOG_WARNING },
    { "err", LOG_ERR },
};

void logging_setup(const struct config *config)
{
    int level = LOG_INFO;

    for (size_t i = 0; i < ELEMENTSOF(levels); i++)
        if (strcmp(config->log_level, levels[i].name) == 0)
            level = levels[i].level;
    log_show_numbers(strcmp(config->log_numbers, "full") == 0);
    log_setup(level, config_stderr_is_journal() ? LOG_JOURNAL : NULL);
}

void logging_slow_transaction(const char *what, uint64_t took_us, unsigned n_ops)
{
    if (took_us == 0) {
        log_limited_about(LOG_WARNING, (&(struct log_about){ .event = LOG_READER_STUCK }), "store: a %s holds what is %u commits old; the file grows meanwhile", what, n_ops);
        return;
    }
    log_limited_about(LOG_WARNING, (&(struct log_about){ .event = LOG_TRANSACTION_SLOW, .duration_us = took_us }),
                "slow transaction: %s and %u in all took %u ms; is the disk slow or busy?", what,
                n_ops, (unsigned)(took_us / 1000));
}
