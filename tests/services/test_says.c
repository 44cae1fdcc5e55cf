/*
 * test_says.c - how much of what was said was heard
 */
#include "services/says.h"

#include "tap.h"
#include "utils/scoped.h"
#include "utils/text.h"
#include "utils/utf8.h"

static void add(struct says *says, unsigned number, const char *text)
{
    struct agent_sentence sentence = { 0 };

    (void)text_set(sentence.text, sizeof(sentence.text), text);
    (void)says_add(says, number, &sentence, false, 100);
}

/* A sentence cut after heard_ms of total_ms. */
static const struct {
    const char *text;
    uint32_t heard_ms, total_ms;
    const char *want;
} cuts[] = {
    { "one two three", 0, 1000, "" },
    { "one two three", 1, 1000, "" },
    { "one two three", 230, 1000, "" },
    { "one two three", 240, 1000, "one" },
    { "one two three", 500, 1000, "one" },
    { "one two three", 560, 1000, "one two" },
    { "one two three", 999, 1000, "one two" },
    { "one two three", 1000, 1000, "one two three" },
    { "one two three", 5000, 1000, "one two three" },
    { "word", 500, 1000, "" },
    { "שלום לכם", 500, 1000, "שלום" },
    { "שלום לכם", 400, 1000, "" },
    { "a  b", 800, 1000, "a " },
    { "", 500, 1000, "" },
    { "one two three", 1000, 0, "one" }, /* length unknown: by the letters */
};

static void test_cuts(void)
{
    for (size_t i = 0; i < ELEMENTSOF(cuts); i++) {
        static struct says says;
        static struct turn turn;
        bool whole = cuts[i].total_ms && cuts[i].heard_ms >= cuts[i].total_ms;

        says_clear(&says);
        turn = (struct turn){ 0 };
        add(&says, 1, cuts[i].text);
        (void)says_started(&says, 1, cuts[i].total_ms, 1000);
        says_stopped(&says, 1, cuts[i].heard_ms, cuts[i].total_ms, 2000);
        is_int(says_to_turn(&says, &turn), cuts[i].want[0] != '\0', "something was heard or not");
        is_str(turn.text, cuts[i].want, "what was heard");
        is_str(turn.full, whole || !cuts[i].text[0] ? "" : cuts[i].text, "what was meant, when it was cut");
        is_int(turn.interrupted, !whole && cuts[i].text[0], "cut or not");
        ok(utf8_valid(turn.text, strlen(turn.text)), "it is UTF-8");
    }
}

static void test_turn(void)
{
    static struct says says;
    static struct turn turn;

    add(&says, 1, "One.");
    add(&says, 2, "Two two.");
    add(&says, 3, "Three.");
    ok(!says_started(&says, 9, 100, 1000), "an unknown say does not begin");
    ok(says_started(&says, 1, 500, 1000) != NULL, "the first begins");
    ok(!says_started(&says, 1, 500, 1100), "once");
    is_int((long long)says_overdue_ms(&says), 1000 + 500 + 1400, "it is overdue by its own length, mark or no mark");
    ok(says_started(&says, 2, 1000, 1500) != NULL, "the second begins: the first was heard, though no mark came");
    is_int(says_heard_ms(&says, 1900), 900, "heard by then");
    says_ended(&says, 1, 1950);
    is_int((long long)says_current(&says)->number, 2, "a late mark changes nothing");
    says_stopped(&says, 2, 400, 1000, 1900);
    is_int((long long)says_overdue_ms(&says), -1, "what hangs is not overdue");
    says_failed(&says, 3);
    ok(says_to_turn(&says, &turn), "a turn of three");
    is_str(turn.text, "One. Two", "one heard, one cut, one failed");
    is_str(turn.full, "One. Two two.", "what could not be said was not meant either");
    is_int((long long)turn.start_ms, 1000, "from the first frame");
    is_int((long long)turn.end_ms, 1900, "to the last that was heard");
}

/* Two sentences of 2 s each, sent a second ahead of the ear; the play-out says where it stopped. */
static const struct {
    uint32_t stop_ms; /* into the turn */
    bool named;       /* else by the clock */
    const char *want;
} aheads[] = {
    { 500, true, "one" },
    { 1500, true, "one two three" }, /* the second left at 1000 and was not heard */
    { 1500, false, "one two three" },
    { 2100, true, "one two three four." },
    { 3200, true, "one two three four. five six" },
    { 3200, false, "one two three four. five six" },
};

