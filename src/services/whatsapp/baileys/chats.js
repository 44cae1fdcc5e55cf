/*
 * chats.js - who is who: the chats that wrote to us, and which telephone number a privacy id (LID) belongs to
 *
 * A chat that has written may be answered; any other is a first contact, which WhatsApp counts against the account.
 * The daemon keys people on its own; here is only what sending needs.
 */
import path from 'node:path'

import { isLidUser, isPnUser, jidNormalizedUser } from '@whiskeysockets/baileys'

import { Log, readLines } from './files.js'

export class Chats {
    #known = new Set()
    #pnOf = new Map()
    #lidOf = new Map()
    #log

    constructor(folder) {
        const file = path.join(folder, 'chats.log')
        for (const { chat, lid, pn } of readLines(file))
            if (chat)
                this.#known.add(chat)
            else
                this.#pair(lid, pn)
        this.#log = new Log(file, [...[...this.#known].map(chat => ({ chat })),
                                   ...[...this.#pnOf].map(([lid, pn]) => ({ lid, pn }))])
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
}
