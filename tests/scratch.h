#pragma once
/* scratch.h - a directory for one test, removed when it exits */

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char scratch_path[256];
static pid_t scratch_owner;

static int scratch_remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void scratch_remove(void)
{
    if (scratch_path[0] && getpid() == scratch_owner)
        nftw(scratch_path, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Below $TMPDIR or /tmp; the same one on every call. */
__attribute__((unused)) static const char *scratch(void)
{
    if (scratch_path[0])
        return scratch_path;
    snprintf(scratch_path, sizeof(scratch_path), "%s/agentlocator.XXXXXX", getenv("TMPDIR") ?: "/tmp");
    if (!mkdtemp(scratch_path)) {
        printf("Bail out! no scratch directory %s\n", scratch_path);
        exit(99);
    }
    scratch_owner = getpid();
    atexit(scratch_remove);
    return scratch_path;
}

/* scratch()/name, in one of a few buffers that take turns. */
__attribute__((unused)) static const char *scratch_file(const char *name)
{
    static char paths[4][512];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", scratch(), name);
    return path;
}
