#pragma once
/* form.h - application/x-www-form-urlencoded, with lengths: values may hold any byte */

#include <stddef.h>
#include <stdio.h>

struct form_field {
    char *name; /* decoded, NUL-terminated for convenience; n_name is the truth */
    size_t n_name;
    char *value;
    size_t n_value;
};

struct form {
    struct form_field *fields; /* in order of arrival */
    size_t n_fields;
    char *storage;
};

/* Errors: -EBADMSG a broken %XX; -E2BIG over max fields; -ENOMEM. */
int form_parse(const char *body, size_t n, size_t max, struct form *ret_form);
void form_done(struct form *form);

/* The first field of that name, or NULL. */
const struct form_field *form_get(const struct form *form, const char *name);

/* Percent-encode for a form body: appends to a growing buffer made with open_memstream by the caller. */
void form_write(FILE *out, const char *name, const char *value);
