/*
 * test_config.c - where settings come from, and what is said about bad ones
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "scratch.h"
#include "tap.h"

#define DEV "APP_ENV=development"
#define TOKEN "0123456789abcdef0123456789abcdef"
#define LIVE "PUBLIC_HOST=a.example\nTWILIO_AUTH_TOKEN=" TOKEN
#define HOOK_SECRET "EVENT_WEBHOOK_SECRET=whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define SID "AC0123456789abcdef0123456789abcdef"

/* Replaces the whole environment. list is NAME=VALUE, one a line. */
static void set_environment(const char *list)
{
    scoped(free) char *text = strdup(list);
    char *rest = text;

    clearenv();
    for (char *pair; (pair = strsep(&rest, "\n")) && *pair;) {
        char *value = strchr(pair, '=');
        *value++ = '\0';
        setenv(pair, value, 1);
    }
}

static char *write_file(const char *name, const char *text, size_t n)
{
    char *path;

    if (asprintf(&path, "%s/%s", scratch(), name) < 0)
        abort();
    scoped(fclose) FILE *file = fopen(path, "w");
    fwrite(text, 1, n, file);
    return path;
}

static int load(const char *env_file, char **ret_problems, struct config **ret_config)
{
    size_t n;
    FILE *problems = open_memstream(ret_problems, &n);
    int r = config_load(env_file, problems, ret_config);

    fclose(problems);
    return r;
}

