#pragma once
/* doctor.h - what is looked at by agentlocator doctor: one row per check, in order; for the cli/doctor*.c alone */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"
#include "services/http_client.h"

struct config;

enum verdict { VERDICT_FINE, VERDICT_LEFT_OUT, VERDICT_WARNING, VERDICT_WRONG };

enum { FINDING_MAX = 768, REMEDY_MAX = 512, DOCTOR_PATIENCE_MS = 8000, DOCTOR_BODY_MAX = 4 * 1024 * 1024 };

/* text: what is so, a sentence without its end; remedy: what mends it, "" nothing needs to be. No secret in either. */
struct finding {
    enum verdict verdict;
    char text[FINDING_MAX], remedy[REMEDY_MAX];
};

struct doctor {
    const struct config *config; /* NULL: it could not be loaded; only the first check is made then */
    const char *env_file;        /* may be NULL */
    const char *problems;        /* what config_load() wrote; n_problems lines, of which n_errors are no warnings */
    unsigned n_problems, n_errors;
    bool offline;
    char *const *chosen; /* names of checks; none: all are made */
    int n_chosen;
    struct http_client *client;  /* NULL offline */
    int64_t skew_s;              /* our clock less that of whoever answered over https; with has_skew */
    bool has_skew;
    char skew_by[64];
};

typedef void check_fn(struct doctor *doctor, struct finding *finding);

struct check {
    const char *name, *title;
    bool is_online;
    check_fn *fn;
};

extern const struct check doctor_local[], doctor_network[], doctor_vendors[], doctor_last[]; /* each ends with a row without a name */

__attribute__((format(printf, 3, 4))) void find(struct finding *finding, enum verdict verdict, const char *format, ...);
__attribute__((format(printf, 2, 3))) void mend(struct finding *finding, const char *format, ...);

/* --- doctor_ask.c: one request, waited for */

struct ask {
    const char *url;             /* whole, or with path the beginning */
    const char *path;            /* NULL */
    const char *user, *key, *bearer, *unix_socket; /* NULL none */
    const char *query;           /* of a GET, "" none */
    const char *content, *content_type; /* posted instead; NULL */
    const char *header, *value;  /* one more; NULL */
};

struct doctor_answer {
    int r; /* as of an http_call */
    unsigned status;
    char why[128];
    char *body; /* NUL-terminated; owned; NULL none */
};
void doctor_answer_done(struct doctor_answer *answer);
static inline void scoped_doctor_answer_done(struct doctor_answer *answer)
{
    doctor_answer_done(answer);
}

/* Within DOCTOR_PATIENCE_MS. Notes whose clock differs. */
void doctor_ask(struct doctor *doctor, const struct ask *ask, struct doctor_answer *ret_answer);
