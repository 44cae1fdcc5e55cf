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
    TALK,    /* the same, but go on with the script at once */
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
    const char *const *replies; /* see fake_call.h */
};

#define REPLIES(...) (const char *const[]){ __VA_ARGS__, NULL }
#define HELLO "0 Hello, how can I help you?"
#define HELLO_SAID "agent: Hello, how can I help you?\n"
#define ROOM_ASKED "asked: heard a room\n"

#define A_ROOM { HEAR }, { SPEAK, 700, "a room", 900 }

/* What is kept, a line each. */
#define GREET "agent: Hello, you have reached Acme. How can we help you?\n"
#define GREET_KNOWN "agent: Hello, you have reached Acme. Hello again, Dana. How can we help you?\n"
#define GREET_CUT "agent: Hello, you have reached Acme.--\n"
#define ASK_NEED_AGAIN \
    "agent: Sorry, I did not get that. Please say in a few words what you are calling about.\n"
#define ASK_NEED_KEYPAD \
    "agent: Please say what you are calling about now, and press the hash key when you have finished.\n"
#define ASK_NAME "agent: Thank you. May I have your name, please?\n"
#define ASK_OWN "agent: Shall we call you back on the number you are calling from? It is 0 5 0, 1 2 3, 4 5 6 7.\n"
#define ASK_OWN_AGAIN \
    "agent: Sorry, yes or no: shall we call you back on the number you are calling from? It is 0 5 0, 1 2 3, 4 5 6 7.\n"
#define ASK_OWN_KEYPAD \
    "agent: To be called back on the number you are calling from, press 1. For another number, press 2.\n"
#define ASK_NUMBER \
    "agent: On which number can we call you back? Say it digit by digit, or key it and press the hash key.\n"
#define ASK_NUMBER_AGAIN \
    "agent: Sorry, I did not get the number. Please say it once more, slowly, one digit at a time.\n"
#define ASK_NUMBER_KEYPAD \
    "agent: Please key the number, then press the hash key. The star key starts again.\n"
#define CHECK "agent: This is the number I have noted: 0 5 2, 7 6 5, 4 3 2 1. Is that right?\n"
#define BYE "agent: Thank you. I have noted everything, and we will be in touch soon. Goodbye.\n"
#define BYE_SILENCE \
    "agent: I could not hear anybody, so I will hang up now. Please call again at any time. Goodbye.\n"
#define OWN_YES "learnt: callback=+972501234567\ncaller: yes\n"
#define ROOM "learnt: need=a room\ncaller: a room\n"
#define ROOM_KEPT "learnt: need_audio=rec/1.wav\ncaller:  @rec/1.wav\n"
#define RESUMED "(resumed)\n"
#define END_CALLER "end: 1\n"
#define END_AGENT "end: 2\n"
#define END_SILENCE "end: 3\n"
#define END_TROUBLE "end: 11\n"

