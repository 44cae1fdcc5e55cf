/*
 * spool.js - media files between the daemon and us, by name
 *
 * in/ holds what callers sent, out/ what is to be sent. A name is 32 hex digits, made by whoever writes; the reader
 * deletes; what came in begins with a digest of its chat, and is as old as its message. A file is never followed through a link, and never larger than MEDIA_MAX, whatever its sender claims. While in/
 * holds max bytes, since the daemon is away or its disk is full, no more is taken: it is tried a few times, and then the
 * daemon is told that there is no file; the message itself is never lost over it.
 */
import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Transform } from 'node:stream'

import { syncFolder } from './files.js'

const MEDIA_MAX = 64 * 1024 * 1024
const NAME = /^[0-9a-f]{32}$/

const digest = chat => createHash('sha256').update(chat).digest('hex').slice(0, 16)

export class Spool {
    constructor(folder, max) {
        this.max = max
        this.in = path.join(folder, 'in')
        this.out = path.join(folder, 'out')
        for (const side of [this.in, this.out])
            fs.mkdirSync(side, { recursive: true, mode: 0o770 })
        for (const name of fs.readdirSync(this.in))
            if (name.endsWith('.part'))
                fs.rmSync(path.join(this.in, name))
    }

    #held() {
        return fs.readdirSync(this.in).reduce((sum, name) => sum + (fs.lstatSync(path.join(this.in, name), { throwIfNoEntry: false })?.size ?? 0), 0)
    }

    /* came: when its message did, unix ms; signal ends it. Returns: { file, bytes }. */
    async keep(stream, { chat, came, signal }) {
        if (this.#held() >= this.max) {
            stream.destroy?.()
            throw new Error(`the spool is full: ${this.in} holds ${this.max} bytes that the daemon has not taken`)
        }
        const file = `${digest(chat)}${randomBytes(8).toString('hex')}`, part = path.join(this.in, `${file}.part`)
        let bytes = 0
        const limit = new Transform({
            transform(chunk, _encoding, next) {
                bytes += chunk.length
                next(bytes > MEDIA_MAX ? new Error(`is over ${MEDIA_MAX} bytes`) : null, chunk)
            },
        })
        try {
            await pipeline(stream, limit, fs.createWriteStream(part, { flags: 'wx', mode: 0o640, flush: true }), { signal })
            fs.utimesSync(part, came / 1000, came / 1000)
            fs.renameSync(part, path.join(this.in, file))
        } catch (error) {
            fs.rmSync(part, { force: true })
            throw error
        }
        return { file, bytes }
    }

    /* The path of a file to be sent, or null. */
    find(name) {
        if (!NAME.test(name))
            return null
        const file = path.join(this.out, name)
        const stat = fs.lstatSync(file, { throwIfNoEntry: false })
        return stat?.isFile() && stat.size <= MEDIA_MAX ? file : null
    }

    /* What came in of a chat, whether the daemon has heard of it or not. */
    forget({ names, before }) {
        const prefixes = names.map(digest)
        for (const name of fs.readdirSync(this.in))
            if (prefixes.some(prefix => name.startsWith(prefix)) && NAME.test(name) &&
                fs.lstatSync(path.join(this.in, name), { throwIfNoEntry: false })?.mtimeMs <= before)
                fs.rmSync(path.join(this.in, name), { force: true })
        for (const folder of [this.in, this.out])
            syncFolder(folder)
    }

    /* Of what came in and is not to be told after all. */
    undo(name) {
        fs.rmSync(path.join(this.in, name), { force: true })
    }

    drop(name) {
        if (NAME.test(name))
            fs.rmSync(path.join(this.out, name), { force: true })
    }
}
