/*
 * agent_script.c - the scripted receptionist
 *
 * A walk through the profile's questions. Each question has a ladder: ask, ask in other words, ask by
 * keypad, give up and go on; what was not understood or not answered climbs one rung. When nobody can
 * transcribe a kind of answer, its questions are asked by keypad from the first rung on. Silence at the
 * top of the ladder ends the call, anything else goes on with the question's `next`.
 *
 * Every walk ends, within AGENT_TURNS_MAX replies: a visit to a question climbs its ladder once and repeats
 * it REPEATS_MAX times on request, and a question is visited VISITS_MAX times; one visit more is goodbye.
 */
#include "services/agent_script.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/contact.h"
#include "utils/numerals.h"
#include "utils/spoken.h"
#include "utils/text.h"

enum rung { RUNG_ASK, RUNG_AGAIN, RUNG_KEYPAD, RUNG_GIVE_UP };

enum {
    VISITS_MAX = 3,
    REPEATS_MAX = 2,
    PHONE_DIGITS_MIN = 5,
    NAME_WORDS_MAX = 5,
    COUNTRY_MAX = 4,
};

_Static_assert(2 + PHRASE_MAX <= AGENT_SENTENCES_MAX, "two greetings and a question make a reply");
enum { VISIT_TURNS_MAX = (int)RUNG_GIVE_UP + REPEATS_MAX };
_Static_assert(PROFILE_QUESTIONS_MAX * VISITS_MAX * VISIT_TURNS_MAX < AGENT_TURNS_MAX, "walks end");

/* Of one answer, which may come in two halves: AGENT_CONTINUED adds to it. */
struct answer {
    const struct question *question; /* NULL: none that could be continued */
    char text[AGENT_VALUE_MAX];
    char audio[AGENT_VALUE_MAX];
};

struct agent_script {
    const struct profile *profile;
    char from[ADDRESS_MAX], name[CONTACT_NAME_MAX], country[COUNTRY_MAX];
    unsigned deaf_to;

    const struct question *question; /* NULL: not begun, or ended */
    bool ended;
    enum rung rung;
    unsigned n_repeats;
    unsigned n_visits[PROFILE_QUESTIONS_MAX];
    bool is_known[PROFILE_QUESTIONS_MAX]; /* its field was learnt by somebody else */

    const struct question *pending; /* whose number is waiting to be confirmed */
    char number[AGENT_FIELD_MAX];
    char unclear[TURN_AUDIO_MAX]; /* the last answer to this question that nobody understood */
    bool reachable;               /* there is something to call back on */
    struct answer last;
};

/* --- what comes out --- */

static void learn(struct agent_reply *reply, const struct question *question, const char *suffix,
                  const char *value)
{
    if (!question || !question->field || !value[0])
        return;
    assert(reply->n_learnt < AGENT_LEARNT_MAX);
    (void)snprintf(reply->learnt[reply->n_learnt].field, AGENT_FIELD_MAX, "%s%s", question->field,
                   suffix);
    (void)text_set(reply->learnt[reply->n_learnt].value, AGENT_VALUE_MAX, value);
    reply->n_learnt++;
}

static void value_of(const struct agent_script *script, const char *placeholder, size_t n, char *value,
                     size_t size)
{
    const char *language = script->profile->language;
    bool cardinal = script->pending && script->pending->expect == ANSWER_NUMBER;

    value[0] = '\0';
    if (strncmp(placeholder, "{name}", n) == 0)
        (void)text_set(value, size, script->name);
    else if (strncmp(placeholder, "{number}", n) == 0)
        numeral_phone(language, script->from, script->country, value, size);
    else if (strncmp(placeholder, "{digits}", n) == 0 && cardinal)
        numeral_cardinal(language, strtoul(script->number, NULL, 10), NUMERAL_FEMININE, value, size);
    else if (strncmp(placeholder, "{digits}", n) == 0)
        numeral_phone(language, script->number, script->country, value, size);
}

