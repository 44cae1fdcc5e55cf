/*
 * test_json.c - what comes from a file or a peer is checked before a struct has it
 */
#include "utils/json.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

#include "tap.h"

static const struct {
    const char *text;
    int want;
    const char *what;
} parses[] = {
    { "{}", 0, "an empty object" },
    { "[1, 2.5, \"x\", null, true]", 0, "an array" },
    { " {\"a\":1} \r\n", 0, "white space around it" },
    { "{\"a\":\"\\u05d0 \u05d0\"}", 0, "Hebrew, escaped and plain" },
    { "", -EBADMSG, "nothing" },
    { "1", -EBADMSG, "a bare number" },
    { "\"x\"", -EBADMSG, "a bare string" },
    { "null", -EBADMSG, "null" },
    { "{", -EBADMSG, "cut short" },
    { "{\"a\":1", -EBADMSG, "cut short after a value" },
    { "{}{}", -EBADMSG, "two" },
    { "{} x", -EBADMSG, "something after it" },
    { "{a:1}", -EBADMSG, "a bare key" },
    { "{\"a\":1,}", -EBADMSG, "a comma too many" },
    { "{\"a\":\"\xff\"}", -EBADMSG, "what is not UTF-8" },
    { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", -EBADMSG, "too deep" },
};

static void test_parse(void)
{
    scoped(json_object_put) struct json_object *cut = NULL;

    for (size_t i = 0; i < ELEMENTSOF(parses); i++) {
        scoped(json_object_put) struct json_object *json = NULL;
        is_int(json_parse(parses[i].text, strlen(parses[i].text), &json), parses[i].want, parses[i].what);
    }
    is_int(json_parse("{\"a\":1}xyz", 7, &cut), 0, "text need not be terminated");
    is_int(json_parse("{}\0{}", 5, &(struct json_object *){ NULL }), -EBADMSG, "a NUL is no white space");
}

static const struct {
    const char *bytes;
    size_t n;
    const char *want;
} texts[] = {
    { "abc", 3, "\"abc\"" },
    { "", 0, "\"\"" },
    { "\u05d0/\"", 4, "\"\u05d0/\\\"\"" },
    { "a\0b", 3, "\"a\\u0000b\"" },
    { "a\xff", 2, "\"a\uFFFD\"" },
    { "\xd7", 1, "\"\uFFFD\"" },
    { "\xed\xa0\x80!", 4, "\"\uFFFD\uFFFD\uFFFD!\"" },
    { "\u05d0\xc0\u05d1", 5, "\"\u05d0\uFFFD\u05d1\"" },
};

static void test_text(void)
{
    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        scoped(json_object_put) struct json_object *json = json_text(texts[i].bytes, texts[i].n);
        is_str(json_print(json, NULL), texts[i].want, "bytes become text");
    }
}

#define NESTED "{\"params\":{\"who\":\"a\",\"list\":[\"who\",{\"who\":\"b\"}]},\"text\":\"\\\"who\\\":\\\"c\\\"\",\"n\":1,\"who\":\"d\"}"

static const struct {
    const char *text, *key;
    int want;
    const char *found;
} finds[] = {
    { "{\"who\":\"a\"}", "who", 0, "a" },
    { "{\"who\":\"\"}", "who", 0, "" },
    { NESTED, "who", 0, "d" },
    { NESTED, "list", -ENOENT, "" },
    { NESTED, "n", -ENOENT, "" },
    { NESTED, "wh", -ENOENT, "" },
    { "{\"x\":\"who\"}", "who", -ENOENT, "" },
    { "[\"who\",\"a\"]", "who", -ENOENT, "" },
    { "{\"who\":{\"who\":\"a\"}}", "who", -ENOENT, "" },
    { "{\"who\":null}", "who", -ENOENT, "" },
    { "{}", "who", -ENOENT, "" },
    { "{\"who\":\"1234567\"}", "who", 0, "1234567" },
    { "{\"who\":\"12345678\"}", "who", -EBADMSG, "" },
    { "{\"who\":\"a\\n\"}", "who", -EBADMSG, "" },
    { "{\"who\":\"a", "who", -EBADMSG, "" },
    { "{\"who\":", "who", -EBADMSG, "" },
    { "{\"x\":1", "who", -EBADMSG, "" },
    { "{\"x\":\"a\\", "who", -EBADMSG, "" },
};

static void test_find(void)
{
    for (size_t i = 0; i < ELEMENTSOF(finds); i++) {
        char found[8] = "";
        is_int(json_find_text(finds[i].text, strlen(finds[i].text), finds[i].key, found, sizeof(found)), finds[i].want, finds[i].text);
        is_str(found, finds[i].found, "what is found");
    }
}

struct thing {
    char chars[8];
    char *string;
    uint32_t u32;
    uint64_t u64;
    int64_t i64;
    double real;
    bool flag;
    unsigned colour;
    struct json_object *object, *array;
};

static const char *const colours[] = { "red", "green" };

