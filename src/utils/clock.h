#pragma once
/* clock.h - the two clocks. Whatever can take the time as an argument does so instead. */

#include <stdint.h>

uint64_t clock_mono_ms(void); /* never steps; for time-outs and play-out */
uint64_t clock_mono_us(void);
uint64_t clock_real_ms(void); /* unix time; for records and dates */
