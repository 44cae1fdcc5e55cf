/*
 * files.js - what has to survive: whole files, and logs of lines
 *
 * A file appears under its name complete and synced, or not at all. A log is one JSON value a line: append() has handed
 * it to the kernel when it returns, which is enough for a crash of this process; synced() resolves when it is on the
 * disk, one fdatasync for all that was appended within SYNC_MS. A last line that was cut off is left out when read, and
 * gone when the log is opened, since that writes it anew.
 */
import fs from 'node:fs'
import path from 'node:path'

const SYNC_MS = 10

export function syncFolder(folder) {
    const fd = fs.openSync(folder, 'r')
    try {
        fs.fsyncSync(fd)
    } finally {
        fs.closeSync(fd)
    }
}

/* It is there for good after syncFolder(), which does for many. */
export function replace(file, bytes) {
    const part = `${file}.part`
    const fd = fs.openSync(part, 'w', 0o600)
    try {
        fs.writeFileSync(fd, bytes)
        fs.fsyncSync(fd)
    } finally {
        fs.closeSync(fd)
    }
    fs.renameSync(part, file)
}

export function writeWhole(file, bytes) {
    replace(file, bytes)
    syncFolder(path.dirname(file))
}

export function readLines(file) {
    let text
    try {
        text = fs.readFileSync(file, 'utf8')
    } catch (error) {
        if (error.code === 'ENOENT')
            return []
        throw error
    }
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    return whole.split('\n').filter(line => line).map((line, i) => {
        try {
            return JSON.parse(line)
        } catch {
            throw new Error(`${file}, line ${i + 1}: is no JSON; it was damaged from outside`)
        }
    })
}

export class Log {
    #file
    #fd
    #waiting = []
    #timer = null
    bytes = 0

    /* Begins with what is to be kept of what it held. */
    constructor(file, values) {
        this.#file = file
        this.rewrite(values)
    }

    #open() {
        this.#fd = fs.openSync(this.#file, 'a', 0o600)
        this.bytes = fs.fstatSync(this.#fd).size
    }

    /* All of the line or nothing of it: half a one in the middle could not be read any more. */
    append(value) {
        const line = Buffer.from(`${JSON.stringify(value)}\n`)
        let n = 0
        try {
            n = fs.writeSync(this.#fd, line)
        } finally {
            if (n < line.length)
                fs.ftruncateSync(this.#fd, this.bytes)
        }
        if (n < line.length)
            throw new Error(`${this.#file}: the disk is full`)
        this.bytes += n
    }

    /* Resolves when all that was appended by now is on the disk. */
    synced() {
        return new Promise((resolve, reject) => {
            this.#waiting.push({ resolve, reject })
            this.#timer ??= setTimeout(() => this.#sync(), SYNC_MS)
        })
    }

    #sync() {
        const waiting = this.#waiting
        this.#waiting = []
        this.#timer = null
        const fd = this.#fd /* should it be written anew meanwhile, that is synced */
        fs.fdatasync(fd, error => waiting.forEach(({ resolve, reject }) => (error && fd === this.#fd ? reject(error) : resolve())))
    }

    /* Everything else is forgotten. */
    rewrite(values) {
        writeWhole(this.#file, values.map(value => `${JSON.stringify(value)}\n`).join(''))
        const before = this.#fd
        this.#open() /* while the other is open, so that it has another number */
        if (before !== undefined)
            fs.closeSync(before)
    }

    /* Whether one of these texts is on the disk, also in what was superseded. */
    mentions(texts) {
        const bytes = fs.readFileSync(this.#file)
        return texts.some(text => bytes.includes(text))
    }

    syncNow() {
        fs.fdatasyncSync(this.#fd)
    }
}
