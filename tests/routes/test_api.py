"""test_api.py - the real daemon's /api against a Twilio-shaped service: what is refused and why, once and only once, how often"""

import functools
import http.client
import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import daemon as real
import tap
from daemon import Daemon, until
from oracle import packages
from specs import vendors
from standins import clouds
from standins.clouds import Clouds

FROM, DANA, OTHER = "+14155238886", "+972501234567", "+972502222222"
CONSOLE, CRM = "console-0123456789", "crm-0123456789abcd"
SID = "HX" + "0123456789abcdef" * 2
RECORDS = []

ask = functools.partial(real.ask, token=CONSOLE)


def new_daemon(cloud, **env):
    given = {name: value for name, value in cloud.env().items() if name in ("TWILIO_BASE_URL", "NO_PROXY")}
    provider = {"TWILIO_WHATSAPP_NUMBER": FROM, **given}
    return Daemon(**{**provider, "API_TOKEN": f"console:{CONSOLE} crm:{CRM}", "API_BURST": "1000", "API_PER_MINUTE": "60000",
                     "CHAT_MODEL": "none", **env})


def writes(daemon, number, sid, text="Hello"):
    """Somebody writes to us."""
    status, _ = daemon.post("/webhook/whatsapp/incoming", MessageSid=sid, From="whatsapp:" + number, To="whatsapp:" + FROM, Body=text,
                            ProfileName="Dana")
    return status


def conversation(daemon, contact, limit):
    """All messages of one, by pages, newest first."""
    seen, after = [], ""
    while after is not None:
        _, page, _ = ask(daemon, "GET", f"/api/whatsapp/conversations/{contact}?limit={limit}" + (f"&after={after}" if after else ""))
        seen += page["messages"]
        after = page.get("next")
    return seen


def sent(cloud):
    return cloud.state()["twilio"]["settings"]["messages"]


IMAGE = {"to": DANA, "url": "https://files.example.com/a.jpg", "type": "image/jpeg"}
TEMPLATE = {"to": OTHER, "content_sid": SID, "variables": {"1": "Dana"}}
REFUSED = [
    # path, body, status, code, field
    ("send", "{", 400, "not_json", None),
    ("send", "[]", 400, "not_json", None),
    ("send", b"{\"to\": \"\xff\"}", 400, "not_json", None),
    ("send", {}, 422, "missing_field", "to"),
    ("send", {"to": DANA}, 422, "missing_field", "text"),
    ("send", {"to": DANA, "text": 5}, 422, "wrong_type", "text"),
    ("send", {"to": DANA, "text": None}, 422, "wrong_type", "text"),
    ("send", {"to": DANA, "text": ""}, 422, "empty", "text"),
    ("send", {"to": DANA, "text": " \n"}, 422, "empty", "text"),
    ("send", {"to": DANA, "text": "\u05d0" * 1601}, 422, "too_long", "text"),
    ("send", {"to": DANA, "text": "a\0b"}, 422, "bad_value", "text"),
    ("send", {"to": DANA, "text": "x", "urgent": True}, 422, "unknown_field", "urgent"),
    ("send", {"to": "anonymous", "text": "x"}, 422, "unknown_number", "to"),
    ("send", {"to": "12", "text": "x"}, 422, "unknown_number", "to"),
    ("send", {"to": "C" + "0" * 17, "text": "x"}, 422, "unknown_number", "to"),
    ("send", {"to": "9" * 64, "text": "x"}, 422, "too_long", "to"),
    ("send", {"to": OTHER, "text": "x"}, 409, "window_closed", "to"),
    ("send", {"to": DANA, "text": "x", "reply_to": "M0"}, 422, "unknown_message", "reply_to"),
    ("media", {**IMAGE, "type": "image/gif"}, 422, "bad_value", "type"),
    ("media", {**IMAGE, "size": 5 * 1024 * 1024 + 1}, 422, "too_large", "size"),
    ("media", {**IMAGE, "type": "video/mp4", "size": 16 * 1024 * 1024 + 1}, 422, "too_large", "size"),
    ("media", {**IMAGE, "size": 0}, 422, "out_of_range", "size"),
    ("media", {**IMAGE, "size": "5"}, 422, "wrong_type", "size"),
    ("media", {**IMAGE, "type": "application/pdf", "caption": "x"}, 422, "no_caption", "caption"),
    ("media", {**IMAGE, "caption": "x" * 1025}, 422, "too_long", "caption"),
    ("media", {**IMAGE, "url": "http://files.example.com/a.jpg"}, 422, "bad_value", "url"),
    ("media", {**IMAGE, "url": "https://127.0.0.1/a.jpg"}, 422, "bad_value", "url"),
    ("media", {**IMAGE, "url": "https://user@files.example.com/a.jpg"}, 422, "bad_value", "url"),
    ("media", {**IMAGE, "to": OTHER}, 409, "window_closed", "to"),
    ("template", {**TEMPLATE, "content_sid": "HX" + "g" * 32}, 422, "bad_value", "content_sid"),
    ("template", {**TEMPLATE, "variables": ["Dana"]}, 422, "wrong_type", "variables"),
    ("template", {**TEMPLATE, "variables": {"1": ""}}, 422, "bad_value", "variables"),
    ("template", {**TEMPLATE, "variables": {"1": "a\nb"}}, 422, "bad_value", "variables"),
    ("template", {**TEMPLATE, "variables": {"1": 5}}, 422, "bad_value", "variables"),
    ("template", {**TEMPLATE, "variables": {"1": "x" * 1025}}, 422, "bad_value", "variables"),
]


