/*
 * stt_pocketsphinx.c - the embedded English recogniser
 *
 * A question's kind of answer picks one small grammar; nothing outside it can be understood, which
 * is what makes so small a model good enough on the telephone. Each engine thread has one decoder:
 * the acoustic model, the telephone transform, the pronunciations of the grammars' words alone, and
 * one search per grammar. All are made at start, 25 ms and 7 MB each, so that a bad model is found
 * then and not in the first call.
 *
 * Settings that were measured (beside the library's defaults): a word insertion penalty of 0.01,
 * and a probability of silence of 0.1, since an answer stands between pauses and breaths. Each
 * answer begins a new stream: what the decoder learnt of one caller's noise is no help with the
 * next.
 *
 * Confidence and rejection. The search always finds something, so what it finds is judged by the
 * acoustic score per frame of the words, and of the pauses around them: words that do not fit, or
 * pauses that are none, mean that something else was said. Both means start from a few frames of
 * what is usual, so that one odd frame in a short pause decides nothing. The lesser of the two
 * separates best and hardly moves with noise. With the threshold below, of right answers 1 in 38
 * (yes or no), 1 in 69 (commands), 0 in 22 (digits), 1 in 25 (numbers) were refused, and 27, 38, 16
 * and 27 % of answers outside the grammar taken. Scores of other models have other scales: their
 * answers are taken as they are, with unknown confidence.
 */
#include "services/stt_pocketsphinx.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <pocketsphinx.h>
#if HAVE_PS_CONFIG_INIT
#include <pocketsphinx/err.h>
#else
#include <sphinxbase/err.h>
#include <sphinxbase/fsg_model.h>
#include <sphinxbase/jsgf.h>
#endif

#include "config.h"
#include "utils/audio.h"
#include "utils/file.h"
#include "utils/log.h"
#include "utils/scoped.h"

enum {
    DICTIONARY_MAX = 64 * MIB,
    FEAT_PARAMS_MAX = 64 * KIB,
    WORDS_MAX = 128,
    REQUEST_RATE_HZ = 8000,
    RATE_MIN_HZ = 4000, /* of a model */
    RATE_MAX_HZ = 48000,
    SHORTEST = REQUEST_RATE_HZ * 100 / 1000, /* samples; less is no word */
    LONGEST = REQUEST_RATE_HZ * 30,
};

static const float LANGUAGE_WEIGHT = 6.5F; /* the library's default */

/* Score per frame that counts as no confidence, as full confidence, and the least that is taken. */
static const double SCORE_NONE = -50, SCORE_FULL = -20, SCORE_LEAST = -38;
/* What is usual, as so many frames of it. */
static const double USUAL_WORD = -25, USUAL_PAUSE = -22;
enum { USUAL_WORD_FRAMES = 10, USUAL_PAUSE_FRAMES = 40 };

#define DIGIT "zero | oh | one | two | three | four | five | six | seven | eight | nine"
#define HEAD "#JSGF V1.0; grammar answer; "

static const char *const grammars[ANSWER_N_KINDS] = {
    [ANSWER_YESNO] =
        HEAD "public <r> = yes | yeah | yep | yes please | sure | okay | that's right | correct |"
             " no | nope | no thanks | no thank you | not really | wrong;",
    [ANSWER_DIGITS] = HEAD "<d> = " DIGIT "; public <r> = <d>+;",
    [ANSWER_NUMBER] = HEAD
    "<d> = " DIGIT "; <t> = ten | eleven | twelve | thirteen | fourteen | fifteen | sixteen |"
    " seventeen | eighteen | nineteen; <y> = twenty | thirty | forty | fifty | sixty |"
    " seventy | eighty | ninety; public <r> = (<d> | <t> | <y>)+;",
    [ANSWER_COMMAND] = HEAD "public <r> = yes | no | repeat | stop | help | start | go;",
};

static const char telephone_mllr[] =
#include "services/telephone_mllr.inc"
    ;

