"""test_slow_provider.py - a provider does not answer one call: another one of the same loop and worker hears its greeting meanwhile

The order of events decides, not a clock: the greeting is there while the request is still unanswered. The call that waits
goes on, too, and its caller is not left in silence.
"""

import concurrent.futures
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap
from daemon import Daemon, Warm, until
from media_call import SILENCE, Call
from standins.clouds import Clouds, missing
from standins.visit import CALLER, Visit, heard_as

SILENCE_MAX, MARGIN = 4.0, 0.5  # seconds; the second for a machine that runs other tests at the same time
PROFILE = {"AGENT_PROFILE": "receptionist-en", "BUSINESS_NAME": "Acme", "DEFAULT_COUNTRY": "1", "LOOP_THREADS": "1", "SPEECH_WORKERS": "1"}
FRAMES = 50
ROWS = [
    ("transcription", "openai", "/audio/transcriptions"),
    ("the chat model", "openai", "/chat/completions"),
    ("the voice", "google", "/text:synthesize"),
]

if problem := missing():
    tap.skip(f"calls through the providers' stand-ins: {problem}")
    tap.done()

with Clouds() as all_well:
    warm = Warm({**PROFILE, **all_well.env()})


def audio(call):
    """Whether the agent speaks to him."""
    while True:
        opcode, text = call.read()
        if opcode != 1 or json.loads(text)["event"] == "media":
            return opcode == 1


def held(row):
    """(what became of the call that waits, whether another one was greeted, how many requests had ended by then, the log)"""
    _, vendor, path = row
    with Clouds(openai=heard_as(*CALLER)) as clouds, Daemon(**PROFILE, **clouds.env(), CACHE_DIR=warm.cache()) as daemon:
        clouds.fail(**{vendor: [{"fault": "silent", "path": path, "n": 0}]})
        visit = Visit(daemon, CALLER[0], seconds=25)
        clouds.requests(vendor, path, 1, ended=False)
        other = Call(daemon).begin()
        for _ in range(FRAMES):
            other.media(SILENCE)
        greeted = audio(other)
        n_ended = len(clouds.requests(vendor, path))
        other.say("stop", stop={})
        visit.finish()
        until(lambda: len(re.findall("call ended: ", daemon.log)) == 2)
        return visit, greeted, n_ended, re.findall(r"call ended: .* (\d+) frames lost", daemon.log)


def look_at(row, visit, greeted, n_ended, lost):
    what = row[0]
    tap.same((greeted, n_ended), (True, 0), f"{what} does not answer: another call is greeted before it has been given up")
    tap.same(lost, ["0", "0"], f"{what}: no frame of either was lost")
    good = tap.ok(visit.silence <= SILENCE_MAX + MARGIN, f"{what}: who waits is never left in silence for over {SILENCE_MAX:.0f} s")
    good &= tap.ok(len(visit.said("agent")) > 1, f"{what}: and his conversation goes on")
    if not good:
        print(visit)


with concurrent.futures.ThreadPoolExecutor(len(ROWS)) as pool:
    for row, result in zip(ROWS, pool.map(held, ROWS)):
        look_at(row, *result)
tap.done()
