/*
 * test_stt.c - short answers are understood, other speech mostly not, and a missing model is no
 * accident
 */
#include "services/stt.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>

#include "config.h"
#include "scratch.h"
#include "services/speak.h"
#include "services/stt_pocketsphinx.h"
#include "speech_sets.h"
#include "tap.h"

#define MODELS "/usr/share/pocketsphinx/model/en-us/"

static const struct config installed = { .tts_voice = "rms",
                                         .stt_model_dir = MODELS "en-us",
                                         .stt_dict_file = MODELS "cmudict-en-us.dict" };

static const struct {
    const char *language;
    enum answer_kind expect;
    bool can;
} kinds[] = {
    { "en", ANSWER_YESNO, true },       { "en", ANSWER_DIGITS, true },
    { "en", ANSWER_NUMBER, true },      { "en", ANSWER_COMMAND, true },
    { "en", ANSWER_FREE, false },       { "en-GB", ANSWER_YESNO, true },
    { "he", ANSWER_YESNO, false },      { "", ANSWER_YESNO, false },
    { "english", ANSWER_YESNO, false }, { "en", ANSWER_N_KINDS, false },
};

static int hear(struct stt *stt, enum answer_kind expect, const int16_t *pcm, size_t n,
                struct stt_result *ret_result)
{
    struct stt_request request = { pcm, n, "en", expect };

    return stt_recognise(stt, 0, &request, ret_result);
}

static void test_kinds(struct stt *stt)
{
    static const int16_t silence[8000];

    for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
        struct stt_request request = { silence, ELEMENTSOF(silence), kinds[i].language,
                                       kinds[i].expect };
        struct stt_result result;
        int r = stt_recognise(stt, 0, &request, &result);
        ok(stt_can(stt, kinds[i].language, kinds[i].expect) == kinds[i].can &&
               r == (kinds[i].can ? 0 : -EOPNOTSUPP),
           "language '%s', kind %d: %s", kinds[i].language, (int)kinds[i].expect,
           kinds[i].can ? "can" : "cannot");
        ok(!result.understood && result.text[0] == '\0',
           "and a second of silence is not understood");
    }
}

/* What only sounds: nothing may come of it but a refusal. */
static void test_sounds(struct stt *stt)
{
    enum { N = 16000 };
    static int16_t pcm[N];
    static const size_t lengths[] = { 0, 1, 799, 800, N };
    struct stt_result result;
    uint32_t seed = 1;

    for (size_t i = 0; i < N; i++) {
        seed = seed * 1664525 + 1013904223;
        pcm[i] = (int16_t)((int32_t)seed >> 19);
    }
    for (size_t i = 0; i < ELEMENTSOF(lengths); i++)
        ok(hear(stt, ANSWER_YESNO, pcm, lengths[i], &result) == 0 && !result.understood,
           "%zu samples of noise are no answer", lengths[i]);
    for (size_t i = 0; i < N; i++)
        pcm[i] = (int16_t)(i % 20 < 10 ? 32767 : -32768);
    ok(hear(stt, ANSWER_DIGITS, pcm, N, &result) == 0 && !result.understood,
       "nor is a tone at full scale");

    int16_t *minute = calloc(70 * 8000, sizeof(*minute));
    ok(minute && hear(stt, ANSWER_DIGITS, minute, 70 * 8000, &result) == 0 && !result.understood,
       "nor a minute of nothing");
    free(minute);
}

/* Every phrase of a grammar means something to those who read the transcript. */
static void test_readers(void)
{
    const char *p = strstr(stt_pocketsphinx_grammar(ANSWER_YESNO), "= ") + 2;
    int n = 0, n_meant = 0;

    for (char phrase[64]; *p; n++) {
        size_t length = strcspn(p, "|;");
        (void)snprintf(phrase, sizeof(phrase), "%.*s", (int)length, p);
        n_meant += spoken_yesno("en", phrase) >= 0;
        if (spoken_yesno("en", phrase) < 0)
            printf("# neither yes nor no: %s\n", phrase);
        p += length + strspn(p + length, "|; ");
    }
    ok(n > 10 && n_meant == n, "each of %d phrases for yes or no is read as one of them", n);
}

struct tally {
    size_t n, n_right, n_refused;
};

static struct tally try_recordings(struct stt *stt, const struct recordings *recordings,
                                   const struct speech_set *set)
{
    struct tally tally = { 0 };

    for (size_t i = 0; i < recordings->n; i++) {
        const struct recording *one = &recordings->all[i];
        struct stt_result result;
        size_t n;
        if (!speech_set_has(set, one) || hear(stt, set->expect, one->pcm, one->n, &result) < 0)
            continue;
        bool right = result.understood && speech_set_errors(set, one->text, result.text, &n) == 0;
        tally.n++;
        tally.n_right += right;
        tally.n_refused += !result.understood;
        if (!right)
            printf("# %s: said \"%s\", heard \"%s\", confidence %.2f%s\n", one->file, one->text,
                   result.text, result.confidence, result.understood ? "" : ", refused");
    }
    return tally;
}