def refused():
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        tap.same(writes(daemon, DANA, "SM" + "1" * 32), 200, "somebody writes")
        for path, body, status, code, field in REFUSED:
            got, answer, _ = ask(daemon, "POST", "/api/whatsapp/" + path, body)
            error = answer["error"]
            tap.same((got, error["code"], error.get("field")), (status, code, field), f"{path} {str(body)[:60]}: {error['message']}")
        for type_ in ("text/plain", "application/jsonx"):
            got, answer, _ = ask(daemon, "POST", "/api/whatsapp/send", "{}", Content_Type=type_)
            tap.same((got, answer["error"]["code"]), (415, "not_json"), f"a body that is called {type_}")
        for key in ("", "a b", "x" * 256):
            got, answer, _ = ask(daemon, "POST", "/api/whatsapp/send", {"to": DANA, "text": "x"}, Idempotency_Key=key)
            tap.same((got, answer["error"]["field"]), (400, "Idempotency-Key"), f"the key '{key[:5]}'")
        for path, status in (("status/M0", 404), ("status/" + "M" * 99, 404), ("conversations/C0", 404), ("conversations?limit=0", 422),
                             ("conversations?limit=x", 422), ("conversations?page=1", 422), ("conversations?after=" + "M" * 40, 422),
                             ("conversations?after=%zz", 400)):
            tap.same(ask(daemon, "GET", "/api/whatsapp/" + path)[0], status, f"GET {path[:40]}")
        tap.same(ask(daemon, "POST", "/api/whatsapp/send", {}, token="wrong")[0], 401, "a wrong token")
        tap.same(ask(daemon, "POST", "/api/whatsapp/send", "x" * 20000)[0], 413, "too large a body")
        tap.same(ask(daemon, "GET", "/api/whatsapp/send")[0], 405, "a wrong method")
        tap.same((sent(cloud), len(daemon.kept("messages"))), ([], 1), "nothing of it was sent or kept")
        tap.ok(CONSOLE not in daemon.log and CRM not in daemon.log and DANA not in daemon.log, "the log has no token and no number")
    with Twilio() as cloud, new_daemon(cloud, TWILIO_WHATSAPP_NUMBER="") as daemon:
        got, answer, _ = ask(daemon, "POST", "/api/whatsapp/template", TEMPLATE)
        tap.same((got, answer["error"]["code"]), (503, "no_provider"), "without a provider it says so")


