/*
 * test_json_plain.c - JSON without allocating: what is written is read again, what is broken is refused
 */
#include "utils/json_plain.h"

#include <errno.h>
#include <string.h>

#include "tap.h"
#include "utils/json.h"

static const struct {
    const char *bytes;
    size_t max;
    const char *want;
} quotes[] = {
    { "plain", 99, "plain" },
    { "say \"no\" \\ /", 99, "say \\\"no\\\" \\\\ /" },
    { "a\nb\tc\rd", 99, "a\\nb\\tc\\rd" },
    { "\x01\x1f\x7f", 99, "\\u0001\\u001f\\u007f" },
    { "שלום", 99, "שלום" },
    { "שלום", 5, "של" },
    { "ab\"", 3, "ab" },
    { "a\xff" "b\xd7", 99, "a\xEF\xBF\xBD" "b\xEF\xBF\xBD" },
    { "\xed\xa0\x80", 99, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
    { "", 99, "" },
};

static const struct {
    const char *json;
    int want;
    const char *members; /* key=text; of other kinds key? and null key- */
} reads[] = {
    { "{}", 0, "" },
    { " { } ", 0, "" },
    { "{\"a\":\"b\"}", 1, "a=b;" },
    { "{ \"a\" : \"b\" , \"c\" : \"\" }", 2, "a=b;c=;" },
    { "{\"a\":null,\"b\":1.5e3,\"c\":[1,{\"x\":\"}\"}],\"d\":{\"e\":\"\\\"\"},\"f\":true}", 5, "a-;b?;c?;d?;f?;" },
    { "{\"a\":\"\\\"\\\\\\/\\n\\t\\u05d0\\ud83d\\ude00\"}", 1, "a=\"\\/\n\tא😀;" },
    { "{\"a\":\"\\ud83d!\"}", 1, "a=\xEF\xBF\xBD!;" },
    { "{\"a\":\"\\ude00\\ud83d\\ud83d\"}", 1, "a=\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD;" },
    { "", -EBADMSG, NULL },
    { "[]", -EBADMSG, NULL },
    { "null", -EBADMSG, NULL },
    { "{", -EBADMSG, NULL },
    { "{\"a\"", -EBADMSG, NULL },
    { "{\"a\":", -EBADMSG, NULL },
    { "{\"a\":}", -EBADMSG, NULL },
    { "{\"a\":\"b", -EBADMSG, NULL },
    { "{\"a\":\"b\"", -EBADMSG, NULL },
    { "{\"a\":\"b\",}", -EBADMSG, NULL },
    { "{\"a\":\"b\"}}", -EBADMSG, NULL },
    { "{\"a\":\"b\"} x", -EBADMSG, NULL },
    { "{\"a\":\"b\"\"c\":\"d\"}", -EBADMSG, NULL },
    { "{\"a\":\"b\",\"a\":\"c\"}", -EBADMSG, NULL },
    { "{a:\"b\"}", -EBADMSG, NULL },
    { "{\"a\":\"\n\"}", -EBADMSG, NULL },
    { "{\"a\":\"\\x\"}", -EBADMSG, NULL },
    { "{\"a\":\"\\u12\"}", -EBADMSG, NULL },
    { "{\"a\":\"\\u0000\"}", -EBADMSG, NULL },
    { "{\"a\":\"\\", -EBADMSG, NULL },
    { "{\"a\":\"\xff\"}", -EBADMSG, NULL },
    { "{\"a\":[1,2}", -EBADMSG, NULL },
    { "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1}", -E2BIG, NULL },
    { "{\"a\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}", -EMSGSIZE, NULL },
};

static void test_quotes(void)
{
    for (size_t i = 0; i < ELEMENTSOF(quotes); i++) {
        char out[128];
        size_t n = json_quote(out, quotes[i].max, quotes[i].bytes, strlen(quotes[i].bytes));

        out[n] = '\0';
        is_str(out, quotes[i].want, quotes[i].want);
    }
}

static void test_reads(void)
{
    for (size_t i = 0; i < ELEMENTSOF(reads); i++) {
        struct json_plain members[5];
        char room[64], got[256] = "";
        int n = json_plain_read(reads[i].json, room, sizeof(room), members, ELEMENTSOF(members));

        is_int(n, reads[i].want, reads[i].json);
        for (int k = 0; k < n; k++)
            (void)sprintf(got + strlen(got), "%s%s%s;", members[k].key,
                          members[k].kind == JSON_PLAIN_TEXT   ? "="
                          : members[k].kind == JSON_PLAIN_NULL ? "-"
                                                               : "?",
                          members[k].text ? members[k].text : "");
        if (reads[i].members)
            is_str(got, reads[i].members, "and what is in it");
    }
}

/* Whatever is quoted is JSON, for json-c too, and comes back the same when it was UTF-8. */
static void test_there_and_back(void)
{
    unsigned n_bad = 0;
    uint32_t seed = 3;

    for (int round = 0; round < 2000; round++) {
        char bytes[24], json[256] = "{\"a\":\"", room[256];
        scoped(json_object_put) struct json_object *object = NULL;
        struct json_plain member;
        size_t n = (size_t)round % sizeof(bytes);

        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24 | 1);
        size_t at = strlen(json) + json_quote(json + strlen(json), 200, bytes, n);
        (void)strcpy(json + at, "\"}");
        n_bad += json_plain_read(json, room, sizeof(room), &member, 1) != 1 || json_parse(json, strlen(json), &object) < 0 ||
                 strcmp(member.text, json_get_text(object, "a") ?: "?") != 0;
    }
    is_int(n_bad, 0, "2000 strings of any bytes are the same to both readers");
}

int main(void)
{
    test_quotes();
    test_reads();
    test_there_and_back();
    return done_testing();
}
