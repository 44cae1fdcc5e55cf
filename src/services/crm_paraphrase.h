#pragma once
/*
 * crm_paraphrase.h - the business's fixed words, said as the one they are for would say them
 *
 * Whatever goes wrong, the words are those that were given: no answer, a late one, one that is too long, or one in which
 * a number, an address or a time of the original is missing.
 */

#include <stdbool.h>

#include "utils/scoped.h"

struct chat;
struct crm_paraphrase;

enum { CRM_PARAPHRASE_MS = 3000 }; /* after that, hurry */

/*
 * sample: how he speaks, in his own words; "" it is not known. on_words: once, on any thread; words live until it returns.
 *
 * Errors: -ENOMEM.
 */
int crm_paraphrase_new(struct chat *chat, const char *text, const char *sample,
                       void (*on_words)(struct crm_paraphrase *paraphrase, const char *words, void *user), void *user,
                       struct crm_paraphrase **ret_paraphrase);
void crm_paraphrase_ask(struct crm_paraphrase *paraphrase);
void crm_paraphrase_hurry(struct crm_paraphrase *paraphrase); /* the answer is not waited for any longer */
void crm_paraphrase_free(struct crm_paraphrase *paraphrase);  /* not between ask and on_words */

SCOPED_PTR(struct crm_paraphrase, crm_paraphrase_free)

/* Whether words may stand for text: of a sensible length, and with every number, URL and e-mail address of it. */
bool crm_paraphrase_holds(const char *text, const char *words);
