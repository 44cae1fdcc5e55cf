/*
 * cli/import_columns.c - which column of a table is what of a person
 *
 * A heading is folded to its words, without numbers: "Phone 2 - Value" is "phone value". So one row of the table stands
 * for all the columns of a kind, and what is in them is put together.
 */
#include "cli/import_columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "models/contact.h"
#include "services/crm_export.h"
#include "utils/fold.h"
#include "utils/json.h"

enum target { TARGET_NAME, TARGET_FIRST, TARGET_MIDDLE, TARGET_LAST, TARGET_PHONE, TARGET_TAGS, TARGET_NOTE, TARGET_STAGE, TARGET_NONE, TARGET_FIELD, TARGET_UNKNOWN };

static const char *const target_names[] = {
    [TARGET_NAME] = "name", [TARGET_FIRST] = "first", [TARGET_MIDDLE] = "middle", [TARGET_LAST] = "last",  [TARGET_PHONE] = "phone",
    [TARGET_TAGS] = "tags", [TARGET_NOTE] = "note",   [TARGET_STAGE] = "stage",   [TARGET_NONE] = "none",
};

static const struct heading {
    const char *words;
    enum target target;
    const char *field;
} headings[] = {
    { "name", TARGET_NAME, NULL },
    { "full name", TARGET_NAME, NULL },
    { "contact name", TARGET_NAME, NULL },
    { "display name", TARGET_NAME, NULL },
    { "שם", TARGET_NAME, NULL },
    { "שם מלא", TARGET_NAME, NULL },
    { "first name", TARGET_FIRST, NULL },
    { "given name", TARGET_FIRST, NULL },
    { "שם פרטי", TARGET_FIRST, NULL },
    { "middle name", TARGET_MIDDLE, NULL },
    { "additional name", TARGET_MIDDLE, NULL },
    { "last name", TARGET_LAST, NULL },
    { "family name", TARGET_LAST, NULL },
    { "surname", TARGET_LAST, NULL },
    { "שם משפחה", TARGET_LAST, NULL },
    { "phone", TARGET_PHONE, NULL },
    { "phone value", TARGET_PHONE, NULL },
    { "phone number", TARGET_PHONE, NULL },
    { "mobile", TARGET_PHONE, NULL },
    { "mobile phone", TARGET_PHONE, NULL },
    { "mobile phone number", TARGET_PHONE, NULL },
    { "mobile number", TARGET_PHONE, NULL },
    { "home phone", TARGET_PHONE, NULL },
    { "business phone", TARGET_PHONE, NULL },
    { "work phone", TARGET_PHONE, NULL },
    { "cell", TARGET_PHONE, NULL },
    { "cell phone", TARGET_PHONE, NULL },
    { "tel", TARGET_PHONE, NULL },
    { "telephone", TARGET_PHONE, NULL },
    { "whatsapp", TARGET_PHONE, NULL },
    { "whatsapp phone number", TARGET_PHONE, NULL },
    { "more addresses", TARGET_PHONE, NULL },
    { "טלפון", TARGET_PHONE, NULL },
    { "נייד", TARGET_PHONE, NULL },
    { "טלפון נייד", TARGET_PHONE, NULL },
    { "מספר טלפון", TARGET_PHONE, NULL },
    { "פלאפון", TARGET_PHONE, NULL },
    { "email", TARGET_FIELD, "email" },
    { "e mail", TARGET_FIELD, "email" },
    { "e mail value", TARGET_FIELD, "email" },
    { "e mail address", TARGET_FIELD, "email" },
    { "email address", TARGET_FIELD, "email" },
    { "אימייל", TARGET_FIELD, "email" },
    { "מייל", TARGET_FIELD, "email" },
    { "דואל", TARGET_FIELD, "email" },
    { "company", TARGET_FIELD, "company" },
    { "company name", TARGET_FIELD, "company" },
    { "associated company", TARGET_FIELD, "company" },
    { "organization", TARGET_FIELD, "company" },
    { "organization name", TARGET_FIELD, "company" },
    { "חברה", TARGET_FIELD, "company" },
    { "address", TARGET_FIELD, "address" },
    { "address formatted", TARGET_FIELD, "address" },
    { "street address", TARGET_FIELD, "address" },
    { "כתובת", TARGET_FIELD, "address" },
    { "city", TARGET_FIELD, "city" },
    { "עיר", TARGET_FIELD, "city" },
    { "birthday", TARGET_FIELD, "birthday" },
    { "job title", TARGET_FIELD, "job" },
    { "organization title", TARGET_FIELD, "job" },
    { "tags", TARGET_TAGS, NULL },
    { "tag", TARGET_TAGS, NULL },
    { "labels", TARGET_TAGS, NULL },
    { "group membership", TARGET_TAGS, NULL },
    { "תגיות", TARGET_TAGS, NULL },
    { "note", TARGET_NOTE, NULL },
    { "notes", TARGET_NOTE, NULL },
    { "comments", TARGET_NOTE, NULL },
    { "הערה", TARGET_NOTE, NULL },
    { "הערות", TARGET_NOTE, NULL },
    { "stage", TARGET_STAGE, NULL },
    { "id", TARGET_NONE, NULL }, /* these four: ours, and made anew */
    { "calls", TARGET_NONE, NULL },
    { "created", TARGET_NONE, NULL },
    { "updated", TARGET_NONE, NULL },
};

