#pragma once
/*
 * db_family.h - the processes that have one store open for writing: who leads, and who lives
 *
 * A generation is a process, numbered in the order in which they opened the store. While one hands over to the next there
 * are several; one of them leads: it does what may be done only once. Both facts are locks on the store's daemon.lock,
 * which end with the process, however that ends: nobody's word is trusted, no heartbeat is waited for.
 */

#include <stdbool.h>
#include <stdint.h>

#include "utils/scoped.h"

struct db_family {
    int lead_fd; /* -1: somebody else leads */
    int own_fd;  /* -1: not joined yet */
    uint64_t generation;
    char *path; /* of the lock file */
};

/*
 * Lead, in a folder that exists. inherited_fd: lead_fd of the predecessor, who leads beside us until he yields; 0 none.
 *
 * Owner:  inherited_fd is the family's, also when it is of another store and therefore closed.
 * Errors: -EBUSY somebody else leads; -errno. family_done() in any case.
 */
int family_open(struct db_family *family, const char *folder, int inherited_fd);
void family_done(struct db_family *family);
static inline void scoped_family_done(struct db_family *family)
{
    family_done(family);
}

/* Nobody else is to have the store until fd is closed. Errors: -EBUSY somebody leads, or lives; -errno */
int family_lock_all(const char *folder, int *ret_fd);

/* Be that generation from here on. Errors: -EBUSY it is taken; -errno. */
int family_join(struct db_family *family, uint64_t generation);
bool family_lives(const struct db_family *family, uint64_t generation); /* any thread; true for our own */

void family_yield(struct db_family *family); /* the successor, to whom lead_fd was passed, leads alone */
int family_lead(struct db_family *family);   /* again, after nobody does. Errors: -EBUSY somebody does; -errno */