#if HAVE_PS_CONFIG_INIT /* 5.0 and later */
typedef ps_config_t decoder_config;
#define decoder_config_free ps_config_free
#define add_search ps_add_fsg
#define pick_search ps_activate_search

static decoder_config *decoder_config_new(const char *const *settings, int n)
{
    ps_config_t *config = ps_config_init(NULL);

    for (int i = 0; config && i + 1 < n; i += 2)
        if (!ps_config_set_str(config, settings[i] + 1, settings[i + 1])) {
            ps_config_free(config);
            return NULL;
        }
    return config;
}
#else
typedef cmd_ln_t decoder_config;
#define decoder_config_free cmd_ln_free_r
#define add_search ps_set_fsg
#define pick_search ps_set_search

static decoder_config *decoder_config_new(const char *const *settings, int n)
{
    return cmd_ln_parse_r(NULL, ps_args(), n, (char **)settings, TRUE);
}
#endif

struct word {
    char *name, *phones; /* name may end in (2): another way to say it */
};

struct lexicon {
    char *wanted[WORDS_MAX];
    size_t n_wanted;
    struct word words[3 * WORDS_MAX];
    size_t n_words;
};

struct stt_pocketsphinx {
    unsigned rate_hz;   /* of the model */
    bool is_calibrated; /* the scores mean what SCORE_* say */
    enum stt_doubt doubt;
    unsigned n;
    ps_decoder_t *decoders[]; /* one a thread */
};

static __thread char last_said[256]; /* by the library, of what went wrong */

__attribute__((format(printf, 3, 4))) static void hear_library(void *user, err_lvl_t level,
                                                               const char *format, ...)
{
    va_list args;

    if (level < ERR_ERROR)
        return;
    va_start(args, format);
    (void)vsnprintf(last_said, sizeof(last_said), format, args);
    va_end(args);
    last_said[strcspn(last_said, "\n")] = '\0';
    if (level == ERR_FATAL) /* and now it calls exit() */
        (void)log_err(0, "pocketsphinx: %s", last_said);
}

static void lexicon_done(struct lexicon *lexicon)
{
    for (size_t i = 0; i < lexicon->n_wanted; i++)
        free(lexicon->wanted[i]);
    for (size_t i = 0; i < lexicon->n_words; i++) {
        free(lexicon->words[i].name);
        free(lexicon->words[i].phones);
    }
}

static bool is_wanted(const struct lexicon *lexicon, const char *word, size_t n)
{
    for (size_t i = 0; i < lexicon->n_wanted; i++)
        if (strncmp(lexicon->wanted[i], word, n) == 0 && lexicon->wanted[i][n] == '\0')
            return true;
    return false;
}

static int lexicon_want(struct lexicon *lexicon, const char *word, size_t n)
{
    if (is_wanted(lexicon, word, n))
        return 0;
    if (lexicon->n_wanted == WORDS_MAX)
        return -E2BIG;
    char *wanted = strndup(word, n);
    if (!wanted)
        return -ENOMEM;
    lexicon->wanted[lexicon->n_wanted++] = wanted;
    return 0;
}

/* The words of a grammar: what is neither a <rule>, nor "public", nor a mark. */
static int lexicon_want_grammar(struct lexicon *lexicon, const char *grammar)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz'";
    int r = 0;

    for (const char *p = grammar + strlen(HEAD); *p && r == 0;) {
        size_t n = strspn(p, letters);
        if (*p == '<')
            n = strcspn(p, ">");
        else if (n && !(n == 6 && strncmp(p, "public", n) == 0))
            r = lexicon_want(lexicon, p, n);
        p += n ? n : 1;
    }
    return r;
}

static int lexicon_add(struct lexicon *lexicon, const char *name, size_t n_name, const char *phones)
{
    if (lexicon->n_words == ELEMENTSOF(lexicon->words))
        return -E2BIG;
    struct word *word = &lexicon->words[lexicon->n_words++];
    *word = (struct word){ strndup(name, n_name), strdup(phones) };
    return word->name && word->phones ? 0 : -ENOMEM;
}

