/*
 * bundle.c - many files in one, in which any flipped byte is found
 *
 *   zstd frames of a tar archive: the files, then the manifest
 *   TRAILER_BYTES: a frame that zstd skips, with the sha256 of all bytes before it
 *
 * The sums of the manifest say which file is damaged; the one at the end says that something is, also where no file is
 * (names, dates, padding). Archives are libarchive's affair, and nobody else includes it.
 */
#include "services/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>
#include <json-c/json.h>
#include <openssl/evp.h>

#include "utils/file.h"
#include "utils/json.h"

enum {
    CHUNK = 256 * KIB,
    SUM_BYTES = 32,
    SUM_TEXT = 2 * SUM_BYTES + 1,
    TRAILER_HEAD = 8, /* magic, length of the rest */
    TRAILER_BYTES = TRAILER_HEAD + 7 + 2 * SUM_BYTES + 1,
    NAME_MAX_BYTES = 1024,
    MANIFEST_MAX = 1024 * MIB,
};

SCOPED_PTR(EVP_MD_CTX, EVP_MD_CTX_free)
SCOPED_PTR(struct archive_entry, archive_entry_free)

static void scoped_archive_free(struct archive **archive)
{
    (void)archive_free(*archive); /* NULL is as good as none */
}

/* --- sums */

static int sum_new(EVP_MD_CTX **ret_sum)
{
    scoped(EVP_MD_CTX_free) EVP_MD_CTX *sum = EVP_MD_CTX_new();

    if (!sum || EVP_DigestInit_ex(sum, EVP_sha256(), NULL) != 1)
        return -ENOMEM;
    *ret_sum = steal(&sum);
    return 0;
}

