/*
 * library.js - below the real package, in the place of WhatsApp: a socket that does what the test says
 *
 * Events go through the package's own buffer, so that what it holds back and throws away is real. The test connects to
 * the unix socket STUB_SOCKET and speaks JSON lines: {"emit": [event, value]}, {"buffer": true}, {"close": code},
 * {"ack": [id, error]}, {"fail": [n, code]} (the next n sends break), {"hold": true} (downloads, until false); it is told {"made": n}, {"sent": {...}}, {"presence": ...}.
 */
import net from 'node:net'
import { Readable } from 'node:stream'

import { makeEventBuffer, proto } from '@whiskeysockets/baileys'
import { EventEmitter } from 'node:events'

const quiet = { level: 'silent', child: () => quiet, trace() {}, debug() {}, info() {}, warn() {}, error() {} }

let tester = null
let current = null
let nMade = 0
let toFail = [0, 0]
let absent = []
let isHanging = false
let waiting = null /* downloads, while they are held */

const tell = what => tester?.write(`${JSON.stringify(what)}\n`)

const commands = {
    emit: ([event, value]) => current.ev.emit(event, revive(value)),
    buffer: () => current.ev.buffer(),
    close: code => current.over(code),
    ack: ([id, error]) => {
        if (error) /* the library's own handler of the frame is the first */
            current.ev.emit('messages.update', [{ key: { id, fromMe: true }, update: { status: 0, messageStubParameters: [String(error)] } }])
        current.ws.emit('CB:ack,class:message', { attrs: error ? { id, error: String(error) } : { id } })
    },
    fail: n => { toFail = n },
    absent: numbers => { absent = numbers },
    hold: isHeld => { waiting?.forEach(go => go()); waiting = isHeld ? [] : null },
    hang: () => { isHanging = true },
    reject: () => { Promise.reject(new Error('nobody waits for it')) },
    crash: () => { setImmediate(() => { throw new Error('in a timer of the library') }) },
    count: ([key, value]) => current.config.msgRetryCounterCache.set(key, value),
    counted: key => tell({ counted: current.config.msgRetryCounterCache.get(key) ?? null }),
    ignores: jid => tell({ ignored: current.config.shouldIgnoreJid(jid) }),
    options: () => {
        const { markOnlineOnConnect, syncFullHistory, emitOwnEvents } = current.config
        tell({ config: { markOnlineOnConnect, syncFullHistory, emitOwnEvents, filtersHistory: Boolean(current.config.shouldSyncHistoryMessage) } })
    },
    creds: creds => { Object.assign(current.config.auth.creds, creds); current.ev.emit('creds.update', creds) },
    key: async ([type, id, value]) => { await current.config.auth.keys.set({ [type]: { [id]: value } }); tell({ key: await current.config.auth.keys.get(type, [id]) }) },
    wants: async id => { const message = await current.config.getMessage({ id }); tell({ wanted: message ? message.conversation ?? message.extendedTextMessage?.text : null }) },
    throw: () => current.ev.emit('messages.upsert', { messages: null, type: 'notify' }),
}

function revive(value) {
    for (const message of value?.messages ?? [])
        if (message.message)
            message.message = proto.Message.fromObject(message.message)
    return value
}

net.createServer(socket => {
    tester = socket
    let text = ''
    socket.on('error', () => {})
    socket.on('data', bytes => {
        text += bytes
        for (let n; (n = text.indexOf('\n')) >= 0; text = text.slice(n + 1))
            for (const [name, value] of Object.entries(JSON.parse(text.slice(0, n))))
                Promise.resolve(commands[name](value)).then(() => tell({ did: name }))
    })
    if (nMade)
        tell({ made: nMade })
}).listen(process.env.STUB_SOCKET)

export function makeSocket(config) {
    const ev = makeEventBuffer(quiet), ws = new EventEmitter()
    const sock = {
        config, ev, ws,
        over(code) {
            ev.emit('connection.update', { connection: 'close', lastDisconnect: { error: { output: { statusCode: code } } } })
            ev.removeAllListeners('connection.update')
            ev.destroy()
        },
        async end() {
            tell({ ended: true })
            await new Promise(resolve => isHanging || resolve())
            sock.over(undefined)
        },
        async onWhatsApp(number) { tell({ looked: number }); return absent.includes(number) ? [] : [{ jid: `${number}@s.whatsapp.net`, exists: true }] },
        async logout() { tell({ unlinked: true }) },
        async requestPairingCode(phone) { return `CODE${phone.slice(-4)}` },
        async sendPresenceUpdate(what, jid) { tell({ presence: [what, jid] }) },
        async readMessages(keys) { tell({ read: keys }) },
        async updateMediaMessage(message) { return message },
        async downloadMedia(message) {
            tell({ downloads: message.key.id })
            await new Promise(go => waiting?.push(go) ?? go())
            return Readable.from([Buffer.from('#!AMR\n')]) /* the least that is a recording */
        },
        async sendMessage(jid, content, options) {
            if (toFail[0]-- > 0)
                throw Object.assign(new Error('broken'), { output: { statusCode: toFail[1] } })
            const { quoted } = options
            tell({ sent: { jid, content, id: options.messageId, quoted: quoted && {
                id: quoted.key.id, mine: quoted.key.fromMe, text: quoted.message.conversation ?? quoted.message.extendedTextMessage?.text } } })
            return { key: { id: options.messageId }, message: proto.Message.fromObject({ conversation: content.text ?? '' }) }
        },
    }
    current = sock
    tell({ made: ++nMade })
    return sock
}
