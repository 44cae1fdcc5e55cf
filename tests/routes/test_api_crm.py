"""test_api_crm.py - the real daemon's /api/crm: made, found, changed by two at once, merged and parted, noted, owed"""

import functools
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import daemon as real
import tap
from daemon import Daemon

TOKEN = "console-0123456789"
ask = functools.partial(real.ask, token=TOKEN)

REFUSED = [
    # method, path, body, status, code, field
    ("POST", "contacts", {"address": "nonsense"}, 422, "bad_value", "address"),
    ("POST", "contacts", {"address": 5}, 422, "wrong_type", "address"),
    ("POST", "contacts", {"stage": "drawn"}, 422, "bad_value", "stage"),
    ("POST", "contacts", {"name": "x" * 61}, 422, "too_long", "name"),
    ("POST", "contacts", {"fields": ["need"]}, 422, "wrong_type", "fields"),
    ("POST", "contacts", {"fields": {"need": 5}}, 422, "bad_value", "fields"),
    ("POST", "contacts", {"fields": {"name": "x"}}, 422, "bad_value", "fields"),
    ("POST", "contacts", {"fields": {"": "x"}}, 422, "bad_value", "fields"),
    ("POST", "contacts", {"fields": {"a\nb": "x"}}, 422, "bad_value", "fields"),
    ("POST", "contacts", {"fields": {"need": "x" * 2001}}, 422, "bad_value", "fields"),
    ("POST", "contacts", {"tags": {"vip": 1}}, 422, "bad_value", "tags"),
    ("POST", "contacts", {"tags": {"x" * 64: True}}, 422, "bad_value", "tags"),
    ("POST", "contacts", {"id": "C1"}, 422, "unknown_field", "id"),
    ("PATCH", "contacts/C404", {"name": "x"}, 404, "not_found", None),
    ("PATCH", "contacts/" + "C" * 40, {"name": "x"}, 404, "not_found", None),
    ("POST", "addresses/{dana}", {}, 422, "missing_field", "add"),
    ("POST", "addresses/{dana}", {"add": "1", "remove": "2"}, 422, "missing_field", "add"),
    ("POST", "addresses/{dana}", {"add": "somewhere"}, 422, "bad_value", "add"),
    ("POST", "addresses/{dana}", {"remove": "+972509999999"}, 404, "not_found", None),
    ("POST", "addresses/C404", {"add": "+972509999999"}, 404, "not_found", None),
    ("POST", "merge", {"into": "{dana}"}, 422, "missing_field", "from"),
    ("POST", "merge", {"into": "{dana}", "from": "C404"}, 404, "not_found", None),
    ("POST", "unmerge", {"id": "{dana}"}, 409, "not_merged", "id"),
    ("POST", "map", {"lid": "+972501234567", "number": "+972501234567"}, 422, "bad_value", "lid"),
    ("POST", "map", {"lid": "5@lid", "number": "5@lid"}, 422, "bad_value", "lid"),
    ("POST", "notes", {"contact_id": "C404", "text": "x"}, 422, "unknown_contact", "contact_id"),
    ("POST", "notes", {"contact_id": "{dana}", "text": " "}, 422, "empty", "text"),
    ("PATCH", "notes/N404", {"text": "x"}, 404, "not_found", None),
    ("POST", "tasks", {"contact_id": "{dana}"}, 422, "missing_field", "text"),
    ("POST", "tasks", {"contact_id": "{dana}", "text": "x", "due_ms": "soon"}, 422, "wrong_type", "due_ms"),
    ("PATCH", "tasks/T404", {"state": "done"}, 404, "not_found", None),
    ("GET", "contacts?q=12", None, 422, "bad_value", "q"),
    ("GET", "contacts?q=dana&tag=vip", None, 422, "not_together", "q"),
    ("GET", "contacts?stage=drawn", None, 422, "bad_value", "stage"),
    ("GET", "contacts?after=a.b", None, 422, "bad_value", "after"),
    ("GET", "contacts?limit=0", None, 422, "out_of_range", "limit"),
    ("GET", "contacts/C404", None, 404, "not_found", None),
    ("GET", "timeline/C404", None, 404, "not_found", None),
    ("GET", "timeline/{dana}?after=1.x.CA1", None, 422, "bad_value", "after"),
    ("GET", "timeline/{dana}?kind=turn", None, 422, "bad_value", "kind"),
    ("GET", "tasks?after=x", None, 422, "bad_value", "after"),
    ("GET", "notes/N404", None, 404, "not_found", None),
]


