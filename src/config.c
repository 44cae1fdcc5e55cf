/*
 * config.c - the settings of the process, from wherever they come
 *
 * One pass each: gather the text of every setting (env file, then environment,
 * then credential; the later one wins, a blank one does not count), parse each
 * text by its row into the struct, hold the whole to the rules. Every pass
 * writes down what it does not like and goes on, so that one start names all
 * that is wrong. A text that did not parse leaves its field empty and is marked
 * bad, so that no rule complains about it a second time.
 *
 * The texts stay in struct storage for as long as the config lives: strings of
 * the config point into it, and `agentlocator config` shows where each came from.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "utils/envfile.h"
#include "utils/file.h"
#include "utils/hook_list.h"
#include "utils/origins.h"
#include "utils/token_list.h"
#include "utils/url.h"
#include "utils/when.h"

struct row {
    enum config_type type;
    const char *name, *fallback;
    uint64_t min, max;
    size_t offset;
};

static const struct row rows[] = {
#define CONFIG(type, field, name, fallback, min, max, ...)                                         \
    { type, name, fallback, min, max, offsetof(struct config, field) },
#include "config.def"
#undef CONFIG
};

enum {
    N_ROWS = sizeof(rows) / sizeof(rows[0]),
    FILE_MAX = 64 * KIB, /* of an env file or a credential */
    NAME_MAX_LEN = 63,   /* longer names are not compared */
    NEAR = 3             /* edits up to which a name is taken for a misspelling */
};

static const char from_default[] = "default", from_nowhere[] = "unset", masked[] = "********";

struct text {
    char *value;  /* NULL: unset */
    char *source; /* from_default, from_nowhere or allocated */
    bool bad;
};

struct storage {
    struct text texts[N_ROWS];
};

struct loading {
    const char *env_file;
    FILE *problems;
    struct config *config;
    struct storage *storage;
    bool tool;
    bool failed;
};

/* --- problems */

__attribute__((format(printf, 3, 4))) static void problem(struct loading *loading, size_t i,
                                                          const char *format, ...)
{
    va_list args;

    fprintf(loading->problems, "%s: ", rows[i].name);
    va_start(args, format);
    vfprintf(loading->problems, format, args);
    va_end(args);
    fputc('\n', loading->problems);
    loading->storage->texts[i].bad = true;
    loading->failed = true;
}

static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1], n = strlen(b);

    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t swap = diagonal + (toupper((unsigned char)a[i - 1]) != b[j - 1]);
            size_t gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = swap < gap ? swap : gap;
        }
    }
    return row[n];
}

/* Returns: the setting that somebody who wrote name probably meant, or NULL. */
static const char *nearest(const char *name)
{
    size_t least = NEAR + 1;
    const char *best = NULL;

    if (strlen(name) > NAME_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < N_ROWS; i++) {
        size_t d = distance(name, rows[i].name);

        if (d < least && d < strlen(name)) {
            least = d;
            best = rows[i].name;
        }
    }
    return best;
}

/* --- gathering */

static void text_done(struct text *text)
{
    if (text->value)
        explicit_bzero(text->value, strlen(text->value));
    free(text->value);
    if (text->source != from_default && text->source != from_nowhere)
        free(text->source);
}

/* Puts value in the place of whatever the setting had; a blank one changes nothing. */
static int gather(struct loading *loading, size_t i, const char *value, char *source)
{
    scoped(free) char *owned_source = source;
    struct text *text = &loading->storage->texts[i];

    if (value[strspn(value, " \t\r\n")] == '\0')
        return 0;

    char *owned = strdup(value);
    if (!owned || !source)
        return -ENOMEM;
    text_done(text);
    *text = (struct text){ owned, steal(&owned_source), false };
    return 0;
}

