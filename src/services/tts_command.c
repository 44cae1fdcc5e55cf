/*
 * tts_command.c - a voice that is a command of the operator's: text on stdin, WAV on stdout
 *
 * This is how a local voice under any licence (piper, espeak-ng, RHVoice) is plugged in without
 * being linked. The command is a line of shell; it is told the language and TTS_VOICE in its
 * environment and nothing else of ours.
 */
#include "services/tts_engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "utils/log.h"
#include "utils/process.h"
#include "utils/scoped.h"

enum { DEADLINE_MS = 10000, OUTPUT_MAX = 16 * MIB };

static bool command_can(const struct config *config, const char *language)
{
    return config->tts_command != NULL;
}

static char *command_identity(const struct config *config)
{
    return strdup(config->tts_command ? config->tts_command : "");
}

static int command_render(const struct config *config, const char *language, const char *text,
                          struct wav *ret_wav)
{
    char language_is[64], voice_is[64];
    const char *const argv[] = { "/bin/sh", "-c", config->tts_command, NULL };
    const char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
        language_is, voice_is, NULL
    };
    struct process process = { argv, environment, text, strlen(text), OUTPUT_MAX, DEADLINE_MS };
    scoped(free) char *bytes = NULL;
    const char *why;
    size_t n = 0;

    (void)snprintf(language_is, sizeof(language_is), "AGENTLOCATOR_LANGUAGE=%s", language);
    (void)snprintf(voice_is, sizeof(voice_is), "AGENTLOCATOR_VOICE=%s",
                   config->tts_voice ? config->tts_voice : "");
    int r = process_run(&process, &bytes, &n);
    if (r < 0) {
        log_limited(LOG_WARNING, NULL, "TTS_COMMAND failed: %s", strerror(-r));
        return r;
    }
    r = wav_parse(bytes, n, ret_wav, &why);
    if (r < 0)
        log_limited(LOG_WARNING, NULL, "TTS_COMMAND wrote %zu bytes that are no WAV we take: %s", n,
                    why);
    return r;
}

const struct tts_engine tts_command = { "command", command_can, command_identity, command_render, NULL };
