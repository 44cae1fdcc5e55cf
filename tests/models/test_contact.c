/*
 * test_contact.c - telephone numbers, ids, and a contact's JSON
 */
#include "models/contact.h"

#include <errno.h>

#include "tap.h"
#include "utils/json.h"

static const struct {
    const char *number, *country;
    const char *want; /* NULL: refused */
} numbers[] = {
    /* Israeli local forms */
    { "050-123 4567", "972", "+972501234567" },
    { "0501234567", "972", "+972501234567" },
    { "(050) 123.4567", "972", "+972501234567" },
    { "03-6123456", "972", "+97236123456" },
    { "02/612-3456", "972", "+97226123456" },
    { "077-1234567", "972", "+972771234567" },
    { "501234567", "972", "+972501234567" },
    { "1-800-123-456", "972", "+9721800123456" },
    { "972501234567", "972", "+972501234567" },
    { "972-50-123-4567", "972", "+972501234567" },
    { "9720501234567", "972", "+972501234567" },
    { "\u200e050\u2011123\u20114567\u200f", "972", "+972501234567" },
    { "050\u00a0123\u20134567", "972", "+972501234567" },
    { "050\u05be1234567", "972", "+972501234567" },
    /* international forms */
    { "+972501234567", "972", "+972501234567" },
    { "+972 (0)50 123 4567", "972", "+972501234567" },
    { "+9720501234567", "972", "+972501234567" },
    { "+972 (0)050 123 4567", "972", "+972501234567" },
    { "00972501234567", "972", "+972501234567" },
    { "00 972 050 123 4567", "972", "+972501234567" },
    { "+1 (212) 555-0123", "972", "+12125550123" },
    { "0012125550123", "972", "+12125550123" },
    { "+442079460123", "972", "+442079460123" },
    { "+972501234567", "", "+972501234567" },
    { "00972501234567", "", "+972501234567" },
    { "+ 972 50 1234567", "972", "+972501234567" },
    /* other countries at home */
    { "2125550123", "1", "+12125550123" },
    { "1-212-555-0123", "1", "+12125550123" },
    { "020 7946 0123", "44", "+442079460123" },
    { "06 1234 5678", "39", "+390612345678" },
    { "+39 06 1234 5678", "39", "+390612345678" },
    { "030 123456", "49", "+4930123456" },
    /* lengths: 7 to 15 digits */
    { "+1234567", "972", "+1234567" },
    { "+123456", "972", NULL },
    { "+123456789012345", "972", "+123456789012345" },
    { "+1234567890123456", "972", NULL },
    { "1234", "972", "+9721234" },
    { "123", "972", NULL },
    { "0", "972", NULL },
    { "00", "972", NULL },
    { "+", "972", NULL },
    { "+972", "972", NULL },
    { "12345678901234567890123456789012345678901234567890", "972", NULL },
    /* no telephone numbers */
    { "", "972", NULL },
    { " - ", "972", NULL },
    { "anonymous", "972", NULL },
    { "+266696687", "972", NULL }, /* withheld, as carriers write it: one caller's contact is not another's */
    { "00266696687", "972", NULL },
    { "+7378742833", "972", NULL },
    { "+86282452253", "972", NULL },
    { "+266696688", "972", "+266696688" },
    { "Restricted", "972", NULL },
    { "unknown", "972", NULL },
    { "client:x", "972", NULL },
    { "client:0501234567", "972", NULL },
    { "sip:0501234567@example.com", "972", NULL },
    { "whatsapp:+972501234567", "972", NULL },
    { "*2700", "972", NULL },
    { "#31#0501234567", "972", NULL },
    { "0501234567x12", "972", NULL },
    { "050123456a", "972", NULL },
    { "+972+501234567", "972", NULL },
    { "050+1234567", "972", NULL },
    { "++972501234567", "972", NULL },
    { "+0501234567", "972", NULL },
    { "000972501234567", "972", NULL },
    { "0501234567", "", NULL },
    { "05\xd7", "972", NULL },
    { "\xff", "972", NULL },
};