static int from_pair(const struct envfile_pair *pair, void *arg)
{
    struct loading *loading = arg;
    char *source = NULL;

    if (pair->problem) {
        fprintf(loading->problems,
                "%s:%u: %s; write NAME=VALUE, as systemd's EnvironmentFile= takes it\n",
                loading->env_file, pair->line, pair->problem);
        loading->failed = true;
        return 0;
    }
    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(pair->name, rows[i].name) == 0) {
            if (asprintf(&source, "%s:%u", loading->env_file, pair->line) < 0)
                return -ENOMEM;
            return gather(loading, i, pair->value, source);
        }

    const char *meant = nearest(pair->name);
    fprintf(loading->problems, "warning: %s:%u: there is no setting %s%s%s%s\n", loading->env_file,
            pair->line, pair->name, meant ? "; did you mean " : "", meant ? meant : "",
            meant ? "?" : "");
    return 0;
}

static int from_file(struct loading *loading)
{
    char *text = NULL;
    size_t n;
    int r;

    r = file_read(loading->env_file, 0, FILE_MAX, &text, &n);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        fprintf(loading->problems,
                "%s: cannot be read: %s; name a readable file of at most %d KiB\n",
                loading->env_file, strerror(-r), FILE_MAX / KIB);
        loading->failed = true;
        return 0;
    }
    r = envfile_parse(text, n, from_pair, loading);
    explicit_bzero(text, n);
    free(text);
    return r;
}

static int from_environment(struct loading *loading, size_t i)
{
    const char *value = getenv(rows[i].name);

    return value ? gather(loading, i, value, strdup("environment")) : 0;
}

static int from_credential(struct loading *loading, size_t i, const char *directory)
{
    scoped(free) char *path = NULL;
    char *value = NULL;
    size_t n;
    int r;

    if (asprintf(&path, "%s/%s", directory, rows[i].name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = file_read(path, O_NOFOLLOW, FILE_MAX, &value, &n);
    if (r == -ENOENT)
        return 0;
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        problem(loading, i,
                "the credential %s cannot be read: %s; it has to be a plain file of at most %d KiB",
                path, strerror(-r), FILE_MAX / KIB);
        return 0;
    }

    if (n && value[n - 1] == '\n')
        value[n - 1] = '\0';
    if (strlen(value) + 1 < n)
        problem(loading, i, "the credential %s holds a NUL byte; write text into it", path);
    else
        r = gather(loading, i, value, strdup("credential"));
    explicit_bzero(value, n);
    free(value);
    return r;
}

static int gather_all(struct loading *loading)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    int r = loading->env_file ? from_file(loading) : 0;

    for (size_t i = 0; i < N_ROWS && r == 0; i++) {
        struct text *text = &loading->storage->texts[i];

        r = from_environment(loading, i);
        if (r == 0 && credentials && *credentials)
            r = from_credential(loading, i, credentials);
        if (r < 0 || text->value)
            continue;
        text->source = (char *)(rows[i].fallback ? from_default : from_nowhere);
        if (rows[i].fallback &&
            !(text->value = strndup(rows[i].fallback, strcspn(rows[i].fallback, "|"))))
            r = -ENOMEM;
    }
    return r;
}

/* --- parsing, one function per type: the text of setting i into its field */

static void parse_uint(struct loading *loading, size_t i, const char *text, void *field)
{
    char *end;

    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end)
        problem(loading, i, "'%s' is no whole number; give one from %" PRIu64 " to %" PRIu64, text,
                rows[i].min, rows[i].max);
    else if (errno || value < rows[i].min || value > rows[i].max)
        problem(loading, i, "%s is out of range; give a number from %" PRIu64 " to %" PRIu64, text,
                rows[i].min, rows[i].max);
    else
        *(config_UINT *)field = value;
}

static void parse_bool(struct loading *loading, size_t i, const char *text, void *field)
{
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        problem(loading, i, "'%s' is neither yes nor no; write one of the two", text);
    else
        *(config_BOOL *)field = *text == 'y';
}

