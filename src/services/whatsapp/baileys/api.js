/*
 * api.js - the sidecar's seven routes, HTTP over a unix socket
 *
 * Who may connect is decided by the socket's mode. What is sent by name lies in the spool. A request with a field that
 * is not known is refused, so that a newer daemon learns that it is not understood.
 */
import http from 'node:http'

import { jidOf } from './chats.js'
import { JOBS_WAITING_MAX } from './jobs.js'
import { log } from './log.js'

export const VERSION = 1
const BODY_MAX = 64 * 1024
const EVENTS_MAX = 256
const WAIT_MAX_S = 60
const PAIR_MS = 30_000
const IDLE_MS = 120_000
const TEXT_MAX = 16 * 1024

class Refusal extends Error {
    constructor(status, reason, headers = {}) {
        super(reason)
        this.status = status
        this.headers = headers
    }
}

const text = max => value => typeof value === 'string' && value.length > 0 && value.length <= max
const integer = (min, max) => value => Number.isInteger(value) && value >= min && value <= max
const degrees = max => value => typeof value === 'number' && Math.abs(value) <= max
const pattern = regexp => value => typeof value === 'string' && regexp.test(value)

const TO = pattern(/^([1-9]\d{6,14}|\d{5,20}@(lid|s\.whatsapp\.net))$/)
const TYPES = {
    text: ['text'], image: ['file', 'mime'], video: ['file', 'mime'], audio: ['file', 'mime'], voice: ['file'],
    document: ['file', 'mime', 'name'], location: ['lat', 'lon'],
}
const MESSAGE = {
    id: pattern(/^[0-9a-f]{32}$/), to: TO, type: value => typeof value === 'string' && Object.hasOwn(TYPES, value), text: text(TEXT_MAX),
    file: pattern(/^[0-9a-f]{32}$/), mime: text(127), name: text(255), lat: degrees(90), lon: degrees(180), quote: text(64),
    ttl: integer(1, 7 * 86400),
}
const PAIR = { phone: pattern(/^[1-9]\d{6,14}$/) }
const CHAT = {
    to: TO, action: value => ['read', 'composing', 'paused', 'forget'].includes(value),
    ids: value => Array.isArray(value) && value.length <= 64 && value.every(text(64)),
    before: integer(0, Number.MAX_SAFE_INTEGER),
}

function check(body, fields, required) {
    for (const name of Object.keys(body))
        if (!Object.hasOwn(fields, name))
            throw new Refusal(400, `${name} is not known`)
    for (const name of required)
        if (body[name] === undefined)
            throw new Refusal(400, `${name} is missing`)
    for (const [name, value] of Object.entries(body))
        if (!fields[name](value))
            throw new Refusal(400, `${name} has not the form it should have`)
}

async function readBody(request) {
    const chunks = []
    let n = 0
    for await (const chunk of request) {
        n += chunk.length
        if (n > BODY_MAX)
            throw new Refusal(413, `a body of over ${BODY_MAX} bytes`, { connection: 'close' })
        chunks.push(chunk)
    }
    try {
        const body = JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}')
        if (body && typeof body === 'object' && !Array.isArray(body))
            return body
    } catch { /* said below */ }
    throw new Refusal(400, 'the body is no JSON object')
}

const natural = (value, fallback, max) => {
    const n = value === null ? fallback : Number(value)
    if (!Number.isInteger(n) || n < 0)
        throw new Refusal(400, `${value} is no number`)
    return Math.min(n, max)
}

