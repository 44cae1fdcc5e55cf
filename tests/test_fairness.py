"""test_fairness.py - one call that floods: the others of its loop and worker get every frame back meanwhile

The flood does not stop before they have all theirs. What it sends too much is dropped, and counted as its own loss.
"""

import base64
import json
import os
import re
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from caller.standin import frame
from daemon import Daemon, until
from media_call import MASK, Call
from tap import done, ok, same

OTHERS, ROUNDS = 4, 100
FRAMES = 160

# what floods, bytes of a payload, messages written at once
FLOODS = [
    ("thousands of frames", FRAMES, 500),
    ("payloads of 46 KB", 46000, 8),
]


class Flood:
    """A context in which a call sends without a pause, and reads what comes back."""

    def __init__(self, call, n_bytes, n_at_once):
        payload = base64.b64encode(b"\x55" * n_bytes).decode()
        text = json.dumps({"event": "media", "streamSid": call.stream_sid, "media": {"payload": payload}}).encode()
        self.call, self.blob, self.n_at_once = call, frame(1, text, mask=MASK) * n_at_once, n_at_once
        self.n_sent, self.over, self.under_way = 0, threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.read)]

    def send(self):
        while not self.over.is_set():
            self.call.write(self.blob)
            self.n_sent += self.n_at_once
            self.under_way.set()
        self.call.say("stop", stop={})

    def read(self):
        while self.call.sock.recv(1 << 20):
            pass

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.under_way.wait()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def losses(daemon):
    """{CallSid: frames lost}, as the log tells of calls that ended"""
    found = re.findall(r"(CA\d{32})\b.*call ended: .* (\d+) frames lost", daemon.log)
    return {sid: int(n) for sid, n in found}


def echoes(calls):
    """How many frames each gets back, all of them taking turns."""
    back = [0] * len(calls)
    for _ in range(ROUNDS):
        for i, call in enumerate(calls):
            back[i] += call.echo(os.urandom(FRAMES))
    return back


def flooded(what, n_bytes, n_at_once):
    with Daemon(LOOP_THREADS="1", SPEECH_WORKERS="1") as daemon:
        others = [Call(daemon).begin() for _ in range(OTHERS)]
        loud = Call(daemon).begin()
        ok(all(call.echo(os.urandom(FRAMES)) for call in [loud, *others]), f"{what}: before, all are heard")
        with Flood(loud, n_bytes, n_at_once) as flood:
            before = flood.n_sent
            back = echoes(others)
            sent = (flood.n_sent - before) * max(1, n_bytes // FRAMES)
        same(back, [ROUNDS] * OTHERS, "  each of the others gets all its frames back")
        ok(sent > 2 * OTHERS * ROUNDS, f"  while the flood sent {sent}, more than twice as many as all of them")
        same([call.stop() for call in others], [1000] * OTHERS, "  they end as they like")
        until(lambda: daemon.status()["calls_live"] == 0)
        status = daemon.status()
        until(lambda: len(losses(daemon)) == OTHERS + 1)
        lost = losses(daemon)
        same([lost.get(call.sid) for call in others], [0] * OTHERS, "  no frame of theirs was lost")
        same((lost.get(loud.sid, 0) > 0, sum(lost.values())), (True, status["dropped_in"] + status["dropped_out"]),
             f"  what was too much is the flood's own: {lost.get(loud.sid)}")


for row in FLOODS:
    flooded(*row)
done()
