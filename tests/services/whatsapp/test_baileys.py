"""test_baileys.py - the WhatsApp sidecar with the real package, WhatsApp itself being played by library.js"""

import glob
import json
import os
import queue
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from services.whatsapp.sidecar import DANA, DANA_LID, PATIENCE, PLACE, Sidecar, job, message, prepare, upsert
from tap import done, ok, same, skip

CONTENTS = (
    ({"conversation": "שלום"}, {"type": "text", "text": "שלום"}, "a text"),
    ({"extendedTextMessage": {"text": "yes", "contextInfo": {"stanzaId": "Q1"}}}, {"type": "text", "text": "yes", "quote": "Q1"}, "a reply to a message"),
    ({"ephemeralMessage": {"message": {"conversation": "gone soon"}}}, {"type": "text", "text": "gone soon"}, "a text that vanishes"),
    ({"audioMessage": {"ptt": True, "mimetype": "audio/ogg", "seconds": 3, "fileLength": 99}},
     {"type": "voice", "mime": "audio/ogg", "secs": 3, "bytes": 99, "file": None}, "a voice note"),
    ({"imageMessage": {"mimetype": "image/jpeg", "caption": "the flat"}}, {"type": "image", "text": "the flat"}, "a picture"),
    ({"documentMessage": {"mimetype": "application/pdf", "fileName": "../../lease.pdf"}}, {"type": "document", "file_name": "../../lease.pdf", "name": "Dana"}, "a document"),
    ({"locationMessage": {"degreesLatitude": 32.1, "degreesLongitude": 34.8, "name": "Office"}}, {"type": "location", "text": "32.1,34.8 Office"}, "a place"),
    ({"reactionMessage": {"text": "👍", "key": {"id": "R1"}}}, {"type": "reaction", "text": "👍", "quote": "R1"}, "a reaction"),
    ({"reactionMessage": {"text": "", "key": {"id": "R1"}}}, {"type": "reaction", "text": ""}, "a reaction taken back"),
    ({"buttonsResponseMessage": {"selectedButtonId": "b1", "selectedDisplayText": "Yes"}}, {"type": "text", "text": "Yes"}, "a button"),
    ({"listResponseMessage": {"title": "Tuesday"}}, {"type": "text", "text": "Tuesday"}, "a choice of a list"),
    ({"contactMessage": {"vcard": "BEGIN:VCARD"}}, {"type": "contact", "text": "BEGIN:VCARD"}, "a contact"),
    ({"pollCreationMessage": {"name": "when?"}}, {"type": "other"}, "something else"),
)


def test_contents():
    with Sidecar() as s:
        s.open()
        for i, (content, _, _) in enumerate(CONTENTS):
            s.do(emit=upsert(message(f"W{i}", content)))
        got = {event["wa_id"]: event for event in s.until("message", len(CONTENTS))}
        for i, (_, want, what) in enumerate(CONTENTS):
            event = got.get(f"W{i}", {})
            same({name: event.get(name) for name in want}, want, what)
        same(sorted({event["pn"] for event in got.values()}), ["972501234567"], "each names the telephone number")
        seqs = [event["seq"] for event in s.events()]
        ok(seqs == sorted(set(seqs)), "numbers go up")
        media = s.until("media", 3)
        same(len([event for event in media if event["file"]]), 3, "three files came after their messages")
        names = os.listdir(os.path.join(s.state, "spool", "in"))
        same(sorted(names), sorted(event["file"] for event in media), "each under a name of ours, whatever its sender calls it")
        s.kill()
        s.start()
        s.open()
        s.do(emit=upsert(message("AFTER", {"conversation": "x"})))
        s.until("message", len(CONTENTS) + 1)
        same(len(s.events("media")), 3, "which are not fetched again after a crash")


NOT_PEOPLE = (
    (message("N1", {"conversation": "x"}, jid="12345@g.us"), "a group"),
    (message("N2", {"conversation": "x"}, jid="status@broadcast"), "the status feed"),
    (message("N3", {"conversation": "x"}, jid="1@newsletter"), "a channel"),
    (message("N4", {"protocolMessage": {"type": 0}}), "a protocol message"),
    (message("N5", {"senderKeyDistributionMessage": {"groupId": "1"}}), "a key"),
    (message("N6", {"conversation": "x"}, ts=int(time.time()) - 16 * 24 * 3600), "a message of sixteen days ago"),
    (message("N7", None), "no message"),
)


