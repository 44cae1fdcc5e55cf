/*
 * bench_speech.c - how well the ear hears and how fast ear and voice are; `make bench-speech`
 *
 * Three tables: words wrong by set of recordings, beside what was measured when the ear was
 * designed; misses and false alarms of the VAD in noise; the voices, listened to by the ear.
 *
 * It fails when a set falls behind its figure by more than TOLERANCE. The figures come from
 * somewhat larger sets than those that are shared, so one answer more or less in the smallest (38
 * answers: 2.6 points) already leaves rounding; one point is less than one answer there, and about
 * one word in the others.
 *
 * Each set is heard twice: the recordings as they are, nothing refused, as the figures were taken;
 * and as in a call, cut out by the VAD, and answers that sound like something else refused. A
 * refusal is no error: it is asked again.
 */
#include <malloc.h>
#include <math.h>

#include "bench.h"
#include "config.h"
#include "services/speak.h"
#include "services/stt_pocketsphinx.h"
#include "services/vad.h"
#include "speech_sets.h"

#define MODELS "/usr/share/pocketsphinx/model/en-us/"

enum { SECOND = 8000, COLLAR = 3 /* frames */, PAUSE = 25 /* frames */ };

static const double TOLERANCE = 1.0;

static struct config config = { .tts_voice = "rms",
                                .stt_model_dir = MODELS "en-us",
                                .stt_dict_file = MODELS "cmudict-en-us.dict" };

struct result {
    size_t n_answers, n, n_errors, n_refused;
    double audio_s, cpu_s;
};

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

/* What the VAD takes for one answer: from its first start to its last end, with the lead a call
 * keeps. */
static void cut(const int16_t *pcm, size_t n, int16_t **ret_pcm, size_t *ret_n)
{
    size_t n_frames = 2 * PAUSE + n / VAD_FRAME + 2 * PAUSE, first = 0, last = n_frames;
    scoped(free) int16_t *padded = calloc(n_frames * VAD_FRAME, sizeof(*padded));
    scoped(vad_free) struct vad *vad = NULL;
    bool seen = false;

    *ret_n = 0;
    *ret_pcm = NULL;
    if (!padded || vad_new(&vad) < 0)
        return;
    memcpy(padded + 2 * PAUSE * VAD_FRAME, pcm, n / VAD_FRAME * VAD_FRAME * sizeof(*pcm));
    for (size_t i = 0; i < n_frames; i++) {
        enum vad_change change = vad_push(vad, padded + i * VAD_FRAME);
        if (change == VAD_STARTED && !seen) {
            first = i + 1 > VAD_LEAD_MS / 20 ? i + 1 - VAD_LEAD_MS / 20 : 0;
            seen = true;
        }
        if (change == VAD_ENDED)
            last = i + 1;
    }
    *ret_n = seen ? (last - first) * VAD_FRAME : 0;
    memmove(padded, padded + first * VAD_FRAME, *ret_n * sizeof(*padded));
    *ret_pcm = steal(&padded);
}

static void hear(struct stt_pocketsphinx *ear, enum answer_kind expect, const int16_t *pcm,
                 size_t n, struct result *result, struct stt_result *ret_heard)
{
    struct stt_request request = { pcm, n, "en", expect };
    double from = bench_cpu_ns();

    *ret_heard = (struct stt_result){ .confidence = -1 };
    (void)stt_pocketsphinx_recognise(ear, 0, &request, ret_heard);
    result->cpu_s += (bench_cpu_ns() - from) / 1e9;
    result->audio_s += (double)n / SECOND;
}

static struct result hear_set(struct stt_pocketsphinx *ear, const struct recordings *recordings,
                              const struct speech_set *set, bool as_in_a_call)
{
    struct result result = { 0 };

    for (size_t i = 0; i < recordings->n; i++) {
        const struct recording *one = &recordings->all[i];
        scoped(free) int16_t *answer = NULL;
        struct stt_result heard;
        size_t n = 0;
        if (!speech_set_has(set, one))
            continue;
        if (as_in_a_call)
            cut(one->pcm, one->n, &answer, &n);
        hear(ear, set->expect, as_in_a_call ? answer : one->pcm, as_in_a_call ? n : one->n, &result,
             &heard);
        result.n_answers++;
        if (!heard.understood && as_in_a_call)
            result.n_refused++;
        else {
            result.n_errors += speech_set_errors(set, one->text, heard.text, &n);
            result.n += n;
        }
    }
    return result;
}

