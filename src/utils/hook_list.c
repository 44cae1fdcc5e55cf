/*
 * hook_list.c - where events are sent, and what they are signed with
 */
#include "utils/hook_list.h"

#include <errno.h>
#include <string.h>

#include "utils/base64.h"

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
static const char prefix[] = "whsec_";

/* One word of n bytes; returns as hook_list_parse(). */
static const char *read_place(const char *word, size_t n, struct hook_place *ret_place)
{
    size_t n_name = strspn(word, name_letters), n_before = 0;

    *ret_place = (struct hook_place){ 0 };
    if (n_name < n && word[n_name] == ':' && strncmp(word + n_name, "://", 3) != 0) {
        if (n_name == 0 || n_name >= HOOK_NAME_MAX)
            return "has a name that is empty or too long; give 1 to 32 letters, digits, - or _";
        memcpy(ret_place->name, word, n_name);
        n_before = n_name + 1;
    }
    if (n - n_before >= HOOK_URL_MAX)
        return "has a URL that is too long; give each at most 1023 characters";
    memcpy(ret_place->url, word + n_before, n - n_before);
    return NULL;
}

static const char *compare_all(const struct hook_list *list)
{
    for (size_t i = 0; i < list->n && list->n > 1; i++) {
        if (!list->places[i].name[0])
            return "has a URL without a name; write NAME:URL for each when there are several";
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->places[i].name, list->places[j].name) == 0)
                return "has one name twice; give each URL a name of its own";
    }
    return NULL;
}

const char *hook_list_parse(const char *text, struct hook_list *ret_list)
{
    const char *problem = NULL;

    ret_list->n = 0;
    for (text += strspn(text, " "); *text && !problem; text += strspn(text, " ")) {
        size_t n = strcspn(text, " ");
        if (ret_list->n == HOOKS_MAX)
            return "has too many URLs; give up to 8";
        problem = read_place(text, n, &ret_list->places[ret_list->n++]);
        text += n;
    }
    if (!problem)
        problem = ret_list->n ? compare_all(ret_list) : "is blank; give the URL that events are sent to";
    if (!problem && !ret_list->places[0].name[0])
        strcpy(ret_list->places[0].name, "events");
    return problem;
}

int hook_secret_parse(const char *secret, uint8_t ret_bytes[HOOK_SECRET_MAX])
{
    size_t n = strlen(prefix);

    if (strncmp(secret, prefix, n) != 0)
        return -EINVAL;
    ssize_t n_bytes = base64_decode(secret + n, strlen(secret + n), ret_bytes, HOOK_SECRET_MAX);
    return n_bytes < HOOK_SECRET_MIN ? -EINVAL : (int)n_bytes;
}