class Twilio(Clouds):
    """Its requests are held to Twilio's document in the end."""

    def __exit__(self, *args):
        RECORDS.extend(self.requests())
        super().__exit__(*args)


def every_kind():
    """Text, media and templates go out as Twilio documents them, and conversations show them."""
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        cloud.set(twilio={"callbacks_to": f"http://127.0.0.1:{daemon.port}"})
        writes(daemon, DANA, "SM" + "1" * 32)
        got, page, _ = ask(daemon, "GET", "/api/whatsapp/conversations")
        contact = page["conversations"][0]["contact_id"]
        question = page["conversations"][0]["last"]["id"]
        tap.same((got, page["conversations"][0]["name"], page["conversations"][0]["last"]["body"]), (200, "Dana", "Hello"), "a conversation is listed")
        ids = []
        for path, body in (("send", {"to": DANA, "text": "Shalom", "reply_to": question}), ("send", {"to": "050-123 4567", "text": "x" * 1600}),
                           ("send", {"to": contact, "text": "by id"}), ("media", {**IMAGE, "caption": "a house"}),
                           ("media", {**IMAGE, "type": "application/pdf"}), ("template", {**TEMPLATE, "to": DANA}), ("template", {"to": OTHER, "content_sid": SID})):
            got, answer, _ = ask(daemon, "POST", "/api/whatsapp/" + path, body)
            tap.same((got, answer.get("status")), (202, "queued"), f"{path} is taken")
            ids.append(answer["id"])
        until(lambda: all(ask(daemon, "GET", "/api/whatsapp/status/" + id_)[1]["status"] == "delivered" for id_ in ids))
        rows = [ask(daemon, "GET", "/api/whatsapp/status/" + id_)[1] for id_ in ids]
        tap.same([row["status"] for row in rows], ["delivered"] * 7, "all of them arrive")
        tap.same((rows[0]["reply_to"], rows[3]["media"], rows[5]["variables"]), (question, [{"url": IMAGE["url"], "type": "image/jpeg"}], {"1": "Dana"}),
                 "and are kept as they were sent")
        had = [[row["body"][:8], row["media"], row.get("template"), row.get("variables")] for row in sent(cloud) if row["to"].endswith(DANA)]
        tap.same(had, [["Shalom", [], None, None], ["x" * 8, [], None, None], ["by id", [], None, None], ["a house", [IMAGE["url"]], None, None],
                       ["", [IMAGE["url"]], None, None], ["", [], SID, '{"1":"Dana"}']], "Twilio has them in order")
        _, page, _ = ask(daemon, "GET", "/api/whatsapp/conversations?limit=1")
        _, rest, _ = ask(daemon, "GET", f"/api/whatsapp/conversations?limit=1&after={page['next']}")
        tap.same(([row["last"]["address"] for row in page["conversations"] + rest["conversations"]], "next" in rest), ([OTHER, DANA], True),
                 "conversations come a page at a time, the latest first")
        tap.same([row["id"] for row in conversation(daemon, contact, 2)], list(reversed([question] + ids[:6])), "and so do the messages of one")
        who_answers(daemon, contact, {row["last"]["address"]: row["agent"] for row in page["conversations"] + rest["conversations"]})


def who_answers(daemon, contact, agents):
    """A human's words silence the agent, a template does not; a token has it speak again."""
    path = f"/api/whatsapp/conversations/{contact}"
    tap.same(agents, {DANA: "silent", OTHER: "on"}, "whoever writes by hand has silenced the agent; a template has not")
    tap.same(ask(daemon, "GET", path)[1]["agent"], "silent", "the conversation says so, too")
    for body, want in (({"agent": "on"}, "on"), ({"agent": "on"}, "on"), ({"agent": "silent"}, "silent"), ({"agent": "on"}, "on")):
        tap.same(ask(daemon, "POST", path, body)[:2], (200, {"contact_id": contact, "agent": want}), f"it is {want}")
    for body, code in (({}, "missing_field"), ({"agent": "off"}, "bad_value"), ({"agent": 1}, "wrong_type")):
        got, answer, _ = ask(daemon, "POST", path, body)
        tap.same((got, answer["error"]["code"], answer["error"]["field"]), (422, code, "agent"), f"{body} is refused")
    tap.same(ask(daemon, "POST", "/api/whatsapp/conversations/C404", {"agent": "on"})[0], 404, "nobody is not found")