/* Answers that no word of the set's grammar is in: how many are taken all the same. */
static double taken_wrongly(struct stt_pocketsphinx *ear, const struct recordings *recordings,
                            const struct speech_set *set)
{
    size_t n_other = 0, n_taken = 0;

    for (size_t i = 0; i < recordings->n; i++) {
        const struct recording *one = &recordings->all[i];
        struct result ignored = { 0 };
        struct spoken_words words;
        struct stt_result heard;
        bool foreign = strcmp(one->set, "synth") != 0;
        spoken_split(one->text, &words);
        for (size_t j = 0; j < words.n && foreign; j++) {
            char pattern[64];
            (void)snprintf(pattern, sizeof(pattern), " %s ", words.word[j]);
            foreign = !strstr(stt_pocketsphinx_grammar(set->expect), pattern);
        }
        if (!foreign)
            continue;
        scoped(free) int16_t *answer = NULL;
        size_t n;
        cut(one->pcm, one->n, &answer, &n);
        hear(ear, set->expect, answer, n, &ignored, &heard);
        n_other++;
        n_taken += heard.understood;
    }
    return n_other ? percent((double)n_taken, (double)n_other) : NAN;
}

static bool bench_sets(struct stt_pocketsphinx *ear, struct stt_pocketsphinx *all_ear,
                       const struct recordings *recordings, bool compare)
{
    bool good = true;

    printf("\n%-14s %8s %6s %8s %8s %9s %9s %9s %7s\n", "set", "answers", "words", "error %",
           "was %", "in a call", "refused %", "others %", "xRT");
    for (size_t i = 0; i < ELEMENTSOF(speech_sets); i++) {
        const struct speech_set *set = &speech_sets[i];
        struct result whole = hear_set(all_ear, recordings, set, false);
        struct result call = hear_set(ear, recordings, set, true);
        if (whole.n == 0) {
            printf("%-14s no recordings\n", set->name);
            continue;
        }
        double error = percent((double)whole.n_errors, (double)whole.n);
        bool behind = compare && error > set->error + TOLERANCE;
        printf("%-14s %8zu %6zu %8.1f %8.1f %9.1f %9.1f %9.0f %7.3f%s\n", set->name,
               whole.n_answers, whole.n, error, set->error,
               percent((double)call.n_errors, (double)call.n),
               percent((double)call.n_refused, (double)call.n_answers),
               taken_wrongly(ear, recordings, set), whole.cpu_s / whole.audio_s,
               behind ? "  FALLS BEHIND" : "");
        good = good && !behind;
    }
    puts("error: words wrong, or answers wrong by meaning for yes or no; in a call: cut by the "
         "VAD, of what was not\n"
         "refused; others: speech without a word of the grammar that was taken all the same");
    return good;
}

/* Recordings of people between pauses, and which frames hold speech: those within 30 dB of the
 * loudest. */
struct track {
    int16_t *pcm;
    bool *speech;
    size_t n_frames, n_speech;
    double level; /* root mean square of the speech */
};

static double energy(const int16_t *pcm)
{
    double sum = 0;

    for (int i = 0; i < VAD_FRAME; i++)
        sum += (double)pcm[i] * pcm[i];
    return sum;
}

static void track_add(struct track *track, const struct recording *one)
{
    size_t n = one->n / VAD_FRAME, last = 0;
    double loudest = 0;

    memcpy(track->pcm + (track->n_frames + PAUSE) * VAD_FRAME, one->pcm,
           n * VAD_FRAME * sizeof(*one->pcm));
    for (size_t i = 0; i < n; i++)
        loudest = fmax(loudest, energy(one->pcm + i * VAD_FRAME));
    for (size_t i = 0; i < n; i++) {
        size_t at = track->n_frames + PAUSE + i;
        if (energy(one->pcm + i * VAD_FRAME) < loudest / 1000)
            continue;
        for (size_t gap = last; last && at - last <= 10 && gap < at; gap++) /* within a word */
            track->speech[gap] = true;
        track->speech[at] = true;
        last = at;
    }
    track->n_frames += n + 2 * PAUSE;
}

static bool track_make(const struct recordings *recordings, struct track *ret_track)
{
    struct track track = { 0 };
    size_t room = 0;

    for (size_t i = 0; i < recordings->n; i++)
        room += recordings->all[i].n / VAD_FRAME + 2 * PAUSE;
    track.pcm = calloc(room * VAD_FRAME, sizeof(*track.pcm));
    track.speech = calloc(room, sizeof(*track.speech));
    if (!track.pcm || !track.speech)
        return false;
    for (size_t i = 0; i < recordings->n; i++)
        if (strcmp(recordings->all[i].set, "synth") != 0)
            track_add(&track, &recordings->all[i]);
    for (size_t i = 0; i < track.n_frames; i++) {
        track.n_speech += track.speech[i];
        track.level += track.speech[i] ? energy(track.pcm + i * VAD_FRAME) : 0;
    }
    track.level = sqrt(track.level / (double)(track.n_speech * VAD_FRAME));
    *ret_track = track;
    return true;
}