static void say(const struct agent_script *script, struct agent_reply *reply, const char *id)
{
    const struct prompt *prompt = profile_prompt(script->profile, id);

    assert(prompt && reply->n_sentences < AGENT_SENTENCES_MAX); /* profile.c has seen to it */
    struct agent_sentence *sentence = &reply->sentences[reply->n_sentences++];
    sentence->prompt = prompt->fixed ? prompt->id : NULL;

    size_t n_used = 0;
    sentence->text[0] = '\0';
    for (const char *p = prompt->text; *p;) {
        size_t n = *p == '{' && !prompt->fixed ? strcspn(p, "}") + 1 : strcspn(p + 1, "{") + 1;
        char value[TURN_TEXT_MAX];
        const char *put = p;
        size_t n_put = n;

        if (*p == '{' && !prompt->fixed) {
            value_of(script, p, n, value, sizeof(value));
            put = value;
            n_put = strlen(value);
        }
        text_add(sentence->text, sizeof(sentence->text), &n_used, put, n_put);
        p += n;
    }
}

static void finish(struct agent_script *script, struct agent_reply *reply, const char *goodbye)
{
    script->question = NULL;
    script->ended = true;
    reply->expect = ANSWER_FREE;
    reply->end = true;
    say(script, reply, goodbye);
}

static void goodbye(struct agent_script *script, struct agent_reply *reply)
{
    bool stranded = !script->reachable && profile_prompt(script->profile, "goodbye_unreachable");
    finish(script, reply, stranded ? "goodbye_unreachable" : "goodbye");
}

/* --- asking --- */

static bool is_confirmation(const struct question *question)
{
    return question && question->expect == ANSWER_YESNO && !question->field;
}

static bool is_offer(const struct question *question)
{
    return question->expect == ANSWER_YESNO && question->field;
}

static bool by_keypad(const struct agent_script *script)
{
    enum answer_kind expect = script->question->expect;
    return expect != ANSWER_FREE && (script->rung >= RUNG_KEYPAD || script->deaf_to & 1U << expect);
}

static const struct phrase *phrase_of(const struct agent_script *script)
{
    if (script->rung >= RUNG_KEYPAD || by_keypad(script))
        return &script->question->keypad;
    return script->rung == RUNG_AGAIN ? &script->question->again : &script->question->ask;
}

static void ask(struct agent_script *script, struct agent_reply *reply)
{
    const struct question *question = script->question;
    const struct phrase *phrase = phrase_of(script);

    reply->expect = question->expect;
    reply->keypad = by_keypad(script);
    reply->digits_min = question->digits_min;
    reply->digits_max = question->digits_max;
    for (size_t i = 0; i < phrase->n_prompts; i++)
        say(script, reply, phrase->prompts[i]);
}

static void enter(struct agent_script *script, struct agent_reply *reply, const char *id)
{
    const struct question *question = profile_question(script->profile, id);

    /* skip what need not be asked; a profile that goes in circles runs out of visits */
    for (;;) {
        unsigned *n_visits =
            question ? &script->n_visits[question - script->profile->questions] : NULL;
        if (!question || ++*n_visits > VISITS_MAX) {
            goodbye(script, reply);
            return;
        }
        if (script->is_known[question - script->profile->questions])
            question = profile_question(script->profile, question->next);
        else if (is_offer(question) && !script->from[0])
            question = profile_question(script->profile, question->on_no);
        else if (is_confirmation(question) && !script->pending)
            question = profile_question(script->profile, question->next);
        else if (question->expect == ANSWER_FREE && strcmp(question->field, "name") == 0 &&
                 script->name[0])
            question = profile_question(script->profile, question->next);
        else
            break;
    }

    unsigned n_before = script->n_visits[question - script->profile->questions] - 1;
    script->question = question;
    script->n_repeats = 0;
    script->unclear[0] = '\0';
    script->rung = is_confirmation(question) ? RUNG_ASK
                  : n_before < RUNG_KEYPAD  ? (enum rung)n_before
                                            : RUNG_KEYPAD;
    if (by_keypad(script) && script->rung < RUNG_AGAIN)
        script->rung = RUNG_AGAIN; /* two tries by keypad, not three */
    ask(script, reply);
}

