"""instructions.py - instructions a frame, which no neighbour on the machine can change: the second table of docs/PERFORMANCE.md

Each server runs under valgrind's callgrind twice, CALLS calls for one length and for a longer one; what the longer run took more,
by its frames more, is a frame's. So starting, and a call's beginning and end, do not count. The kernel's are not in it, and
with so few calls each wake-up of a thread, which a hundred share, is in it for a few.

    INSTRUCTIONS_FUNCTIONS=30 MEDIA_SERVERS=agent make bench-instructions
"""

import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from servers import CYCLE_S, PROGRAMS, QUIET, WARM_S, Agent, Ours, Server, pinned, speech

CALLS = int(os.environ.get("INSTRUCTIONS_CALLS", "16"))
FUNCTIONS = int(os.environ.get("INSTRUCTIONS_FUNCTIONS", "0"))  # to be listed, of each server
LENGTHS = (WARM_S, WARM_S + CYCLE_S)


def valgrind(out):
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]


def echo_line(out, seconds):
    return Ours(["--seconds", str(seconds)], under=valgrind(out))


def agent(out, seconds):
    return Agent(QUIET, ["--seconds", str(seconds), "--warm", "1", "--cycle", str(CYCLE_S * 1000)], under=valgrind(out))


def floor(mode, *options):
    return lambda out, seconds: Server(*valgrind(out), os.path.join(PROGRAMS, "floor"), "{port}", mode,
                                       options=["--seconds", str(seconds), *options])


SERVERS = {
    "ours": ("AgentLocator, echo line", echo_line),
    "agent": ("AgentLocator, agent", agent),
    "epoll": ("bare epoll echo", floor("echo")),
    "discard": ("bare epoll, reads only", floor("discard", "--speech", speech())),
}


def counted(out):
    """{function: instructions} of a run, of itself and not of what it calls."""
    done = subprocess.run(["callgrind_annotate", "--threshold=100", "--show-percs=no", "--auto=no", "--tree=none", out], text=True, capture_output=True, check=True)
    found = collections.Counter()
    for count, name in re.findall(r"^ *([\d,]+) +(?:\S*?:)?(.+)$", done.stdout, re.MULTILINE):
        found[re.sub(r" \[(?:\S*/)?([^]]*)\]$", r" [\1]", name)] += int(count.replace(",", ""))
    return found


def run(make, seconds):
    """(frames, {function: instructions})"""
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "callgrind.out")
        with make(out, seconds) as server:
            command = [os.path.join(PROGRAMS, "load"), "--port", str(server.port), *server.options, "--calls", str(CALLS), "--pid", str(server.pid)]
            done = subprocess.run(pinned(1, *command), text=True, capture_output=True, check=False)
            if done.returncode:
                sys.exit(f"instructions: {done.stderr}")
        got = json.loads(done.stdout)
        if got["ended"] or got["stalled"]:
            sys.exit(f"instructions: too many calls for this machine under valgrind: {done.stdout}")
        return got["sent"], counted(out)


def main():
    for program in ("valgrind", "callgrind_annotate"):
        if not shutil.which(program):
            sys.exit(f"instructions: there is no {program}: apt install valgrind")
    print(f"| server | instructions a frame, {CALLS} calls |\n|---|---|", flush=True)
    for name in os.environ.get("MEDIA_SERVERS", "ours,agent,epoll,discard").split(","):
        title, make = SERVERS[name]
        (n_short, short), (n_long, long) = (run(make, seconds) for seconds in LENGTHS)
        n_frames = n_long - n_short
        print(f"| {title} | {(long['PROGRAM TOTALS'] - short['PROGRAM TOTALS']) / n_frames:.0f} |", flush=True)
        more = collections.Counter({function: long[function] - short[function] for function in long if function != "PROGRAM TOTALS"})
        for function, n in more.most_common(FUNCTIONS):
            print(f"    {n / n_frames:10.1f}  {function}", file=sys.stderr)


main()