def crm(daemon, method, path, body=None, **headers):
    return ask(daemon, method, "/api/crm/" + path, body, **headers)


def made(daemon, **body):
    status, answer, _ = crm(daemon, "POST", "contacts", body)
    tap.same((status, answer.get("is_new")), (200, True), f"{body.get('name')} is made")
    return answer["id"]


def found(daemon, **query):
    _, answer, _ = crm(daemon, "GET", "contacts?" + urllib.parse.urlencode(query))
    return [contact["id"] for contact in answer["contacts"]]


def paged(daemon, path, name, limit):
    seen, after = [], ""
    while after is not None:
        glue = "&" if "?" in path else "?"
        _, page, _ = crm(daemon, "GET", f"{path}{glue}limit={limit}" + (f"&after={after}" if after else ""))
        seen += page[name]
        after = page.get("next")
    return seen


def refused(daemon, dana):
    for method, path, body, status, code, field in REFUSED:
        body = body and {key: value.replace("{dana}", dana) if isinstance(value, str) else value for key, value in body.items()}
        got, answer, _ = crm(daemon, method, path.replace("{dana}", dana), body)
        error = answer["error"]
        tap.same((got, error["code"], error.get("field")), (status, code, field), f"{method} {path} {str(body)[:50]}: {error['message']}")
    tap.same(real.ask(daemon, "GET", "/api/crm/contacts")[0], 401, "nobody without a token")


def changed(daemon, dana):
    _, seen, _ = crm(daemon, "GET", f"contacts/{dana}")
    status, one, _ = crm(daemon, "PATCH", f"contacts/{dana}", {"fields": {"need": "a boiler"}, "updated_ms": seen["updated_ms"]})
    tap.same((status, one["fields"]), (200, {"city": "Haifa", "need": "a boiler"}), "one changes what he has seen")
    status, answer, _ = crm(daemon, "PATCH", f"contacts/{dana}", {"name": "Dina", "updated_ms": seen["updated_ms"]})
    tap.same((status, answer["error"]["code"]), (409, "changed"), "another who saw the same is told so")
    status, two, _ = crm(daemon, "PATCH", f"contacts/{dana}", {"name": "Dina", "updated_ms": one["updated_ms"]})
    tap.same((status, two["name"], two["fields"]["need"]), (200, "Dina", "a boiler"), "and undoes nothing once he has read it")
    for _ in range(2):
        status, three, _ = crm(daemon, "PATCH", f"contacts/{dana}", {"tags": {"vip": False, "old": True}, "fields": {"need": None}, "stage": "won"},
                               Idempotency_Key="k1")
        tap.same((status, three["tags"], three["fields"], three["stage"]), (200, ["old"], {"city": "Haifa"}, "won"), "tags, a field and the stage")


def merged(daemon, dana, gil):
    daemon.post("/webhook/whatsapp/incoming", MessageSid="SM1", From="whatsapp:+972501234567", Body="one")
    daemon.post("/webhook/whatsapp/incoming", MessageSid="SM2", From="whatsapp:777@lid", Body="two")
    status, whole, _ = crm(daemon, "POST", f"addresses/{dana}", {"add": "777@lid"})
    tap.same((status, whole["id"], sorted(whole["addresses"]), whole["others"]["name"], whole["members"]),
             (200, dana, ["+972501234567", "777@lid"], ["Gil"], [gil]), "an address of another contact merges the two")
    tap.same(crm(daemon, "GET", f"contacts/{gil}")[1]["id"], dana, "who asks for the one gets the person")
    bodies = [item["message"]["body"] for item in paged(daemon, f"timeline/{gil}?kind=message", "items", 1)]
    tap.same(bodies, ["two", "one"], "with one timeline")
    tap.same((found(daemon, q="gil"), found(daemon, stage="won"), len(found(daemon))), ([dana], [dana], 1), "found by either name, once")
    status, parted, _ = crm(daemon, "POST", "unmerge", {"id": gil})
    tap.same((status, parted["id"], parted["name"], parted["addresses"]), (200, gil, "Gil", ["777@lid"]), "parted, he is who he was")
    tap.same(len(found(daemon)), 2, "and they are two")
    status, answer, _ = crm(daemon, "POST", "merge", {"into": gil, "from": dana, "why": "the same office"})
    tap.same((status, answer["id"]), (200, gil), "merged by hand, the other way")
    tap.same(crm(daemon, "POST", "unmerge", {"id": dana})[0], 200, "and parted")
    tap.same(crm(daemon, "POST", "map", {"lid": "777@lid", "number": "+972501234567"})[1], {"is_new": False}, "which a mapping does not undo")
    tap.same(crm(daemon, "POST", "map", {"lid": "888@lid", "number": "+972501234567"})[1], {"is_new": True}, "another id of the number")
    tap.ok("888@lid" in crm(daemon, "GET", f"contacts/{dana}")[1]["addresses"], "is an address of his")


