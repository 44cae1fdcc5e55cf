/*
 * fuzz_twiml.c - any bytes as TwiML, checked when they are
 */
#include "caller/twiml.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void on_breach(void *user, enum breach breach, const char *detail)
{
    *(size_t *)user += strlen(detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct twiml twiml;
    const char *why = NULL;
    size_t n_told = 0;

    if (twiml_parse((const char *)data, n, &twiml, &why) < 0) {
        assert(why);
        return 0;
    }
    assert(twiml.n_nodes > 0 && strcmp(twiml.nodes[0].name, "Response") == 0 && twiml.nodes[0].parent == -1);
    for (size_t i = 1; i < twiml.n_nodes; i++)
        assert(twiml.nodes[i].parent >= 0 && (size_t)twiml.nodes[i].parent < i && strlen(twiml.nodes[i].text) <= n);
    twiml_check(&twiml, (const char *)data, n, on_breach, &n_told);
    twiml_done(&twiml);
    return 0;
}