static void climb(struct agent_script *script, struct agent_reply *reply, bool silence)
{
    const struct question *question = script->question;

    if (++script->rung < RUNG_GIVE_UP) {
        ask(script, reply);
        return;
    }
    if (script->unclear[0]) {
        script->reachable |= question->expect != ANSWER_FREE;
        learn(reply, question->field ? question : script->pending, "_audio", script->unclear);
    }
    if (!is_confirmation(question))
        script->pending = NULL; /* a number that was refused is not asked about again */
    if (silence)
        finish(script, reply, "goodbye_silence");
    else
        enter(script, reply, question->next);
}

/* Spoken, and not understood: should this be the last try, the audio is what remains. */
static void miss(struct agent_script *script, struct agent_reply *reply, const struct agent_input *input)
{
    if (input->audio[0])
        (void)text_set(script->unclear, sizeof(script->unclear), input->audio);
    climb(script, reply, false);
}

/* --- answers --- */

static bool is_name(const char *text)
{
    size_t n_words = 1;

    for (; *text; text++)
        n_words += *text == ' ';
    return n_words <= NAME_WORDS_MAX;
}

/* Nobody is to be greeted with a sentence the next time: what is no name counts as heard only. */
static void learn_answer(struct agent_script *script, struct agent_reply *reply)
{
    const struct answer *last = &script->last;
    const char *suffix = "";
    char name[CONTACT_NAME_MAX] = "";

    if (strcmp(last->question->field, "name") == 0) {
        spoken_name(script->profile->language, last->text, name, sizeof(name));
        suffix = is_name(name) ? "" : "_heard";
        (void)text_set(script->name, sizeof(script->name), is_name(name) ? name : "");
    }
    learn(reply, last->question, suffix, name[0] ? name : last->text);
    learn(reply, last->question, "_audio", last->audio);
}

static void take_free(struct agent_script *script, struct agent_reply *reply, const char *text,
                      const char *audio)
{
    struct answer *last = &script->last;
    const struct question *question = script->question;

    last->question = question;
    (void)text_set(last->text, sizeof(last->text), text);
    (void)text_set(last->audio, sizeof(last->audio), audio);
    learn_answer(script, reply);
    enter(script, reply, question->next);
}

/* script->number is certain: a telephone number is kept as the rest of the world writes it, when it can be. */
static void learn_number(const struct agent_script *script, struct agent_reply *reply,
                         const struct question *question)
{
    char e164[ADDRESS_MAX];
    bool is_phone = question && question->expect == ANSWER_DIGITS &&
                    phone_normalise(script->number, script->country, e164) == 0;

    learn(reply, question, "", is_phone ? e164 : script->number);
}

/* A number for that question; false when it cannot be one. */
static bool take_number(struct agent_script *script, struct agent_reply *reply,
                        const struct question *question, const char *digits, size_t n_digits)
{
    if (n_digits < question->digits_min || n_digits > question->digits_max)
        return false;

    bool confirm = is_confirmation(profile_question(script->profile, question->next));
    script->pending = question;
    script->reachable |= question->expect == ANSWER_DIGITS;
    (void)text_set(script->number, sizeof(script->number), digits);
    if (confirm)
        learn(reply, question, "_heard", digits);
    else
        learn_number(script, reply, question);
    enter(script, reply, question->next);
    return true;
}

static bool take_spoken_number(struct agent_script *script, struct agent_reply *reply,
                               const struct question *question, const char *text)
{
    const char *language = script->profile->language;
    char digits[AGENT_FIELD_MAX];
    unsigned long value;

    if (question->expect == ANSWER_DIGITS) {
        size_t n_digits = spoken_digits(language, text, digits, sizeof(digits));
        return take_number(script, reply, question, digits, n_digits);
    }
    if (!spoken_number(language, text, &value))
        return false;
    int n = snprintf(digits, sizeof(digits), "%lu", value);
    return take_number(script, reply, question, digits, (size_t)n);
}

