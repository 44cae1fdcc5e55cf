#pragma once
/* contacts_verbs.h - agentlocator contacts VERB ...: what is found, and what is changed through the running daemon */

/* Returns: the exit status; -1: argv[1] is no verb. */
int contacts_verb(int argc, char **argv);

struct json_object;
void contacts_print(struct json_object *array); /* cli/contacts.c */
