/*
 * quotes.js - messages as they came, for a while, since who answers one has to show it
 *
 * A quote carries the message it answers, which WhatsApp gives nobody a second time. So the last KEEP of those that came,
 * or that the owner wrote on his telephone, are kept for KEEP_MS, over restarts, too; what this program sent is in
 * jobs.js. One that is too large, or gone by the time it is answered, is answered without being shown. What is too old
 * is off the disk when the log is written anew: at a start, and with the first message of another day.
 */
import path from 'node:path'

import { jidNormalizedUser, proto } from '@whiskeysockets/baileys'

import { Log, readLines } from './files.js'

const DAY_MS = 24 * 3600 * 1000
const KEEP = 2000
const KEEP_MS = 7 * DAY_MS
const BYTES_MAX = 16 * 1024 /* of one */
const REWRITE_BYTES = 64 * 1024 * 1024

export class Quotes {
    #kept = new Map() /* "chat id": { t, proto }, the latest last */
    #log
    #written

    constructor(folder) {
        const file = path.join(folder, 'quotes.log')
        for (const line of readLines(file))
            this.#put(line)
        this.#log = new Log(file, this.#lines())
        this.#written = Date.now()
    }

    #lines() {
        return [...this.#kept].map(([name, { t, proto }]) => ({ name, t, proto }))
    }

    #put({ name, t, proto }) {
        this.#kept.delete(name)
        this.#kept.set(name, { t, proto })
        for (const [first, { t: since }] of this.#kept) {
            if (this.#kept.size <= KEEP && since > Date.now() - KEEP_MS)
                break
            this.#kept.delete(first)
        }
    }

    /* t: when it came. */
    keep({ key, message }, t) {
        const bytes = message ? proto.WebMessageInfo.encode({ key, message }).finish() : null
        if (!bytes || bytes.length > BYTES_MAX)
            return
        const line = { name: `${jidNormalizedUser(key.remoteJid)} ${key.id}`, t, proto: Buffer.from(bytes).toString('base64') }
        this.#put(line)
        this.#log.append(line)
        if (this.#log.bytes < REWRITE_BYTES && Date.now() - this.#written < DAY_MS)
            return
        this.#log.rewrite(this.#lines())
        this.#written = Date.now()
    }

    /* Returns: how many stay that are newer. */
    forget({ names, texts, before }) {
        let newer = 0
        for (const [name, { t }] of this.#kept)
            if (names.includes(name.split(' ')[0]) && t > before)
                newer++
            else if (names.includes(name.split(' ')[0]))
                this.#kept.delete(name)
        if (this.#log.mentions(texts))
            this.#log.rewrite(this.#lines())
        return newer
    }

    /* chats: by which ids the chat goes. Returns: the message, or undefined. */
    find(chats, id) {
        const kept = chats.map(chat => this.#kept.get(`${chat} ${id}`)).find(one => one)
        return kept && proto.WebMessageInfo.decode(Buffer.from(kept.proto, 'base64'))
    }
}
