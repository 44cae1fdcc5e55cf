"""test_text_agent.py - the agent on WhatsApp, by text: the built daemon, who phones and then writes, the model, Twilio, and kill -9

The model and Twilio are stand-ins; what they are asked is held to their documents in the end.
"""

import itertools
import json
import os
import re

import daemon as real
import tap
from caller.standin import TOKEN as AUTH_TOKEN
from daemon import ACCOUNT, Daemon, until
from specs import vendors
from standins import clouds
from standins.clouds import Clouds
from standins.visit import CALLER, NAME, RULES, Visit

BUSINESS, ANNA, NOA = "+14155238886", "+14125550123", "+972501110002"
API = "console-0123456789"
numbers = itertools.count(1)
RECORDS = []
HOURS = {day: "00:00-24:00" for day in ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")}

# The model's part in writing: the first row that fits answers.
WRITTEN = [
    {"system": "WhatsApp", "role": "tool", "if": "a human is told", "say": ""},
    {"system": "WhatsApp", "role": "tool", "say": "Noted: Tuesday at nine."},
    {"system": "WhatsApp", "if": "tuesday", "tools": [{"name": "schedule_callback", "arguments": {"when": "2027-03-02T09:00", "about": "the appointment"}}]},
    {"system": "WhatsApp", "if": "a human", "say": "Of course.", "tools": [{"name": "transfer_to_human", "arguments": {"reason": "wants a human"}}]},
    {"system": "WhatsApp", "if": "שלום", "say": "שלום! במה אפשר לעזור?"},
    {"system": "WhatsApp", "if": "it was me", "say": "Hello Anna, we spoke just now. What can I do?"},
    {"system": "WhatsApp", "say": "I see."},
]


class Cloud(Clouds):
    def __exit__(self, *args):
        RECORDS.extend(self.requests())
        super().__exit__(*args)

    def sent(self):
        """[(to, words)] that Twilio took, in order."""
        return [(row["to"].removeprefix("whatsapp:"), row["body"]) for row in self.state()["twilio"]["settings"]["messages"]]

    def written(self):
        """Requests to the model for an answer in writing, parsed."""
        return [body for body in self.asked() if "WhatsApp messages" in json.dumps(body["messages"][0])]


def cloud_of(*transcripts):
    return Cloud(openai={"transcripts": list(transcripts), "rules": WRITTEN + RULES}, twilio={"callbacks_to": ""})


def daemon_of(cloud, **env):
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "CHAT_MODEL", "GOOGLE_TTS_SA_JSON", "GOOGLE_TTS_BASE_URL", "TWILIO_BASE_URL", "NO_PROXY")
    given = {name: value for name, value in cloud.env().items() if name in names}
    daemon = Daemon(**{**given, "AGENT_PROFILE": "receptionist-en", "BUSINESS_NAME": "Acme", "DEFAULT_COUNTRY": "1", "WHATSAPP_AGENT": "on",
                       "TWILIO_WHATSAPP_NUMBER": BUSINESS, "API_TOKEN": API, "TIMEZONE": "Asia/Jerusalem", **env})
    daemon.env["ADMIN_SOCKET"] = daemon.admin
    return daemon


def writes(daemon, sender, body, sid=None, **more):
    form = {"MessageSid": sid or f"SM{next(numbers):032x}", "AccountSid": ACCOUNT, "From": f"whatsapp:{sender}", "To": f"whatsapp:{BUSINESS}",
            "Body": body, "NumMedia": "0", **more}
    tap.same(daemon.post("/webhook/whatsapp/incoming", **form)[0], 200, f"{body[:32]!r} is taken")
    return form["MessageSid"]



def answered(daemon, cloud, n):
    """What was sent once there are n of them and nothing is under way."""
    seen = []

    def look():
        seen[:] = cloud.sent()
        return len(seen) >= n

    until(look)
    return seen


def messages_of(daemon, which):
    return list(reversed(daemon.kept("contacts", which)["messages"]))


def ask(daemon, method, path, body=None):
    return real.ask(daemon, method, "/api/whatsapp/" + path, body, token=API)[:2]


def texts(body):
    return "\n".join(str(message["content"]) for message in body["messages"])