def once():
    """One key, one effect: at once from many, and over kill -9."""
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        writes(daemon, DANA, "SM" + "1" * 32)
        contact = ask(daemon, "GET", "/api/whatsapp/conversations")[1]["conversations"][0]["contact_id"]
        answers = []

        def send(key, text, token=CONSOLE):
            answers.append(ask(daemon, "POST", "/api/whatsapp/send", {"to": DANA, "text": text}, token=token, Idempotency_Key=key))

        threads = [threading.Thread(target=send, args=("k1", "once")) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tap.same({row[0] for row in answers}, {202}, "sixteen at once are all taken")
        tap.same(len({row[1]["id"] for row in answers}), 1, "as one message")
        tap.same(sum("Idempotency-Replayed" in {name.title() for name in row[2]} for row in answers), 15, "fifteen are told that it was done before")
        answers.clear()
        send("k1", "another")
        tap.same((answers[0][0], answers[0][1]["error"]["code"]), (422, "idempotency_key_reused"), "another body with that key is refused")
        answers.clear()
        send("k1", "once", CRM)
        tap.same(answers[0][0], 202, "another token has keys of its own")
        wanted = 2
        for number in range(5):
            stop = threading.Event()

            def hammer(number=number, stop=stop):
                for i in range(20):
                    try:
                        if ask(daemon, "POST", "/api/whatsapp/send", {"to": DANA, "text": f"m{number}-{i}"}, Idempotency_Key=f"m{number}-{i}")[0] == 202 and i == 4:
                            stop.set()
                    except (OSError, http.client.HTTPException, ValueError):
                        stop.set()
                        return

            thread = threading.Thread(target=hammer)
            thread.start()
            stop.wait(60)
            daemon.kill()
            thread.join()
            daemon.start()
            for i in range(20):
                got = ask(daemon, "POST", "/api/whatsapp/send", {"to": DANA, "text": f"m{number}-{i}"}, Idempotency_Key=f"m{number}-{i}")[0]
                if got != 202:
                    tap.ok(False, f"m{number}-{i} is answered {got}")
            wanted += 20
            bodies = [row["body"] for row in conversation(daemon, contact, 100) if row["direction"] == "out"]
            tap.same((len(bodies), len(set(bodies))), (wanted, wanted - 1), f"killed in the middle for the {number + 1}. time, and asked again: each message is there once")
        unsure = lambda: [row["body"] for row in daemon.kept("messages", "--failed") if row["status"] == "uncertain"]
        until(lambda: len(sent(cloud)) + len(unsure()) >= wanted)
        had = [row["body"] for row in sent(cloud)]
        tap.same(sorted(had + unsure()), sorted(["once"] * 2 + [f"m{number}-{i}" for number in range(5) for i in range(20)]),
                 "and Twilio has each once, or it is shown as one of which nobody knows")
        tap.ok(len(unsure()) <= 5, "of which there is one at most for each kill")


def how_often():
    with Twilio() as cloud, new_daemon(cloud, API_BURST="3", API_PER_MINUTE="1", API_FAILURES="2") as daemon:
        got = [ask(daemon, "GET", "/api/whatsapp/conversations") for _ in range(4)]
        tap.same([row[0] for row in got], [200, 200, 200, 429], "one token may ask so often")
        tap.ok(0 < int(got[3][2].get("retry-after", got[3][2].get("Retry-After", "0"))) <= 60, "and is told when again")
        tap.same(ask(daemon, "GET", "/api/whatsapp/conversations", token=CRM)[0], 200, "the other token is not held up")
        tap.same([ask(daemon, "GET", "/api/whatsapp/conversations", token="x" * 20)[0] for _ in range(3)], [401, 401, 429], "guessing is slowed down")
        tap.same(ask(daemon, "GET", "/api/whatsapp/conversations", token=CRM)[0], 200, "and a good token passes meanwhile")


def other_pages():
    """Pages of the listed origins may use the API, webhooks never."""
    page = "https://crm.example.com"
    with Twilio() as cloud, new_daemon(cloud, CORS_ORIGINS=f"{page} http://localhost:3000") as daemon:
        writes(daemon, DANA, "SM" + "1" * 32)
        got, _, headers = ask(daemon, "OPTIONS", "/api/whatsapp/send", token=None, Origin=page, Access_Control_Request_Method="POST",
                              Access_Control_Request_Headers="authorization,content-type,idempotency-key")
        tap.same((got, headers.get("access-control-allow-origin"), headers.get("access-control-allow-methods"), headers.get("vary")),
                 (204, page, "POST", "origin"), "a preflight is answered")
        tap.same((headers.get("access-control-allow-headers"), headers.get("access-control-allow-credentials")),
                 ("authorization, content-type, idempotency-key", "true"), "with the headers that may be sent")
        got, _, headers = ask(daemon, "OPTIONS", "/api/whatsapp/send", token=None, Origin=page + ".evil", Access_Control_Request_Method="POST")
        tap.same((got, "access-control-allow-origin" in headers), (403, False), "another's is not")
        for name, want, request in (("taken", 202, ("POST", "/api/whatsapp/send", {"to": DANA, "text": "x"})), ("read", 200, ("GET", "/api/whatsapp/conversations")),
                                    ("refused", 422, ("POST", "/api/whatsapp/send", {}))):
            got, _, headers = ask(daemon, *request, Origin=page)
            tap.same((got, headers.get("access-control-allow-origin"), headers.get("vary")), (want, page, "origin"), f"what is {name} may be read by the page")
        got, _, headers = ask(daemon, "GET", "/api/whatsapp/conversations", token="x" * 20, Origin=page)
        tap.same((got, headers.get("access-control-allow-origin")), (401, page), "and so may an error of the guard")
        got, _, headers = ask(daemon, "GET", "/api/whatsapp/conversations", Origin="https://b.example")
        tap.same((got, headers.get("access-control-allow-origin"), headers.get("vary")), (200, None, "origin"), "another page may not")
        for path in ("/health", "/webhook/whatsapp/incoming"):
            _, _, headers = ask(daemon, "GET", path, token=None, Origin=page)
            tap.ok(not any(name.startswith("access-control") for name in headers), f"{path} is nobody's")


def described():
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        got, document, _ = ask(daemon, "GET", "/api/openapi.json")
        tap.same((got, document["openapi"]), (200, "3.1.0"), "the API describes itself")
        tap.same(ask(daemon, "GET", "/api/openapi.json", token=None)[0], 401, "to who has a token")
        tap.ok({"/api/openapi.json", "/api/whatsapp/send", "/api/whatsapp/status/{id}"} <= set(document["paths"]), "with its routes")
        problem = packages.install()
        if problem:
            tap.skip(f"it is not held to OpenAPI: {problem}")
            return
        checked = packages.node("oracle/openapi.js", input=json.dumps(document))
        tap.same((checked.returncode, checked.stdout), (0, "[]\n"), "it is OpenAPI 3.1, says openapi-schema-validator" + checked.stderr[:300])


def held_to_the_document():
    judged = vendors.judge(RECORDS)
    tap.same([row for row in judged if row["problems"]], [], vendors.counted(judged))
    tap.ok(sum(row["vendor"] == "twilio" and row["problems"] == [] for row in judged) > 6, "those to Twilio among them")


if clouds.missing():
    tap.skip(f"the API is not asked: {clouds.missing()}")
else:
    refused()
    every_kind()
    once()
    how_often()
    other_pages()
    described()
    if vendors.missing():
        tap.skip(f"requests are not held to the vendors' documents: {vendors.missing()}")
    else:
        held_to_the_document()
tap.done()
