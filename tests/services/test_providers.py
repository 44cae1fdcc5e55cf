"""test_providers.py - whole calls through stand-ins of the providers: as it should be, each killed in turn, each failing in every way

The caller's ear decides: he is never left in silence for longer than 4 s, by the clock of his own play-out.
"""

import base64
import concurrent.futures
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import floor
import tap
from daemon import Daemon, Warm, until
from specs import vendors
from standins.clouds import KEY, Clouds, missing
from standins.visit import CALLER, FROM, NAME, RULES, SUMMARY, Visit, heard_as

SILENCE_MAX = 4.0  # seconds
MARGIN = 0.5       # for a machine that runs other tests at the same time
AT_ONCE = 18       # calls
ONLY = os.environ.get("PROVIDERS_ONLY", "")  # e.g. "barged", "stall"
PROFILE = {"AGENT_PROFILE": "receptionist-en", "BUSINESS_NAME": "Acme", "DEFAULT_COUNTRY": "1"}

if problem := missing():
    tap.skip(f"calls through the providers' stand-ins: {problem}")
    tap.done()

scratch = tempfile.TemporaryDirectory()
certificate = floor.make_certificate(scratch.name, "localhost")
records = []


def in_time(visit, what):
    if not tap.ok(visit.silence <= SILENCE_MAX + MARGIN, f"{what}: never silent for over {SILENCE_MAX:.0f} s"):
        print(visit)


def goes_on(visit, what):
    """The conversation does, nobody is left in silence, and nothing that was said is lost."""
    in_time(visit, what)
    good = tap.ok(len(visit.said("agent")) > len(visit.lines), f"{what}: the conversation goes on")
    kept = [turn for turn in visit.call["turns"] if turn["who"] == "caller"]
    good &= tap.ok(len(kept) >= len(visit.lines) and all(turn["text"] or turn["audio"] for turn in kept), f"{what}: all that was said is kept")
    if not good:
        print(visit)


def contact(daemon, number=FROM):
    return daemon.kept("contacts", number)


# --- the fixed prompts in every voice, rendered once

with Clouds() as clouds:
    every = clouds.env()
    warm = Warm(*({**PROFILE, **{name: value for name, value in every.items() if name not in unset}}
                  for unset in ((), ("GOOGLE_TTS_SA_JSON",), tuple(every))))

# --- as it should be: TLS and HTTP/2, a model that writes slowly, letters cut in two on the network


def whole():
    with Clouds(tls=certificate, openai={**heard_as(*CALLER), "token_ms": 15, "first_token_ms": 60}, google={"synthesize_ms": 60}) as clouds, \
            Daemon(**PROFILE, **clouds.env()) as daemon:
        visit = Visit(daemon, *CALLER).finish()
        until(lambda: SUMMARY in str(contact(daemon)))
        return visit, contact(daemon), daemon.status(), daemon.log, clouds.requests(n=1)


def look_at_whole(visit, known, status, log, seen):
    tap.same(visit.said("caller"), list(CALLER), "all that was said is kept as it was transcribed")
    tap.ok(any("next week is fine" in text for text in visit.said("agent")), "the model's words were heard")
    tap.same(visit.call["end"], "agent finished", "the model ends the call")
    in_time(visit, "a whole call")
    tap.same(visit.call.get("steps", []), [], "nobody was stepped down from")
    tap.same(known["name"], NAME, "the tool's work is with the contact")
    tap.ok(SUMMARY in str(known), "so is the summary")
    tap.ok({record["http"] for record in seen} == {"2.0"}, "all over HTTP/2")
    tap.ok(sum(record["path"].startswith("/token") for record in seen) == 1, "one token served all of it")
    tap.same((status["chat_failed"], status["stt_failed"], status["tts_failed"], status["google_token"]),
             (0, 0, 0, {"asked": 1, "failed": 0, "self_signed": False}), "and nothing was counted as failed")
    tap.ok(any(record["path"] == "/v1/text:synthesize" for record in seen), "Google spoke")
    tap.ok(KEY not in log and "ya29" not in log, "no key and no token is in the log")
    print(visit)


# --- the same in Hebrew, whose letters are cut in two on their way

