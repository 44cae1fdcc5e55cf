"""test_whatsapp.py - the real daemon and a Twilio-shaped service: messages that are owed, every way to fail, and kill -9"""

import base64
import json
import os
import re
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap
from caller.standin import TOKEN
from daemon import ACCOUNT, HOST, Daemon, finish_call, until
from hum import hum
from standins import clouds
from standins.clouds import Clouds
from specs import vendors

FROM, TO, SID = "+14155238886", "+972501234567", "CA" + "1" * 32
OWE = os.path.join(tap.BUILD, "tests", "services", "owe")
TWILIO = ("TWILIO_BASE_URL", "NO_PROXY")


def owing(daemon, *texts, sid=SID, to=TO, wording="kept"):
    done = tap.run(OWE, f"{daemon.scratch.name}/store", sid, to, wording, *texts)
    if done.returncode:
        raise RuntimeError(done.stderr)


def new_daemon(cloud, chat=False, **env):
    given = {name: value for name, value in cloud.env().items() if chat or name in TWILIO}
    daemon = Daemon(AGENT_PROFILE="receptionist-en", TWILIO_WHATSAPP_NUMBER=FROM, **{**given, "CHAT_MODEL": "gpt-4o-mini" if chat else "none"}, **env)
    daemon.env["ADMIN_SOCKET"] = daemon.admin
    return daemon


def start(daemon, cloud, tell=True):
    """Who is told of states is known only when it listens, and then it sends already."""
    cloud.set(twilio={"callbacks_to": None if tell else ""})
    daemon.start()
    cloud.set(twilio={"callbacks_to": f"http://127.0.0.1:{daemon.port}" if tell else ""})


def messages(daemon):
    return list(reversed(daemon.kept("messages")))


def settled(daemon, *states):
    """The states of all messages, in order of writing, as soon as they are these."""
    seen = []

    def look():
        seen[:] = [message["status"] for message in messages(daemon)]
        return sorted(seen) == sorted(states)

    until(look)
    return sorted(seen)


def taken(cloud):
    return [message["body"] for message in cloud.state()["twilio"]["settings"]["messages"]]


RECORDS = []


class Twilio(Clouds):
    """Its requests are held to Twilio's document in the end."""

    def __exit__(self, *args):
        RECORDS.extend(self.requests())
        super().__exit__(*args)


def forms(cloud, n=0):
    return [{name: values[0] for name, values in urllib.parse.parse_qs(base64.b64decode(record["body"]).decode()).items()}
            for record in cloud.requests("twilio", "/Messages.json", n) if record["method"] == "POST"]


def cli(daemon, *args):
    return tap.run(tap.BINARY, "messages", *args, env=daemon.env)


