"""test_after_stream.py - what a caller gets when the stream is over or never came, on the built daemon"""

import concurrent.futures
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap
from daemon import Daemon, finish_call, until

HUMAN = "+97230000009"


def one(*args, **env):
    """(result of the call, the call as it was kept, what was printed)"""
    with Daemon(**env) as daemon:
        process = daemon.call(*args)
        _, result, err = finish_call(process)
        return result["each"][0], daemon.kept("calls", result["each"][0]["call_sid"]), err


def unknown_caller(daemon):
    answer = daemon.post("/webhook/after_stream", CallSid="CA" + 32 * "1", From="+14125550123", To="+97230000000",
                         CallStatus="in-progress", AccountSid=daemon.env["TWILIO_ACCOUNT_SID"])
    tap.ok(answer[0] == 200 and "<Record" in answer[1], "a call that the store does not know: a message is recorded")
    forged = daemon.post("/webhook/after_stream", signature="x" * 28, CallSid="CA" + 32 * "1")
    tap.same(forged[0], 403, "a forged question is not answered")


# what happens, options of the call, settings, what followed, how the human answered, messages recorded
CASES = [
    ("the caller hangs up", ["--echo", "--seconds", "0.5"], {}, "", None, 0),
    ("it takes too long", ["--echo", "--seconds", "30"], {"CALL_MAX_SECONDS": "10", "HUMAN_NUMBER": HUMAN}, "hang up", None, 0),
    ("the stream cannot be opened, a human answers", ["--no-stream"], {"HUMAN_NUMBER": HUMAN}, "dial", "completed", 0),
    ("the stream cannot be opened, the human is busy", ["--no-stream", "--dial", "busy"], {"HUMAN_NUMBER": HUMAN}, "dial", "busy", 1),
    ("the stream cannot be opened, and there is no human", ["--no-stream"], {}, "record", None, 1),
    ("the human is the caller himself", ["--no-stream", "--from", HUMAN], {"HUMAN_NUMBER": HUMAN}, "record", None, 1),
]

with concurrent.futures.ThreadPoolExecutor(3) as pool:
    for (what, _, _, after, dial, n_recorded), (result, call, err) in zip(CASES, pool.map(lambda c: one(*c[1], **c[2]), CASES)):
        if not tap.same((call["after"], call.get("dial", {}).get("DialCallStatus"), result["recorded"]), (after, dial, n_recorded), what):
            print("# " + err.replace("\n", "\n# "))
        tap.same(result["dialled"], HUMAN if dial else "", f"{what}: nobody else is dialled")
        tap.same(call["status"], "completed", f"{what}: the call is over")
        tap.same(len({row["RecordingSid"] for row in call.get("recordings", [])}), n_recorded, f"{what}: the recording is kept once")

with Daemon() as lonely:
    unknown_caller(lonely)

# the daemon stops within a call: its end is on disk before the stream is closed, and the next one answers by it
with Daemon(HUMAN_NUMBER=HUMAN, DRAIN_SECONDS="0") as stopped:
    running = stopped.call("--echo", "--seconds", "30")
    until(lambda: stopped.status()["calls_live"])
    stopped.stop()
    _, outcome, _ = finish_call(running)
    stopped.start()
    sid = outcome["each"][0]["call_sid"]
    reply = stopped.post("/webhook/after_stream", CallSid=sid, From="+972500000001", To="+97230000000", CallStatus="in-progress",
                         AccountSid=stopped.env["TWILIO_ACCOUNT_SID"])
    tap.ok(f"<Number>{HUMAN}</Number>" in reply[1], "a call that a stop of ours ended goes to the human")
    tap.same(stopped.kept("calls", sid)["end"], "daemon stopped", "since the store knows why")
tap.done()