static const struct {
    const char *environment;
    const char *problem; /* the whole of what is said, or NULL when all is well */
} cases[] = {
    { DEV, NULL },
    { DEV "\nLOOP_THREADS= \nAPI_TOKEN=", NULL },
    { "PUBLIC_HOST=a.example\nTWILIO_AUTH_TOKEN=" TOKEN, NULL },
    { DEV "\nPUBLIC_HOST=a.example:8443", NULL },
    { DEV "\nTLS_CERT_FILE=/c\nTLS_KEY_FILE=/k", NULL },
    { DEV "\nTWILIO_ACCOUNT_SID=" SID, NULL },
    { DEV "\nLOOP_THREADS=64", NULL },
    { "TWILIO_AUTH_TOKEN=" TOKEN,
      "PUBLIC_HOST: is not set; production needs the public name under which Twilio reaches this machine\n" },
    { "PUBLIC_HOST=a.example", "TWILIO_AUTH_TOKEN: is not set; production needs it to tell Twilio's webhooks from "
                               "forged ones (Twilio console, account info)\n" },
    { "APP_ENV=prod\nPUBLIC_HOST=a", "APP_ENV: 'prod' is not known; choose one of production|development\n" },
    { DEV "\nLOOP_THREADS=0", "LOOP_THREADS: 0 is out of range; give a number from 1 to 64\n" },
    { DEV "\nLOOP_THREADS=65", "LOOP_THREADS: 65 is out of range; give a number from 1 to 64\n" },
    { DEV "\nLOOP_THREADS=99999999999999999999",
      "LOOP_THREADS: 99999999999999999999 is out of range; give a number from 1 to 64\n" },
    { DEV "\nLOOP_THREADS=-1", "LOOP_THREADS: '-1' is no whole number; give one from 1 to 64\n" },
    { DEV "\nLOOP_THREADS=2 ", "LOOP_THREADS: '2 ' is no whole number; give one from 1 to 64\n" },
    { DEV "\nLOOP_THREADS=0x2", "LOOP_THREADS: '0x2' is no whole number; give one from 1 to 64\n" },
    { DEV "\nSTATE_DIR=here", "STATE_DIR: 'here' is no absolute path; begin it with '/'\n" },
    { DEV "\nAPI_TOKEN=short", "API_TOKEN: is too short; give each secret 16 to 256 characters\n" },
    { DEV "\nAPI_TOKEN=console:0123456789abcdef crm:123456789abcdef0", NULL },
    { DEV "\nAPI_TOKEN=console:0123456789abcdef crm:0123456789abcdef",
      "API_TOKEN: has one secret under two names; give each token a secret of its own\n" },
    { DEV "\n" HOOK_SECRET "\nEVENT_WEBHOOK_URL=https://crm.example.com/hook", NULL },
    { LIVE "\n" HOOK_SECRET "\nEVENT_WEBHOOK_URL=crm:https://crm.example.com/hook erp:http://127.0.0.1:9/x", NULL },
    { LIVE "\n" HOOK_SECRET "\nEVENT_WEBHOOK_URL=crm:https://crm.example.com/hook erp:http://10.0.0.1/x",
      "EVENT_WEBHOOK_URL: would take what callers say over the network in the open; write https://\n" },
    { DEV "\n" HOOK_SECRET "\nEVENT_WEBHOOK_URL=crm.example.com",
      "EVENT_WEBHOOK_URL: is no URL; write https://HOST/PATH, or http:// for a server on this machine\n" },
    { DEV "\n" HOOK_SECRET "\nEVENT_WEBHOOK_URL=https://a.example https://b.example",
      "EVENT_WEBHOOK_URL: has a URL without a name; write NAME:URL for each when there are several\n" },
    { DEV "\nEVENT_WEBHOOK_URL=https://a.example",
      "EVENT_WEBHOOK_SECRET: is not set while EVENT_WEBHOOK_URL is; without it nobody could tell our events from forged ones\n" },
    { DEV "\nEVENT_WEBHOOK_SECRET=0123456789012345678901234567890123456789",
      "EVENT_WEBHOOK_SECRET: is no secret of Standard Webhooks; that is whsec_ and 24 to 64 bytes in base64: "
      "echo whsec_$(openssl rand -base64 32)\n" },
    { DEV "\nEVENT_WEBHOOK_SECRET_NEXT=whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
      "EVENT_WEBHOOK_SECRET_NEXT: is set without EVENT_WEBHOOK_SECRET; set that one first\n" },
    { DEV "\nCORS_ORIGINS=https://crm.example.com http://localhost:3000", NULL },
    { DEV "\nCORS_ORIGINS=https://crm.example.com *", "CORS_ORIGINS: has * beside others; write * alone, or leave it out\n" },
    { DEV "\nCORS_ORIGINS=https://crm.example.com/",
      "CORS_ORIGINS: holds what is no origin; write https://HOST or https://HOST:PORT as browsers send it, in small letters, "
      "without a path, with blanks between several\n" },
    { DEV "\nAPI_PER_MINUTE=0", "API_PER_MINUTE: 0 is out of range; give a number from 1 to 1000000\n" },
    { DEV "\nAPI_BURST=0", "API_BURST: 0 is out of range; give a number from 1 to 100000\n" },
    { DEV "\nAPI_FAILURES=0", "API_FAILURES: 0 is out of range; give a number from 1 to 100000\n" },
    { DEV "\nAPI_TOKEN=0123456789\t0123456789",
      "API_TOKEN: holds a control character; write it on one line, without tabs\n" },
    { DEV "\nTWILIO_AUTH_TOKEN=" TOKEN "f", "TWILIO_AUTH_TOKEN: is too long; it has 32 characters\n" },
    { DEV "\nTWILIO_AUTH_TOKEN_NEXT=" TOKEN,
      "TWILIO_AUTH_TOKEN_NEXT: is set without TWILIO_AUTH_TOKEN; set that one first\n" },
    { DEV "\nTWILIO_ACCOUNT_SID=SK0123456789abcdef0123456789abcdef",
      "TWILIO_ACCOUNT_SID: is no account SID; that is AC and 32 hexadecimal digits (Twilio console, account info)\n" },
    { DEV "\nTLS_CERT_FILE=/c", "TLS_KEY_FILE: is not set while TLS_CERT_FILE is; https needs both\n" },
    { DEV "\nTLS_KEY_FILE=/k", "TLS_CERT_FILE: is not set while TLS_KEY_FILE is; https needs both\n" },
    { DEV "\nCHAT_BASE_URL=http://127.0.0.1:11434/v1\nCHAT_API_KEY=k\nCHAT_MODEL=none\nCHAT_TIMEOUT_MS=30000", NULL },
    { DEV "\nCHAT_BASE_URL=localhost:11434",
      "CHAT_BASE_URL: is no URL; write https://HOST/v1, or http:// for a server on this machine\n" },
    { DEV "\nCHAT_API_KEY=k", "CHAT_API_KEY: is set without CHAT_BASE_URL; the key of OPENAI_BASE_URL is OPENAI_API_KEY\n" },
    { DEV "\nCHAT_TIMEOUT_MS=299", "CHAT_TIMEOUT_MS: 299 is out of range; give a number from 300 to 30000\n" },
    { DEV "\nDATABASE_URL=postgres://x", "DATABASE_URL: names no store that is known here; write lmdb:// and an "
                                         "absolute path, e.g. lmdb:///var/lib/agentlocator/store\n" },
    { DEV "\nDATABASE_URL=lmdb://store", "DATABASE_URL: names no store that is known here; write lmdb:// and an "
                                         "absolute path, e.g. lmdb:///var/lib/agentlocator/store\n" },
    { DEV "\nTIMEZONE=UTC", NULL },
    { DEV "\nTIMEZONE=Atlantis/Poseidonis",
      "TIMEZONE: is no time zone that is known here; write e.g. Asia/Jerusalem, or install tzdata\n" },
    { DEV "\nTIMEZONE=../../../etc/passwd",
      "TIMEZONE: is no time zone that is known here; write e.g. Asia/Jerusalem, or install tzdata\n" },
    { DEV "\nDEFAULT_COUNTRY=IL", "DEFAULT_COUNTRY: is no country code; write its digits alone, e.g. 972\n" },
    { DEV "\nDEFAULT_COUNTRY=+97", "DEFAULT_COUNTRY: is no country code; write its digits alone, e.g. 972\n" },
    { DEV "\nGOOGLE_TTS_SA_JSON={\"type\":\"service_account\"}", NULL },
    { DEV "\nGOOGLE_APPLICATION_CREDENTIALS=/key.json", NULL },
    { DEV "\nGOOGLE_APPLICATION_CREDENTIALS=/key.json\nGOOGLE_TTS_BASE_URL=http://127.0.0.1:1\nGOOGLE_TTS_VOICE=he-IL-Wavenet-D", NULL },
    { DEV "\nOPENAI_TTS_MODEL=none\nOPENAI_TTS_VOICE=nova\nTTS_TIMEOUT_MS=300", NULL },
    { DEV "\nTTS_TIMEOUT_MS=299", "TTS_TIMEOUT_MS: 299 is out of range; give a number from 300 to 2500\n" },
    { DEV "\nGOOGLE_TTS_BASE_URL=texttospeech.googleapis.com",
      "GOOGLE_TTS_BASE_URL: is no URL; write https://HOST/v1, or http:// for a server on this machine\n" },
    { "PUBLIC_HOST=a.example\nTWILIO_AUTH_TOKEN=" TOKEN "\nGOOGLE_APPLICATION_CREDENTIALS=/key.json\nGOOGLE_TTS_BASE_URL=http://tts.example",
      "GOOGLE_TTS_BASE_URL: would take GOOGLE_TTS_SA_JSON over the network in the open; write https://, or leave the key out\n" },
    { DEV "\nGOOGLE_TTS_SA_JSON=/key.json", "GOOGLE_TTS_SA_JSON: is no JSON; give it the content of the key file (its path "
                                            "goes into GOOGLE_APPLICATION_CREDENTIALS)\n" },
    { DEV "\nGOOGLE_TTS_SA_JSON={\001}", "GOOGLE_TTS_SA_JSON: holds a control character; give it as it was made\n" },
    { DEV "\nGOOGLE_APPLICATION_CREDENTIALS=key.json",
      "GOOGLE_APPLICATION_CREDENTIALS: 'key.json' is no absolute path; begin it with '/'\n" },
    { DEV "\nHUMAN_NUMBER=+97231234567", NULL },
    { DEV "\nHUMAN_NUMBER=031234567", "HUMAN_NUMBER: is no telephone number; write + and the country code in front, "
                                      "without blanks, e.g. +97231234567\n" },
    { DEV "\nHUMAN_NUMBER=+972-3123456", "HUMAN_NUMBER: is no telephone number; write + and the country code in "
                                         "front, without blanks, e.g. +97231234567\n" },
    { DEV "\nHUMAN_NUMBER=+0723123456", "HUMAN_NUMBER: is no telephone number; write + and the country code in "
                                        "front, without blanks, e.g. +97231234567\n" },
    { DEV "\nHUMAN_NUMBER=+972312", "HUMAN_NUMBER: is too short; give 8 to 16 characters\n" },
    { DEV "\nOPENAI_BASE_URL=api.openai.com",
      "OPENAI_BASE_URL: is no URL; write https://HOST/v1, or http:// for a server on this machine\n" },
    { DEV "\nSTT_BASE_URL=ftp://a.example", "STT_BASE_URL: is no URL; write https://HOST/v1, or http:// for a server on this machine\n" },
    { DEV "\nSTT_BASE_URL=https://key@a.example", "STT_BASE_URL: is no URL; write https://HOST/v1, or http:// for a server on this machine\n" },
    { DEV "\nSTT_BASE_URL=http://10.0.0.1/v1\nOPENAI_API_KEY=sk", NULL },
    { DEV "\nSTT_BASE_URL=http://127.0.0.1/v1\nSTT_API_KEY=sk", NULL },
    { LIVE "\nSTT_BASE_URL=http://127.0.0.1/v1\nSTT_API_KEY=sk\nOPENAI_API_KEY=sk", NULL },
    { LIVE "\nSTT_BASE_URL=https://10.0.0.1/v1\nSTT_API_KEY=sk", NULL },
    { LIVE "\nSTT_BASE_URL=http://10.0.0.1/v1\nSTT_API_KEY=sk",
      "STT_BASE_URL: would take STT_API_KEY over the network in the open; write https://, or leave the key out\n" },
    { LIVE "\nOPENAI_BASE_URL=http://10.0.0.1/v1\nOPENAI_API_KEY=sk",
      "OPENAI_BASE_URL: would take OPENAI_API_KEY over the network in the open; write https://, or leave the key out\n" },
    { LIVE "\nOPENAI_BASE_URL=http://10.0.0.1/v1", NULL },
    { DEV "\nSTT_API_KEY=sk", "STT_API_KEY: is set without STT_BASE_URL, the only place it goes to; set that one first\n" },
    { DEV "\nSTT_BASE_URL=https://a.example\nSTT_API_KEY=sk\tX",
      "STT_API_KEY: holds a control character; write it on one line, without tabs\n" },
    { DEV "\nOPENAI_API_KEY=sk\rX-Evil: 1", "OPENAI_API_KEY: holds a control character; write it on one line, without tabs\n" },
    { DEV "\nSTT_TIMEOUT_MS=200", "STT_TIMEOUT_MS: 200 is out of range; give a number from 300 to 5000\n" },
    { DEV "\nSTT_MODEL=a\tb", "STT_MODEL: holds a control character; write it on one line, without tabs\n" },
    { DEV "\nSTT_HINTS=Haifa, Holon", NULL },
    { DEV "\nSTT_HINTS=Haifa\tHolon", "STT_HINTS: holds a control character; write it on one line, without tabs\n" },
    { DEV "\nPROVIDER_CA_FILE=ca.pem", "PROVIDER_CA_FILE: 'ca.pem' is no absolute path; begin it with '/'\n" },
    { DEV "\nTWILIO_WHATSAPP_NUMBER=+14155238886\nTWILIO_ACCOUNT_SID=" SID "\nTWILIO_AUTH_TOKEN=" TOKEN, NULL },
    { DEV "\nTWILIO_WHATSAPP_NUMBER=+14155238886", "TWILIO_WHATSAPP_NUMBER: is set without TWILIO_ACCOUNT_SID and "
                                                   "TWILIO_AUTH_TOKEN; messages are sent with them\n" },
    { DEV "\nTWILIO_WHATSAPP_NUMBER=whatsapp:+1415\nTWILIO_ACCOUNT_SID=" SID "\nTWILIO_AUTH_TOKEN=" TOKEN,
      "TWILIO_WHATSAPP_NUMBER: is no international number; write + and the country code and the number, digits alone, "
      "e.g. +14155238886\n" },
    { DEV "\nTWILIO_BASE_URL=api.twilio.com",
      "TWILIO_BASE_URL: is no URL; write https://HOST/v1, or http:// for a server on this machine\n" },
    { DEV "\nWHATSAPP_PROVIDER=carrier-pigeon", "WHATSAPP_PROVIDER: 'carrier-pigeon' is not known; choose one of twilio|baileys\n" },
    { DEV "\nWHATSAPP_PROVIDER=baileys\nWHATSAPP_SOCKET=/run/x.sock", NULL },
    { DEV "\nWHATSAPP_SOCKET=x.sock", "WHATSAPP_SOCKET: 'x.sock' is no absolute path; begin it with '/'\n" },
    { DEV "\nMAX_CALLS=many\nSTATE_DIR=.\nTTS_VOICE=kal\nDEFAULT_COUNTRY=00",
      "STATE_DIR: '.' is no absolute path; begin it with '/'\n"
      "MAX_CALLS: 'many' is no whole number; give one from 1 to 100000\n"
      "TTS_VOICE: 'kal' is not known; choose one of rms|slt\n"
      "DEFAULT_COUNTRY: is no country code; write its digits alone, e.g. 972\n" },
};

