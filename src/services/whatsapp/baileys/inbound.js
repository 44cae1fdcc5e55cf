/*
 * inbound.js - a WhatsApp message as the daemon gets it
 *
 * Pure: the library's structures in, plain fields out. What is no message of a person (receipts of history, keys,
 * groups, channels, the status feed) is null.
 */
import {
    getContentType, isHostedLidUser, isHostedPnUser, isLidUser, isPnUser, jidNormalizedUser, normalizeMessageContent, proto,
} from '@whiskeysockets/baileys'

const MEDIA = {
    imageMessage: 'image', videoMessage: 'video', ptvMessage: 'video', audioMessage: 'audio', documentMessage: 'document',
    stickerMessage: 'image',
}

const REPLIES = {
    buttonsResponseMessage: m => m.selectedDisplayText ?? m.selectedButtonId,
    listResponseMessage: m => m.title ?? m.singleSelectReply?.selectedRowId,
    templateButtonReplyMessage: m => m.selectedDisplayText ?? m.selectedId,
    interactiveResponseMessage: m => m.body?.text ?? m.nativeFlowResponseMessage?.paramsJson,
}

const TEXT_MAX = 16 * 1024

const number = value => (value === null || value === undefined ? null : Number(value))
const cut = text => (text === null || text === undefined ? null : [...String(text)].slice(0, TEXT_MAX).join(''))

function location(m) {
    const place = [m.name, m.address].filter(part => part).join(', ')
    return { type: 'location', text: cut(`${m.degreesLatitude},${m.degreesLongitude}${place ? ` ${place}` : ''}`) }
}

function contact(m) {
    return { type: 'contact', text: cut((m.contacts ?? [m]).map(one => one.vcard ?? '').join('\n')) }
}

function reaction(m) {
    return { type: 'reaction', text: m.text ?? '', quote: m.key?.id ?? null }
}

function media(kind, m) {
    return {
        type: kind === 'audioMessage' && m.ptt ? 'voice' : MEDIA[kind],
        text: cut(m.caption), mime: cut(m.mimetype), file_name: cut(m.fileName), bytes: number(m.fileLength),
        sha256: m.fileSha256 ? Buffer.from(m.fileSha256).toString('hex') : null, secs: number(m.seconds), file: null,
    }
}

const OTHERS = {
    locationMessage: location, liveLocationMessage: location, contactMessage: contact, contactsArrayMessage: contact,
    reactionMessage: reaction,
}

function content(message) {
    const inner = normalizeMessageContent(message)
    const kind = getContentType(inner)
    const m = inner?.[kind]
    if (!kind || kind === 'senderKeyDistributionMessage' || kind === 'protocolMessage')
        return null
    const quote = m?.contextInfo?.stanzaId ?? null
    if (kind === 'conversation')
        return { type: 'text', text: cut(m), quote }
    if (kind === 'extendedTextMessage')
        return { type: 'text', text: cut(m.text), quote }
    if (MEDIA[kind])
        return { ...media(kind, m), quote }
    if (OTHERS[kind])
        return { quote, ...OTHERS[kind](m) }
    if (REPLIES[kind])
        return { type: 'text', text: cut(REPLIES[kind](m)), quote }
    return { type: 'other', text: null, quote }
}

export function isPerson(jid) {
    return [isPnUser, isLidUser, isHostedPnUser, isHostedLidUser].some(isOne => isOne(jid))
}

/* live: it came while we were there to see it. pnOf: the telephone number of a privacy id, or null. */
export function toEvent(message, { live, pnOf }) {
    const { key } = message
    if (!key?.id || !isPerson(key.remoteJid))
        return null
    const undecryptable = message.messageStubType === proto.WebMessageInfo.StubType.CIPHERTEXT
    const what = undecryptable ? { type: 'undecryptable', text: null } : content(message.message)
    if (!what)
        return null
    const pn = [key.remoteJid, key.remoteJidAlt].find(jid => isPnUser(jid)) ?? pnOf(key.remoteJid)
    return {
        wa_id: key.id, chat: jidNormalizedUser(key.remoteJid), pn: pn ? jidNormalizedUser(pn).split('@')[0] : null,
        from_me: Boolean(key.fromMe), name: key.fromMe ? null : cut(message.pushName), ts: number(message.messageTimestamp),
        live, ...what,
    }
}

export const hasMedia = event => event.type in { image: 1, voice: 1, audio: 1, video: 1, document: 1 }
