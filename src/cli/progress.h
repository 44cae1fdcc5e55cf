#pragma once
/* progress.h - how far something is, on a line of stderr that is written over and over; nothing when stderr is no terminal */

#include <stdint.h>

/* unit: "MiB" or "rows" ...; of: 0 when it is not known. A few lines a second at most. */
void progress_show(const char *what, double done, double of, const char *unit);
void progress_end(void); /* the line goes */