static void parse_text(struct loading *loading, size_t i, const char *text, void *field)
{
    const struct row *row = &rows[i];
    size_t n = strlen(text);

    for (const char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c) && !(row->type == LETTER && strchr("\t\r\n", *c))) {
            problem(loading, i, "holds a control character; %s",
                    row->type == LETTER ? "give it as it was made" : "write it on one line, without tabs");
            return;
        }
    if (n >= row->min && n <= row->max)
        *(config_TEXT *)field = text;
    else if (row->min == row->max)
        problem(loading, i, "is %s; it has %" PRIu64 " characters",
                n < row->min ? "too short" : "too long", row->min);
    else
        problem(loading, i, "is too %s; give %" PRIu64 " to %" PRIu64 " characters",
                n < row->min ? "short" : "long", row->min, row->max);
}

static void parse_path(struct loading *loading, size_t i, const char *text, void *field)
{
    if (*text != '/')
        problem(loading, i, "'%s' is no absolute path; begin it with '/'", text);
    else
        parse_text(loading, i, text, field);
}

static void parse_choice(struct loading *loading, size_t i, const char *text, void *field)
{
    const char *words = rows[i].fallback;
    size_t n = strlen(text);

    for (const char *word = words; word; word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL)
        if (strncmp(word, text, n) == 0 && (word[n] == '|' || word[n] == '\0')) {
            *(config_CHOICE *)field = text;
            return;
        }
    problem(loading, i, "'%s' is not known; choose one of %s", text, words);
}

static void parse_all(struct loading *loading)
{
    static void (*const parsers[])(struct loading *, size_t, const char *, void *) = {
        [UINT] = parse_uint, [BOOL] = parse_bool,   [TEXT] = parse_text,
        [PATH] = parse_path, [SECRET] = parse_text, [LETTER] = parse_text, [CHOICE] = parse_choice,
    };

    for (size_t i = 0; i < N_ROWS; i++) {
        const struct text *text = &loading->storage->texts[i];

        if (text->value && !text->bad)
            parsers[rows[i].type](loading, i, text->value,
                                  (char *)loading->config + rows[i].offset);
    }
}

/* --- rules: what no single row can say */

static bool public_host_missing(const struct config *config)
{
    return config_is_production(config) && !config->public_host;
}

static bool public_host_malformed(const struct config *config)
{
    const char *host = config->public_host;

    if (!host)
        return false;

    size_t n = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");
    if (n == 0 || host[0] == '.' || host[0] == '-')
        return true;
    if (host[n] == '\0')
        return false;

    unsigned long port = strtoul(host + n + 1, NULL, 10);
    size_t n_digits = strspn(host + n + 1, "0123456789");
    return host[n] != ':' || n_digits == 0 || n_digits > 5 || host[n + 1 + n_digits] || port < 1 ||
           port > 65535;
}

static bool token_missing(const struct config *config)
{
    return config_is_production(config) && !config->twilio_auth_token;
}

static bool next_token_alone(const struct config *config)
{
    return config->twilio_auth_token_next && !config->twilio_auth_token;
}

static bool account_sid_malformed(const struct config *config)
{
    const char *sid = config->twilio_account_sid;

    if (!sid)
        return false;
    return strncmp(sid, "AC", 2) != 0 || sid[2 + strspn(sid + 2, "0123456789abcdefABCDEF")];
}

static bool key_missing(const struct config *config)
{
    return config->tls_cert_file && !config->tls_key_file;
}

static bool certificate_missing(const struct config *config)
{
    return config->tls_key_file && !config->tls_cert_file;
}

static bool database_url_malformed(const struct config *config)
{
    return config->database_url && strncmp(config->database_url, "lmdb:///", 8) != 0;
}

static bool zone_unknown(const struct config *config)
{
    return config->timezone && when_zone(config->timezone) < 0;
}

static bool country_malformed(const struct config *config)
{
    const char *country = config->default_country;

    return country && (*country == '0' || country[strspn(country, "0123456789")]);
}

static bool number_malformed(const char *number)
{
    return number && (number[0] != '+' || number[1] == '0' || number[1 + strspn(number + 1, "0123456789")]);
}

static bool human_malformed(const struct config *config)
{
    return number_malformed(config->human_number);
}

