/*
 * systemd.js - tells systemd that we are ready, alive, and about to stop
 *
 * Node has no datagram sockets of the unix kind, so systemd-notify speaks for us; the unit allows it by NotifyAccess=all.
 * Being alive means that timers run: who hangs in a loop says nothing, and is killed and started again by systemd. What
 * is said is awaited by nobody, but for the last of it.
 */
import { spawn } from 'node:child_process'

import { log } from './log.js'

const TIMES_IN_TIME = 3 /* that life is told within what systemd waits */

function tell(...what) {
    return new Promise(resolve => {
        const child = spawn('systemd-notify', what, { stdio: 'ignore' })
        child.on('error', error => {
            log.warn(`systemd is not told ${what.join(' ')}: ${error.message}`)
            resolve()
        })
        child.on('close', resolve)
    })
}

/* Returns: stopping(), to be called before the end. Without systemd neither says anything. */
export function tellReady() {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = process.env
    if (!NOTIFY_SOCKET)
        return async () => {}
    tell('READY=1')
    const isWatched = Number(WATCHDOG_USEC) > 0 && (!WATCHDOG_PID || Number(WATCHDOG_PID) === process.pid)
    const timer = isWatched ? setInterval(tell, Number(WATCHDOG_USEC) / 1000 / TIMES_IN_TIME, 'WATCHDOG=1') : null
    return () => {
        clearInterval(timer)
        return tell('STOPPING=1')
    }
}
