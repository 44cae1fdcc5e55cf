/*
 * unmark.c - what a model writes without what nobody can say
 *
 * A character goes through four stages, each of which may keep it back, drop it or let it pass: bytes to characters; tags,
 * with what is between <think> and </think>; addresses of links; marks. What a mark is depends on its neighbours: *bold*
 * and "press * now", a_b@example.com and _so_, "- a list" and "-5"; so one mark is held until the next character is there.
 * No stage looks at more than its own few fields, so that the pieces in which the text comes make no difference.
 */
#include "services/unmark.h"

#include <string.h>
#include <strings.h>

#include "utils/scoped.h"

enum { EMOJI = 0xFFFC /* stands for any */, NOTHING = 0 };

struct range {
    uint32_t from, to;
};

static const struct range emoji[] = {
    { 0x2190, 0x21FF }, { 0x2300, 0x23FF }, { 0x2460, 0x2BFF }, { 0xFFF9, 0xFFFD }, { 0xE000, 0xF8FF }, { 0x1F000, 0x1FAFF },
};

/* Without a width: marks of direction, joiners, selectors, keycaps. */
static const struct range invisible[] = {
    { 0x00AD, 0x00AD }, { 0x061C, 0x061C }, { 0x200B, 0x200F }, { 0x202A, 0x202E }, { 0x2060, 0x206F },
    { 0x20E3, 0x20E3 }, { 0xFE00, 0xFE0F }, { 0xFEFF, 0xFEFF }, { 0xE0000, 0xE0FFF },
};

static const struct range spaces[] = {
    { 0x01, 0x09 }, { 0x0B, 0x1F }, { '|', '|' }, { 0x7F, 0xA0 }, { 0xB7, 0xB7 }, { 0x1680, 0x1680 },
    { 0x2000, 0x200A }, { 0x2022, 0x2023 }, { 0x202F, 0x202F }, { 0x205F, 0x205F }, { 0x3000, 0x3000 },
};

static const struct range no_words[] = {
    { 0x80, 0xBF }, { 0xD7, 0xD7 }, { 0xF7, 0xF7 }, { 0x0591, 0x05CF }, { 0x05F3, 0x05F4 }, { 0x0300, 0x036F },
    { 0x2000, 0x20CF }, { 0x2100, 0x2BFF }, { 0x3000, 0x303F }, { 0xE000, 0xF8FF }, { 0xFE00, 0xFE4F }, { 0xFFF9, 0xFFFD },
    { 0x1F000, 0x1FAFF }, { 0xE0000, 0xE0FFF },
};

static const char *const thoughts[] = { "think", "thinking", "thought", "reasoning" };

