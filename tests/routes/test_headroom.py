"""test_headroom.py - a machine that falls behind takes no new call, and takes them again once it has caught up"""

import os
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from daemon import ACCOUNT, HOST, Daemon, finish_call, until
from tap import done, ok, same

CALLS = 10
STANDS_S, RUNS_S = 0.4, 0.04  # of a slow machine's time


class Throttle(threading.Thread):
    """A context in which the daemon gets a tenth of the time."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.over = pid, threading.Event()

    def run(self):
        while not self.over.is_set():
            os.kill(self.pid, signal.SIGSTOP)
            self.over.wait(STANDS_S)
            os.kill(self.pid, signal.SIGCONT)
            self.over.wait(RUNS_S)

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.over.set()
        self.join()


def ring(daemon, number):
    return daemon.post("/webhook/incoming_call", CallSid=f"CA{number:032d}", AccountSid=ACCOUNT, From="+972501234567",
                       To="+97231234567", CallStatus="ringing")


def delay_ms(daemon):
    return daemon.status()["delay_ms"]


def verb(answer):
    return next((name for name in ("Reject", "Dial", "Connect") if f"<{name}" in answer[1]), answer)


def turned_away(**env):
    """(what a caller hears while the machine is slow, and afterwards)"""
    with Daemon(PUBLIC_HOST=HOST, **env) as daemon:
        calls = daemon.call("--echo", "--calls", str(CALLS), "--seconds", "60")
        until(lambda: daemon.status()["calls_live"] == CALLS)
        with Throttle(daemon.process.pid):
            until(lambda: delay_ms(daemon) > 100)
            ok(delay_ms(daemon) > 100, "audio that waits is noticed within moments")
            slow = verb(ring(daemon, 1))
        until(lambda: delay_ms(daemon) == 0)
        fast = verb(ring(daemon, 2))
        calls.terminate()
        finish_call(calls)
        return slow, fast


same(turned_away(MAX_DELAY_MS="100"), ("Reject", "Connect"), "a call too many hears the busy tone, the next one is taken")
same(turned_away(MAX_DELAY_MS="100", HUMAN_NUMBER="+97231111111"), ("Dial", "Connect"), "or is put through to a human")
done()
