/*
 * media_type.c - what a file is, by its bytes
 *
 * libmagic looks at the first bytes. Only what is in the table is kept: pictures, recordings, documents; never what a
 * machine would run or a browser execute, however it is called. Limits are WhatsApp's, and for sending those that
 * Twilio's documents give.
 */
#include "services/media_type.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <magic.h>

#include "utils/scoped.h"
#include "utils/text.h"

enum { HEAD = 256 * KIB };

#define OOXML "application/vnd.openxmlformats-officedocument."

static const struct media_type types[] = {
    { "image/jpeg",               MESSAGE_IMAGE,    16 * MIB,  5 * MIB,  true },
    { "image/png",                MESSAGE_IMAGE,    16 * MIB,  5 * MIB,  true },
    { "image/gif",                MESSAGE_IMAGE,    16 * MIB,  0,        true },
    { "image/webp",               MESSAGE_STICKER,  16 * MIB,  5 * MIB,  true },
    { "audio/ogg",                MESSAGE_AUDIO,    16 * MIB,  16 * MIB, true },
    { "audio/amr",                MESSAGE_AUDIO,    16 * MIB,  16 * MIB, true },
    { "audio/3gpp",               MESSAGE_AUDIO,    16 * MIB,  16 * MIB, true },
    { "audio/aac",                MESSAGE_AUDIO,    16 * MIB,  16 * MIB, true },
    { "audio/mp4",                MESSAGE_AUDIO,    16 * MIB,  0,        true },
    { "audio/mpeg",               MESSAGE_AUDIO,    16 * MIB,  16 * MIB, true },
    { "audio/x-wav",              MESSAGE_AUDIO,    16 * MIB,  0,        true },
    { "video/mp4",                MESSAGE_VIDEO,    64 * MIB,  16 * MIB, true },
    { "video/3gpp",               MESSAGE_VIDEO,    64 * MIB,  0,        true },
    { "video/quicktime",          MESSAGE_VIDEO,    64 * MIB,  0,        true },
    { "text/vcard",               MESSAGE_CARD,     1 * MIB,   16 * MIB, false },
    { "text/plain",               MESSAGE_DOCUMENT, 100 * MIB, 0,        false },
    { "text/csv",                 MESSAGE_DOCUMENT, 100 * MIB, 0,        false },
    { "application/pdf",          MESSAGE_DOCUMENT, 100 * MIB, 16 * MIB, false },
    { "application/msword",       MESSAGE_DOCUMENT, 100 * MIB, 16 * MIB, false },
    { "application/vnd.ms-excel", MESSAGE_DOCUMENT, 100 * MIB, 0,        false },
    { "application/vnd.ms-powerpoint", MESSAGE_DOCUMENT, 100 * MIB, 0,   false },
    { "application/vnd.oasis.opendocument.text", MESSAGE_DOCUMENT, 100 * MIB, 0, false },
    { "application/vnd.oasis.opendocument.spreadsheet", MESSAGE_DOCUMENT, 100 * MIB, 0, false },
    { OOXML "wordprocessingml.document", MESSAGE_DOCUMENT, 100 * MIB, 16 * MIB, false },
    { OOXML "presentationml.presentation", MESSAGE_DOCUMENT, 100 * MIB, 16 * MIB, false },
    { OOXML "spreadsheetml.sheet", MESSAGE_DOCUMENT, 100 * MIB, 16 * MIB, false },
};

/* libmagic's words, or a sender's, and ours. */
static const struct {
    const char *other, *ours;
} aliases[] = {
    { "audio/x-hx-aac-adts", "audio/aac" },  { "audio/x-m4a", "audio/mp4" },  { "audio/opus", "audio/ogg" },
    { "application/ogg", "audio/ogg" },      { "audio/amr-wb", "audio/amr" }, { "audio/wav", "audio/x-wav" },
    { "text/x-vcard", "text/vcard" },        { "image/jpg", "image/jpeg" },   { "application/csv", "text/csv" },
    { "audio/mp3", "audio/mpeg" },           { "video/x-m4v", "video/mp4" },
};

