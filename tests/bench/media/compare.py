"""compare.py - what a call costs, beside other servers: the table of docs/PERFORMANCE.md

The server has one processor, the load the other, where there are two. Each server is asked for more and more calls until
one is lost or the 99th percentile of the round trips is over LIMIT_MS; the servers take turns, ROUNDS times, and what
counts is the median. A run in which the load itself was late is repeated, and said to be so when it stays late.

    MEDIA_ROUNDS=1 MEDIA_SERVERS=ours,epoll make bench-media
"""

import functools
import json
import os
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
from daemon import PATIENCE, Daemon
from oracle import packages
from tap import BUILD

PROGRAMS = os.path.join(BUILD, "tests", "bench", "media")
ROUNDS = int(os.environ.get("MEDIA_ROUNDS", "3"))
SECONDS = int(os.environ.get("MEDIA_SECONDS", "6"))
LIMIT_MS = 20     # of the 99th percentile of the round trips
LATE_MS = 5       # of the load's own frames
STEP = 1.15       # from one number of calls to the next
FIRST, LAST = 100, 4000


def pinned(cpu, *command):
    return ["taskset", "-c", str(cpu), *command] if os.cpu_count() > 1 else list(command)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def await_port(port, process):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("a server does not listen")


class Server:
    """A context: something with a port, a pid, and what the load has to know of it."""
    options = ["--path", "/ws"]

    def __init__(self, *command, **env):
        self.command, self.env = command, env

    def __enter__(self):
        self.port = free_port()
        self.process = subprocess.Popen(pinned(0, *(part.format(port=self.port) for part in self.command)),
                                        env={**os.environ, **self.env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_port(self.port, self.process)
        self.pid = self.process.pid
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Ours:
    options = ["--path", "/ws/twilio-media", "--webhook", "/webhook/incoming_call"]

    def __init__(self, **env):
        self.daemon = Daemon(APP_ENV="development", MAX_CALLS=str(LAST), MAX_CONNECTIONS=str(2 * LAST), **env)

    def __enter__(self):
        allowed = os.sched_getaffinity(0)
        if os.cpu_count() > 1:
            os.sched_setaffinity(0, {0})  # the daemon's from its first thread on
        self.daemon.__enter__()
        os.sched_setaffinity(0, allowed)
        self.port, self.pid = self.daemon.port, self.daemon.process.pid
        return self

    def __exit__(self, *_):
        self.daemon.__exit__()


def servers():
    """{name: (title, how to make one, or why there is none)}"""
    def program(name, *args):
        path = os.path.join(PROGRAMS, name)
        return functools.partial(Server, path, *args) if os.path.exists(path) else f"{name} was not built"

    python = "/usr/bin/python3"
    has_fastapi = subprocess.run([python, "-c", "import fastapi, uvicorn, websockets"], capture_output=True, check=False).returncode == 0
    no_ws = packages.install()
    return {
        "ours": ("AgentLocator, echo line", functools.partial(Ours)),
        "epoll": ("bare epoll echo", program("floor", "{port}", "echo")),
        "wslay": ("libh2o + wslay echo", program("wslay", "{port}")),
        "ws": ("Node ws echo", no_ws or functools.partial(
            Server, "node", os.path.join(HERE, "echo.js"), "{port}", NODE_PATH=os.path.join(packages.PLACE, "node_modules"))),
        "fastapi": ("FastAPI + websockets echo", functools.partial(
            Server, python, "-m", "uvicorn", "--app-dir", HERE, "--port", "{port}", "--log-level", "error", "echo:app",
            PYTHONDONTWRITEBYTECODE="1") if has_fastapi else "no python3-fastapi, python3-uvicorn, python3-websockets"),
    }


def load(server, n_calls, tries=3):
    """What the load says of one run; late ones again."""
    for _ in range(tries):
        command = [os.path.join(PROGRAMS, "load"), "--port", str(server.port), *server.options, "--calls", str(n_calls),
                   "--seconds", str(SECONDS), "--pid", str(server.pid)]
        done = subprocess.run(pinned(1, *command), text=True, capture_output=True, check=False, timeout=PATIENCE + 4 * SECONDS)
        if done.returncode:
            return {"calls": n_calls, "failed": done.stderr.strip()}
        got = json.loads(done.stdout)
        if got["lag_p99_ms"] <= LATE_MS:
            break
    return got


def holds(got):
    return "failed" not in got and got["sent"] == got["back"] and not got["ended"] and not got["stalled"] and got["p99_ms"] < LIMIT_MS


def climb(make):
    """(the run at FIRST calls, the last that held)"""
    first = last = None
    n_calls = FIRST
    while n_calls <= LAST:
        with make() as server:
            got = load(server, n_calls)
        print(f"    {json.dumps(got)}", file=sys.stderr, flush=True)
        if not holds(got):
            break
        first, last = first or got, got
        n_calls = round(n_calls * STEP)
    return first, last


def median(runs, field):
    values = [run[field] for run in runs if run]
    return statistics.median(values) if values else float("nan")


def main():
    chosen = os.environ.get("MEDIA_SERVERS", "ours,epoll,wslay,ws,fastapi").split(",")
    rows = {name: ([], []) for name in chosen}
    known = servers()
    for _ in range(ROUNDS):
        for name in chosen:
            title, make = known[name]
            if isinstance(make, str):
                print(f"NOT MEASURED  {title}: {make}", file=sys.stderr)
                continue
            print(f"{title}:", file=sys.stderr, flush=True)
            first, last = climb(make)
            rows[name][0].append(first)
            rows[name][1].append(last)
    print("| server | calls on a core | us a frame, 100 calls | us a frame, full | p50 ms, full | KiB a call | load late, ms |")
    print("|---|---|---|---|---|---|---|")
    for name, (firsts, lasts) in rows.items():
        if not any(lasts):
            continue
        kib = (median(lasts, "rss_kib") - median(firsts, "rss_kib")) / max(1, median(lasts, "calls") - FIRST)
        print(f"| {known[name][0]} | {median(lasts, 'calls'):.0f} | {median(firsts, 'cpu_us'):.1f} | {median(lasts, 'cpu_us'):.1f} | "
              f"{median(lasts, 'p50_ms'):.1f} | {kib:.1f} | {median(lasts, 'lag_p99_ms'):.1f} |")


main()
