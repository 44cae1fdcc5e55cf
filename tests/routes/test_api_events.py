"""test_api_events.py - the real daemon's change feed: GET /api/events and agentlocator events, each event once and in order"""

import functools
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import daemon as real
import tap
from daemon import Daemon

TOKEN = "console-0123456789"
ask = functools.partial(real.ask, token=TOKEN)

REFUSED = [
    # query, code, field
    ("after=soon", "wrong_type", "after"),
    ("limit=0", "out_of_range", "limit"),
    ("limit=501", "out_of_range", "limit"),
    ("kinds=fax.new", "bad_value", "kinds"),
    ("kind=note.new", "unknown_field", "kind"),
]


def events(daemon, query=""):
    status, answer, _ = ask(daemon, "GET", "/api/events" + query)
    assert status == 200, answer
    return answer


def test_pages(daemon):
    tap.same(events(daemon), {"events": [], "next": 0, "missed": 0}, "nothing has happened")
    _, contact, _ = ask(daemon, "POST", "/api/crm/contacts", {"name": "Dana", "address": "+972501234567"})
    dana = contact["id"]
    ask(daemon, "POST", "/api/crm/notes", {"contact_id": dana, "text": "Gate 4"})
    daemon.post("/webhook/whatsapp/incoming", MessageSid="SM" + "1" * 32, AccountSid=real.ACCOUNT, From="whatsapp:+972501234567",
                To="whatsapp:+14155238886", Body="shalom")
    seen, after = [], 0
    while page := events(daemon, f"?after={after}&limit=1")["events"]:
        seen += page
        after = page[-1]["seq"]
    tap.same([event["seq"] for event in seen], list(range(1, len(seen) + 1)), "events are told in order, each once")
    kinds = [event["kind"] for event in seen]
    tap.same((kinds[0], kinds[2], kinds[-1]), ("contact.new", "note.new", "message.new"), "what happened is what they tell")
    tap.same((seen[-1]["data"]["body"], seen[-1]["contact"], seen[2]["data"]["text"]), ("shalom", dana, "Gate 4"),
             "and of what")
    tap.same(len({event["id"] for event in seen}), len(seen), "no two have one id")
    tap.same([event["kind"] for event in events(daemon, "?kinds=note.*+call.end")["events"]], ["note.new"], "some kinds can be asked for")
    tap.same([{**event, "data": None} for event in events(daemon)["events"]], [{**event, "data": None} for event in seen],
             "asked again, the same is told")
    return seen


def test_refused(daemon):
    for query, code, field in REFUSED:
        status, answer, _ = ask(daemon, "GET", "/api/events?" + query)
        tap.same((status, answer["error"]["code"], answer["error"].get("field")), (422, code, field), f"{query} is refused")
    status, _, _ = real.ask(daemon, "GET", "/api/events")
    tap.same(status, 401, "nobody is told without a token")


def test_command(daemon, seen):
    listed = daemon.kept("events", "--last", "2")
    tap.same([event["id"] for event in listed], [event["id"] for event in reversed(seen[-2:])], "the command lists the latest")
    follow = subprocess.Popen([tap.BINARY, "events", "--follow", "--after", "0", "--json"], env=daemon.env, text=True,
                              stdout=subprocess.PIPE)
    with follow:
        told = [json.loads(follow.stdout.readline()) for _ in seen]
        tap.same(told, seen, "it follows what happened")
        ask(daemon, "POST", "/api/crm/notes", {"contact_id": seen[0]["contact"], "text": "Gate 6"})
        tap.same(json.loads(follow.stdout.readline())["data"]["text"], "Gate 6", "and what happens")
        follow.terminate()
    for wrong in (["--follow", "--after", "x"], ["--follow", "now"]):
        tap.same(tap.run(tap.BINARY, "events", *wrong, env=daemon.env).returncode, 2, f"{' '.join(wrong)} is refused")


with Daemon(API_TOKEN=TOKEN) as d:
    happened = test_pages(d)
    test_refused(d)
    test_command(d, happened)
tap.done()