static bool whatsapp_number_malformed(const struct config *config)
{
    return number_malformed(config->twilio_whatsapp_number);
}

static bool whatsapp_account_missing(const struct config *config)
{
    return config->twilio_whatsapp_number && !(config->twilio_account_sid && config->twilio_auth_token);
}

static bool stt_key_alone(const struct config *config)
{
    return config->stt_api_key && !config->stt_base_url;
}

static bool secret_malformed(const char *secret)
{
    uint8_t bytes[HOOK_SECRET_MAX];
    bool is_bad = secret && hook_secret_parse(secret, bytes) < 0;

    explicit_bzero(bytes, sizeof(bytes));
    return is_bad;
}

static bool event_secret_malformed(const struct config *config)
{
    return secret_malformed(config->event_webhook_secret);
}

static bool next_event_secret_malformed(const struct config *config)
{
    return secret_malformed(config->event_webhook_secret_next);
}

static bool next_event_secret_alone(const struct config *config)
{
    return config->event_webhook_secret_next && !config->event_webhook_secret;
}

static bool event_secret_missing(const struct config *config)
{
    return config->event_webhook_url && !config->event_webhook_secret;
}

static bool google_json_malformed(const struct config *config)
{
    const char *json = config->google_tts_sa_json;

    return json && json[strspn(json, " \t\r\n")] != '{';
}

static bool chat_key_alone(const struct config *config)
{
    return config->chat_api_key && !config->chat_base_url;
}

static const struct rule {
    const char *name;
    bool (*broken)(const struct config *config);
    bool daemon_only;
    const char *text;
} rules[] = {
    { "PUBLIC_HOST", public_host_missing, true,
      "is not set; production needs the public name under which Twilio reaches this machine" },
    { "PUBLIC_HOST", public_host_malformed, false,
      "is no host name; give the name alone, with a port if it is not 443, e.g. "
      "phone.example.com" },
    { "TWILIO_AUTH_TOKEN", token_missing, true,
      "is not set; production needs it to tell Twilio's webhooks from forged ones (Twilio console, "
      "account info)" },
    { "TWILIO_AUTH_TOKEN_NEXT", next_token_alone, false,
      "is set without TWILIO_AUTH_TOKEN; set that one first" },
    { "TWILIO_ACCOUNT_SID", account_sid_malformed, false,
      "is no account SID; that is AC and 32 hexadecimal digits (Twilio console, account info)" },
    { "TLS_KEY_FILE", key_missing, false, "is not set while TLS_CERT_FILE is; https needs both" },
    { "TLS_CERT_FILE", certificate_missing, false,
      "is not set while TLS_KEY_FILE is; https needs both" },
    { "DATABASE_URL", database_url_malformed, false,
      "names no store that is known here; write lmdb:// and an absolute path, e.g. "
      "lmdb:///var/lib/agentlocator/store" },
    { "DEFAULT_COUNTRY", country_malformed, false,
      "is no country code; write its digits alone, e.g. 972" },
    { "TIMEZONE", zone_unknown, false, "is no time zone that is known here; write e.g. Asia/Jerusalem, or install tzdata" },
    { "HUMAN_NUMBER", human_malformed, false,
      "is no telephone number; write + and the country code in front, without blanks, e.g. +97231234567" },
    { "STT_API_KEY", stt_key_alone, false,
      "is set without STT_BASE_URL, the only place it goes to; set that one first" },
    { "TWILIO_WHATSAPP_NUMBER", whatsapp_number_malformed, false,
      "is no international number; write + and the country code and the number, digits alone, e.g. +14155238886" },
    { "TWILIO_WHATSAPP_NUMBER", whatsapp_account_missing, false,
      "is set without TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN; messages are sent with them" },
    { "EVENT_WEBHOOK_SECRET", event_secret_malformed, false,
      "is no secret of Standard Webhooks; that is whsec_ and 24 to 64 bytes in base64: echo whsec_$(openssl rand -base64 32)" },
    { "EVENT_WEBHOOK_SECRET", event_secret_missing, true,
      "is not set while EVENT_WEBHOOK_URL is; without it nobody could tell our events from forged ones" },
    { "EVENT_WEBHOOK_SECRET_NEXT", next_event_secret_malformed, false,
      "is no secret of Standard Webhooks; that is whsec_ and 24 to 64 bytes in base64: echo whsec_$(openssl rand -base64 32)" },
    { "EVENT_WEBHOOK_SECRET_NEXT", next_event_secret_alone, false, "is set without EVENT_WEBHOOK_SECRET; set that one first" },
    { "GOOGLE_TTS_SA_JSON", google_json_malformed, false,
      "is no JSON; give it the content of the key file (its path goes into GOOGLE_APPLICATION_CREDENTIALS)" },
    { "CHAT_API_KEY", chat_key_alone, false,
      "is set without CHAT_BASE_URL; the key of OPENAI_BASE_URL is OPENAI_API_KEY" },
};

