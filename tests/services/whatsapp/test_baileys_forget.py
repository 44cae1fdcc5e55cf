"""test_baileys_forget.py - who is erased is erased from what the real sidecar keeps, too, whoever is away or killed meanwhile"""

import base64
import json
import os
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
import tap
from daemon import Daemon, ask, until
from services.whatsapp.sidecar import DANA, DANA_LID, Sidecar, job, message, prepare, upsert

TOKEN, WORD = "0123456789abcdef", "zanzibar"
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


def erased():
    """The daemon erases her: beside the sidecar, and while that is away, and both are killed."""
    with Sidecar() as s, Daemon(WHATSAPP_PROVIDER="baileys", WHATSAPP_SOCKET=s.path, WHATSAPP_SPOOL=os.path.join(s.state, "spool"),
                                API_TOKEN=TOKEN, WHATSAPP_AGENT="off") as daemon:
        daemon.env["ADMIN_SOCKET"] = daemon.admin

        def live(n):
            s.do(emit=upsert(dana(n), dana(n + 1, jid=DANA_LID, alt=DANA), dana(n + 2, VOICE),
                             message(f"E{n}", {"conversation": ELI_WORD}, jid=ELI, name="Eli")))
            until(lambda: any(row["name"] == "Dana" for row in daemon.kept("contacts")) and
                  len([row for row in daemon.kept("messages") if row["body"].startswith(WORD)]) == 2)
            her = next(row["id"] for row in daemon.kept("contacts") if row["name"] == "Dana")
            ask(daemon, "POST", "/api/whatsapp/send", {"to": f"+{NUMBER}", "text": f"{WORD} to her"}, token=TOKEN)
            s.do(ack=[s.wait("sent")["id"], None])
            until(lambda: all((row.get("media") or [{}])[0].get("file", "x") for row in daemon.kept("messages")))
            return her

        def receipt():
            return daemon.kept("erasures")[0]

        s.open()
        her = live(1)
        tap.same(holds(s, WORD, NUMBER, LID), {WORD, NUMBER, LID}, "the sidecar holds her words and her ids")
        told = tap.run(tap.BINARY, "contacts", "erase", her, "--yes", env=daemon.env)
        tap.ok(told.returncode == 0 and "still to forget 2 of his addresses" in told.stdout, f"she is erased, and what is owed is said: {told.stdout}")
        until(lambda: receipt()["device_ms"])
        tap.ok(receipt()["owed"] == 0 and receipt()["device_ms"] >= receipt()["at_ms"], "the receipt says when the device forgot her")
        tap.same(holds(s, WORD, NUMBER, LID, ELI_WORD), {ELI_WORD}, "and nothing of her is there")
        her = live(11)
        s.kill()
        status, answer, _ = ask(daemon, "DELETE", f"/api/crm/contacts/{her}", token=TOKEN)
        tap.same((status, answer["owed"], answer["device_ms"]), (200, 2, 0), "she is erased while the sidecar is away, and it is owed")
        until(lambda: "does not forget who was erased" in daemon.log)
        tap.ok("does not forget who was erased" in daemon.log and NUMBER not in daemon.log, "the log says so, and not of whom")
        shown = tap.run(tap.BINARY, "erasures", env=daemon.env)
        tap.ok("2 owed" in shown.stdout, f"the list says what is owed: {shown.stdout}")
        tap.same(holds(s, WORD, NUMBER, LID), {WORD, NUMBER, LID}, "what the sidecar left is there")
        daemon.kill()
        daemon.start()
        s.start()
        s.open()
        until(lambda: receipt()["device_ms"])
        tap.same((receipt()["owed"], holds(s, WORD, NUMBER, LID)), (0, set()), "when both are back it is done")
        her = live(21)
        s.process.send_signal(signal.SIGSTOP)
        status, answer, _ = ask(daemon, "DELETE", f"/api/crm/contacts/{her}", token=TOKEN)
        tap.same((status, answer["owed"]), (200, 2), "a sidecar that stands still holds up nobody who erases")
        tap.same((daemon.stop(), receipt()["owed"]), (0, 2), "nor the end of the daemon")
        s.process.send_signal(signal.SIGCONT)
        daemon.start()
        until(lambda: receipt()["device_ms"])
        tap.same((receipt()["owed"], holds(s, WORD, NUMBER, LID)), (0, set()), "and is asked again")
        tap.same(daemon.stop(), 0, "the daemon ends well")


def main():
    problem = prepare()
    if problem:
        tap.skip(f"nobody was forgotten by the WhatsApp sidecar: {problem}")
        tap.done()
    alone()
    back()
    fetching()
    killed()
    erased()
    tap.done()


main()
