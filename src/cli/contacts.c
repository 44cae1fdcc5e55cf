/*
 * cli/contacts.c - agentlocator contacts: whom the business knows
 */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "cli/contacts_verbs.h"
#include "cli/listing.h"
#include "cli/table.h"
#include "config.h"
#include "services/crm.h"
#include "services/crm_unread.h"
#include "utils/json.h"

static const char usage[] =
    "Usage: agentlocator contacts [ID | NUMBER] [OPTIONS]\n"
    "       agentlocator contacts VERB ... [OPTIONS]\n"
    "\n"
    "Lists the latest contacts; with an id or a telephone number shows one of them with calls and "
    "messages.\n"
    "\n"
    "  search TEXT      who has these words in name, fields or notes, or these digits in a number\n"
    "  tasks            what is to be done, by date\n"
    "  overdue          what should have been done by now\n"
    "Through the running daemon (ADMIN_SOCKET):\n"
    "  merge INTO FROM  these two are one person; nothing is lost\n"
    "  unmerge ID       they are not: this one gets back what is his\n"
    "  stage ID STAGE   new, qualified, scheduled, won or lost\n"
    "  tag ID TAG       set a tag\n"
    "  untag ID TAG     take it away\n"
    "  silence ID       on WhatsApp, the agent leaves this person to you\n"
    "  release ID       it answers this person again\n"
    "  read ID          what this person wrote is read\n"
    "  done TASK        a task is done\n"
    "  erase ID         erase him and all that is his, for good; --yes does not ask\n"
    "\n"
    "  --last N         list so many (50)\n"
    "  --json           print JSON; times are milliseconds of unix time\n"
    "  --env-file FILE  read settings from FILE too; DATABASE_URL says where the store is\n"
    "  --help           print this\n";

static const char *first_address(struct json_object *contact)
{
    struct json_object *addresses;

    if (!json_object_object_get_ex(contact, "addresses", &addresses) ||
        json_object_array_length(addresses) == 0)
        return "";
    return json_object_get_string(json_object_array_get_idx(addresses, 0)) ?: "";
}

static void add_unread(struct table *table, struct json_object *contact)
{
    int64_t n = json_get_int(contact, "unread");

    if (n >= UNREAD_MAX)
        table_add(table, "%d+", UNREAD_MAX - 1);
    else if (n > 0)
        table_add(table, "%" PRId64, n);
    else
        table_add(table, "%s", "");
}

void contacts_print(struct json_object *array)
{
    static const char *const headings[] = { "ID", "NAME", "ADDRESS", "STAGE", ">CALLS", ">UNREAD", "LAST SEEN" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    size_t n = json_object_array_length(array);
    char text[WHEN_MAX];

    if (n == 0) {
        puts("No contacts.");
        return;
    }
    for (size_t i = 0; table && i < n; i++) {
        struct json_object *contact = json_object_array_get_idx(array, i);
        table_add(table, "%s", json_get_text(contact, "id") ?: "");
        table_add(table, "%s", json_get_text(contact, "name") ?: "");
        table_add(table, "%s", first_address(contact));
        table_add(table, "%s", json_get_text(contact, "stage") ?: "");
        table_add(table, "%" PRId64, json_get_int(contact, "n_calls"));
        add_unread(table, contact);
        table_add(table, "%s", when((uint64_t)json_get_int(contact, "updated_ms"), 0, text));
    }
    if (table)
        table_print(table, stdout);
}

static void print_calls(struct json_object *calls)
{
    static const char *const headings[] = { "STARTED", "STATUS", ">TURNS", "END", "SID" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    char text[WHEN_MAX];

    for (size_t i = 0; table && i < json_object_array_length(calls); i++) {
        struct json_object *call = json_object_array_get_idx(calls, i);
        table_add(table, "%s", when((uint64_t)json_get_int(call, "started_ms"), 0, text));
        table_add(table, "%s", json_get_text(call, "status") ?: "");
        table_add(table, "%" PRId64, json_get_int(call, "n_turns"));
        table_add(table, "%s", json_get_text(call, "end") ?: "");
        table_add(table, "%s", json_get_text(call, "sid") ?: "");
    }
    if (table)
        table_print(table, stdout);
}

/* What else is known of one who was merged of several, and of whom. */
static void print_others(struct json_object *contact)
{
    struct json_object *others, *members;

    if (json_object_object_get_ex(contact, "others", &others)) {
        json_object_object_foreach(others, field, values)
        {
            for (size_t i = 0; i < json_object_array_length(values); i++) {
                char label[CONTACT_FIELD_MAX + 8];
                (void)snprintf(label, sizeof(label), "also %.*s", CONTACT_FIELD_MAX, field);
                print_fact(label, json_object_get_string(json_object_array_get_idx(values, i)));
            }
        }
    }
    if (json_object_object_get_ex(contact, "members", &members))
        for (size_t i = 0; i < json_object_array_length(members); i++)
            print_fact("merged", json_object_get_string(json_object_array_get_idx(members, i)));
}

static void print_whole(struct json_object *contact)
{
    struct json_object *part;
    char text[WHEN_MAX];

    print_fact("contact", json_get_text(contact, "id"));
    print_fact("name", json_get_text(contact, "name"));
    print_fact("stage", json_get_text(contact, "stage"));
    print_fact("agent on WhatsApp", json_get_text(contact, "agent"));
    if (json_get_int(contact, "unread") > 0) {
        (void)snprintf(text, sizeof(text), "%" PRId64 "%s", json_get_int(contact, "unread"),
                       json_get_int(contact, "unread") >= UNREAD_MAX ? " or more" : "");
        print_fact("unread messages", text);
    }
    if (json_object_object_get_ex(contact, "addresses", &part))
        for (size_t i = 0; i < json_object_array_length(part); i++)
            print_fact("address", json_object_get_string(json_object_array_get_idx(part, i)));
    if (json_object_object_get_ex(contact, "tags", &part))
        for (size_t i = 0; i < json_object_array_length(part); i++)
            print_fact("tag", json_object_get_string(json_object_array_get_idx(part, i)));
    print_others(contact);
    print_fact("first seen", when((uint64_t)json_get_int(contact, "created_ms"), 0, text));
    print_fact("last seen", when((uint64_t)json_get_int(contact, "updated_ms"), 0, text));
    if (json_object_object_get_ex(contact, "fields", &part)) {
        json_object_object_foreach(part, field, value)
            print_fact(field, json_object_get_string(value));
    }
    if (json_object_object_get_ex(contact, "calls", &part) && json_object_array_length(part)) {
        putchar('\n');
        print_calls(part);
    }
    if (json_object_object_get_ex(contact, "messages", &part) && json_object_array_length(part)) {
        putchar('\n');
        messages_print(part);
    }
}

/* By id, else by number as people write it. */
static int whole(struct db_txn *txn, const struct config *config, const char *which,
                 struct json_object **ret_object)
{
    scoped(contact_done) struct contact contact = { 0 };
    char address[ADDRESS_MAX];
    int r = crm_contact_whole(txn, which, ret_object);

    if ((r != -ENOENT && r != -EINVAL) ||
        phone_normalise(which, config->default_country, address) < 0)
        return r;
    r = crm_contact_by_address(txn, address, &contact);
    return r < 0 ? r : crm_contact_whole(txn, contact.id, ret_object);
}

int cli_contacts(int argc, char **argv)
{
    static const struct listing listing = { usage,      "contact", crm_contacts_page,
                                            contacts_print, whole,     print_whole };

    int status = contacts_verb(argc, argv);
    return status >= 0 ? status : listing_run(&listing, argc, argv);
}