export function makeApi({ session, outbox, jobs, sender, spool, library }) {
    const health = () => ({
        v: VERSION, state: session.state, since: session.since, rss: process.memoryUsage.rss(), outbox: outbox.length,
        is_filling: outbox.isFilling, sendq: sender.length, restricted_until: sender.restrictedUntil,
        last_rx: session.lastReceived, lib: library,
    })

    /* of: whose numbers those are, so that one of an outbox that is lost acknowledges nothing of another. */
    async function events({ query, signal }) {
        if (query.has('of') && query.get('of') !== outbox.id)
            return [410, { outbox: outbox.id }]
        const after = natural(query.get('after'), 0, Number.MAX_SAFE_INTEGER)
        const max = Math.max(1, natural(query.get('max'), 64, EVENTS_MAX))
        const batch = await outbox.fetch(after, max, natural(query.get('wait'), 30, WAIT_MAX_S) * 1000, signal)
        return batch ? [200, batch] : [410, { outbox: outbox.id }]
    }

    const shown = job => ({ id: job.id, wa_id: job.wa_id, state: job.state, code: job.code ?? null, retry: job.retry ?? false })

    function refuseUnlinked(ttl) {
        if (['logged_out', 'replaced', 'banned', 'broken'].includes(session.state))
            throw new Refusal(503, session.state, { 'retry-after': '60' })
        if (session.state !== 'open' && ttl && ttl < 60)
            throw new Refusal(503, `${session.state}: it would not be sent in time`, { 'retry-after': '10' })
    }

    async function send({ request }) {
        const body = await readBody(request)
        check(body, MESSAGE, ['id', 'to', 'type'])
        check(body, MESSAGE, TYPES[body.type])
        const known = jobs.get(body.id)
        if (known && !jobs.isSame(known, body))
            throw new Refusal(409, 'the same id was used for another message')
        if (known) {
            if (body.file && !['queued', 'sent'].includes(known.state))
                spool.drop(body.file) /* it was put there again */
            return [200, shown(known)]
        }
        refuseUnlinked(body.ttl)
        if (jobs.waiting().length >= JOBS_WAITING_MAX)
            throw new Refusal(429, 'too many messages wait to be sent', { 'retry-after': '30' })
        if (body.file && !spool.find(body.file))
            throw new Refusal(400, 'file is not in the spool')
        const job = await jobs.add(body.id, body)
        sender.add(job)
        return [202, shown(job)]
    }

    function message({ id }) {
        const job = jobs.get(id)
        if (!job)
            throw new Refusal(404, 'there is no such message')
        return [200, shown(job)]
    }

    async function pair({ request }) {
        const body = await readBody(request)
        check(body, PAIR, [])
        if (session.isLinked)
            throw new Refusal(409, 'a device is linked already: unlink it first')
        const late = new Promise((_, reject) => setTimeout(() => reject(new Error('WhatsApp gave no code in time')), PAIR_MS).unref())
        try {
            return [200, await Promise.race([session.pair(body.phone), late])]
        } catch (error) {
            throw new Refusal(504, error.message)
        }
    }

    async function chat({ request }) {
        const body = await readBody(request)
        check(body, CHAT, ['to', 'action'])
        const to = jidOf(body.to)
        if (body.action === 'forget')
            session.forget(to, body.before ?? Date.now())
        else
            await session.chat(to, body.action, body.ids ?? []).catch(error => log.warn(`chat: ${error.message}`))
        return [204]
    }

    async function logout() {
        return [202, { told: await session.logout() }]
    }

    const routes = [
        ['GET', /^\/v1\/health$/, () => [200, health()]],
        ['GET', /^\/v1\/events$/, events],
        ['POST', /^\/v1\/messages$/, send],
        ['GET', /^\/v1\/messages\/(?<id>[0-9a-f]{32})$/, message],
        ['POST', /^\/v1\/pair$/, pair],
        ['POST', /^\/v1\/logout$/, logout],
        ['POST', /^\/v1\/chat$/, chat],
    ]

    async function answer(request, signal) {
        const url = new URL(request.url, 'http://sidecar')
        const there = routes.filter(([, path]) => path.test(url.pathname))
        const route = there.find(([method]) => method === request.method)
        if (!route)
            throw there.length ? new Refusal(405, 'not by this method') : new Refusal(404, 'no such route')
        return route[2]({ request, query: url.searchParams, signal, ...route[1].exec(url.pathname).groups })
    }

    async function handle(request, response) {
        const gone = new AbortController()
        response.on('close', () => gone.abort())
        let status, body, headers = {}
        try {
            [status, body] = await answer(request, gone.signal)
        } catch (error) {
            if (!(error instanceof Refusal))
                log.error(`${request.method} ${request.url.split('?')[0]}: ${error.message}`)
            status = error.status ?? 500
            headers = error.headers ?? {}
            body = { error: error instanceof Refusal ? error.message : 'it failed; see the log' }
        }
        const bytes = body === undefined ? '' : JSON.stringify(body)
        response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes), ...headers })
        response.end(bytes)
    }

    const server = http.createServer(handle)
    server.keepAliveTimeout = IDLE_MS /* longer than the daemon keeps a connection it does not use */
    return server
}
