#pragma once
/* origins.h - whose web pages may read our answers: "https://crm.example.com http://localhost:3000", or "*" */

#include <stddef.h>

/* Returns: NULL, or what is wrong with the list and what to do. */
const char *origins_problem(const char *list);

/*
 * Look an Origin header up. Compared byte for byte, as browsers send it.
 *
 * Returns: what Access-Control-Allow-Origin is to say, *ret_n bytes in list; NULL nothing.
 */
const char *origins_find(const char *list, const char *origin, size_t n, size_t *ret_n);
