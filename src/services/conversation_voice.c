/*
 * conversation_voice.c - what a conversation says: sentences into the play-out, rendered or not, and from there on their way
 */
#include "services/conversation_state.h"

#include <errno.h>
#include <string.h>

#include "config.h"
#include "services/profile.h"
#include "utils/log.h"

static void clip_came(struct conversation *c)
{
    if (!c->first_audio_ms)
        c->first_audio_ms = c->now_ms;
}

static struct clip *prompt_clip(struct conversation *c, const char *id)
{
    const struct prompt *prompt = id ? profile_prompt(c->env->profile, id) : NULL;

    return prompt ? c->env->prompts[prompt - c->env->profile->prompts] : NULL;
}

static int render(struct conversation *c, unsigned say, const char *text)
{
    struct errand *errand = errand_get(c->env->errands, ERRAND_SPEAK, say);

    if (!errand)
        return -EAGAIN;
    (void)snprintf(errand->speak.text, sizeof(errand->speak.text), "%s", text);
    return conversation_errand_go(c, errand);
}

static void say_failed(struct conversation *c, unsigned say)
{
    session_count(&c->env->counters.n_tts_failed, 1);
    playout_drop(&c->playout, say);
    conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_FAILED, .say = say });
}

void conversation_say(struct conversation *c, const struct dialogue_action *action)
{
    struct clip *clip = prompt_clip(c, action->sentence->prompt);

    if (!c->first_say)
        c->first_say = action->say;
    int r = playout_say(&c->playout, action->say, clip);
    conversation_forget_unwanted(c);
    if (r == 0 && clip)
        clip_came(c);
    else if (r == 0)
        r = render(c, action->say, action->sentence->text);
    if (r < 0)
        say_failed(c, action->say);
}

void conversation_stop(struct conversation *c, const struct dialogue_action *action)
{
    struct playout_heard heard;

    for (unsigned say; (say = playout_passed(&c->playout, c->now_ms));)
        conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_ENDED, .say = say });
    if (playout_stop(&c->playout, c->now_ms, &heard))
        conversation_send_control(c, FRAME_CLEAR, "");
    if (!heard.say)
        return;
    c->n_barge_ins++;
    session_count(&c->env->counters.n_barge_ins, 1);
    conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_STOPPED, .say = heard.say, .heard_ms = heard.heard_ms,
                                      .total_ms = heard.total_ms });
}

void conversation_resume(struct conversation *c, const struct dialogue_action *action)
{
    if (playout_resume(&c->playout, action->say) < 0)
        say_failed(c, action->say);
}

/* The steps of one sentence; that a voice rests is told once, and not with each sentence. */
static void tell_steps(struct conversation *c, const struct tts_sentence *sentence)
{
    for (unsigned i = 0; i < sentence->n_steps; i++) {
        const struct tts_step *step = &sentence->steps[i];

        unsigned at = 0;

        while (at < TTS_VOICES - 1 && c->stepped[at].from && c->stepped[at].from != step->from)
            at++;
        bool is_known = c->stepped[at].from == step->from && c->stepped[at].to == step->to;
        c->stepped[at].from = step->from;
        c->stepped[at].to = step->to;
        if (step->is_rest && is_known)
            continue;
        journal_step(c->journal, &(struct call_step){ .part = "tts", .from = step->from, .to = step->to, .cause = step->cause,
                                                      .at_ms = conversation_to_unix(c, step->at_ms) });
    }
}

void conversation_take_audio(struct conversation *c, struct errand *errand)
{
    const struct tts_sentence *sentence = &errand->speak.sentence;

    if (errand->number == c->first_say && !c->tts_asked_ms) {
        c->tts_asked_ms = sentence->asked_ms;
        c->tts_answered_ms = sentence->answered_ms;
    }
    if (errand->r == 0 && playout_ready(&c->playout, errand->number, sentence->clip) == 0)
        clip_came(c);
    else if (playout_wants(&c->playout, errand->number)) {
        if (errand->r < 0)
            log_limited(LOG_WARNING, c->journal->sid, "a sentence could not be spoken: %s",
                        strerrordesc_np(-errand->r) ?: "unknown error");
        say_failed(c, errand->number);
    }
}

/* Its voice broke within: the next one begins it again. Returns: false when nobody wants it, or nobody can. */
static bool speak_again(struct conversation *c, struct errand *errand)
{
    const struct clip *clip = errand->speak.sentence.clip;

    if (!clip || clip->state != CLIP_BROKEN || playout_redo(&c->playout, errand->number) < 0)
        return false;
    if (errand_send_again(errand) < 0) {
        say_failed(c, errand->number);
        return false;
    }
    errand->next = c->out;
    c->out = errand;
    return true;
}

/* Comes twice when there was audio before the end. */
void conversation_spoken(struct conversation *c, struct errand *errand)
{
    if (!errand->speak.is_taken)
        conversation_take_audio(c, errand);
    errand->speak.is_taken = true;
    if (!errand->speak.is_over) {
        errand->next = c->speaking;
        c->speaking = errand;
        return;
    }
    if (speak_again(c, errand)) {
        errand->speak.is_taken = false;
        return;
    }
    if (!c->is_over)
        tell_steps(c, &errand->speak.sentence);
    conversation_errand_drop(c, errand);
}

/* The room was asked for before; a payload is published whole. */
static void send_audio(struct conversation *c, const struct playout_step *step)
{
    for (size_t at = 0; at < step->n; at += FRAME_BYTES) {
        size_t n = step->n - at < FRAME_BYTES ? step->n - at : FRAME_BYTES;
        struct frame *frame = leg_outbound_slot(c->leg, FRAME_AUDIO);

        if (!frame)
            return;
        frame->n = (uint16_t)n;
        frame->flags = at + n < step->n ? FRAME_MORE : 0;
        memcpy(frame->bytes, step->ulaw + at, n);
        leg_outbound_commit(c->leg);
        session_count(&c->env->counters.n_frames_out, 1);
    }
}

void conversation_play(struct conversation *c)
{
    struct playout_step step;

    while (journal_has_room(c->env->journal)) {
        playout_next(&c->playout, c->now_ms, leg_outbound_room(c->leg) * FRAME_BYTES, &step);
        switch (step.kind) {
        case PLAYOUT_NOTHING:
            return;
        case PLAYOUT_AUDIO:
            send_audio(c, &step);
            if (!c->first_frame_ms)
                c->first_frame_ms = c->now_ms;
            if (step.is_first)
                conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_STARTED, .say = step.say, .total_ms = step.total_ms });
            break;
        case PLAYOUT_MARK:
            conversation_send_control(c, FRAME_MARK, step.mark);
            break;
        case PLAYOUT_MOVED:
            conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_MOVED, .say = step.say, .heard_ms = step.heard_ms,
                                              .total_ms = step.total_ms });
            break;
        case PLAYOUT_ENDED:
            conversation_tell(c, &(struct dialogue_event){ .kind = DIALOGUE_SAY_ENDED, .say = step.say });
            break;
        }
    }
}
