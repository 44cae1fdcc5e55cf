"""test_baileys_faults.py - the real daemon beside a WhatsApp sidecar that does all wrong that can be done wrong

Whatever happens: each message is in the store once, in the order of its conversation, and the next one comes, too.
`test_baileys_faults.py SEED` has other people play.
"""

import collections
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
import tap
from daemon import Daemon, until
from services.whatsapp import fake_sidecar as fake
from services.whatsapp.fake_sidecar import FakeSidecar

OWE = os.path.join(tap.BUILD, "tests", "services", "owe")
NUMBER, SID = "+972501234567", "CA" + "1" * 32
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 20261130
CHATS = (("972501234567@s.whatsapp.net", "972501234567"), ("8881112223334@lid", None))


def new_daemon(sidecar):
    return Daemon(WHATSAPP_PROVIDER="baileys", WHATSAPP_SOCKET=sidecar.path)


def stored(daemon):
    """Oldest first."""
    return list(reversed(daemon.kept("messages", "--last", "100000")))


def bodies(daemon):
    return [row["body"] for row in stored(daemon)]


def device(daemon):
    return daemon.status()["whatsapp"]["device"]


FAULTS = (
    ("the same events twice in one answer", fake.changed(lambda a: {**a, "events": [event for event in a["events"] for _ in (1, 2)]})),
    ("events that were taken before", FakeSidecar.taken_before),
    ("410", fake.instead('{"outbox":"x"}', 410)),
    ("429 with Retry-After", fake.refusal(429, 1)),
    ("503", fake.refusal(503)),
    ("500 without a word", fake.instead("", 500)),
    ("half a JSON", fake.truncated),
    ("an answer that drips", fake.dripping),
    ("an answer in pieces", fake.chunked),
    ("an answer that is cut off", fake.cut),
    ("a connection that is reset", fake.reset),
    ("no JSON", fake.instead("<html>")),
    ("nothing", fake.instead("")),
    ("a list", fake.instead("[]")),
    ("no numbers", fake.changed(lambda a: {"events": a["events"]})),
    ("a number that goes back", fake.changed(lambda a: {**a, "next": 0})),
    ("a number that is a text", fake.changed(lambda a: {**a, "next": str(a["next"])})),
    ("a name that is none", fake.changed(lambda a: {**a, "outbox": "a b"})),
    ("events that are an object", fake.changed(lambda a: {**a, "events": {}})),
    ("a header as long as none is", lambda sock, status, body: fake.answer(sock, status, body, f"x: {'y' * 200000}\n")),
    ("too much", fake.instead(" " * (5 << 20))),
)


def set_fault(sidecar, fault):
    sidecar.break_events.append(sidecar.taken_before if fault is FakeSidecar.taken_before else fault)


class Expected:
    """What is to be in the store: what was pushed, chat by chat."""

    def __init__(self, sidecar, daemon):
        self.sidecar, self.daemon = sidecar, daemon
        self.texts = collections.defaultdict(list)
        self.n = 0

    def push(self, what):
        for chat, pn in CHATS * 2:
            self.n += 1
            text = f"{self.n}: {what}"
            self.sidecar.message(f"W{self.n}", text, chat, pn)
            self.texts[chat].append(text)

    def is_there(self):
        return len(bodies(self.daemon)) >= self.n

    def check(self, what):
        until(self.is_there)
        got = collections.defaultdict(list)
        for row in stored(self.daemon):
            got[row["contact_id"]].append(row["body"])
        tap.same(sorted(got.values()), sorted(self.texts.values()), f"{what}: each message once, in order")


def one_by_one():
    with FakeSidecar() as s, new_daemon(s) as daemon:
        expected = Expected(s, daemon)
        for what, fault in FAULTS:
            set_fault(s, fault)
            expected.push(what)
            expected.check(what)
        s.count_on(1000)
        expected.push("gap")
        expected.check("numbers that leave out a thousand")
        until(lambda: s.is_taken)
        s.lose()
        expected.push("lost")
        expected.check("an outbox that was lost, so that numbers begin anew")
        tap.same((device(daemon)["there"], device(daemon)["error"]), (True, ""), "all is well again")
        tap.ok(NUMBER[1:] not in daemon.log, "the log has no numbers in it")
        tap.same(daemon.stop(), 0, "the daemon stops as it should")


def all_at_once():
    """Faults in any order, and the daemon killed among them."""
    draw = random.Random(SEED)
    with FakeSidecar() as s, new_daemon(s) as daemon:
        expected = Expected(s, daemon)
        deck = list(FAULTS)
        draw.shuffle(deck)
        for i, (what, fault) in enumerate(deck):
            set_fault(s, fault)
            expected.push(what)
            if i % 11 == 5:
                daemon.kill()
                daemon.start()
        expected.check(f"{len(deck)} faults, shuffled, and kill -9")