def test_what_is_no_message():
    with Sidecar() as s:
        s.open()
        for unwanted, _ in NOT_PEOPLE:
            s.do(emit=upsert(unwanted))
        s.do(throw=True)
        s.do(emit=upsert(message("LAST", {"conversation": "x"})))
        got = [event["wa_id"] for event in s.until("message", 1)]
        for unwanted, what in NOT_PEOPLE:
            ok(unwanted["key"]["id"] not in got, f"{what} is none for the daemon")
        same(got, ["LAST"], "what cannot be handled ends nothing")


def test_what_is_told_to_the_library():
    with Sidecar() as s:
        s.open()
        s.do(options=True)
        same(s.wait("config"), {"markOnlineOnConnect": False, "syncFullHistory": False, "emitOwnEvents": True, "filtersHistory": False},
             "the telephone still rings, history is not fetched, and privacy ids are learnt")
        for jid, ignored in ((DANA, False), (DANA_LID, False), ("972501234567@hosted", False), ("1@hosted.lid", False), ("1@g.us", True),
                             ("status@broadcast", True), ("1@newsletter", True)):
            s.do(ignores=jid)
            same(s.wait("ignored"), ignored, f"{jid} is {'not ' if ignored else ''}heard")
        s.do(count=["W1:retries", 3])
        s.do(close=428)
        s.open()
        s.do(counted="W1:retries")
        same(s.wait("counted"), 3, "what was asked for again is counted over connections")


def test_faults_of_the_library():
    with Sidecar() as s:
        s.open()
        s.do(reject=True)
        s.do(emit=upsert(message("REJECT", {"conversation": "x"})))
        same(len(s.until("message", 1)), 1, "what fails in the library, and nobody waits for, ends nothing")
        s.do(buffer=True)
        s.do(emit=upsert(message("CRASH", {"conversation": "held back"})))
        s.control.sendall(b'{"crash": true}\n')
        same(s.process.wait(PATIENCE), 1, "what goes wrong altogether ends it")
        s.control.close()
        s.start()
        ok("CRASH" in [event["wa_id"] for event in s.events("message")], "but what was held back is not lost")


def test_end():
    with Sidecar() as s:
        s.open()
        s.do(hang=True)
        s.do(buffer=True)
        s.do(emit=upsert(message("HANG", {"conversation": "held back"})))
        began = time.monotonic()
        same(s.stop(), 0, "SIGTERM ends it while WhatsApp does not answer")
        ok(time.monotonic() - began < 5, f"within 5 s: {time.monotonic() - began:.1f}")
        told = []
        while not s.told.empty():
            told.append(s.told.get())
        ok({"ended": True} in told and {"unlinked": True} not in told, "it hangs up, and stays linked")
        s.start()
        ok("HANG" in [event["wa_id"] for event in s.events("message")], "and nothing is lost")


OUTBOX_MAX = 100_000


def write_outbox(s, n):
    os.makedirs(s.state, exist_ok=True)
    with open(os.path.join(s.state, "events.log"), "w", encoding="ascii") as log:
        log.write('{"acked":0,"outbox":"full"}\n')
        for i in range(1, n + 1):
            log.write(f'{{"seq":{i},"t":1,"k":"message","wa_id":"F{i}","chat":"1@lid"}}\n')


