/*
 * auth.js - the credentials and ratchet keys of the linked device, durable before anybody relies on them
 *
 * The library's own store writes files in place and takes a broken one for a missing one, which loses sessions. Here
 * each is a whole file (files.js), and one that cannot be read stops us: going on without it would break decryption.
 * It is a full credential of the account: the folder is ours alone.
 */
import fs from 'node:fs'
import path from 'node:path'

import { BufferJSON, initAuthCreds, proto } from '@whiskeysockets/baileys'

import { replace, syncFolder, writeWhole } from './files.js'
import { log } from './log.js'

const nameOf = (type, id) => `${type}-${id}.json`.replaceAll('/', '__').replaceAll(':', '-')

function read(file) {
    let text
    try {
        text = fs.readFileSync(file, 'utf8')
    } catch (error) {
        if (error.code === 'ENOENT')
            return null
        throw error
    }
    try {
        return JSON.parse(text, BufferJSON.reviver)
    } catch {
        throw new Error(`${file} cannot be read: it was damaged from outside; unlink the device and link it again`)
    }
}

const print = value => JSON.stringify(value, BufferJSON.replacer)

export function openAuth(folder) {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    fs.chmodSync(folder, 0o700)
    const credsFile = path.join(folder, 'creds.json')
    const creds = read(credsFile) ?? initAuthCreds()

    /* The library takes what it cannot have for missing; so somebody has to say it. */
    function readKey(type, id) {
        try {
            return read(path.join(folder, nameOf(type, id)))
        } catch (error) {
            log.error(error.message)
            throw error
        }
    }

    function get(type, ids) {
        const values = {}
        for (const id of ids) {
            const value = readKey(type, id)
            if (value !== null)
                values[id] = type === 'app-state-sync-key' ? proto.Message.AppStateSyncKeyData.fromObject(value) : value
        }
        return values
    }

    function set(data) {
        for (const [type, values] of Object.entries(data))
            for (const [id, value] of Object.entries(values)) {
                const file = path.join(folder, nameOf(type, id))
                if (value)
                    replace(file, print(value))
                else
                    fs.rmSync(file, { force: true })
            }
        syncFolder(folder)
    }

    return {
        creds,
        keys: { get: async (type, ids) => get(type, ids), set: async data => set(data) },
        save: () => writeWhole(credsFile, print(creds)),
        isLinked: () => Boolean(creds.me?.id && creds.account),
        /* The account unlinked us: nothing of it is of use any more. */
        erase: () => fs.rmSync(folder, { recursive: true, force: true }),
    }
}
