"""test_full.py - a call too many gets an answer of its own, and those that live do not notice"""

import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from daemon import ACCOUNT, HOST, Daemon, finish_call, until
from hum import hum
from media_call import Call
from tap import done, ok, same

HUMAN = "+97231111111"
TOKEN = "metrics-token-0123456789"
ROUNDS = 25
SCRATCH = tempfile.TemporaryDirectory()

# what is set, what a caller too many gets
ROWS = [
    ("nothing", {}, r'<Response><Reject reason="busy"/></Response>'),
    ("a human", {"HUMAN_NUMBER": HUMAN}, rf'<Dial [^>]*action="https://{HOST}/webhook/after_dial"[^>]*><Number>\{HUMAN}</Number></Dial>'),
    ("a message", {"WHEN_FULL": "record", "HUMAN_NUMBER": HUMAN}, rf'</Say><Record [^>]*action="https://{HOST}/webhook/handle_recording"'),
    ("words", {"WHEN_FULL": "say"}, r'<Say language="en-US">[^<]*busy[^<]*</Say><Hangup/>'),
    ("words, in Hebrew", {"WHEN_FULL": "say", "AGENT_PROFILE": "receptionist-he", "TTS_COMMAND": "cat " + hum(SCRATCH.name)},
     r'<Say voice="Google.he-IL-Wavenet-A" language="he-IL">[^<]*תפוסים[^<]*</Say><Hangup/>'),
    ("the busy tone", {"WHEN_FULL": "busy", "HUMAN_NUMBER": HUMAN}, r'<Reject reason="busy"/>'),
]


def is_admitted(call):
    return "<Connect" in call.twiml


def status_of(daemon, sid):
    return next(call["status"] for call in daemon.kept("calls", "--last", "100") if call["sid"] == sid)


def full(what, env, want):
    with Daemon(MAX_CALLS="2", METRICS_TOKEN=TOKEN, **env) as daemon:
        is_echo = daemon.env["AGENT_PROFILE"] == "echo"
        calls = [Call(daemon).begin() for _ in range(2)]
        until(lambda: daemon.status()["calls_live"] == 2)
        late = Call(daemon)
        ok(late.status == 200 and re.search(want, late.twiml), f"{what}: one call too many gets it")
        if is_echo:
            same([sum(call.echo(os.urandom(160)) for _ in range(ROUNDS)) for call in calls], [ROUNDS] * 2, "  those that live lose nothing")
        calls[0].stop()
        until(lambda: daemon.status()["calls_live"] == 1)
        following = Call(daemon)
        ok(is_admitted(following), "  when one hangs up, the next is taken")
        following.begin()
        until(lambda: daemon.status()["calls_live"] == 2)
        ok(not is_echo or following.echo(os.urandom(160)), "  and heard")
        again = [Call(daemon) for _ in range(8)]
        ok(not any(is_admitted(call) for call in again), "  more of them are turned away")
        same(daemon.status()["turned_away"], {"expected": 0, "draining": 0, "full": 9, "late": 0}, "  and counted")
        text = daemon._request(daemon.connect(), f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n")[1]
        ok('agentlocator_calls_turned_away_total{why="full"} 9' in text, "  in the metrics, too")
    lines = [line for line in daemon.log.splitlines() if "turned away" in line]
    ok(1 <= len(lines) < 9 and all("MAX_CALLS" in line for line in lines), f"  the log says why, and not every time: {len(lines)} lines")


for row in ROWS:
    full(*row)
SCRATCH.cleanup()

with Daemon(MAX_CALLS="1", WHEN_FULL="record") as daemon:
    live = Call(daemon).begin()
    ok(live.echo(os.urandom(160)), "while the only place is taken,")
    result = finish_call(daemon.call("--seconds", "10"))[1]
    same(result["each"][0]["recorded"], 1, "a caller too many leaves a message")
    kept = daemon.kept("calls", result["each"][0]["call_sid"])
    same((kept["after"], kept["forwarded"], len({row["RecordingSid"] for row in kept["recordings"]})), ("record", True, 1), "which is kept with his call")

with Daemon(MAX_CALLS="1") as daemon:
    first, second = Call(daemon), Call(daemon)
    ok(is_admitted(first) and not is_admitted(second), "of two that ring for the last place one is taken, though no stream has begun")
    same(status_of(daemon, second.sid), "busy", "the other one is kept as busy")
    first.begin()
    ok(first.echo(os.urandom(160)), "the stream of the first finds its place")
    first.stop()
    until(lambda: daemon.status()["calls_live"] == 0)
    gone = Call(daemon)
    same((is_admitted(gone), daemon.status()["turned_away"]["expected"]), (True, 1), "the stream of the next is expected")
    gone.ring_off()
    same(daemon.status()["turned_away"]["expected"], 0, "until its caller hangs up")
    fresh = Call(daemon)
    ok(is_admitted(fresh), "who gave the place to the next")
    fresh.open()
    fresh.connected()
    fresh.start(token="x" * 43)
    same(fresh.close_code(), 1008, "whose stream is not let in")
    status, twiml = daemon.post("/webhook/after_stream", CallSid=fresh.sid, AccountSid=ACCOUNT, From="+972501111111", CallStatus="in-progress")
    ok(status == 200 and "<Record" in twiml, "which is answered by what follows, with a message")
done()