static bool is_in(uint32_t c, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool unmark_is_word(uint32_t c)
{
    if (c < 0x80)
        return is_letter(c) || (c >= '0' && c <= '9');
    return !is_in(c, no_words, ELEMENTSOF(no_words));
}

/* --- marks */

static bool is_mark(uint32_t c)
{
    return c == EMOJI || (c < 0x80 && strchr("*_#>-+!", (int)c));
}

static bool is_blank(uint32_t c)
{
    return c == NOTHING || c == ' ' || c == '\n';
}

/* Whether a mark between these two is text after all. */
static bool is_text(uint32_t before, uint32_t c, uint32_t after)
{
    switch (c) {
    case '*': return before == ' ' && !unmark_is_word(after) && after != '*';
    case '_': return unmark_is_word(before) && unmark_is_word(after);
    case '#': return before != NOTHING || unmark_is_word(after);
    case '>': return before != NOTHING;
    case '!': return !is_blank(before) || after != '[';
    case '-':
    case '+': return before != NOTHING || !(is_blank(after) || after == c);
    default: return false;
    }
}

static int emit(struct unmark *unmark, uint32_t c, unmark_take *take, void *user)
{
    if (is_blank(c) && is_blank(unmark->before) && c == ' ')
        return 0;
    unmark->before = c == '\n' ? NOTHING : c;
    return take(user, c);
}

/* The held one's neighbour is there. */
static int settle(struct unmark *unmark, uint32_t after, unmark_take *take, void *user)
{
    uint32_t held = unmark->held;

    unmark->held = NOTHING;
    if (held == EMOJI)
        return unmark_is_word(after) && unmark->before != NOTHING ? emit(unmark, ' ', take, user) : 0;
    return held && is_text(unmark->before, held, after) ? emit(unmark, held, take, user) : 0;
}

static int look_for_marks(struct unmark *unmark, uint32_t c, unmark_take *take, void *user)
{
    int r = settle(unmark, c, take, user);

    if (r < 0 || c == '[' || c == ']' || c == '`' || c == '~' || c == '\\')
        return r;
    if (is_mark(c)) {
        unmark->held = c;
        return 0;
    }
    return emit(unmark, c, take, user);
}

/* --- links: [text](address) */

static int look_for_links(struct unmark *unmark, uint32_t c, unmark_take *take, void *user)
{
    bool is_after_bracket = unmark->is_after_bracket;

    unmark->is_after_bracket = c == ']';
    if (unmark->n_address > 0) {
        bool is_over = c == ')' || c == '\n' || ++unmark->n_address > UNMARK_LINK_MAX;
        if (is_over)
            unmark->n_address = 0;
        return c == '\n' ? look_for_marks(unmark, c, take, user) : 0;
    }
    if (is_after_bracket && c == '(') {
        unmark->n_address = 1;
        return 0;
    }
    return look_for_marks(unmark, c, take, user);
}

/* --- tags */

static bool is_thought(const char *name, size_t n)
{
    for (size_t i = 0; i < ELEMENTSOF(thoughts); i++)
        if (strlen(thoughts[i]) == n && strncasecmp(thoughts[i], name, n) == 0)
            return true;
    return false;
}

static void take_tag(struct unmark *unmark)
{
    bool is_end = unmark->tag[1] == '/';
    const char *name = unmark->tag + 1 + is_end;
    size_t n = 0;

    while (name + n < unmark->tag + unmark->n_tag && is_letter((unsigned char)name[n]))
        n++;
    if (is_thought(name, n))
        unmark->is_thinking = !is_end;
    unmark->n_tag = 0;
}

/* What looked like a tag is none: it was text. */
static int release_tag(struct unmark *unmark, unmark_take *take, void *user)
{
    size_t n = unmark->n_tag;
    int r = 0;

    unmark->n_tag = 0;
    for (size_t i = 0; i < n && r == 0 && !unmark->is_thinking; i++)
        r = look_for_links(unmark, (unsigned char)unmark->tag[i], take, user);
    return r;
}

/* Whether a tag may go on with it: a letter first, after a slash or not. */
static bool is_of_tag(const struct unmark *unmark, uint32_t c)
{
    size_t n = unmark->n_tag;

    if (c < ' ' || c > '~' || c == '<' || n == sizeof(unmark->tag))
        return false;
    if (n == 1)
        return c == '/' || is_letter(c);
    return n > 2 || unmark->tag[1] != '/' || is_letter(c);
}

static int look_for_tags(struct unmark *unmark, uint32_t c, unmark_take *take, void *user)
{
    int r = 0;

    if (unmark->n_tag > 0 && is_of_tag(unmark, c)) {
        unmark->tag[unmark->n_tag++] = (char)c;
        if (c == '>')
            take_tag(unmark);
        return 0;
    }
    if (unmark->n_tag > 0)
        r = release_tag(unmark, take, user);
    if (c == '<') {
        unmark->tag[0] = '<';
        unmark->n_tag = 1;
        return r;
    }
    return r < 0 || unmark->is_thinking ? r : look_for_links(unmark, c, take, user);
}

/* --- characters */

static int classify(struct unmark *unmark, uint32_t c, unmark_take *take, void *user)
{
    if (c == NOTHING || is_in(c, invisible, ELEMENTSOF(invisible)))
        return 0;
    if (c == 0x2028 || c == 0x2029)
        c = '\n';
    else if (is_in(c, spaces, ELEMENTSOF(spaces)))
        c = ' ';
    else if (is_in(c, emoji, ELEMENTSOF(emoji)))
        c = EMOJI;
    return look_for_tags(unmark, c, take, user);
}

void unmark_init(struct unmark *unmark)
{
    *unmark = (struct unmark){ 0 };
}

/* Returns: whether c began one of several bytes, of which n_more are to come. */
static bool begin_character(struct unmark *unmark, unsigned char c)
{
    unmark->n_more = c >= 0xF0 && c <= 0xF4 ? 3 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xC2 && c < 0xE0 ? 1 : 0;
    unmark->least = unmark->n_more == 3 ? 0x10000 : 0x800;
    unmark->character = c & (0x3Fu >> unmark->n_more);
    if (unmark->n_more == 1)
        unmark->least = 0x80;
    return unmark->n_more > 0;
}

static bool is_character(const struct unmark *unmark)
{
    uint32_t c = unmark->character;

    return c >= unmark->least && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

int unmark_push(struct unmark *unmark, const char *bytes, size_t n, unmark_take *take, void *user)
{
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (unmark->n_more > 0 && (c & 0xC0) == 0x80) {
            unmark->character = unmark->character << 6 | (c & 0x3F);
            if (--unmark->n_more == 0 && is_character(unmark))
                r = classify(unmark, unmark->character, take, user);
        } else if (!begin_character(unmark, c) && c < 0x80) {
            r = classify(unmark, c, take, user);
        }
    }
    return r;
}

int unmark_end(struct unmark *unmark, unmark_take *take, void *user)
{
    unmark->n_tag = unmark->n_more = 0;
    return settle(unmark, NOTHING, take, user);
}
