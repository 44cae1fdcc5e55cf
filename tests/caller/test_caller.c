/*
 * test_caller.c - whole simulated calls in virtual time
 *
 * A scene is a list of what the server does when; the test is the list of what
 * the caller did and noticed, with times in ms since the stream opened.
 */
#include "caller/caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "utils/base64.h"

#define SID "MZ00000000000000000000000000000001"

enum { OPEN_US = 1000000 };

static struct {
    char text[4096];
    unsigned n_media, n_silent;
    uint64_t now_us;
} seen;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    size_t n = strlen(seen.text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(seen.text + n, sizeof(seen.text) - n, format, args);
    va_end(args);
}

static unsigned ms(uint64_t us)
{
    return (unsigned)((us - OPEN_US) / 1000);
}

static void on_send(void *user, enum ws_opcode opcode, const char *bytes, size_t n)
{
    char event[16] = "";

    if (opcode == WS_PING) {
        note("ping@%u ", ms(seen.now_us));
        return;
    }
    (void)sscanf(bytes, "{\"event\":\"%15[a-z]", event);
    if (strcmp(event, "media") == 0) {
        seen.n_media++;
        seen.n_silent += strstr(bytes, "\"////////") != NULL;
        return;
    }
    if (strcmp(event, "dtmf") == 0)
        note("key%c", strstr(bytes, "digit\":\"")[8]);
    else
        note("%s", event);
    note("@%u ", ms(seen.now_us));
}

static void on_event(void *user, const struct caller_event *event)
{
    static const char *const names[] = {
        [CALLER_AGENT_STARTS] = "agent+", [CALLER_AGENT_ENDS] = "agent-", [CALLER_SPEAKS] = "speaks",
        [CALLER_CLEARED] = "cleared", [CALLER_IMPATIENT] = "impatient", [CALLER_HANGS_UP] = "bye",
    };

    note("%s@%u", names[event->kind], ms(event->at_us));
    if (event->kind == CALLER_SPEAKS)
        note(":%s", event->turn->file);
    else if (event->took_us)
        note("(%u)", (unsigned)(event->took_us / 1000));
    if (event->reaction_us >= 0 && event->kind != CALLER_SPEAKS)
        note("[%d]", (int)(event->reaction_us / 1000));
    note(" ");
}

static void on_breach(void *user, enum breach breach, const char *detail)
{
    note("BREACH%d@%u ", breach_kind(breach)->code, ms(seen.now_us));
}

static const struct caller_ops ops = { on_send, on_event, on_breach, NULL };

/* --- scenes */

enum act_kind { ACT_AUDIO, ACT_QUIET, ACT_MARK, ACT_CLEAR, ACT_PONG, ACT_CLOSE, ACT_END };

struct act {
    unsigned at_ms;
    enum act_kind kind;
    unsigned n; /* ms of audio; the close code */
};

static void perform(struct caller *caller, const struct act *act)
{
    static uint8_t audio[80000];
    static char text[BASE64_SIZE(sizeof(audio)) + 200], payload[BASE64_SIZE(sizeof(audio)) + 1];

    switch (act->kind) {
    case ACT_AUDIO:
    case ACT_QUIET:
        memset(audio, act->kind == ACT_AUDIO ? 0x20 : 0xFF, act->n * 8);
        base64_encode(audio, act->n * 8, payload);
        payload[BASE64_SIZE(act->n * 8)] = '\0';
        (void)snprintf(text, sizeof(text), "{\"event\":\"media\",\"streamSid\":\"" SID "\",\"media\":{\"payload\":\"%s\"}}", payload);
        break;
    case ACT_MARK:
        strcpy(text, "{\"event\":\"mark\",\"streamSid\":\"" SID "\",\"mark\":{\"name\":\"m\"}}");
        break;
    case ACT_CLEAR:
        strcpy(text, "{\"event\":\"clear\",\"streamSid\":\"" SID "\"}");
        break;
    case ACT_PONG:
        caller_pong(caller, (const uint8_t *)"are you there?", 14);
        return;
    default:
        caller_server_closed(caller, (int)act->n, seen.now_us);
        return;
    }
    caller_text(caller, text, strlen(text), seen.now_us);
}

static uint8_t speech[8000]; /* 800 ms of sound, 200 ms of silence */

