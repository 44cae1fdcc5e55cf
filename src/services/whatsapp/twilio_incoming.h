#pragma once
/* twilio_incoming.h - a message that came in, out of the form that Twilio posts */

#include "models/message.h"

/*
 * Fills provider_id, address, alias, channel, status, kind, forwarded, body, media, location, choice and referral.
 *
 * Shape:  params is name -> text, or an array of texts for a name that came again. What is not taken out of it, or
 *         is not what it should be, is only there.
 * Errors: -ENOMEM; the message is to be released in any case.
 * Thread: any.
 */
int whatsapp_twilio_incoming(struct json_object *params, struct message *message);
