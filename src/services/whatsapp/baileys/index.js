/*
 * index.js - the WhatsApp sidecar: one linked device of WhatsApp Web behind a unix socket
 *
 * A program of its own, since a library below it is under the GPL, and since what it talks to is nobody's interface: it
 * may fail without the daemon. It keeps what came until the daemon has it, and what is to be sent until WhatsApp has it.
 *
 *   STATE_DIRECTORY        where everything is kept (systemd sets it)
 *   BAILEYS_SOCKET         path of the unix socket, when systemd passes none
 *   BAILEYS_PACE_MS        least time between two messages, 1500; within one chat twice that
 *   BAILEYS_NEW_CHATS      how many people a day may be written to who have not written, 20; fewer in the first days
 *   BAILEYS_SPOOL_MIB      media that came and that the daemon has not taken, 1024; over it no more are fetched
 *   BAILEYS_LIBRARY        a module with a makeSocket() in place of the library's, for tests
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

import makeWASocket from '@whiskeysockets/baileys'

import { makeApi } from './api.js'
import { Chats } from './chats.js'
import { Jobs } from './jobs.js'
import { log } from './log.js'
import { Media } from './media.js'
import { Outbox } from './outbox.js'
import { Quotes } from './quotes.js'
import { Sender } from './sender.js'
import { Session } from './session.js'
import { Spool } from './spool.js'
import { tellReady } from './systemd.js'

const LISTEN_FD = 3

/* libsignal prints sessions with their keys there. */
for (const name of ['log', 'info', 'warn', 'error', 'debug'])
    console[name] = () => {}

const { version: library } = createRequire(import.meta.url)('@whiskeysockets/baileys/package.json')

function settings() {
    const { STATE_DIRECTORY, BAILEYS_SOCKET, BAILEYS_PACE_MS = '1500', BAILEYS_NEW_CHATS = '20', BAILEYS_SPOOL_MIB = '1024', BAILEYS_LIBRARY, LISTEN_FDS, LISTEN_PID } = process.env
    const isActivated = LISTEN_FDS === '1' && Number(LISTEN_PID) === process.pid
    if (!STATE_DIRECTORY)
        throw new Error('STATE_DIRECTORY is not set: name the folder where the linked device is kept')
    if (!isActivated && !BAILEYS_SOCKET)
        throw new Error('no socket: start me by systemd, or set BAILEYS_SOCKET to a path')
    if (!/^\d{1,6}$/.test(BAILEYS_PACE_MS))
        throw new Error('BAILEYS_PACE_MS is no number of milliseconds')
    if (!/^\d{1,6}$/.test(BAILEYS_NEW_CHATS))
        throw new Error('BAILEYS_NEW_CHATS is no number of people')
    if (!/^\d{1,7}$/.test(BAILEYS_SPOOL_MIB))
        throw new Error('BAILEYS_SPOOL_MIB is no number of MiB')
    return {
        folder: STATE_DIRECTORY, socket: isActivated ? null : BAILEYS_SOCKET, module: BAILEYS_LIBRARY,
        paceMs: Number(BAILEYS_PACE_MS), newChats: Number(BAILEYS_NEW_CHATS), spoolMax: Number(BAILEYS_SPOOL_MIB) * 1024 * 1024,
    }
}

/* Two that share a device throw each other out for ever. Node has no locks; flock takes one on what we hold open. */
function lock(folder) {
    const fd = fs.openSync(path.join(folder, 'lock'), 'w', 0o600)
    const { error, status } = spawnSync('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
    if (error)
        throw new Error(`flock cannot be run, it is part of util-linux: ${error.message}`)
    if (status)
        throw new Error(`${folder}: another sidecar uses this device already`)
}

/* What an ended one left there is in the way. */
function refuseSecond(socket) {
    return new Promise((resolve, reject) => {
        const other = net.connect(socket, () => {
            other.destroy()
            reject(new Error(`${socket}: a sidecar listens there already`))
        })
        other.on('error', () => {
            fs.rmSync(socket, { force: true })
            resolve()
        })
    })
}

/* What goes wrong below us is not to take with it what the library holds back. */
function watchFaults(session) {
    process.on('unhandledRejection', error => log.error(`in the library: ${error?.message ?? error}`))
    process.on('uncaughtException', error => {
        log.error(`it ends, since it does not know what to do: ${error?.message ?? error}`)
        try {
            session.flush()
        } finally {
            process.exit(1)
        }
    })
}

async function main() {
    const { folder, socket, paceMs, newChats, spoolMax, module } = settings()
    process.umask(0o007)
    if (socket)
        await refuseSecond(socket)
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    lock(folder)
    const makeSocket = module ? (await import(pathToFileURL(path.resolve(module)))).makeSocket : makeWASocket
    const outbox = new Outbox(folder), jobs = new Jobs(folder), chats = new Chats(folder), quotes = new Quotes(folder)
    const spool = new Spool(path.join(folder, 'spool'), spoolMax)
    const media = new Media({ folder, outbox, spool })
    const sender = new Sender({ jobs, chats, quotes, spool, outbox, paceMs, chatPaceMs: 2 * paceMs, newChats })
    const session = new Session({ folder, makeSocket, outbox, sender, chats, quotes, spool, media })
    watchFaults(session)
    const server = makeApi({ session, outbox, jobs, sender, spool, library })

    let stopping = async () => {}
    async function stop() {
        const told = stopping()
        server.close()
        session.flush()
        jobs.close()
        outbox.close()
        await session.stop()
        outbox.close()
        await told
        process.exit(0)
    }
    for (const signal of ['SIGTERM', 'SIGINT'])
        process.once(signal, stop)

    server.listen(socket ?? { fd: LISTEN_FD }, () => {
        stopping = tellReady()
        log.info(`ready on ${socket ?? 'the socket of systemd'}`)
    })
    session.start()
}

main().catch(error => {
    log.error(error.message)
    process.exit(1)
})
