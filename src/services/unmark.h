#pragma once
/* unmark.h - what a model writes without what nobody can say: markdown, emoji, tags, and all between <think> and </think> */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UNMARK_TAG_MAX = 32,   /* bytes of a tag with its brackets; what is longer is text */
    UNMARK_LINK_MAX = 512, /* characters of the address of a link; what is behind is text */
};

struct unmark {
    uint32_t character, least; /* the one whose bytes are coming; under least it is overlong */
    unsigned n_more;           /* of them */
    char tag[UNMARK_TAG_MAX];
    size_t n_tag, n_address;
    uint32_t held, before; /* a mark whose neighbour is not here yet; what came out before it, 0 on a new line */
    bool is_thinking, is_after_bracket;
};

/* One character: printable, ' ', or '\n' at the end of a line. Returns: 0, or a negative error, with which all ends. */
typedef int unmark_take(void *user, uint32_t character);

void unmark_init(struct unmark *unmark);

/* UTF-8 in any pieces; what is none is passed over. Returns: what take() returned when that was an error. */
int unmark_push(struct unmark *unmark, const char *bytes, size_t n, unmark_take *take, void *user);

/* The text is over. */
int unmark_end(struct unmark *unmark, unmark_take *take, void *user);

/* Whether it is a letter or a digit, of whatever script: what a voice has something to say to. */
bool unmark_is_word(uint32_t character);