struct column {
    enum target target;
    char *heading;
    char field[CONTACT_FIELD_MAX];
};

struct import_columns {
    struct column *columns;
    size_t n;
};

/* --- headings */

enum { WORDS_MAX = 128 };

static int add_word(const char *word, void *arg)
{
    char *words = arg;
    size_t n = strlen(words);

    if (word[strspn(word, "0123456789")] == '\0' || n + strlen(word) + 2 > WORDS_MAX)
        return 0;
    (void)snprintf(words + n, WORDS_MAX - n, "%s%s", n ? " " : "", word);
    return 0;
}

static void fold_heading(const char *heading, char ret_words[WORDS_MAX])
{
    ret_words[0] = '\0';
    (void)fold_words(heading, add_word, ret_words);
}

static bool is_same_heading(const char *words, const char *other)
{
    char folded[WORDS_MAX];

    fold_heading(other, folded);
    return strcmp(words, folded) == 0;
}

static int set_field(struct column *column, const char *field)
{
    if (!field[0] || strlen(field) >= sizeof(column->field))
        return -EINVAL;
    column->target = TARGET_FIELD;
    strcpy(column->field, field);
    return 0;
}

static int set_target(struct column *column, const char *target)
{
    for (size_t i = 0; i < ELEMENTSOF(target_names); i++)
        if (strcmp(target_names[i], target) == 0) {
            column->target = (enum target)i;
            return 0;
        }
    return set_field(column, strncmp(target, "field:", 6) == 0 ? target + 6 : target);
}

static void find_target(struct column *column)
{
    char words[WORDS_MAX];

    column->target = TARGET_UNKNOWN;
    if (strncmp(column->heading, "field:", 6) == 0 && set_field(column, column->heading + 6) == 0)
        return;
    fold_heading(column->heading, words);
    for (size_t i = 0; i < ELEMENTSOF(headings) && column->target == TARGET_UNKNOWN; i++)
        if (is_same_heading(words, headings[i].words)) {
            column->target = headings[i].target;
            if (headings[i].field)
                strcpy(column->field, headings[i].field);
        }
}

static int take_map(struct import_columns *columns, const char *map, FILE *problems)
{
    const char *equals = strrchr(map, '=');
    size_t n = equals ? (size_t)(equals - map) : 0;
    bool is_found = false;

    for (size_t i = 0; equals && i < columns->n; i++) {
        struct column *column = &columns->columns[i];
        if (strlen(column->heading) != n || strncmp(column->heading, map, n) != 0)
            continue;
        is_found = true;
        if (set_target(column, equals + 1) < 0)
            return fprintf(problems, "'%s' is no name of a field", equals + 1), -EINVAL;
    }
    if (!is_found)
        fprintf(problems, "there is no column for --map '%s'; it takes HEADING=WHAT", map);
    return is_found ? 0 : -EINVAL;
}

static bool has_target(const struct import_columns *columns, enum target target)
{
    for (size_t i = 0; i < columns->n; i++)
        if (columns->columns[i].target == target)
            return true;
    return false;
}

int import_columns_new(const struct csv_record *heading, const char *const *maps, size_t n_maps, FILE *problems, struct import_columns **ret_columns)
{
    scoped(import_columns_free) struct import_columns *columns = calloc(1, sizeof(*columns));

    if (!columns || !(columns->columns = calloc(heading->n_cells, sizeof(*columns->columns))))
        return -ENOMEM;
    for (; columns->n < heading->n_cells; columns->n++) {
        struct column *column = &columns->columns[columns->n];
        column->heading = strdup(csv_plain(heading->cells[columns->n]));
        if (!column->heading)
            return -ENOMEM;
        find_target(column);
    }
    for (size_t i = 0; i < n_maps; i++) {
        int r = take_map(columns, maps[i], problems);
        if (r < 0)
            return r;
    }
    if (!has_target(columns, TARGET_PHONE))
        return fputs("no column is known to hold telephone numbers; say which one with --map COLUMN=phone", problems), -EINVAL;
    *ret_columns = steal(&columns);
    return 0;
}

void import_columns_free(struct import_columns *columns)
{
    if (!columns)
        return;
    for (size_t i = 0; i < columns->n; i++)
        free(columns->columns[i].heading);
    free(columns->columns);
    free(columns);
}