/* What the bytes say, and what its sender may make of it. */
static const struct {
    const char *judged, *claimed;
} families[] = {
    { "video/mp4", "audio/mp4" },
    { "video/mp4", "audio/aac" },
    { "audio/mp4", "audio/aac" },
    { "video/3gpp", "audio/3gpp" },
    { "video/3gpp", "audio/amr" },
    { "text/plain", "text/csv" },
    { "application/zip", OOXML "wordprocessingml.document" },
    { "application/zip", OOXML "presentationml.presentation" },
    { "application/zip", OOXML "spreadsheetml.sheet" },
    { "application/x-ole-storage", "application/msword" },
    { "application/x-ole-storage", "application/vnd.ms-excel" },
    { "application/x-ole-storage", "application/vnd.ms-powerpoint" },
    { "application/cdfv2", "application/msword" },
    { "application/cdfv2", "application/vnd.ms-excel" },
    { "application/cdfv2", "application/vnd.ms-powerpoint" },
};

const struct media_type *media_type_find(const char *name)
{
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

const struct media_type *media_type_to_send(size_t i)
{
    for (size_t j = 0; j < ELEMENTSOF(types); j++)
        if (types[j].send_max && i-- == 0)
            return &types[j];
    return NULL;
}

uint64_t media_keep_max(enum message_kind kind)
{
    uint64_t most = 0;

    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (types[i].kind == kind && types[i].keep_max > most)
            most = types[i].keep_max;
    return most ?: 100 * (uint64_t)MIB;
}

/* Lower case, without parameters, by our name. */
static void normalise(const char *name, char ret_type[MEDIA_TYPE_MAX])
{
    size_t n = strcspn(name, "; \t\r\n");

    n = n < MEDIA_TYPE_MAX - 1 ? n : MEDIA_TYPE_MAX - 1;
    for (size_t i = 0; i < n; i++)
        ret_type[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    ret_type[n] = '\0';
    for (size_t i = 0; i < ELEMENTSOF(aliases); i++)
        if (strcmp(aliases[i].other, ret_type) == 0)
            (void)text_set(ret_type, MEDIA_TYPE_MAX, aliases[i].ours);
}

static void believe(const char *claimed, char type[MEDIA_TYPE_MAX])
{
    char wanted[MEDIA_TYPE_MAX];

    normalise(claimed, wanted);
    for (size_t i = 0; i < ELEMENTSOF(families); i++)
        if (strcmp(families[i].judged, type) == 0 && strcmp(families[i].claimed, wanted) == 0) {
            (void)text_set(type, MEDIA_TYPE_MAX, families[i].claimed);
            return;
        }
}

SCOPED_PTR(struct magic_set, magic_close)

int media_judge(int fd, const char *claimed, char ret_type[MEDIA_TYPE_MAX])
{
    scoped(magic_close) struct magic_set *magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_ELF);
    scoped(free) char *head = malloc(HEAD);
    ssize_t n = head ? pread(fd, head, HEAD, 0) : -1;

    if (!magic || !head)
        return -ENOMEM;
    if (n < 0)
        return -errno;
    const char *name = magic_load(magic, NULL) == 0 ? magic_buffer(magic, head, (size_t)n) : NULL;
    if (!name)
        return -EIO;
    normalise(name, ret_type);
    believe(claimed, ret_type);
    return 0;
}

/* Marks that have what follows read the other way round: U+202A to U+202E, U+2066 to U+2069. */
static bool turns_text(const char *c)
{
    const unsigned char *bytes = (const unsigned char *)c;

    return bytes[0] == 0xe2 && ((bytes[1] == 0x80 && bytes[2] >= 0xaa && bytes[2] <= 0xae) ||
                                (bytes[1] == 0x81 && bytes[2] >= 0xa6 && bytes[2] <= 0xa9));
}

void media_safe_name(const char *name, char ret_name[MEDIA_NAME_MAX])
{
    char text[MEDIA_NAME_MAX];
    const char *slash;
    size_t n = 0;

    while ((slash = strpbrk(name, "/\\")))
        name = slash + 1;
    (void)text_set(text, sizeof(text), name + strspn(name, ". "));
    for (const char *c = text; *c; c++) {
        if (turns_text(c))
            c += 2;
        else if ((unsigned char)*c >= ' ' && *c != 0x7f && !strchr("\"<>|:*?;%", *c))
            ret_name[n++] = *c;
    }
    ret_name[n] = '\0';
}