def phones_then_writes():
    """One person, one conversation; several messages, one answer; a tool; a human."""
    with cloud_of(*CALLER) as cloud, daemon_of(cloud) as daemon:
        visit = Visit(daemon, *CALLER, number=ANNA).finish()
        tap.same(visit.said("caller"), list(CALLER), "Anna phones and is understood")
        writes(daemon, ANNA, "Hi,")
        last = writes(daemon, ANNA, "it was me on the phone")
        writes(daemon, ANNA, "it was me on the phone", sid=last)
        tap.same(answered(daemon, cloud, 1), [(ANNA, "Hello Anna, we spoke just now. What can I do?")],
                 "she hangs up and writes twice, once of it delivered twice, and is answered once")
        asked = cloud.written()
        tap.same(len(asked), 1, "the model was asked once")
        said = texts(asked[0])
        tap.ok(CALLER[0] in said or "Anna Brown wants an appointment" in said, "it is told what was said on the telephone")
        tap.ok(re.search(r"just now|minutes? ago", said), "and how long ago that was")
        tap.ok("Hi," in said and "it was me on the phone" in said and NAME in said, "it is told both messages, and her name")
        tap.ok(said.count("</caller>") >= 4, "all of it between marks")
        tap.same(sorted(tool["function"]["name"] for tool in asked[0]["tools"]), ["save_contact", "schedule_callback", "transfer_to_human"],
                 "it has the tools that make sense in writing")

        writes(daemon, ANNA, "Call me on Tuesday at nine")
        tap.same(answered(daemon, cloud, 2)[1], (ANNA, "Noted: Tuesday at nine."), "a tool is called, and its result told")
        tasks = [task for task in daemon.kept("contacts", "tasks") if task["kind"] == "callback"]
        tap.same([(task["text"], task["due_ms"]) for task in tasks], [("the appointment", 1803970800000)], "the promise is a task")

        writes(daemon, ANNA, "I want to talk to a human")
        tap.same(answered(daemon, cloud, 3)[2], (ANNA, "Of course."), "she asks for a human and is told so")
        contact = daemon.kept("contacts", ANNA)
        tap.same((contact["agent"], [task["text"] for task in daemon.kept("contacts", "tasks") if task["kind"] == "reply"]),
                 ("silent", ["Asks for a human on WhatsApp: wants a human"]), "it is left to one, who is called")
        writes(daemon, ANNA, "Are you there?")
        writes(daemon, NOA, "another one, meanwhile")
        tap.same(answered(daemon, cloud, 4)[3], (NOA, "I see."), "she is not answered, others are")
        tap.same(ask(daemon, "POST", f"conversations/{contact['id']}", {"agent": "on"}), (200, {"contact_id": contact["id"], "agent": "on"}),
                 "the human releases her")
        writes(daemon, ANNA, "And now?")
        tap.same(answered(daemon, cloud, 5)[4], (ANNA, "I see."), "and she is answered again")
        tap.same([(message["direction"], message["author"]) for message in messages_of(daemon, ANNA)][:4],
                 [("in", ""), ("in", ""), ("out", "agent"), ("in", "")], "who wrote what is kept")
        tap.ok(AUTH_TOKEN not in daemon.log and ANNA not in daemon.log, "the log has neither token nor number")


def humans_silence():
    """A human who writes by the API goes on; who wants no messages gets none."""
    with cloud_of() as cloud, daemon_of(cloud) as daemon:
        writes(daemon, NOA, "Hello?")
        answered(daemon, cloud, 1)
        tap.same(ask(daemon, "POST", "send", {"to": NOA, "text": "Dan here, I take over"})[0], 202, "a human writes")
        answered(daemon, cloud, 2)
        writes(daemon, NOA, "Fine")
        writes(daemon, ANNA, "stop")
        writes(daemon, ANNA, "really")
        writes(daemon, "+972501110009", "and I?")
        tap.same(answered(daemon, cloud, 3), [(NOA, "I see."), (NOA, "Dan here, I take over"), ("+972501110009", "I see.")],
                 "who is a human's, and who wants no messages, is not answered")
        tap.same([daemon.kept("contacts", who)["agent"] for who in (NOA, ANNA)], ["silent", "unwanted"], "as is shown")
        writes(daemon, ANNA, "start")
        tap.same(answered(daemon, cloud, 4)[3], (ANNA, "I see."), "she may want them again")
        tap.same(tap.run(tap.BINARY, "contacts", "release", daemon.kept("contacts", NOA)["id"], env=daemon.env).returncode, 0, "Noa is released")
        writes(daemon, NOA, "Thanks")
        tap.same(answered(daemon, cloud, 5)[4], (NOA, "I see."), "and answered")
        body = [row for row in cloud.written() if "Thanks" in texts(row)][-1]
        tap.ok("<colleague>Dan here, I take over</colleague>" in texts(body), "the model knows what the human wrote")