static struct script_turn turns[] = {
    { .kind = SCRIPT_SPEECH, .barge_ms = SCRIPT_NO_BARGE, .file = "A", .ulaw = speech, .n_ulaw = 8000, .to = 6400 },
    { .kind = SCRIPT_KEYS, .barge_ms = SCRIPT_NO_BARGE, .file = "K", .keys = "1w#" },
    { .kind = SCRIPT_SILENCE, .barge_ms = SCRIPT_NO_BARGE, .file = "S", .silence_us = 3000000 },
    { .kind = SCRIPT_SPEECH, .barge_ms = 300, .file = "B", .ulaw = speech, .n_ulaw = 8000, .to = 6400 },
};

static const struct {
    const char *what;
    const char *script; /* letters of the turns above */
    struct act acts[12];
    unsigned end_ms;
    const char *want;
} scenes[] = {
    { "start follows connected by a frame, and only then may the server send", "",
      { { 10, ACT_CLEAR, 0 }, { 20, ACT_CLEAR, 0 }, { 20, ACT_PONG, 0 }, { 0, ACT_END, 0 } }, 100,
      "connected@0 BREACH31951@10 start@20 ping@20 cleared@20 " },
    { "a turn begins a pause after the agent's last sound; the reaction counts from ours", "A",
      { { 100, ACT_AUDIO, 500 }, { 100, ACT_MARK, 0 }, { 150, ACT_PONG, 0 }, { 2700, ACT_AUDIO, 200 }, { 0, ACT_END, 0 } }, 4000,
      "connected@0 start@20 ping@20 agent+@100 mark@600 agent-@600(500) speaks@1200:A agent+@2700[720] agent-@2900(200) " },
    { "an answer that begins in the silent end of our recording is one", "AK",
      { { 100, ACT_AUDIO, 500 }, { 2050, ACT_AUDIO, 200 }, { 0, ACT_END, 0 } }, 3000,
      "connected@0 start@20 ping@20 agent+@100 agent-@600(500) speaks@1200:A agent+@2050[70] agent-@2250(200) speaks@2860:K key1@2860 " },
    { "quiet audio that is queued keeps nobody waiting, a pause inside speech does", "K",
      { { 100, ACT_AUDIO, 100 }, { 100, ACT_QUIET, 900 }, { 100, ACT_AUDIO, 100 }, { 100, ACT_QUIET, 5000 }, { 0, ACT_END, 0 } }, 2500,
      "connected@0 start@20 ping@20 agent+@100 agent-@1200(1100) speaks@1800:K key1@1800 " },
    { "keys come a quarter of a second apart, w waits, and the answer counts from the last", "K",
      { { 100, ACT_AUDIO, 100 }, { 3000, ACT_AUDIO, 100 }, { 0, ACT_END, 0 } }, 3200,
      "connected@0 start@20 ping@20 agent+@100 agent-@200(100) speaks@800:K key1@800 key#@1540 agent+@3000[1460] " },
    { "patience ends", "K", { { 0, ACT_END, 0 } }, 12100, "connected@0 start@20 ping@20 impatient@12000 speaks@12000:K key1@12000 " },
    { "after a silence nobody needs to be asked again", "SK",
      { { 100, ACT_AUDIO, 100 }, { 0, ACT_END, 0 } }, 4500,
      "connected@0 start@20 ping@20 agent+@100 agent-@200(100) speaks@800:S speaks@4400:K key1@4400 " },
    { "barging in: the voice stops at the clear, and the next turn waits for a real answer", "BK",
      { { 100, ACT_AUDIO, 3000 }, { 100, ACT_MARK, 0 }, { 700, ACT_CLEAR, 0 }, { 2000, ACT_AUDIO, 100 }, { 0, ACT_END, 0 } }, 2800,
      "connected@0 start@20 ping@20 agent+@100 speaks@400:B mark@700 cleared@700(2400)[320] agent-@700(600) agent+@2000[820] "
      "agent-@2100(100) speaks@2700:K key1@2700 " },
    { "an agent who leaves too early leaves something unheard", "",
      { { 100, ACT_AUDIO, 500 }, { 150, ACT_PONG, 0 }, { 300, ACT_CLOSE, 1000 }, { 0, ACT_END, 0 } }, 400,
      "connected@0 start@20 ping@20 agent+@100 agent-@600(500) BREACH0@300 " },
    { "an agent who leaves in order", "",
      { { 100, ACT_AUDIO, 100 }, { 150, ACT_PONG, 0 }, { 300, ACT_CLOSE, 1000 }, { 0, ACT_END, 0 } }, 400,
      "connected@0 start@20 ping@20 agent+@100 agent-@200(100) " },
    { "an agent who breaks off, and never answered the ping", "",
      { { 1500, ACT_CLOSE, 1006 }, { 0, ACT_END, 0 } }, 1600, "connected@0 start@20 ping@20 BREACH31903@1500 BREACH31924@1500 " },
    { "when all is said and nobody speaks, the caller hangs up", "K",
      { { 100, ACT_AUDIO, 100 }, { 150, ACT_PONG, 0 }, { 0, ACT_END, 0 } }, 13000,
      "connected@0 start@20 ping@20 agent+@100 agent-@200(100) speaks@800:K key1@800 key#@1540 stop@11780 bye@11780 " },
};

