/*
 * session.js - keeps one linked device connected
 *
 * A socket of the library lives once: when it closes, the event buffer is flushed before anything else (what it holds
 * would be thrown away with it), the reason decides what follows (afterClose), and a new socket is made.
 *
 * Pairing is begun by the operator only, so that nobody shows codes to an empty room. A message is an event before
 * anything is waited for; its media (media.js) follow in an event of their own.
 */
import path from 'node:path'

import { Browsers } from '@whiskeysockets/baileys'

import { openAuth } from './auth.js'
import { hasMedia, isPerson, toEvent } from './inbound.js'
import { libraryLog, log } from './log.js'

const SOON = { min: 1000, max: 60_000 } /* how long it waits before it tries again, doubled each time */
const LONG = { min: 30_000, max: 600_000 }
const STABLE_MS = 60_000
const FLUSH_MS = 1000
const TOO_OLD_S = 15 * 24 * 3600 /* WhatsApp unlinks a device that stays away for two weeks */
const SEEN_MAX = 10_000
const BAD_SESSION_TRIES = 3
const QR_MS = 20_000
const CODE_MS = 160_000
const UNLINK_MS = 5000
const END_MS = 2000
const LOCK_MS = 24 * 3600 * 1000

/* Why a connection closed: what to do, and the state it is called. */
const afterClose = {
    515: { go: 'at once', state: 'connecting' },
    440: { go: 'stop', state: 'replaced', why: 'another process uses this device: stop one of them, then restart' },
    401: { go: 'unlink', state: 'logged_out', why: 'the account unlinked this device: link it again' },
    402: { go: 'stop', state: 'banned', why: 'WhatsApp has blocked the account for a while' },
    403: { go: 'stop', state: 'banned', why: 'WhatsApp has blocked the account' },
    405: { go: 'later', state: 'backoff', wait: LONG, why: 'WhatsApp does not take this version of its library: install a newer one' },
    406: { go: 'stop', state: 'banned', why: 'WhatsApp has blocked the account' },
    419: { go: 'unlink', state: 'logged_out', why: 'WhatsApp does not accept this device any more: link it again' },
    411: { go: 'unlink', state: 'logged_out', why: 'the device has to be linked again' },
    500: { go: 'later', state: 'broken', tries: BAD_SESSION_TRIES, why: 'the session is broken: unlink the device and link it again' },
    503: { go: 'later', state: 'backoff', wait: LONG },
}
const LATER = { go: 'later', state: 'backoff' }

/* A cache as the library wants it, that outlives a socket: without it, retries would go on for ever. */
function retryCounters() {
    const values = new Map()
    return {
        get: key => values.get(key),
        set: (key, value) => {
            values.delete(key)
            values.set(key, value)
            if (values.size > SEEN_MAX)
                values.delete(values.keys().next().value)
        },
        del: key => values.delete(key),
        flushAll: () => values.clear(),
    }
}

export class Session {
    #folder
    #makeSocket
    #outbox
    #sender
    #chats
    #quotes
    #spool
    #auth
    #sock = null
    #counters = retryCounters()
    #seen = new Set()
    #media
    #timer = null
    #flusher = null
    #nTries = 0 /* that did not come to last */
    #opened = 0
    #badTries = 0
    #isStopping = false
    #leftFull = false /* the outbox */
    #pairing = null
    #qr = null /* that is shown */
    state = 'starting'
    since = Date.now()
    lastReceived = null

    constructor({ folder, makeSocket, outbox, sender, chats, quotes, spool, media }) {
        this.#folder = folder
        this.#makeSocket = makeSocket
        this.#outbox = outbox
        this.#sender = sender
        this.#chats = chats
        this.#quotes = quotes
        this.#spool = spool
        this.#media = media
        this.#auth = openAuth(path.join(folder, 'auth'))
        outbox.onRoom = () => this.#leftFull && this.#connect()
    }

    start() {
        if (this.#auth.isLinked())
            this.#connect()
        else
            this.#enter('logged_out', null, 'not linked yet: agentlocator whatsapp link')
    }

    get isLinked() {
        return this.#auth.isLinked()
    }

    #enter(state, code, why, nextMs = null) {
        if (state !== this.state) {
            this.since = Date.now()
            this.#outbox.push('connection', { state, code, next_try_ms: nextMs })
        }
        this.state = state
        const text = `whatsapp: ${state}${code ? ` (${code})` : ''}${why ? `: ${why}` : ''}${nextMs ? `, next try in ${Math.round(nextMs / 1000)} s` : ''}`
        if (state === 'open' || state === 'connecting' || state === 'pairing')
            log.info(text)
        else
            log.warn(text)
    }

    /* --- the socket */

