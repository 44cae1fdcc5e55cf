"""test_baileys_forget.py - whom the real sidecar is told to forget is nowhere in what it keeps"""

import base64
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
import tap
from daemon import until
from services.whatsapp.sidecar import DANA, DANA_LID, Sidecar, job, message, prepare, upsert

WORD = "zanzibar"
NUMBER, LID = DANA.split("@")[0], DANA_LID.split("@")[0]
ELI, ELI_WORD = "972507654321@s.whatsapp.net", "gibraltar"
VOICE = {"audioMessage": {"ptt": True, "mimetype": "audio/ogg", "seconds": 3}}
ROUNDS = 6


def forms(text):
    """The text as it is, and within base64 wherever it begins."""
    yield text.encode()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + text.encode())
        yield whole[4 if before else 0:len(whole) - 4]


def holds(sidecar, *texts):
    """Which of these are anywhere below the state folder, but for the session's own keys; and which names of files have them."""
    found = set()
    for folder, _, names in os.walk(sidecar.state):
        if os.path.relpath(folder, sidecar.state).startswith("auth"):
            continue
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                held = name.encode() + b"\n" + file.read()
            found |= {text for text in texts if any(form in held for form in forms(text))}
    return found


def dana(n, content=None, **fields):
    return message(f"D{n}", content or {"conversation": f"{WORD} {n}"}, **fields)


def forget(sidecar, to, **fields):
    return sidecar.ask("POST", "/v1/chat", {"to": to, "action": "forget", **fields})[0]


def spooled(sidecar):
    return [len(os.listdir(os.path.join(sidecar.state, "spool", side))) for side in ("in", "out")]


def alone():
    """The sidecar, of which nobody has fetched anything."""
    with Sidecar() as s:
        s.open()
        s.do(emit=upsert(dana(1), dana(2, jid=DANA_LID, alt=DANA), dana(3, VOICE), message("E1", {"conversation": ELI_WORD}, jid=ELI, name="Eli")))
        s.until("media", 1)
        with open(os.path.join(s.state, "spool", "out", "a" * 32), "wb") as file:
            file.write(WORD.encode())
        s.do(fail=[1, 428])
        s.ask("POST", "/v1/messages", job(1, text=f"{WORD} to her"))
        s.ask("POST", "/v1/messages", job(2, type="document", file="a" * 32, mime="text/plain", name="a.txt", text=None) | {"text": WORD})
        s.ask("POST", "/v1/messages", job(3, to=ELI.split("@")[0], text=ELI_WORD))
        tap.same(holds(s, WORD, NUMBER, LID, ELI_WORD), {WORD, NUMBER, LID, ELI_WORD}, "her words and both her ids are on the disk")
        last = s.events()[-1]["seq"]
        tap.same(forget(s, DANA_LID), 204, "she is forgotten, by one of her ids")
        tap.same(holds(s, WORD, NUMBER, LID, ELI_WORD), {ELI_WORD}, "and nothing of her is, nor of nobody else less")
        tap.same(([e["wa_id"] for e in s.events("message")], s.events("idmap"), s.events("media")), (["E1"], [], []), "nobody is told of her any more")
        tap.same([s.ask("GET", f"/v1/messages/{n:032x}")[0] for n in (1, 2, 3)], [404, 404, 200], "what was for her is not sent")
        tap.same(spooled(s), [0, 0], "and no file of hers lies in the spool")
        tap.same((forget(s, DANA_LID), forget(s, DANA), forget(s, "972599999999")), (204, 204, 204), "once more, and a stranger: nothing to be done")
        tap.same((forget(s, DANA, before="x"), forget(s, "x")), (400, 400), "what is no request is refused")
        sent = s.wait("sent")
        while sent["jid"] != ELI:
            sent = s.wait("sent")
        s.kill()
        s.start()
        s.open()
        s.do(emit=upsert(message("E2", {"conversation": "still there"}, jid=ELI)))
        tap.ok(s.until("message", 2)[-1]["seq"] > last, "numbers go on, so that what was told is not taken for what is new")


def back():
    """She has come back before it is told."""
    with Sidecar() as s:
        s.open()
        s.do(emit=upsert(dana(1, jid=DANA_LID, alt=DANA)))
        before = s.until("message", 1)[0]["t"]
        until(lambda: time.time() * 1000 > before + 1)
        s.do(emit=upsert(message("N1", {"conversation": "new here"}, jid=DANA_LID)))
        tap.same(forget(s, DANA, before=before), 204, "what was until then is forgotten")
        tap.same([(e["wa_id"], e["pn"]) for e in s.events("message")], [("N1", NUMBER)], "who came back is told of, and still who she is")
        tap.same(holds(s, WORD, "new here"), {"new here"}, "and of what was before there is not a word")


def fetching():
    """A file that is on its way when she is forgotten."""
    with Sidecar() as s:
        s.open()
        s.do(hold=True)
        s.do(emit=upsert(dana(1, VOICE)))
        tap.same(s.wait("downloads"), "D1", "it is being fetched")
        tap.same(forget(s, DANA), 204, "she is forgotten")
        s.do(hold=False)
        s.do(emit=upsert(message("E1", VOICE, jid=ELI)))
        tap.same([e["wa_id"] for e in s.until("media", 1)], ["E1"], "and nobody is told of it")
        until(lambda: spooled(s) == [1, 0])
        tap.same((spooled(s), holds(s, NUMBER)), ([1, 0], set()), "nor is it kept")


def killed():
    """kill -9 somewhere within it, again and again."""
    with Sidecar() as s:
        s.open()
        for i in range(ROUNDS):
            s.do(emit=upsert(dana(i), dana(100 + i, jid=DANA_LID, alt=DANA), message(f"E{i}", {"conversation": ELI_WORD}, jid=ELI)))
            body = json.dumps({"to": NUMBER, "action": "forget"}).encode()
            with socket.socket(socket.AF_UNIX) as asking:
                asking.connect(s.path)
                asking.sendall(b"POST /v1/chat HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                if i % 2:
                    asking.recv(1)
            s.kill()
            s.start()
            s.open()
            tap.same((forget(s, NUMBER), holds(s, WORD, NUMBER, LID)), (204, set()), "whenever it is killed, it can be told again")
        tap.same(len(s.until("message", ROUNDS)), ROUNDS, "and nobody else has lost anything")


def main():
    problem = prepare()
    if problem:
        tap.skip(f"nobody was forgotten by the WhatsApp sidecar: {problem}")
        tap.done()
    alone()
    back()
    fetching()
    killed()
    tap.done()


main()
