"""test_inbound_storm.py - WhatsApp messages and statuses from all sides, shuffled, one to three times, and kill -9 among them

Every message is there once, with its words, in the conversation of its sender; every status is the final one; what was
answered with 2xx before the kill is there after it. Twilio's webhooks bear no time: the order of a conversation is that
in which its messages first arrived. So a message that was answered before another was sent must stand before it.
The same then by a linked device: its program tells all of it in one row, each one to three times, and the daemon is
killed while it fetches.

INBOUND_MESSAGES (2000) says how many, `make storm` does it with 20000; `test_inbound_storm.py SEED` plays another game.
"""

import collections
import os
import random
import sys
import time

import tap
from daemon import ACCOUNT, Daemon, until
from services.whatsapp.fake_sidecar import FakeSidecar
from volley import volley, webhook

N = int(os.environ.get("INBOUND_MESSAGES", "2000"))
N_CONNECTIONS, OF_ONE_PERSON = 64, 20
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 20261122

CHAINS = [  # the states of one message of ours, and what they come to
    (["queued", "sent", "delivered", "read"], "read", ""),
    (["queued", "sent", "delivered"], "delivered", ""),
    (["queued", "sent", "undelivered"], "undelivered", "63024"),
    (["queued", "sent", "failed"], "failed", "63016"),
    (["sent", "failed", "delivered"], "delivered", ""),
    (["accepted", "queued", "sending", "sent"], "sent", ""),
]
RANKS = ["accepted", "queued", "sending", "sent", "undelivered", "failed", "delivered", "read"]
CODES = {"failed": "63016", "undelivered": "63024"}


def messages(n):
    """{key: (path, form)} of n messages that come in; the key is the MessageSid."""
    return {f"SM{i:032x}": ("/webhook/whatsapp/incoming", {
        "MessageSid": f"SM{i:032x}", "SmsMessageSid": f"SM{i:032x}", "AccountSid": ACCOUNT, "NumMedia": "0", "ReferralNumMedia": "0",
        "From": f"whatsapp:+97250{i // OF_ONE_PERSON:07d}", "To": "whatsapp:+97231234567", "Body": f"message {i} \u05e9\u05dc\u05d5\u05dd",
        "ProfileName": f"Person {i // OF_ONE_PERSON}", "WaId": f"97250{i // OF_ONE_PERSON:07d}", "SmsStatus": "received",
    }) for i in range(n)}


def statuses(n):
    """{key: (path, form)} of about n states, and {sid: (state, code)} they come to; the key is sid and state."""
    posts, final, i = {}, {}, 0
    while len(posts) < n:
        sid = f"MM{i:032x}"
        states, state, code = CHAINS[i % len(CHAINS)]
        final[sid] = (state, code)
        for name in states:
            code = {"ErrorCode": CODES[name]} if name in CODES else {}
            posts[sid, name] = ("/webhook/whatsapp/status", {
                "MessageSid": sid, "SmsSid": sid, "MessageStatus": name, "SmsStatus": name, "AccountSid": ACCOUNT,
                "From": "whatsapp:+97231234567", "To": f"whatsapp:+97250{i:07d}", **code})
        i += 1
    return posts, final


def deliveries(posts, draw):
    """Each of them one to three times, as a retry with the same token or as another request, shuffled."""
    deck = []
    for i, (key, (path, form)) in enumerate(posts.items()):
        first = webhook(path, form, f"{i}")
        deck += [(key, draw.choice([first, webhook(path, form, f"{i}-{n}")]) if n else first) for n in range(draw.randint(1, 3))]
    draw.shuffle(deck)
    return collections.deque(deck)


class Storm:
    def __init__(self, daemon, deck):
        self.daemon, self.deck, self.bytes = daemon, deck, dict(deck)
        self.sent, self.answered, self.refused = {}, {}, collections.Counter()
        self.n_answers = self.n_broken = 0
        self.seconds = 0

    def blow(self, until=None):
        """Posts what is left; after so many answers the daemon is killed."""
        began = time.monotonic()
        for key, sent, answered, status in volley(self.daemon.port, self.deck, N_CONNECTIONS):
            self.sent[key] = min(sent, self.sent.get(key, sent))
            if status // 100 == 2:
                self.answered[key] = min(answered, self.answered.get(key, answered))
                self.n_answers += 1
            elif status:
                self.refused[status] += 1
            else:
                self.n_broken += 1
                self.deck.append((key, self.bytes[key]))
            if self.n_answers == until:
                until = None
                self.daemon.kill()
        self.seconds += time.monotonic() - began


def kept(daemon):
    return daemon.kept("messages", "--last", "1000000")


def count_missing(storm, stored):
    """How many posts were answered with 2xx and have left nothing in the store."""
    state = {row["provider_id"]: row["status"] for row in stored}
    return sum(key not in state if isinstance(key, str) else
               key[0] not in state or RANKS.index(state[key[0]]) < RANKS.index(key[1]) for key in storm.answered)


def out_of_order(storm, stored):
    """Messages that stand behind one that was sent only after they had been answered; stored is newest first."""
    latest, n_wrong = {}, 0
    for row in sorted((row for row in stored if row["direction"] == "in"), key=lambda row: (row["created_ms"], row["id"])):
        sid, person = row["provider_id"], row["contact_id"]
        n_wrong += latest.get(person, 0) > storm.answered[sid]
        latest[person] = max(latest.get(person, 0), storm.sent[sid])
    return n_wrong