ODD = (
    None, 7, "text", [], {}, {"k": None}, {"k": "message"}, {"k": ["message"], "chat": "1@lid", "wa_id": "A"}, {"k": "poll", "question": "when?"},
    {"k": "message", "chat": {}, "wa_id": [], "text": 7}, {"k": "message", "chat": "x" * 500, "wa_id": "A"},
    {"k": "status", "wa_id": "", "state": "read"}, {"k": "status", "wa_id": "3EB0", "state": "dancing"}, {"k": "status", "wa_id": 7, "state": 7},
    {"k": "idmap", "lid": "972501234567@s.whatsapp.net", "pn": "1@lid"}, {"k": "idmap"}, {"k": "media", "chat": "1@lid", "wa_id": "none", "file": "../x"},
    {"k": "connection", "state": 7}, {"k": "connection"}, {"k": "restriction", "until": "soon"}, {"k": "pair", "qr": None},
)


def odd_events():
    with FakeSidecar() as s, new_daemon(s) as daemon:
        for i, event in enumerate(ODD):
            s.push_raw(event)
            s.message(f"O{i}", f"after {i}", colour="red", more={"a": [1, None]})
        big = "ש" * 100_000
        s.message("BIG", big)
        s.message("DEEP", "deep", nested=[[[[[[{"a": 1}]]]]]])
        s.message("LAST", "last")
        until(lambda: "last" in bodies(daemon))
        got = bodies(daemon)
        tap.same([text for text in got if text.startswith("after")], [f"after {i}" for i in range(len(ODD))], "what is not understood is passed over")
        tap.same(got.count(big), 1, "an event of 200 KB is kept whole")
        s.push("connection", state="banned", code=403)
        until(lambda: device(daemon)["state"] == "banned")
        tap.same(device(daemon)["state"], "banned", "and the feed goes on")


def what_is_wrong_is_said():
    with FakeSidecar() as s, new_daemon(s) as daemon:
        slow = fake.Slow()
        for fault, want in (([fake.refusal(503)] * 50, "503"), ([fake.instead("<html>")] * 50, "do not understand"), ([fake.cut] * 50, "broke within the answer")):
            s.break_events[:] = fault
            s.message(f"{want}-{len(fault)}", "x")
            until(lambda w=want: not device(daemon)["there"] and w in device(daemon)["error"])
            tap.ok(not device(daemon)["there"] and want in device(daemon)["error"], f"the daemon's status says what is wrong: {device(daemon)['error']}")
        s.break_events[:] = [slow]
        slow.asked.wait()
        tap.same(daemon.status()["whatsapp"]["provider"], "baileys", "while it waits, all else goes on")
        slow.go.set()
        until(lambda: len(bodies(daemon)) == 3)
        tap.same(len(bodies(daemon)), 3, "and what was late is there")
        tap.same(device(daemon)["error"], "", "nothing is wrong any more")
        s.break_events[:] = [fake.Slow()]
        s.message("NEVER", "never answered")
        until(lambda: not s.break_events)
        tap.same(daemon.stop(), 0, "the daemon does not wait for an answer to stop")


HEALTH = (
    ([], {"state": "open"}, 0, "linked and connected", "all is well"),
    ([], {"state": "banned"}, 1, "has blocked the account", "the account is blocked"),
    ([], {"state": "dancing"}, 1, "dancing", "a state nobody knows"),
    ([], {"is_filling": True}, 0, "does not fetch", "the daemon does not take what comes"),
    ([], {"restricted": 4102444800000}, 0, "nobody new until 2100-01-01", "the account may write to nobody new"),
    ([fake.refusal(503)], {}, 1, "not now (503)", "it refuses"),
    ([fake.instead("<html>")], {}, 1, "no JSON", "it says what is no JSON"),
    ([fake.truncated], {}, 1, "no JSON", "half an answer"),
    ([fake.instead("")], {}, 1, "no JSON", "nothing"),
    ([fake.instead('{"state":[],"outbox":"x"}')], {}, 1, "", "wrong types"),
    ([fake.reset], {}, 1, "cannot be asked", "the connection breaks"),
)


def whatsapp_status():
    for faults, fields, status, want, what in HEALTH:
        with FakeSidecar() as s:
            s.break_health.extend(faults)
            vars(s).update(fields)
            got = subprocess.run([tap.BINARY, "whatsapp", "status"], env={"PATH": os.environ["PATH"], "WHATSAPP_SOCKET": s.path, "TZ": "UTC"},
                                 text=True, capture_output=True, check=False, timeout=60)
            said = (got.stdout + got.stderr).strip()
            tap.ok(got.returncode == status and want in said and said, f"whatsapp status, {what}: {said!r}")


