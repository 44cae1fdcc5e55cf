/*
 * test_media_type.c - what files are by their bytes, and names that lead nowhere
 */
#include "services/media_type.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "scratch.h"
#include "tap.h"
#include "utils/scoped.h"

#define ZIP \
    "PK\003\004\024\000\000\000\000\000)\242~]\206\246\0206\005\000\000\000\005\000\000\000\003\000" \
    "\000\000x/yhelloPK\001\002\024\003\024\000\000\000\000\000)\242~]\206\246\0206\005\000\000\000" \
    "\005\000\000\000\003\000\000\000\000\000\000\000\000\000\000\000\200\001\000\000\000\000x/yPK" \
    "\005\006\000\000\000\000\001\000\001\0001\000\000\000&\000\000\000\000\000"
#define DOCX "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

static const struct {
    const char *bytes;
    size_t n;
    const char *claimed, *want;
    bool is_kept;
} files[] = {
#define BYTES(text) text, sizeof(text) - 1
    { BYTES("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\0\0\0\0"), "text/html", "image/png", true },
    { BYTES("\xff\xd8\xff\xe0\0\20JFIF\0\1\1\0\0\1\0\1\0\0"), "", "image/jpeg", true },
    { BYTES("GIF89a\1\0\1\0\0\0\0;"), "image/png", "image/gif", true },
    { BYTES("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), "application/pdf", "application/pdf", true },
    { BYTES("OggS\0\2\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1\23OpusHead\1\1\0\0\x80\xbb\0\0\0\0\0"), "audio/ogg; codecs=opus", "audio/ogg", true },
    { BYTES("#!AMR\n\x3c\x11\x22\x33"), "audio/amr", "audio/amr", true },
    { BYTES("\0\0\0\x18" "ftypmp42\0\0\0\0mp42isom"), "video/mp4", "video/mp4", true },
    { BYTES("\0\0\0\x18" "ftypmp42\0\0\0\0mp42isom"), "audio/mp4", "audio/mp4", true },
    { BYTES("\0\0\0\x18" "ftypmp42\0\0\0\0mp42isom"), "text/html", "video/mp4", true },
    { BYTES(ZIP), DOCX, DOCX, true },
    { BYTES(ZIP), "", "application/zip", false },
    { BYTES(ZIP), "image/png", "application/zip", false },
    { BYTES("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nEND:VCARD\r\n"), "text/x-vcard", "text/vcard", true },
    { BYTES("plain words, no more\n"), "text/plain", "text/plain", true },
    { BYTES("<!DOCTYPE html>\n<html><body>x</body></html>\n"), "image/png", "text/html", false },
    { BYTES("<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>\n"), "image/svg+xml", "image/svg+xml", false },
    { BYTES("#!/bin/sh\nrm -rf /\n"), "text/plain", "text/x-shellscript", false },
    { BYTES("\x7f" "ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\x3e\0\1\0\0\0"), "image/png", NULL, false },
};

static const struct {
    const char *name, *want;
} names[] = {
    { "menu.pdf", "menu.pdf" },
    { "../../etc/passwd", "passwd" },
    { "C:\\Users\\x\\menu.pdf", "menu.pdf" },
    { "..", "" },
    { ".bashrc", "bashrc" },
    { "a\"b<c>\r\nSet-Cookie: x", "abcSet-Cookie x" },
    { "\u05ea\u05e4\u05e8\u05d9\u05d8.pdf", "\u05ea\u05e4\u05e8\u05d9\u05d8.pdf" },
    { "bill\u202efdp.exe", "billfdp.exe" },
    { "", "" },
};

int main(void)
{
    char type[MEDIA_TYPE_MAX], name[MEDIA_NAME_MAX], longest[4096];

    for (size_t i = 0; i < ELEMENTSOF(files); i++) {
        scoped(close) int fd = open(scratch_file("file"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ok(write(fd, files[i].bytes, files[i].n) == (ssize_t)files[i].n && media_judge(fd, files[i].claimed, type) == 0, "%zu bytes, said to be \"%s\"",
           files[i].n, files[i].claimed);
        if (files[i].want)
            is_str(type, files[i].want, "  are what they are");
        is_int(media_type_find(type) != NULL, files[i].is_kept, files[i].is_kept ? "  and are kept" : "  and are not kept");
    }
    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        media_safe_name(names[i].name, name);
        is_str(name, names[i].want, "a name is made safe");
    }
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    media_safe_name(longest, name);
    is_int((int)strlen(name), MEDIA_NAME_MAX - 1, "a long one is cut");
    for (size_t i = 0; media_type_to_send(i); i++)
        ok(media_type_to_send(i)->send_max <= 16 * MIB, "%s is sent up to what Twilio takes", media_type_to_send(i)->name);
    ok(media_keep_max(MESSAGE_DOCUMENT) == 100 * (uint64_t)MIB && media_keep_max(MESSAGE_AUDIO) == 16 * MIB, "kinds have their bounds");
    return done_testing();
}
