/*
 * test_media_link.c - URLs of files: who can make them, and how long they are good
 */
#include "services/media_link.h"

#include <errno.h>
#include <string.h>

#include "config.h"
#include "tap.h"
#include "utils/scoped.h"

enum { NOW_MS = 1000000 };

int main(void)
{
    struct config config = { .public_host = (char *)"gw.example.com", .twilio_auth_token = (char *)"0123456789abcdef0123456789abcdef" };
    struct config other = { .public_host = (char *)"gw.example.com", .twilio_auth_token = (char *)"ffffffffffffffffffffffffffffffff" }, none = { 0 };
    static const char prefix[] = "https://gw.example.com/media/";
    char url[MEDIA_LINK_MAX] = "", bad[MEDIA_LINK_MAX], id[CONTACT_ID_MAX] = "";
    unsigned n = 0;

    is_int(media_link_make(&config, "M1ABC", 3, NOW_MS + 5000, url), 0, "a URL is made");
    ok(strncmp(url, prefix, strlen(prefix)) == 0 && !strstr(url, "0123456789abcdef"), "of our host, without the token: %s", url);
    const char *token = url + strlen(prefix);
    is_int(media_link_check(&config, token, NOW_MS, id, &n), 0, "it is good");
    is_str(id, "M1ABC", "for that message");
    is_int((int)n, 3, "and that file");
    is_int(media_link_check(&config, token, NOW_MS + 5000, id, &n), 0, "until it expires");
    is_int(media_link_check(&config, token, NOW_MS + 6000, id, &n), -ETIME, "and not after");
    is_int(media_link_check(&other, token, NOW_MS, id, &n), -ENOENT, "nor for another token");
    other.twilio_auth_token_next = config.twilio_auth_token;
    is_int(media_link_check(&other, token, NOW_MS, id, &n), 0, "but while tokens are rotated");
    for (size_t i = 0; i < strlen(token); i++) {
        strcpy(bad, token);
        bad[i] = bad[i] == '1' ? '2' : '1';
        int r = media_link_check(&config, bad, NOW_MS, id, &n);
        if (r != -ENOENT)
            ok(0, "changed at %zu it is no good: %s", i, bad);
    }
    ok(1, "changed anywhere it is no good");
    static const char *const wrong[] = { "", "-", "x", "M1-0-1-", "M1ABC-3-3ed", "--------------------------------------------" };
    for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
        is_int(media_link_check(&config, wrong[i], NOW_MS, id, &n), -ENOENT, "nor is what was none");
    is_int(media_link_make(&none, "M1", 0, NOW_MS, url), -ENOENT, "without a host and a token there is none");
    return done_testing();
}
