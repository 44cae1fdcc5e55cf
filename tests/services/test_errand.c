/*
 * test_errand.c - how an answer is recognised: over the network, by the embedded engine after it, or by nobody
 *
 * The recognisers are the test's; the engine threads and the way home are real.
 */
#include "services/errand.h"

#include <errno.h>
#include <semaphore.h>

#include "tap.h"

enum { NOBODY = 1, PATIENCE_MS = 20000 };

static const struct row {
    const char *what;
    int settled; /* how the question is settled; NOBODY: it cannot be asked */
    int embedded;
    bool is_given_up; /* while it is out */
    int r;
    const char *text;
    unsigned n_embedded;
} rows[] = {
    { "nobody over the network", NOBODY, 0, false, 0, "embedded", 1 },
    { "answered", 0, 0, false, 0, "network", 0 },
    { "it failed, one step down", -EAGAIN, 0, false, 0, "embedded", 1 },
    { "that fails too", -EAGAIN, -EIO, false, -EIO, "", 1 },
    { "that cannot do it", -EAGAIN, -EOPNOTSUPP, false, -EOPNOTSUPP, "", 1 },
    { "it failed, and nobody else can", -EOPNOTSUPP, 0, false, -EOPNOTSUPP, "", 0 },
    { "given up while it is out", -ECANCELED, 0, true, -ECANCELED, "", 0 },
};

static const struct row *row;
static unsigned n_embedded, n_questions, n_given_up;
static bool is_right; /* what was asked for */
static sem_t is_out;

/* --- the recognisers */

int stt_question_new(struct stt *stt, const struct stt_request *request, struct stt_question **ret_question)
{
    if (row->settled == NOBODY)
        return -EOPNOTSUPP;
    *ret_question = calloc(1, sizeof(**ret_question));
    n_questions++;
    is_right = request->expect == ANSWER_YESNO && strcmp(request->hints, "Anna") == 0 && strcmp(request->language, "en") == 0;
    return 0;
}

void stt_question_free(struct stt_question *question)
{
    n_questions -= question != NULL;
    free(question);
}

void stt_ask(struct stt_question *question)
{
    question->asked_ms = 1000;
    question->answered_ms = 1500;
    question->why = "it broke";
    if (!row->is_given_up)
        question->on_answer(question);
    else
        sem_post(&is_out);
}

void stt_give_up(struct stt_question *question)
{
    n_given_up++;
    question->on_answer(question);
}

int stt_settle(struct stt *stt, const struct stt_question *question, const struct stt_request *request,
               struct stt_result *ret_result)
{
    *ret_result = (struct stt_result){ .text = "network", .understood = true };
    return row->settled;
}

int stt_recognise(struct stt *stt, unsigned thread, const struct stt_request *request, struct stt_result *ret_result)
{
    n_embedded++;
    *ret_result = (struct stt_result){ .text = "embedded", .understood = true };
    return row->embedded;
}

/* --- the worker */

static unsigned n_home;

static void on_home(struct errand *errand)
{
    n_home++;
}

static void wait_for_home(struct inbox *inbox, unsigned n)
{
    while (n_home < n) {
        inbox_arm(inbox);
        inbox_run(inbox);
        if (n_home < n && inbox_wait(inbox, PATIENCE_MS) == 0)
            break;
    }
}

static void test_rows(struct errand_pool *pool, struct inbox *inbox)
{
    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        struct errand *errand = errand_get(pool, ERRAND_RECOGNISE, 1);

        row = &rows[i];
        n_embedded = n_home = n_given_up = 0;
        errand->recognise.expect = ANSWER_YESNO;
        errand->recognise.hints = "Anna";
        is_int(errand_send(errand, on_home, NULL), 0, row->what);
        if (row->is_given_up) {
            sem_wait(&is_out);
            errand_give_up(errand);
        }
        wait_for_home(inbox, 1);
        is_int(n_home, 1, "  it comes home, once");
        ok(errand->r == row->r && n_embedded == row->n_embedded && n_given_up == row->is_given_up, "  so: %d, asked of the engine: %u",
           errand->r, n_embedded);
        if (errand->r == 0)
            is_str(errand->recognise.result.text, row->text, "  with what was said");
        ok(row->settled == NOBODY ? errand->recognise.asked_ms == 0 : errand->recognise.answered_ms == 1500, "  and when");
        ok(is_right || row->settled == NOBODY, "  the question is that of the errand");
        errand_put(errand);
        is_int(n_questions, 0, "  no question is left");
    }
}

static void test_unwanted(struct errand_pool *pool, struct inbox *inbox)
{
    struct errand *errand = errand_get(pool, ERRAND_RECOGNISE, 1);

    row = &rows[1];
    n_embedded = n_home = 0;
    errand_give_up(errand);
    is_int(errand_send(errand, on_home, NULL), 0, "given up before it begins");
    wait_for_home(inbox, 1);
    ok(n_home == 1 && errand->r == -ECANCELED && n_embedded == 0 && n_questions == 0, "  nobody is asked");
    errand_put(errand);
}

int main(void)
{
    scoped(inbox_unref) struct inbox *inbox = NULL;
    scoped(engine_free) struct engine *engine = NULL;
    struct errand_options options = { .language = "en" };
    struct errand_pool *pool = NULL;

    sem_init(&is_out, 0, 0);
    if (!ok(inbox_new(&inbox) == 0 && engine_new(1, 4, &engine) == 0, "a worker's inbox, and an engine thread"))
        return done_testing();
    options.inbox = inbox;
    options.engine = engine;
    if (ok(errand_pool_new(&options, 2, &pool) == 0, "errands")) {
        test_rows(pool, inbox);
        test_unwanted(pool, inbox);
    }
    engine_free(steal(&engine));
    errand_pool_free(pool);
    return done_testing();
}
