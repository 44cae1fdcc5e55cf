"""test_event_hooks.py - the real daemon tells endpoints of events: signed, in order, each at least once, whatever they do

Waits between attempts are cut short by `agentlocator events --resume`, as an operator would.
"""

import collections
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import floor
import tap
from daemon import ACCOUNT, Daemon, ask, until
from oracle.packages import install, node
from receiver import Receiver, secret
from volley import volley, webhook

TOKEN = "console-0123456789"
PASS = os.path.join(tap.BUILD, "tests", "services", "pass")
FAULTS = {
    # name: what the endpoint does first, what is said of it
    "broken": (500, "HTTP 500"),
    "stalled": ("stall", "the answer is not there in time"),
    "slow": ("drip", "the answer stopped half way"),
    "moved": ((302, {"Location": "http://127.0.0.1:9/elsewhere"}), "HTTP 302: it redirects"),
    "huge": ("huge", "HTTP 500"),
    "closed": ("close", "the connection was closed without an answer"),
}
scratch = tempfile.TemporaryDirectory()


def certificate(name):
    folder = os.path.join(scratch.name, name)
    os.mkdir(folder)
    return floor.make_certificate(folder, "localhost")


def hooks(daemon):
    return daemon.status()["event_webhooks"]


def events(daemon, *args):
    return tap.run(tap.BINARY, "events", *args, env={**daemon.env, "ADMIN_SOCKET": daemon.admin})


def resume(daemon, name):
    tap.same(events(daemon, "--resume", name).returncode, 0, f"{name}: it is told at once again")


def contacts(daemon, first, n):
    """Makes n of them, each of which is told twice: contact.new and contact.changed."""
    for i in range(first, first + n):
        ask(daemon, "POST", "/api/crm/contacts", {"name": f"Dana {i}", "address": f"+97250{i:07d}"}, token=TOKEN)


def seqs(taken):
    return [event["seq"] for event in taken]


def setting(receivers):
    return " ".join(f"{name}:{receiver.url('localhost' if receiver.context else '127.0.0.1')}" for name, receiver in receivers.items())


def is_in_order(taken, first, what):
    """No event comes before the one in front of it was there; one that comes again has the id it had."""
    seen, ids, good = first - 1, collections.defaultdict(set), True
    for event in taken:
        good &= event["seq"] <= seen + 1
        seen = max(seen, event["seq"])
        ids[event["seq"]].add(event["id"])
    tap.ok(good, f"{what}: in order")
    tap.ok(all(len(each) == 1 for each in ids.values()) and len(set.union(*ids.values())) == len(ids), f"{what}: each under an id of its own")


def test_faults():
    trusted, other = certificate("trusted"), certificate("other")
    receivers = {name: Receiver(answer) for name, (answer, _) in FAULTS.items()}
    receivers["tls"] = Receiver(certificate=other)
    receivers["well"] = Receiver("endless", 200, certificate=trusted)
    with Daemon(API_TOKEN=TOKEN, EVENT_WEBHOOK_URL=setting(receivers), EVENT_WEBHOOK_SECRET=secret(1),
                PROVIDER_CA_FILE=trusted[0]) as daemon:
        contacts(daemon, 1, 3)
        receivers["well"].wait(lambda taken: len(taken) >= 6)
        tap.same(seqs(receivers["well"].taken), list(range(1, 7)), "whoever is well is told at once, whatever the others do")
        until(lambda: all(hooks(daemon)[name]["failed"] for name in receivers if name != "well"))
        said = hooks(daemon)
        for name, (_, why) in {**FAULTS, "tls": (None, "the certificate does not verify")}.items():
            tap.same((said[name]["state"], said[name]["behind"], said[name]["error"][:len(why)]), ("failing", 6, why), f"{name}: failing")
            tap.same(receivers[name].taken, [], f"{name}: was told nothing")
        tap.same((said["well"]["state"], said["well"]["behind"]), ("well", 0), "well: well")
        receivers["tls"].context = Receiver.load(trusted)
        for name, receiver in receivers.items():
            if name != "well":
                receiver.answers = [200]
                resume(daemon, name)
            receiver.wait(lambda taken: len(taken) >= 6)
            tap.same((seqs(receiver.taken), receiver.bad), (list(range(1, 7)), []), f"{name}: is told all, once, in order, signed")
        until(lambda: all(hook["state"] == "well" for hook in hooks(daemon).values()))
        daemon.stop()
        for name in receivers:
            n = daemon.log.count(f"{name} does not take event"), daemon.log.count(f"{name} takes events again")
            tap.same(n, (0, 0) if name == "well" else (1, 1), f"{name}: the log says so once")
        tap.ok(secret(1) not in daemon.log, "the secret is not in the log")
    for receiver in receivers.values():
        receiver.close()
    return receivers["well"].deliveries