static void test_ahead(void)
{
    for (size_t i = 0; i < ELEMENTSOF(aheads); i++) {
        static struct says says;
        static struct turn turn;
        uint32_t stop_ms = aheads[i].stop_ms;
        uint64_t now_ms = 1000 + stop_ms;

        says_clear(&says);
        add(&says, 1, "one two three four.");
        add(&says, 2, "five six seven eight.");
        (void)says_started(&says, 1, 2000, 1000);
        if (stop_ms >= 1000)
            (void)says_started(&says, 2, 2000, 2000);
        is_int(says_heard_ms(&says, now_ms), stop_ms < 2000 ? stop_ms : now_ms - says_current(&says)->started_ms,
               "what left is not heard yet");
        if (!aheads[i].named)
            says_stopped_now(&says, now_ms);
        else if (stop_ms < 2000)
            says_stopped(&says, 1, stop_ms, 2000, now_ms);
        else
            says_stopped(&says, 2, stop_ms - 2000, 2000, now_ms);
        ok(says_to_turn(&says, &turn), "something was heard");
        is_str(turn.text, aheads[i].want, "no word of what was only sent");
    }
}

static void test_resumed_ahead(void)
{
    static struct says says;

    says_clear(&says);
    add(&says, 1, "one two three four.");
    add(&says, 2, "five six seven eight.");
    (void)says_started(&says, 1, 2000, 1000);
    (void)says_started(&says, 2, 2000, 2000);
    says_stopped(&says, 1, 1500, 2000, 2500);
    says_resumed(&says, 5000);
    is_int((long long)says_current(&says)->number, 1, "it goes on with the one that was being heard");
    is_int((long long)says_overdue_ms(&says), 5000 - 1500 + 2000 + 1400, "whose rest is due");
    ok(says_started(&says, 2, 2000, 5100) != NULL, "the other one leaves once more");
    says_ended(&says, 1, 5500);
    is_int((long long)says_overdue_ms(&says), 5500 + 2000 + 1400, "and is due from where it is heard, not from where it left");
}

static void test_resumed(void)
{
    static struct says says;
    static struct turn turn;

    add(&says, 1, "One one.");
    add(&says, 2, "Two.");
    (void)says_started(&says, 1, 1000, 1000);
    says_stopped(&says, 1, 400, 1000, 1400);
    says_resumed(&says, 3000);
    is_int((long long)says_overdue_ms(&says), 3000 - 400 + 1000 + 1400, "the rest of it is overdue later");
    says_ended(&says, 2, 4000);
    ok(!says_current(&says), "the end of the last is the end of all");
    says_stopped(&says, 1, 100, 1000, 4100);
    says_ended(&says, 2, 9000);
    ok(says_to_turn(&says, &turn) && !turn.interrupted, "nothing was cut");
    is_str(turn.text, "One one. Two.", "all was heard");
    is_int((long long)turn.end_ms, 4000, "a mark that comes again moves no end");
}

static void test_never_begun(void)
{
    static struct says says;
    static struct turn turn;

    add(&says, 1, "One.");
    is_int((long long)says_overdue_ms(&says), 100 + 3000, "a sentence that does not begin is overdue");
    says_give_up(&says);
    ok(!says_current(&says), "and given up");
    ok(!says_to_turn(&says, &turn) && !turn.interrupted, "nothing was heard of it");
}

/* A voice that falters, or whose length is known late, is not taken as heard by the clock that ran before. */
static void test_moved(void)
{
    static struct says says;

    says_clear(&says);
    add(&says, 1, "one two three");
    add(&says, 2, "four");
    (void)says_started(&says, 1, 0, 1000);
    ok(says_overdue_ms(&says) < 5000, "a length nobody told is guessed");
    says_moved(&says, 1, 0, 0, 4000);
    ok(says_overdue_ms(&says) > 5000, "one that is begun again has as long again");
    says_moved(&says, 1, 500, 20000, 5000);
    ok(says_overdue_ms(&says) > 24500 && says_heard_ms(&says, 5100) == 600, "where it is is told, and how long it is");
    says_moved(&says, 2, 0, 700, 5000);
    says_moved(&says, 7, 0, 700, 5000);
    says_ended(&says, 1, 24500);
    says_moved(&says, 1, 0, 700, 25000);
    is_int(says_current(&says)->number, 2, "nothing is told of one that did not begin, or is over");
}

int main(void)
{
    test_cuts();
    test_turn();
    test_ahead();
    test_resumed();
    test_resumed_ahead();
    test_never_begun();
    test_moved();
    return done_testing();
}
