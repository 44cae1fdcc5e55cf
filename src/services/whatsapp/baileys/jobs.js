/*
 * jobs.js - what the daemon asked us to send, and how far it got
 *
 * A job is on the disk before it is answered for. Its WhatsApp id is made from the daemon's id, so that sending it again
 * after a crash is the same message to the receiver. States only move forward; failed is final, except that what was
 * not acknowledged may turn out to have arrived. What was sent is kept, since a receiver may ask for it again, KEEP_MS.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'

import { jidOf } from './chats.js'
import { Log, readLines } from './files.js'

export const JOBS_WAITING_MAX = 256
const KEEP_MS = 48 * 3600 * 1000
const REWRITE_BYTES = 16 * 1024 * 1024
const RANK = { queued: 0, sent: 1, server: 2, failed: 3, delivered: 4, read: 5, played: 6 }

const sha256 = text => createHash('sha256').update(text).digest('hex')
export const waIdOf = id => `3EB0${sha256(id).slice(0, 18).toUpperCase()}`
/* What it quotes is no part of it: that may have been forgotten when it is asked for again. */
const canonical = value => JSON.stringify(value, Object.keys(value).filter(key => key !== 'quote').sort())

export class Jobs {
    #jobs = new Map()
    #byWaId = new Map()
    #log

    constructor(folder) {
        const file = path.join(folder, 'jobs.log')
        for (const line of readLines(file))
            this.#jobs.set(line.id, { ...this.#jobs.get(line.id), ...line })
        this.#forget()
        for (const job of this.#jobs.values())
            this.#byWaId.set(job.wa_id, job)
        this.#log = new Log(file, [...this.#jobs.values()])
    }

    #forget() {
        for (const [id, job] of this.#jobs)
            if (!this.#isWaiting(job) && job.t < Date.now() - KEEP_MS) {
                this.#jobs.delete(id)
                this.#byWaId.delete(job.wa_id)
            }
    }

    #isWaiting(job) {
        return job.state === 'queued' || job.state === 'sent'
    }

    waiting() {
        return [...this.#jobs.values()].filter(job => this.#isWaiting(job))
    }

    get(id) {
        return this.#jobs.get(id)
    }

    byWaId(waId) {
        return this.#byWaId.get(waId)
    }

    isSame(job, request) {
        return job.hash === sha256(canonical(request))
    }

    async add(id, request) {
        const job = { id, wa_id: waIdOf(id), hash: sha256(canonical(request)), t: Date.now(), state: 'queued', request }
        this.#jobs.set(id, job)
        this.#byWaId.set(job.wa_id, job)
        this.#log.append(job)
        if (this.#log.bytes > REWRITE_BYTES) {
            this.#forget()
            this.#log.rewrite([...this.#jobs.values()])
        }
        await this.#log.synced()
        return job
    }

    /* Those to somebody who goes by these ids. */
    of(names) {
        return [...this.#jobs.values()].filter(job => names.includes(jidOf(job.request.to)))
    }

    /* Whatever became of them; texts: one of which is on the disk as long as they are. */
    forget(jobs, texts) {
        for (const job of jobs) {
            this.#jobs.delete(job.id)
            this.#byWaId.delete(job.wa_id)
        }
        if (this.#log.mentions(texts))
            this.#log.rewrite([...this.#jobs.values()])
    }

    isForgotten(job) {
        return this.#jobs.get(job.id) !== job
    }

    /* Returns: whether it moved. */
    move(job, state, fields = {}) {
        const isLateFailure = state === 'failed' && RANK[job.state] > RANK.sent
        if (this.isForgotten(job) || isLateFailure || RANK[state] <= RANK[job.state])
            return false
        Object.assign(job, { state, ...fields })
        this.#log.append({ id: job.id, state, ...fields })
        return true
    }

    /* The message itself, for a receiver who asks for it once more. */
    keepSent(job, proto64) {
        if (this.isForgotten(job))
            return
        job.proto = proto64
        this.#log.append({ id: job.id, proto: proto64 })
    }

    close() {
        this.#log.syncNow()
    }
}
