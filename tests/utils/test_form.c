/*
 * test_form.c - form bodies, byte for byte
 */
#include "utils/form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "utils/scoped.h"

/* want: name, 0x1f, value, 0x1e for each field */
static const struct {
    const char *body, *want;
} bodies[] = {
    { "", "" },
    { "a=1", "a\x1f"
             "1\x1e" },
    { "a=1&b=2", "a\x1f"
                 "1\x1e"
                 "b\x1f"
                 "2\x1e" },
    { "b=2&a=1&b=2", "b\x1f"
                     "2\x1e"
                     "a\x1f"
                     "1\x1e"
                     "b\x1f"
                     "2\x1e" },
    { "flag&X=1", "flag\x1f\x1e"
                  "X\x1f"
                  "1\x1e" },
    { "X=1&flag", "X\x1f"
                  "1\x1e"
                  "flag\x1f\x1e" },
    { "a=", "a\x1f\x1e" },
    { "=v", "\x1fv\x1e" },
    { "=", "\x1f\x1e" },
    { "a=b=c", "a\x1f"
               "b=c\x1e" },
    { "&&a=1&&b=2&", "a\x1f"
                     "1\x1e"
                     "b\x1f"
                     "2\x1e" },
    { "Body=a+b%20c%2Bd%26e%3Df%25g", "Body\x1f"
                                      "a b c+d&e=f%g\x1e" },
    { "n%61me=%D7%A9%d7%9c", "name\x1f"
                             "\xd7\xa9\xd7\x9c\x1e" },
    { "Body=%20hi%0D%0Athere%20", "Body\x1f hi\r\nthere \x1e" },
    { "raw=\xd7\xa9", "raw\x1f\xd7\xa9\x1e" },
};

static const struct {
    const char *body;
    int want;
} refused[] = {
    { "a=%", -EBADMSG },     { "a=%4", -EBADMSG },      { "a=%4&b=1", -EBADMSG },
    { "a=%g0", -EBADMSG },   { "%zz=1", -EBADMSG },     { "a=1&b=2&c=%0", -EBADMSG },
    { "a&b&c&d&e", -E2BIG }, { "a=%&b&c&d&e", -E2BIG },
};

static void parses(void)
{
    for (size_t i = 0; i < ELEMENTSOF(bodies); i++) {
        struct form form;
        char got[256] = "";
        int r = form_parse(bodies[i].body, strlen(bodies[i].body), 4, &form);
        for (size_t k = 0; r == 0 && k < form.n_fields; k++)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s\x1f%s\x1e",
                     form.fields[k].name, form.fields[k].value);
        is_str(r == 0 ? got : "refused", bodies[i].want, bodies[i].body);
        if (r == 0)
            form_done(&form);
    }
    for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
        struct form form;
        is_int(form_parse(refused[i].body, strlen(refused[i].body), 4, &form), refused[i].want,
               refused[i].body);
    }
}

static void looks_up(void)
{
    static const char body[] = "a=first&b=%00tail&a=second&ab=x";
    struct form form;

    is_int(form_parse(body, sizeof(body) - 1, 16, &form), 0, "a body with a NUL in it");
    is_str(form_get(&form, "a")->value, "first", "the first of its name is found");
    is_int((long long)form_get(&form, "b")->n_value, 5, "a NUL ends no value");
    ok(!form_get(&form, "A"), "names are case-sensitive");
    ok(!form_get(&form, ""), "there is no field without a name");
    form_done(&form);
}

static void writes(void)
{
    scoped(free) char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);

    form_write(out, "From", "whatsapp:+972500000001");
    form_write(out, "Body", "a b&c=d%~\xd7\xa9\r\n");
    form_write(out, "Empty", "");
    fclose(out);
    is_str(text, "From=whatsapp%3A%2B972500000001&Body=a+b%26c%3Dd%25%7E%D7%A9%0D%0A&Empty=",
           "what is written is encoded");

    struct form form;
    is_int(form_parse(text, n, 16, &form), 0, "and can be read");
    is_str(form_get(&form, "Body")->value, "a b&c=d%~\xd7\xa9\r\n", "to what it was");
    form_done(&form);
}

int main(void)
{
    parses();
    looks_up();
    writes();
    return done_testing();
}