static const char *const bad_hosts[] = { "https://a.example", "a.example/", "a.example:", "a.example:0",
                                         "a.example:65536",   ":443",       "-a",         "a b",
                                         "a.example:8443/x",  ".",          "a.example:123456" };

static void values_are_judged(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        scoped(config_free) struct config *config = NULL;
        scoped(free) char *problems = NULL;

        set_environment(cases[i].environment);
        int r = load(NULL, &problems, &config);
        ok(r == (cases[i].problem ? -EINVAL : 0), "row %zu: %s", i, r ? "refused" : "loaded");
        is_str(problems, cases[i].problem ?: "", cases[i].problem ? "and says why" : "without a word");
    }
    for (size_t i = 0; i < ELEMENTSOF(bad_hosts); i++) {
        scoped(config_free) struct config *config = NULL;
        scoped(free) char *problems = NULL, *environment = NULL;

        if (asprintf(&environment, DEV "\nPUBLIC_HOST=%s", bad_hosts[i]) < 0)
            abort();
        set_environment(environment);
        ok(load(NULL, &problems, &config) == -EINVAL && strstr(problems, "PUBLIC_HOST: is no host name"),
           "%s is no host name", bad_hosts[i]);
    }
}

static const char *source_of(const struct config *config, const char *name, const char **ret_value)
{
    struct config_setting setting;

    for (size_t i = 0; config_setting(config, i, &setting); i++)
        if (strcmp(setting.name, name) == 0) {
            *ret_value = setting.value;
            return setting.source;
        }
    return NULL;
}

