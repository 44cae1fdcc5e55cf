"""bench_calls.py - what a live call costs the server: resident memory of an idle one, CPU of a frame"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from daemon import Daemon, finish_call, until

CALLS, SECONDS = 200, 8


def row(what, figure, unit, remark):
    print(f"{what}\t{figure:.4g}\t{unit}\t{remark}", flush=True)


def live(daemon):
    return sum(call["status"] == "in-progress" for call in daemon.kept("calls", "--last", str(2 * CALLS)))


def measure(profile, *options):
    """(KiB a call, microseconds of CPU a frame) with all calls up and their callers silent or numbered."""
    with Daemon(AGENT_PROFILE=profile) as daemon:
        finish_call(daemon.call("--calls", "2", "--seconds", "2", *options))  # what the first ones cost is not theirs
        before = daemon.resident_kib()
        calls = daemon.call("--calls", str(CALLS), "--seconds", str(SECONDS), "--ramp", "2", *options)
        until(lambda: live(daemon) == CALLS)
        cpu, since = daemon.cpu_seconds(), time.monotonic()
        time.sleep(SECONDS / 2)
        cpu, took = daemon.cpu_seconds() - cpu, time.monotonic() - since
        kib = (daemon.resident_kib() - before) / CALLS
        finish_call(calls)
        return kib, cpu / (took * 50 * CALLS) * 1e6


for profile, options in (("echo", ["--echo"]), ("receptionist-en", ["--linger", "60", "--patience", "60"])):
    kib, us = measure(profile, *options)
    row(f"resident memory per live call, {profile}", kib, "KiB", "goal: under 64")
    row(f"CPU per frame in and out, {profile}, {CALLS} calls", us, "us", "kernel included")
