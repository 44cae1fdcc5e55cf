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
    struct tts *tts;
    const struct profile *profile;
    pthread_mutex_t lock;
    pthread_cond_t progress;
    size_t n_sent, n_done; /* under the lock */
};

struct prompt_job {
    struct engine_job super; /* first */
    struct rendering *rendering;
    const struct prompt *prompt;
    struct clip *clip;
    int r;
};

static void render(struct engine_job *super, unsigned thread)
{
    struct prompt_job *job = (struct prompt_job *)super;
    struct rendering *rendering = job->rendering;

    job->r = tts_speak(rendering->tts, thread, rendering->profile->language, job->prompt->id, job->prompt->text, &job->clip);
}

static void rendered(struct engine_job *super)
{
    struct rendering *rendering = ((struct prompt_job *)super)->rendering;

    pthread_mutex_lock(&rendering->lock);
    rendering->n_done++;
    pthread_cond_signal(&rendering->progress);
    pthread_mutex_unlock(&rendering->lock);
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

/* Sends the jobs as the engine takes them, and waits for the last. */
static void run_all(struct engine *engine, struct rendering *rendering, struct prompt_job *jobs, size_t n_jobs)
{
    time_t next_line = time(NULL) + PROGRESS_S;

    for (size_t done = 0; done < n_jobs; done = n_done(rendering)) {
        /* counted first: a job may be done before engine_submit() returns */
        while (rendering->n_sent < n_jobs) {
            pthread_mutex_lock(&rendering->lock);
            size_t next = rendering->n_sent++;
            pthread_mutex_unlock(&rendering->lock);
            if (engine_submit(engine, &jobs[next].super) == 0)
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

/* Every prompt that failed is told of; the first error counts. */
static int take_clips(const struct profile *profile, struct prompt_job *jobs, size_t n_jobs, struct clip **clips)
{
    int r = 0;

    for (size_t i = 0; i < n_jobs; i++) {
        clips[jobs[i].prompt - profile->prompts] = jobs[i].clip;
        if (jobs[i].r == 0)
            continue;
        (void)log_err(jobs[i].r, "cannot render prompt \"%s\" of profile %s; a recording of it may be put in PROMPTS_DIR/%s/%s.wav",
                      jobs[i].prompt->id, profile->name, profile->name, jobs[i].prompt->id);
        r = r < 0 ? r : jobs[i].r;
    }
    return r;
}

int prompts_render(struct engine *engine, struct tts *tts, const struct profile *profile, struct clip ***ret_clips)
{
    struct rendering rendering = { .tts = tts, .profile = profile };
    struct prompt_job *jobs = calloc(profile->n_prompts + 1, sizeof(*jobs));
    struct clip **clips = calloc(profile->n_prompts + 1, sizeof(struct clip *));
    size_t n_jobs = 0;
    int r = jobs && clips ? 0 : -ENOMEM;

    if (r == 0 && !tts_can(tts, profile->language))
        r = log_err(-EOPNOTSUPP, "nobody here speaks \"%s\", the language of profile %s: set TTS_COMMAND to a program that "
                    "does, or PROMPTS_DIR to a folder with your own recordings of its prompts", profile->language, profile->name);
    for (size_t i = 0; r == 0 && i < profile->n_prompts; i++)
        if (profile->prompts[i].fixed)
            jobs[n_jobs++] = (struct prompt_job){
                .super = { .run = render, .done = rendered }, .rendering = &rendering, .prompt = &profile->prompts[i],
            };
    if (n_jobs) {
        pthread_mutex_init(&rendering.lock, NULL);
        pthread_cond_init(&rendering.progress, NULL);
        run_all(engine, &rendering, jobs, n_jobs);
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