/* Pink noise of root mean square 1 or so, the same every time. */
static double pink(void)
{
    static double a, b, c;
    static uint32_t seed = 1;

    seed = seed * 1664525 + 1013904223;
    double white = (double)(seed >> 8) / (1 << 23) - 1;
    a = 0.99765 * a + white * 0.0990460;
    b = 0.96300 * b + white * 0.2965164;
    c = 0.57000 * c + white * 1.0526913;
    return (a + b + c + white * 0.1848) / 1.1;
}

struct misses {
    size_t n_speech, n_missed, n_pause, n_alarms;
};

static bool is_edge(const struct track *track, size_t at)
{
    if (at < COLLAR || at + COLLAR >= track->n_frames)
        return true;
    for (size_t i = at - COLLAR; i <= at + COLLAR; i++)
        if (track->speech[i] != track->speech[at])
            return true;
    return false;
}

/* Many a telephone sends next to nothing, and no noise either, while nobody speaks. */
static bool sends_nothing(const int16_t *pcm)
{
    return energy(pcm) < VAD_FRAME * 40.0 * 40;
}

/* Which frames a call would cut out as utterances, each with the lead it keeps. */
static void cut_out(const struct track *track, struct vad *vad, double noise, bool is_gated, bool *ret_within)
{
    bool speaking = false;

    for (size_t i = 0; i < track->n_frames; i++) {
        int16_t frame[VAD_FRAME];
        double level = is_gated && sends_nothing(track->pcm + i * VAD_FRAME) ? 0 : noise;
        for (size_t j = 0; j < VAD_FRAME; j++) {
            double sample = track->pcm[i * VAD_FRAME + j] + level * pink();
            frame[j] = (int16_t)fmax(-32768, fmin(32767, sample));
        }
        enum vad_change change = vad_push(vad, frame);
        for (size_t lead = 1; change == VAD_STARTED && lead <= VAD_LEAD_MS / 20; lead++)
            if (lead <= i)
                ret_within[i - lead] = true;
        speaking = change == VAD_STARTED || (speaking && change != VAD_ENDED);
        ret_within[i] = speaking;
    }
}

static struct misses count_misses(const struct track *track, const bool *within)
{
    struct misses misses = { 0 };

    for (size_t i = 0; i < track->n_frames; i++) {
        if (is_edge(track, i))
            continue;
        misses.n_speech += track->speech[i];
        misses.n_missed += track->speech[i] && !within[i];
        misses.n_pause += !track->speech[i];
        misses.n_alarms += !track->speech[i] && within[i];
    }
    return misses;
}

static struct misses listen_in_noise(const struct track *track, struct vad *vad, int snr_db, bool is_gated)
{
    bool *within = calloc(track->n_frames, sizeof(*within));
    struct misses misses = { 0 };

    if (within) {
        cut_out(track, vad, snr_db ? track->level * pow(10, -snr_db / 20.0) : 0, is_gated, within);
        misses = count_misses(track, within);
    }
    free(within);
    return misses;
}

static void bench_vad(const struct recordings *recordings)
{
    static const int snrs[] = { 0, 20, 10, 5 };
    static const struct {
        const char *name;
        int (*make)(struct vad **);
        bool is_gated;
    } engines[] = { { "in use", vad_new, false }, { "gated", vad_new, true }, { "stand-in", vad_new_stand_in, false } };
    struct track track;

    if (!track_make(recordings, &track))
        return;
    printf(
        "\nVAD, per cent of frames: speech that no utterance holds / pauses that one holds, with "
        "its lead and end;\ngated: by a telephone that sends the noise only with the voice\n%.0f s, %.0f %% speech, engine in use: %s\n",
        (double)track.n_frames / 50, percent((double)track.n_speech, (double)track.n_frames),
        vad_engine());
    printf("%-10s %12s %12s %12s %12s\n", "", "clean", "pink 20 dB", "10 dB", "5 dB");
    for (size_t i = 0; i < ELEMENTSOF(engines); i++) {
        printf("%-10s", engines[i].name);
        for (size_t j = 0; j < ELEMENTSOF(snrs); j++) {
            scoped(vad_free) struct vad *vad = NULL;
            if (engines[i].make(&vad) < 0)
                continue;
            struct misses misses = listen_in_noise(&track, vad, snrs[j], engines[i].is_gated);
            printf(" %6.1f /%4.0f", percent((double)misses.n_missed, (double)misses.n_speech),
                   percent((double)misses.n_alarms, (double)misses.n_pause));
        }
        putchar('\n');
    }
    free(track.pcm);
    free(track.speech);
}