static void take_yes(struct agent_script *script, struct agent_reply *reply)
{
    const struct question *question = script->question;

    if (is_offer(question))
        learn(reply, question, "", script->from);
    else
        learn_number(script, reply, script->pending);
    enter(script, reply, question->on_yes);
}

/* "no, it is oh five two ...": the number is asked for next anyway. */
static bool take_correction(struct agent_script *script, struct agent_reply *reply, const char *text)
{
    const struct question *question = profile_question(script->profile, script->question->on_no);
    return question && question->expect == ANSWER_DIGITS &&
           take_spoken_number(script, reply, question, text);
}

static bool take_yesno(struct agent_script *script, struct agent_reply *reply, const char *text)
{
    int yes = spoken_yesno(script->profile->language, text);

    if (yes > 0) {
        take_yes(script, reply);
        return true;
    }
    if (take_correction(script, reply, text))
        return true;
    if (yes == 0)
        enter(script, reply, script->question->on_no);
    return yes == 0;
}

static bool take_words(struct agent_script *script, struct agent_reply *reply,
                       const struct agent_input *input)
{
    switch (script->question->expect) {
    case ANSWER_FREE:
        take_free(script, reply, input->text, input->audio);
        return true;
    case ANSWER_YESNO:
        return take_yesno(script, reply, input->text);
    default:
        return take_spoken_number(script, reply, script->question, input->text);
    }
}

static bool take_keys(struct agent_script *script, struct agent_reply *reply, const char *keys)
{
    const struct question *question = script->question;

    switch (question->expect) {
    case ANSWER_FREE:
        if (keys[0])
            return false;
        enter(script, reply, question->next); /* hash alone: go on */
        return true;
    case ANSWER_YESNO:
        if (strcmp(keys, "1") == 0)
            take_yes(script, reply);
        else if (strcmp(keys, "2") == 0)
            enter(script, reply, question->on_no);
        else
            return take_correction(script, reply, keys);
        return true;
    default:
        return take_number(script, reply, question, keys, strlen(keys));
    }
}

static void take_more(struct agent_script *script, struct agent_reply *reply,
                      const struct agent_input *input)
{
    struct answer *last = &script->last;
    size_t n_text = strlen(last->text), n_audio = strlen(last->audio);

    text_add(last->text, sizeof(last->text), &n_text, " ", n_text && input->text[0]);
    text_add(last->text, sizeof(last->text), &n_text, input->text, strlen(input->text));
    text_add(last->audio, sizeof(last->audio), &n_audio, " ", n_audio && input->audio[0]);
    text_add(last->audio, sizeof(last->audio), &n_audio, input->audio, strlen(input->audio));

    learn_answer(script, reply);
    if (script->n_repeats++ < REPEATS_MAX)
        ask(script, reply);
    else
        climb(script, reply, false);
}

/* --- what comes in --- */

static bool is_phone(const char *from)
{
    char digits[ADDRESS_MAX];

    return !phone_is_withheld(from) && !from[strspn(from, "+0123456789 -()")] &&
           spoken_digits("", from, digits, sizeof(digits)) >= PHONE_DIGITS_MIN;
}

void agent_script_greet(struct agent_script *script, struct agent_reply *reply)
{
    say(script, reply, "greeting");
    if (script->name[0] && profile_prompt(script->profile, "greeting_known"))
        say(script, reply, "greeting_known");
}

static void begin(struct agent_script *script, struct agent_reply *reply)
{
    agent_script_greet(script, reply);
    enter(script, reply, script->profile->questions[0].id);
}

static void heard(struct agent_script *script, struct agent_reply *reply, const struct agent_input *input)
{
    if (spoken_repeat(script->profile->language, input->text) && script->n_repeats < REPEATS_MAX) {
        script->n_repeats++;
        ask(script, reply);
        return;
    }
    if (input->text[0] && take_words(script, reply, input))
        return;
    miss(script, reply, input);
}

