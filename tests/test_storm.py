"""test_storm.py - many simultaneous calls on the echo line: no frame lost, every call in the store with its right end

STORM_CALLS (50) and STORM_SECONDS (5) say how many and how long; `make storm` is 200 calls for a minute.
"""

import os

import tap
from daemon import Daemon, finish_call, until

CALLS = int(os.environ.get("STORM_CALLS", "50"))
SECONDS = int(os.environ.get("STORM_SECONDS", "5"))

with Daemon() as daemon:
    before = daemon.cpu_seconds()
    status, result, err = finish_call(daemon.call("--echo", "--calls", str(CALLS), "--seconds", str(SECONDS)))
    spent = daemon.cpu_seconds() - before
    if not tap.ok(status == 0, f"{CALLS} calls of {SECONDS} s went well"):
        print("# " + err.replace("\n", "\n# ") + f"{result and result['outcomes']} {result and result['breaches']}")
    tap.same(result["established"], CALLS, "all were established")
    tap.ok(result["echo_sent"] >= CALLS * (SECONDS * 50 - 5), f"at full pace: {result['echo_sent']} frames")
    tap.same((result["lost"], result["late_or_twice"], result["garbled_bytes"]), (0, 0, 0), "no frame lost, changed or late")
    tap.same(result["breaches"], [], "no rule was broken")

    print("# server {:.1f} us of CPU a frame; round trip p50 {p50:.1f} p99 {p99:.1f} max {max:.1f} ms".format(
        spent / max(1, result["echo_sent"]) * 1e6, **result["round_trip_ms"]))
    print("# the caller's own lag p50 {p50:.1f} p99 {p99:.1f} max {max:.1f} ms".format(**result["lag_ms"]))

    until(lambda: all(call["end"] for call in daemon.kept("calls", "--last", str(CALLS + 10))))
    stored = {call["sid"]: call for call in daemon.kept("calls", "--last", str(CALLS + 10))}
    tap.same(len(stored), CALLS, "the store has as many calls")
    ends = {(stored[row["call_sid"]]["status"], stored[row["call_sid"]]["end"]) for row in result["each"]
            if row["call_sid"] in stored}
    tap.same(ends, {("completed", "caller hung up")}, "each of them completed by the caller")
    tap.same(daemon.stop(), 0, "the server ends in order")
tap.done()
