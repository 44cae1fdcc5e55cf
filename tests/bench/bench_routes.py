"""bench_routes.py - the longest that one request of each route keeps the event loop, with 100,000 contacts kept

The processor time of the loop's thread, as the kernel counts it, between a request and its answer: all calls of a loop wait
that long for their next frame. Each route is asked for what is the most work for it. What the other threads spend on it is
shown beside it.
"""

import glob
import http.client
import itertools
import json
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from daemon import ACCOUNT, PATIENCE, Daemon
from tap import BINARY, run

CONTACTS, ITEMS, ROUNDS = 100000, 20000, 5
TOKEN = "bench-token-0123456789"
NAMES = ("Dana", "Gil", "Noa", "Avi", "Moshe")


def row(what, figure, unit, remark):
    print(f"{what}\t{figure:.4g}\t{unit}\t{remark}", flush=True)


def take_in(daemon, lines):
    path = os.path.join(daemon.scratch.name, "seed.jsonl")
    with open(path, "w", encoding="utf-8") as seed:
        seed.writelines(json.dumps({"format": 1, "kind": kind, "data": data}) + "\n" for kind, data in lines)
    done = run(BINARY, "import", path, env={**daemon.env, "ADMIN_SOCKET": daemon.admin})
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr[:500])


def seed(daemon):
    """Everybody has the tag "all" and talks of a boiler; the last one wrote ITEMS messages. Returns his id."""
    take_in(daemon, (("person", {"name": f"{NAMES[i % 5]} Family{i % 20000}", "phones": [f"+9725{i:08d}"], "tags": ["all"],
                                 "fields": {"need": "a boiler in the kitchen"}}) for i in range(CONTACTS)))
    last = daemon.kept("contacts", "--last", "1")[0]
    common = {"contact_id": last["id"], "address": last["addresses"][0], "direction": "in", "status": "received",
              "body": "I saw the flat in Herzl street; is it still to be had, and from when on?"}
    take_in(daemon, (("message", {**common, "id": f"M{last['id'][1:-8]}{i:08x}", "created_ms": 1700000000000 + i * 60000})
                     for i in range(ITEMS)))
    return last["id"]


def requests(last):
    """(route, target): what is the most work for it, as far as we know."""
    contacts = "/api/crm/contacts?"
    yield "contacts, a page", contacts + "limit=100"
    yield "contacts, a stage that nobody is in", contacts + "stage=lost"
    yield "contacts, a tag that all have and a stage that nobody is in", contacts + "tag=all&stage=lost&limit=100"
    yield "contacts, a word that all have", contacts + "q=boiler&limit=100"
    yield "contacts, six words that all have", contacts + urllib.parse.urlencode({"q": "a boiler in the kitchen dana", "limit": 100})
    yield "contacts, part of a number", contacts + "q=000&limit=100"
    yield "contacts, one", f"/api/crm/contacts/{last}"
    yield "timeline", f"/api/crm/timeline/{last}?limit=100"
    yield "timeline, of a kind there is none of", f"/api/crm/timeline/{last}?kind=note&limit=100"
    yield "calls of one", f"/api/crm/calls/{last}?limit=100"
    yield "tasks", "/api/crm/tasks?limit=100"
    yield "erasures", "/api/crm/erasures?limit=100"
    yield "export, a page", "/api/crm/export?limit=100"
    yield "export, of a time that is to come", "/api/crm/export?limit=100&since_ms=9000000000000"
    yield "export, one person", f"/api/crm/export?contact={last}"
    yield "export, of one person what he has none of", f"/api/crm/export?contact={last}&kind=note"
    yield "events, a page", "/api/events?limit=500"
    yield "events, of a kind there is none of", "/api/events?limit=500&kinds=call.end"
    yield "conversations", "/api/whatsapp/conversations?limit=100"
    yield "conversations, one", f"/api/whatsapp/conversations/{last}?limit=100"
    yield "openapi.json", "/api/openapi.json"
    yield "health", "/health"
    yield "metrics", "/metrics"


def spent(daemon):
    """Milliseconds of processor time by thread: {tid: (name, ms)}."""
    times = {}
    for path in glob.glob(f"/proc/{daemon.process.pid}/task/*"):
        with open(path + "/schedstat", encoding="ascii") as stat, open(path + "/comm", encoding="ascii") as name:
            times[int(os.path.basename(path))] = name.read().strip(), int(stat.read().split()[0]) / 1e6
    return times


def loop_of(daemon):
    """The thread that a cheap request is the work of."""
    before = spent(daemon)
    for _ in range(50):
        get(daemon, "/health")
    after = spent(daemon)
    return max(after, key=lambda tid: after[tid][1] - before.get(tid, ("", 0))[1])


def cost(daemon, loop, act):
    """The least of ROUNDS, since others share the machine: (ms of the loop, ms of everybody)"""
    costs = []
    for _ in range(ROUNDS):
        before = spent(daemon)
        act()
        after = spent(daemon)
        each = {tid: after[tid][1] - before.get(tid, ("", 0))[1] for tid in after}
        costs.append((each[loop], sum(each.values())))
    return min(costs)


def send(daemon, method, target, body=None, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=PATIENCE)
    connection.request(method, target, body, {"Authorization": "Bearer " + TOKEN, **fields})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def get(daemon, target):
    status, text = send(daemon, "GET", target)
    if status not in (200, 413):  # of one person it may be too much for one answer
        raise RuntimeError(f"{target}: {status} {text[:200]}")


def acts(daemon, last):
    """(what, a function that does it once)"""
    numbers = itertools.count()
    call = {"AccountSid": ACCOUNT, "From": "+972501234567", "To": "+97231234567", "CallStatus": "ringing"}
    large = {f"x{i}": "y" * 400 for i in range(140)}
    for what, target in requests(last):
        yield what, lambda: get(daemon, target)
    yield "admin status", daemon.status
    yield "a call comes in", lambda: daemon.post("/webhook/incoming_call", CallSid=f"CA{next(numbers):032x}", **call)
    yield "a form of 60 KB", lambda: daemon.post("/webhook/call_status", CallSid=f"CA{next(numbers):032x}", **call, **large)
    yield "a note of 4 KB", lambda: send(daemon, "POST", "/api/crm/notes", json.dumps({"contact_id": last, "text": "x" * 4000}),
                                          **{"Content-Type": "application/json", "Idempotency-Key": str(next(numbers))})
    yield "a picture of 15 MiB, which nobody carries", lambda: send(daemon, "POST", "/api/whatsapp/media?to=%2B972501234567", b"\xff\xd8\xff" * (5 << 20),
                                              **{"Content-Type": "image/jpeg", "Idempotency-Key": str(next(numbers))})


with Daemon(API_TOKEN=f"bench:{TOKEN}", METRICS_TOKEN=TOKEN, API_BURST="100000", API_PER_MINUTE="1000000") as daemon:
    loop = loop_of(daemon)
    for what, act in acts(daemon, seed(daemon)):
        ms, all_ms = cost(daemon, loop, act)
        row("loop: " + what, ms, "ms", f"CPU; of all threads {all_ms:.3g} ms")
