#pragma once
/*
 * aside.h - handlers that may take their time, on threads of their own
 *
 * A loop carries calls: whatever its thread does for one request, the next frame of all of them waits for. What reads the
 * store, as long as that takes and from however slow a disk, has ASIDE in its row and runs on services' read_engine.
 */

#include "router.h"

enum { ASIDE_THREADS = 2, ASIDE_WAITING_MAX = 256 };

/* The router's; see router_set_aside(). */
aside_fn aside_take;