static const struct script scripts[] = {
    {
        "all understood", 0, 0, "+972501234567", "",
        { A_ROOM, { HEAR }, { SPEAK, 500, "my name is dana", 1200 }, { HEAR }, { SPEAK, 500, "yes", 400 } },
        GREET ROOM ASK_NAME "learnt: name=Dana\n" "caller: my name is dana\n" ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "a known caller, a number in two breaths, corrected at the read-back", 0, 0, "+972501234567", "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 500, "no", 300 }, { HEAR }, { SPEAK, 900, "oh five two seven six five", 2500 },
          { SPEAK, 1500, "four three two two", 1500 }, { HEAR }, { SPEAK, 600, "no that's wrong", 700 }, { HEAR },
          { SPEAK, 600, "oh five two seven six five", 2500 }, { SPEAK, 900, "four three two one", 1500 }, { HEAR },
          { SPEAK, 600, "yes", 300 } },
        GREET_KNOWN ROOM ASK_OWN "caller: no\n" ASK_NUMBER "learnt: callback_heard=0527654322\n"
            "caller: oh five two seven six five four three two two\n"
            "agent: This is the number I have noted: 0 5 2, 7 6 5, 4 3 2 2. Is that right?\n" "caller: no that's wrong\n"
            ASK_NUMBER_AGAIN "learnt: callback_heard=0527654321\n"
            "caller: oh five two seven six five four three two one\n" CHECK "learnt: callback=+972527654321\n"
            "caller: yes\n" BYE END_AGENT,
    },
    {
        "keypad: a number with hash, a star, yes by 1", 0, 0, "", "Dana",
        { A_ROOM, { HEAR }, { KEYS, 800, "05*0527654321#" }, { HEAR }, { KEYS, 500, "1" } },
        GREET_KNOWN ROOM ASK_NUMBER "learnt: callback_heard=0527654321\n" "caller keys: 0527654321\n" CHECK
            "learnt: callback=+972527654321\n" "caller keys: 1\n" BYE END_AGENT,
    },
    {
        "keys over the voice; no hash: three seconds end the number", 0, 0, "", "Dana",
        { { PASS, 1500 }, { SPEAK, 0, "a room", 900 }, { PASS, 2500 }, { KEYS, 0, "0527654321" }, { PASS, 3600 },
          { KEYS, 0, "1#" } },
        GREET_CUT ROOM "agent: On which number can we call you back?--\n"
            "learnt: callback_heard=0527654321\n" "caller keys: 0527654321\n" "agent: This is the--\n"
            "learnt: callback=+972527654321\n" "caller keys: 1\n" BYE END_AGENT,
    },
    {
        "keys win over speech of the same turn", 0, 0, "", "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 500, "oh five two", 900 }, { KEYS, 100, "0527" }, { SPEAK, 200, "seven", 400 },
          { KEYS, 100, "654321#" }, { HEAR }, { KEYS, 500, "1" } },
        GREET_KNOWN ROOM ASK_NUMBER "learnt: callback_heard=0527654321\n" "caller keys: 0527654321\n" CHECK
            "learnt: callback=+972527654321\n" "caller keys: 1\n" BYE END_AGENT,
    },
    {
        "hang-up over the voice", 0, 1 << ANSWER_FREE, "+972501234567", "Dana",
        { { PASS, 1500 }, { TALK, 0, "a room", 3000 }, { HANG_UP, 2000 } },
        GREET_CUT ROOM_KEPT END_CALLER,
    },
    {
        "barge-in with the answer", 0, 0, "+972501234567", "Dana",
        { A_ROOM, { PASS, 3500 }, { SPEAK, 0, "yes yes", 800 } },
        GREET_KNOWN ROOM "agent: Shall we call you back on the number you are calling from? It--\n"
            "learnt: callback=+972501234567\n" "caller: yes yes\n" BYE END_AGENT,
    },
    {
        "no barge-in: no words", 0, 0, "+972501234567", "Dana",
        { A_ROOM, { PASS, 3500 }, { SPEAK, 0, "", 900 }, { HEAR }, { SPEAK, 500, "yes", 400 } },
        GREET_KNOWN ROOM RESUMED ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "no barge-in: mm hmm at a free question", 0, 0, "+972501234567", "Dana",
        { { PASS, 1000 }, { SPEAK, 0, "mm", 300 }, { HEAR }, { SPEAK, 500, "a room", 900 }, { HEAR },
          { SPEAK, 500, "yes", 400 } },
        RESUMED GREET_KNOWN ROOM ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "hello, a breath, and the sentence over the greeting: all of it is kept", 0, 1 << ANSWER_FREE,
        "+972501234567", "Dana",
        { { PASS, 1500 }, { TALK, 0, "hello", 400 }, { SPEAK, 800, "a room", 900 }, { HEAR },
          { SPEAK, 500, "yes", 400 } },
        GREET_CUT ROOM_KEPT ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "mm that nobody can transcribe: the greeting goes on", 0, 1 << ANSWER_FREE, "+972501234567", "Dana",
        { { PASS, 1000 }, { SPEAK, 0, "mm", 300 }, { HEAR }, { SPEAK, 500, "a room", 900 }, { HEAR },
          { SPEAK, 500, "yes", 400 } },
        RESUMED GREET_KNOWN "learnt: need_audio=rec/2.wav\n" "caller:  @rec/2.wav\n" ASK_OWN OWN_YES BYE
            END_AGENT,
    },
    {
        "um is no answer to a free question, yet", 0, 0, "+972501234567", "Dana",
        { { HEAR }, { SPEAK, 500, "um", 400 }, { SPEAK, 2500, "a room", 900 }, { HEAR }, { SPEAK, 500, "uh huh", 400 } },
        GREET_KNOWN ROOM ASK_OWN "learnt: callback=+972501234567\n" "caller: uh huh\n" BYE END_AGENT,
    },
    {
        "an answer into the last word of the question", 0, 0, "+972501234567", "Dana",
        { A_ROOM, { PASS, 5200 }, { SPEAK, 0, "yes", 400 } },
        GREET_KNOWN ROOM ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "a noisy line stops the voice three times, not four", 0, 0, "+972501234567", "Dana",
        { A_ROOM, { PASS, 1800 }, { SPEAK, 0, "", 400 }, { SPEAK, 300, "", 400 }, { SPEAK, 300, "", 400 },
          { SPEAK, 300, "", 400 }, { HEAR }, { SPEAK, 500, "yes", 400 } },
        GREET_KNOWN ROOM RESUMED RESUMED RESUMED ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "the rest of an answer, said into the first word of the reply", 0, 0, "+972501234567", "",
        { A_ROOM, { PASS, 900 }, { SPEAK, 0, "for two nights", 900 }, { HEAR }, { SPEAK, 500, "dana", 500 }, { HEAR },
          { SPEAK, 500, "yes", 400 } },
        GREET ROOM "agent: Thank you.--\n" "learnt: need=a room for two nights\n" "caller: for two nights\n"
            ASK_NAME "learnt: name=Dana\n" "caller: dana\n" ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "nobody can transcribe a free answer: it is kept", 0, 1 << ANSWER_FREE, "+972501234567", "",
        { A_ROOM, { SPEAK, 400, "for two nights", 900 }, { HEAR }, { SPEAK, 500, "dana", 500 }, { HEAR },
          { SPEAK, 500, "yes", 400 } },
        GREET ROOM_KEPT ASK_NAME "learnt: name_audio=rec/3.wav\n" "caller:  @rec/3.wav\n" ASK_OWN OWN_YES
            BYE END_AGENT,
    },
    {
        "nobody can transcribe anything: keypad", 0, 31, "+972501234567", "",
        { A_ROOM, { HEAR }, { SPEAK, 500, "dana", 500 }, { HEAR }, { SPEAK, 500, "yes", 400 }, { HEAR },
          { KEYS, 500, "2" }, { HEAR }, { KEYS, 800, "0527654321#" }, { HEAR }, { KEYS, 500, "1" } },
        GREET ROOM_KEPT ASK_NAME "learnt: name_audio=rec/2.wav\n" "caller:  @rec/2.wav\n" ASK_OWN_KEYPAD
            "caller:  @rec/3.wav\n" ASK_OWN_KEYPAD "caller keys: 2\n" ASK_NUMBER_KEYPAD
            "learnt: callback_heard=0527654321\n" "caller keys: 0527654321\n"
            "agent: This is the number I have noted: 0 5 2, 7 6 5, 4 3 2 1. If that is right, press 1. If it is not, press 2.\n"
            "learnt: callback=+972527654321\n" "caller keys: 1\n" BYE END_AGENT,
    },
    {
        "hash ends a free answer at once", 0, 1 << ANSWER_FREE, "+972501234567", "",
        { { HEAR }, { SPEAK, 500, "a room", 900 }, { KEYS, 0, "#" }, { HEAR }, { KEYS, 500, "#" }, { HEAR },
          { SPEAK, 500, "yes", 400 } },
        GREET ROOM_KEPT ASK_NAME "caller keys: #\n" ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "not understood, not understood, keypad", 0, 0, "+972501234567", "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 500, "", 900 }, { HEAR }, { SPEAK, 500, "", 900 }, { HEAR }, { KEYS, 500, "1" } },
        GREET_KNOWN ROOM ASK_OWN "caller:  @rec/2.wav\n" ASK_OWN_AGAIN "caller:  @rec/3.wav\n"
            ASK_OWN_KEYPAD "learnt: callback=+972501234567\n" "caller keys: 1\n" BYE END_AGENT,
    },
    {
        "nobody there", 0, 0, "+972501234567", "",
        { { OP_NONE } },
        GREET ASK_NEED_AGAIN ASK_NEED_KEYPAD BYE_SILENCE END_SILENCE,
    },
    {
        "a cough is no answer", 0, 0, "+972501234567", "",
        { { HEAR }, { SPEAK, 500, "", 180 }, { SPEAK, 2500, "", 180 } },
        GREET ASK_NEED_AGAIN ASK_NEED_KEYPAD BYE_SILENCE END_SILENCE,
    },
    { "hang-up before a word was heard", 0, 0, "+972501234567", "", { { HANG_UP, 0 } },
        END_CALLER,
    },
    { "hang-up in the greeting", 0, 0, "+972501234567", "", { { HANG_UP, 1500 } },
        GREET_CUT END_CALLER,
    },
    { "hang-up while listening", 0, 0, "+972501234567", "", { { HEAR }, { HANG_UP, 1500 } },
        GREET END_CALLER,
    },
    {
        "hang-up in the middle of an answer", 0, 0, "+972501234567", "",
        { { HEAR }, { TALK, 500, "a room", 3000 }, { HANG_UP, 2000 } },
        GREET ROOM END_CALLER,
    },
    {
        "hang-up right after an answer", 0, 0, "+972501234567", "",
        { A_ROOM, { HANG_UP, 0 } },
        GREET ROOM END_CALLER,
    },
    {
        "hang-up right after an answer that nobody can transcribe", 0, 1 << ANSWER_FREE, "+972501234567", "",
        { A_ROOM, { HANG_UP, 0 } },
        GREET ROOM_KEPT END_CALLER,
    },
    {
        "hang-up with keys half-way", 0, 0, "", "Dana",
        { A_ROOM, { HEAR }, { KEYS, 800, "0527654321" }, { HANG_UP, 300 } },
        GREET_KNOWN ROOM ASK_NUMBER "learnt: callback_heard=0527654321\n" "caller keys: 0527654321\n"
            END_CALLER,
    },
    {
        "hang-up in the goodbye", 0, 0, "+972501234567", "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 500, "yes", 400 }, { HANG_UP, 1500 } },
        GREET_KNOWN ROOM ASK_OWN OWN_YES "agent: Thank you. I have noted--\n" END_CALLER,
    },
    {
        "last words over the goodbye are written down", 0, 0, "+972501234567", "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 500, "yes", 400 }, { PASS, 600 }, { SPEAK, 0, "and bring a ladder", 1500 } },
        GREET_KNOWN ROOM ASK_OWN OWN_YES BYE "caller: and bring a ladder\n" END_AGENT,
    },
    {
        "last words that nobody can transcribe are kept, and may be finished", 0, 1 << ANSWER_FREE, "+972501234567",
        "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 500, "yes", 400 }, { PASS, 3600 }, { SPEAK, 0, "and bring a ladder", 1800 } },
        GREET_KNOWN ROOM_KEPT ASK_OWN OWN_YES BYE "caller:  @rec/3.wav\n" END_AGENT,
    },
    {
        "marks never come", FAKE_NO_MARKS, 0, "+972501234567", "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 2500, "yes", 400 } },
        GREET_KNOWN ROOM ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "marks and lengths never come", FAKE_NO_MARKS | FAKE_NO_LENGTHS, 0, "+972501234567", "Dana",
        { { HEAR }, { SPEAK, 3500, "a room", 900 }, { HEAR }, { SPEAK, 5500, "yes", 400 } },
        GREET_KNOWN ROOM ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "marks come twice", FAKE_MARKS_TWICE, 0, "+972501234567", "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 500, "yes", 400 } },
        GREET_KNOWN ROOM ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "every event comes twice", FAKE_EVENTS_TWICE, 0, "+972501234567", "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 500, "yes", 400 } },
        GREET_KNOWN ROOM ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "nobody says how much was heard", FAKE_NO_STOPPED, 0, "+972501234567", "Dana",
        { A_ROOM, { PASS, 3500 }, { SPEAK, 0, "yes yes", 800 } },
        GREET_KNOWN ROOM
            "agent: Shall we call you back on the number you are calling from? It--\n"
            "learnt: callback=+972501234567\n" "caller: yes yes\n" BYE END_AGENT,
    },
    {
        "transcripts never come: one moment, then the audio counts", FAKE_NO_TRANSCRIPTS, 0, "+972501234567", "Dana",
        { A_ROOM, { HEAR }, { HEAR }, { SPEAK, 500, "yes", 400 }, { HANG_UP, 12000 } },
        GREET_KNOWN ROOM_KEPT "agent: One moment, please. Shall we call you back on the number you are calling from?"
            " It is 0 5 0, 1 2 3, 4 5 6 7.\n" "caller:  @rec/2.wav\n" "agent: One moment, please. Sorry, yes or no:"
            " shall we call you back on the number you are calling from? It is 0 5 0, 1 2 3, 4 5 6 7.\n" END_CALLER,
    },
    {
        "files never come", FAKE_NO_FILES, 1 << ANSWER_FREE, "+972501234567", "Dana",
        { A_ROOM, { HEAR }, { SPEAK, 500, "yes", 400 } },
        GREET_KNOWN "caller: \n" ASK_OWN OWN_YES BYE END_AGENT,
    },
    {
        "the agent stops answering: one moment, and again, then sorry", FAKE_NO_REPLIES, 0, "+972501234567", "Dana",
        { A_ROOM },
        GREET_KNOWN "caller: a room\n" "agent: One moment, please. One moment, please. I am sorry, we have a technical"
            " problem. Please stay on the line.\n" END_TROUBLE,
    },
    { "no voice at all", FAKE_NO_VOICE, 0, "+972501234567", "", { { OP_NONE } },
        END_TROUBLE,
    },
    {
        "no voice for what is not a fixed prompt", FAKE_NO_NUMBERS, 0, "+972501234567", "",
        { A_ROOM, { HEAR }, { SPEAK, 500, "dana", 500 }, { HEAR }, { KEYS, 9000, "1" } },
        GREET ROOM ASK_NAME "learnt: name=Dana\n" "caller: dana\n"
            "agent: Shall we call you back on the number you are calling from?\n"
            "agent: Sorry, yes or no: shall we call you back on the number you are calling from?\n" ASK_OWN_KEYPAD
            "learnt: callback=+972501234567\n" "caller keys: 1\n" BYE END_AGENT,
    },
    {
        "only recordings: a number that was keyed can be confirmed though no voice says it", FAKE_NO_NUMBERS, 31,
        "+972501234567", "",
        { A_ROOM, { HEAR }, { SPEAK, 500, "dana", 500 }, { HEAR }, { KEYS, 500, "2" }, { HEAR },
          { KEYS, 800, "0527654321#" }, { HEAR }, { KEYS, 500, "1" } },
        GREET ROOM_KEPT ASK_NAME "learnt: name_audio=rec/2.wav\n" "caller:  @rec/2.wav\n" ASK_OWN_KEYPAD
            "caller keys: 2\n" ASK_NUMBER_KEYPAD "learnt: callback_heard=0527654321\n"
            "caller keys: 0527654321\n"
            "agent: This is the number I have noted: If that is right, press 1. If it is not, press 2.\n"
            "learnt: callback=+972527654321\n" "caller keys: 1\n" BYE END_AGENT,
    },
    {
        "a voice that never begins what is not a fixed prompt", FAKE_STUCK_VOICE, 0, "+972501234567", "",
        { A_ROOM, { HEAR }, { SPEAK, 500, "dana", 500 } },
        GREET ROOM ASK_NAME "learnt: name=Dana\n" "caller: dana\n"
            "agent: Shall we call you back on the number you are calling from?\n"
            "agent: One moment, please. Sorry, yes or no: shall we call you back on the number you are calling from?\n"
            "agent: One moment, please. To be called back on the number you are calling from, press 1."
            " For another number, press 2.\n" BYE_SILENCE END_SILENCE,
    },
    /* replies in parts */
    {
        "sentences are said as they come, and make one turn", 0, 0, "", "",
        { A_ROOM, { HEAR }, { HANG_UP, 100 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "agent: We have one. It is quiet. For when?\n" END_CALLER,
        REPLIES(HELLO, "600 We have one.|300 It is quiet.|200 For when?|100"),
    },
    {
        "the turn is the caller's when the last part came, not before", 0, 0, "", "",
        { A_ROOM, { PASS, 5200 }, { SPEAK, 0, "tomorrow", 600 }, { HANG_UP, 1500 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "agent: We have one. For when?\n" "asked: heard tomorrow\n"
            "caller: tomorrow\n" "agent: Fine.\n" END_CALLER,
        REPLIES(HELLO, "600 We have one.|1900 For when?|0", "0 Fine."),
    },
    {
        "a stall in the middle is filled", 0, 0, "", "",
        { A_ROOM, { PASS, 8500 }, { HANG_UP, 1000 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "agent: We have one. One moment, please. For when?\n" END_CALLER,
        REPLIES(HELLO, "600 We have one.|6000 For when?|0"),
    },
    {
        "a stall without end: what came is the reply", 0, 0, "", "",
        { A_ROOM, { HEAR }, { PASS, 9000 }, { SPEAK, 1000, "tomorrow", 600 }, { HANG_UP, 1500 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "(cancelled)\n"
            "agent: We have one. One moment, please. One moment, please.\n" "asked: heard tomorrow\n" "caller: tomorrow\n"
            "agent: Fine.\n" END_CALLER,
        REPLIES(HELLO, "600 We have one.|0 ...", "0 Fine."),
    },
    {
        "a reply that never begins: something simpler is asked for", 0, 0, "", "",
        { A_ROOM, { PASS, 9000 }, { HEAR }, { HANG_UP, 100 } },
        HELLO_SAID ROOM_ASKED "(cancelled)\n" "asked: failed \n" "caller: a room\n"
            "agent: One moment, please. One moment, please. Your name?\n" END_CALLER,
        REPLIES(HELLO, "0 ...", "0 Your name?"),
    },
    {
        "nor does that: trouble", 0, 0, "", "", { A_ROOM },
        HELLO_SAID ROOM_ASKED "(cancelled)\n" "asked: failed \n" "(cancelled)\n" "caller: a room\n" "agent: One moment, please."
            " One moment, please. I am sorry, we have a technical problem. Please stay on the line.\n" END_TROUBLE,
        REPLIES(HELLO, "0 ...", "0 ..."),
    },
    {
        "who says something at every one moment does not wait for ever", 0, 0, "", "",
        { A_ROOM, { PASS, 3200 }, { SPEAK, 1300, "hello", 600 }, { PASS, 3200 }, { SPEAK, 1300, "hello", 600 }, { PASS, 3200 },
          { SPEAK, 1300, "hello", 600 }, { PASS, 5500 }, { HANG_UP, 0 } },
        HELLO_SAID ROOM_ASKED "(cancelled)\n" "caller: a room\n" "agent: One moment, please.\n" "asked: continued hello\n"
            "(cancelled)\n" "caller: hello\n" "agent: One moment, please.\n" "asked: continued hello\n"
            "(cancelled)\n" "caller: hello\n" "agent: One moment, please.\n" "asked: continued hello\n"
            "(cancelled)\n" "asked: failed \n" "caller: hello\n" "agent: One moment, please. Your name?\n" END_CALLER,
        REPLIES(HELLO, "0 ...", "0 ...", "0 ...", "0 ...", "0 Your name?"),
    },
    {
        "a barge-in cancels the rest; parts that come late change nothing", 0, 0, "", "",
        { A_ROOM, { PASS, 2000 }, { SPEAK, 0, "no, a house", 900 }, { HEAR }, { HANG_UP, 2000 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "(cancelled)\n" "agent: We have one, and it is--\n"
            "asked: heard no, a house\n" "caller: no, a house\n" "agent: A house, then.\n" END_CALLER,
        REPLIES(HELLO, "300 We have one, and it is quiet and has a view of the sea.|2200 For when is it?|9000 Late.",
                "300 A house, then."),
    },
    {
        "parts that come while a barge-in is undecided are said after it proves false", 0, 0, "", "",
        { A_ROOM, { PASS, 1700 }, { SPEAK, 0, "", 900 }, { PASS, 4500 }, { HANG_UP, 100 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" RESUMED
            "agent: We have one, and it is quiet. For when? And for how many?\n" END_CALLER,
        REPLIES(HELLO, "300 We have one, and it is quiet.|1500 For when?|100 And for how many?|0"),
    },
    {
        "and dropped when it proves true", 0, 0, "", "",
        { A_ROOM, { PASS, 2000 }, { SPEAK, 0, "stop", 900 }, { HEAR }, { HANG_UP, 100 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "agent: We have one, and it is--\n"
            "asked: heard stop\n" "caller: stop\n" "agent: Yes?\n" END_CALLER,
        REPLIES(HELLO, "300 We have one, and it is quiet.|2300 For when?|0", "0 Yes?"),
    },
    {
        "who goes on before the reply began is listened to", 0, 0, "", "",
        { A_ROOM, { SPEAK, 1200, "for two nights", 900 }, { HEAR }, { HANG_UP, 100 } },
        HELLO_SAID ROOM_ASKED "(cancelled)\n" "caller: a room\n" "asked: continued for two nights\n" "caller: for two nights\n"
            "agent: Two nights. For when?\n" END_CALLER,
        REPLIES(HELLO, "2500 A room.|0", "700 Two nights.|100 For when?|0"),
    },
    {
        "who coughs before the reply began is not", 0, 0, "", "",
        { A_ROOM, { SPEAK, 1200, "", 500 }, { HEAR }, { HANG_UP, 100 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "agent: A room. For when?\n" END_CALLER,
        REPLIES(HELLO, "1300 A room.|400 For when?|0"),
    },
    {
        "a key before the reply began, or in a stall, is listened to", 0, 0, "", "",
        { A_ROOM, { KEYS, 900, "12#" }, { PASS, 2500 }, { KEYS, 0, "3#" }, { HEAR }, { HANG_UP, 100 } },
        HELLO_SAID ROOM_ASKED "(cancelled)\n" "caller: a room\n" "asked: keyed 12\n" "caller keys: 12\n" "(cancelled)\n"
            "agent: Twelve.\n" "asked: keyed 3\n" "caller keys: 3\n" "agent: Three.\n" END_CALLER,
        REPLIES(HELLO, "2500 A room.|0", "200 Twelve.|9000 Nights?|0", "0 Three."),
    },
    {
        "the end comes with the last part", 0, 0, "", "", { A_ROOM },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "agent: It is noted. Goodbye.\n" END_AGENT,
        REPLIES(HELLO, "300 It is noted.|300 Goodbye.|100 END"),
    },
    {
        "a barge-in over the goodbye before its last part: there is no end", 0, 0, "", "",
        { A_ROOM, { PASS, 2200 }, { SPEAK, 0, "wait", 600 }, { HEAR }, { HANG_UP, 100 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "agent: It is noted, and we will call--\n" "asked: heard wait\n"
            "caller: wait\n" "agent: Yes?\n" END_CALLER,
        REPLIES(HELLO, "300 It is noted, and we will call you back. Goodbye.|2100 END", "0 Yes?"),
    },
    {
        "a hang-up cancels the rest", 0, 0, "", "",
        { A_ROOM, { HANG_UP, 2200 } },
        HELLO_SAID ROOM_ASKED "caller: a room\n" "(cancelled)\n" "agent: We have one, and it is--\n" END_CALLER,
        REPLIES(HELLO, "300 We have one, and it is quiet.|2300 For when?|0"),
    },
    {
        "a hang-up while it is thought of", 0, 0, "", "",
        { A_ROOM, { HANG_UP, 1000 } },
        HELLO_SAID ROOM_ASKED "(cancelled)\n" "caller: a room\n" END_CALLER,
        REPLIES(HELLO, "2300 For when?|0"),
    },
    {
        "no voice says the reply: something simpler is asked for", FAKE_NO_NUMBERS, 0, "", "",
        { { HANG_UP, 3000 } },
        "asked: failed \n" "asked: failed \n" "asked: failed \n"
            "agent: I am sorry, we have a technical--\n" END_CALLER,
        REPLIES(HELLO, "200 Hello?|0", "0 One?", "0 Two?"),
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
        case TALK:
            fake_speak(call, until_ms, ops[i].ms, ops[i].text);
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

static struct dialogue *new_dialogue(struct fake_call *call)
{
    struct dialogue_options options = { .profile = english, .language = "en", .call_max_ms = CALL_MAX_MS };
    struct dialogue *dialogue;

    options.can_transcribe = fake_can;
    options.user = call;
    if (dialogue_new(&options, &dialogue) < 0)
        exit(99);
    return dialogue;
}

static struct fake_call *new_call(const struct agent_caller *caller, unsigned faults, unsigned deaf_to)
{
    struct fake_call *call = calloc(1, sizeof(*call));

    if (!call)
        exit(99);
    call->faults = faults;
    call->deaf_to = deaf_to;
    call->stt_ms = 80;
    call->now_ms = 1000;
    call->dialogue = new_dialogue(call);
    if (agent_new(english, caller, &call->agent) < 0)
        exit(99);
    return call;
}

static void free_call(struct fake_call *call)
{
    for (size_t i = 0; i < call->n_tape; i++)
        free(call->tape[i].reply);
    free(call->tape);
    dialogue_free(call->dialogue);
    agent_free(call->agent);
    free(call);
}

static void test_script(const struct script *script)
{
    struct agent_caller caller = { script->from, script->name, "972", script->deaf_to };
    struct fake_call *call = new_call(&caller, script->faults, script->deaf_to);

    call->recording = true;
    call->replies = script->replies;
    fake_answer(call);
    play(call, script->ops);
    fake_finish(call);
    fake_check(call, call->gap_ms <= FAKE_SILENCE_MAX_MS, "silent for %llu ms", (unsigned long long)call->gap_ms);

    scoped(dialogue_free) struct dialogue *again = new_dialogue(call);
    fake_check(call, fake_replay(call, again) == call->digest, "the replay does something else");
    if (!ok(strcmp(call->log, script->want) == 0 && !call->n_bad, "%s", script->what))
        printf("# %u breaches; got:\n%s# --\n", call->n_bad, call->log);
    free_call(call);
}

/* A caller of 60 s who never stops talking, against a limit of a minute. */
static void test_too_long(void)
{
    struct agent_caller caller = { "+972501234567", "Dana", "972", 0 };
    struct fake_call *call = new_call(&caller, 0, 0);

    fake_answer(call);
    for (uint64_t at_ms = 6000; at_ms < 2 * CALL_MAX_MS; at_ms += 70000)
        fake_speak(call, at_ms, 65000, "");
    fake_run(call, 3 * CALL_MAX_MS);
    fake_finish(call);
    ok(strstr(call->log, "our time is up") && strstr(call->log, "end: 9\n") && call->now_ms < CALL_MAX_MS + 40000 &&
           !call->n_bad,
       "a call without end is ended politely");
    free_call(call);
}

/* A worker that has to stop cannot wait. */
static void test_haste(void)
{
    struct agent_caller caller = { "+972501234567", "Dana", "972", 0 };
    struct fake_call *call = new_call(&caller, FAKE_NO_TRANSCRIPTS | FAKE_NO_FILES, 0);
    struct dialogue_event event = { .kind = DIALOGUE_HANG_UP, .end = CALL_END_DRAIN };

    fake_answer(call);
    fake_run(call, 6000);
    fake_speak(call, 6000, 1500, "a room");
    fake_run(call, 7700);
    event.now_ms = call->now_ms;
    fake_push(call, &event);
    ok(!dialogue_ended(call->dialogue), "after the hang-up a transcript is waited for");
    event.kind = DIALOGUE_TICK;
    event.now_ms = call->now_ms += 1000000;
    fake_push(call, &event);
    ok(dialogue_ended(call->dialogue), "a tick far ahead ends it at once");
    fake_finish(call);
    is_str(call->log, GREET_KNOWN "caller: \n" "end: 7\n", "what was said is kept");
    is_int(call->n_bad, 0, "and nothing is broken");
    free_call(call);
}

/* --- random calls --- */

static uint32_t random_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static uint32_t random_below(uint64_t *seed, uint32_t n)
{
    return random_next(seed) % n;
}

/* Any event with any numbers in it. */
static void random_event(struct fake_call *call, uint64_t *seed)
{
    static const char *const texts[] = { "", "yes", "no", "mm", "oh five two seven six five four three", "*", "#", "7",
                                         "rec/9.wav", "and", "\xd7", "a room for two and a half weeks please" };
    unsigned kind = random_below(seed, DIALOGUE_HANG_UP);
    struct fake_event *event;

    if (kind == DIALOGUE_SPEECH_STARTED || kind == DIALOGUE_SPEECH_ENDED) {
        bool began = call->n_utterances + 1 < FAKE_UTTERANCES_MAX;
        event = fake_event(call, kind, call->now_ms);
        event->event.utterance = began && random_below(seed, 2) ? ++call->n_utterances : call->n_utterances;
    } else {
        event = fake_event(call, kind, call->now_ms);
        event->event.utterance = random_below(seed, call->n_utterances + 2);
    }
    event->event.say = random_below(seed, call->n_said + 3);
    event->event.speech_ms = random_below(seed, 3000);
    event->event.heard_ms = random_below(seed, 5000);
    event->event.total_ms = random_below(seed, 5000);
    event->event.understood = random_below(seed, 2);
    event->event.confidence = -1;
    snprintf(event->text, sizeof(event->text), "%s", texts[random_below(seed, ELEMENTSOF(texts))]);
}

static void random_act(struct fake_call *call, uint64_t *seed)
{
    static const char *const answers[] = { "yes", "no", "", "mm", "oh five two seven six five four three two one", "dana",
                                           "five six", "pardon", "a room and", "no it's oh five two seven six five four" };
    static const char *const keys[] = { "1", "2", "#", "*", "0527654321#", "0527", "12345678901234567890" };

    switch (random_below(seed, 8)) {
    case 0:
    case 1:
    case 2:
        if (call->n_utterances + 1 < FAKE_UTTERANCES_MAX)
            fake_speak(call, call->now_ms + random_below(seed, 300), 50 + random_below(seed, 4000),
                       answers[random_below(seed, ELEMENTSOF(answers))]);
        break;
    case 3:
        fake_keys(call, call->now_ms + random_below(seed, 300), keys[random_below(seed, ELEMENTSOF(keys))]);
        break;
    case 4:
    case 5:
        random_event(call, seed);
        break;
    case 6:
        if (random_below(seed, 12) == 0)
            fake_event(call, DIALOGUE_HANG_UP, call->now_ms)->event.end = 1 + (int)random_below(seed, 8);
        break;
    default:
        break;
    }
}

static bool random_call(uint64_t seed, unsigned *n_actions_most)
{
    uint64_t start = seed;
    struct agent_caller caller = { random_below(&seed, 2) ? "+972501234567" : "", random_below(&seed, 2) ? "Dana" : "",
                                   "972", random_below(&seed, 2) ? random_below(&seed, 32) : 0 };
    unsigned faults = random_below(&seed, 2) ? random_next(&seed) & random_next(&seed) & random_next(&seed) : 0;
    struct fake_call *call = new_call(&caller, faults & (FAKE_EVENTS_TWICE * 2 - 1), caller.deaf_to);
    uint64_t end_ms = call->now_ms + CALL_MAX_MS + 31000;

    call->stt_ms = random_below(&seed, 4) ? 80 : random_below(&seed, 9000);
    fake_answer(call);
    for (unsigned n = 20 + random_below(&seed, 100); n && !call->n_hung_up && call->n_events < 200; n--) {
        random_act(call, &seed);
        fake_run(call, call->now_ms + random_below(&seed, 2000));
    }
    fake_run(call, end_ms);
    fake_finish(call);
    if (call->n_bad)
        printf("# seed %llu, faults %x, deaf to %x\n%s", (unsigned long long)start, call->faults, call->deaf_to, call->log);
    bool good = !call->n_bad;
    if (call->n_actions_most > *n_actions_most)
        *n_actions_most = call->n_actions_most;
    free_call(call);
    return good;
}

/* --- random replies in parts: whatever a model does, nobody hears nothing for long */

enum { REPLIES_MAX = 40, REPLY_MAX = 400 };

static void random_reply(uint64_t *seed, char out[REPLY_MAX])
{
    static const unsigned delays_ms[] = { 0, 150, 600, 1500, 3000, 6000, 12000 };
    static const char *const sentences[] = { "Yes.", "We have one, and it is quiet.", "", "For when?", "One moment while I look.",
                                             "It has a view of the sea, a terrace, two beds, and breakfast is at eight." };
    static const char *const ends[] = { "0", "300", "0 ...", "100 END", "9000" };
    size_t n = 0;

    for (unsigned i = random_below(seed, 5) + (random_below(seed, 9) > 0); i; i--)
        n += (size_t)snprintf(out + n, REPLY_MAX - n, "%u %s|", delays_ms[random_below(seed, ELEMENTSOF(delays_ms))],
                              sentences[random_below(seed, ELEMENTSOF(sentences))]);
    (void)snprintf(out + n, REPLY_MAX - n, "%s", ends[random_below(seed, random_below(seed, 4) ? 2 : ELEMENTSOF(ends))]);
}

/* A caller who answers, interrupts, coughs, presses keys and goes on, as people do. */
static void random_caller(struct fake_call *call, uint64_t *seed)
{
    static const char *const words[] = { "yes", "a room for two", "", "mm", "no wait", "oh five two seven six", "and" };
    uint64_t at_ms = call->now_ms + random_below(seed, 1500);

    if (random_below(seed, 12) == 0)
        fake_keys(call, at_ms, random_below(seed, 2) ? "1" : "0527#");
    else if (call->n_utterances + 1 < FAKE_UTTERANCES_MAX)
        fake_speak(call, at_ms, 200 + random_below(seed, 2500), words[random_below(seed, ELEMENTSOF(words))]);
    fake_run(call, at_ms + 3000 + random_below(seed, random_below(seed, 3) ? 2500 : 15000));
}

static bool random_talk(uint64_t seed, uint64_t *gap_most_ms)
{
    uint64_t start = seed;
    struct agent_caller caller = { .from = "", .name = "", .country = "972" };
    struct fake_call *call = new_call(&caller, random_below(&seed, 4) ? 0 : FAKE_NO_MARKS, 0);
    static char texts[REPLIES_MAX][REPLY_MAX];
    const char *replies[REPLIES_MAX + 1] = { "0 Hello, how can I help you?" };

    for (size_t i = 1; i < REPLIES_MAX; i++) {
        random_reply(&seed, texts[i]);
        replies[i] = texts[i];
    }
    call->replies = replies;
    call->stt_ms = random_below(&seed, 3) ? 80 : random_below(&seed, 2500);
    fake_answer(call);
    for (unsigned n = 20; n && !call->n_hung_up && call->n_events < 200; n--)
        random_caller(call, &seed);
    fake_run(call, call->now_ms + CALL_MAX_MS + 60000);
    fake_finish(call);
    fake_check(call, call->gap_ms <= FAKE_SILENCE_MAX_MS, "silent for %llu ms", (unsigned long long)call->gap_ms);
    if (call->n_bad)
        printf("# seed %llu\n%s", (unsigned long long)start, call->log);
    bool good = !call->n_bad;
    *gap_most_ms = call->gap_ms > *gap_most_ms ? call->gap_ms : *gap_most_ms;
    free_call(call);
    return good;
}

static void test_random_talks(void)
{
    enum { TALKS = 5000, SHOWN = 2 };
    uint64_t gap_most_ms = 0;
    unsigned n_bad = 0;

    for (uint64_t seed = 1; seed <= TALKS && n_bad < SHOWN; seed++)
        n_bad += !random_talk(seed, &gap_most_ms);
    is_int(n_bad, 0, "5000 random talks in parts: nobody hears nothing for over 4 s");
    printf("# the longest silence was %llu ms\n", (unsigned long long)gap_most_ms);
}

static void test_random(void)
{
    enum { CALLS = 10000, SHOWN = 3 };
    unsigned n_bad = 0, n_actions_most = 0;

    for (uint64_t seed = 1; seed <= CALLS && n_bad < SHOWN; seed++)
        n_bad += !random_call(seed, &n_actions_most);
    is_int(n_bad, 0, "10000 random calls end once, in time, with every utterance accounted for");
    printf("# at most %u actions at once\n", n_actions_most);
}

int main(void)
{
    char problems[1024];

    if (!ok(profile_load("receptionist-en", "Acme", problems, sizeof(problems), &english) == 0, "English loads"))
        return done_testing();
    for (size_t i = 0; i < ELEMENTSOF(scripts); i++)
        test_script(&scripts[i]);
    test_too_long();
    test_haste();
    test_random();
    test_random_talks();
    profile_free(english);
    return done_testing();
}
