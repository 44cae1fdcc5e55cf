/*
 * cli/doctor_vendors.c - those who do a part of the work: each is asked one cheap thing
 */
#include "cli/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "cli/admin.h"
#include "config.h"
#include "services/google_key.h"
#include "utils/file.h"
#include "utils/json.h"

enum { URL_MAX_BYTES = 1024 + 128, KEY_FILE_MAX = 64 * KIB, SIDECAR_S = 5 };

/* What every service says in the same way. setting: of its key. Returns: whether there is an answer of 2xx. */
static bool judge(struct finding *finding, const struct doctor_answer *answer, const char *who, const char *setting)
{
    if (answer->r == 0)
        return true;
    if (answer->status == 401 || answer->status == 403)
        find(finding, VERDICT_WRONG, "%s refuses the key: status %u", who, answer->status);
    else if (answer->status == 429)
        find(finding, VERDICT_WARNING, "%s answers that too much is asked, or that the account has nothing left: status 429", who);
    else if (answer->status)
        find(finding, VERDICT_WRONG, "%s answers with status %u", who, answer->status);
    else
        find(finding, VERDICT_WRONG, "%s cannot be reached: %s", who, answer->why);
    mend(finding, answer->status == 401 || answer->status == 403 ? "set a valid %s, then systemctl restart agentlocator"
                  : answer->status ? "look at the account, and at %s" : "check the network and the URL that goes with %s", setting);
    return false;
}

static struct json_object *parse(const struct doctor_answer *answer)
{
    struct json_object *json = NULL;

    return answer->body && json_parse(answer->body, strlen(answer->body), &json) == 0 ? json : NULL;
}

/* --- Twilio */

static bool has_account(const struct doctor *doctor, struct finding *finding)
{
    if (doctor->config->twilio_account_sid && doctor->config->twilio_auth_token)
        return true;
    find(finding, VERDICT_LEFT_OUT, "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are not set");
    return false;
}

static void ask_twilio(struct doctor *doctor, const char *what, const char *query, struct doctor_answer *answer)
{
    const char *base = doctor->config->twilio_base_url;
    char url[URL_MAX_BYTES];

    (void)snprintf(url, sizeof(url), "%.*s/2010-04-01/Accounts/%s%s.json", (int)strlen(base) - (base[strlen(base) - 1] == '/'), base,
                   doctor->config->twilio_account_sid, what);
    doctor_ask(doctor, &(struct ask){ .url = url, .user = doctor->config->twilio_account_sid,
                                      .key = doctor->config->twilio_auth_token, .query = query }, answer);
}

static void check_account(struct doctor *doctor, struct finding *finding)
{
    scoped(doctor_answer_done) struct doctor_answer answer = { 0 };

    if (!has_account(doctor, finding))
        return;
    ask_twilio(doctor, "", "", &answer);
    if (!judge(finding, &answer, "Twilio", "TWILIO_AUTH_TOKEN"))
        return;
    scoped(json_object_put) struct json_object *json = parse(&answer);
    const char *status = json_get_text(json, "status") ?: "unknown";
    find(finding, strcmp(status, "active") == 0 ? VERDICT_FINE : VERDICT_WRONG, "the account is %.32s", status);
    if (finding->verdict != VERDICT_FINE)
        mend(finding, "look at it in Twilio's console");
}

static bool is_url(struct json_object *number, const char *key, const char *want)
{
    return strcmp(json_get_text(number, key) ?: "", want) == 0;
}

static void check_webhooks(struct doctor *doctor, struct finding *finding)
{
    scoped(doctor_answer_done) struct doctor_answer answer = { 0 };
    char voice[URL_MAX_BYTES], status[URL_MAX_BYTES];
    struct json_object *numbers = NULL, *ours = NULL, *other = NULL;

    if (!has_account(doctor, finding))
        return;
    if (!doctor->config->public_host) {
        find(finding, VERDICT_LEFT_OUT, "PUBLIC_HOST is not set");
        return;
    }
    ask_twilio(doctor, "/IncomingPhoneNumbers", "PageSize=100", &answer);
    if (!judge(finding, &answer, "Twilio", "TWILIO_AUTH_TOKEN"))
        return;
    scoped(json_object_put) struct json_object *json = parse(&answer);
    if (!json || !json_object_object_get_ex(json, "incoming_phone_numbers", &numbers) || !json_object_is_type(numbers, json_type_array)) {
        find(finding, VERDICT_WRONG, "Twilio's list of numbers cannot be read");
        return;
    }
    (void)snprintf(voice, sizeof(voice), "https://%s/webhook/incoming_call", doctor->config->public_host);
    (void)snprintf(status, sizeof(status), "https://%s/webhook/call_status", doctor->config->public_host);
    for (size_t i = 0; i < json_object_array_length(numbers); i++) {
        struct json_object *number = json_object_array_get_idx(numbers, i);
        *(is_url(number, "voice_url", voice) ? &ours : &other) = number;
    }
    if (!ours) {
        find(finding, VERDICT_WRONG, other ? "no number of the account calls us: %.20s calls %.120s" : "the account has no number%s%s",
             other ? json_get_text(other, "phone_number") ?: "one" : "", other ? json_get_text(other, "voice_url") ?: "nothing" : "");
        mend(finding, "in Twilio's console, Phone Numbers: A call comes in: Webhook %s, HTTP POST; Call status changes: %s", voice, status);
    } else if (strcmp(json_get_text(ours, "voice_method") ?: "POST", "POST") != 0) {
        find(finding, VERDICT_WRONG, "%.20s calls us by %.8s", json_get_text(ours, "phone_number") ?: "a number", json_get_text(ours, "voice_method"));
        mend(finding, "in Twilio's console, Phone Numbers: A call comes in: HTTP POST");
    } else if (!is_url(ours, "status_callback", status)) {
        find(finding, VERDICT_WARNING, "%.20s calls us, but does not tell how calls end", json_get_text(ours, "phone_number") ?: "a number");
        mend(finding, "in Twilio's console, Phone Numbers: Call status changes: %s", status);
    } else {
        find(finding, VERDICT_FINE, "%.20s calls %s", json_get_text(ours, "phone_number") ?: "a number", voice);
    }
}

