/*
 * test_file.c - folders are made whole, or say why not
 */
#include "utils/file.h"

#include <errno.h>
#include <sys/stat.h>

#include "scratch.h"
#include "tap.h"
#include "utils/scoped.h"

static const struct {
    const char *below; /* of the scratch folder, in this order */
    int want;
    const char *what;
} folders[] = {
    { "/a", 0, "one folder" },
    { "/a", 0, "the same once more" },
    { "/a/b/c", 0, "with those above it" },
    { "/d//e/", 0, "with slashes to spare" },
    { "/file", -ENOTDIR, "where a file is" },
    { "/file/x", -ENOTDIR, "below a file" },
};

int main(void)
{
    FILE *made = fopen(scratch_file("file"), "w");
    struct stat st;

    ok(made && fclose(made) == 0, "a file in the way");

    for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
        scoped(free) char *path = NULL;

        if (asprintf(&path, "%s%s", scratch(), folders[i].below) < 0)
            return 1;
        is_int(file_make_folder(path), folders[i].want, folders[i].what);
        if (folders[i].want == 0)
            ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700, "%s is its owner's alone", folders[i].below);
    }
    is_int(file_make_folder(""), -EINVAL, "no name");
    return done_testing();
}