/* Whole answers right, in per cent; `make bench-speech` has the exact measure. */
static const struct {
    struct speech_set set;
    size_t least_right, least_refused;
} subsets[] = {
    { { "yes and no", ANSWER_YESNO, " an4_cmd ", " yes no ", true }, 96, 0 },
    { { "commands", ANSWER_COMMAND, " an4_cmd ", NULL }, 85, 0 },
    { { "digits", ANSWER_DIGITS, " an4_test cards ", DIGIT_WORDS }, 75, 0 },
    { { "numbers", ANSWER_NUMBER, " an4_test ", NUMBER_WORDS }, 55, 0 },
    { { "spelling instead of digits", ANSWER_DIGITS, " an4_test ",
        " a b c d e f g h i j k l m n o p q r s t u v w x y z " },
      0,
      60 },
    { { "commands instead of a number", ANSWER_NUMBER, " an4_cmd ", NULL }, 0, 60 },
};

static void test_recordings(struct stt *stt, const struct recordings *recordings)
{
    for (size_t i = 0; i < ELEMENTSOF(subsets); i++) {
        struct tally tally = try_recordings(stt, recordings, &subsets[i].set);
        if (tally.n == 0)
            skip("no recordings of %s: the shared folder is not there", subsets[i].set.name);
        else
            ok(tally.n_right * 100 >= tally.n * subsets[i].least_right &&
                   tally.n_refused * 100 >= tally.n * subsets[i].least_refused,
               "%s of people on the telephone: %zu answers, %zu right, %zu refused",
               subsets[i].set.name, tally.n, tally.n_right, tally.n_refused);
    }
}

static const struct {
    enum answer_kind expect;
    const char *said, *want;
} synthetic[] = {
    { ANSWER_YESNO, "yes please", "yes please" },
    { ANSWER_YESNO, "no thank you", "no thank you" },
    { ANSWER_DIGITS, "0 5 0, 1 2 3, 4 5 6 7", "zero five zero one two three four five six seven" },
    { ANSWER_DIGITS, "8 9 4", "eight nine four" },
    { ANSWER_NUMBER, "25", "twenty five" },
    { ANSWER_COMMAND, "repeat", "repeat" },
};

/* What the agent's own voice says the ear understands, digits one by one above all. */
static void test_round_trip(struct stt *stt)
{
    scoped(tts_close) struct tts *tts = NULL;

    if (!ok(tts_open(&(struct tts_options){ .config = &installed, .profile = "p" }, &tts) == 0, "a voice to listen to"))
        return;
    for (size_t i = 0; i < ELEMENTSOF(synthetic); i++) {
        scoped(clip_unref) struct clip *clip = NULL;
        scoped(free) int16_t *pcm = NULL;
        struct stt_result result = { .text = "" };
        if (speak_now(tts, "en", NULL, synthetic[i].said, &clip) == 0 &&
            (pcm = malloc(clip->n * sizeof(*pcm)))) {
            ulaw_decode(clip->ulaw, pcm, clip->n);
            (void)hear(stt, synthetic[i].expect, pcm, clip->n, &result);
        }
        is_str(result.text, synthetic[i].want, synthetic[i].said);
        ok(result.understood && result.confidence > 0.3 && result.confidence <= 1,
           "with confidence %.2f", result.confidence);
    }
}

struct listener {
    struct stt *stt;
    unsigned thread;
    const struct recording *one;
    char heard[3][64];
};

static void *listen(void *user)
{
    static const enum answer_kind expect[] = { ANSWER_YESNO, ANSWER_DIGITS, ANSWER_YESNO };
    struct listener *listener = user;

    for (size_t i = 0; i < ELEMENTSOF(expect); i++) {
        struct stt_request request = { listener->one->pcm, listener->one->n, "en", expect[i] };
        struct stt_result result;
        (void)stt_recognise(listener->stt, listener->thread, &request, &result);
        (void)snprintf(listener->heard[i], sizeof(listener->heard[i]), "%.40s %.3f", result.text,
                       result.confidence);
    }
    return NULL;
}

/* Neither what another thread hears nor what was heard before changes what is heard. */
static void test_threads(struct stt *stt, const struct recording *one)
{
    struct listener listeners[2] = { { stt, 0, one, { "" } }, { stt, 1, one, { "" } } };
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, listen, &listeners[i]) != 0)
            return;
    for (int i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    is_str(listeners[0].heard[0], listeners[1].heard[0], "two threads hear the same");
    is_str(listeners[0].heard[2], listeners[0].heard[0], "the second time the same as the first");
    is_str(listeners[1].heard[1], listeners[0].heard[1], "digits too");
}