def check_messages(stored, incoming):
    rows = {row["provider_id"]: row for row in stored if row["direction"] == "in"}
    tap.same(sum(row["direction"] == "in" for row in stored), len(incoming), "every message is there once")
    tap.same(sum(rows.get(sid, {}).get("body") != form["Body"] for sid, (_, form) in incoming.items()), 0, "with its words")
    persons = collections.defaultdict(set)
    for sid, (_, form) in incoming.items():
        persons[form["From"]].add(rows.get(sid, {}).get("contact_id"))
    tap.same({len(ids) for ids in persons.values()}, {1}, "those of one sender are of one contact")
    tap.same(len(set.union(*persons.values())), len(persons), "and those of two of two")
    return {ids.pop() for ids in persons.values()}


def check_statuses(stored, final):
    rows = {row["provider_id"]: row for row in stored if row["direction"] == "out"}
    tap.same(sum(row["direction"] == "out" for row in stored), len(final), "every message of ours is there once")
    tap.same(collections.Counter((rows[sid]["status"], rows[sid]["error"].partition(":")[0]) for sid in final if sid in rows),
             collections.Counter(final.values()), "with its final state, and why it failed")
    tap.same(sum(rows[sid]["status"] != state for sid, (state, _) in final.items() if sid in rows), 0, "each with its own")


DEVICE_CHAINS = [
    (["sent", "server", "delivered", "read"], "read"), (["sent", "server", "delivered", "read", "played"], "read"),
    (["sent", "server"], "sent"), (["sent", "failed"], "failed"), (["server", "failed", "delivered"], "delivered"),
]


def device_events(n, draw):
    """(rows of (kind, fields), {chat: [text]}, {wa_id: final state}): of about n events, each one to three times, shuffled."""
    singles = [("message", f"K{i:032x}", f"{97250_0000000 + i // OF_ONE_PERSON}@s.whatsapp.net", f"words {i}") for i in range(n * 6 // 10)]
    final = {}
    while len(singles) < n:
        wa_id = f"3EB0{len(final):018X}"
        states, final[wa_id] = DEVICE_CHAINS[len(final) % len(DEVICE_CHAINS)]
        singles += [("status", wa_id, None, state) for state in states]
    deck = [single for single in singles for _ in range(draw.randint(1, 3))]
    draw.shuffle(deck)
    texts = collections.defaultdict(list)
    for kind, _, chat, text in dict.fromkeys(deck):
        if kind == "message":
            texts[chat].append(text)
    return deck, texts, final


def storm_of_device(draw):
    with FakeSidecar() as s, Daemon(WHATSAPP_PROVIDER="baileys", WHATSAPP_SOCKET=s.path) as d:
        deck, texts, final = device_events(N, draw)
        for kind, wa_id, chat, text in deck:
            if kind == "message":
                s.message(wa_id, text, chat, chat.partition("@")[0])
            else:
                s.push("status", wa_id=wa_id, state=text, code=463 if text == "failed" else None)
        began = time.monotonic()
        until(lambda: len(s.taken) > len(deck) // 3)
        d.kill()
        n_taken = len(s.taken)
        d.start()
        tap.ok(n_taken < len(deck), f"killed after {n_taken} of {len(deck)} events of a device")
        while not s.is_taken:
            n_taken = len(s.taken)
            until(lambda n=n_taken: s.is_taken or len(s.taken) > n)
            if len(s.taken) == n_taken:
                break
        tap.ok(s.is_taken, "all of them are fetched in the end")
        print(f"# {len(deck)} events in {time.monotonic() - began:.1f} s, with the restart")
        rows = kept(d)
        got = collections.defaultdict(list)
        for row in reversed(rows):
            if row["direction"] == "in":
                got[row["contact_id"]].append(row["body"])
        tap.same(sorted(got.values()) == sorted(texts.values()), True, f"each of {sum(map(len, texts.values()))} messages is there once, in the order of its conversation")
        tap.same({row["provider_id"]: row["status"] for row in rows if row["direction"] == "out"} == final, True, f"and the state of each of {len(final)} is the final one")
        tap.same(d.stop(), 0, "the daemon stops as it should")


storm_of_device(random.Random(SEED))

with Daemon() as d:
    print(f"# seed {SEED}")
    random_draw = random.Random(SEED)
    incoming = messages(N * 6 // 10)
    outgoing, final = statuses(N - len(incoming))
    deck = deliveries({**incoming, **outgoing}, random_draw)
    storm, n_deliveries = Storm(d, deck), len(deck)

    storm.blow(until=n_deliveries // 2)
    d.start()
    tap.ok(storm.n_broken and storm.deck, f"killed after {storm.n_answers} of {n_deliveries}, {storm.n_broken} under way")
    tap.same(count_missing(storm, kept(d)), 0, f"what was answered before is there: {len(storm.answered)} posts")
    storm.blow()
    tap.same(storm.refused, {}, "nothing was refused")
    tap.same(len(storm.answered), len(incoming) + len(outgoing), "all was answered in the end")

    stored = kept(d)
    tap.same(count_missing(storm, stored), 0, "and is there")
    contacts = check_messages(stored, incoming)
    check_statuses(stored, final)
    tap.same(out_of_order(storm, stored), 0, "every conversation is in the order of arrival")
    for contact in random_draw.sample(sorted(contacts), 5):
        tap.same([row["id"] for row in d.kept("contacts", contact)["messages"]],
                 [row["id"] for row in stored if row["contact_id"] == contact], "  and so is that of a contact")
    print(f"# {storm.n_answers} deliveries of {len(incoming) + len(outgoing)} posts in {storm.seconds:.1f} s: "
          f"{storm.n_answers / storm.seconds:.0f}/s, each on disk before its answer")
    tap.same(d.stop(), 0, "the daemon stops as it should")
tap.done()
