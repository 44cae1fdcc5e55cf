/*
 * test_origins.c - which lists of origins are taken, and who is on them
 */
#include "utils/origins.h"

#include <stdbool.h>
#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *list;
    bool is_good;
} lists[] = {
    { "https://a.example", true },
    { " http://localhost:3000  https://a.example ", true },
    { "*", true },
    { "", true },
    { "* https://a.example", false },
    { "https://a.example/", false },
    { "https://A.example", false },
    { "a.example", false },
    { "https://", false },
    { "https://a.example:", false },
    { "https://a.example:123456", false },
    { "https://a.example,https://b.example", false },
    { "https://*.example", false },
    { "null", false },
};

static const struct {
    const char *list, *origin, *want;
} rows[] = {
    { "https://a.example http://b:3000", "https://a.example", "https://a.example" },
    { "https://a.example http://b:3000", "http://b:3000", "http://b:3000" },
    { "https://a.example http://b:3000", "http://b", NULL },
    { "https://a.example http://b:3000", "https://b:3000", NULL },
    { "https://a.example", "https://a.example.evil.example", NULL },
    { "https://a.example", "https://a.exampl", NULL },
    { "https://a.example", "https://A.example", NULL },
    { "https://a.example", "null", NULL },
    { "https://a.example", "", NULL },
    { "https://a.example", "*", NULL },
    { "*", "https://whoever.example", "*" },
    { "", "https://a.example", NULL },
};

int main(void)
{
    for (size_t i = 0; i < ELEMENTSOF(lists); i++)
        ok(!origins_problem(lists[i].list) == lists[i].is_good, "\"%s\" is %sa list", lists[i].list, lists[i].is_good ? "" : "not ");
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        size_t n = 0;
        const char *found = origins_find(rows[i].list, rows[i].origin, strlen(rows[i].origin), &n);
        ok(found ? rows[i].want && n == strlen(rows[i].want) && memcmp(found, rows[i].want, n) == 0 : !rows[i].want, "%s in \"%s\"",
           rows[i].origin, rows[i].list);
    }
    return done_testing();
}
