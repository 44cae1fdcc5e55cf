/*
 * outbox.js - events on their way to the daemon: durable, in order, at least once
 *
 * An event is in the log before push() returns, so that it is not lost with us; the daemon fetches those after a number,
 * and by that says that it has all up to it. Numbers go on over restarts. When the daemon stays away and the outbox
 * fills up, isFull tells the session to leave WhatsApp, whose server then keeps what comes; onRoom, to come back, is
 * called when a good part of it is empty again.
 */
import { randomUUID } from 'node:crypto'
import path from 'node:path'

import { jidOf } from './chats.js'
import { Log, readLines } from './files.js'

const EVENTS_MAX = 100_000
const BYTES_MAX = 256 * 1024 * 1024
const REWRITE_BYTES = 8 * 1024 * 1024

const bytesOf = events => events.reduce((sum, event) => sum + JSON.stringify(event).length, 0)

export class Outbox {
    id = null /* as long as its numbers go on */
    #events = []
    #acked = 0
    #last = 0
    #bytes = 0
    #log
    #waiters = new Set()
    onRoom = () => {}

    constructor(folder) {
        const file = path.join(folder, 'events.log')
        for (const line of readLines(file)) {
            if (line.acked !== undefined)
                [this.#acked, this.id] = [line.acked, line.outbox ?? this.id]
            else
                this.#events.push(line)
            this.#last = Math.max(this.#last, line.acked ?? line.seq, line.last ?? 0)
        }
        this.id ??= randomUUID()
        this.#events = this.#events.filter(event => event.seq > this.#acked)
        this.#bytes = bytesOf(this.#events)
        this.#log = new Log(file, this.#lines())
    }

    #lines() {
        return [{ acked: this.#acked, outbox: this.id, last: this.#last }, ...this.#events]
    }

    get length() {
        return this.#events.length
    }

    get isFull() {
        return this.#events.length >= EVENTS_MAX || this.#bytes >= BYTES_MAX
    }

    get isFilling() {
        return this.#events.length >= 0.8 * EVENTS_MAX || this.#bytes >= 0.8 * BYTES_MAX
    }

    push(kind, fields) {
        const event = { seq: ++this.#last, t: Date.now(), k: kind, ...fields }
        this.#events.push(event)
        this.#bytes += JSON.stringify(event).length
        this.#log.append(event)
        for (const wake of this.#waiters)
            wake()
        return event
    }

    #acknowledge(seq) {
        const n = this.#events.findIndex(event => event.seq > seq)
        const wasFilling = this.isFilling
        const gone = this.#events.splice(0, n < 0 ? this.#events.length : n)
        this.#acked = Math.max(this.#acked, seq)
        if (!gone.length)
            return
        this.#bytes -= bytesOf(gone)
        this.#log.append({ acked: this.#acked })
        if (this.#log.bytes > REWRITE_BYTES && this.#log.bytes > 4 * this.#bytes)
            this.#log.rewrite(this.#lines())
        if (wasFilling && !this.isFilling)
            this.onRoom()
    }

    /* isAnew: who it is has come back since, and who he is stays to be told. Returns: how many of his stay that are newer. */
    forget({ names, texts, before }, isAnew) {
        const theirs = this.#events.filter(event => event.chat && names.some(name => name === event.chat || name === jidOf(event.pn ?? '')))
        const gone = theirs.filter(event => (event.came ?? event.t) <= before)
        const newer = theirs.length - gone.length
        const maps = isAnew || newer ? [] : this.#events.filter(({ k, lid, pn }) => k === 'idmap' && (names.includes(lid) || names.includes(pn)))
        const all = new Set([...gone, ...maps])
        this.#events = this.#events.filter(event => !all.has(event))
        this.#bytes = bytesOf(this.#events)
        if (this.#log.mentions(texts))
            this.#log.rewrite(this.#lines())
        return newer
    }

    /* Returns: null when `after` was never told. Waits up to waitMs for the first event. */
    async fetch(after, max, waitMs, signal) {
        if (after > this.#last)
            return null
        this.#acknowledge(after)
        if (!this.#events.length && waitMs)
            await this.#something(waitMs, signal)
        await this.#log.synced()
        const events = this.#events.slice(0, max)
        return { outbox: this.id, events, next: events.at(-1)?.seq ?? after }
    }

    #something(waitMs, signal) {
        return new Promise(resolve => {
            const wake = () => {
                clearTimeout(timer)
                this.#waiters.delete(wake)
                signal?.removeEventListener('abort', wake)
                resolve()
            }
            const timer = setTimeout(wake, waitMs)
            this.#waiters.add(wake)
            signal?.addEventListener('abort', wake)
        })
    }

    /* Those who wait go home. */
    close() {
        for (const wake of [...this.#waiters])
            wake()
        this.#log.syncNow()
    }
}