/* Returns: where the row of a name is; every name that is asked for has one. */
static size_t row_of(const char *name)
{
    size_t i = 0;

    while (strcmp(rows[i].name, name) != 0)
        i++;
    return i;
}

static void hold_to_rules(struct loading *loading)
{
    for (size_t r = 0; r < ELEMENTSOF(rules); r++) {
        size_t i = row_of(rules[r].name);

        if (!loading->storage->texts[i].bad && !(loading->tool && rules[r].daemon_only) && rules[r].broken(loading->config))
            problem(loading, i, "%s", rules[r].text);
    }
}

/* Where other services are, and what they are let in by: that goes nowhere else, and not in the open. */
static const struct endpoint {
    const char *url, *key, *other_key; /* names of settings; other_key may be NULL */
} endpoints[] = {
    { "OPENAI_BASE_URL", "OPENAI_API_KEY", NULL },
    { "STT_BASE_URL", "STT_API_KEY", NULL },
    { "CHAT_BASE_URL", "CHAT_API_KEY", NULL },
    { "GOOGLE_TTS_BASE_URL", "GOOGLE_TTS_SA_JSON", "GOOGLE_APPLICATION_CREDENTIALS" },
    { "TWILIO_BASE_URL", "TWILIO_AUTH_TOKEN", NULL },
};

/* What goes to a URL, and is nobody else's business; "" nothing. */
struct freight {
    const char *what, *example, *remedy;
};

static void judge_url(struct loading *loading, size_t i, const char *url, const struct freight *freight)
{
    if (!url_is_service(url))
        problem(loading, i, "is no URL; write https://HOST/%s, or http:// for a server on this machine", freight->example);
    else if (!*freight->what || !url_is_exposed(url))
        return;
    else if (config_is_production(loading->config) && !loading->tool)
        problem(loading, i, "would take %s over the network in the open; %s", freight->what, freight->remedy);
    else
        fprintf(loading->problems, "warning: %s: takes %s over the network in the open; production needs https://\n",
                rows[i].name, freight->what);
}

static void judge_endpoint(struct loading *loading, const struct endpoint *endpoint)
{
    size_t i = row_of(endpoint->url);
    const struct text *url = &loading->storage->texts[i];
    bool has_key = loading->storage->texts[row_of(endpoint->key)].value ||
                   (endpoint->other_key && loading->storage->texts[row_of(endpoint->other_key)].value);

    if (url->value && !url->bad)
        judge_url(loading, i, url->value,
                  &(struct freight){ has_key ? endpoint->key : "", "v1", "write https://, or leave the key out" });
}

static void judge_hooks(struct loading *loading)
{
    size_t i = row_of("EVENT_WEBHOOK_URL");
    const char *urls = loading->config->event_webhook_url;
    struct hook_list list;
    const char *wrong = urls ? hook_list_parse(urls, &list) : NULL;

    if (wrong)
        problem(loading, i, "%s", wrong);
    for (size_t n = 0; urls && !wrong && n < list.n && !loading->storage->texts[i].bad; n++)
        judge_url(loading, i, list.places[n].url, &(struct freight){ "what callers say", "PATH", "write https://" });
}

