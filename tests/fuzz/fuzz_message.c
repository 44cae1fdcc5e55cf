/*
 * fuzz_message.c - any bytes as a message into a stream
 */
#include "caller/message.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct message message;
    char why[MESSAGE_WHY_MAX] = "";

    if (message_parse((const char *)data, n, "MZ1", &message, why) < 0) {
        assert(why[0]);
        return 0;
    }
    assert(message.event != MESSAGE_AUDIO || (message.ulaw && message.n_ulaw > 0));
    assert(message.event != MESSAGE_MARK || message.name);
    message_done(&message);
    return 0;
}
