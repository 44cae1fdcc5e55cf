/*
 * log.js - what an operator reads in the journal: one line an event, no message texts, no keys
 *
 * A line begins with its priority as systemd takes it, "<4>". The library's own log goes nowhere but for its errors,
 * since it names chats and keys.
 */

const PRIORITY = { error: 3, warn: 4, info: 6, debug: 7 }

const line = (level, text) => process.stderr.write(`<${PRIORITY[level]}>${text.replace(/\s+/g, ' ')}\n`)

export const log = {
    error: text => line('error', text),
    warn: text => line('warn', text),
    info: text => line('info', text),
}

/* What the library wants of a logger. Errors keep their text, but nothing of what was handled then. */
export const libraryLog = {
    level: 'error',
    child: () => libraryLog,
    trace() {}, debug() {}, info() {}, warn() {},
    error: (what, text) => line('error', `baileys: ${text ?? what?.message ?? what}`),
    fatal: (what, text) => line('error', `baileys: ${text ?? what?.message ?? what}`),
}