static void judge_origins(struct loading *loading)
{
    const char *origins = loading->config->cors_origins, *wrong = origins ? origins_problem(origins) : NULL;

    if (wrong)
        problem(loading, row_of("CORS_ORIGINS"), "%s", wrong);
}

static void judge_tokens(struct loading *loading)
{
    struct token_list list;
    const char *tokens = loading->config->api_token, *wrong = tokens ? token_list_parse(tokens, &list) : NULL;

    if (wrong)
        problem(loading, row_of("API_TOKEN"), "%s", wrong);
}

/* --- public */

static int load(bool tool, const char *env_file, FILE *problems, struct config **ret_config)
{
    scoped(config_free) struct config *config = calloc(1, sizeof(*config));
    if (!config)
        return -ENOMEM;
    config->storage = calloc(1, sizeof(struct storage));
    if (!config->storage)
        return -ENOMEM;

    struct loading loading = {
        .env_file = env_file,
        .problems = problems,
        .config = config,
        .storage = config->storage,
        .tool = tool,
    };
    int r = gather_all(&loading);
    if (r < 0)
        return r;
    parse_all(&loading);
    hold_to_rules(&loading);
    judge_tokens(&loading);
    judge_origins(&loading);
    for (size_t i = 0; i < ELEMENTSOF(endpoints); i++)
        judge_endpoint(&loading, &endpoints[i]);
    judge_hooks(&loading);
    if (loading.failed)
        return -EINVAL;

    *ret_config = steal(&config);
    return 0;
}

int config_load(const char *env_file, FILE *problems, struct config **ret_config)
{
    return load(false, env_file, problems, ret_config);
}

int config_load_tool(const char *env_file, FILE *problems, struct config **ret_config)
{
    return load(true, env_file, problems, ret_config);
}

void config_free(struct config *config)
{
    struct storage *storage = config ? config->storage : NULL;

    for (size_t i = 0; storage && i < N_ROWS; i++)
        text_done(&storage->texts[i]);
    free(storage);
    free(config);
}

bool config_is_production(const struct config *config)
{
    return config->app_env && strcmp(config->app_env, "production") == 0;
}

const char *config_openai_url(const struct config *config)
{
    bool is_default = strcmp(config->openai_base_url, "https://api.openai.com/v1") == 0;

    return config->openai_api_key || !is_default ? config->openai_base_url : NULL;
}

const char *config_stt_url(const struct config *config)
{
    return config->stt_base_url ? config->stt_base_url : config_openai_url(config);
}

const char *config_chat_url(const struct config *config)
{
    if (strcmp(config->chat_model, "none") == 0)
        return NULL;
    return config->chat_base_url ? config->chat_base_url : config_openai_url(config);
}

const char *config_chat_key(const struct config *config)
{
    return config->chat_base_url ? config->chat_api_key : config->openai_api_key;
}

const char *config_stt_key(const struct config *config)
{
    return config->stt_base_url ? config->stt_api_key : config->openai_api_key;
}

const char *config_tts_url(const struct config *config)
{
    return strcmp(config->openai_tts_model, "none") == 0 ? NULL : config_openai_url(config);
}

const char *config_database_path(const struct config *config)
{
    return config->database_url + strlen("lmdb://");
}

bool config_stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM"); /* device:inode of what systemd made */
    char ours[64];
    struct stat st;

    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    (void)snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, ours) == 0;
}

bool config_setting(const struct config *config, size_t i, struct config_setting *ret_setting)
{
    const struct storage *storage = config->storage;

    if (i >= N_ROWS)
        return false;
    const struct text *text = &storage->texts[i];
    *ret_setting = (struct config_setting){
        .name = rows[i].name,
        .value = text->value && (rows[i].type == SECRET || rows[i].type == LETTER) ? masked : text->value,
        .source = text->source,
    };
    return true;
}
