/*
 * cli/messages.c - agentlocator messages: what was written
 */
#include "cli/cli.h"

#include <stdio.h>

#include <json-c/json.h>

#include "cli/listing.h"
#include "cli/table.h"
#include "services/crm.h"
#include "utils/json.h"

static const char usage[] =
    "Usage: agentlocator messages [OPTIONS]\n"
    "\n"
    "Lists the latest messages, in and out.\n"
    "\n"
    "  --last N         list so many (50)\n"
    "  --json           print JSON; times are milliseconds of unix time\n"
    "  --env-file FILE  read settings from FILE too; DATABASE_URL says where the store is\n"
    "  --help           print this\n";

void messages_print(struct json_object *array)
{
    static const char *const headings[] = { "TIME", "WAY", "CHANNEL", "ADDRESS", "STATUS", "MEDIA", "TEXT" };
    scoped(table_free) struct table *table = table_new(headings, ELEMENTSOF(headings));
    char text[WHEN_MAX];

    for (size_t i = 0; table && i < json_object_array_length(array); i++) {
        struct json_object *message = json_object_array_get_idx(array, i), *media = NULL;
        bool has_media =
            json_object_object_get_ex(message, "media", &media) && json_object_array_length(media);

        table_add(table, "%s", when((uint64_t)json_get_int(message, "created_ms"), 0, text));
        table_add(table, "%s", json_get_text(message, "direction") ?: "");
        table_add(table, "%s", json_get_text(message, "channel") ?: "");
        table_add(table, "%s", json_get_text(message, "address") ?: "");
        table_add(table, "%s", json_get_text(message, "status") ?: "");
        table_add(table, "%s",
                  has_media ? json_get_text(json_object_array_get_idx(media, 0), "type") ?: "yes"
                            : "");
        table_add(table, "%s", json_get_text(message, "body") ?: "");
    }
    if (table)
        table_print(table, stdout);
}

static void print_page(struct json_object *array)
{
    if (json_object_array_length(array) == 0)
        puts("No messages yet.");
    else
        messages_print(array);
}

int cli_messages(int argc, char **argv)
{
    static const struct listing listing = { usage,      "message", crm_messages_page,
                                            print_page, NULL,      NULL };

    return listing_run(&listing, argc, argv);
}
