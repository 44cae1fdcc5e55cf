/*
 * test_dialogue.c - whole conversations in virtual time
 *
 * A script is a table of what the caller does; what the store would keep of the call is compared with the
 * text beside it. "--" ends a sentence that was cut, "@" names the file of kept audio. Then random calls.
 */
#include "fake_call.h"
#include "scratch.h"
#include "tap.h"
#include "utils/scoped.h"

enum { OPS_MAX = 14, CALL_MAX_MS = 180000 };

enum op_kind {
    OP_NONE,
    HEAR,    /* until the voice is silent */
    SPEAK,   /* words of that many ms, begun `after` ms from now */
    KEYS,    /* pressed from `after` ms on */
    PASS,    /* `after` ms */
    HANG_UP, /* after `after` ms */
};

struct op {
    enum op_kind kind;
    uint32_t after;
    const char *text;
    uint32_t ms;
};

struct script {
    const char *what;
    unsigned faults, deaf_to;
    const char *from, *name;
    struct op ops[OPS_MAX];
    const char *want;
};

#define OWN "0 5 0, 1 2 3, 4 5 6 7"
#define GREET "agent: Hello, you have reached Acme. How can we help you?\n"
#define GREET_KNOWN "agent: Hello Dana, you have reached Acme. How can we help you?\n"
#define ASK_NAME "agent: Thank you. May I have your name, please?\n"
#define ASK_OWN "agent: Shall we call you back on the number you are calling from, " OWN "?\n"
#define ASK_OWN_CUT "agent: Shall we call you back on the number you are calling from,--\n"
#define ASK_NUMBER                                                                                                     \
    "agent: On which number can we call you back? Say it digit by digit, or key it and press the hash key.\n"
#define BYE "agent: Thank you. I have noted everything, and we will be in touch soon. Goodbye.\n"
#define BYE_SILENCE                                                                                                    \
    "agent: I could not hear anybody, so I will hang up now. Please call again at any time. Goodbye.\n"
#define NEED_DONE { HEAR }, { SPEAK, 700, "a room", 900 }
#define NEED_LOG "caller: a room\nlearnt: need=a room\n"
#define END_AGENT "end: 2\n"
#define END_CALLER "end: 1\n"
#define END_SILENCE "end: 3\n"

static const struct script scripts[] = {
    {
        "all understood", 0, 0, "+972501234567", "",
        { NEED_DONE, { HEAR }, { SPEAK, 500, "my name is dana", 1200 }, { HEAR }, { SPEAK, 500, "yes", 400 } },
        GREET "learnt: need=a room\ncaller: a room\n" ASK_NAME "learnt: name=Dana\ncaller: my name is dana\n" ASK_OWN
              "learnt: callback=+972501234567\ncaller: yes\n" BYE END_AGENT,
    },
};

static struct profile *english;

static uint64_t play(struct fake_call *call, const struct op *ops)
{
    unsigned n_said = 0;

    for (size_t i = 0; i < OPS_MAX && ops[i].kind != OP_NONE; i++) {
        uint64_t until_ms = call->now_ms + ops[i].after;
        switch (ops[i].kind) {
        case HEAR:
            for (until_ms = call->now_ms + 60000; call->now_ms < until_ms && !call->n_hung_up;) {
                fake_run(call, call->now_ms + 20);
                if (call->n_said > n_said && call->now_ms > call->sounded_ms + FAKE_MARK_MS && !call->held)
                    break;
            }
            n_said = call->n_said;
            break;
        case SPEAK:
            fake_speak(call, until_ms, ops[i].ms, ops[i].text);
            fake_run(call, until_ms + ops[i].ms + FAKE_OFFSET_MS + call->stt_ms);
            break;
        case KEYS:
            fake_keys(call, until_ms, ops[i].text);
            fake_run(call, until_ms + 250 * strlen(ops[i].text));
            break;
        case HANG_UP:
            fake_event(call, DIALOGUE_HANG_UP, until_ms)->event.end = CALL_END_CALLER;
            fake_run(call, until_ms);
            break;
        default:
            fake_run(call, until_ms);
            break;
        }
    }
    fake_run(call, call->now_ms + CALL_MAX_MS + 60000);
    return call->now_ms;
}

static struct fake_call *fake_new(const struct agent_caller *caller, unsigned faults, unsigned deaf_to)
{
    struct fake_call *call = calloc(1, sizeof(*call));
    struct dialogue_options options = { .profile = english, .language = "en", .call_max_ms = CALL_MAX_MS };

    if (!call)
        exit(99);
    call->faults = faults;
    call->deaf_to = deaf_to;
    call->stt_ms = 80;
    call->now_ms = 1000;
    options.can_transcribe = fake_can;
    options.user = call;
    if (dialogue_new(&options, &call->dialogue) < 0 || agent_new(english, caller, &call->agent) < 0)
        exit(99);
    fake_answer(call);
    return call;
}

static void fake_free(struct fake_call *call)
{
    dialogue_free(call->dialogue);
    agent_free(call->agent);
    free(call);
}

static void test_script(const struct script *script)
{
    struct agent_caller caller = { script->from, script->name, "972", script->deaf_to };
    struct fake_call *call = fake_new(&caller, script->faults, script->deaf_to);

    play(call, script->ops);
    fake_finish(call);
    if (!ok(strcmp(call->log, script->want) == 0 && !call->n_bad, "%s", script->what))
        printf("# %u breaches; got:\n%s# --\n", call->n_bad, call->log);
    fake_free(call);
}

int main(void)
{
    char problems[1024];

    if (!ok(profile_load("receptionist-en", "Acme", problems, sizeof(problems), &english) == 0, "English loads"))
        return done_testing();
    for (size_t i = 0; i < ELEMENTSOF(scripts); i++)
        test_script(&scripts[i]);
    profile_free(english);
    return done_testing();
}