def killed():
    """kill -9 while the model thinks, and again while Twilio has not answered: one answer, once."""
    with cloud_of() as cloud, daemon_of(cloud) as daemon:
        cloud.fail(openai=[{"fault": "stall", "path": "/chat/completions", "n": 1}])
        writes(daemon, NOA, "Is anybody there?")
        cloud.requests("openai", "/chat/completions", 1, ended=False)
        daemon.kill()
        daemon.start()
        tap.same(answered(daemon, cloud, 1), [(NOA, "I see.")], "killed while the model thinks: the answer comes after all")
        cloud.fail(twilio=[{"fault": "lost", "path": "/Messages.json", "n": 1}])
        writes(daemon, NOA, "Really?")
        until(lambda: len(cloud.sent()) == 2)
        daemon.kill()
        daemon.start()
        writes(daemon, ANNA, "one more")
        until(lambda: any(to == ANNA for to, _ in cloud.sent()))
        tap.same([words for to, words in cloud.sent() if to == NOA], ["I see."] * 2, "killed while Twilio answers: it is not sent again")
        mine = [message["body"] for message in messages_of(daemon, NOA) if message["direction"] == "out"]
        tap.same(mine, ["I see."] * 2, "nor written again")


def script_in_hebrew():
    """Without a model the profile asks, in writing; the office is open, and then it is not."""
    with open(os.path.join(tap.TOP, "profiles", "receptionist-he.json"), encoding="utf-8") as file:
        profile = json.load(file)
    with cloud_of() as cloud, daemon_of(cloud, CHAT_MODEL="none", BUSINESS_NAME="לוי ובניו", DEFAULT_COUNTRY="972") as daemon:
        path = os.path.join(daemon.scratch.name, "he.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**profile, "hours": HOURS}, file)
        daemon.stop()
        daemon.env["AGENT_PROFILE"] = path
        daemon.start()
        for n, (words, want) in enumerate((("שלום", "שלום, כאן לוי ובניו. במה אפשר לעזור?"), ("צריך תיקון לדוד השמש", "מה השם, בבקשה?"),
                                           ("קוראים לי דנה כהן", "תודה, הפרטים נרשמו. ניצור קשר בהקדם."),
                                           ("אפשר לדבר עם נציג?", "מכאן ימשיך איתכם אדם מהצוות שלנו.")), 1):
            writes(daemon, NOA, words)
            tap.same(answered(daemon, cloud, n)[-1], (NOA, want), f"{words} is answered in Hebrew")
        contact = daemon.kept("contacts", NOA)
        tap.same((contact["name"], contact["fields"].get("need"), contact["agent"]), ("דנה כהן", "צריך תיקון לדוד השמש", "silent"),
                 "what she said is kept, and she is left to a human")
        tap.same(len(cloud.asked()), 0, "no model was asked")
        daemon.stop()
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**profile, "hours": {"sunday": "09:00-09:01"}}, file)
        daemon.env["WHATSAPP_AGENT"] = "closed"
        daemon.start()
        writes(daemon, ANNA, "יש מישהו במשרד עכשיו")
        said = answered(daemon, cloud, 5)[-1][1]
        tap.ok(re.fullmatch(r"שלום, כאן לוי ובניו\. המשרד סגור עכשיו, וייפתח ביום ראשון, \d+\.\d+, בשעה 09:00\. מה השם, בבקשה\?", said), f"closed: {said}")


def hebrew_by_the_model():
    with cloud_of() as cloud, daemon_of(cloud, AGENT_PROFILE="receptionist-he") as daemon:
        writes(daemon, NOA, "שלום לכולם")
        tap.same(answered(daemon, cloud, 1), [(NOA, "שלום! במה אפשר לעזור?")], "a conversation in Hebrew, with the model")
        tap.ok("Write Hebrew" in texts(cloud.written()[0]) and "<caller>שלום לכולם</caller>" in texts(cloud.written()[0]), "who is told so")


def off():
    """As it comes, nobody is answered; what cannot work is said at the start."""
    with cloud_of() as cloud, daemon_of(cloud, WHATSAPP_AGENT="off") as daemon:
        writes(daemon, NOA, "Hello?")
        daemon.stop()
        daemon.env["WHATSAPP_AGENT"] = "on"
        daemon.start()
        writes(daemon, ANNA, "Hello?")
        tap.same(answered(daemon, cloud, 1), [(ANNA, "I see.")], "off is off, and stays so for what came then")
        daemon.stop()
        env = {**daemon.env, "WHATSAPP_AGENT": "closed"}
        done = tap.run(tap.BINARY, "serve", "--listen", "http=127.0.0.1:0", env=env)
        tap.ok(done.returncode != 0 and 'needs "hours" in the profile' in done.stderr, "closed without hours is refused")


def held_to_the_documents():
    judged = vendors.judge(RECORDS)
    wrong = [row for row in judged if row["problems"]]
    tap.same(wrong, [], vendors.counted(judged))
    tap.ok(sum(row["vendor"] == "openai" for row in judged) > 10, "those to the model among them")


if clouds.missing():
    tap.skip(f"nobody is answered: {clouds.missing()}")
else:
    phones_then_writes()
    humans_silence()
    killed()
    script_in_hebrew()
    hebrew_by_the_model()
    off()
    if vendors.missing():
        tap.skip(f"requests are not held to the vendors' documents: {vendors.missing()}")
    else:
        held_to_the_documents()
tap.done()