static void the_nearest_source_wins(void)
{
    static const char file_text[] = DEV "\nMAX_CALLS=1\nMAX_CALLS=2\nAPI_TOKEN=from-the-env-file\nBUSINESS_NAME='A & B'\n"
                                        "LOOP_THREADS=3\n";
    static const char credential[] = "from-a-credential\n", letter[] = "{\n\t\"type\": 1\r\n}\n";
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *problems = NULL, *environment = NULL, *want = NULL;
    scoped(free) char *env_file = write_file("env", file_text, strlen(file_text));
    scoped(free) char *secret = write_file("API_TOKEN", credential, strlen(credential));
    scoped(free) char *empty = write_file("TWILIO_AUTH_TOKEN", "", 0);
    scoped(free) char *lines = write_file("GOOGLE_TTS_SA_JSON", letter, strlen(letter));
    const char *value;

    if (asprintf(&environment, "CREDENTIALS_DIRECTORY=%s\nAPI_TOKEN=from-the-environment\nLOOP_THREADS=4", scratch()) < 0 ||
        asprintf(&want, "%s:3", env_file) < 0)
        abort();
    set_environment(environment);
    is_int(load(env_file, &problems, &config), 0, "credential, environment and file together");
    is_str(problems, "", "nothing to complain about");
    is_str(config->api_token, "from-a-credential", "the credential wins and loses its newline");
    is_int((long long)config->loop_threads, 4, "the environment wins over the file");
    is_int((long long)config->max_calls, 2, "the last assignment in the file wins");
    is_str(config->business_name, "A & B", "quotes are taken off");
    is_str(config->twilio_auth_token, NULL, "an empty credential is none");
    is_str(source_of(config, "API_TOKEN", &value), "credential", "API_TOKEN's source");
    is_str(value, "********", "its value is masked");
    is_str(config->google_tts_sa_json, "{\n\t\"type\": 1\r\n}", "a secret may have several lines");
    is_str(source_of(config, "GOOGLE_TTS_SA_JSON", &value), "credential", "its source");
    is_str(value, "********", "it is masked, too");
    is_str(source_of(config, "LOOP_THREADS", &value), "environment", "LOOP_THREADS' source");
    is_str(source_of(config, "MAX_CALLS", &value), want, "MAX_CALLS' source is a line of the file");
    is_str(source_of(config, "RING_MS", &value), "default", "RING_MS' source");
    is_str(source_of(config, "PUBLIC_HOST", &value), "unset", "PUBLIC_HOST's source");
    is_str(value, NULL, "it has no value");
    is_str(config->app_env, "development", "a choice from the file");
    is_str(config->tts_voice, "rms", "the first word of a choice is its default");
    is_str(config_database_path(config), "/var/lib/agentlocator/store", "the path of the default store");
    unlink(env_file);
    unlink(secret);
    unlink(empty);
    unlink(lines);
}