HEBREW = ("אני רוצה לקבוע תור לשבוע הבא.", "שמי דנה כהן.", "לא, זה הכול. תודה רבה.")
HEBREW_NAME = "דנה כהן"
HEBREW_RULES = [
    {"json": True, "say": '{"summary": "דנה כהן רוצה תור לשבוע הבא."}'},
    {"role": "tool", "say": "תודה, דנה, רשמתי. יש עוד משהו?"},
    {"if": "תור", "say": "בשמחה, שבוע הבא מתאים. מה שמך, בבקשה?"},
    {"if": "שמי", "say": "רק רגע, בבקשה.", "tools": [{"name": "save_contact", "arguments": {"name": HEBREW_NAME}}]},
    {"if": "תודה רבה", "say": "בבקשה. להתראות.", "tools": [{"name": "end_call", "arguments": {}}]},
    {"say": "שלום, איך אפשר לעזור?"},
]


def hebrew():
    with Clouds(openai={"transcripts": list(HEBREW), "rules": HEBREW_RULES, "split": 3}) as clouds, \
            Daemon(**{**PROFILE, "AGENT_PROFILE": "receptionist-he"}, **clouds.env()) as daemon:
        visit = Visit(daemon, *CALLER).finish()
        until(lambda: "שבוע הבא" in str(contact(daemon)))
        return visit, contact(daemon), clouds.requests(n=1)


def look_at_hebrew(visit, known, seen):
    bodies = lambda path: [json.loads(base64.b64decode(record["body"])) for record in seen if record["path"] == path]
    spoken = bodies("/v1/text:synthesize")
    tap.same(visit.said("caller"), list(HEBREW), "in Hebrew: all that was said is kept as it was transcribed")
    told = visit.said("agent")
    tap.ok(all(any(rule["say"] in text for text in told) for rule in HEBREW_RULES[1:5]), "in Hebrew: the model's words were heard, whole")
    tap.ok(spoken and all(body["voice"] == {"languageCode": "he-IL", "name": "he-IL-Wavenet-A"} for body in spoken), "in Hebrew: a voice that speaks it")
    texts = [body["input"]["text"] for body in spoken if "text" in body["input"]]
    tap.ok(any(text.startswith("בשמחה") and "שמך" not in text for text in texts), "in Hebrew: sentence by sentence")
    tap.ok(any(HEBREW[0] in str(body["messages"]) for body in bodies("/v1/chat/completions")), "in Hebrew: the model is told what was said")
    tap.ok(all(b'name="language"\r\n\r\nhe\r\n' in base64.b64decode(record["body"]) for record in seen if record["path"].endswith("/transcriptions")),
           "in Hebrew: which Whisper is told to expect")
    tap.same((known["name"], visit.call["end"], visit.call.get("steps", [])), (HEBREW_NAME, "agent finished", []), "in Hebrew: the work is done")
    in_time(visit, "in Hebrew")
    print(visit)


# --- who interrupts is listened to at once, and what he did not hear was not said to him

LONG = "Of course. We are open on Monday from nine to five. We are open on Tuesday from nine to one. On Wednesday we are " \
       "closed. On Thursday we are open from ten to four. On Friday we are open in the morning only. What would suit you best?"


def barged():
    with Clouds(openai={**heard_as(*CALLER), "rules": [{"if": "appointment", "say": LONG}, *RULES], "token_ms": 120}) as clouds, \
            Daemon(**PROFILE, **clouds.env(), CACHE_DIR=warm.cache()) as daemon:
        visit = Visit(daemon, CALLER[0], ("--barge", "1500"), *CALLER[1:]).finish()
        return visit, clouds.requests("openai", "/chat/completions", 2), clouds.requests()


def look_at_barged(visit, asked, seen):
    cut = [turn for turn in visit.call["turns"] if turn["interrupted"]]
    tap.ok(cut and asked and asked[0]["ended"] == "given up", "a barge-in aborts the model's reply")
    told = [json.loads(base64.b64decode(record["body"]))["messages"] for record in asked]
    before = [message["content"] for message in told[1] if message["role"] == "assistant" and message["content"]] if len(told) > 1 else []
    before = [text.replace(" [interrupted by the caller here]", "") for text in before]
    heard = cut[0]["text"] if cut else "nothing was cut"
    tap.ok(before and LONG.startswith(before[-1]) and len(before[-1]) < len(LONG), "the model is told what was heard of it, and no more")
    tap.same(before[-1:], [heard], "the same that is kept")
    in_time(visit, "after a barge-in")
    if not cut or before[-1:] != [heard]:
        print(visit)