def test_gone_and_refused():
    """410 stops an endpoint; an event that is refused five times is put aside, and can be sent again."""
    gone, picky = Receiver(410, 200), Receiver(200, 400, 400, 400, 400, 400, 200)
    with Daemon(API_TOKEN=TOKEN, EVENT_WEBHOOK_URL=f"gone:{gone.url()} picky:{picky.url()}", EVENT_WEBHOOK_SECRET=secret(1)) as daemon:
        contacts(daemon, 1, 2)
        until(lambda: hooks(daemon)["gone"]["state"] == "stopped")
        tap.same((hooks(daemon)["gone"]["behind"], gone.n_asked), (4, 1), "whoever says 410 is told nothing more")
        for n in range(1, 5):
            until(lambda n=n: hooks(daemon)["picky"]["failed"] >= n)
            tap.same(events(daemon, "--resume", "picky").returncode, 0, f"refused {n} times, it is sent again")
            picky.wait(lambda taken, n=n: picky.n_asked > n + 1)
        picky.wait(lambda taken: len(taken) >= 3)
        until(lambda: hooks(daemon)["picky"]["letters"])
        tap.same(seqs(picky.taken), [1, 3, 4], "after five times it is put aside, and the others come")
        until(lambda: hooks(daemon)["picky"]["behind"] == 0)
        letters = daemon.kept("events", "--failed")
        tap.same([(letter["hook"], letter["seq"], letter["error"], letter["again"]) for letter in letters],
                 [("picky", 2, "HTTP 400", False)], "the command lists it")
        tap.ok("HTTP 400" in events(daemon, "--failed").stdout, "in a table, too")
        tap.same(events(daemon, "--again", "picky:2").stdout, "1 are sent to picky again.\n", "it can be sent again")
        picky.wait(lambda taken: len(taken) >= 4)
        until(lambda: not hooks(daemon)["picky"]["letters"])
        tap.same((seqs(picky.taken), daemon.kept("events", "--failed")), ([1, 3, 4, 2], []), "and is no dead letter any more")
        tap.same(len({event["id"] for event in picky.taken}), 4, "under its id")
        for wrong, status in (("picky:2", 1), ("nobody", 1), ("picky:x", 2), ("", 2)):
            tap.same(events(daemon, "--again", wrong).returncode, status, f"'{wrong}' is refused")
        resume(daemon, "gone")
        gone.wait(lambda taken: len(taken) >= 4)
        tap.same(seqs(gone.taken), [1, 2, 3, 4], "whoever was gone is told all that happened")
        tap.same(picky.bad + gone.bad, [], "all of it signed")
    gone.close()
    picky.close()


def test_new_and_filtered():
    """A new endpoint is told what happens from then on; some kinds only; two secrets while they are rotated."""
    receiver, late = Receiver(key=secret(2)), Receiver(key=secret(1))
    with Daemon(API_TOKEN=TOKEN) as daemon:
        contacts(daemon, 1, 2)
        daemon.stop()
        daemon.env.update(EVENT_WEBHOOK_URL=receiver.url(), EVENT_WEBHOOK_SECRET=secret(1), EVENT_WEBHOOK_SECRET_NEXT=secret(2),
                          EVENT_WEBHOOK_KINDS="contact.new note.*")
        daemon.start()
        contacts(daemon, 3, 2)
        receiver.wait(lambda taken: len(taken) >= 2)
        tap.same([(event["seq"], event["kind"], event["data"]["name"]) for event in receiver.taken],
                 [(5, "contact.new", "Dana 3"), (7, "contact.new", "Dana 4")], "it is told these kinds of what happens from then on")
        until(lambda: hooks(daemon)["events"]["behind"] == 0)
        tap.same(receiver.bad, [], "and whoever has the next secret can tell that it is ours")
        daemon.stop()
        daemon.env["EVENT_WEBHOOK_URL"] = f"events:{late.url()}"
        daemon.start()
        contacts(daemon, 5, 1)
        late.wait(lambda taken: len(taken) >= 1)
        tap.same((seqs(late.taken), late.bad), ([9], []), "another URL under the same name goes on from there")
    receiver.close()
    late.close()


def test_unknown_kind():
    daemon = Daemon(EVENT_WEBHOOK_KINDS="call.* mesage.new")
    try:
        daemon.start()
        tap.ok(False, "a kind that there is none of stops the start")
        daemon.stop()
    except RuntimeError as error:
        tap.ok("EVENT_WEBHOOK_KINDS: there is no kind 'mesage.new'" in str(error), "a kind that there is none of stops the start")
        daemon.process.wait()
    daemon.scratch.cleanup()


