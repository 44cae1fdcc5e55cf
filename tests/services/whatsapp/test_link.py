"""test_link.py - the real daemon beside the real sidecar: what came and what is owed, while either is killed"""

import http.client
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
import tap
from daemon import Daemon, ask, until
from services.test_fetch import png
from services.whatsapp.sidecar import DANA, DANA_LID, Sidecar, message, prepare, upsert

OWE = os.path.join(tap.BUILD, "tests", "services", "owe")
NUMBER, SID = "+972501234567", "CA" + "1" * 32
MANY = 40
TOKEN = "0123456789abcdef"


def new_daemon(sidecar, **env):
    return Daemon(WHATSAPP_PROVIDER="baileys", WHATSAPP_SOCKET=sidecar.path, WHATSAPP_SPOOL=os.path.join(sidecar.state, "spool"), **env)


def owing(daemon, *texts):
    told = tap.run(OWE, f"{daemon.scratch.name}/store", SID, NUMBER, "kept", *texts)
    if told.returncode:
        raise RuntimeError(told.stderr)


def messages(daemon):
    return list(reversed(daemon.kept("messages", "--last", "500")))


def bodies(daemon):
    return [row["body"] for row in messages(daemon)]


def in_store(daemon, n):
    until(lambda: len(messages(daemon)) >= n)
    return messages(daemon)


def states_are(daemon, *states):
    until(lambda: [row["status"] for row in messages(daemon)] == list(states))
    return [row["status"] for row in messages(daemon)]


def what_comes():
    with Sidecar() as s, new_daemon(s) as daemon:
        s.open()
        s.do(emit=upsert(message("M1", {"conversation": "\u05e9\u05dc\u05d5\u05dd"})))
        s.do(emit=upsert(message("M2", {"conversation": "me again"}, jid=DANA_LID)))
        s.do(emit=upsert(message("M3", {"conversation": "it is me"}, jid=DANA_LID, alt=DANA)))
        s.do(emit=upsert(message("M4", {"conversation": "I take over"}, mine=True)))
        s.do(emit=upsert(message("M5", {"audioMessage": {"ptt": True, "mimetype": "audio/ogg", "seconds": 3}})))
        s.do(emit=upsert({**message("M6", None), "messageStubType": 2}))
        s.do(emit=upsert(message("M6", {"conversation": "readable now"})))
        s.do(emit=upsert(message("M1", {"conversation": "another's, of the same id"}, jid="972507654321@s.whatsapp.net", name="Eli")))
        rows = in_store(daemon, 8)
        tap.same(sorted(row["body"] for row in rows),
                 sorted(["\u05e9\u05dc\u05d5\u05dd", "me again", "it is me", "I take over", "", "", "readable now", "another's, of the same id"]),
                 "each is in the store, also one whose sender chose another's id")
        tap.same([(row["direction"], row["status"]) for row in rows if row["body"] == "I take over"], [("out", "sent")], "the owner's own words are ours")
        contacts = daemon.kept("contacts")
        tap.same(sorted(row["name"] for row in contacts), ["Dana", "Eli"], "who wrote under two ids is one person")
        until(lambda: any((row.get("media") or [{}])[0].get("unheard") for row in messages(daemon)))
        media = [row["media"][0] for row in messages(daemon) if row.get("media")]
        tap.ok(len(media) == 1 and media[0]["type"] == "audio/amr", "the voice note is of its type, whatever its sender claims")
        with open(os.path.join(daemon.scratch.name, media[0]["file"]), "rb") as file:
            tap.same(file.read(), b"#!AMR\n", "and its file is where it says")
        tap.same((os.listdir(os.path.join(s.state, "spool", "in")), media[0].get("spool")), ([], None), "and no more in the spool")
        device = daemon.status()["whatsapp"]
        tap.same((device["provider"], device["device"]["state"], device["device"]["there"]), ("baileys", "open", True), "the status says how it is")
        s.do(close=403)
        until(lambda: daemon.status()["whatsapp"]["device"]["state"] == "banned")
        tap.same(daemon.status()["whatsapp"]["device"]["state"], "banned", "and that the account is blocked")
        tap.ok(NUMBER[1:] not in daemon.log and "take over" not in daemon.log, "the log has neither numbers nor words")