static const struct {
    enum answer_kind expect;
    const char *text; /* as the agent would say it */
    const char *said;
} lines[] = {
    { ANSWER_YESNO, "Yes, please.", "yes please" },
    { ANSWER_YESNO, "No, thank you.", "no thank you" },
    { ANSWER_YESNO, "Okay.", "okay" },
    { ANSWER_DIGITS, "0 5 4, 2 1 7, 8 0 3 1", "zero five four two one seven eight zero three one" },
    { ANSWER_DIGITS, "0 5 0, 1 2 3, 4 5 6 7", "zero five zero one two three four five six seven" },
    { ANSWER_DIGITS, "9 6 8 8", "nine six eight eight" },
    { ANSWER_NUMBER, "35", "thirty five" },
    { ANSWER_NUMBER, "90", "ninety" },
    { ANSWER_COMMAND, "Repeat.", "repeat" },
    { ANSWER_COMMAND, "Help.", "help" },
};

static void bench_voice(struct stt_pocketsphinx *ear, const char *voice)
{
    scoped(tts_close) struct tts *tts = NULL;
    size_t n_errors = 0, n_words = 0;
    double spoken_s = 0, cpu_s = 0;

    config.tts_voice = voice;
    if (tts_open(&(struct tts_options){ .config = &config, .profile = NULL }, &tts) < 0)
        return;
    for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
        scoped(clip_unref) struct clip *clip = NULL;
        scoped(free) int16_t *pcm = NULL;
        struct result ignored = { 0 };
        struct stt_result heard;
        size_t n, n_samples = 0;
        double from = bench_cpu_ns();
        if (speak_now(tts, "en", NULL, lines[i].text, &clip) == 0)
            n_samples = clip->n;
        if (!n_samples || !(pcm = malloc(n_samples * sizeof(*pcm))))
            continue;
        cpu_s += (bench_cpu_ns() - from) / 1e9;
        spoken_s += (double)n_samples / SECOND;
        ulaw_decode(clip->ulaw, pcm, n_samples);
        hear(ear, lines[i].expect, pcm, n_samples, &ignored, &heard);
        n_errors += word_errors(lines[i].said, heard.text, &n);
        n_words += n;
    }
    printf("%-10s %5.1f s of speech at %.3f of real time, first load included; %zu of %zu words "
           "misheard\n",
           voice, spoken_s, cpu_s / spoken_s, n_errors, n_words);
}

static struct stt_pocketsphinx *open_ear(enum stt_doubt doubt)
{
    struct stt_pocketsphinx *ear = NULL;
    const char *why;
    size_t before = mallinfo2().uordblks;
    double from = bench_cpu_ns();

    if (stt_pocketsphinx_open(&config, 1, doubt, &ear, &why) < 0) {
        printf("there is no ear: %s; install pocketsphinx-en-us\n", why);
        return NULL;
    }
    if (doubt == STT_REFUSE_DOUBTFUL)
        printf("one decoder with all grammars: %.0f ms, %.1f MiB of heap\n",
               (bench_cpu_ns() - from) / 1e6, (double)(mallinfo2().uordblks - before) / MIB);
    return ear;
}

int main(void)
{
    scoped(stt_pocketsphinx_close) struct stt_pocketsphinx *ear = open_ear(STT_REFUSE_DOUBTFUL),
                                                           *all_ear = open_ear(STT_TAKE_ALL);
    struct recordings recordings;

    if (!ear || !all_ear || recordings_load(&recordings) < 0) {
        puts("nothing can be measured: install pocketsphinx-en-us and pocketsphinx-testdata");
        return 1;
    }
    bool shared = recordings.n > 100;
    printf("recordings: %s%s\n", recordings.source,
           shared ? "" : ": too few to compare with what was measured");
    bool good = bench_sets(ear, all_ear, &recordings, shared);
    bench_vad(&recordings);
    puts("\nvoices, listened to by the ear");
    bench_voice(all_ear, "rms");
    bench_voice(all_ear, "slt");
    recordings_done(&recordings);
    return good ? 0 : 1;
}