SEND_FAULTS = (
    ("429 with Retry-After", fake.refusal(429, 1)), ("503", fake.refusal(503, 1)), ("half a JSON", fake.truncated), ("a cut answer", fake.cut),
    ("a reset", fake.reset), ("an answer that drips", fake.dripping), ("no JSON", fake.instead("<html>", 202)), ("nothing", fake.instead("", 200)),
)


def owing(daemon, *texts):
    told = tap.run(OWE, f"{daemon.scratch.name}/store", SID, NUMBER, "kept", *texts)
    if told.returncode:
        raise RuntimeError(told.stderr)


def what_is_owed():
    with FakeSidecar() as s, new_daemon(s) as daemon:
        daemon.stop()
        want = [what for what, _ in SEND_FAULTS]
        for _, fault in SEND_FAULTS:  # each is taken by one of the asks, and every ask but the last by one of them
            s.break_messages.append(fault)
        owing(daemon, *want)
        daemon.start()
        until(lambda: len(s.sent) == len(want) and not s.break_messages)
        tap.same([text for _, text, _ in s.sent], want, "each is sent once and in order, whatever is answered")
        for _, _, wa_id in s.sent:
            s.push("status", wa_id=wa_id, state="server")
            s.push("status", wa_id=wa_id, state="delivered")
            s.push("status", wa_id=wa_id, state="server")
        until(lambda: {row["status"] for row in stored(daemon)} == {"delivered"})
        tap.same([row["status"] for row in stored(daemon)], ["delivered"] * len(want), "and known by the name it was given")
        daemon.stop()
        s.break_messages[:] = [fake.refusal(409)] * 50
        owing(daemon, "another body", "the next one")
        daemon.start()
        rows = {}
        until(lambda: rows.update({row["body"]: row for row in stored(daemon)}) or rows["another body"]["status"] == "failed")
        tap.ok(rows["another body"]["status"] == "failed" and "409" in rows["another body"]["error"], f"an id that another message has: {rows['another body']['error']}")
        s.break_messages.clear()


def play(draw, s, n):
    """People write, by an id, by a number, by both, and numbers pass on. Returns {wa_id: who}."""
    number_of, owner, wrote, heard = {}, {}, {}, set()
    lids = [f"{800 + i}@lid" for i in range(6)]
    numbers = [f"97250000000{i}" for i in range(4)]
    for i in range(n):
        lid = draw.choice(lids)
        if lid not in number_of and draw.random() < 0.4:
            number = draw.choice(numbers)
            before = owner.get(number)
            number_of.pop(before, None)
            number_of[lid], owner[number] = number, lid
            if lid in heard and draw.random() < 0.5:
                s.push("idmap", lid=lid, pn=f"{number}@s.whatsapp.net")
            else:
                wrote[f"P{i}"] = lid
                heard.add(lid)
                s.message(f"P{i}", f"text {i}", lid, number)
        elif lid in number_of and draw.random() < 0.4:
            wrote[f"P{i}"] = lid
            s.message(f"P{i}", f"text {i}", f"{number_of[lid]}@s.whatsapp.net", number_of[lid])
        else:
            wrote[f"P{i}"] = lid
            heard.add(lid)
            s.message(f"P{i}", f"text {i}", lid, number_of.get(lid) if draw.random() < 0.5 else None)
        if draw.random() < 0.1:
            s.break_events.append(fake.changed(lambda a: {**a, "events": [event for event in a["events"] for _ in (1, 2)]}))
    return wrote


def people():
    draw = random.Random(SEED)
    for game in range(4):
        with FakeSidecar() as s, new_daemon(s) as daemon:
            wrote = play(draw, s, 60)
            until(lambda: len(bodies(daemon)) >= len(wrote))
            until(lambda: s.is_taken)
            want, got = collections.defaultdict(list), {}
            for wa_id, lid in wrote.items():
                want[lid].append(f"text {wa_id[1:]}")
            for contact in daemon.kept("contacts", "--last", "100"):
                texts = [row["body"] for row in reversed(daemon.kept("contacts", contact["id"])["messages"])]
                got[contact["id"]] = texts
            tap.same(sorted(texts for texts in got.values() if texts), sorted(want.values()),
                     f"game {game} of {SEED}: whoever writes by whatever name is one contact with one timeline")


def main():
    one_by_one()
    all_at_once()
    odd_events()
    what_is_wrong_is_said()
    whatsapp_status()
    what_is_owed()
    people()
    tap.done()


main()
