/*
 * fuzz_wsframe.c - any bytes as a run of frames, masked twice to the same
 */
#include "utils/wsframe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "utils/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t *bytes = malloc(n + 1);
    struct ws_header header;
    size_t at = 0;

    assert(bytes);
    if (n)
        memcpy(bytes, data, n);
    while (ws_header_parse(bytes + at, n - at, &header) > 0) {
        uint8_t again[WS_HEADER_MAX];
        size_t n_again = ws_header_write(again, header.opcode, header.n_payload,
                                         header.masked ? header.mask : NULL);
        assert(n_again == header.n_header && memcmp(again + 1, bytes + at + 1, n_again - 1) == 0);

        at += header.n_header;
        if (header.n_payload > n - at)
            break;
        ws_mask(bytes + at, header.n_payload, header.mask, 0);
        (void)utf8_valid((char *)bytes + at, header.n_payload);
        at += header.n_payload;
    }
    free(bytes);
    return 0;
}