def what_is_owed():
    with Sidecar() as s, new_daemon(s) as daemon:
        s.open()
        daemon.stop()
        owing(daemon, "one", "two", "three")
        daemon.start()
        sent = [s.wait("sent") for _ in range(3)]
        tap.same([(row["jid"], row["content"]["text"]) for row in sent], [(DANA, "one"), (DANA, "two"), (DANA, "three")], "what is owed is sent, in order")
        for status in (2, 3):
            s.do(emit=["messages.update", [{"key": {"id": row["id"]}, "update": {"status": status}} for row in sent]])
        s.do(emit=["messages.update", [{"key": {"id": sent[0]["id"]}, "update": {"status": 4}}]])
        tap.same(states_are(daemon, "read", "delivered", "delivered"), ["read", "delivered", "delivered"], "their states follow")
        daemon.stop()
        owing(daemon, "four")
        daemon.start()
        s.do(ack=[s.wait("sent")["id"], 463])
        tap.same(states_are(daemon, "read", "delivered", "delivered", "failed")[-1], "failed", "WhatsApp refuses one")
        tap.ok("463" in messages(daemon)[-1]["error"], "and it says why")
        tap.ok(daemon.status()["whatsapp"]["device"]["restricted_until_ms"] > time.time() * 1000, "the status says that the account is restricted")


def nobody_there():
    with Sidecar() as s, new_daemon(s) as daemon:
        s.open()
        s.kill()
        until(lambda: not daemon.status()["whatsapp"]["device"]["there"])
        tap.same(daemon.status()["whatsapp"]["device"]["there"], False, "the daemon sees that it is gone")
        daemon.stop()
        owing(daemon, "when you are back")
        daemon.start()
        until(lambda: messages(daemon)[0]["error"])
        tap.ok("WHATSAPP_SOCKET" in messages(daemon)[0]["error"], "what is owed waits, and says for what")
        s.start()
        s.open()
        tap.same(s.wait("sent")["content"]["text"], "when you are back", "and is sent when it is back")


def killed():
    """Both are killed again and again while messages come and go."""
    with Sidecar() as s, new_daemon(s) as daemon:
        s.open()
        for i in range(MANY):
            s.do(emit=upsert(message(f"K{i}", {"conversation": f"in {i}"})))
            if i % 10 == 4:
                daemon.kill()
                daemon.start()
            if i % 10 == 9:
                s.kill()
                s.start()
                s.open()
        want = sorted(f"in {i}" for i in range(MANY))
        until(lambda: sorted(bodies(daemon)) == want)
        tap.same(sorted(bodies(daemon)), want, f"each of {MANY} messages is in the store once")
        daemon.stop()
        owing(daemon, *[f"out {i}" for i in range(MANY)])
        daemon.start()
        seen = {}
        while len(seen) < MANY:
            sent = s.wait("sent")
            same_words = seen.setdefault(sent["id"], sent["content"]["text"]) == sent["content"]["text"]
            tap.ok(same_words, f"{sent['content']['text']} goes under an id of its own") if not same_words else None
            if len(seen) == 10:
                daemon.kill()
                daemon.start()
            if len(seen) == 20:
                s.kill()
                s.start()
                s.open()
            s.do(ack=[sent["id"], None])
            s.do(emit=["messages.update", [{"key": {"id": sent["id"]}, "update": {"status": 3}}]])
        tap.same(sorted(seen.values()), sorted(f"out {i}" for i in range(MANY)), f"each of {MANY} is one message of WhatsApp's, however often it went")
        until(lambda: sum(row["status"] == "delivered" for row in messages(daemon)) == MANY)
        tap.same(sum(row["status"] == "delivered" for row in messages(daemon)), MANY, "and each is delivered in the end")
        tap.same(len(messages(daemon)), 2 * MANY, "nothing is there twice")