static void check_sender(struct doctor *doctor, struct finding *finding)
{
    const char *host = doctor->config->public_host;

    if (strcmp(doctor->config->whatsapp_provider, "twilio") != 0 || !doctor->config->twilio_whatsapp_number)
        find(finding, VERDICT_LEFT_OUT, "Twilio carries no WhatsApp messages: TWILIO_WHATSAPP_NUMBER is not set");
    else
        find(finding, VERDICT_LEFT_OUT, "this part of Twilio's API does not show where a WhatsApp sender's messages go; it should be "
             "https://%s/webhook/whatsapp/incoming, see Senders in the console", host ?: "PUBLIC_HOST");
}

/* --- services that speak as OpenAI does */

struct service {
    const char *url, *key, *setting;
};

static void check_service(struct doctor *doctor, struct finding *finding, const struct service *service)
{
    scoped(doctor_answer_done) struct doctor_answer answer = { 0 };
    char who[URL_MAX_BYTES];
    size_t n = service->url ? strlen(service->url) : 0;

    if (!service->url) {
        find(finding, VERDICT_LEFT_OUT, "it is not set up: %s", service->setting);
        return;
    }
    bool is_inference = n > 10 && strcmp(service->url + n - 10, "/inference") == 0; /* of whisper.cpp, which has no list */
    const char *host = strstr(service->url, "://");
    (void)snprintf(who, sizeof(who), "%.*s", (int)strcspn(host ? host + 3 : service->url, "/?"), host ? host + 3 : service->url);
    doctor_ask(doctor, &(struct ask){ .url = service->url, .path = is_inference ? NULL : "models", .key = service->key }, &answer);
    if ((is_inference && answer.status && answer.status < 500) || judge(finding, &answer, who, service->setting)) {
        *finding = (struct finding){ 0 };
        find(finding, VERDICT_FINE, "%s answers%s", who, service->key ? ", and knows the key" : "");
    }
}

static void check_stt(struct doctor *doctor, struct finding *finding)
{
    check_service(doctor, finding, &(struct service){ config_stt_url(doctor->config), config_stt_key(doctor->config),
                                                      doctor->config->stt_base_url ? "STT_API_KEY" : "OPENAI_API_KEY" });
}

static void check_chat(struct doctor *doctor, struct finding *finding)
{
    check_service(doctor, finding, &(struct service){ config_chat_url(doctor->config), config_chat_key(doctor->config),
                                                      doctor->config->chat_base_url ? "CHAT_API_KEY" : "OPENAI_API_KEY" });
}

static void check_tts(struct doctor *doctor, struct finding *finding)
{
    check_service(doctor, finding, &(struct service){ config_tts_url(doctor->config), doctor->config->openai_api_key, "OPENAI_API_KEY" });
}

/* --- Google: a token, then the voices with it */

static int read_account(const struct config *config, struct google_key **ret_key, char *problem, size_t size)
{
    scoped(free) char *text = NULL;
    size_t n = 0;

    if (config->google_tts_sa_json)
        return google_key_parse(config->google_tts_sa_json, strlen(config->google_tts_sa_json), problem, size, ret_key);
    int r = file_read(config->google_application_credentials, 0, KEY_FILE_MAX, &text, &n);
    if (r < 0) {
        (void)snprintf(problem, size, "%s: %s", config->google_application_credentials, strerror(-r));
        return r;
    }
    r = google_key_parse(text, n, problem, size, ret_key);
    explicit_bzero(text, n);
    return r;
}