static const struct json_field fields[] = {
    JSON_FIELD(struct thing, chars, JSON_CHARS),      JSON_FIELD(struct thing, string, JSON_STRING),
    JSON_FIELD(struct thing, u32, JSON_U32),          JSON_FIELD(struct thing, u64, JSON_U64),
    JSON_FIELD(struct thing, i64, JSON_I64),          JSON_FIELD(struct thing, real, JSON_DOUBLE),
    JSON_FIELD(struct thing, flag, JSON_BOOL),        JSON_FIELD_ENUM(struct thing, colour, colours),
    JSON_FIELD(struct thing, object, JSON_OBJECT),    JSON_FIELD(struct thing, array, JSON_ARRAY),
};

static const struct {
    const char *text;
    int want;
} reads[] = {
    { "{}", 0 },
    { "{\"unknown\":[]}", 0 },
    { "[]", -EBADMSG },
    { "{\"chars\":\"1234567\"}", 0 },
    { "{\"chars\":\"12345678\"}", -EBADMSG },
    { "{\"chars\":\"a\\u0000b\"}", -EBADMSG },
    { "{\"chars\":1}", -EBADMSG },
    { "{\"chars\":null}", -EBADMSG },
    { "{\"string\":\"any length of text\"}", 0 },
    { "{\"string\":\"\\u0000\"}", -EBADMSG },
    { "{\"string\":{}}", -EBADMSG },
    { "{\"u32\":4294967295}", 0 },
    { "{\"u32\":4294967296}", -EBADMSG },
    { "{\"u32\":-1}", -EBADMSG },
    { "{\"u32\":1.5}", -EBADMSG },
    { "{\"u32\":\"1\"}", -EBADMSG },
    { "{\"u64\":9223372036854775806}", 0 },
    { "{\"u64\":18446744073709551615}", -EBADMSG },
    { "{\"u64\":-1}", -EBADMSG },
    { "{\"i64\":-5}", 0 },
    { "{\"i64\":-99999999999999999999}", -EBADMSG },
    { "{\"real\":0.25}", 0 },
    { "{\"real\":1}", 0 },
    { "{\"real\":\"1\"}", -EBADMSG },
    { "{\"flag\":true}", 0 },
    { "{\"flag\":1}", -EBADMSG },
    { "{\"colour\":\"green\"}", 0 },
    { "{\"colour\":\"gree\"}", -EBADMSG },
    { "{\"colour\":\"greens\"}", -EBADMSG },
    { "{\"colour\":1}", -EBADMSG },
    { "{\"object\":{\"a\":{}}}", 0 },
    { "{\"object\":[]}", -EBADMSG },
    { "{\"array\":[1]}", 0 },
    { "{\"array\":{}}", -EBADMSG },
    { "{\"string\":\"x\",\"object\":{},\"array\":[],\"colour\":\"blue\"}", -EBADMSG },
};

static void test_read(void)
{
    for (size_t i = 0; i < ELEMENTSOF(reads); i++) {
        scoped(json_object_put) struct json_object *json = NULL;
        struct thing thing = { 0 };
        int r = json_parse(reads[i].text, strlen(reads[i].text), &json);

        ok(r == 0 && json_read(json, fields, ELEMENTSOF(fields), &thing) == reads[i].want, "%s is %s", reads[i].text,
           reads[i].want ? "refused" : "read");
        json_release(fields, ELEMENTSOF(fields), &thing);
    }
}

static void test_round_trip(void)
{
    static const char text[] = "{\"chars\":\"abc\",\"string\":\"long enough text\",\"u32\":7,\"u64\":8,\"i64\":-9,"
                               "\"real\":0.9,\"flag\":true,\"colour\":\"green\",\"object\":{\"a\":1},\"array\":[2]}";
    scoped(json_object_put) struct json_object *json = NULL, *again = NULL, *empty = NULL;
    struct thing thing = { 0 }, nothing = { .real = NAN, .chars = "abcde\xd7" };

    (void)json_parse(text, strlen(text), &json);
    (void)json_read(json, fields, ELEMENTSOF(fields), &thing);
    again = json_write(fields, ELEMENTSOF(fields), &thing);
    is_str(json_print(again, NULL), text, "what was read is written again");
    json_release(fields, ELEMENTSOF(fields), &thing);
    ok(!thing.string && !thing.object && !thing.array, "released members are gone");

    empty = json_write(fields, ELEMENTSOF(fields), &nothing);
    is_str(json_print(empty, NULL),
           "{\"chars\":\"abcde?\",\"u32\":0,\"u64\":0,\"i64\":0,\"real\":0.0,\"flag\":false,\"colour\":\"red\"}",
           "absent members, a number that is none, half a character");
    ok(json_read(empty, fields, ELEMENTSOF(fields), &nothing) == 0, "and even that can be read");
}

static void test_members(void)
{
    scoped(json_object_put) struct json_object *json = json_object_new_object();

    is_int(json_add(json, "a", json_object_new_string("x")), 0, "a member is set");
    is_int(json_add(json, "b", NULL), -ENOMEM, "a missing value is a lack of memory");
    is_int(json_add(json, "n", json_object_new_int(1)), 0, "a number, too");
    is_str(json_get_text(json, "a"), "x", "and got");
    is_str(json_get_text(json, "b"), NULL, "not what is absent");
    is_str(json_get_text(json, "n"), NULL, "nor what is no text");
    is_str(json_get_text(NULL, "a"), NULL, "nor from nothing");
}

int main(void)
{
    test_parse();
    test_text();
    test_find();
    test_read();
    test_round_trip();
    test_members();
    return done_testing();
}
