#pragma once
/* hook_list.h - "crm:https://HOST/PATH erp:https://...": where events are sent; and the secret that they are signed with */

#include <stddef.h>
#include <stdint.h>

enum { HOOKS_MAX = 8, HOOK_NAME_MAX = 33, HOOK_URL_MAX = 1024, HOOK_SECRET_MIN = 24, HOOK_SECRET_MAX = 64 };

struct hook_place {
    char name[HOOK_NAME_MAX];
    char url[HOOK_URL_MAX];
};

struct hook_list {
    struct hook_place places[HOOKS_MAX];
    size_t n;
};

/*
 * Blanks separate them. One alone needs no name, and is called "events" then. Names are letters, digits, '-' and '_'.
 *
 * Returns: NULL and fills *ret_list, or what is wrong and what to do. Whether a URL is one is not looked at.
 */
const char *hook_list_parse(const char *text, struct hook_list *ret_list);

/* "whsec_" and 24 to 64 bytes in base64. Returns: how many bytes; -EINVAL it is none. */
int hook_secret_parse(const char *secret, uint8_t ret_bytes[HOOK_SECRET_MAX]);