def lost():
    """The sidecar's folder is gone, and another one begins to count anew."""
    with Sidecar() as s, new_daemon(s) as daemon:
        s.open()
        for i in range(12):
            s.do(emit=upsert(message(f"A{i}", {"conversation": f"before {i}"})))
        until(lambda: len(bodies(daemon)) == 12)
        s.kill()
        os.unlink(os.path.join(s.state, "events.log"))
        s.start()
        s.open()
        s.do(emit=upsert(message("B0", {"conversation": "after"})))
        until(lambda: "after" in bodies(daemon))
        tap.same(bodies(daemon).count("after"), 1, "what a new outbox tells is kept, though its numbers are old ones")


def files():
    """A file goes out through the spool; and one for which there is no room in it does not come in."""
    picture = png(2000)
    with Sidecar(BAILEYS_SPOOL_MIB="0") as s, new_daemon(s, API_TOKEN="0123456789abcdef") as daemon:
        s.open()
        s.do(emit=upsert(message("V1", {"audioMessage": {"ptt": True, "mimetype": "audio/ogg", "seconds": 3}})))
        row = in_store(daemon, 1)[0]
        until(lambda: messages(daemon)[0]["media"][0].get("error"))
        tap.ok("could not fetch" in messages(daemon)[0]["media"][0].get("error", ""), "a full spool costs the file, and not the message")
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
        connection.request("POST", f"/api/whatsapp/media?to={row['contact_id']}&caption=look", picture,
                           {"Authorization": "Bearer 0123456789abcdef", "Content-Type": "image/png"})
        answer = connection.getresponse()
        tap.same(answer.status, 202, f"a picture is taken to be sent: {answer.read()[:200]}")
        connection.close()
        sent = s.wait("sent")
        while "image" not in sent["content"]:  # the agent may have answered first
            s.do(ack=[sent["id"], None])
            sent = s.wait("sent")
        tap.same((sent["content"]["caption"], sent["content"]["mimetype"]), ("look", "image/png"), "the device sends it, with its words")
        with open(sent["content"]["image"]["url"], "rb") as file:
            tap.ok(file.read() == picture, "byte for byte")
        s.do(ack=[sent["id"], None])
        tap.same(os.listdir(os.path.join(s.state, "spool", "out")), [], "and nothing of it stays in the spool")