# --- what has to be sent is sent once, whatever becomes of the call, the model or the answer

ADDRESS = "We are at 5 Main Street."
SEND = {"if": "appointment", "say": "I am sending you our address.", "tools": [{"name": "send_whatsapp", "arguments": {"text": ADDRESS}}]}
SENT = [
    ("as it should be", {}),
    ("though Twilio's answer is lost", {"twilio": [{"fault": "lost", "path": "/Messages.json"}]}),
    ("after Twilio failed", {"twilio": [{"fault": "broken", "path": "/Messages.json", "n": 2}]}),
    ("after Twilio was busy", {"twilio": [{"fault": "busy", "path": "/Messages.json", "retry_after": "1"}]}),
    ("though the model fails after it asked for it", {"openai": [{"fault": "broken", "path": "/chat/completions", "skip": 1, "n": 0}]}),
]


def sent(row):
    with Clouds(openai={**heard_as(*CALLER), "rules": [SEND, *RULES]}) as clouds:
        clouds.fail(**row[1])
        with Daemon(**PROFILE, **clouds.env(), CACHE_DIR=warm.cache(), TWILIO_WHATSAPP_NUMBER="+14155238886") as daemon:
            clouds.set(twilio={"callbacks_to": f"http://127.0.0.1:{daemon.port}"})
            visit = Visit(daemon, CALLER[0], seconds=30).finish()
            messages = lambda: clouds.state()["twilio"]["settings"]["messages"]
            until(lambda: any(len(message["told"]) == 2 for message in messages()))
            return visit, messages(), daemon.kept("messages"), clouds.requests()


def look_at_sent(row, visit, messages, kept, seen):
    what = row[0]
    in_time(visit, f"a message is sent {what}")
    tap.same([(message["to"], message["body"]) for message in messages], [(f"whatsapp:{FROM}", ADDRESS)], f"a message is sent {what}: once")
    tap.same([code for message in messages for _, code in message["told"]], [204, 204], f"a message is sent {what}: its states are taken")
    tap.ok(any(row.get("status") == "delivered" for row in kept), f"a message is sent {what}: and kept")


# --- one provider after the other is killed within a call

# what dies once it was asked for the first time, with what the caller said; what the step down is called
KILLED = [
    # which clouds refuse connections, whose first request is waited for, the part that is stepped down from
    ("the transcription", ["openai"], "/audio/transcriptions", "stt"),
    ("the model", ["openai"], "/chat/completions", "chat"),
    ("the voice", ["google"], "/v1/text:synthesize", "tts"),
    ("all of them", ["openai", "google"], "/chat/completions", "chat"),
]


def killed(row):
    what, dead, path, part = row
    apart = {"the transcription": "STT", "the model": "CHAT"}.get(what)
    # what dies alone has a cloud of its own
    with Clouds(openai=heard_as(*CALLER)) as clouds, Clouds(openai=heard_as(*CALLER)) as other, \
            Daemon(**PROFILE, **clouds.env(), CACHE_DIR=warm.cache(), **({f"{apart}_BASE_URL": other.base("openai") + "/v1", f"{apart}_API_KEY": KEY} if apart else {})) as daemon:
        dying = other if apart else clouds
        visit = Visit(daemon, *CALLER)
        dying.requests(path=path, n=1)
        for vendor in dead:
            dying.close(vendor)
        visit.finish()
        return visit, daemon.log, clouds.requests() + other.requests()


def look_at_killed(row, visit, log, seen):
    what, _, _, part = row
    goes_on(visit, f"{what} is killed")
    tap.ok(any(step["part"] == part for step in visit.call.get("steps", [])), f"{what} is killed: the step is on the call")
    tap.ok(KEY not in log and "ya29" not in log, f"{what} is killed: no key in the log")


# --- each fails in every way, from the first request on

ANY = ["malformed", "half", "html", "empty", "unauthorised", "busy", "spent", "broken", "drop", "reset", "stall", "silent", "slow", "oversized"]
STREAMED = ["reset", "reset_stream", "stall"]  # over HTTP/2
MODEL = ["talkative", "bad_arguments", "broken_arguments", "unknown_tool", "error_event", "no_done"]
NO_STEP = {"talkative", "bad_arguments", "broken_arguments", "unknown_tool", "no_done"}  # the model goes on
PARTS = [
    # what, vendor, path, part of the step, faults, those over TLS and HTTP/2
    ("transcription", "openai", "/audio/transcriptions", "stt", ANY, STREAMED),
    ("model", "openai", "/chat/completions", "chat", ANY + MODEL, STREAMED),
    ("Google's voice", "google", "/v1/text:synthesize", "tts", ANY, STREAMED),
    ("OpenAI's voice", "openai", "/audio/speech", "tts", ANY, STREAMED),
    ("Google's token", "google", "/token", None, ["unauthorised", "broken", "silent", "html", "slow", "oversized"], STREAMED),  # we sign one ourselves
]


