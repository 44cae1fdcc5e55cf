"""test_kill.py - the daemon is killed in the middle of calls and webhooks: what it had answered is kept

Calls that were live are closed as lost with what was heard, and a second daemon does not start.
`test_kill.py SEED` plays another game; KILL_CALLS (8) says how many calls, `make storm` does it with 200.
"""

import os
import random
import re
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import ACCOUNT, Daemon, finish_call, until
from tap import BINARY, done, ok, run, same

N_THREADS, N_CALLS, ROUNDS = 6, int(os.environ.get("KILL_CALLS", "8")), 3
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 20260801


def stored(daemon, what):
    return daemon.kept(what, "--last", "1000000")


class Posters:
    """Threads that post webhooks until the daemon is gone, and remember what was answered with 2xx."""

    def __init__(self, daemon, round_number, n_wanted):
        self.daemon, self.n_wanted = daemon, n_wanted
        self.lock, self.enough = threading.Lock(), threading.Event()
        self.calls, self.statuses, self.messages = set(), set(), set()
        self.threads = [threading.Thread(target=self.post_on, args=(round_number * 100 + i,)) for i in range(N_THREADS)]
        for thread in self.threads:
            thread.start()

    def post_on(self, number):
        for i in range(100000):
            sid = f"{number:08d}{i:024d}"
            common = {"AccountSid": ACCOUNT, "From": f"+97250{number:03d}{i % 10000:04d}", "To": "+97231234567"}
            try:
                self.post(self.calls, sid, "/webhook/incoming_call", CallSid="CA" + sid, CallStatus="ringing", **common)
                self.post(self.statuses, sid, "/webhook/call_status", CallSid="CA" + sid, CallStatus="no-answer",
                          SequenceNumber="2", **common)
                self.post(self.messages, sid, "/webhook/whatsapp/incoming", MessageSid="SM" + sid, Body="hello",
                          NumMedia="0", **{**common, "From": "whatsapp:" + common["From"]})
            except (OSError, IndexError):
                return  # killed

    def post(self, answered, sid, path, **form):
        status, _ = self.daemon.post(path, **form)
        if status // 100 == 2:
            with self.lock:
                answered.add(sid)
                if len(self.calls) + len(self.statuses) + len(self.messages) >= self.n_wanted:
                    self.enough.set()

    def join(self):
        for thread in self.threads:
            thread.join()


def start_calls(daemon):
    """The simulated caller with several calls at once on the echo line; returns when all of them live."""
    caller = daemon.call("--echo", "--calls", str(N_CALLS), "--seconds", "300", "--ramp", "1")
    until(lambda: sum(call["status"] == "in-progress" for call in stored(daemon, "calls")) == N_CALLS)
    return caller


def check_kept(daemon, posters):
    calls = {call["sid"]: call for call in stored(daemon, "calls")}
    messages = {message["provider_id"] for message in stored(daemon, "messages")}

    same(len(posters.calls - {sid[2:] for sid in calls}), 0, f"  all of {len(posters.calls)} answered calls are there")
    same(sum(calls.get("CA" + sid, {}).get("status") != "no-answer" for sid in posters.statuses), 0,
         f"  all of {len(posters.statuses)} answered states")
    same(len(posters.messages - {sid[2:] for sid in messages}), 0,
         f"  all of {len(posters.messages)} answered messages")
    same(sum(call["status"] in ("ringing", "in-progress") for call in calls.values()), 0, "  no call is open")
    return calls


def play_round(daemon, number, draw):
    caller = start_calls(daemon)
    posters = Posters(daemon, number, draw.randint(30, 400))
    posters.enough.wait(60)
    daemon.kill()
    posters.join()
    _, result, _ = finish_call(caller)
    same(result["outcomes"], {"the stream broke": N_CALLS}, f"round {number}: a kill breaks {N_CALLS} calls off")

    daemon.start()
    ok("closed" in daemon.log, "  after it the daemon starts and closes what was open")
    calls = check_kept(daemon, posters)
    lost = [call for call in calls.values() if call["end"] == "daemon died" and call["stream_sid"]]
    ok(len(lost) >= N_CALLS * (number + 1), f"  calls that were live are lost ({len(lost)} by now)")
    ok(all(call["status"] == "lost" and call["ended_ms"] >= call["answered_ms"] for call in lost), "  and have an end")


def play_receptionist():
    """What the caller had heard before the kill is kept."""
    with Daemon(AGENT_PROFILE="receptionist-en") as daemon:
        caller = daemon.call("--calls", "4", "--ramp", "0.2", "--linger", "300", "--patience", "300")
        until(lambda: sum(call["n_turns"] > 0 for call in stored(daemon, "calls")) == 4)
        daemon.kill()
        _, result, _ = finish_call(caller)
        daemon.start()
        calls = [daemon.kept("calls", row["call_sid"]) for row in result["each"]]
        same({call["status"] for call in calls}, {"lost"}, "calls with the receptionist are closed as lost too")
        ok(all(call["turns"] and call["turns"][0]["who"] == "agent" and call["turns"][0]["text"] for call in calls),
           "  with what their callers had heard")


with Daemon() as d:
    print(f"# seed {SEED}")
    random_draw = random.Random(SEED)
    for n in range(ROUNDS):
        play_round(d, n, random_draw)

    store = d.status()["store"]
    ok(store["commits"] > 0 and store["failed"] == 0 and 0 < store["used_bytes"] < store["map_bytes"],
       "the status tells how the store is")
    second = run(BINARY, "serve", "--listen", "http=127.0.0.1:0", env=d.env)
    ok(second.returncode != 0 and re.search("another agentlocator has this store open", second.stderr),
       "a second daemon says that the store is in use, and goes")
    same(d.stop(), 0, "the first one stops as it should")
play_receptionist()
done()
