#pragma once
/* language.h - language tags as far as we need them */

#include <stdbool.h>
#include <string.h>

/* Whether a tag ("en", "en-GB") is of that language ("en"). */
static inline bool language_is(const char *tag, const char *language)
{
    size_t n = strlen(language);

    return strncmp(tag, language, n) == 0 && (tag[n] == '\0' || tag[n] == '-');
}