/* A line is a word, perhaps with a number in brackets, and its phones. */
static int lexicon_read(struct lexicon *lexicon, const char *path)
{
    scoped(free) char *text = NULL;
    char *line, *rest;
    size_t n;

    int r = file_read(path, 0, DICTIONARY_MAX, &text, &n);
    for (line = r < 0 ? NULL : strtok_r(text, "\r\n", &rest); line && r == 0;
         line = strtok_r(NULL, "\r\n", &rest)) {
        size_t n_name = strcspn(line, " \t"), n_word = strcspn(line, " \t(");
        if (n_word && is_wanted(lexicon, line, n_word))
            r = lexicon_add(lexicon, line, n_name, line + n_name + strspn(line + n_name, " \t"));
    }
    return r;
}

static int lexicon_make(const char *path, struct lexicon *ret_lexicon)
{
    int r = 0;

    for (size_t i = 0; i < ELEMENTSOF(grammars) && r == 0; i++)
        if (grammars[i])
            r = lexicon_want_grammar(ret_lexicon, grammars[i]);
    return r < 0 ? r : lexicon_read(ret_lexicon, path);
}

struct model {
    const char *folder, *mllr; /* mllr NULL: none */
    unsigned rate_hz;
    bool is_ptm;
};

/* Of the parameters that the model was trained with, two concern us. */
static int model_read(const char *folder, struct model *ret_model)
{
    scoped(free) char *path = NULL, *text = NULL;
    char *rest, *name, *value;
    double rate_hz = 0, upper_hz = 6800;
    size_t n;

    if (asprintf(&path, "%s/feat.params", folder) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    int r = file_read(path, 0, FEAT_PARAMS_MAX, &text, &n);
    if (r < 0)
        return r;
    for (name = strtok_r(text, " \t\r\n", &rest);
         name && (value = strtok_r(NULL, " \t\r\n", &rest));
         name = strtok_r(NULL, " \t\r\n", &rest)) {
        if (strcmp(name, "-samprate") == 0)
            rate_hz = strtod(value, NULL);
        else if (strcmp(name, "-upperf") == 0)
            upper_hz = strtod(value, NULL);
        else if (strcmp(name, "-model") == 0)
            ret_model->is_ptm = strcmp(value, "ptm") == 0;
    }
    if (rate_hz == 0) /* most do not say: then it shows in the highest frequency */
        rate_hz = upper_hz <= 4000 ? 8000 : 16000;
    if (!(rate_hz >= RATE_MIN_HZ && rate_hz <= RATE_MAX_HZ))
        return -EINVAL;
    ret_model->rate_hz = (unsigned)rate_hz;
    return 0;
}

static bool is_default_model(const char *folder)
{
    static const char *const name = "/en-us/en-us";
    size_t n = strlen(folder);

    while (n && folder[n - 1] == '/')
        n--;
    return n >= strlen(name) && strncmp(folder + n - strlen(name), name, strlen(name)) == 0;
}

/* The library's own function for this loses the parsed grammar. */
static int decoder_add(ps_decoder_t *decoder, const char *name, const char *grammar)
{
    jsgf_t *parsed = jsgf_parse_string(grammar, NULL);
    jsgf_rule_t *rule = parsed ? jsgf_get_public_rule(parsed) : NULL;
    fsg_model_t *graph =
        rule ? jsgf_build_fsg(parsed, rule, ps_get_logmath(decoder), LANGUAGE_WEIGHT) : NULL;
    int r = graph && add_search(decoder, name, graph) == 0 ? 0 : -EINVAL;

    if (graph)
        (void)fsg_model_free(graph); /* the search holds its own reference */
    if (parsed)
        jsgf_grammar_free(parsed);
    return r;
}

static int decoder_fill(ps_decoder_t *decoder, const struct lexicon *lexicon)
{
    for (size_t i = 0; i < lexicon->n_words; i++)
        if (ps_add_word(decoder, lexicon->words[i].name, lexicon->words[i].phones, FALSE) < 0)
            return -EINVAL;
    for (size_t i = 0; i < ELEMENTSOF(grammars); i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "%zu", i);
        if (grammars[i] && decoder_add(decoder, name, grammars[i]) < 0)
            return -EINVAL;
    }
    return 0;
}

