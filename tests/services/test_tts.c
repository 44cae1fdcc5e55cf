/*
 * test_tts.c - recordings before the command before flite; each fit for the telephone, each
 * rendered once
 */

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>

#include "config.h"
#include "scratch.h"
#include "services/speak.h"
#include "tap.h"
#include "utils/audio.h"

enum { RATE_HZ = 8000, N_THREADS = 4 };

static void tone_write(const char *path, unsigned rate_hz, unsigned n_channels, double hz,
                       double level, double seconds)
{
    size_t n = (size_t)(rate_hz * seconds);
    int16_t *pcm = calloc(n * n_channels + 1, sizeof(*pcm));
    struct wav wav = { rate_hz, n_channels, n, pcm };

    for (size_t i = 0; pcm && i < n * n_channels; i++)
        pcm[i] = (int16_t)(level * sin(2 * M_PI * hz * (double)(i / n_channels) / rate_hz));
    if (pcm)
        (void)wav_write(path, &wav);
    free(pcm);
}

struct heard {
    int r, peak;
    double seconds;
    size_t quiet_before, quiet_behind; /* samples */
};

static struct heard speak(struct tts *tts, const char *language, const char *prompt,
                          const char *text)
{
    scoped(clip_unref) struct clip *clip = NULL;
    struct heard heard = { .r = speak_now(tts, language, prompt, text, &clip) };

    if (heard.r < 0)
        return heard;
    size_t last = 0;
    heard.quiet_before = clip->n;
    for (size_t i = 0; i < clip->n; i++) {
        int16_t sample;
        ulaw_decode(clip->ulaw + i, &sample, 1);
        heard.peak = abs(sample) > heard.peak ? abs(sample) : heard.peak;
        if (abs(sample) > 300 && heard.quiet_before > i)
            heard.quiet_before = i;
        if (abs(sample) > 300)
            last = i;
    }
    heard.quiet_behind = clip->n - last;
    heard.seconds = (double)clip->n / RATE_HZ;
    return heard;
}

static char *keep(char out[512], const char *path)
{
    (void)snprintf(out, 512, "%s", path);
    return out;
}

/* How often the command was run: it adds a line to the file each time. */
static int n_runs(void)
{
    scoped(fclose) FILE *file = fopen(scratch_file("runs"), "re");
    int n = 0;

    for (int c; file && (c = getc(file)) != EOF;)
        n += c == '\n';
    return n;
}

static const struct {
    const char *what, *text;
    int want;
    double least_s, most_s;
} texts[] = {
    { "a sentence", "Thank you for calling. How can I help you?", 0, 1.5, 5 },
    { "a number digit by digit", "0 5 0, 1 2 3, 4 5 6 7", 0, 2, 8 },
    { "an accent and a typographic apostrophe", "Jos\xc3\xa9\xe2\x80\x99s caf\xc3\xa9", 0, 0.4, 3 },
    { "bytes that are no text", "one \xff\xfe\xc3 two \xe2\x80", 0, 0.3, 3 },
    { "control characters", "one\001\ttwo\nthree", 0, 0.5, 3 },
    { "nothing", "", -EIO, 0, 0 },
    { "a blank", "   ", -EIO, 0, 0 },
    { "only marks", "?!...", -EIO, 0, 0 },
    { "only Hebrew in an English voice", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", -EIO, 0, 0 },
};

static void test_flite(void)
{
    static const char *const voices[] = { "rms", "slt", NULL };

    for (size_t v = 0; v < ELEMENTSOF(voices); v++) {
        struct config config = { .tts_voice = voices[v] };
        scoped(tts_close) struct tts *tts = NULL;

        if (!ok(tts_open(&(struct tts_options){ .config = &config, .profile = "receptionist-en" }, &tts) == 0, "opened with voice %s",
                voices[v] ? voices[v] : "unset"))
            continue;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
            struct heard heard = speak(tts, "en", NULL, texts[i].text);
            ok(heard.r == texts[i].want && heard.seconds >= texts[i].least_s &&
                   heard.seconds <= texts[i].most_s,
               "%s takes %.1f s", texts[i].what, heard.seconds);
            if (heard.r == 0)
                ok(heard.peak >= 20000 && heard.peak <= 24000 &&
                       heard.quiet_before < RATE_HZ / 10 && heard.quiet_behind < RATE_HZ / 4,
                   "and is fit for the telephone: peak %d, quiet for %zu and %zu ms", heard.peak,
                   heard.quiet_before / 8, heard.quiet_behind / 8);
        }
    }
}