static void sum_text(EVP_MD_CTX *sum, char ret_text[SUM_TEXT])
{
    uint8_t bytes[SUM_BYTES] = { 0 };

    (void)EVP_DigestFinal_ex(sum, bytes, NULL);
    for (size_t i = 0; i < SUM_BYTES; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

static void make_trailer(EVP_MD_CTX *sum, uint8_t ret_trailer[TRAILER_BYTES])
{
    static const uint8_t head[TRAILER_HEAD] = { 0x5e, 0x2a, 0x4d, 0x18, TRAILER_BYTES - TRAILER_HEAD };
    char text[SUM_TEXT], line[TRAILER_BYTES - TRAILER_HEAD + 1];

    sum_text(sum, text);
    (void)snprintf(line, sizeof(line), "sha256 %s\n", text);
    memcpy(ret_trailer, head, sizeof(head));
    memcpy(ret_trailer + TRAILER_HEAD, line, sizeof(line) - 1);
}

/* One row of the manifest. */
static int note_file(struct json_object *files, const char *name, uint64_t n_bytes, EVP_MD_CTX *sum)
{
    struct json_object *row = json_object_new_object();
    char text[SUM_TEXT];

    sum_text(sum, text);
    int r = json_append(files, row);
    if (r == 0)
        r = json_add(row, "name", json_text(name, strlen(name)));
    if (r == 0)
        r = json_add(row, "bytes", json_object_new_int64((int64_t)n_bytes));
    return r ?: json_add(row, "sha256", json_object_new_string(text));
}

static int errno_of(struct archive *archive)
{
    int code = archive_errno(archive);

    return code > 0 ? -code : -EIO;
}

/* --- writing */

struct bundle {
    struct archive *archive;
    EVP_MD_CTX *sum; /* of all that was written */
    struct json_object *files;
    bundle_progress *on_bytes;
    void *arg;
    uint64_t n_bytes;
    int fd;
    int r; /* of the first write that failed */
    uint8_t chunk[CHUNK];
};

static la_ssize_t write_some(struct archive *archive, void *user, const void *bytes, size_t n)
{
    struct bundle *bundle = user;

    if (bundle->r == 0)
        bundle->r = file_write(bundle->fd, bytes, n);
    if (bundle->r < 0) {
        archive_set_error(archive, -bundle->r, "cannot write");
        return -1;
    }
    (void)EVP_DigestUpdate(bundle->sum, bytes, n);
    return (la_ssize_t)n;
}

int bundle_new(int fd, bundle_progress *on_bytes, void *arg, struct bundle **ret_bundle)
{
    scoped(bundle_free) struct bundle *bundle = calloc(1, sizeof(*bundle));

    if (!bundle)
        return -ENOMEM;
    bundle->fd = fd;
    bundle->on_bytes = on_bytes;
    bundle->arg = arg;
    bundle->files = json_object_new_array();
    bundle->archive = archive_write_new();
    if (!bundle->files || !bundle->archive || sum_new(&bundle->sum) < 0)
        return -ENOMEM;
    if (archive_write_add_filter_zstd(bundle->archive) != ARCHIVE_OK ||
        archive_write_set_format_pax_restricted(bundle->archive) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(bundle->archive, 1) != ARCHIVE_OK || /* no padding behind the frames */
        archive_write_open(bundle->archive, bundle, NULL, write_some, NULL) != ARCHIVE_OK)
        return errno_of(bundle->archive);
    *ret_bundle = steal(&bundle);
    return 0;
}

void bundle_free(struct bundle *bundle)
{
    if (!bundle)
        return;
    if (bundle->archive)
        (void)archive_write_free(bundle->archive);
    EVP_MD_CTX_free(bundle->sum);
    json_object_put(bundle->files);
    free(bundle);
}

static int begin_entry(struct bundle *bundle, const char *name, uint64_t n_bytes, time_t mtime)
{
    scoped(archive_entry_free) struct archive_entry *entry = archive_entry_new();

    if (!entry)
        return -ENOMEM;
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, (la_int64_t)n_bytes);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_mtime(entry, mtime, 0);
    return archive_write_header(bundle->archive, entry) == ARCHIVE_OK ? 0 : bundle->r ?: errno_of(bundle->archive);
}

static int add_bytes(struct bundle *bundle, const void *bytes, size_t n)
{
    return archive_write_data(bundle->archive, bytes, n) == (la_ssize_t)n ? 0 : bundle->r ?: errno_of(bundle->archive);
}

int bundle_add(struct bundle *bundle, const char *name, int fd)
{
    scoped(EVP_MD_CTX_free) EVP_MD_CTX *sum = NULL;
    struct stat st;
    uint64_t done = 0;

    if (fstat(fd, &st) < 0)
        return -errno;
    int r = sum_new(&sum);
    if (r == 0)
        r = begin_entry(bundle, name, (uint64_t)st.st_size, st.st_mtime);
    while (r == 0 && done < (uint64_t)st.st_size) {
        uint64_t left = (uint64_t)st.st_size - done;
        ssize_t n = pread(fd, bundle->chunk, left < CHUNK ? (size_t)left : CHUNK, (off_t)done);
        if (n <= 0)
            return n < 0 ? -errno : -EAGAIN;
        (void)EVP_DigestUpdate(sum, bundle->chunk, (size_t)n);
        r = add_bytes(bundle, bundle->chunk, (size_t)n);
        done += (uint64_t)n;
        bundle->n_bytes += (uint64_t)n;
        if (r == 0 && bundle->on_bytes)
            r = bundle->on_bytes(bundle->n_bytes, bundle->arg);
    }
    return r ?: note_file(bundle->files, name, done, sum);
}

static int add_manifest(struct bundle *bundle, struct json_object *facts)
{
    scoped(json_object_put) struct json_object *manifest = json_object_new_object();
    size_t n;
    int r = json_add(manifest, "format", json_object_new_int(BUNDLE_FORMAT));

    json_object_object_foreach(facts, key, value)
        r = r ?: json_add(manifest, key, json_object_get(value));
    r = r ?: json_add(manifest, "files", json_object_get(bundle->files));
    const char *text = r == 0 ? json_print(manifest, &n) : NULL;
    if (!text)
        return r ?: -ENOMEM;
    r = begin_entry(bundle, BUNDLE_MANIFEST, n, time(NULL));
    return r ?: add_bytes(bundle, text, n);
}

int bundle_end(struct bundle *bundle, struct json_object *facts)
{
    uint8_t trailer[TRAILER_BYTES];
    int r = add_manifest(bundle, facts);

    if (r == 0 && archive_write_close(bundle->archive) != ARCHIVE_OK)
        r = bundle->r ?: errno_of(bundle->archive);
    if (r < 0)
        return r;
    make_trailer(bundle->sum, trailer);
    r = file_write(bundle->fd, trailer, sizeof(trailer));
    return r ?: fsync(bundle->fd) < 0 ? -errno : 0;
}

/* --- reading */

struct reader {
    const struct bundle_reading *reading;
    int fd;
    uint64_t n_left, n_done; /* bytes of it before the trailer */
    EVP_MD_CTX *sum;
    int r; /* of the first read that failed, or of the progress */
    char *problem;
    uint8_t chunk[CHUNK];
};

__attribute__((format(printf, 2, 3))) static int bad(struct reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reader->problem, BUNDLE_PROBLEM_MAX, format, args);
    va_end(args);
    return -EBADMSG;
}

