/*
 * spool.js - media files between the daemon and us, by name
 *
 * in/ holds what callers sent, out/ what is to be sent. A name is 32 hex digits, made by whoever writes; the reader
 * deletes. A file is never followed through a link, and never larger than MEDIA_MAX, whatever its sender claims. While in/
 * holds max bytes, since the daemon is away or its disk is full, no more is taken: it is tried a few times, and then the
 * daemon is told that there is no file; the message itself is never lost over it.
 */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Transform } from 'node:stream'

const MEDIA_MAX = 64 * 1024 * 1024
const NAME = /^[0-9a-f]{32}$/

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

    /* Returns: { file, bytes }. */
    async keep(stream) {
        if (this.#held() >= this.max) {
            stream.destroy?.()
            throw new Error(`the spool is full: ${this.in} holds ${this.max} bytes that the daemon has not taken`)
        }
        const file = randomBytes(16).toString('hex'), part = path.join(this.in, `${file}.part`)
        let bytes = 0
        const limit = new Transform({
            transform(chunk, _encoding, next) {
                bytes += chunk.length
                next(bytes > MEDIA_MAX ? new Error(`is over ${MEDIA_MAX} bytes`) : null, chunk)
            },
        })
        try {
            await pipeline(stream, limit, fs.createWriteStream(part, { flags: 'wx', mode: 0o640, flush: true }))
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

    drop(name) {
        if (NAME.test(name))
            fs.rmSync(path.join(this.out, name), { force: true })
    }
}