def failed(row):
    _, vendor, path, _, fault, is_streamed = row
    with Clouds(openai=heard_as(*CALLER), tls=certificate if is_streamed else None) as clouds:
        clouds.fail(**{vendor: [{"fault": fault, "path": path, "n": 0}]})
        env = clouds.env()
        if path == "/audio/speech":
            env = {name: value for name, value in env.items() if not name.startswith("GOOGLE")}
        with Daemon(**PROFILE, **env, CACHE_DIR=warm.cache()) as daemon:
            visit = Visit(daemon, CALLER[0], seconds=30).finish()
            return visit, daemon.status(), daemon.log, clouds.requests(ended=False)  # who gives up over HTTP/2 may say so with the next request only


FAULTS = [(*row[:4], fault, is_streamed) for row in PARTS for is_streamed in (False, True) for fault in row[4 + is_streamed]]


def look_at_failed(row, visit, status, log, seen):
    what, _, _, part, fault, is_streamed = row
    what = f"{what}, {fault}" + (" over HTTP/2" if is_streamed else "")
    goes_on(visit, what)
    tap.ok(any(record["fault"] == fault and record["http"] == ("2.0" if is_streamed else "1.1") for record in seen), f"{what}: it was met")
    steps = {step["part"] for step in visit.call.get("steps", [])}
    tap.ok(part in steps if part and fault not in NO_STEP else not steps - {part}, f"{what}: the step is on the call")
    if part == "chat":
        tap.same(status["chat_failed"] > 0, "chat" in steps, f"{what}: it is counted")
    if not part and fault != "slow":  # nobody waits for it, so it may be late
        tap.ok(status["google_token"]["failed"] > 0 and status["google_token"]["self_signed"], f"{what}: it is counted")
    tap.ok(KEY not in log and "ya29" not in log, f"{what}: no key in the log")


# --- certificates that do not verify: nothing is sent, and the call goes on


def unverified():
    other = floor.make_certificate(scratch.name, "other")
    with Clouds(tls=certificate, openai=heard_as(*CALLER)) as clouds, \
            Daemon(**PROFILE, **{**clouds.env(), "PROVIDER_CA_FILE": other[0]}, CACHE_DIR=warm.cache()) as daemon:
        visit = Visit(daemon, CALLER[0], seconds=30).finish()
        return visit, daemon.log, clouds.requests()


def look_at_unverified(visit, log, seen):
    goes_on(visit, "no certificate verifies")
    tap.same(seen, [], "no certificate verifies: nothing was sent")
    tap.ok("the certificate does not verify" in log, "no certificate verifies: the log says so")
    tap.ok(visit.call.get("steps"), "no certificate verifies: the steps are on the call")


# --- all of them, side by side

GROUPS = [
    # the calls, how one is held, how what came of it is looked at
    ([()], whole, look_at_whole),
    ([()], hebrew, look_at_hebrew),
    ([()], barged, look_at_barged),
    ([(row,) for row in SENT], sent, look_at_sent),
    ([(row,) for row in KILLED], killed, look_at_killed),
    ([()], unverified, look_at_unverified),
    ([(row,) for row in FAULTS], failed, look_at_failed),
]
with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
    started = [(row, look, pool.submit(hold, *row)) for rows, hold, look in GROUPS for row in rows if not ONLY or ONLY in str((hold.__name__, row))]
    for row, look, call in started:
        came = call.result()
        records += came[-1]
        look(*row, *came)

# --- the vendors' documents

problem = vendors.missing()
if problem:
    tap.skip(f"{len(records)} requests were not held to the vendors' documents: {problem}")
else:
    judged = vendors.judge(records)
    for row in judged:
        if row["problems"]:
            print(f'# {row["vendor"]} {row["path"]}: {row["problems"]}')
    tap.ok(judged and not any(row["problems"] for row in judged), vendors.counted(judged))
tap.done()