def noted(daemon, dana):
    _, note, _ = crm(daemon, "POST", "notes", {"contact_id": dana, "text": "asked for a plumber", "author": "Ofer"})
    tap.same(found(daemon, q="plumb"), [dana], "a note is found by its words")
    status, edited, _ = crm(daemon, "PATCH", f"notes/{note['id']}", {"text": "asked for tiles", "updated_ms": note["updated_ms"]})
    tap.same((status, edited["text"], found(daemon, q="plumb")), (200, "asked for tiles", []), "and by no others")
    tap.same(crm(daemon, "PATCH", f"notes/{note['id']}", {"text": "x", "updated_ms": 1})[0], 409, "who saw something else is told so")
    tap.same([item["note"]["text"] for item in paged(daemon, f"timeline/{dana}?kind=note", "items", 5)], ["asked for tiles"], "it is in the timeline")
    tap.same((crm(daemon, "PATCH", f"notes/{note['id']}", {"text": ""})[0], crm(daemon, "GET", f"notes/{note['id']}")[0]), (200, 404), "until it is taken away")

    tasks = [crm(daemon, "POST", "tasks", {"contact_id": dana, "text": text, "due_ms": due})[1] for text, due in (("later", 5000), ("first", 1000), ("any", 0))]
    tap.same([task["text"] for task in paged(daemon, "tasks", "tasks", 1)], ["first", "later", "any"], "tasks come by date")
    tap.same([task["text"] for task in crm(daemon, "GET", "tasks?due_before_ms=5000")[1]["tasks"]], ["first"], "or those that are overdue")
    status, task, _ = crm(daemon, "PATCH", f"tasks/{tasks[1]['id']}", {"state": "done"})
    tap.same((status, task["state"], len(crm(daemon, "GET", "tasks")[1]["tasks"])), (200, "done", 2), "one is done")
    tap.same([item["task"]["text"] for item in crm(daemon, "GET", f"timeline/{dana}?kind=task")[1]["items"]], ["first"], "it is in the timeline then")
    tap.same(len(crm(daemon, "GET", f"tasks?contact={dana}")[1]["tasks"]), 3, "a contact has all of them")
    tap.same((crm(daemon, "PATCH", f"tasks/{tasks[2]['id']}", {"text": ""})[0], len(crm(daemon, "GET", f"tasks?contact={dana}")[1]["tasks"])),
             (200, 2), "but one that is taken away")


def called(daemon, dana):
    daemon.post("/webhook/incoming_call", CallSid="CA" + "1" * 32, From="+972501234567", To="+97231234567", CallStatus="ringing")
    items = crm(daemon, "GET", f"calls/{dana}")[1]["items"]
    tap.same([item["call"]["sid"] for item in items], ["CA" + "1" * 32], "the calls of a contact")
    tap.ok("stream_token" not in str(items), "without the secret of its stream")


def main():
    with Daemon(API_TOKEN=f"console:{TOKEN}", API_BURST="1000", API_PER_MINUTE="60000") as daemon:
        dana = made(daemon, address="050-123 4567", name="Dana", fields={"city": "Haifa"}, tags={"vip": True})
        _, again, _ = crm(daemon, "POST", "contacts", {"address": "whatsapp:+972501234567", "name": "Nobody"})
        tap.same(again, {"id": dana, "is_new": False}, "who has the address is not made twice")
        gil = made(daemon, address="777:2@lid", name="Gil")
        tap.same((found(daemon, q="DAN"), found(daemon, q="501-234"), found(daemon, tag="vip")), ([dana], [dana], [dana]), "found by name, number and tag")
        tap.same([contact["id"] for contact in paged(daemon, "contacts", "contacts", 1)], [gil, dana], "listed, newest first")
        refused(daemon, dana)
        changed(daemon, dana)
        merged(daemon, dana, gil)
        noted(daemon, dana)
        called(daemon, dana)
        tap.same(daemon.stop(), 0, "the daemon ends well")
    tap.done()


main()