    #connect() {
        if (this.#sock || this.#isStopping || this.#outbox.isFull)
            return
        clearTimeout(this.#timer)
        this.#leftFull = false
        this.#enter(this.#auth.isLinked() ? 'connecting' : 'pairing', null, null)
        const sock = this.#sock = this.#makeSocket({
            auth: { creds: this.#auth.creds, keys: this.#auth.keys },
            logger: libraryLog,
            browser: Browsers.ubuntu('Chrome'),
            markOnlineOnConnect: false,
            syncFullHistory: false,
            emitOwnEvents: true,
            msgRetryCounterCache: this.#counters,
            shouldIgnoreJid: jid => !isPerson(jid),
            getMessage: async key => this.#sender.sentMessage(key),
        })
        const on = (event, handler) => sock.ev.on(event, value => this.#guard(event, () => handler(value, sock)))
        on('creds.update', () => this.#auth.save())
        on('connection.update', update => this.#updated(update, sock))
        on('messages.upsert', upsert => this.#received(upsert))
        on('messages.update', updates => updates.forEach(({ key, update }) => this.#sender.receipt(key.id, update)))
        on('lid-mapping.update', ({ lid, pn }) => this.#mapped(lid, pn))
        on('message-capping.update', info => this.#capped(info))
        this.#flusher = setInterval(() => this.#guard('flush', () => sock.ev.flush()), FLUSH_MS)
    }

    /* A handler that throws, now or later, would end the process. */
    #guard(what, handler) {
        try {
            const result = handler()
            result?.catch?.(error => log.error(`${what}: ${error.message}`))
        } catch (error) {
            log.error(`${what}: ${error.message}`)
        }
    }

    #updated(update, sock) {
        if (sock !== this.#sock)
            return
        if (update.connection === 'close') {
            sock.ev.flush()
            this.#closed(Number(update.lastDisconnect?.error?.output?.statusCode) || 408)
            return
        }
        if (update.qr)
            this.#paired({ qr: update.qr })
        if (update.isNewLogin)
            this.#chats.begin(true)
        if (update.reachoutTimeLock)
            this.#restricted(update.reachoutTimeLock)
        if (update.connection === 'open')
            this.#isOpen(sock)
    }

    #isOpen(sock) {
        this.#opened = Date.now()
        this.#chats.begin(false)
        this.#enter('open', null, null)
        this.#sender.open(sock)
        this.#media.open(sock)
    }

    /* Until when WhatsApp lets us write to nobody new. */
    #restricted(lock) {
        const until = !lock.isActive ? 0 : lock.timeEnforcementEnds ? Number(new Date(lock.timeEnforcementEnds)) : Date.now() + LOCK_MS
        if (!until && !this.#sender.restrictedUntil)
            return
        this.#sender.lockStrangers(until)
        this.#outbox.push('restriction', { kind: 'reachout', until: until || null })
    }

    #capped(info) {
        if (info.capping_status === 'CAPPED')
            this.#sender.lockStrangers(Date.now() + LOCK_MS)
        this.#outbox.push('restriction', { kind: 'capping', status: info.capping_status ?? null, until: this.#sender.restrictedUntil })
    }

    #letGo() {
        clearTimeout(this.#timer)
        clearInterval(this.#flusher)
        this.#qr = null
        this.#sender.close()
        this.#media.close()
        this.#sock = null
    }

    #closed(code) {
        const wasStable = this.#opened && Date.now() - this.#opened > STABLE_MS
        const rule = afterClose[code] ?? LATER
        this.#letGo()
        this.#opened = 0
        if (wasStable)
            this.#nTries = this.#badTries = 0
        if (this.#isStopping)
            return
        this.#leftFull = this.#outbox.isFull
        if (this.#leftFull)
            this.#enter('backoff', code, 'the daemon does not take what came: nothing more is taken from WhatsApp until it does')
        else if (rule.go === 'at once')
            this.#connect()
        else if (!this.#auth.isLinked())
            this.#pairingOver(code)
        else if (rule.go === 'unlink')
            this.#unlink(code, rule)
        else if (rule.go === 'stop' || (rule.tries && ++this.#badTries > rule.tries))
            this.#enter(rule.state, code, rule.why)
        else
            this.#later(code, rule)
    }

    /* Somewhere between nothing and what it is by now, so that many do not come at once; but never at once. */
    #later(code, { wait = SOON, tries, why }) {
        const most = Math.min(wait.min * 2 ** this.#nTries++, wait.max)
        const ms = Math.round(wait.min / 4 + Math.random() * (most - wait.min / 4))
        this.#enter('backoff', code, tries ? null : why, ms)
        this.#timer = setTimeout(() => this.#connect(), ms)
    }

    #forget() {
        this.#auth.erase()
        this.#auth = openAuth(path.join(this.#folder, 'auth'))
    }

    #unlink(code, rule) {
        this.#forget()
        this.#enter(rule.state, code, rule.why)
    }

    /* --- pairing */

    /* Resolves with { qr } or { code }. Who asks again is answered in place of who asked before. */
    pair(phone) {
        this.#pairing?.reject(new Error('somebody else has asked since'))
        return new Promise((resolve, reject) => {
            this.#pairing = { phone, resolve, reject }
            if (this.#qr)
                this.#show(this.#qr)
            else
                this.#connect()
        })
    }

    #paired({ qr }) {
        this.#qr = { qr, expires: Date.now() + QR_MS }
        this.#outbox.push('pair', this.#qr)
        this.#show(this.#qr)
    }

    #show(qr) {
        const pairing = this.#pairing
        this.#pairing = null
        if (pairing?.phone)
            this.#sock.requestPairingCode(pairing.phone).then(code => pairing.resolve({ code, expires: Date.now() + CODE_MS }), pairing.reject)
        else
            pairing?.resolve(qr)
    }

    /* What the library had noted of the number meanwhile would keep it from asking for another code. */
    #pairingOver(code) {
        this.#pairing?.reject(new Error('WhatsApp ended the pairing'))
        this.#pairing = null
        this.#unlink(code, { state: 'logged_out', why: 'nobody took the code: ask for another one' })
    }

    /* --- what comes in */

    #received({ messages, type }) {
        for (const message of messages)
            this.#guard('message', () => this.#receive(message, type))
    }

    #isNew(event) {
        const name = `${event.chat} ${event.wa_id} ${event.type === 'undecryptable'}`
        if (this.#seen.has(name))
            return false
        this.#seen.add(name)
        if (this.#seen.size > SEEN_MAX)
            this.#seen.delete(this.#seen.values().next().value)
        return true
    }

    #receive(message, type) {
        this.#mapped(message.key?.remoteJid, message.key?.remoteJidAlt)
        const event = toEvent(message, { live: type === 'notify', pnOf: jid => this.#chats.pnOf(jid) })
        const isOurs = event?.from_me && this.#sender.isOurs(event.wa_id)
        if (!event || isOurs || (event.ts && event.ts < Date.now() / 1000 - TOO_OLD_S) || !this.#isNew(event))
            return
        this.lastReceived = Date.now()
        const { t } = this.#outbox.push('message', event)
        this.#guard('quote', () => this.#quotes.keep(message, t))
        if (!event.from_me)
            this.#chats.know(event.chat)
        if (hasMedia(event))
            this.#guard('media', () => this.#media.add(event, message, t))
        if (this.#outbox.isFull)
            this.#guard('full', () => this.#sock?.end(undefined))
    }

    #mapped(a, b) {
        const pair = a && b ? this.#chats.map(a, b) : null
        if (pair)
            this.#outbox.push('idmap', pair)
    }

    /* --- what the daemon wants */

    /*
     * Nothing of a chat that came or was asked for until then is on the disk when it returns, but in auth/. Somebody who
     * has come back since stays known. Which ids are his goes last, since who asks again after a crash needs it.
     */
    forget(to, before) {
        const names = this.#chats.names(to)
        const whom = { names, texts: names.map(name => name.split('@')[0]), before }
        const newer = this.#quotes.forget(whom) + this.#sender.forget(whom) + this.#media.forget(whom)
        const isAnew = this.#outbox.forget(whom, newer > 0) + newer > 0
        this.#spool.forget(whom)
        if (!isAnew)
            this.#chats.forget(whom)
    }

    async chat(to, action, ids) {
        if (this.state !== 'open')
            return
        if (action === 'read')
            await this.#sock.readMessages(ids.map(id => ({ remoteJid: to, id, fromMe: false })))
        else
            await this.#sock.sendPresenceUpdate(action, to)
    }

    /* Returns: whether WhatsApp was told; if not, the telephone still lists the device. */
    async logout() {
        const sock = this.#sock
        sock?.ev.flush()
        this.#letGo() /* what the socket says from here on is of no matter */
        const late = new Promise(resolve => setTimeout(resolve, UNLINK_MS, false).unref())
        const isTold = Boolean(sock) && await Promise.race([sock.logout().then(() => true, () => false), late])
        if (sock && !isTold)
            sock.end(undefined)?.catch?.(() => {})
        this.#unlink(null, { state: 'logged_out', why: isTold ? 'unlinked by the operator' :
            'unlinked by the operator, without WhatsApp knowing: remove the device on the telephone' })
        return isTold
    }

    /* Everything that came is in the outbox when it returns; the device stays linked. */
    async stop() {
        this.#isStopping = true
        const sock = this.#sock
        this.flush()
        this.#letGo()
        this.#media.syncNow()
        const late = new Promise(resolve => setTimeout(resolve, END_MS))
        await Promise.race([Promise.resolve(sock?.end(undefined)).catch(() => {}), late])
    }

    /* What the library holds back is in the outbox when it returns. */
    flush() {
        this.#sock?.ev.flush()
    }
}
