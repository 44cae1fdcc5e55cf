/*
 * token_list.c - "console:SECRET crm:SECRET": several secrets, each with the name of who has it
 */
#include "utils/token_list.h"

#include <stdbool.h>
#include <string.h>

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

static bool is_same(const struct token *a, const struct token *b)
{
    return a->n == b->n && memcmp(a->secret, b->secret, a->n) == 0;
}

/* One word of n bytes; *ret_problem as token_list_parse(). */
static const char *read_token(const char *word, size_t n, struct token *ret_token)
{
    size_t n_name = strspn(word, name_letters);
    bool is_named = n_name < n && word[n_name] == ':';

    *ret_token = (struct token){ .secret = word, .n = n };
    if (is_named) {
        if (n_name == 0 || n_name >= TOKEN_NAME_MAX)
            return "has a name that is empty or too long; give 1 to 32 letters, digits, - or _";
        memcpy(ret_token->name, word, n_name);
        ret_token->secret = word + n_name + 1;
        ret_token->n = n - n_name - 1;
    }
    if (ret_token->n < TOKEN_MIN)
        return "is too short; give each secret 16 to 256 characters";
    return ret_token->n > TOKEN_MAX ? "is too long; give each secret 16 to 256 characters" : NULL;
}

static const char *compare_all(const struct token_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (!list->tokens[i].name[0] && list->n > 1)
            return "has a token without a name; write NAME:SECRET for each when there are several";
        for (size_t j = 0; j < i; j++) {
            if (strcmp(list->tokens[i].name, list->tokens[j].name) == 0)
                return "has one name twice; give each token a name of its own";
            if (is_same(&list->tokens[i], &list->tokens[j]))
                return "has one secret under two names; give each token a secret of its own";
        }
    }
    return NULL;
}

const char *token_list_parse(const char *text, struct token_list *ret_list)
{
    struct token_list list = { .n = 0 };
    const char *problem = NULL;

    for (text += strspn(text, " "); *text && !problem; text += strspn(text, " ")) {
        size_t n = strcspn(text, " ");
        if (list.n == TOKENS_MAX)
            return "has too many tokens; give up to 16";
        problem = read_token(text, n, &list.tokens[list.n++]);
        text += n;
    }
    if (!problem)
        problem = list.n ? compare_all(&list) : "is blank; give a secret of 16 to 256 characters";
    if (problem)
        return problem;
    if (!list.tokens[0].name[0])
        strcpy(list.tokens[0].name, "api");
    *ret_list = list;
    return NULL;
}