def test_outbox_is_bounded():
    s = Sidecar()
    write_outbox(s, OUTBOX_MAX - 3)
    with s:
        s.open()
        ok(s.ask("GET", "/v1/health")[1]["is_filling"], "it says that it is filling up")
        for i in range(4):
            s.do(emit=upsert(message(f"L{i}", {"conversation": "x"})))
        ok(s.wait("ended") and s.state_is("backoff"), "full, it leaves WhatsApp, whose server keeps what comes")
        health = s.ask("GET", "/v1/health")[1]
        ok(health["outbox"] >= OUTBOX_MAX, f"and what had come is kept: {health['outbox']}")
        s.ask("GET", f"/v1/events?after={OUTBOX_MAX // 10}&wait=0&max=1")
        same(s.ask("GET", "/v1/health")[1]["state"], "backoff", "a little room is not enough")
        s.ask("GET", f"/v1/events?after={OUTBOX_MAX // 2}&wait=0&max=1")
        ok(s.wait("made"), "when the daemon has taken a good part, it comes back")
    s = Sidecar(linked=False)
    write_outbox(s, OUTBOX_MAX)
    with s:
        s.ask("GET", f"/v1/events?after={OUTBOX_MAX}&wait=0&max=1")
        same(s.ask("GET", "/v1/health")[1]["state"], "logged_out", "room does not begin a pairing that nobody asked for")


def test_traps():
    with Sidecar() as s:
        s.open()
        s.do(emit=upsert(message("OFFLINE", {"conversation": "while you were away"}), live=False))
        same([(event["wa_id"], event["live"]) for event in s.until("message", 1)], [("OFFLINE", False)], "what came while we were away is a message")
        s.do(emit=upsert(message("OFFLINE", {"conversation": "while you were away"})))
        s.do(emit=upsert(message("OWNER", {"conversation": "I take over"}, mine=True), live=False))
        same([event["from_me"] for event in s.until("message", 2)], [False, True], "twice is once; the owner's own words are told as such")
        s.do(buffer=True)
        s.do(emit=upsert(message("BUFFERED", {"conversation": "held back"})))
        s.do(close=428)
        ok("BUFFERED" in [event["wa_id"] for event in s.until("message", 3)], "what the library holds back at the close is not lost")
        s.open()
        s.do(buffer=True)
        s.do(emit=upsert(message("ATEXIT", {"conversation": "held back"})))
        same(s.stop(), 0, "SIGTERM ends it")
        s.start()
        ok("ATEXIT" in [event["wa_id"] for event in s.events("message")], "nor what it holds back at our end")


def test_undecryptable():
    with Sidecar() as s:
        s.open()
        s.do(emit=upsert({**message("C1", None), "messageStubType": 2}))
        s.do(emit=upsert(message("C1", {"conversation": "now readable"})))
        same([event["type"] for event in s.until("message", 2)], ["undecryptable", "text"], "what could not be read is told, and its text when it comes after all")


def test_identity():
    with Sidecar() as s:
        s.open()
        s.do(emit=upsert(message("L1", {"conversation": "x"}, jid=DANA_LID)))
        s.do(emit=upsert(message("L2", {"conversation": "y"}, jid=DANA_LID, alt=DANA)))
        s.do(emit=upsert(message("L3", {"conversation": "z"}, jid=DANA_LID)))
        got = s.until("message", 3)
        same([event["pn"] for event in got], [None, "972501234567", "972501234567"], "a privacy id is nobody's number until it is known")
        same([(event["lid"], event["pn"]) for event in s.events("idmap")], [(DANA_LID, DANA)], "told once")
        s.kill()
        s.start()
        s.open()
        s.do(emit=upsert(message("L4", {"conversation": "z"}, jid=DANA_LID)))
        same(s.until("message", 4)[-1]["pn"], "972501234567", "and known after a crash")
        s.ask("POST", "/v1/messages", job(1))
        same(s.wait("sent")["jid"], DANA_LID, "who wrote under it is answered under it")
        s.do(emit=upsert(message("L5", {"conversation": "I have Dana's number now"}, jid="777@lid", alt=DANA)))
        s.do(emit=upsert(message("L6", {"conversation": "z"}, jid=DANA_LID)))
        same([event["pn"] for event in s.until("message", 6)[4:]], ["972501234567", None], "a number that passes on is hers no more")