def test_passed_by():
    """Whoever is away until the feed has no room for what happened meanwhile is told how many that were, also after a restart."""
    receiver = Receiver(500)
    with Daemon(API_TOKEN=TOKEN, EVENT_WEBHOOK_URL=receiver.url(), EVENT_WEBHOOK_SECRET=secret(1), EVENT_WEBHOOK_KINDS="contact.new") as daemon:
        contacts(daemon, 1, 2)
        until(lambda: hooks(daemon)["events"]["failed"])
        tap.same((hooks(daemon)["events"]["behind"], hooks(daemon)["events"]["missed"]), (4, 0), "an endpoint that is away is behind")
        daemon.stop()
        filled = tap.run(PASS, os.path.join(daemon.scratch.name, "store"), "contact.changed")
        tap.same(filled.returncode, 0, "while the daemon is down as much happens as the feed keeps")
        last = int(filled.stdout)
        receiver.answers = [200]
        daemon.start()
        until(lambda: hooks(daemon)["events"]["behind"] == 0)
        tap.same((hooks(daemon)["events"]["seq"], hooks(daemon)["events"]["missed"]), (last, 4), "what the feed has no more it missed, and that is counted")
        contacts(daemon, 3, 1)
        receiver.wait(lambda taken: len(taken) >= 1)
        tap.same([(event["seq"], event["data"]["name"]) for event in receiver.taken], [(last + 1, "Dana 3")], "it is told what happens next")
        until(lambda: hooks(daemon)["events"]["behind"] == 0)
        daemon.stop()
        tap.same(daemon.log.count("events has missed events, which are 4 by now"), 1, "the log says so, once")
        daemon.start()
        tap.same(hooks(daemon)["events"]["missed"], 4, "and it is known after a restart")
    receiver.close()


def test_killed():
    """2,000 events, and a daemon that is killed three times while it tells of them."""
    n, receivers = 1000, {"one": Receiver(), "two": Receiver()}
    posts = collections.deque((i, webhook("/webhook/whatsapp/incoming",
                                          {"MessageSid": f"SM{i:032d}", "AccountSid": ACCOUNT, "From": f"whatsapp:+97250{i % 97:07d}",
                                           "To": "whatsapp:+14155238886", "Body": f"no {i}"})) for i in range(n))
    one = receivers["one"]
    with Daemon(API_TOKEN=TOKEN, EVENT_WEBHOOK_URL=setting(receivers), EVENT_WEBHOOK_SECRET=secret(1)) as daemon:
        answered = [status for _, _, _, status in volley(daemon.port, posts, 8)]
        tap.same(answered, [200] * n, f"{n} messages come in")
        last = daemon.kept("events", "--last", "1")[0]["seq"]
        tap.ok(last >= 1000, f"which are {last} events")
        for part in (1, 2, 3):
            one.wait(lambda taken, part=part: len(taken) >= part * last // 4)
            daemon.kill()
            daemon.start()
        for receiver in receivers.values():
            receiver.wait(lambda taken: taken and taken[-1]["seq"] == last)
        until(lambda: all(hook["behind"] == 0 for hook in hooks(daemon).values()))
        for name, receiver in receivers.items():
            tap.same(sorted(set(seqs(receiver.taken))), list(range(1, last + 1)), f"{name}: none is lost")
            is_in_order(receiver.taken, 1, name)
            tap.same(receiver.bad, [], f"{name}: all are signed")
            print(f"# {name}: {len(receiver.taken) - last} of {last} came twice")
    for receiver in receivers.values():
        receiver.close()


def test_oracle(deliveries):
    problem = install()
    if problem:
        tap.skip(f"deliveries were not shown to the library of Standard Webhooks: {problem}")
        return
    shown = [{"secret": secret(1), "headers": headers, "body": body.decode()} for headers, body in deliveries]
    forged = [{**shown[0], "secret": secret(3)}, {**shown[0], "body": shown[0]["body"] + " "}]
    got = node("oracle/standard_webhooks.js", input=json.dumps(shown + forged))
    said = [json.loads(line) for line in got.stdout.splitlines()]
    tap.same(said[:len(shown)], [{"data": json.loads(body)} for _, body in deliveries], "the library of Standard Webhooks takes all")
    tap.same(["error" in each for each in said[len(shown):]], [True, True], "and none that is forged")


test_oracle(test_faults())
test_gone_and_refused()
test_new_and_filtered()
test_unknown_kind()
test_passed_by()
test_killed()
tap.done()
