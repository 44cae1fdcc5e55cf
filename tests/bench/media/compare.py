"""compare.py - what a call costs, beside other servers: the table of docs/PERFORMANCE.md

The server has one processor, the load and what stands in for the providers the other, where there are two. Each server is
asked for more and more calls until one run does not hold; the servers take turns, ROUNDS times, and what counts is the median.
A run in which the load itself was late is repeated, and said to be so when it stays late.

An echo holds while every frame comes back and the 99th percentile of the round trips is under LIMIT_MS. Of an agent, and of
who only reads, no frame comes back: it holds while no call ends and nothing stalls, a ping of the WebSocket is answered within
LIMIT_MS (99th percentile), no frame was dropped and no frame waited for DELAY_MS to be heard, by the daemon's own account,
nothing failed, every utterance was answered but one in UNANSWERED, and the voice never ran dry in the play-out buffer.

    MEDIA_ROUNDS=1 MEDIA_SERVERS=ours,epoll MEDIA_JSON=runs.json make bench-media
"""

import json
import math
import os
import statistics
import subprocess
import sys
import time

from servers import CALLS_MAX, PATIENCE, PROGRAMS, SECONDS, WARM_S, CYCLE_S, pinned, servers

ROUNDS = int(os.environ.get("MEDIA_ROUNDS", "3"))
LIMIT_MS = 20     # of the 99th percentile of the round trips
DELAY_MS = 20     # a frame of audio
UNANSWERED = 100  # a caller may say something that no voice detector hears
LATE_MS = 5       # of the load's own frames
STEP, LEAP = 1.15, 1.15 ** 4  # from one number of calls to the next: first in leaps, then from the last that held in steps
FIRST = 100
EASE = 0.8        # of the calls on a core: where a server is to be run


