/*
 * replay.c - main() of a fuzz target when libFuzzer is not there: its corpus as a test
 *
 * tests/fuzz/fuzz_NAME takes the files of tests/fuzz/corpus/NAME, or those named
 * on its command line; each whole, cut short at every byte and with every bit
 * of its beginning turned. Each input is a block of its own size on the heap,
 * so that the address sanitizer sees one byte too far.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "tap.h"
#include "utils/file.h"
#include "utils/scoped.h"

enum { SEED_MAX = MIB, CUTS_MAX = 2048, FLIPS_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void feed(const char *text, size_t n, size_t flipped_bit)
{
    scoped(free) uint8_t *data = malloc(n ? n : 1);

    memcpy(data, text, n);
    if (flipped_bit < n * 8)
        data[flipped_bit / 8] ^= (uint8_t)(1 << flipped_bit % 8);
    (void)LLVMFuzzerTestOneInput(data, n);
}

static void replay(const char *path)
{
    scoped(free) char *text = NULL;
    size_t n = 0;

    int r = file_read(path, 0, SEED_MAX, &text, &n);
    if (r < 0) {
        ok(0, "%s: %s", path, strerror(-r));
        return;
    }
    feed(text, n, SIZE_MAX);
    for (size_t i = 0; i < n && i < CUTS_MAX; i++)
        feed(text, i, SIZE_MAX);
    for (size_t i = 0; i < n * 8 && i < FLIPS_MAX * 8; i++)
        feed(text, n, i);
    const char *slash = strrchr(path, '/');
    ok(1, "%s: whole, cut and turned", slash ? slash + 1 : path);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Returns: 0, or -errno when there is no such corpus. */
static int replay_corpus(const char *program)
{
    scoped(free) char *corpus = NULL;
    struct dirent **entries;
    const char *name = strstr(program, "fuzz_") ? strrchr(program, '/') : NULL;

    if (!name || asprintf(&corpus, "%s/tests/fuzz/corpus/%s", getenv("top_srcdir") ?: ".",
                          name + strlen("/fuzz_")) < 0)
        return -EINVAL;
    int n = scandir(corpus, &entries, visible, alphasort);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        scoped(free) char *path = NULL;

        if (asprintf(&path, "%s/%s", corpus, entries[i]->d_name) > 0)
            replay(path);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    if (argc == 1) {
        int r = replay_corpus(argv[0]);
        if (r < 0)
            ok(0, "no corpus for %s: %s", argv[0], strerror(-r));
    }
    return done_testing();
}
