/*
 * form.c - application/x-www-form-urlencoded, with lengths
 *
 * Every decoded name and value lives in one block: a name takes at most its raw
 * length and the '=' becomes its NUL, a value the same with the '&'. A name that
 * has no '=' has the name's own NUL as its value, so n + 1 bytes always suffice.
 * Nothing is trimmed, converted or dropped but an empty piece between two '&'.
 */
#include "utils/form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Returns: bytes written to out, which the NUL follows; -EBADMSG a broken %XX. */
static ssize_t decode(const char *raw, size_t n, char *out)
{
    size_t n_out = 0;

    for (size_t i = 0; i < n; i++) {
        char c = raw[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = n - i > 2 ? hex_value(raw[i + 1]) : -1;
            int low = n - i > 2 ? hex_value(raw[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -EBADMSG;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[n_out++] = c;
    }
    out[n_out] = '\0';
    return (ssize_t)n_out;
}

static int decode_field(const char *raw, size_t n, char **storage, struct form_field *field)
{
    const char *equals = memchr(raw, '=', n);
    size_t n_raw_name = equals ? (size_t)(equals - raw) : n;
    ssize_t n_name = decode(raw, n_raw_name, *storage), n_value = 0;

    if (n_name < 0)
        return (int)n_name;
    field->name = *storage;
    field->n_name = (size_t)n_name;
    *storage += n_name + 1;

    field->value = *storage - 1;
    if (equals) {
        n_value = decode(equals + 1, n - n_raw_name - 1, *storage);
        if (n_value < 0)
            return (int)n_value;
        field->value = *storage;
        *storage += n_value + 1;
    }
    field->n_value = (size_t)n_value;
    return 0;
}

static size_t count_fields(const char *body, size_t n)
{
    size_t n_fields = 0;

    for (size_t i = 0; i < n; i++)
        n_fields += body[i] != '&' && (i + 1 == n || body[i + 1] == '&');
    return n_fields;
}

int form_parse(const char *body, size_t n, size_t max, struct form *ret_form)
{
    struct form form = {.n_fields = count_fields(body, n)};
    size_t n_done = 0;
    int r = 0;

    if (form.n_fields > max)
        return -E2BIG;
    form.fields = calloc(form.n_fields + 1, sizeof(*form.fields));
    form.storage = malloc(n + 1);
    if (!form.fields || !form.storage) {
        form_done(&form);
        return -ENOMEM;
    }

    char *storage = form.storage;
    for (size_t at = 0; at < n && r == 0;) {
        const char *end = memchr(body + at, '&', n - at);
        size_t n_raw = end ? (size_t)(end - body) - at : n - at;
        if (n_raw)
            r = decode_field(body + at, n_raw, &storage, &form.fields[n_done++]);
        at += n_raw + 1;
    }
    if (r < 0) {
        form_done(&form);
        return r;
    }
    *ret_form = form;
    return 0;
}

void form_done(struct form *form)
{
    free(form->fields);
    free(form->storage);
    *form = (struct form){0};
}

const struct form_field *form_get(const struct form *form, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < form->n_fields; i++)
        if (form->fields[i].n_name == n && memcmp(form->fields[i].name, name, n) == 0)
            return &form->fields[i];
    return NULL;
}

static void encode(FILE *out, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*";

    for (; *text; text++) {
        if (*text == ' ')
            fputc('+', out);
        else if (strchr(plain, *text))
            fputc(*text, out);
        else
            fprintf(out, "%%%02X", (unsigned char)*text);
    }
}

void form_write(FILE *out, const char *name, const char *value)
{
    if (ftell(out) > 0)
        fputc('&', out);
    encode(out, name);
    fputc('=', out);
    encode(out, value);
}
