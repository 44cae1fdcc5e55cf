#pragma once
/*
 * twiml.h - a small strict reader of TwiML
 *
 * Knows the verbs an incoming call may be answered with; everything is kept in
 * one flat table in document order, a node's parent before the node.
 */

#include <stddef.h>

#include "caller/breach.h"

enum { TWIML_BYTES_MAX = 64 * 1024, TWIML_NODES_MAX = 64, TWIML_ATTRIBUTES_MAX = 16, TWIML_DEPTH_MAX = 8 };

struct twiml_attribute {
    const char *name, *value; /* entities decoded */
};

struct twiml_node {
    const char *name;
    const char *text; /* character data directly below it, trimmed; "" without any */
    int parent;       /* index, -1 for the root */
    struct twiml_attribute attributes[TWIML_ATTRIBUTES_MAX];
    size_t n_attributes;
};

struct twiml {
    struct twiml_node *nodes;
    size_t n_nodes;
    char *storage; /* what the strings live in */
};

/*
 * Errors: -EBADMSG with *ret_why set: not well-formed, no <Response>, a document type, more than the limits above.
 * Owner:  ret_twiml is to be released with twiml_done().
 */
int twiml_parse(const char *xml, size_t n, struct twiml *ret_twiml, const char **ret_why);
void twiml_done(struct twiml *twiml);

/* Report what Twilio would warn of: unknown verbs and attributes, things in the wrong place, a bad track, lines. */
void twiml_check(const struct twiml *twiml, const char *xml, size_t n, breach_fn *on_breach, void *user);

/* Node number `from` or a later one with that name and parent; -1: none. */
int twiml_find(const struct twiml *twiml, const char *name, int parent, int from);
const char *twiml_attribute(const struct twiml_node *node, const char *name); /* or NULL */