static void make_script(const char *letters, struct script *script)
{
    script->turns = calloc(strlen(letters) + 1, sizeof(*script->turns));
    script->n_turns = 0;
    for (; script->turns && *letters; letters++)
        for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++)
            if (turns[i].file[0] == *letters)
                script->turns[script->n_turns++] = turns[i];
}

/* Step from deadline to deadline and act to act, as a real loop would. */
static void play(struct caller *caller, const struct act *acts, uint64_t end_us)
{
    caller_open(caller, OPEN_US);
    for (;;) {
        uint64_t act_us = acts->kind == ACT_END ? UINT64_MAX : OPEN_US + acts->at_ms * 1000ull;
        uint64_t due_us = caller_deadline(caller);

        seen.now_us = act_us < due_us ? act_us : due_us;
        if (seen.now_us >= end_us)
            return;
        if (due_us <= act_us)
            caller_tick(caller, seen.now_us);
        else
            perform(caller, acts++);
    }
}

static struct caller *make_caller(const struct script *script)
{
    const struct caller_options options = {
        .account_sid = "AC1", .call_sid = "CA1", .stream_sid = SID, .script = script,
        .pause_us = 600000, .patience_us = 12000000, .linger_us = 10000000,
    };
    struct caller *caller = NULL;

    memset(&seen, 0, sizeof(seen));
    seen.now_us = OPEN_US;
    return caller_new(&options, &ops, NULL, &caller) == 0 ? caller : NULL;
}

static void test_scenes(void)
{
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        struct script script;
        make_script(scenes[i].script, &script);
        struct caller *caller = make_caller(&script);

        if (!caller)
            continue;
        play(caller, scenes[i].acts, OPEN_US + scenes[i].end_ms * 1000ull);
        is_str(seen.text, scenes[i].want, scenes[i].what);
        caller_free(caller);
        free(script.turns);
    }
}

static void test_pace(void)
{
    struct script script;
    make_script("A", &script);
    struct caller *caller = make_caller(&script);

    if (!caller)
        return;
    static const struct act acts[] = { { 100, ACT_AUDIO, 500 }, { 0, ACT_END, 0 } };
    play(caller, acts, OPEN_US + 2240000);
    is_int(seen.n_media, 110, "fifty frames a second from the first on");
    is_int(seen.n_silent, 70, "forty of them speech, the rest silence");

    seen.now_us = OPEN_US + 2340000;
    caller_tick(caller, seen.now_us);
    is_int(seen.n_media, 116, "after a stall the frames that are due leave at once");
    caller_free(caller);
    free(script.turns);
}

static void test_trim(void)
{
    int16_t pcm[8000] = { 0 };
    size_t from, to;

    script_trim(pcm, 8000, &from, &to);
    ok(from == 0 && to == 0, "silence has no speech in it");
    for (size_t i = 2000; i < 4000; i++)
        pcm[i] = i % 2 ? 8000 : -8000;
    pcm[6000] = 20000;
    script_trim(pcm, 8000, &from, &to);
    ok(from == 2000 && to == 4000, "speech is found, a click after it is none");
}

int main(void)
{
    memset(speech, 0xFF, sizeof(speech));
    memset(speech, 0x20, 6400);
    test_scenes();
    test_pace();
    test_trim();
    return done_testing();
}