static void file_with(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    if (file) {
        (void)fputs(text, file);
        (void)fclose(file);
    }
}

static void test_missing(bool have_model)
{
    char empty_dir[512], odd_dir[512], few_words[512], nonsense[512];

    (void)snprintf(empty_dir, sizeof(empty_dir), "%s", scratch());
    (void)snprintf(few_words, sizeof(few_words), "%s", scratch_file("few"));
    (void)snprintf(nonsense, sizeof(nonsense), "%s", scratch_file("nonsense"));
    (void)snprintf(odd_dir, sizeof(odd_dir), "%s", scratch_file("odd"));
    (void)mkdir(odd_dir, 0700);
    file_with(scratch_file("odd/feat.params"), "-samprate 1e99 -upperf nan -model");
    file_with(few_words, "yes Y EH S\n");
    file_with(nonsense, "yes QQ XX\nno\nzero(2)(3) Z\n(\n\n");
    const struct {
        const char *what;
        struct config config;
        bool needs_model;
    } rows[] = {
        { "no folder",
          { .stt_model_dir = "/nonexistent", .stt_dict_file = installed.stt_dict_file },
          false },
        { "an empty folder",
          { .stt_model_dir = empty_dir, .stt_dict_file = installed.stt_dict_file },
          false },
        { "a folder with a rate of any figure",
          { .stt_model_dir = odd_dir, .stt_dict_file = installed.stt_dict_file },
          false },
        { "no setting", { 0 }, false },
        { "no dictionary",
          { .stt_model_dir = installed.stt_model_dir, .stt_dict_file = "/nonexistent" },
          true },
        { "a dictionary without our words",
          { .stt_model_dir = installed.stt_model_dir, .stt_dict_file = few_words },
          true },
        { "a dictionary of nonsense",
          { .stt_model_dir = installed.stt_model_dir, .stt_dict_file = nonsense },
          true },
        { "no such transform",
          { .stt_model_dir = installed.stt_model_dir,
            .stt_dict_file = installed.stt_dict_file,
            .stt_mllr_file = "/nonexistent" },
          true },
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        scoped(stt_close) struct stt *stt = NULL;
        if (rows[i].needs_model && !have_model)
            continue;
        int r = stt_open(&rows[i].config, NULL, 1, &stt);
        ok(r == 0 && !stt_can(stt, "en", ANSWER_YESNO),
           "%s: opened all the same, and it says that it cannot", rows[i].what);
    }
    stt_close(NULL);
}

/* Any model may be set; one for 8 kHz says so in its feat.params only by the highest frequency. */
static void test_other_model(const struct recordings *recordings)
{
    char dir[2048], model[2200], mllr[2200];
    struct config config = { .stt_model_dir = model,
                             .stt_dict_file = installed.stt_dict_file,
                             .stt_mllr_file = mllr };
    scoped(stt_close) struct stt *stt = NULL;

    (void)snprintf(model, sizeof(model), "%s/speech/models/hub4wsj_sc_8k",
                   recordings_shared(dir, sizeof(dir)));
    (void)snprintf(mllr, sizeof(mllr), "%s/speech/models/mllr/hub4wsj_sc_8k-telephone.mllr", dir);
    if (access(model, R_OK) < 0) {
        skip("no model for 8 kHz: the shared folder is not there");
        return;
    }
    ok(stt_open(&config, NULL, 1, &stt) == 0 && stt_can(stt, "en", ANSWER_DIGITS),
       "a model for 8 kHz is taken");
    struct tally digits = try_recordings(stt, recordings, &subsets[2].set);
    ok(digits.n_right * 4 >= digits.n * 3, "and hears digits: %zu of %zu", digits.n_right,
       digits.n);
}

int main(void)
{
    bool have_model = access(MODELS "en-us/mdef", R_OK) == 0;
    struct recordings recordings = { 0 };
    scoped(stt_close) struct stt *stt = NULL;

    test_readers();
    test_missing(have_model);
    if (!have_model) {
        skip("no acoustic model: install pocketsphinx-en-us");
        return done_testing();
    }
    if (!ok(stt_open(&installed, NULL, 2, &stt) == 0, "the installed model is opened"))
        return done_testing();
    test_kinds(stt);
    test_sounds(stt);
    test_round_trip(stt);
    if (recordings_load(&recordings) == 0) {
        printf("# recordings: %s\n", recordings.source);
        test_recordings(stt, &recordings);
        test_threads(stt, &recordings.all[0]);
        test_other_model(&recordings);
    } else
        skip("no human recordings: install pocketsphinx-testdata");
    recordings_done(&recordings);
    return done_testing();
}
