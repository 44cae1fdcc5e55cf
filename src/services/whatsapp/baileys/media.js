/*
 * media.js - fetches the files that callers sent, some at a time
 *
 * A file is noted with its message, is fetched AT_ONCE at a time in the order they came, and is told of in an event of its
 * own, also when there is none to be had. What is noted outlives us. One that fails is tried again, a few times; one that
 * takes longer than FETCH_MS has failed, so that it does not hold up the others for ever. While WAITING_MAX wait, since
 * somebody sends more than can be fetched, a further one is told of at once as not to be had: its message is there.
 */
import path from 'node:path'

import { downloadMediaMessage, proto } from '@whiskeysockets/baileys'

import { Log, readLines } from './files.js'
import { libraryLog, log } from './log.js'

const AT_ONCE = 4
const WAITING_MAX = 1000
const TRIES = 3
const RETRY_MS = 1000
const FETCH_MS = 5 * 60_000
const REWRITE_BYTES = 8 * 1024 * 1024

const nameOf = ({ chat, wa_id }) => `${chat} ${wa_id}`
const noted = ({ wa_id, chat, came, proto }) => ({ wa_id, chat, came, proto })

export class Media {
    #outbox
    #spool
    #items = new Map() /* by name, the oldest first; isBusy: it is in #due, is fetched, or waits to be tried again */
    #due = []
    #nFetching = 0
    #sock = null
    #log

    constructor({ folder, outbox, spool }) {
        this.#outbox = outbox
        this.#spool = spool
        const file = path.join(folder, 'media.log')
        for (const line of readLines(file))
            if (line.proto)
                this.#items.set(nameOf(line), line)
            else
                this.#items.delete(nameOf(line))
        this.#log = new Log(file, this.#lines())
    }

    #lines() {
        return [...this.#items.values()].map(noted)
    }

    open(sock) {
        this.#sock = sock
        for (const item of this.#items.values())
            this.#want(item)
        this.#run()
    }

    /* What is being fetched goes on. */
    close() {
        this.#sock = null
    }

    syncNow() {
        this.#log.syncNow()
    }

    /* event: of a message with media; came: when, unix ms. */
    add({ wa_id, chat }, message, came) {
        const item = { wa_id, chat, came, proto: Buffer.from(proto.WebMessageInfo.encode(message).finish()).toString('base64') }
        if (this.#items.size >= WAITING_MAX) {
            log.warn(`media of message ${wa_id} are not fetched: ${WAITING_MAX} wait already`)
            this.#tell(item, { file: null, bytes: null })
            return
        }
        this.#items.set(nameOf(item), item)
        this.#log.append(noted(item))
        this.#want(item)
    }

    /* Returns: how many stay that are newer. */
    forget({ names, texts, before }) {
        const theirs = [...this.#items.values()].filter(({ chat }) => names.includes(chat))
        const gone = theirs.filter(({ came = 0 }) => came <= before)
        gone.forEach(item => this.#items.delete(nameOf(item)))
        if (this.#log.mentions(texts))
            this.#log.rewrite(this.#lines())
        return theirs.length - gone.length
    }

    #isForgotten(item) {
        return this.#items.get(nameOf(item)) !== item
    }

    #want(item) {
        if (item.isBusy)
            return
        item.isBusy = true
        this.#due.push(item)
        this.#run()
    }

    #run() {
        while (this.#sock && this.#nFetching < AT_ONCE && this.#due.length) {
            const item = this.#due.shift()
            if (this.#isForgotten(item))
                continue
            this.#nFetching++
            this.#fetch(item).catch(error => log.error(`media: ${error.message}`)).finally(() => {
                this.#nFetching--
                this.#run()
            })
        }
    }

    async #fetch(item) {
        try {
            const kept = await this.#keep(item, this.#sock)
            if (this.#isForgotten(item))
                this.#spool.undo(kept.file)
            else
                this.#done(item, kept)
        } catch (error) {
            if (!this.#isForgotten(item))
                this.#failed(item, error)
        }
    }

    async #keep({ chat, came = 0, proto: encoded }, sock) {
        const message = proto.WebMessageInfo.decode(Buffer.from(encoded, 'base64'))
        const download = sock.downloadMedia ?? downloadMediaMessage
        const signal = AbortSignal.timeout(FETCH_MS)
        const late = new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('it took too long'))))
        const coming = download(message, 'stream', {}, { logger: libraryLog, reuploadRequest: sock.updateMediaMessage })
        coming.then(stream => signal.aborted && stream.destroy(), () => {})
        return this.#spool.keep(await Promise.race([coming, late]), { chat, came, signal })
    }

    #failed(item, error) {
        item.tries = (item.tries ?? 0) + 1
        log.warn(`media of message ${item.wa_id}: ${error.message}`)
        if (item.tries >= TRIES) {
            this.#done(item, { file: null, bytes: null })
            return
        }
        setTimeout(() => {
            item.isBusy = false
            this.#want(item)
        }, RETRY_MS * item.tries).unref()
    }

    #tell({ wa_id, chat, came = 0 }, { file, bytes }) {
        this.#outbox.push('media', { wa_id, chat, file, bytes, came })
    }

    #done(item, kept) {
        this.#tell(item, kept)
        this.#items.delete(nameOf(item))
        this.#log.append({ wa_id: item.wa_id, chat: item.chat })
        if (this.#log.bytes > REWRITE_BYTES)
            this.#log.rewrite(this.#lines())
    }
}
