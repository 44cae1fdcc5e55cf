/*
 * prompts.c - the fixed sentences of a profile, rendered before the first call
 */
#include "services/prompts.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "services/engine.h"
#include "services/profile.h"
#include "services/tts.h"
#include "utils/log.h"

enum { PROGRESS_S = 2 };

struct rendering {
    pthread_mutex_t lock;
    pthread_cond_t progress;
    size_t n_sent, n_done; /* under the lock */
};

struct prompt_job {
    struct tts_sentence sentence; /* first */
    struct rendering *rendering;
    const struct prompt *prompt;
};

static void rendered(struct tts_sentence *sentence)
{
    struct rendering *rendering = ((struct prompt_job *)sentence)->rendering;

    pthread_mutex_lock(&rendering->lock);
    rendering->n_done++;
    pthread_cond_signal(&rendering->progress);
    pthread_mutex_unlock(&rendering->lock);
}

static void sounding(struct tts_sentence *sentence, bool is_over)
{
    if (is_over)
        rendered(sentence);
}

/* Returns at the latest when a progress line is due. */
static void wait_for_progress(struct rendering *rendering)
{
    struct timespec until;
    size_t before;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PROGRESS_S;
    pthread_mutex_lock(&rendering->lock);
    before = rendering->n_done;
    while (rendering->n_done == before && rendering->n_done < rendering->n_sent)
        if (pthread_cond_timedwait(&rendering->progress, &rendering->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&rendering->lock);
}

static size_t n_done(struct rendering *rendering)
{
    pthread_mutex_lock(&rendering->lock);
    size_t n = rendering->n_done;
    pthread_mutex_unlock(&rendering->lock);
    return n;
}

/* Says the prompts as the engine takes them, and waits for the last. */
static void run_all(struct rendering *rendering, struct prompt_job *jobs, size_t n_jobs)
{
    time_t next_line = time(NULL) + PROGRESS_S;

    for (size_t done = 0; done < n_jobs; done = n_done(rendering)) {
        /* counted first: one may be done before tts_say() returns */
        while (rendering->n_sent < n_jobs) {
            pthread_mutex_lock(&rendering->lock);
            size_t next = rendering->n_sent++;
            pthread_mutex_unlock(&rendering->lock);
            if (tts_say(&jobs[next].sentence) == 0)
                continue;
            pthread_mutex_lock(&rendering->lock);
            rendering->n_sent--;
            pthread_mutex_unlock(&rendering->lock);
            break;
        }
        wait_for_progress(rendering);
        if (time(NULL) < next_line)
            continue;
        log_info("rendering prompts: %zu of %zu", n_done(rendering), n_jobs);
        next_line = time(NULL) + PROGRESS_S;
    }
}

/*
 * What a voice of second choice said, or nobody, is asked for again when it is needed: a voice over the network that is
 * away now will be back, and until then its place is taken then and there.
 */
static bool is_left_for_later(const struct tts_sentence *sentence)
{
    bool is_broken = sentence->clip && sentence->clip->state != CLIP_WHOLE;

    return tts_can_remotely(sentence->tts, sentence->language) && (sentence->r < 0 || sentence->n_steps || is_broken);
}

/* Every prompt that failed is told of; the first error counts. */
static int take_clips(const struct profile *profile, struct prompt_job *jobs, size_t n_jobs, struct clip **clips)
{
    size_t n_later = 0;
    int r = 0;

    for (size_t i = 0; i < n_jobs; i++) {
        struct tts_sentence *sentence = &jobs[i].sentence;
        bool later = is_left_for_later(sentence);

        n_later += later;
        if (sentence->r == 0 && !later)
            clips[jobs[i].prompt - profile->prompts] = steal(&sentence->clip);
        if (sentence->r < 0 && !later) {
            (void)log_err(sentence->r, "cannot render prompt \"%s\" of profile %s; a recording of it may be put in PROMPTS_DIR/%s/%s.wav",
                          jobs[i].prompt->id, profile->name, profile->name, jobs[i].prompt->id);
            r = r < 0 ? r : sentence->r;
        }
        tts_sentence_done(sentence);
    }
    if (n_later)
        (void)log_warning(0, "%zu of %zu prompts were not spoken by the voice that is set up; they are asked for again in calls, "
                          "and what no voice says then is left out", n_later, n_jobs);
    return r;
}

static struct prompt_job job_of(struct engine *engine, struct tts *tts, const char *language, const struct prompt *prompt)
{
    return (struct prompt_job){
        .sentence = { .tts = tts, .engine = engine, .language = language, .text = prompt->text, .prompt = prompt->id,
                      .is_patient = true, .on_audio = sounding, .on_over = rendered },
        .prompt = prompt,
    };
}

int prompts_render(struct engine *engine, struct tts *tts, const struct profile *profile, struct clip ***ret_clips)
{
    struct rendering rendering = { 0 };
    struct prompt_job *jobs = calloc(profile->n_prompts + 1, sizeof(*jobs));
    struct clip **clips = calloc(profile->n_prompts + 1, sizeof(struct clip *));
    size_t n_jobs = 0;
    int r = jobs && clips ? 0 : -ENOMEM;

    if (r == 0 && !tts_can(tts, profile->language))
        r = log_err(-EOPNOTSUPP, "nobody here speaks \"%s\", the language of profile %s: set TTS_COMMAND to a program that "
                    "does, or PROMPTS_DIR to a folder with your own recordings of its prompts", profile->language, profile->name);
    for (size_t i = 0; r == 0 && i < profile->n_prompts; i++)
        if (profile->prompts[i].fixed) {
            jobs[n_jobs] = job_of(engine, tts, profile->language, &profile->prompts[i]);
            jobs[n_jobs++].rendering = &rendering;
        }
    if (n_jobs) {
        pthread_mutex_init(&rendering.lock, NULL);
        pthread_cond_init(&rendering.progress, NULL);
        run_all(&rendering, jobs, n_jobs);
        r = take_clips(profile, jobs, n_jobs, clips);
        pthread_cond_destroy(&rendering.progress);
        pthread_mutex_destroy(&rendering.lock);
    }
    free(jobs);
    if (r < 0) {
        prompts_free(profile, clips);
        return r;
    }
    *ret_clips = clips;
    return 0;
}

void prompts_free(const struct profile *profile, struct clip **clips)
{
    if (!clips)
        return;
    for (size_t i = 0; i < profile->n_prompts; i++)
        clip_unref(clips[i]);
    free(clips);
}