struct json_object *import_columns_unknown(const struct import_columns *columns)
{
    scoped(json_object_put) struct json_object *array = json_object_new_array();

    for (size_t i = 0; array && i < columns->n; i++) {
        const char *heading = columns->columns[i].heading;
        if (columns->columns[i].target == TARGET_UNKNOWN && json_append(array, json_text(heading, strlen(heading))) < 0)
            return NULL;
    }
    return steal(&array);
}

/* --- a person */

struct name {
    const char *whole, *first, *middle, *last;
};

static int add_names(struct json_object *data, const struct name *name)
{
    const char *const parts[] = { name->first, name->middle, name->last };
    scoped(free) char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);

    if (!out)
        return -ENOMEM;
    if (name->whole) {
        fputs(name->whole, out);
    } else {
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
            if (parts[i])
                fprintf(out, "%s%s", ftell(out) > 0 ? " " : "", parts[i]);
    }
    if (fclose(out) != 0)
        return -ENOMEM;
    return n ? json_add(data, "name", json_text(text, n)) : 0;
}

static bool is_among(struct json_object *array, const char *text, size_t n)
{
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        const char *there = json_object_get_string(json_object_array_get_idx(array, i));
        if (strlen(there) == n && memcmp(there, text, n) == 0)
            return true;
    }
    return false;
}

/* What stands between separators, without blanks around it, each once. */
static int split(struct json_object *array, const char *text, const char *separators)
{
    int r = 0;

    while (r == 0 && *text) {
        text += strspn(text, separators);
        text += strspn(text, " \t\r");
        size_t n = strcspn(text, separators), n_trimmed = n;
        while (n_trimmed && strchr(" \t\r", text[n_trimmed - 1]))
            n_trimmed--;
        bool is_of_google = text[0] == '*' && text[1] == ' '; /* a group that every contact is in */
        if (n_trimmed && !is_of_google && !is_among(array, text, n_trimmed))
            r = json_append(array, json_text(text, n_trimmed));
        text += n;
    }
    return r;
}

/* Of several columns that are one: a line each. */
static int add_to_text(struct json_object *object, const char *name, const char *text)
{
    const char *there = json_get_text(object, name);
    scoped(free) char *both = NULL;

    if (!there)
        return json_add(object, name, json_text(text, strlen(text)));
    if (asprintf(&both, "%s\n%s", there, text) < 0)
        return -ENOMEM;
    return json_add(object, name, json_text(both, strlen(both)));
}

struct parts {
    struct json_object *data, *phones, *fields, *tags;
    struct name name;
};

static int add_cell(struct parts *parts, const struct column *column, const char *cell)
{
    switch (column->target) {
    case TARGET_NAME:
        parts->name.whole = cell;
        return 0;
    case TARGET_FIRST:
        parts->name.first = cell;
        return 0;
    case TARGET_MIDDLE:
        parts->name.middle = cell;
        return 0;
    case TARGET_LAST:
        parts->name.last = cell;
        return 0;
    case TARGET_PHONE:
        return split(parts->phones, cell, ";,:/\n");
    case TARGET_TAGS:
        return split(parts->tags, cell, ";,:\n");
    case TARGET_NOTE:
        return add_to_text(parts->data, "note", cell);
    case TARGET_STAGE:
        return json_add(parts->data, "stage", json_text(cell, strlen(cell)));
    case TARGET_FIELD:
        return add_to_text(parts->fields, column->field, cell);
    default:
        return 0;
    }
}

static int add_cells(struct parts *parts, const struct import_columns *columns, const struct csv_record *record)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < columns->n && i < record->n_cells; i++) {
        const char *cell = csv_plain(record->cells[i]);
        if (cell[strspn(cell, " \t\r\n")])
            r = add_cell(parts, &columns->columns[i], cell);
    }
    return r ?: add_names(parts->data, &parts->name);
}

static int put(struct json_object *object, const char *name, struct json_object *value)
{
    return json_add(object, name, json_object_get(value));
}

struct json_object *import_columns_person(const struct import_columns *columns, const struct csv_record *record)
{
    scoped(json_object_put) struct json_object *line = json_object_new_object(), *data = json_object_new_object(),
                                               *phones = json_object_new_array(), *fields = json_object_new_object(),
                                               *tags = json_object_new_array();
    struct parts parts = { .data = data, .phones = phones, .fields = fields, .tags = tags };

    if (!line || !data || !phones || !fields || !tags || add_cells(&parts, columns, record) < 0)
        return NULL;
    if (put(data, "phones", phones) < 0 || put(data, "fields", fields) < 0 || put(data, "tags", tags) < 0)
        return NULL;
    if (json_add(line, "format", json_object_new_int(EXPORT_FORMAT)) < 0 || json_add(line, "kind", json_object_new_string("person")) < 0 ||
        put(line, "data", data) < 0)
        return NULL;
    return steal(&line);
}
