"""test_baileys_media.py - the real sidecar is sent more files than it can fetch at once"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
import tap
from daemon import until
from services.whatsapp.sidecar import Sidecar, message, prepare, upsert

AT_ONCE, WAITING_MAX = 4, 1000  # of media.js
VOICE = {"audioMessage": {"ptt": True, "mimetype": "audio/ogg", "seconds": 3}}


def voices(first, n):
    return upsert(*[message(f"V{i}", VOICE) for i in range(first, first + n)])


def begun(sidecar):
    """Which downloads have begun since it was asked last."""
    sidecar.do(count=["x", 1])  # what was told before is here when it answers
    told = []
    while not sidecar.told.empty():
        told.append(sidecar.told.get())
    return [each["downloads"] for each in told if "downloads" in each]


def fetched(sidecar):
    return len([name for name in os.listdir(os.path.join(sidecar.state, "spool", "in")) if not name.endswith(".part")])


def few_at_once():
    with Sidecar() as s:
        s.open()
        s.do(hold=True)
        s.do(emit=voices(0, 11))
        tap.same(begun(s), [f"V{i}" for i in range(AT_ONCE)], "four are fetched at once, the oldest first")
        s.do(close=408)
        s.open()
        tap.same(begun(s), [], "another connection does not fetch them twice")
        s.do(hold=False)
        until(lambda: fetched(s) == 11)
        tap.same((len(s.until("media", 11)), begun(s)), (11, [f"V{i}" for i in range(AT_ONCE, 11)]), "then the others, in order")


def many():
    with Sidecar() as s:
        s.open()
        s.do(hold=True)
        s.do(emit=voices(0, WAITING_MAX + 3))
        last = s.ask("GET", "/v1/health")[1]["outbox"]
        told = s.events("media", after=last - 8)
        tap.same([(e["wa_id"], e["file"]) for e in told], [(f"V{WAITING_MAX + i}", None) for i in range(3)],
                 "while a thousand wait, who sends another is heard without his file")
        s.kill()
        s.start()
        s.open()
        until(lambda: fetched(s) == WAITING_MAX)
        tap.same(fetched(s), WAITING_MAX, "and those that waited are fetched, over a crash, too")


def main():
    problem = prepare()
    if problem:
        tap.skip(f"the WhatsApp sidecar was sent no files: {problem}")
        tap.done()
    few_at_once()
    many()
    tap.done()


main()