def quotes():
    """Answers are shown with what they answer, both ways; who reads is told of; and what is forgotten is answered all the same."""
    with Sidecar() as s, new_daemon(s, API_TOKEN=TOKEN, WHATSAPP_AGENT="off") as daemon:
        def send(text, reply_to):
            status, told, _ = ask(daemon, "POST", "/api/whatsapp/send", {"to": NUMBER, "text": text, "reply_to": reply_to}, token=TOKEN)
            sent = s.wait("sent")
            s.do(ack=[sent["id"], None])
            return (status, sent["content"]["text"]), sent.get("quoted"), sent["id"], told["id"]

        def unread():
            status, page, _ = ask(daemon, "GET", "/api/whatsapp/conversations", token=TOKEN)
            return [each["unread"] for each in page["conversations"]] if status == 200 else status

        s.open()
        s.do(emit=upsert(message("Q1", {"conversation": "is it free?"}), message("Q2", {"conversation": "on Monday?"}, jid=DANA_LID, alt=DANA)))
        rows = {row["body"]: row["id"] for row in in_store(daemon, 2)}
        tap.same(unread(), [2], "two messages are unread")
        got, quoted, first, ours = send("it is", rows["is it free?"])
        tap.same((got, quoted), ((202, "it is"), {"id": "Q1", "mine": False, "text": "is it free?"}), "an answer is shown with what it answers")
        keys = s.wait("read") + s.wait("read")
        tap.same(sorted((key["remoteJid"], key["id"], key["fromMe"]) for key in keys), sorted([(DANA, "Q1", False), (DANA_LID, "Q2", False)]),
                 "and she is told that both were read")
        tap.same(unread(), [0], "whoever answers has read")
        tap.same(send("yes, Monday", rows["on Monday?"])[1], {"id": "Q2", "mine": False, "text": "on Monday?"}, "also what came by her other id")
        tap.same(send("at ten", ours)[1], {"id": first, "mine": True, "text": "it is"}, "and what we had sent ourselves")
        s.do(emit=upsert(message("Q3", {"extendedTextMessage": {"text": "thanks", "contextInfo": {"stanzaId": first}}}),
                         message("Q4", {"extendedTextMessage": {"text": "still?", "contextInfo": {"stanzaId": "Q1"}}}, jid=DANA_LID, alt=DANA),
                         message("Q5", {"extendedTextMessage": {"text": "what?", "contextInfo": {"stanzaId": "NONE"}}}),
                         message("Q6", {"extendedTextMessage": {"text": "mine?", "contextInfo": {"stanzaId": first}}}, jid="972507654321@s.whatsapp.net", name="Eli"),
                         message("Q7", {"extendedTextMessage": {"text": "by phone", "contextInfo": {"stanzaId": "Q1"}}}, mine=True)))
        answers = {row["body"]: row.get("reply_to", "") for row in in_store(daemon, 10)}
        tap.same([answers.get(text) for text in ("thanks", "still?", "what?", "mine?", "by phone")], [ours, rows["is it free?"], "", "", rows["is it free?"]],
                 "what comes is known for an answer to what is here, in its own conversation")
        tap.same(sorted(unread()), [0, 1], "the owner's telephone reads, too, and nobody else's messages")
        s.kill()
        s.start()
        s.open()
        tap.same(send("as I said", rows["is it free?"])[1], {"id": "Q1", "mine": False, "text": "is it free?"}, "what came before a crash can be shown")
        s.kill()
        kept = os.path.join(s.state, "quotes.log")
        with open(kept, encoding="ascii") as log:
            lines = [json.loads(line) for line in log]
        with open(kept, "w", encoding="ascii") as log:
            log.writelines(json.dumps({**line, "t": line["t"] - 8 * 24 * 3600 * 1000}) + "\n" for line in lines)
        s.start()
        s.open()
        with open(kept, encoding="ascii") as log:
            tap.same((log.read(), len(lines) > 3), ("", True), "after a week nothing of them is on the disk")
        tap.same(send("and again", rows["is it free?"])[:2], ((202, "and again"), None), "what is forgotten is answered without being shown")
        eli = next(row["id"] for row in daemon.kept("contacts") if row["name"] == "Eli")
        s.do(emit=upsert(message("Q8", {"conversation": "hello?"}, jid="972507654321@s.whatsapp.net", name="Eli")))
        last = next(row["id"] for row in in_store(daemon, 13) if row["body"] == "mine?")
        status, told, _ = ask(daemon, "POST", f"/api/whatsapp/read/{eli}", {"message": last}, token=TOKEN)
        tap.same((status, told), (200, {"contact_id": eli, "read": 1, "unread": 1}), "a desk reads up to a message")
        tap.same([key["id"] for key in s.wait("read")], ["Q6"], "whose sender is told")
        read = tap.run(tap.BINARY, "contacts", "read", eli, env={**daemon.env, "ADMIN_SOCKET": daemon.admin})
        tap.same((read.returncode, read.stdout), (0, "What he wrote is read.\n"), "the command reads the rest")
        tap.same([key["id"] for key in s.wait("read")], ["Q8"], "and its sender is told")
        tap.same(ask(daemon, "POST", f"/api/whatsapp/read/{eli}", {}, token=TOKEN)[1]["read"], 0, "nothing is left")
        tap.same(ask(daemon, "POST", "/api/whatsapp/read/C404", {}, token=TOKEN)[0], 404, "nobody is nobody")
        tap.same(ask(daemon, "POST", f"/api/whatsapp/read/{eli}", {"message": rows["on Monday?"]}, token=TOKEN)[1]["error"]["code"], "unknown_message",
                 "what another one wrote is not his")


def main():
    problem = prepare()
    if problem:
        tap.skip(f"the daemon was not tried beside the WhatsApp sidecar: {problem}")
        tap.done()
    what_comes()
    what_is_owed()
    files()
    quotes()
    nobody_there()
    killed()
    lost()
    tap.done()


main()
