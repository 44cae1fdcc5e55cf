/*
 * test_hook_list.c - where events are sent, and the secrets that sign them, as settings have them
 */
#include "utils/hook_list.h"

#include <errno.h>
#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *text, *want; /* "name url|..."; NULL: refused */
} rows[] = {
    { "https://a.example/x", "events https://a.example/x|" },
    { "crm:https://a.example/x", "crm https://a.example/x|" },
    { "  crm:https://a  erp:http://127.0.0.1:9/ ", "crm https://a|erp http://127.0.0.1:9/|" },
    { "crm:x", "crm x|" }, /* whether it is a URL is asked elsewhere */
    { "", NULL },
    { "   ", NULL },
    { ":https://a", NULL },
    { "https://a https://b", NULL },
    { "crm:https://a https://b", NULL },
    { "crm:https://a crm:https://b", NULL },
    { "a234567890123456789012345678901234:https://a", NULL },
    { "a:a b:b c:c d:d e:e f:f g:g h:h", "a a|b b|c c|d d|e e|f f|g g|h h|" },
    { "a:a b:b c:c d:d e:e f:f g:g h:h i:i", NULL },
};

static const struct {
    const char *secret;
    int want;
} secrets[] = {
    { "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", 32 },
    { "whsec_AgICAgICAgICAgICAgICAgICAgICAgIC", 24 },
    { "AgICAgICAgICAgICAgICAgICAgICAgIC", -EINVAL },
    { "whsec_AgICAgICAgICAgICAgICAgICAgICAgI=", -EINVAL }, /* 23 */
    { "whsec_AgICAgICAgICAgICAgICAgICAgICAgI*", -EINVAL },
    { "whsec_", -EINVAL },
};

static void test_lists(void)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct hook_list list;
        char text[512] = "";
        size_t n = 0;
        const char *problem = hook_list_parse(rows[i].text, &list);

        for (size_t k = 0; !problem && k < list.n; k++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %s|", list.places[k].name, list.places[k].url);
        is_str(problem ? NULL : text, rows[i].want, rows[i].text);
    }
}

static void test_long(void)
{
    char text[HOOK_URL_MAX + 8] = "crm:";
    struct hook_list list;

    memset(text + 4, 'x', HOOK_URL_MAX);
    ok(hook_list_parse(text, &list) != NULL, "a URL that is too long");
    text[HOOK_URL_MAX + 3] = '\0';
    ok(!hook_list_parse(text, &list) && strlen(list.places[0].url) == HOOK_URL_MAX - 1, "one that just fits");
}

int main(void)
{
    uint8_t bytes[HOOK_SECRET_MAX];

    test_lists();
    test_long();
    for (size_t i = 0; i < ELEMENTSOF(secrets); i++)
        is_int(hook_secret_parse(secrets[i].secret, bytes), secrets[i].want, secrets[i].secret);
    return done_testing();
}