static void files_are_judged(void)
{
    static const char file_text[] = DEV "\nTWILIO_AUTH_TOKN=x\nZZZ=1\nPUBLIC_HOST\n";
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *problems = NULL, *want = NULL;
    scoped(free) char *env_file = write_file("env", file_text, strlen(file_text));

    if (asprintf(&want,
                 "warning: %s:2: there is no setting TWILIO_AUTH_TOKN; did you mean TWILIO_AUTH_TOKEN?\n"
                 "warning: %s:3: there is no setting ZZZ\n"
                 "%s:4: the line has no '='; write NAME=VALUE, as systemd's EnvironmentFile= takes it\n",
                 env_file, env_file, env_file) < 0)
        abort();
    set_environment("");
    is_int(load(env_file, &problems, &config), -EINVAL, "a line without '=' is refused");
    is_str(problems, want, "and every doubtful line is named");

    free(problems);
    is_int(load("/nonexistent/env", &problems, &config), -EINVAL, "an env file that is not there");
    ok(strncmp(problems, "/nonexistent/env: cannot be read: No such file or directory; ", 61) == 0, "is named");
}

static void credentials_are_judged(void)
{
    static char large[64 * KIB + 2];
    scoped(config_free) struct config *config = NULL;
    scoped(free) char *problems = NULL, *environment = NULL;
    scoped(free) char *nul = write_file("API_TOKEN", "0123456789\0abcdef", 17);
    memset(large, 'x', sizeof(large));
    scoped(free) char *big = write_file("BUSINESS_NAME", large, sizeof(large));
    scoped(free) char *link = write_file("TWILIO_AUTH_TOKEN", "", 0);

    unlink(link);
    if (symlink(big, link) < 0 || asprintf(&environment, DEV "\nCREDENTIALS_DIRECTORY=%s", scratch()) < 0)
        abort();
    set_environment(environment);
    is_int(load(NULL, &problems, &config), -EINVAL, "bad credentials are refused");
    ok(strstr(problems, "API_TOKEN: the credential ") && strstr(problems, "holds a NUL byte"), "a NUL byte");
    ok(strstr(problems, "BUSINESS_NAME: the credential ") && strstr(problems, "File too large"), "more than 64 KiB");
    ok(strstr(problems, "TWILIO_AUTH_TOKEN: the credential ") && strstr(problems, "symbolic links"), "a symbolic link");
}

