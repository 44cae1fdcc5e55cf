"""test_link.py - the real daemon beside the real sidecar: what came and what is owed, while either is killed"""

import http.client
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
import tap
from daemon import Daemon, until
from services.test_fetch import png
from services.whatsapp.sidecar import DANA, DANA_LID, Sidecar, message, prepare, upsert

OWE = os.path.join(tap.BUILD, "tests", "services", "owe")
NUMBER, SID = "+972501234567", "CA" + "1" * 32
MANY = 40


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


def main():
    problem = prepare()
    if problem:
        tap.skip(f"the daemon was not tried beside the WhatsApp sidecar: {problem}")
        tap.done()
    what_comes()
    what_is_owed()
    files()
    nobody_there()
    killed()
    lost()
    tap.done()


main()