static void unheard(struct agent_script *script, struct agent_reply *reply, const struct agent_input *input)
{
    if (script->question->expect == ANSWER_FREE) {
        take_free(script, reply, "", input->audio);
        return;
    }
    script->deaf_to |= 1U << script->question->expect;
    miss(script, reply, input);
}

void agent_script_turn(struct agent_script *script, const struct agent_input *input, struct agent_reply *ret_reply)
{
    struct agent_reply *reply = ret_reply;
    bool begun = script->question || script->ended;
    struct agent_input safe = *input;

    safe.text = input->text ? input->text : "";
    safe.audio = input->audio ? input->audio : "";
    *reply = (struct agent_reply){ 0 };

    if (!begun) {
        begin(script, reply);
        return;
    }
    if (script->ended) {
        goodbye(script, reply);
        return;
    }
    if (safe.kind == AGENT_CONTINUED && script->last.question) {
        take_more(script, reply, &safe);
        return;
    }
    script->last.question = NULL;
    switch (safe.kind) {
    case AGENT_BEGIN:
        ask(script, reply);
        break;
    case AGENT_HEARD:
    case AGENT_UNCLEAR:
    case AGENT_FAILED:
        heard(script, reply, &safe);
        break;
    case AGENT_CONTINUED:
        if (safe.text[0])
            heard(script, reply, &safe);
        else
            unheard(script, reply, &safe);
        break;
    case AGENT_UNHEARD:
        unheard(script, reply, &safe);
        break;
    case AGENT_KEYED:
        if (!take_keys(script, reply, safe.text))
            climb(script, reply, false);
        break;
    case AGENT_SILENCE:
        climb(script, reply, true);
        break;
    }
}

void agent_script_say(struct agent_script *script, const char *prompt, struct agent_reply *reply)
{
    say(script, reply, prompt);
}

void agent_script_know(struct agent_script *script, const char *field, const char *value)
{
    const struct profile *profile = script->profile;

    for (size_t i = 0; i < profile->n_questions; i++) {
        const struct question *question = &profile->questions[i];
        bool is_it = question->field && strcmp(question->field, field) == 0;

        script->is_known[i] |= is_it;
        script->reachable |= is_it && question->expect == ANSWER_DIGITS;
    }
    if (strcmp(field, "name") == 0)
        (void)text_set(script->name, sizeof(script->name), value);
}

/* Any words tell what somebody needs; a name, or a number, is asked for first. */
static bool takes_any_words(const struct question *question)
{
    return question && question->expect == ANSWER_FREE && strcmp(question->field, "name") != 0;
}

void agent_script_take_over(struct agent_script *script, const char *words, struct agent_reply *ret_reply)
{
    *ret_reply = (struct agent_reply){ 0 };
    enter(script, ret_reply, script->profile->questions[0].id);
    if (!words[0] || !takes_any_words(script->question) || script->ended)
        return;
    ret_reply->n_sentences = 0;
    take_free(script, ret_reply, words, "");
}

int agent_script_new(const struct profile *profile, const struct agent_caller *caller,
              struct agent_script **ret_script)
{
    struct agent_script *script = calloc(1, sizeof(*script));

    if (!script)
        return -ENOMEM;
    assert(profile->mode == PROFILE_SCRIPT && profile->n_questions <= PROFILE_QUESTIONS_MAX);
    script->profile = profile;
    script->deaf_to = caller->deaf_to;
    if (caller->from && is_phone(caller->from))
        (void)text_set(script->from, sizeof(script->from), caller->from);
    (void)text_set(script->name, sizeof(script->name), caller->name ? caller->name : "");
    (void)text_set(script->country, sizeof(script->country), caller->country ? caller->country : "");
    script->reachable = script->from[0] != '\0';
    *ret_script = script;
    return 0;
}

void agent_script_free(struct agent_script *script)
{
    free(script);
}