def test_outbox():
    with Sidecar() as s:
        s.open()
        for i in range(20):
            s.do(emit=upsert(message(f"O{i}", {"conversation": str(i)})))
        all_of_them = s.events()
        s.kill()
        s.start()
        again = s.events()
        same(again[:len(all_of_them)], all_of_them, "killed, it still has every event")
        after = again[9]["seq"]
        same([event["seq"] for event in s.events(after=after)][:1], [again[10]["seq"]], "what was fetched is acknowledged by asking for more")
        same(s.events()[0]["seq"], again[10]["seq"], "and gone")
        last = s.events()[-1]["seq"]
        s.events(after=last)
        s.kill()
        s.start()
        ok(all(event["seq"] > last for event in s.events()), "numbers go on after all was taken and a crash")
        same(s.ask("GET", "/v1/events?after=999999&wait=0")[0], 410, "a number that never was: the outbox was lost")
        kept, name = s.events(), s.ask("GET", "/v1/events?wait=0")[1]["outbox"]
        same(s.ask("GET", f"/v1/events?after={kept[-1]['seq']}&of=another&wait=0")[0], 410, "a number of another outbox")
        same(s.events(), kept, "which acknowledges nothing")
        with open(os.path.join(s.state, "events.log"), "a", encoding="ascii") as log:
            log.write('{"seq":77,"k":"mess')
        s.kill()
        s.start()
        same(s.ask("GET", "/v1/health")[0], 200, "a line that was cut off by a crash harms nothing")
        same(s.ask("GET", f"/v1/events?of={name}&wait=0")[1]["outbox"], name, "it is the same outbox still")


def test_sending():
    with Sidecar() as s:
        s.open()
        status, told = s.ask("POST", "/v1/messages", job(1))
        same((status, told["state"]), (202, "queued"), "taken")
        sent = s.wait("sent")
        same((sent["jid"], sent["content"], sent["id"]), (DANA, {"text": "hello"}, told["wa_id"]), "sent under an id made from ours")
        status, told = s.ask("POST", "/v1/messages", job(1))
        same(status, 200, "asked again: not sent again")
        same(s.ask("POST", "/v1/messages", job(1, text="other"))[0], 409, "the same id for another message is refused")
        same(s.ask("POST", "/v1/messages", job(1, quote="Q1"))[0], 200, "what it quotes makes it no other message")
        for event, state in ((2, "server"), (3, "delivered"), (4, "read"), (3, "read")):
            s.do(emit=["messages.update", [{"key": {"id": told["wa_id"]}, "update": {"status": event}}]])
            same(s.ask("GET", f"/v1/messages/{job(1)['id']}")[1]["state"], state, f"receipt {event}: {state}")
        same([event["state"] for event in s.events("status")], ["sent", "server", "delivered", "read"], "each step is told once")
        s.do(wants=told["wa_id"])
        same(s.wait("wanted"), "hello", "a receiver who asks for it once more gets it")
        s.kill()
        s.start()
        s.open()
        s.do(wants=told["wa_id"])
        same(s.wait("wanted"), "hello", "also after a crash")
        s.do(emit=upsert(message(told["wa_id"], {"conversation": "hello"}, mine=True)))
        same(s.events("message"), [], "our own message is no news")


def test_sending_through_a_crash():
    with Sidecar() as s:
        s.open()
        s.ask("POST", "/v1/messages", job(1))
        first = s.wait("sent")["id"]
        s.kill()
        s.start()
        s.open()
        same(s.wait("sent")["id"], first, "what was not acknowledged goes again, as the same message")
        s.do(ack=[first, None])
        same(s.ask("GET", f"/v1/messages/{job(1)['id']}")[1]["state"], "server", "acknowledged")
        s.do(close=428)
        s.open()
        s.ask("POST", "/v1/messages", job(2))
        ok(s.wait("sent")["id"] != first, "then it is not sent any more")


def test_sending_again():
    with Sidecar() as s:
        s.open()
        s.do(fail=[2, 408])
        s.ask("POST", "/v1/messages", job(1, text="one"))
        s.ask("POST", "/v1/messages", job(2, text="two"))
        same([s.wait("sent")["content"]["text"] for _ in range(2)], ["one", "two"], "what does not go out for now is tried again, and not overtaken")
        s.do(fail=[100, 503])
        s.ask("POST", "/v1/messages", job(3))
        ends = time.monotonic() + PATIENCE
        while s.ask("GET", f"/v1/messages/{job(3)['id']}")[1]["state"] != "failed" and time.monotonic() < ends:
            pass
        told = s.ask("GET", f"/v1/messages/{job(3)['id']}")[1]
        same((told["state"], told["code"], told["retry"]), ("failed", 503, True), "but not for ever")
        s.do(fail=[1, 400])
        s.ask("POST", "/v1/messages", job(4))
        s.ask("POST", "/v1/messages", job(5))
        same(s.wait("sent")["id"], s.ask("GET", f"/v1/messages/{job(5)['id']}")[1]["wa_id"], "what will never go out holds up nothing")
        same(s.ask("GET", f"/v1/messages/{job(4)['id']}")[1]["state"], "failed", "and has failed")


