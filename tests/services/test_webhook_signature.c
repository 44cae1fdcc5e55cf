/*
 * test_webhook_signature.c - what the library standardwebhooks 1.0.0 makes of the same
 */
#include "services/webhook_signature.h"

#include <errno.h>
#include <string.h>

#include "tap.h"

#define ONE "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define TWO "whsec_AgICAgICAgICAgICAgICAgICAgICAgIC"
#define SIGNED_ONE "v1,Nz0zP57PGTMZxV5d/vJkfaegPebpzTXP1fbVKRobhUY="
#define SIGNED_TWO "v1,g8BZP7lTXqgfzAmtbvgvjiYxiQjCRIpGbrkDNtzfzx0="

int main(void)
{
    static const char body[] = "{\"a\":\"\u05d0\"}";
    char text[WEBHOOK_SIGNATURE_MAX];

    is_int(webhook_sign(ONE, NULL, "evt_1234_7", 1700000000, body, strlen(body), text), 0, "one secret");
    is_str(text, SIGNED_ONE, "one signature");
    is_int(webhook_sign(ONE, TWO, "evt_1234_7", 1700000000, body, strlen(body), text), 0, "two secrets");
    is_str(text, SIGNED_ONE " " SIGNED_TWO, "two signatures");
    is_int(webhook_sign(ONE, NULL, "evt_1234_7", 1700000000, body, strlen(body) - 1, text), 0, "another body");
    ok(strcmp(text, SIGNED_ONE) != 0, "another signature");
    is_int(webhook_sign("secret", NULL, "evt_1234_7", 1, body, 1, text), -EINVAL, "what is no secret signs nothing");
    return done_testing();
}