static void tools_need_less(void)
{
    scoped(config_free) struct config *config = NULL;

    set_environment("");
    is_int(config_load_tool(NULL, stdout, &config), 0, "a command beside the daemon needs no token");
    ok(config_is_production(config), "production is the default");
}

static void keys_go_to_their_own_host(void)
{
    static const struct {
        const char *environment, *url, *key;
        bool warns;
    } rows[] = {
        { DEV, NULL, NULL, false },
        { DEV "\nOPENAI_API_KEY=o", "https://api.openai.com/v1", "o", false },
        { DEV "\nOPENAI_BASE_URL=https://a.example", "https://a.example", NULL, false },
        { DEV "\nOPENAI_API_KEY=o\nSTT_BASE_URL=https://a.example", "https://a.example", NULL, false },
        { DEV "\nOPENAI_API_KEY=o\nSTT_BASE_URL=https://a.example\nSTT_API_KEY=s", "https://a.example", "s", false },
        { DEV "\nSTT_BASE_URL=http://a.example\nSTT_API_KEY=s", "http://a.example", "s", true },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(config_free) struct config *config = NULL;
        scoped(free) char *problems = NULL;

        set_environment(rows[i].environment);
        if (!ok(load(NULL, &problems, &config) == 0, "row %zu of speech", i))
            continue;
        is_str(config_stt_url(config), rows[i].url, "it is transcribed there");
        is_str(config_stt_key(config), rows[i].key, "with this key");
        is_str(problems, rows[i].warns ? "warning: STT_BASE_URL: takes STT_API_KEY over the network in the open; production needs https://\n"
                                       : "", "and a warning where it can be read");
    }
}

static void the_journal_is_recognised(void)
{
    char text[64];
    struct stat st;

    set_environment("");
    ok(!config_stderr_is_journal(), "no JOURNAL_STREAM, no journal");
    fstat(STDERR_FILENO, &st);
    snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", text, 1);
    ok(config_stderr_is_journal(), "stderr is what systemd connected");
    strcat(text, "1");
    setenv("JOURNAL_STREAM", text, 1);
    ok(!config_stderr_is_journal(), "stderr was redirected since");
}

int main(void)
{
    values_are_judged();
    the_nearest_source_wins();
    files_are_judged();
    credentials_are_judged();
    tools_need_less();
    keys_go_to_their_own_host();
    the_journal_is_recognised();
    return done_testing();
}