def test_pace():
    with Sidecar(BAILEYS_PACE_MS="200") as s:
        s.open()
        s.do(emit=upsert(message("K1", {"conversation": "x"})))
        at = []
        for i in range(4):
            s.ask("POST", "/v1/messages", job(i + 1))
        for _ in range(4):
            same(s.wait("presence"), ["composing", DANA], "it types")
            s.wait("sent")
            at.append(time.monotonic())
        gaps = [b - a for a, b in zip(at, at[1:])]
        ok(min(gaps) > 0.45, f"then takes its time: {gaps}")
        ok(len({round(gap, 2) for gap in gaps}) > 1, "never quite the same")


def test_new_chats():
    with Sidecar(BAILEYS_NEW_CHATS="8") as s:
        s.open()
        s.do(absent=["972500000001"])
        for i in range(1, 4):
            s.ask("POST", "/v1/messages", job(i, to=f"97250000000{i}"))
        s.do(emit=upsert(message("K1", {"conversation": "x"})))
        s.ask("POST", "/v1/messages", job(4))
        same([s.wait("sent")["jid"] for _ in range(2)], ["972500000002@s.whatsapp.net", DANA], "on the first day a quarter may be written to, and who has written")
        told = [s.ask("GET", f"/v1/messages/{job(i)['id']}")[1] for i in (1, 3)]
        same([(one["state"], one["code"]) for one in told], [("failed", "he is not on WhatsApp"), ("failed", "too many new chats today, see BAILEYS_NEW_CHATS")],
             "nobody who is not there, and nobody beyond")
        s.kill()
        s.start()
        s.open()
        s.ask("POST", "/v1/messages", job(5, to="972500000004"))
        s.ask("POST", "/v1/messages", job(6, to="972500000002"))
        same(s.wait("sent")["jid"], "972500000002@s.whatsapp.net", "after a crash it has not forgotten; who was written to may be again")
        same(s.ask("GET", f"/v1/messages/{job(5)['id']}")[1]["state"], "failed", "and nobody new")


def test_strangers():
    with Sidecar() as s:
        s.open()
        s.do(emit=upsert(message("K1", {"conversation": "x"})))
        s.ask("POST", "/v1/messages", job(1, to="972509999999"))
        s.do(ack=[s.wait("sent")["id"], 463])
        told = s.ask("GET", f"/v1/messages/{job(1)['id']}")[1]
        same((told["state"], told["code"], told["retry"]), ("failed", 463, False), "WhatsApp refuses a stranger: final")
        same(len(s.events("restriction")), 1, "the operator is told")
        s.ask("POST", "/v1/messages", job(2, to="972508888888"))
        s.ask("POST", "/v1/messages", job(3))
        sent = s.wait("sent")
        same(sent["jid"], DANA, "who wrote to us is still answered")
        s.do(ack=[sent["id"], None])
        same(s.ask("GET", f"/v1/messages/{job(2)['id']}")[1]["state"], "failed", "another stranger is not tried")
        s.ask("POST", "/v1/messages", job(4))
        wa_id = s.wait("sent")["id"]
        s.do(ack=[wa_id, 479])
        same(s.wait("sent")["id"], wa_id, "a stale session is tried once more")
        s.do(ack=[wa_id, 479])
        told = s.ask("GET", f"/v1/messages/{job(4)['id']}")[1]
        same((told["state"], told["code"]), ("failed", 479), "and not again")
        s.kill()
        s.start()
        s.open()
        s.ask("POST", "/v1/messages", job(5, to="972507777777"))
        s.ask("POST", "/v1/messages", job(6))
        same(s.wait("sent")["jid"], DANA, "the lock outlives a crash")
        ok(s.ask("GET", "/v1/health")[1]["restricted_until"] > time.time() * 1000, "and its end is told")
        s.do(emit=["connection.update", {"reachoutTimeLock": {"isActive": False}}])
        s.ask("POST", "/v1/messages", job(7, to="972507777777"))
        same(s.wait("sent")["jid"], "972507777777@s.whatsapp.net", "until WhatsApp lifts it")
        s.do(emit=["message-capping.update", {"capping_status": "CAPPED"}])
        s.ask("POST", "/v1/messages", job(8, to="972506666666"))
        s.ask("POST", "/v1/messages", job(9))
        same(s.wait("sent")["jid"], DANA, "as long as its quota of new chats is used up, nobody new either")
        s.do(emit=["message-capping.update", {"capping_status": "FIRST_WARNING"}])
        ok(s.events("restriction")[-1]["until"], "a mere warning lifts nothing")


