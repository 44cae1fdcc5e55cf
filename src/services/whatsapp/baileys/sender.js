/*
 * sender.js - sends the jobs, one at a time, at the pace of somebody who types
 *
 * Between two messages passes a while, longer within one chat, each time a little different; "typing" shows before each,
 * longer for a longer one. A send that resolved is only handed over: the server's ack (or its refusal) comes as a raw
 * frame. The library tells of a refusal, too, and earlier, but not of an ack; so the frame alone is believed. What has no
 * ack when the connection ends is sent again after the next one opens, under the same id; what could not be handed over
 * for a reason that passes is, after a while, a few times, and nothing overtakes it.
 *
 * 463 is WhatsApp's limit on writing to strangers: the message is never tried again, since each try makes it worse, and
 * no other first contact is until the lock ends. Somebody new is looked up first, and only so many of them a day.
 */
import { isPnUser, proto } from '@whiskeysockets/baileys'

import { jidOf } from './chats.js'
import { log } from './log.js'

const STRANGERS_LOCKED_MS = 24 * 3600 * 1000
const TYPING_MS = { least: 600, each: 30, most: 5000 } /* each: letter */
const TRIES = 4
const RETRY_MS = 500
const CHATS_MAX = 10_000 /* whose last message is remembered for their pace */
const PASSING = new Set([408, 428, 500, 503]) /* why a send fails that may go through the next time */
const ACK_STRANGER = 463
const ACK_STALE = 479 /* the session was stale: worth one more try */

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
    #quotes
    #spool
    #outbox
    #pace
    #sock = null
    #queue = []
    #runningFor = null /* a socket: what it was asked may never be answered, and the next one does not wait for that */
    #lastChat = new Map()
    #lastSend = 0
    #retried = new Set()
    #tries = new Map()
    #timers = new Set()
    #newChats

    constructor({ jobs, chats, quotes, spool, outbox, paceMs, chatPaceMs, newChats }) {
        this.#jobs = jobs
        this.#chats = chats
        this.#quotes = quotes
        this.#spool = spool
        this.#outbox = outbox
        this.#pace = { any: paceMs, chat: chatPaceMs }
        this.#newChats = newChats
    }

    get length() {
        return this.#queue.length
    }

    /* Until when nobody new may be written to; null. */
    get restrictedUntil() {
        return this.#chats.lockedUntil || null
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

    /* 0: the lock is over. */
    lockStrangers(untilMs) {
        if (untilMs > this.#chats.lockedUntil || (!untilMs && this.#chats.lockedUntil))
            this.#chats.lock(untilMs)
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
        this.#outbox.push('restriction', { kind: 'reachout', until: this.#chats.lockedUntil })
    }

    /* 0 ERROR, 1 PENDING, 2 SERVER_ACK ...: what the receipts say. An error with parameters is that of a frame. */
    receipt(waId, { status, messageStubParameters }) {
        const job = this.#jobs.byWaId(waId)
        if (job && STATUS[status])
            this.#move(job, STATUS[status])
        else if (job && status === 0 && !messageStubParameters?.length)
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

    #typingFor({ request }) {
        const ms = Math.min(TYPING_MS.most, TYPING_MS.least + TYPING_MS.each * (request.text?.length ?? 0))
        return this.#pace.any ? ms * (0.75 + Math.random() / 2) : 0
    }

    /* Why somebody who has not written may not be written to, or null. Errors: he could not be looked up. */
    async #stranger(jid, sock) {
        if (this.#chats.lockedUntil)
            return [ACK_STRANGER, false]
        if (!this.#chats.mayBegin(jid, this.#newChats))
            return ['too many new chats today, see BAILEYS_NEW_CHATS', true]
        const isThere = !isPnUser(jid) || (await sock.onWhatsApp(jid.split('@')[0]))?.some(({ exists }) => exists)
        return isThere ? null : ['he is not on WhatsApp', false]
    }

    /* Why a job cannot go out, or null. */
    async #refusal(job, file, sock) {
        const { to, ttl } = job.request
        if (ttl && Date.now() > job.t + ttl * 1000)
            return ['expired', true]
        if (job.request.file && !file)
            return ['the file is not there', false]
        return this.#chats.isKnown(jidOf(to)) ? null : this.#stranger(jidOf(to), sock)
    }

    async #run() {
        const sock = this.#sock
        if (!sock || this.#runningFor === sock)
            return
        this.#runningFor = sock
        while (this.#sock === sock && this.#queue.length)
            await this.#send(this.#queue[0], sock).catch(error => log.error(`sending: ${error.message}`))
        if (this.#runningFor === sock)
            this.#runningFor = null
    }

    /* The connection broke under it: the next one sends it again. */
    #isOver(sock) {
        return this.#sock !== sock
    }

    async #send(job, sock) {
        const chat = this.#chats.reach(jidOf(job.request.to))
        await this.#wait(this.#delayFor(chat))
        if (this.#isOver(sock) || this.#queue[0] !== job)
            return
        this.#queue.shift()
        this.#lastSend = Date.now()
        this.#lastChat.delete(chat)
        this.#lastChat.set(chat, this.#lastSend)
        if (this.#lastChat.size > CHATS_MAX)
            this.#lastChat.delete(this.#lastChat.keys().next().value)
        try {
            await this.#handOver(job, chat, sock)
            this.#tries.delete(job.id)
        } catch (error) {
            if (!this.#isOver(sock))
                await this.#failed(job, error?.output?.statusCode)
        }
    }

    /* What it answers, as it was; undefined when it is here no more: then it goes without. */
    #quoted({ request }, chat) {
        if (!request.quote)
            return undefined
        try {
            const message = this.sentMessage({ id: request.quote })
            return message ? { key: { remoteJid: chat, fromMe: true, id: request.quote }, message }
                : this.#quotes.find(this.#chats.names(chat), request.quote)
        } catch (error) {
            log.warn(`the message that ${request.quote} names cannot be shown: ${error.message}`)
            return undefined
        }
    }

    async #handOver(job, chat, sock) {
        const file = job.request.file ? this.#spool.find(job.request.file) : null
        const refusal = await this.#refusal(job, file, sock)
        if (this.#isOver(sock))
            return
        if (refusal) {
            this.#fail(job, ...refusal)
            return
        }
        await sock.sendPresenceUpdate('composing', chat).catch(() => {})
        await this.#wait(this.#typingFor(job))
        if (this.#isOver(sock) || this.#jobs.isForgotten(job))
            return
        const sent = await sock.sendMessage(chat, CONTENT[job.request.type](job.request, file),
                                            { messageId: job.wa_id, quoted: this.#quoted(job, chat) })
        if (sent?.message)
            this.#jobs.keepSent(job, Buffer.from(proto.Message.encode(sent.message).finish()).toString('base64'))
        this.#move(job, 'sent')
    }

    async #failed(job, code) {
        if (this.#jobs.isForgotten(job))
            return
        const n = (this.#tries.get(job.id) ?? 0) + 1
        if (!PASSING.has(code) || n === TRIES) {
            this.#tries.delete(job.id)
            this.#fail(job, code ?? 'it could not be sent', true)
            return
        }
        this.#tries.set(job.id, n)
        this.#queue.unshift(job)
        await this.#wait(RETRY_MS * 2 ** (n - 1) * (0.5 + Math.random() / 2))
    }

    /* Also what waits to be sent to him: it is not. Returns: how many stay that are newer. */
    forget({ names, texts, before }) {
        const theirs = this.#jobs.of(names), gone = theirs.filter(job => job.t <= before)
        this.#queue = this.#queue.filter(job => !gone.includes(job))
        for (const { id, request } of gone) {
            this.#tries.delete(id)
            this.#retried.delete(id)
            if (request.file)
                this.#spool.drop(request.file)
        }
        names.forEach(name => this.#lastChat.delete(name))
        this.#jobs.forget(gone, texts)
        return theirs.length - gone.length
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
