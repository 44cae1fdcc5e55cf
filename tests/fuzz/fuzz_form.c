/*
 * fuzz_form.c - what is decoded stays within the body's length and survives being written again
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "utils/form.h"

static size_t written(const struct form *form, char **ret_text)
{
    size_t n = 0;
    FILE *out = open_memstream(ret_text, &n);

    for (size_t i = 0; i < form->n_fields; i++)
        form_write(out, form->fields[i].name, form->fields[i].value);
    fclose(out);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct form form, again;
    char *text = NULL;
    size_t n_decoded = 0;

    if (form_parse((const char *)data, n, 256, &form) < 0)
        return 0;
    for (size_t i = 0; i < form.n_fields; i++) {
        const struct form_field *field = &form.fields[i];
        n_decoded += field->n_name + field->n_value;
        if (field->name[field->n_name] || field->value[field->n_value])
            abort();
    }
    if (n_decoded > n)
        abort();

    size_t n_text = written(&form, &text);
    if (form_parse(text, n_text, 256, &again) < 0 || again.n_fields != form.n_fields)
        abort();
    for (size_t i = 0; i < form.n_fields; i++) /* as strings: writing ends at a NUL */
        if (strcmp(form.fields[i].name, again.fields[i].name) != 0 ||
            strcmp(form.fields[i].value, again.fields[i].value) != 0)
            abort();
    form_done(&again);
    form_done(&form);
    free(text);
    return 0;
}