REFUSED = (
    ({"id": "1" * 31}, 400, "an id of 31 digits"),
    ({"to": "call me"}, 400, "no number"),
    ({"to": "0501234567"}, 400, "a number without its country"),
    ({"type": "fax"}, 400, "an unknown type"),
    ({"type": "toString"}, 400, "a type that every object has"),
    ({"type": ["text"]}, 400, "a list of types"),
    ({"text": ""}, 400, "no text"),
    ({"text": "x" * 16385}, 400, "a text too long"),
    ({"colour": "red"}, 400, "an unknown field"),
    ({"type": "image", "mime": "image/png"}, 400, "a picture without a file"),
    ({"type": "image", "mime": "image/png", "file": "../../etc/passwd"}, 400, "a path for a file"),
    ({"type": "image", "mime": "image/png", "file": "0" * 32}, 400, "a file that is not there"),
    ({"type": "location", "lat": 91, "lon": 0}, 400, "no place on earth"),
    ({"ttl": 0}, 400, "no time to live"),
)


def test_refusals():
    with Sidecar() as s:
        s.open()
        for i, (fields, status, what) in enumerate(REFUSED):
            got, told = s.ask("POST", "/v1/messages", {**job(i + 1), **fields})
            ok(got == status and told.get("error"), f"{what}: {told}")
        same(s.ask("POST", "/v1/messages", raw="{")[0], 400, "half a JSON")
        same(s.ask("POST", "/v1/messages", raw="[]")[0], 400, "a list")
        same(s.ask("POST", "/v1/messages", raw="x" * 70000)[0], 413, "a body too large")
        same(s.ask("GET", "/v1/nothing")[0], 404, "an unknown route")
        same(s.ask("DELETE", "/v1/health")[0], 405, "an unknown method")
        same(s.ask("GET", f"/v1/messages/{'9' * 32}")[0], 404, "an unknown message")
        same(s.ask("GET", "/v1/events?after=x")[0], 400, "a number that is none")
        outside = os.path.join(s.state, "secret")
        with open(outside, "w", encoding="ascii"):
            os.symlink(outside, os.path.join(s.state, "spool", "out", "a" * 32))
        same(s.ask("POST", "/v1/messages", job(50, type="image", mime="image/png", file="a" * 32))[0], 400, "a link out of the spool")


def test_queue_is_bounded():
    with Sidecar() as s:
        s.wait("made")  # never opened: everything waits
        got = [s.ask("POST", "/v1/messages", job(i))[0] for i in range(258)]
        same((got.count(202), got[-2:]), (256, [429, 429]), "256 wait, one more is told to come later")
        same(s.ask("POST", "/v1/messages", job(999, ttl=5))[0], 503, "who cannot wait is told so")


