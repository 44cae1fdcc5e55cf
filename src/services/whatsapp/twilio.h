#pragma once
/* twilio.h - WhatsApp over Twilio's Messages resource */

#include "services/whatsapp/provider.h"

extern const struct whatsapp_ops whatsapp_twilio_ops;

/* What an error of Twilio's means for the operator, with what to do; NULL: see its documentation. */
const char *whatsapp_twilio_explain(unsigned code);

/*
 * What an answer says, as text of a REST answer or of none; pure, for tests.
 *
 * A message's is one object, a list's {"messages": [...]}, newest first. Fills outcome, found and n_found.
 */
struct http_call;
void whatsapp_twilio_judge(const struct http_call *call, bool is_look, struct whatsapp_request *request);
