"""test_allocations.py - once a call is up, its frames cost no memory: neither its loop nor its worker asks for any

Counted in the daemon itself by tests/count_allocations.c, while calls on which nobody says anything send a frame every 20 ms:
on the echo line each goes back; behind the receptionist, who has asked and waits, each is listened to.
"""

import glob
import json
import os
import pathlib
import struct
import tempfile
import threading
import time

import tap
from daemon import Daemon
from media_call import Call

COUNTER = os.path.join(tap.BUILD, "tests", "count_allocations.so")
ROW, ROWS = struct.Struct("16sQ"), 32
THREADS = {"agentlocator": "the loop", "speech": "the worker"}
CALLS, FRAMES = 4, 100
NOISE = bytes(0x70 | i * 7 % 8 | (i % 3 == 0) << 7 for i in range(160))  # a noisy line: over the detector's gate


class Counter:
    """A context: the settings that have a daemon counted, and the counts."""

    def __enter__(self):
        self.file = tempfile.NamedTemporaryFile()
        self.file.truncate(ROW.size * ROWS)
        return self

    def __exit__(self, *_):
        self.file.close()

    def env(self):
        return {"LD_PRELOAD": COUNTER, "COUNT_ALLOCATIONS": self.file.name}

    def read(self):
        self.file.seek(0)
        rows = ROW.iter_unpack(self.file.read())
        return {name.rstrip(b"\0").decode(): n for name, n in rows if n}


def profile():
    """As short as it can be, so that the receptionist waits soon."""
    prompts = {name: "Yes." for name in ("greeting", "goodbye", "goodbye_silence", "wait", "trouble", "too_long", "ask")}
    return {"name": "brief", "language": "en", "mode": "script", "prompts": prompts, "questions": [
        {"id": "need", "field": "need", "expect": "free", "ask": "ask", "again": "ask", "keypad": "ask", "next": "goodbye"}]}


class Ear(threading.Thread):
    """Hears one call, and tells its marks."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.n_heard, self.n_marks = call, 0, 0
        self.start()

    def run(self):
        while (message := self.call.read())[0] == 1:
            event = json.loads(message[1])
            self.n_heard += event["event"] == "media"
            if event["event"] == "mark":
                self.n_marks += 1
                self.call.say("mark", mark=event["mark"])


def send(calls, n):
    """As telephones do."""
    due = time.monotonic()
    for _ in range(n):
        for call in calls:
            call.media(NOISE)
        due += 0.02
        time.sleep(max(0, due - time.monotonic()))


def threads(daemon):
    found = glob.glob(f"/proc/{daemon.process.pid}/task/*/comm")
    return {pathlib.Path(path).read_text(encoding="ascii").strip() for path in found}


def check(name, **env):
    with Counter() as counter, Daemon(**env, **counter.env()) as daemon:
        calls = [Call(daemon).begin() for _ in range(CALLS)]
        ears = [Ear(call) for call in calls]
        send(calls, FRAMES)  # what is made once; the receptionist greets and asks
        before, heard = counter.read(), [ear.n_heard for ear in ears]
        send(calls, FRAMES)
        after = counter.read()
        tap.ok(all(ear.n_heard for ear in ears), f"{name}: every call was spoken to")
        tap.ok(before.get("agentlocator"), f"{name}: what is asked for is counted")
        for thread, title in THREADS.items():
            tap.ok(thread in threads(daemon), f"{name}: {title} is there to be counted")
            tap.same(after.get(thread, 0) - before.get(thread, 0), 0, f"{name}: {title} asked for none in {CALLS * FRAMES} frames")
        is_echo = env["AGENT_PROFILE"] == "echo"
        tap.ok(all((ear.n_heard - n > FRAMES / 2) == is_echo for ear, n in zip(ears, heard)),
               f"{name}: meanwhile " + ("each frame came back" if is_echo else "nothing was said"))


with open(tap.BINARY, "rb") as binary:
    is_counted = not any(name in binary.read() for name in (b"__asan_init", b"__tsan_init"))
if is_counted and os.path.exists(COUNTER):
    check("echo", AGENT_PROFILE="echo")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(profile(), file)
        file.flush()
        check("receptionist", AGENT_PROFILE=file.name)
else:
    tap.skip("whether a call allocates: the sanitizers count memory themselves")
tap.done()