static int decoder_new(const struct model *model, const struct lexicon *lexicon,
                       ps_decoder_t **ret_decoder)
{
    char rate[16];
    const char *settings[] = { "-hmm", model->folder, "-samprate", rate,  "-logfn", "/dev/null",
                               "-wip", "1e-2",        "-silprob",  "0.1", "-mllr",  model->mllr };
    int n = (int)ELEMENTSOF(settings) - (model->mllr ? 0 : 2);

    (void)snprintf(rate, sizeof(rate), "%u", model->rate_hz);
    decoder_config *config = decoder_config_new(settings, n);
    if (!config)
        return -EINVAL;
    ps_decoder_t *decoder = ps_init(config);
    (void)decoder_config_free(config); /* the decoder holds its own reference */
    if (!decoder)
        return -EINVAL;
    int r = decoder_fill(decoder, lexicon);
    if (r < 0) {
        (void)ps_free(decoder);
        return r;
    }
    *ret_decoder = decoder;
    return 0;
}

static int decoders_make(struct stt_pocketsphinx *engine, const struct model *model,
                         const struct lexicon *lexicon)
{
    int r = 0;

    engine->rate_hz = model->rate_hz;
    engine->is_calibrated = model->is_ptm;
    for (unsigned i = 0; i < engine->n && r == 0; i++)
        r = decoder_new(model, lexicon, &engine->decoders[i]);
    return r;
}

/* The built-in transform as a file, since the library reads nothing else. Returns a descriptor. */
static int mllr_file(char ret_path[32])
{
    scoped(close) int fd = memfd_create("mllr", MFD_CLOEXEC);

    if (fd < 0 ||
        write(fd, telephone_mllr, sizeof(telephone_mllr) - 1) != sizeof(telephone_mllr) - 1)
        return errno ? -errno : -EIO;
    (void)snprintf(ret_path, 32, "/proc/self/fd/%d", fd);
    int given = fd;
    fd = -1;
    return given;
}

static int open_with(struct stt_pocketsphinx *engine, const struct config *config,
                     struct lexicon *lexicon, const char **ret_why)
{
    struct model model = { .folder = config->stt_model_dir, .mllr = config->stt_mllr_file };
    scoped(close) int mllr = -1;
    char mllr_path[32];

    *ret_why = "STT_MODEL_DIR holds no acoustic model that we can use";
    int r = model_read(model.folder, &model);
    if (r < 0)
        return r;
    *ret_why = "STT_DICT_FILE cannot be read";
    r = lexicon_make(config->stt_dict_file, lexicon);
    if (r < 0)
        return r;
    if (!model.mllr && is_default_model(model.folder)) {
        *ret_why = "out of files";
        mllr = mllr_file(mllr_path);
        if (mllr < 0)
            return mllr;
        model.mllr = mllr_path;
    }
    *ret_why = last_said;
    return decoders_make(engine, &model, lexicon);
}

int stt_pocketsphinx_open(const struct config *config, unsigned n_threads, enum stt_doubt doubt,
                          struct stt_pocketsphinx **ret_engine, const char **ret_why)
{
    scoped(stt_pocketsphinx_close) struct stt_pocketsphinx *engine =
        calloc(1, sizeof(*engine) + n_threads * sizeof(*engine->decoders));
    scoped(free) struct lexicon *lexicon = calloc(1, sizeof(*lexicon));

    *ret_why = "out of memory";
    if (!engine || !lexicon)
        return -ENOMEM;
    if (!config->stt_model_dir || !config->stt_dict_file) {
        *ret_why = "STT_MODEL_DIR or STT_DICT_FILE is not set";
        return -ENOENT;
    }
    engine->n = n_threads;
    engine->doubt = doubt;
    last_said[0] = '\0';
    err_set_callback(hear_library, NULL);
    int r = open_with(engine, config, lexicon, ret_why);
    lexicon_done(lexicon);
    if (r < 0)
        return r;
    *ret_engine = steal(&engine);
    return 0;
}

