/*
 * test_log.c - what a peer can cause does not flood the log
 */
#include "utils/log.h"

#include "tap.h"

int main(void)
{
    struct log_limit limit = { 0 };
    uint32_t n_hidden = 99;
    int passed = 0;

    for (int i = 0; i < 100; i++)
        passed += log_limit_pass(&limit, 1000, &n_hidden);
    is_int(passed, LOG_LIMIT_PER_WINDOW, "a flood is cut at the limit of its window");
    is_int(n_hidden, 0, "nothing was hidden before the flood");

    is_int(log_limit_pass(&limit, 1000 + LOG_LIMIT_WINDOW_MS + 1, &n_hidden), 1, "the next window is open");
    is_int(n_hidden, 100 - LOG_LIMIT_PER_WINDOW, "and says how many were left out");
    return done_testing();
}