def run_load(server, n_calls):
    """What the load says of one run, and what the server said of itself meanwhile, at its worst."""
    command = [os.path.join(PROGRAMS, "load"), "--port", str(server.port), *server.options, "--calls", str(n_calls),
               "--pid", str(server.pid)]
    process = subprocess.Popen(pinned(1, *command), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end, looks, worst = time.monotonic() + PATIENCE + 4 * max(SECONDS, WARM_S + CYCLE_S), 0, {}
    while process.poll() is None and time.monotonic() < end:
        looks += 1
        for name, value in server.look().items() if server.is_looked_at and looks > WARM_S else ():
            worst[name] = max(value, worst.get(name, 0))
        time.sleep(1)
    process.kill()
    out, err = process.communicate()
    worst = worst or server.look()
    return {**json.loads(out), **worst} if out else {"calls": n_calls, "failed": err.strip()}


def load(make, n_calls, tries=3):
    """One run; late ones again."""
    for _ in range(tries):
        with make() as server:
            got = run_load(server, n_calls)
        print(f"    {json.dumps(got)}", file=sys.stderr, flush=True)
        if "failed" in got or got["lag_p99_ms"] <= LATE_MS:
            break
    return got


def holds(got, is_echo, is_agent):
    if "failed" in got or got["ended"] or got["stalled"] or not got["trips"] or got["p99_ms"] >= LIMIT_MS:
        return False
    if is_echo and got["sent"] != got["back"]:
        return False
    return not got.get("dropped") and not got.get("errors") and (not is_agent or (
        got["delay_ms"] < DELAY_MS and not got["underruns"] and got["unanswered"] * UNANSWERED <= got["asked"]))


def climb(name, make):
    """The runs that held, by their calls."""
    is_agent = name in ("agent", "noisy")
    held, n_calls, step = [], FIRST, LEAP
    while n_calls <= CALLS_MAX:
        got = load(make, n_calls)
        if holds(got, not is_agent and name != "discard", is_agent):
            held.append(got)
        elif step == LEAP and held:
            step = STEP
        else:
            break
        n_calls = round(held[-1]["calls"] * step)
    return held


class Row:
    """What was found out of one server, a climb a round."""

    def __init__(self, title):
        self.title, self.climbs = title, []

    def median(self, run, field):
        """run: 0 that at FIRST calls, -1 the last that held."""
        values = [climb[run][field] for climb in self.climbs if climb]
        return statistics.median(values) if values else math.nan

    @property
    def calls(self):
        return self.median(-1, "calls")

    @property
    def kib(self):
        return (self.median(-1, "rss_kib") - self.median(0, "rss_kib")) / max(1, self.calls - FIRST)

    def cpu_at(self, n_calls):
        """us a frame at the run next to so many calls."""
        runs = [min(climb, key=lambda run: abs(run["calls"] - n_calls)) for climb in self.climbs if climb]
        return statistics.median(run["cpu_us"] for run in runs) if runs else math.nan


def table(rows):
    yield "| server | calls on a core | us a frame, 100 calls | us a frame, full | p50 ms, full | KiB a call | load late, ms |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows.values():
        if any(row.climbs):
            yield (f"| {row.title} | {row.calls:.0f} | {row.median(0, 'cpu_us'):.1f} | {row.median(-1, 'cpu_us'):.1f} | "
                   f"{row.median(-1, 'p50_ms'):.1f} | {row.kib:.1f} | {row.median(-1, 'lag_p99_ms'):.1f} |")


NOTES = f"""
A core holds so many calls while: of an echo, every frame comes back, 99 % of them within {LIMIT_MS} ms; of an agent, no call ends, no
frame is dropped or waits {DELAY_MS} ms to be heard, every utterance is answered (1 in {UNANSWERED} may be missed) and no voice falters; of a
reader, nothing stalls. Of these two the p50 is a ping's. CPU is that of all threads of the server. KiB: resident, from {FIRST}
calls to the last that held. Where the load was late, more calls might have held.
"""


def eased(row, make):
    """The 99th percentile of the round trips with some room left, in ms."""
    runs = []
    for _ in range(ROUNDS):
        runs.append(load(make, round(EASE * row.calls)))
    return statistics.median(run.get("p99_ms", math.inf) for run in runs)


def ratio(rows, one, other, figure):
    return figure(rows[one]) / figure(rows[other]) if one in rows and other in rows else math.nan


def goals(rows, eased_ms):
    """(what, figure, least or most, bound)"""
    def calls(row):
        return row.calls
    for other, least in (("wslay", 1.5), ("epoll", 0.85), ("ws", 1.3), ("fastapi", 2.7)):
        yield f"echo: calls on a core, of {other}'s", ratio(rows, "ours", other, calls), "least", least
    yield "echo: CPU a frame at 100 calls, of epoll's", ratio(rows, "ours", "epoll", lambda row: row.median(0, "cpu_us")), "most", 0.5
    yield f"echo: p99 of the round trip at {EASE:.0%} of the calls, ms", eased_ms, "most", 10
    yield "agent: CPU a frame at 100 calls, of a reader's", ratio(rows, "agent", "discard", lambda row: row.median(0, "cpu_us")), "most", 2
    if "agent" in rows and "discard" in rows:
        both = min(rows["agent"].calls, rows["discard"].calls)
        yield (f"agent: CPU a frame at {both:.0f} calls, of a reader's",
               ratio(rows, "agent", "discard", lambda row: row.cpu_at(both)), "most", 2)
    yield "agent: calls on a core, of epoll's", ratio(rows, "agent", "epoll", calls), "least", 0.7
    for name, title in (("ours", "echo"), ("agent", "agent")):
        yield f"{title}: KiB a call", rows[name].kib if name in rows else math.nan, "most", 48


def say_goals(rows, eased_ms):
    print("\n| goal | | figure | |\n|---|---|---|---|")
    for what, figure, sense, bound in goals(rows, eased_ms):
        is_met = figure >= bound if sense == "least" else figure <= bound
        print(f"| {what} | at {sense} {bound:g} | {figure:.2f} | {'not measured' if math.isnan(figure) else 'met' if is_met else 'NOT MET'} |")


def main():
    if os.cpu_count() > 1:
        os.sched_setaffinity(0, {1})  # beside the load
    known = servers()
    rows = {name: Row(known[name][0])
            for name in os.environ.get("MEDIA_SERVERS", "ours,epoll,wslay,ws,fastapi,discard,agent,noisy").split(",")}
    for _ in range(ROUNDS):
        for name, row in rows.items():
            make = known[name][1]
            if isinstance(make, str):
                print(f"NOT MEASURED  {row.title}: {make}", file=sys.stderr)
                continue
            print(f"{row.title}:", file=sys.stderr, flush=True)
            row.climbs.append(climb(name, make))
    eased_ms = eased(rows["ours"], known["ours"][1]) if "ours" in rows and any(rows["ours"].climbs) else math.nan
    print(*table(rows), NOTES.rstrip(), sep="\n")
    say_goals(rows, eased_ms)
    if "MEDIA_JSON" in os.environ:
        with open(os.environ["MEDIA_JSON"], "w", encoding="utf-8") as file:
            json.dump({"runs": {name: row.climbs for name, row in rows.items()}, "eased_p99_ms": eased_ms}, file, indent=1)


main()