SOON, LATE = (250, 1000), (7500, 30000)
CLOSES = (  # and after how many ms at least and at most it is tried again; () at once; None never
    (515, "connecting", (), "after pairing: again at once"),
    (428, "backoff", SOON, "the connection broke"),
    (408, "backoff", SOON, "it went silent"),
    (500, "backoff", SOON, "something is wrong with the session"),
    (503, "backoff", LATE, "WhatsApp is not there"),
    (405, "backoff", LATE, "the library is too old"),
    (440, "replaced", None, "another process has the device"),
    (402, "banned", None, "blocked for a while"),
    (403, "banned", None, "blocked"),
    (406, "banned", None, "blocked, too"),
    (401, "logged_out", None, "unlinked"),
    (411, "logged_out", None, "to be linked again"),
    (419, "logged_out", None, "not accepted any more"),
)


def test_closes():
    for code, state, span, what in CLOSES:
        with Sidecar() as s:
            s.open()
            s.do(close=code)
            if span in ((), SOON):
                ok(s.wait("made"), f"{code}, {what}: a new socket is made")
            else:
                ok(s.state_is(state), f"{code}, {what}: {state}")
            told = s.events("connection")[2]
            same(told["state"], state, "  the daemon is told")
            if span:
                ok(span[0] <= told["next_try_ms"] <= span[1], f"  after a while: {told['next_try_ms']} ms")
            if span is not None:
                continue
            same(s.ask("POST", "/v1/messages", job(1))[0], 503, "  nothing is taken that cannot be sent")
            is_linked = os.path.exists(os.path.join(s.state, "auth", "creds.json"))
            same(is_linked, state != "logged_out", "  the device is kept" if is_linked else "  the device is forgotten")


def test_broken_session():
    with Sidecar() as s:
        for _ in range(4):
            s.open()
            s.do(close=500)
        ok(s.state_is("broken"), "a session that breaks again and again is left alone, though it opens each time")
        same(s.events("connection")[-1]["state"], "broken", "the daemon is told")
        same(s.ask("POST", "/v1/messages", job(1))[0], 503, "nothing is taken that cannot be sent")


def test_pairing():
    with Sidecar(linked=False) as s:
        same(s.ask("GET", "/v1/health")[1]["state"], "logged_out", "not linked: nothing is asked of WhatsApp")
        same(s.ask("POST", "/v1/pair", {"phone": "050-1"})[0], 400, "no number to pair with")
        got = {}
        asking = threading.Thread(target=lambda: got.update(answer=s.ask("POST", "/v1/pair", {"phone": "972501234567"})))
        asking.start()
        s.wait("made")
        s.do(emit=["connection.update", {"qr": "2@abc"}])
        asking.join(PATIENCE)
        same((got["answer"][0], got["answer"][1]["code"]), (200, "CODE4567"), "a code for the telephone")
        s.do(creds={"me": {"id": "972501234567:1@s.whatsapp.net"}, "account": {"details": "x"}})
        s.do(close=515)
        s.open()
        same(s.ask("GET", "/v1/health")[1]["state"], "open", "linked")
        same(s.ask("POST", "/v1/pair", {})[0], 409, "there is one already")
        s.kill()
        s.start()
        ok(s.wait("made"), "and still after a crash")
        same(s.ask("POST", "/v1/logout")[0], 202, "unlinked")
        same(s.ask("GET", "/v1/health")[1]["state"], "logged_out", "it says so")


def test_pairing_again():
    with Sidecar(linked=False) as s:
        def ask(body):
            got = queue.Queue()
            threading.Thread(target=lambda: got.put(s.ask("POST", "/v1/pair", body))).start()
            return got

        first = ask({})
        s.wait("made")
        second = None
        while second is None or first.empty():  # whoever came later is answered
            second = second or ask({})
            try:
                same(first.get(timeout=0.5)[0], 504, "who asked before is told that somebody else has")
                break
            except queue.Empty:
                continue
        s.do(emit=["connection.update", {"qr": "2@abc"}])
        same(second.get(timeout=PATIENCE)[1]["qr"], "2@abc", "who asked last is shown the picture")
        same(s.ask("POST", "/v1/pair", {})[1]["qr"], "2@abc", "as is who asks while it is shown")
        same(s.ask("POST", "/v1/pair", {"phone": "972501234567"})[1]["code"], "CODE4567", "or he is given a code")
        s.do(creds={"me": {"id": "972501234567@s.whatsapp.net"}})
        s.do(close=408)
        ok(s.state_is("logged_out"), "nobody took it")
        ok(not os.path.exists(os.path.join(s.state, "auth", "creds.json")), "nothing of the number is kept")
        third = ask({})
        s.wait("made")
        s.do(emit=["connection.update", {"qr": "2@new"}])
        same(third.get(timeout=PATIENCE)[1]["qr"], "2@new", "and there is another one for who asks")


