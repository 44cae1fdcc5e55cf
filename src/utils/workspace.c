/*
 * workspace.c - a folder for what is not finished yet
 *
 * Whoever works in one holds a lock on the folder itself. One that nobody holds was left behind by a kill.
 */
#include "utils/workspace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "utils/file.h"

SCOPED_PTR(DIR, closedir)

struct workspace {
    char *path;
    int fd;
};

/* Returns: the descriptor that holds it; -EWOULDBLOCK somebody works in it. */
static int hold(const char *path)
{
    scoped(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    int held = fd;
    fd = -1;
    return held;
}

static void remove_left(const char *parent, const char *name)
{
    scoped(closedir) DIR *folder = opendir(parent);
    scoped(free) char *prefix = NULL;
    struct dirent *entry;

    if (!folder || asprintf(&prefix, ".%s.", name) < 0)
        return;
    while ((entry = readdir(folder))) {
        scoped(free) char *path = NULL;
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 || asprintf(&path, "%s/%s", parent, entry->d_name) < 0)
            continue;
        scoped(close) int fd = hold(path);
        if (fd >= 0)
            (void)file_remove(path);
    }
}

int workspace_new(const char *parent, const char *name, struct workspace **ret_workspace)
{
    scoped(workspace_free) struct workspace *workspace = calloc(1, sizeof(*workspace));

    if (!workspace)
        return -ENOMEM;
    workspace->fd = -1;
    remove_left(parent, name);
    scoped(free) char *path = NULL;
    if (asprintf(&path, "%s/.%s.XXXXXX", parent, name) < 0)
        return -ENOMEM;
    if (!mkdtemp(path))
        return -errno;
    workspace->path = steal(&path);
    workspace->fd = hold(workspace->path);
    if (workspace->fd < 0)
        return workspace->fd;
    *ret_workspace = steal(&workspace);
    return 0;
}

const char *workspace_path(const struct workspace *workspace)
{
    return workspace->path;
}

void workspace_free(struct workspace *workspace)
{
    if (!workspace)
        return;
    if (workspace->path)
        (void)file_remove(workspace->path);
    if (workspace->fd >= 0)
        close(workspace->fd);
    free(workspace->path);
    free(workspace);
}