static const struct {
    const char *language;
    bool with_flite, with_command;
} languages[] = {
    { "en", true, true },   { "en-US", true, true }, { "he", false, true },
    { "eng", false, true }, { "", false, true },
};

static void test_languages(void)
{
    struct config plain = { .tts_voice = "rms" },
                  other = { .tts_voice = "rms", .tts_command = "false" };
    scoped(tts_close) struct tts *flite = NULL, *command = NULL;

    if (tts_open(&(struct tts_options){ .config = &plain, .profile = "p" }, &flite) < 0 || tts_open(&(struct tts_options){ .config = &other, .profile = "p" }, &command) < 0)
        return;
    for (size_t i = 0; i < ELEMENTSOF(languages); i++) {
        ok(tts_can(flite, languages[i].language) == languages[i].with_flite, "flite and '%s'",
           languages[i].language);
        ok(tts_can(command, languages[i].language) == languages[i].with_command,
           "a command and '%s'", languages[i].language);
    }
    is_int(speak(flite, "he", NULL, "shalom").r, -EOPNOTSUPP, "Hebrew has no embedded voice");
}

static void test_command(void)
{
    char command[2048], cache_dir[512], told[256] = "", text[256] = "";
    struct config config = { .tts_voice = "slt",
                             .tts_command = command,
                             .cache_dir = keep(cache_dir, scratch_file("cache")) };
    scoped(tts_close) struct tts *tts = NULL;

    tone_write(scratch_file("tone.wav"), 22050, 2, 500, 3000, 1);
    (void)snprintf(command, sizeof(command),
                   "cd %s; echo run >>runs; cat >text; echo "
                   "$AGENTLOCATOR_LANGUAGE,$AGENTLOCATOR_VOICE >told; cat tone.wav",
                   scratch());
    if (!ok(tts_open(&(struct tts_options){ .config = &config, .profile = "p" }, &tts) == 0, "opened with a command"))
        return;
    struct heard first = speak(tts, "he", NULL, "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d");
    ok(first.r == 0 && fabs(first.seconds - 1) < 0.01, "the command speaks Hebrew");
    ok(first.peak >= 22000 && first.peak <= 24000,
       "its 22 kHz, stereo and faint, are made fit: peak %d", first.peak);
    scoped(fclose) FILE *told_file = fopen(scratch_file("told"), "re"),
                        *text_file = fopen(scratch_file("text"), "re");
    is_str(told_file && fgets(told, sizeof(told), told_file) ? told : NULL, "he,slt\n",
           "it was told language and voice");
    is_str(text_file && fgets(text, sizeof(text), text_file) ? text : NULL,
           "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "and the text");

    struct heard second = speak(tts, "he", NULL, "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d");
    ok(second.r == 0 && n_runs() == 1, "the second time it is not run, the cache has it");
    is_int(speak(tts, "en", NULL, "hello").r, 0, "it goes before the embedded voice");
    is_int(n_runs(), 2, "in English too");
}

static const struct {
    const char *what, *command;
} failures[] = {
    { "fails", "exit 1" },
    { "writes no WAV", "echo hello" },
    { "writes nothing", "cat >/dev/null" },
    { "writes silence", "cat silence.wav" },
    { "writes without end", "cat /dev/zero" },
};

static void test_failures(void)
{
    for (size_t i = 0; i < ELEMENTSOF(failures); i++) {
        char command[2048];
        struct config config = { .tts_voice = "rms", .tts_command = command };
        scoped(tts_close) struct tts *tts = NULL;

        tone_write(scratch_file("silence.wav"), 16000, 1, 500, 0, 1);
        (void)unlink(scratch_file("runs"));
        (void)snprintf(command, sizeof(command), "cd %s; echo run >>runs; %s", scratch(),
                       failures[i].command);
        if (tts_open(&(struct tts_options){ .config = &config, .profile = "p" }, &tts) < 0)
            continue;
        ok(speak(tts, "en", NULL, "hello").r == 0, "a command that %s: flite speaks instead",
           failures[i].what);
        is_int(speak(tts, "en", NULL, "once more").r, 0, "and again");
        is_int(n_runs(), 1, "while the command rests");
        is_int(speak(tts, "he", NULL, "shalom").r, -EIO, "what nobody else speaks");
        is_int(n_runs(), 2, "it is asked all the same");
    }
}

static const struct {
    const char *what, *prompt;
    double seconds; /* 2: the recording; otherwise what flite makes of "good bye" */
} prompts[] = {
    { "a recorded prompt", "goodbye", 2 },
    { "one that is not recorded", "hello", 0 },
    { "one that is damaged", "damaged", 0 },
    { "a path in its place", "../goodbye", 0 },
    { "no prompt", NULL, 0 },
    { "an empty one", "", 0 },
};

static void test_recordings(void)
{
    char prompts_dir[512];
    struct config config = { .tts_voice = "rms",
                             .prompts_dir = keep(prompts_dir, scratch_file("prompts")) };
    scoped(tts_close) struct tts *tts = NULL;

    (void)mkdir(scratch_file("prompts"), 0700);
    (void)mkdir(scratch_file("prompts/mine"), 0700);
    tone_write(scratch_file("prompts/goodbye.wav"), 8000, 1, 500, 1000, 2);
    tone_write(scratch_file("prompts/mine/goodbye.wav"), 16000, 1, 500, 1000, 2);
    FILE *damaged = fopen(scratch_file("prompts/mine/damaged.wav"), "we");
    if (damaged) {
        (void)fputs("RIFFnonsense", damaged);
        (void)fclose(damaged);
    }
    if (tts_open(&(struct tts_options){ .config = &config, .profile = "mine" }, &tts) < 0)
        return;
    for (size_t i = 0; i < ELEMENTSOF(prompts); i++) {
        struct heard heard = speak(tts, "en", prompts[i].prompt, "good bye");
        ok(heard.r == 0 &&
               (prompts[i].seconds > 0 ? fabs(heard.seconds - 2) < 0.01 : heard.seconds < 1.5),
           "%s: %.2f s", prompts[i].what, heard.seconds);
        if (prompts[i].seconds > 0)
            ok(heard.peak > 900 && heard.peak < 1100, "its level is left as it is");
    }
    ok(tts_can(tts, "he"), "recordings may speak any language");
    is_int(speak(tts, "he", "goodbye", "shalom").r, 0, "as far as they go");
    is_int(speak(tts, "he", "hello", "shalom").r, -EOPNOTSUPP, "and no further");
}

static void *speak_often(void *user)
{
    static const char *const said[] = { "one two three", "good morning", "yes", "no" };
    intptr_t n_good = 0;

    for (size_t i = 0; i < ELEMENTSOF(said); i++) {
        struct clip *clip = NULL;
        n_good += speak_now(user, "en", NULL, said[i], &clip) == 0 && clip->n > 1000;
        clip_unref(clip);
    }
    return (void *)n_good;
}

static void test_threads(void)
{
    char cache_dir[512];
    struct config config = { .tts_voice = "rms",
                             .cache_dir = keep(cache_dir, scratch_file("threads")) };
    scoped(tts_close) struct tts *tts = NULL;
    pthread_t threads[N_THREADS];
    intptr_t n_good = 0;

    if (tts_open(&(struct tts_options){ .config = &config, .profile = "p" }, &tts) < 0)
        return;
    for (int i = 0; i < N_THREADS; i++)
        if (pthread_create(&threads[i], NULL, speak_often, tts) != 0)
            return;
    for (int i = 0; i < N_THREADS; i++) {
        void *good;
        (void)pthread_join(threads[i], &good);
        n_good += (intptr_t)good;
    }
    is_int(n_good, 4 * N_THREADS, "four threads speak at once");
}

static void test_clip(void)
{
    struct clip *clip = clip_new(3), *same = clip_ref(clip);

    ok(clip == same && clip->n == 3, "a second reference is the same clip");
    clip_unref(clip);
    same->ulaw[2] = ULAW_SILENCE;
    clip_unref(same);
    clip_unref(NULL);
}

int main(void)
{
    test_clip();
    test_flite();
    test_languages();
    test_command();
    test_failures();
    test_recordings();
    test_threads();
    tts_close(NULL);
    return done_testing();
}