static la_ssize_t read_some(struct archive *archive, void *user, const void **ret_bytes)
{
    struct reader *reader = user;
    ssize_t n = read(reader->fd, reader->chunk, reader->n_left < CHUNK ? (size_t)reader->n_left : CHUNK);

    if (n < 0 || (n == 0 && reader->n_left)) {
        reader->r = n < 0 ? -errno : -EBADMSG;
        if (archive)
            archive_set_error(archive, -reader->r, "cannot read");
        return -1;
    }
    (void)EVP_DigestUpdate(reader->sum, reader->chunk, (size_t)n);
    reader->n_left -= (uint64_t)n;
    reader->n_done += (uint64_t)n;
    if (reader->reading->on_bytes && (reader->r = reader->reading->on_bytes(reader->n_done, reader->reading->arg)) < 0)
        return -1;
    *ret_bytes = reader->chunk;
    return n;
}

static bool is_plain_name(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n >= NAME_MAX_BYTES || name[0] == '/' || name[n - 1] == '/' || strstr(name, "//"))
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t n_part = strcspn(part, "/");
        if ((n_part == 1 && part[0] == '.') || (n_part == 2 && part[0] == '.' && part[1] == '.'))
            return false;
    }
    return true;
}

/* What libarchive says is wrong, unless the file itself could not be read. */
static int failed(struct reader *reader, struct archive *archive)
{
    if (reader->r < 0 && reader->r != -EBADMSG)
        return reader->r;
    return bad(reader, "it is damaged, or no backup: %s", archive_error_string(archive) ?: "it cannot be read");
}

static int read_entry(struct reader *reader, struct archive *archive, const char *name, int fd, struct json_object *files)
{
    scoped(EVP_MD_CTX_free) EVP_MD_CTX *sum = NULL;
    const void *bytes;
    uint64_t done = 0;
    la_int64_t at;
    size_t n;
    int r = sum_new(&sum), code = ARCHIVE_OK;

    while (r == 0 && (code = archive_read_data_block(archive, &bytes, &n, &at)) == ARCHIVE_OK) {
        if ((uint64_t)at != done) /* a hole: none is written */
            return bad(reader, "%s in it is damaged", name);
        (void)EVP_DigestUpdate(sum, bytes, n);
        done += n;
        r = fd >= 0 ? file_write(fd, bytes, n) : 0;
    }
    if (r == 0 && code != ARCHIVE_EOF)
        return failed(reader, archive);
    if (r == 0 && fd >= 0 && fsync(fd) < 0)
        r = -errno;
    return r ?: note_file(files, name, done, sum);
}

static int read_manifest(struct reader *reader, struct archive *archive, uint64_t n, struct json_object **ret_manifest)
{
    scoped(free) char *text = NULL;

    if (n == 0 || n > MANIFEST_MAX)
        return bad(reader, "its manifest has %" PRIu64 " bytes", n);
    text = malloc(n);
    if (!text)
        return -ENOMEM;
    if (archive_read_data(archive, text, n) != (la_ssize_t)n)
        return failed(reader, archive);
    int r = json_parse(text, n, ret_manifest);
    return r == -EBADMSG ? bad(reader, "its manifest cannot be read") : r;
}