static void ask_voices(struct doctor *doctor, struct finding *finding, const char *token)
{
    scoped(doctor_answer_done) struct doctor_answer answer = { 0 };
    struct json_object *voices = NULL;

    doctor_ask(doctor, &(struct ask){ .url = doctor->config->google_tts_base_url, .path = "voices", .bearer = token }, &answer);
    if (!judge(finding, &answer, "Google's Text-to-Speech", "Text-to-Speech for the project of GOOGLE_TTS_SA_JSON"))
        return;
    scoped(json_object_put) struct json_object *json = parse(&answer);
    bool is_list = json && json_object_object_get_ex(json, "voices", &voices) && json_object_is_type(voices, json_type_array);
    const char *wanted = doctor->config->google_tts_voice;
    bool is_there = !wanted;
    for (size_t i = 0; is_list && i < json_object_array_length(voices); i++)
        is_there |= wanted && strcmp(json_get_text(json_object_array_get_idx(voices, i), "name") ?: "", wanted) == 0;
    find(finding, is_there ? VERDICT_FINE : VERDICT_WRONG, is_there ? "Google gives tokens and has %zu voices" : "Google has %zu voices, and none is GOOGLE_TTS_VOICE",
         is_list ? json_object_array_length(voices) : 0);
    if (!is_there)
        mend(finding, "set GOOGLE_TTS_VOICE to one of them, or unset it");
}

static void check_google(struct doctor *doctor, struct finding *finding)
{
    scoped(google_key_free) struct google_key *key = NULL;
    scoped(doctor_answer_done) struct doctor_answer answer = { 0 };
    char problem[FINDING_MAX / 2] = "", jwt[GOOGLE_JWT_MAX], form[GOOGLE_JWT_MAX + 128];

    if (!doctor->config->google_tts_sa_json && !doctor->config->google_application_credentials) {
        find(finding, VERDICT_LEFT_OUT, "it is not set up: GOOGLE_TTS_SA_JSON or GOOGLE_APPLICATION_CREDENTIALS");
        return;
    }
    if (read_account(doctor->config, &key, problem, sizeof(problem)) < 0 ||
        google_key_sign(key, GOOGLE_JWT_ASSERTION, (uint64_t)time(NULL), jwt) < 0) {
        find(finding, VERDICT_WRONG, "the service account cannot be used: %s", problem);
        mend(finding, "have a JSON key made in Google's console, IAM, Service accounts");
        return;
    }
    (void)snprintf(form, sizeof(form), "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-bearer&assertion=%s", jwt);
    doctor_ask(doctor, &(struct ask){ .url = google_key_token_uri(key), .content = form, .content_type = "application/x-www-form-urlencoded" }, &answer);
    if (answer.status == 400)
        answer.status = 401; /* invalid_grant: it is the key that is meant */
    if (!judge(finding, &answer, "Google", "GOOGLE_TTS_SA_JSON or GOOGLE_APPLICATION_CREDENTIALS"))
        return;
    scoped(json_object_put) struct json_object *json = parse(&answer);
    const char *token = json_get_text(json, "access_token");
    if (token)
        ask_voices(doctor, finding, token);
    else
        find(finding, VERDICT_WRONG, "Google's answer has no token in it");
}

/* --- the linked device */

static void check_device(struct doctor *doctor, struct finding *finding)
{
    scoped(free) char *body = NULL;
    scoped(json_object_put) struct json_object *json = NULL;
    struct socket_request request = { doctor->config->whatsapp_socket, "GET", "/v1/health", "", SIDECAR_S };

    if (strcmp(doctor->config->whatsapp_provider, "baileys") != 0) {
        find(finding, VERDICT_LEFT_OUT, "no linked device is used: WHATSAPP_PROVIDER");
        return;
    }
    int r = socket_ask(&request, &body);
    if (r != 200 || json_parse(body, strlen(body), &json) < 0) {
        find(finding, VERDICT_WRONG, "the program of the linked device does not answer at %s: %s", request.socket, r < 0 ? strerror(-r) : "an odd answer");
        mend(finding, "systemctl enable --now agentlocator-baileys.socket; journalctl -u agentlocator-baileys -e");
        return;
    }
    const char *state = json_get_text(json, "state") ?: "unknown";
    find(finding, strcmp(state, "open") == 0 ? VERDICT_FINE : VERDICT_WRONG, "the linked device is %.24s", state);
    if (finding->verdict != VERDICT_FINE)
        mend(finding, "agentlocator whatsapp status");
}

const struct check doctor_vendors[] = {
    { "twilio", "Twilio's account", true, check_account },
    { "webhooks", "Where Twilio's numbers call", true, check_webhooks },
    { "sender", "Where WhatsApp messages go", true, check_sender },
    { "device", "The linked WhatsApp device", false, check_device },
    { "stt", "Transcription", true, check_stt },
    { "chat", "Chat model", true, check_chat },
    { "tts", "OpenAI's voice", true, check_tts },
    { "google", "Google's voice", true, check_google },
    { 0 },
};