void stt_pocketsphinx_close(struct stt_pocketsphinx *engine)
{
    if (!engine)
        return;
    for (unsigned i = 0; i < engine->n; i++)
        if (engine->decoders[i])
            (void)ps_free(engine->decoders[i]);
    free(engine);
}

const char *stt_pocketsphinx_grammar(enum answer_kind expect)
{
    return expect < ANSWER_N_KINDS ? grammars[expect] : NULL;
}

bool stt_pocketsphinx_can(enum answer_kind expect)
{
    return stt_pocketsphinx_grammar(expect) != NULL;
}

struct score {
    double sum;
    int n_frames;
};

/* The lesser of the words' and the pauses' scores per frame. */
static double decoder_score(ps_decoder_t *decoder)
{
    struct score words = { USUAL_WORD * USUAL_WORD_FRAMES, USUAL_WORD_FRAMES };
    struct score pauses = { USUAL_PAUSE * USUAL_PAUSE_FRAMES, USUAL_PAUSE_FRAMES };

    for (ps_seg_t *segment = ps_seg_iter(decoder); segment; segment = ps_seg_next(segment)) {
        int from, to;
        int32 acoustic = 0, language, back;
        struct score *score = strchr("<[(+", ps_seg_word(segment)[0]) ? &pauses : &words;

        ps_seg_frames(segment, &from, &to);
        (void)ps_seg_prob(segment, &acoustic, &language, &back);
        score->sum += acoustic;
        score->n_frames += to - from + 1;
    }
    return fmin(words.sum / words.n_frames, pauses.sum / pauses.n_frames);
}

static int decode(ps_decoder_t *decoder, const int16_t *pcm, size_t n)
{
    if (ps_start_stream(decoder) < 0 || ps_start_utt(decoder) < 0)
        return -EIO;
    int n_frames = ps_process_raw(decoder, pcm, n, FALSE, TRUE);
    return ps_end_utt(decoder) < 0 || n_frames < 0 ? -EIO : 0;
}

static void judge(const struct stt_pocketsphinx *engine, ps_decoder_t *decoder,
                  struct stt_result *ret_result)
{
    const char *heard = ps_get_hyp(decoder, NULL);

    if (!heard || !*heard)
        return;
    if (engine->is_calibrated) {
        double score = decoder_score(decoder);
        ret_result->confidence = fmin(1, fmax(0, (score - SCORE_NONE) / (SCORE_FULL - SCORE_NONE)));
        if (score < SCORE_LEAST && engine->doubt == STT_REFUSE_DOUBTFUL)
            return;
    }
    (void)snprintf(ret_result->text, sizeof(ret_result->text), "%s", heard);
    ret_result->understood = true;
}

int stt_pocketsphinx_recognise(struct stt_pocketsphinx *engine, unsigned thread,
                               const struct stt_request *request, struct stt_result *ret_result)
{
    ps_decoder_t *decoder = engine->decoders[thread];
    scoped(free) int16_t *pcm = NULL;
    char name[8];
    size_t n = request->n_samples < LONGEST ? request->n_samples : LONGEST;

    if (!stt_pocketsphinx_can(request->expect))
        return -EOPNOTSUPP;
    if (n < SHORTEST)
        return 0;
    int r = audio_resample(request->pcm, n, REQUEST_RATE_HZ, engine->rate_hz, &pcm, &n);
    if (r < 0)
        return r;
    (void)snprintf(name, sizeof(name), "%u", (unsigned)request->expect);
    if (pick_search(decoder, name) < 0)
        return -EIO;
    r = decode(decoder, pcm, n);
    if (r < 0)
        return r;
    judge(engine, decoder, ret_result);
    return 0;
}
