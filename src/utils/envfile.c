/*
 * envfile.c - the syntax of systemd's EnvironmentFile=
 *
 *   # comment            ; comment
 *   NAME = bare value     blanks around it go, \x is x, \ at the end of a line joins the next;
 * quotes inside stay NAME='as it is'       until the next ', newlines included NAME="a \" b" \ goes
 * before " \ ` $ and a newline, and stays before anything else NAME='a' "b" c        is abc: what
 * was quoted is joined with what follows
 *
 * Nothing in it expands. A value is never longer than what it was written as,
 * so it is put together in place, behind the reader.
 */
#include "utils/envfile.h"

#include <stdbool.h>
#include <string.h>

struct reader {
    char *at, *end;
    unsigned line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static char take(struct reader *reader)
{
    char c = *reader->at++;

    reader->line += c == '\n';
    return c;
}

static bool at_end(const struct reader *reader)
{
    return reader->at == reader->end;
}

static void skip_line(struct reader *reader)
{
    while (!at_end(reader) && take(reader) != '\n')
        ;
}

/* Reads up to the closing quote. Returns: where the next character of the value goes, or NULL
 * without one. */
static char *read_quoted(struct reader *reader, char quote, char *out)
{
    while (!at_end(reader)) {
        char c = take(reader);

        if (c == quote)
            return out;
        if (c == '\\' && quote == '"' && !at_end(reader)) {
            c = take(reader);
            if (c == '\n')
                continue;
            if (!strchr("\"\\`$", c))
                *out++ = '\\';
        }
        *out++ = c;
    }
    return NULL;
}

/* Reads a value without quotes up to the end of its line. Returns: where it ends, blanks behind it
 * cut. */
static char *read_bare(struct reader *reader, char *out)
{
    char *kept = out; /* behind it there are only blanks so far */

    while (!at_end(reader)) {
        char c = take(reader);

        if (c == '\n')
            break;
        if (c == '\\' && !at_end(reader)) {
            c = take(reader);
            if (c == '\n')
                continue;
            *out++ = c;
            kept = out;
            continue;
        }
        *out++ = c;
        if (!is_blank(c))
            kept = out;
    }
    return kept;
}

/* Reads the rest of the assignment. Returns: the value with its NUL, or NULL when a quote is never
 * closed. */
static char *read_value(struct reader *reader)
{
    char *value = reader->at, *out = value;

    while (!at_end(reader)) {
        char c = *reader->at;

        if (c != '\n' && !is_blank(c) && c != '\'' && c != '"') {
            out = read_bare(reader, out);
            break;
        }
        take(reader);
        if (c == '\n')
            break;
        if (is_blank(c))
            continue;
        out = read_quoted(reader, c, out);
        if (!out)
            return NULL;
    }
    *out = '\0';
    return value;
}

static bool is_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    size_t n = strspn(name, letters);

    if (n == 0)
        return false;
    while (name[n] && (strchr(letters, name[n]) || (name[n] >= '0' && name[n] <= '9')))
        n++;
    return name[n] == '\0';
}

/* Fills pair from the line that the reader stands on, which is neither blank nor a comment. */
static void read_assignment(struct reader *reader, struct envfile_pair *pair)
{
    char *name = reader->at, *equals = name + strcspn(name, "=\n");

    *pair = (struct envfile_pair){ .name = name, .value = "", .line = reader->line };
    if (*equals != '=') {
        skip_line(reader);
        *equals = '\0';
        pair->problem = "the line has no '='";
        return;
    }

    char *name_end = equals;
    while (name_end > name && is_blank(name_end[-1]))
        name_end--;
    reader->at = equals + 1;
    char *value = read_value(reader);
    *name_end = '\0';
    if (!value)
        pair->problem = "a quote is not closed";
    else if (!is_name(name))
        pair->problem = "that is no name of a variable";
    else
        pair->value = value;
}

int envfile_parse(char *text, size_t n, int (*fn)(const struct envfile_pair *pair, void *arg),
                  void *arg)
{
    struct reader reader = { text, text + n, 1 };

    if (memchr(text, '\0', n))
        return fn(&(struct envfile_pair){ "", "", 1, "the file holds a NUL byte" }, arg);

    while (!at_end(&reader)) {
        struct envfile_pair pair;

        if (is_blank(*reader.at) || *reader.at == '\n') {
            take(&reader);
            continue;
        }
        if (*reader.at == '#' || *reader.at == ';') {
            skip_line(&reader);
            continue;
        }
        read_assignment(&reader, &pair);
        int r = fn(&pair, arg);
        if (r != 0)
            return r;
    }
    return 0;
}