static void test_numbers(void)
{
    for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
        char got[ADDRESS_MAX] = "untouched", again[ADDRESS_MAX];
        int r = phone_normalise(numbers[i].number, numbers[i].country, got);

        if (!numbers[i].want) {
            ok(r == -EINVAL && strcmp(got, "untouched") == 0, "'%s' in '%s' is none", numbers[i].number,
               numbers[i].country);
            continue;
        }
        is_int(r, 0, numbers[i].number);
        is_str(got, numbers[i].want, "  in one form");
        ok(phone_normalise(got, numbers[i].country, again) == 0 && strcmp(again, got) == 0, "  which it keeps");
    }
}

static void test_ids(void)
{
    static const uint8_t low[ID_RANDOM] = { 0 }, high[ID_RANDOM] = { 0xff, 0xff, 0xff, 0xff, 0xff };
    char a[CONTACT_ID_MAX], b[CONTACT_ID_MAX], c[CONTACT_ID_MAX];

    id_make('C', 0, low, a);
    is_str(a, "C00000000000000000", "the least id");
    id_make('C', 1790000000000, high, a);
    is_int((long long)strlen(a), 18, "an id has 18 characters");
    id_make('C', 1790000000000, low, b);
    ok(strcmp(b, a) < 0, "those of one moment differ by chance alone");
    id_make('C', 1790000000001, low, c);
    ok(strcmp(a, c) < 0, "a later one sorts behind");
    id_make_after('C', 1790000000001, low, a, b);
    is_str(b, c, "behind an earlier one an id is as it would be");
    id_make_after('C', 1790000000001, low, c, b);
    ok(strcmp(b, c) > 0 && memcmp(b, c, 10) == 0, "behind one of the same moment it is greater, and of that moment");
    id_make_after('C', 1789999999999, high, a, b);
    ok(strcmp(b, a) > 0 && strlen(b) == 18, "behind the last of a later moment it is of the next one");
    id_make_after('C', 1790000000000, low, "", b);
    ok(strcmp(b, a) < 0, "behind none it is any");
    ok(strspn(a + 1, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == 17, "no letter looks like a digit");
}

static const struct {
    const char *text;
    int want;
    const char *what;
} reads[] = {
    { "{\"id\":\"C1\"}", 0, "an id is enough" },
    { "{}", -EBADMSG, "no id" },
    { "{\"id\":\"\"}", -EBADMSG, "an empty id" },
    { "{\"id\":\"C1\",\"stage\":\"qualified\"}", 0, "a stage" },
    { "{\"id\":\"C1\",\"stage\":\"famous\"}", -EBADMSG, "an unknown stage" },
    { "{\"id\":\"C1\",\"addresses\":\"+972\"}", -EBADMSG, "addresses that are no array" },
    { "{\"id\":\"C1\",\"fields\":{},\"addresses\":[],\"n_calls\":\"2\"}", -EBADMSG, "a count in quotes" },
};

static void test_json(void)
{
    static const char whole[] = "{\"id\":\"C1\",\"name\":\"\u05d3\u05e0\u05d4\",\"stage\":\"won\",\"created_ms\":1,"
                                "\"updated_ms\":2,\"n_calls\":3,\"addresses\":[\"+972501234567\"],"
                                "\"fields\":{\"need\":\"a lawyer\"}}";
    scoped(json_object_put) struct json_object *json = NULL, *again = NULL;
    scoped(contact_done) struct contact contact = { 0 };

    for (size_t i = 0; i < ELEMENTSOF(reads); i++) {
        scoped(json_object_put) struct json_object *row = NULL;
        scoped(contact_done) struct contact read = { 0 };
        (void)json_parse(reads[i].text, strlen(reads[i].text), &row);
        is_int(contact_from_json(row, &read), reads[i].want, reads[i].what);
    }

    (void)json_parse(whole, strlen(whole), &json);
    is_int(contact_from_json(json, &contact), 0, "a whole contact is read");
    again = contact_to_json(&contact);
    is_str(json_print(again, NULL), whole, "and written as it was");
}

int main(void)
{
    test_numbers();
    test_ids();
    test_json();
    return done_testing();
}
