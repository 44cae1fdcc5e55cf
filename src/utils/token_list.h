#pragma once
/* token_list.h - "console:SECRET crm:SECRET": several secrets, each with the name of who has it */

#include <stddef.h>

enum { TOKENS_MAX = 16, TOKEN_NAME_MAX = 33, TOKEN_MIN = 16, TOKEN_MAX = 256 };

struct token {
    char name[TOKEN_NAME_MAX];
    const char *secret; /* in the text it was read from; n bytes */
    size_t n;
};

struct token_list {
    struct token tokens[TOKENS_MAX];
    size_t n;
};

/*
 * Blanks separate them. One alone needs no name, and is called "api" then. Names are letters, digits, '-' and '_'.
 *
 * Returns: NULL and fills *ret_list, or what is wrong and what to do, without any part of a secret.
 */
const char *token_list_parse(const char *text, struct token_list *ret_list);
