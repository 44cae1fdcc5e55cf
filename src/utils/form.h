#pragma once
/* form.h - application/x-www-form-urlencoded, with lengths: values may hold any byte */

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

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

/*
 * A name without '=' has an empty value; empty pieces between two '&' are no fields.
 *
 * Errors: -EBADMSG a broken %XX; -E2BIG over max fields; -ENOMEM.
 * Owner:  *ret_form is to be released with form_done().
 */
int form_parse(const char *body, size_t n, size_t max, struct form *ret_form);
void form_done(struct form *form);

/* The first field of that name, or NULL. */
const struct form_field *form_get(const struct form *form, const char *name);

/* Percent-encode for a form body: appends, after a '&' unless first, to what open_memstream() made. */
void form_write(FILE *out, const char *name, const char *value);
