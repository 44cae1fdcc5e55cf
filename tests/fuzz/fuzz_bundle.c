/* fuzz_bundle.c - the files of a backup */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "services/bundle.h"
#include "utils/file.h"
#include "utils/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A file of no plain name never gets here. */
static int open_file(const char *name, uint64_t n_bytes, void *arg)
{
    assert(name[0] && name[0] != '/' && !strstr(name, "../"));
    return -ENOENT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct bundle_reading reading = { .open_file = open_file };
    scoped(json_object_put) struct json_object *manifest = NULL;
    scoped(close) int fd = memfd_create("bundle", MFD_CLOEXEC);
    char problem[BUNDLE_PROBLEM_MAX] = "";

    assert(fd >= 0 && file_write(fd, data, n) == 0);
    int r = bundle_read(fd, &reading, &manifest, problem);
    assert((r == 0) == (manifest != NULL));
    assert(r != -EBADMSG || problem[0]);
    return 0;
}
