/*
 * chats.js - who is who: the chats that wrote to us, and which telephone number a privacy id (LID) belongs to
 *
 * A chat that has written may be answered; any other is a first contact, which WhatsApp counts against the account. So
 * they are counted here, and few at first: a device gets a quarter of what it may at most on its first day, and a quarter
 * more each day. What WhatsApp has forbidden outlives a restart, too.
 * The daemon keys people on its own; here is only what sending needs.
 */
import { randomUUID } from 'node:crypto'
import path from 'node:path'

import { isLidUser, isPnUser, jidNormalizedUser } from '@whiskeysockets/baileys'

import { Log, readLines } from './files.js'

const DAY_MS = 24 * 3600 * 1000
const RAMP_DAYS = 4

/* Of what the daemon calls him: digits alone, or an id. */
export const jidOf = to => (to.includes('@') ? to : `${to}@s.whatsapp.net`)

export class Chats {
    #known = new Set()
    #first = new Map() /* chat: when we wrote first, and nobody had written to us */
    #since = null /* when the device was linked */
    #lockedUntil = 0
    #pnOf = new Map()
    #lidOf = new Map()
    #log

    constructor(folder) {
        const file = path.join(folder, 'chats.log')
        for (const { chat, lid, pn, first, t, since, locked } of readLines(file))
            if (chat)
                this.#known.add(chat)
            else if (first)
                this.#first.set(first, t)
            else if (since !== undefined)
                this.#since = since
            else if (locked !== undefined)
                this.#lockedUntil = locked
            else
                this.#pair(lid, pn)
        this.#log = new Log(file, this.#lines())
    }

    #lines() {
        return [{ since: this.#since }, { locked: this.#lockedUntil }, ...[...this.#known].map(chat => ({ chat })),
                ...[...this.#first].map(([first, t]) => ({ first, t })), ...[...this.#pnOf].map(([lid, pn]) => ({ lid, pn }))]
    }

    /* That somebody was written to first still counts for its day, though not who. */
    forget({ names, texts }) {
        for (const name of names) {
            const t = this.#first.get(name)
            if (t > Date.now() - DAY_MS)
                this.#first.set(randomUUID(), t)
            this.#first.delete(name)
            this.#known.delete(name)
            this.#lidOf.delete(name)
            this.#pnOf.delete(name)
        }
        if (this.#log.mentions(texts))
            this.#log.rewrite(this.#lines())
    }

    know(jid) {
        const chat = jidNormalizedUser(jid)
        if (this.#known.has(chat))
            return
        this.#known.add(chat)
        this.#log.append({ chat })
    }

    /* A number that another id had has passed to another person. */
    #pair(lid, pn) {
        this.#pnOf.delete(this.#lidOf.get(pn))
        this.#lidOf.delete(this.#pnOf.get(lid))
        this.#pnOf.set(lid, pn)
        this.#lidOf.set(pn, lid)
    }

    /* Returns: the pair as it is kept, when it is new. */
    map(a, b) {
        const lid = [a, b].find(jid => isLidUser(jid)), pn = [a, b].find(jid => isPnUser(jid))
        if (!lid || !pn)
            return null
        const pair = { lid: jidNormalizedUser(lid), pn: jidNormalizedUser(pn) }
        if (this.#pnOf.get(pair.lid) === pair.pn)
            return null
        this.#pair(pair.lid, pair.pn)
        this.#log.append(pair)
        return pair
    }

    pnOf(jid) {
        return isPnUser(jid) ? jidNormalizedUser(jid) : this.#pnOf.get(jidNormalizedUser(jid)) ?? null
    }

    /* All ids that a chat goes by. */
    names(jid) {
        const chat = jidNormalizedUser(jid), other = this.#other(chat)
        return other ? [chat, other] : [chat]
    }

    #other(chat) {
        return this.#pnOf.get(chat) ?? this.#lidOf.get(chat)
    }

    /* Under which id he is answered: that by which he wrote. */
    reach(jid) {
        const chat = jidNormalizedUser(jid), lid = this.#lidOf.get(chat)
        return !this.#known.has(chat) && this.#known.has(lid) ? lid : chat
    }

    isKnown(jid) {
        const chat = jidNormalizedUser(jid)
        return this.#known.has(chat) || this.#known.has(this.#other(chat))
    }

    /* --- first contacts */

    /* Until when WhatsApp lets us write to nobody new; 0 it does. */
    get lockedUntil() {
        return this.#lockedUntil > Date.now() ? this.#lockedUntil : 0
    }

    lock(untilMs) {
        this.#lockedUntil = untilMs
        this.#log.append({ locked: untilMs })
    }

    /* The device is linked; a new one begins anew. */
    begin(isNew) {
        if (this.#since !== null && !isNew)
            return
        this.#since = Date.now()
        this.#log.append({ since: this.#since })
    }

    /* Whether somebody may be written to who has not written to us; noted when he may. most: in a day, of a device that is not new. */
    mayBegin(jid, most) {
        const chat = jidNormalizedUser(jid), now = Date.now()
        if (this.#first.has(chat))
            return true
        const days = Math.floor((now - (this.#since ?? now)) / DAY_MS) + 1
        const today = [...this.#first.values()].filter(t => t > now - DAY_MS).length
        if (today >= Math.ceil(most * Math.min(1, days / RAMP_DAYS)))
            return false
        this.#first.set(chat, now)
        this.#log.append({ first: chat, t: now })
        return true
    }
}
