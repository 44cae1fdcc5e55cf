/*
 * sender.js - sends the jobs, one at a time, at the pace of somebody who types
 *
 * Between two messages passes a while, longer within one chat, each time a little different; "typing" shows before each.
 * A send that resolved is only handed over: the server's ack (or its refusal) comes as a raw frame, and a receipt may say
 * the same. What has no ack when the connection ends is sent again after the next one opens, under the same id.
 *
 * 463 is WhatsApp's limit on writing to strangers: the message is never tried again, since each try makes it worse, and
 * no other first contact is until the lock ends.
 */
import { proto } from '@whiskeysockets/baileys'

import { log } from './log.js'

const STRANGERS_LOCKED_MS = 24 * 3600 * 1000
const TYPING_MS = 600
const ACK_STRANGER = 463
const ACK_STALE = 479 /* the session was stale: worth one more try */

const jidOf = to => (to.includes('@') ? to : `${to}@s.whatsapp.net`)

const CONTENT = {
    text: job => ({ text: job.text }),
    image: (job, file) => ({ image: { url: file }, caption: job.text, mimetype: job.mime }),
    video: (job, file) => ({ video: { url: file }, caption: job.text, mimetype: job.mime }),
    audio: (job, file) => ({ audio: { url: file }, mimetype: job.mime }),
    voice: (job, file) => ({ audio: { url: file }, mimetype: job.mime ?? 'audio/ogg; codecs=opus', ptt: true }),
    document: (job, file) => ({ document: { url: file }, mimetype: job.mime, fileName: job.name, caption: job.text }),
    location: job => ({ location: { degreesLatitude: job.lat, degreesLongitude: job.lon } }),
}

const STATUS = { 2: 'server', 3: 'delivered', 4: 'read', 5: 'played' }

export class Sender {
    #jobs
    #chats
    #spool
    #outbox
    #pace
    #sock = null
    #queue = []
    #isRunning = false
    #lastChat = new Map()
    #lastSend = 0
    #lockedUntil = 0
    #retried = new Set()
    #timers = new Set()

    constructor({ jobs, chats, spool, outbox, paceMs, chatPaceMs }) {
        this.#jobs = jobs
        this.#chats = chats
        this.#spool = spool
        this.#outbox = outbox
        this.#pace = { any: paceMs, chat: chatPaceMs }
    }

    get length() {
        return this.#queue.length
    }

    /* Until when nobody new may be written to; null. */
    get restrictedUntil() {
        return this.#lockedUntil > Date.now() ? this.#lockedUntil : null
    }

    /* A connection is open: what was not acknowledged goes first, in the order it came. */
    open(sock) {
        this.#sock = sock
        sock.ws.on('CB:ack,class:message', node => this.#acknowledged(node.attrs?.id, node.attrs?.error))
        this.#queue = this.#jobs.waiting()
        this.#run()
    }

    close() {
        this.#sock = null
        for (const { timer, resolve } of this.#timers) {
            clearTimeout(timer)
            resolve()
        }
        this.#timers.clear()
    }

    add(job) {
        this.#queue.push(job)
        this.#run()
    }

    lockStrangers(untilMs) {
        this.#lockedUntil = Math.max(this.#lockedUntil, untilMs)
    }

    #move(job, state, fields = {}) {
        if (!this.#jobs.move(job, state, fields))
            return
        this.#outbox.push('status', { id: job.id, wa_id: job.wa_id, state, code: fields.code ?? null, retry: fields.retry ?? false })
        if (job.request.file && state !== 'sent')
            this.#spool.drop(job.request.file)
    }

    #fail(job, code, retry) {
        log.warn(`message ${job.id} is not sent: ${code}`)
        this.#move(job, 'failed', { code, retry })
    }

    #acknowledged(waId, error) {
        const job = this.#jobs.byWaId(waId)
        if (!job)
            return
        const code = Number(error)
        if (!error) {
            this.#move(job, 'server')
        } else if (code === ACK_STALE && !this.#retried.has(job.id)) {
            this.#retried.add(job.id)
            this.add(job)
        } else {
            if (code === ACK_STRANGER)
                this.#strangersRefused()
            this.#fail(job, code, false)
        }
    }

    #strangersRefused() {
        this.lockStrangers(Date.now() + STRANGERS_LOCKED_MS)
        this.#outbox.push('restriction', { kind: 'reachout', until: this.#lockedUntil })
    }

    /* 0 ERROR, 1 PENDING, 2 SERVER_ACK ...: what the receipts say. */
    receipt(waId, status) {
        const job = this.#jobs.byWaId(waId)
        if (job && STATUS[status])
            this.#move(job, STATUS[status])
        else if (job && status === 0)
            this.#fail(job, 0, false)
    }

    #wait(ms) {
        return new Promise(resolve => {
            const entry = { resolve, timer: setTimeout(() => { this.#timers.delete(entry); resolve() }, ms) }
            this.#timers.add(entry)
        })
    }

    #delayFor(chat) {
        const jitter = 0.75 + Math.random() / 2
        const due = Math.max(this.#lastSend + this.#pace.any * jitter, (this.#lastChat.get(chat) ?? 0) + this.#pace.chat * jitter)
        return Math.max(0, due - Date.now())
    }

    /* Why a job cannot go out, or null. */
    #refusal(job, file) {
        const { to, ttl } = job.request
        if (ttl && Date.now() > job.t + ttl * 1000)
            return ['expired', true]
        if (job.request.file && !file)
            return ['the file is not there', false]
        if (Date.now() < this.#lockedUntil && !this.#chats.isKnown(jidOf(to)))
            return [ACK_STRANGER, false]
        return null
    }

    async #run() {
        if (this.#isRunning)
            return
        this.#isRunning = true
        try {
            while (this.#sock && this.#queue.length)
                await this.#send(this.#queue[0]).catch(error => log.error(`sending: ${error.message}`))
        } finally {
            this.#isRunning = false
        }
    }

    async #send(job) {
        const chat = this.#chats.reach(jidOf(job.request.to))
        await this.#wait(this.#delayFor(chat))
        const sock = this.#sock
        if (!sock)
            return
        this.#queue.shift()
        const file = job.request.file ? this.#spool.find(job.request.file) : null
        const refusal = this.#refusal(job, file)
        if (refusal) {
            this.#fail(job, ...refusal)
            return
        }
        this.#lastSend = Date.now()
        this.#lastChat.set(chat, this.#lastSend)
        try {
            await sock.sendPresenceUpdate('composing', chat).catch(() => {})
            await this.#wait(this.#pace.any ? TYPING_MS : 0)
            const sent = await sock.sendMessage(chat, CONTENT[job.request.type](job.request, file), { messageId: job.wa_id })
            if (sent?.message)
                this.#jobs.keepSent(job, Buffer.from(proto.Message.encode(sent.message).finish()).toString('base64'))
            this.#move(job, 'sent')
        } catch (error) {
            if (this.#sock === sock)
                this.#fail(job, error?.output?.statusCode ?? 'it could not be sent', true)
            /* else the connection broke under it: the next one sends it again */
        }
    }

    isOurs(waId) {
        return Boolean(this.#jobs.byWaId(waId))
    }

    /* For the library: a receiver asks for a message once more. */
    sentMessage(key) {
        const encoded = this.#jobs.byWaId(key.id)?.proto
        return encoded ? proto.Message.decode(Buffer.from(encoded, 'base64')) : undefined
    }
}
