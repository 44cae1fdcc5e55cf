/*
 * file.c - whole small files
 *
 * Reads until the end instead of trusting st_size, which is 0 for what /proc
 * and pipes hand out.
 */
#include "utils/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "utils/scoped.h"

enum { FILE_CHUNK = 4096 };

int file_read(const char *path, int flags, size_t max, char **ret_text, size_t *ret_n)
{
    scoped(close) int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    scoped(free) char *text = NULL;
    size_t n = 0, room = 0;

    if (fd < 0)
        return -errno;

    for (;;) {
        if (n + 1 >= room) {
            size_t more = room ? 2 * room : FILE_CHUNK;
            char *grown = malloc(more);

            if (!grown)
                return -ENOMEM;
            if (text) {
                memcpy(grown, text, n);
                explicit_bzero(text, n); /* may hold a secret */
                free(text);
            }
            text = grown;
            room = more;
        }

        ssize_t got = read(fd, text + n, room - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > max)
            return -EFBIG;
    }

    text[n] = '\0';
    *ret_text = steal(&text);
    *ret_n = n;
    return 0;
}
