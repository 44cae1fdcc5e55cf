#pragma once
/* scoped.h - release on every way out: scoped(free) char *p = NULL; return steal(&p); */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* unused: clang does not count the release as a use of what is only held. */
#define scoped(fn) __attribute__((cleanup(scoped_##fn), unused))

/* SCOPED_PTR(struct x, x_free) beside x_free()'s declaration is what enables scoped(x_free). */
#define SCOPED_PTR(type, fn)                                                                       \
    static inline void scoped_##fn(type **p)                                                       \
    {                                                                                              \
        if (*p)                                                                                    \
            fn(*p);                                                                                \
    }

/* Hand the value on instead of releasing it. */
#define steal(p)                                                                                   \
    ({                                                                                             \
        __typeof__(*(p)) stolen_ = *(p);                                                           \
        *(p) = NULL;                                                                               \
        stolen_;                                                                                   \
    })

static inline void scoped_free(void *p)
{
    free(*(void **)p);
}

static inline void scoped_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

SCOPED_PTR(FILE, fclose)

#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))

enum { KIB = 1024, MIB = 1024 * 1024 };