/* The files as they are against the files as they were written. */
static int compare(struct reader *reader, struct json_object *files, struct json_object *manifest)
{
    struct json_object *said = NULL;

    (void)json_object_object_get_ex(manifest, "files", &said);
    if (json_get_int(manifest, "format") != BUNDLE_FORMAT || !json_object_is_type(said, json_type_array))
        return bad(reader, "it was written by another version: format %" PRId64, json_get_int(manifest, "format"));
    size_t n = json_object_array_length(files);
    for (size_t i = 0; i < n && i < json_object_array_length(said); i++)
        if (!json_object_equal(json_object_array_get_idx(files, i), json_object_array_get_idx(said, i)))
            return bad(reader, "%s in it is damaged", json_get_text(json_object_array_get_idx(files, i), "name") ?: "a file");
    if (n != json_object_array_length(said))
        return bad(reader, "it should have %zu files, and has %zu", json_object_array_length(said), n);
    return 0;
}

static int read_entries(struct reader *reader, struct archive *archive, struct json_object *files,
                        struct json_object **ret_manifest)
{
    scoped(json_object_put) struct json_object *manifest = NULL;
    struct archive_entry *entry;
    int code, r = 0;

    while (r == 0 && (code = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
        const char *name = archive_entry_pathname(entry);
        uint64_t n = (uint64_t)archive_entry_size(entry);

        if (!name || !is_plain_name(name) || archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
            return bad(reader, "there is something in it that no backup has");
        if (manifest)
            return bad(reader, "there is something behind its manifest");
        if (strcmp(name, BUNDLE_MANIFEST) == 0) {
            r = read_manifest(reader, archive, n, &manifest);
            continue;
        }
        scoped(close) int fd = reader->reading->open_file(name, n, reader->reading->arg);
        r = fd < 0 && fd != -ENOENT ? fd : read_entry(reader, archive, name, fd, files);
    }
    if (r < 0)
        return r;
    if (code != ARCHIVE_EOF)
        return failed(reader, archive);
    if (!manifest)
        return bad(reader, "it has no manifest");
    r = compare(reader, files, manifest);
    if (r == 0)
        *ret_manifest = steal(&manifest);
    return r;
}

/* What follows the archive itself, then the sum of everything. */
static int check_end(struct reader *reader)
{
    uint8_t want[TRAILER_BYTES], got[TRAILER_BYTES];
    const void *bytes;

    while (reader->n_left)
        if (read_some(NULL, reader, &bytes) < 0)
            return reader->r;
    if (read(reader->fd, got, sizeof(got)) != (ssize_t)sizeof(got))
        return -EIO;
    make_trailer(reader->sum, want);
    return memcmp(got, want, sizeof(want)) == 0 ? 0 : bad(reader, "it is damaged: its sha256 is not the one it ends with");
}

/* A file that is cut short has no trailer: told before anything is unpacked. */
static int find_trailer(struct reader *reader)
{
    struct stat st;
    uint8_t head[TRAILER_HEAD];

    if (fstat(reader->fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size <= TRAILER_BYTES ||
        pread(reader->fd, head, sizeof(head), st.st_size - TRAILER_BYTES) != (ssize_t)sizeof(head) || head[0] != 0x5e ||
        memcmp(head + 1, "\x2a\x4d\x18", 3) != 0)
        return bad(reader, "it is cut short, or no backup");
    reader->n_left = (uint64_t)(st.st_size - TRAILER_BYTES);
    return lseek(reader->fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

int bundle_read(int fd, const struct bundle_reading *reading, struct json_object **ret_manifest,
                char problem[BUNDLE_PROBLEM_MAX])
{
    scoped(free) struct reader *reader = calloc(1, sizeof(*reader));
    scoped(json_object_put) struct json_object *files = json_object_new_array(), *manifest = NULL;
    scoped(EVP_MD_CTX_free) EVP_MD_CTX *sum = NULL;
    scoped(archive_free) struct archive *archive = archive_read_new();

    if (!reader || !files || !archive || sum_new(&sum) < 0)
        return -ENOMEM;
    reader->reading = reading;
    reader->fd = fd;
    reader->sum = sum;
    reader->problem = problem;
    int r = find_trailer(reader);
    if (r < 0)
        return r;
    if (archive_read_support_filter_zstd(archive) != ARCHIVE_OK || archive_read_support_format_tar(archive) != ARCHIVE_OK ||
        archive_read_open(archive, reader, NULL, read_some, NULL) != ARCHIVE_OK)
        return failed(reader, archive);
    r = read_entries(reader, archive, files, &manifest);
    if (r == 0)
        r = check_end(reader);
    if (r == 0)
        *ret_manifest = steal(&manifest);
    return r;
}