def one_message():
    """All is well."""
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        daemon.stop()
        owing(daemon, "Shalom & \u05e9\u05dc\u05d5\u05dd")
        cloud.fail(twilio=[{"fault": "busy", "retry_after": "1"}])
        start(daemon, cloud)
        tap.same(settled(daemon, "delivered"), ["delivered"], "a message is sent, and its states follow it")
        message = messages(daemon)[0]
        form = forms(cloud, 2)[-1]
        tap.same(form, {"To": "whatsapp:" + TO, "From": "whatsapp:" + FROM, "Body": "Shalom & \u05e9\u05dc\u05d5\u05dd",
                        "StatusCallback": f"https://{HOST}/webhook/whatsapp/status?message={message['id']}"}, "as Twilio documents it")
        record = cloud.requests("twilio", "/Messages.json", 1)[0]
        tap.same(record["path"].split("?")[0], f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", "at the documented path")
        tap.same((message["provider_id"][:2], message["error"], message["call_sid"]), ("SM", "", SID), "it has Twilio's name, and no error")
        for query in ("?message=%zz", "?message=" + "M" * 99, "?message=", "?message=M0", "?x=1"):
            status, _ = daemon.post("/webhook/whatsapp/status" + query, MessageSid=message["provider_id"], MessageStatus="read")
            tap.same(status, 204, f"a state with {query[:16]} is kept")
        tap.same((messages(daemon)[0]["status"], len(messages(daemon))), ("read", 1), "for the message that Twilio names")
        tap.ok(TOKEN not in daemon.log and TO not in daemon.log, "the log has neither the token nor the number")
        tap.ok(re.search("20429", daemon.log), "it says that Twilio was busy")


FAULTS = [
    # fault, told of states, the message's state, what it says, how often Twilio has it
    ({"fault": "broken"}, True, "delivered", "", 1),
    ({"fault": "html"}, False, "uncertain", "cannot be read", 0),
    ({"fault": "drop"}, True, "uncertain", "does not answer", 0),
    ({"fault": "lost"}, True, "delivered", "", 1),
    ({"fault": "lost"}, False, "queued", "", 1),
    ({"fault": "unauthorised", "n": 0}, True, "failed", "TWILIO_AUTH_TOKEN", 0),
    ({"fault": "forbidden", "n": 0}, True, "failed", "TWILIO_AUTH_TOKEN", 0),
]


def one_fault(fault, told, state, error, n_taken):
    name = fault["fault"] + ("" if told else ", and no states are told")
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        daemon.stop()
        owing(daemon, "one", "two")
        cloud.fail(twilio=[fault])
        start(daemon, cloud, told)
        other = state if fault.get("n") == 0 else "delivered" if told else "queued"
        tap.same(settled(daemon, state, other), sorted((state, other)), f"{name}: one is {state}, and the next goes on")
        until(lambda: daemon.status()["outbox"]["under_way"] == 0 and sum(not row["job_id"] or row["status"] in ("failed", "uncertain") for row in messages(daemon)) == 2)
        first = next(row for row in messages(daemon) if row["body"] == "one")
        tap.ok(error in first["error"] and bool(error) == bool(first["error"]), f"{name}: and says why: {first['error']}")
        tap.same((taken(cloud).count("one"), taken(cloud).count("two")), (n_taken, 0 if fault.get("n") == 0 else 1), f"{name}: Twilio has it so often")
        tap.same(len(daemon.kept("messages", "--failed")), sum(row["status"] in ("failed", "uncertain") for row in messages(daemon)),
                 f"{name}: what failed is listed")


def dead_letters():
    """What failed is shown, and sent again by hand."""
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        daemon.stop()
        cloud.set(twilio={"window": False})
        owing(daemon, "one")
        cloud.fail(twilio=[{"fault": "busy", "retry_after": "1"}])
        start(daemon, cloud)
        tap.same(settled(daemon, "failed"), ["failed"], "63016 comes as a state, when Twilio had taken it")
        shown = cli(daemon, "--failed").stdout
        tap.ok("63016: the recipient has not written for 24 hours" in shown, "the operator reads what it means")
        cloud.set(twilio={"window": True})
        failed = daemon.kept("messages", "--failed")[0]["id"]
        tap.same(cli(daemon, "--again", failed).returncode, 0, "it is sent again by hand")
        tap.same(settled(daemon, "failed", "delivered"), ["delivered", "failed"], "as another message")
        tap.same(cli(daemon, "--failed").stdout, "No messages.\n", "and is not listed any more")
        again = cli(daemon, "--again", failed)
        tap.same((again.returncode, "sent again already" in again.stderr), (1, True), "once")
        tap.same([cli(daemon, *args).returncode for args in (("--again", "M0"), ("--again", "../x"), ("--again", failed, "more"))], [1, 2, 2],
                 "what is not there, is no id or is too much is refused")
        daemon.stop()
        gone = cli(daemon, "--again", failed)
        tap.same((gone.returncode, "ADMIN_SOCKET" in gone.stderr), (1, True), "without a daemon it says where it looked")


def nobody_there():
    """Twilio cannot be reached: nothing is lost, and nothing is uncertain."""
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        daemon.stop()
        owing(daemon, "one", "two", "three")
        cloud.close("twilio")
        start(daemon, cloud)
        until(lambda: "nobody takes the connection" in daemon.log)
        tap.same({row["status"] for row in messages(daemon)}, {"queued"}, "while nobody is there they wait")
        cloud.listen("twilio")
        tap.same(settled(daemon, *["delivered"] * 3), ["delivered"] * 3, "then they are sent")
        tap.same(taken(cloud), ["one", "two", "three"], "in order, once")


def killed():
    """kill -9 while Twilio is asked, three times."""
    texts = [f"message {i}" for i in range(6)]
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        daemon.stop()
        owing(daemon, *texts)
        owing(daemon, "another's", sid="CA" + "2" * 32, to="+972502222222")
        cloud.fail(twilio=[{"fault": "slow", "ms": 400, "n": 0}])
        for number in range(3):
            n_asked = len(cloud.requests("twilio", "/Messages.json", 0, ended=False))
            start(daemon, cloud)
            cloud.requests("twilio", "/Messages.json", n_asked + 1, ended=False)  # waits for it
            daemon.kill()
            tap.ok(number < 3, f"killed while Twilio is asked, for the {number + 1}. time")
        cloud.fail(twilio=[])
        start(daemon, cloud)
        until(lambda: all(row["provider_id"] or row["status"] == "uncertain" for row in messages(daemon)))
        rows, had = messages(daemon), taken(cloud)
        tap.same(len(rows), 7, "no message is lost")
        tap.same(max(had.count(row["body"]) for row in rows), 1, "none is sent twice")
        tap.ok(all(had.count(row["body"]) == 1 for row in rows if row["provider_id"]), "what is shown as sent was sent")
        tap.same([text for text in had if text in texts], [text for text in texts if text in had], "in order")
        tap.ok("that the last run died over" in daemon.log, "the log says what was found")


def reworded():
    """Fixed words go out as the model puts them, unless a number is lost; the call is summed up."""
    rules = [{"json": True, "system": "reword", "if": "Long Street", "say": '{"text": "You find us at 5 Long Street, dear."}'},
             {"json": True, "system": "reword", "say": '{"text": "We cost nothing."}'},
             {"json": True, "system": "sum up", "say": '{"summary": "He said hello.", "fields": {"need": "a hello", "callback": "0501112222"}}'}]
    with Twilio(openai={"rules": rules}) as cloud, new_daemon(cloud, chat=True) as daemon:
        daemon.stop()
        owing(daemon, "We are at 5 Long Street.", "It costs 300.", wording="free")
        start(daemon, cloud, tell=False)
        tap.same(settled(daemon, "queued", "queued"), ["queued", "queued"], "fixed words are sent")
        until(lambda: len(taken(cloud)) == 2)
        tap.same(taken(cloud), ["You find us at 5 Long Street, dear.", "It costs 300."], "reworded, unless a number is lost")
        tap.same([row["body"] for row in messages(daemon)], taken(cloud), "what was sent is what is kept")
        until(lambda: daemon.kept("calls", SID).get("summary"))
        call = daemon.kept("calls", SID)
        tap.same((call["summary"], call["learnt"]), ("He said hello.", {"need": "a hello"}), "the call is summed up; a number nobody said is none")
        shown = tap.run(tap.BINARY, "calls", SID, env=daemon.env).stdout
        tap.ok("He said hello." in shown, "the operator reads it with the call")
        shown = tap.run(tap.BINARY, "contacts", TO, env=daemon.env).stdout
        tap.ok("He said hello." in shown and "a hello" in shown, "and with the contact")
        asked = cloud.asked(3)
        tap.ok(all("Hello there." in json.dumps(row["messages"][-1]) and "Hello there." not in row["messages"][0]["content"] for row in asked),
               "what the caller said is data")


def promised():
    """On the telephone: the model sends what it was asked for, and says goodbye."""
    rules = [{"json": True, "system": "sum up", "say": '{"summary": "He asked where we are."}'},
             {"role": "tool", "say": "It is on its way. Goodbye.", "tools": [{"name": "end_call", "arguments": {}}]},
             {"if": ".", "tools": [{"name": "send_whatsapp", "arguments": {"text": "We are at 5 Long Street."}}]}]
    with Twilio(openai={"rules": rules}) as cloud, new_daemon(cloud, chat=True) as daemon:
        cloud.set(twilio={"callbacks_to": f"http://127.0.0.1:{daemon.port}"})
        _, result, _ = finish_call(daemon.call("--from", TO, "--wav", hum(daemon.scratch.name), "--seconds", "30"))
        sid = result["each"][0]["call_sid"] if result else ""
        tap.same(settled(daemon, "delivered"), ["delivered"], "what is promised on the telephone is sent")
        tap.same([(row["body"], row["call_sid"]) for row in messages(daemon)], [("We are at 5 Long Street.", sid)], "once, and it is known in which call")
        until(lambda: daemon.kept("calls", sid).get("summary"))
        tap.same(daemon.kept("calls", sid).get("summary"), "He asked where we are.", "and the call is summed up at its end")


def without_a_model():
    with Twilio() as cloud, new_daemon(cloud) as daemon:
        daemon.stop()
        owing(daemon, "We are at 5 Long Street.", wording="free")
        start(daemon, cloud, tell=False)
        until(lambda: taken(cloud))
        tap.same(taken(cloud), ["We are at 5 Long Street."], "without a model the words go out as they are")
        tap.ok("summary" not in daemon.kept("calls", SID), "and no call is summed up")


def held_to_the_document():
    judged = vendors.judge(RECORDS)
    wrong = [row for row in judged if row["problems"]]
    tap.same(wrong, [], vendors.counted(judged))
    tap.ok(sum(row["vendor"] == "twilio" and row["problems"] == [] for row in judged) > 20, "those to Twilio among them")


if clouds.missing():
    tap.skip(f"no message is sent: {clouds.missing()}")
else:
    one_message()
    for row in FAULTS:
        one_fault(*row)
    dead_letters()
    nobody_there()
    killed()
    reworded()
    promised()
    without_a_model()
    if vendors.missing():
        tap.skip(f"requests are not held to the vendors' documents: {vendors.missing()}")
    else:
        held_to_the_document()
tap.done()
