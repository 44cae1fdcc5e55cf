#pragma once
/* erasing.h - a person is erased: what the API and the admin socket have in common */

#include "http.h"

/*
 * A handler's last line. The answer is the receipt with its "key", which is told this once: 200 when all is gone, 202 when
 * some of it still goes; 404, or 409 while he telephones.
 */
int erasing_take(struct http_request *request, const char *id, const char *by);