def test_second_sidecar():
    with Sidecar() as s:
        got = subprocess.run(["node", "index.js"], cwd=PLACE, env={**s.env, "STUB_SOCKET": s.stub + "2"}, text=True, capture_output=True,
                             check=False, timeout=PATIENCE)
        ok(got.returncode == 1 and "listens there already" in got.stderr, "two would throw each other out: the second does not start")
        got = subprocess.run(["node", "index.js"], cwd=PLACE, env={**s.env, "STUB_SOCKET": s.stub + "2", "BAILEYS_SOCKET": s.path + "2"}, text=True,
                             capture_output=True, check=False, timeout=PATIENCE)
        ok(got.returncode == 1 and "uses this device already" in got.stderr, "nor one that listens elsewhere")
        same(s.ask("GET", "/v1/health")[0], 200, "the first goes on")


def test_unlinking_unconnected():
    with Sidecar() as s:
        s.open()
        s.do(close=440)
        ok(s.state_is("replaced"), "it is not connected")
        same(s.ask("POST", "/v1/logout"), (202, {"told": False}), "unlinked then: WhatsApp is not told")
        same(s.ask("GET", "/v1/health")[1]["state"], "logged_out", "but the device is forgotten")


def test_keys():
    with Sidecar() as s:
        s.open()
        s.do(key=["session", "972501234567.0", {"type": "Buffer", "data": "AAEC"}])
        folder = os.path.join(s.state, "auth")
        files = glob.glob(os.path.join(folder, "session-*"))
        same((len(files), oct(os.stat(folder).st_mode & 0o777)), (1, "0o700"), "a key is a file in a folder of ours alone")
        same(glob.glob(os.path.join(folder, "*.part")), [], "none is left half written")
        s.do(key=["session", "972501234567.0", None])
        same(glob.glob(os.path.join(folder, "session-*")), [], "a key that is taken back is gone")
        s.stop()
        with open(os.path.join(folder, "creds.json"), "w", encoding="ascii") as creds:
            creds.write("{")
        got = subprocess.run(["node", "index.js"], cwd=PLACE, env=s.env, text=True, capture_output=True, check=False, timeout=PATIENCE)
        ok(got.returncode == 1 and "damaged" in got.stderr, "damaged credentials are an error that says what to do")
        s.start = lambda: None


def test_settings():
    for env, want, what in (({}, "STATE_DIRECTORY", "no folder"), ({"STATE_DIRECTORY": "/tmp/none"}, "socket", "no socket")):
        got = subprocess.run(["node", "index.js"], cwd=PLACE, env={"PATH": os.environ["PATH"], **env}, text=True, capture_output=True,
                             check=False, timeout=PATIENCE)
        ok(got.returncode == 1 and want in got.stderr and "    at " not in got.stderr, f"{what}: one line says so")


def test_media_in():
    with Sidecar() as s:
        s.open()
        out = os.path.join(s.state, "spool", "out", "b" * 32)
        with open(out, "wb") as file:
            file.write(b"picture")
        same(s.ask("POST", "/v1/messages", job(1, type="image", mime="image/png", file="b" * 32, text="look"))[0], 202, "a picture from the spool")
        sent = s.wait("sent")
        same(sent["content"], {"image": {"url": out}, "caption": "look", "mimetype": "image/png"}, "sent from there")
        s.do(ack=[sent["id"], None])
        ok(not os.path.exists(out), "and deleted once WhatsApp has it")
        s.ask("POST", "/v1/chat", {"to": DANA, "action": "read", "ids": ["K1"]})
        same(s.wait("read"), [{"remoteJid": DANA, "id": "K1", "fromMe": False}], "read receipts")


def main():
    problem = prepare()
    if problem:
        skip(f"the WhatsApp sidecar was not tried: {problem}")
        done()
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
    done()


main()
