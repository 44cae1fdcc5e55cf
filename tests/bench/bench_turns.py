"""bench_turns.py - our own share of the time between a caller's last word and the answer, with many conversations at once

The providers are stand-ins on this machine that answer at once, so that they and the callers, which share it, cost little. The
figures are those that the server keeps with each turn: what was neither the silence that ends a turn nor a wait for a provider.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from daemon import Daemon, finish_call
from standins.clouds import Clouds, missing
from standins.visit import recorded

CALLS = int(os.environ.get("BENCH_TURNS_CALLS", "100"))
LINES = ("I would like to make an appointment for next week.", "My name is Anna Brown.", "It is about the heating in our house.",
         "The best time would be on Tuesday morning.")
GOALS = ((50, 40), (95, 80))  # percentile, ms


def row(what, figure, unit, remark):
    print(f"{what}\t{figure:.4g}\t{unit}\t{remark}", flush=True)


def percentile(values, p):
    return sorted(values)[min(len(values) - 1, len(values) * p // 100)]


def turns(daemon, sids):
    """The caller's turns that were answered, each with its stages in ms."""
    return [turn["latency_ms"] for sid in sids for turn in daemon.kept("calls", sid)["turns"]
            if turn["who"] == "caller" and turn.get("latency_ms", {}).get("own") is not None]


def measure():
    # every reply is another text, so that no voice comes out of the cache
    rules = [{"role": "user", "say": "I see, this is note {n}. Is there anything else that I should write down for you?"},
             {"say": "Hello, how can I help you?"}]
    with Clouds(forget=True, openai={"rules": rules, "heard": [{"seconds": 1, "text": "It is about the heating in our house."}]}) as clouds, \
            Daemon(AGENT_PROFILE="receptionist-en", BUSINESS_NAME="Acme", **clouds.env()) as daemon:
        said = [word for line in LINES for word in ("--wav", recorded(line))]
        calls = daemon.call("--calls", str(CALLS), "--ramp", "8", "--linger", "3", "--seconds", "75", "--quiet", *said)
        _, result, told = finish_call(calls)
        if not result or result["established"] != CALLS:
            sys.exit(f"bench_turns: not every call came about: {told[-500:]}")
        return turns(daemon, [each["call_sid"] for each in result["each"]]), result


if problem := missing():
    print(f"bench_turns: {problem}", file=sys.stderr)
    sys.exit(0)
found, result = measure()
if len(found) < CALLS * len(LINES) * 0.9:
    sys.exit(f"bench_turns: {len(found)} turns have their times, of {CALLS * len(LINES)}")
own = [latency["own"] for latency in found]
for p, goal in GOALS:
    row(f"our own share of a turn, p{p}, {CALLS} conversations", percentile(own, p), "ms", f"goal: under {goal}; {len(own)} turns")
row(f"lag of the callers' frames, p99, {CALLS} conversations", result["lag_ms"]["p99"], "ms", "over 20 the load generator is too slow")
if os.environ.get("VERBOSE"):
    for name in found[0]:
        values = [latency[name] for latency in found if latency[name] is not None]
        if values:
            print(f"# {name:10} p50 {percentile(values, 50):6} p95 {percentile(values, 95):6} max {max(values):6}", file=sys.stderr)
