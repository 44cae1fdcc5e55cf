"""test_whisper.py - calls whose answers a Whisper-shaped service transcribes, and every way it can fail in"""

import concurrent.futures
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import floor
import tap
from daemon import Daemon, Warm, finish_call
from hum import hum
from standins.clouds import KEY, Clouds, form, missing

AT_ONCE = 18  # calls
OTHER_KEY = "sk-the-other-one"
PROFILE = {"AGENT_PROFILE": "receptionist-en", "BUSINESS_NAME": "Acme", "NO_PROXY": "*"}
CALLER = ("--from", "+14125550123")

if problem := missing():
    tap.skip(f"calls that Whisper transcribes: {problem}")
    tap.done()

scratch = tempfile.TemporaryDirectory()
HUM = hum(scratch.name)
warm = Warm(PROFILE)
certificate = floor.make_certificate(scratch.name, "localhost")


def whisper(text="hello there", tls=None, **settings):
    """The stand-in hears this text in whatever it is sent."""
    return Clouds(tls=tls, openai={"heard": [{"seconds": 1, "text": text}], "quiet_level": 0, **settings})


def asked(clouds, n=0):
    return clouds.requests("openai", "/audio/transcriptions", n, ended=False)


def held(url, **env):
    """(the call as it was kept, status, log) after a caller hummed"""
    with Daemon(**{**PROFILE, "STT_API_KEY": KEY, "STT_BASE_URL": url, **env}, CACHE_DIR=warm.cache()) as daemon:
        _, result, _ = finish_call(daemon.call(*CALLER, "--wav", HUM, "--seconds", "12"))
        call = daemon.kept("calls", result["each"][0]["call_sid"]) if result else {"turns": []}
        return call, daemon.status()["stt"], daemon.log


def said(call):
    return [turn for turn in call["turns"] if turn["who"] == "caller"]


def first_said(call):
    return (said(call) or [{}])[0]


# --- it answers


def answered():
    with whisper("My boiler leaks.") as clouds:
        return *held(clouds.base("openai") + "/v1"), clouds.requests()


def look_at_answered(call, status, log, requests):
    first = first_said(call)
    tap.same(first.get("text"), "My boiler leaks.", "a free answer is transcribed")
    tap.ok(0.7 < first.get("confidence", -1) < 0.9, "with how sure Whisper was")
    asked = requests[0] if requests else {"path": "", "headers": {}}
    sent = form(asked) if requests else {}
    tap.same(asked["path"], "/v1/audio/transcriptions", "it is asked at the documented path")
    tap.same(asked["headers"].get("authorization"), f"Bearer ***{KEY[-4:]}", "with the key")
    tap.same({name: value[1].decode() for name, value in sent.items() if name != "file"},
             {"response_format": "verbose_json", "model": "whisper-1", "temperature": "0", "language": "en", "prompt": "Acme."},
             "and the documented fields")
    name, audio = sent.get("file", ("", b""))
    tap.same((name, audio[:4], audio[8:12], struct.unpack("<I", audio[24:28])[0]), ("a.wav", b"RIFF", b"WAVE", 8000),
             "the audio is WAV of 8 kHz with a name that says so")
    tap.ok(KEY not in log, "the key is not in the log")
    tap.same((status["failed"], status["unheard"], call["n_steps"]), (0, 0, 0), "nothing failed")
    times = first.get("times", {})
    tap.ok(0 < times.get("stt_asked", 0) <= times.get("stt_answered", 0) <= times.get("decided", 0),
           "the turn knows how long Whisper was waited for")
    tap.ok(first.get("latency_ms", {}).get("own", -1) >= 0, "and how long we ourselves took")


HEBREW = "שלום, מדברת דנה"


def in_hebrew():
    with whisper(HEBREW) as clouds:
        call, _, _ = held(clouds.base("openai") + "/inference", AGENT_PROFILE="receptionist-he", TTS_COMMAND=f"cat {HUM}", STT_HINTS="חיפה, חולון")
        return call, clouds.requests()


def look_at_hebrew(call, requests):
    tap.same(first_said(call).get("text"), HEBREW, "Hebrew, from a whisper.cpp server")
    tap.same(requests[0]["path"] if requests else "", "/inference", "at the path of its own")
    sent = form(requests[0]) if requests else {}
    tap.same([sent.get(name, (None, b""))[1].decode() for name in ("language", "prompt")], ["he", "חיפה, חולון. Acme."],
             "in Hebrew, with the words that are likely")


def known():
    with whisper("Anna Brown.", key="") as clouds, \
            Daemon(**PROFILE, STT_BASE_URL=clouds.base("openai") + "/v1", OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://127.0.0.1:1/v1",
                   CHAT_MODEL="none", CACHE_DIR=warm.cache()) as daemon:
        finish_call(daemon.call(*CALLER, "--wav", HUM, "--wav", HUM, "--seconds", "25"))
        n = len(asked(clouds))
        finish_call(daemon.call(*CALLER, "--wav", HUM, "--seconds", "12"))
        return n, asked(clouds)


def look_at_known(n, requests):
    prompts = [sent["prompt"][1].decode() for sent in map(form, requests) if "prompt" in sent]
    tap.same((prompts[:1], prompts[-1:], n < len(requests)), (["Acme."], ["Acme. Anna Brown."], True), "who called before: the name is likely")
    tap.ok(requests and not any("authorization" in request["headers"] for request in requests), "OpenAI's key goes to nobody else")


# --- the connection is there before the first answer


def ringing():
    with whisper() as clouds, \
            Daemon(**PROFILE, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=clouds.base("openai") + "/v1", CACHE_DIR=warm.cache()) as daemon:
        idle = clouds.heads(), daemon.status()["stt"]["connections"]
        answer = daemon.post("/webhook/incoming_call", CallSid="CA" + 32 * "7", From="+14125550123", To="+97230000000",
                             CallStatus="ringing", AccountSid=daemon.env["TWILIO_ACCOUNT_SID"])
        return idle, clouds.heads(2), clouds.requests(), answer[1]


def look_at_ringing(idle, heads, requests, answer):
    tap.same(idle, ([], 0), "a daemon without calls opens no connection")
    tap.same(sorted(head["path"] for head in heads), ["/v1/audio/transcriptions", "/v1/chat/completions"],
             "when a call is answered the providers are connected to")
    tap.same((requests, "<Stream" in answer), ([], True), "while Twilio opens the stream")


def connected():
    with whisper() as clouds, \
            Daemon(**PROFILE, STT_BASE_URL=clouds.base("openai") + "/v1", STT_API_KEY=KEY, CACHE_DIR=warm.cache()) as daemon:
        finish_call(daemon.call(*CALLER, "--wav", HUM, "--seconds", "8"))
        return clouds.heads(), clouds.requests(), daemon.status()["stt"]["connections"]


def look_at_connected(heads, requests, n_connections):
    tap.ok(requests and [requests[0]["port"]] == [head["port"] for head in heads], "the first answer goes over the connection that was there")
    tap.same(n_connections, 1, "which is the only one")


# --- it does not: each has one outcome, and the call goes on

ONCE = {"n": 1}
FAULTS = [
    # the way, how the stand-in is told, what the log says (None: transcribed after all), whether it is asked again
    ("malformed", {}, "no transcription", False),
    ("html", {}, "no transcription", False),
    ("unauthorised", {}, "HTTP 401", False),
    ("busy", {}, "HTTP 429", False),
    ("busy, once", {**ONCE, "headers": {"retry-after-ms": "150"}}, None, True),
    ("spent", {}, "HTTP 429", False),
    ("broken", {}, "HTTP 500", True),
    ("broken, once", ONCE, None, True),
    ("broken, for good", {"headers": {"x-should-retry": "false"}}, "HTTP 500", False),
    ("stall", {}, "half way", False),
    ("silent", {}, "not there in time", False),
    ("reset", {}, "broke", True),
    ("oversized", {}, "too long", False),
]


def ordered(clouds, how, **order):
    clouds.fail(openai=[{"fault": how.split(",")[0], "path": "/audio/transcriptions", "n": 0, **order}])


def failed(row):
    with whisper() as clouds:
        ordered(clouds, row[0], **row[1])
        return held(clouds.base("openai") + "/v1", STT_TIMEOUT_MS="1500")


def look_at_failed(row, call, status, log):
    how, _, cause, is_retried = row
    first = first_said(call)
    if cause is None:
        tap.same(first.get("text"), "hello there", f"{how}: transcribed after all")
    else:
        tap.ok(first.get("text") == "" and first.get("audio"), f"{how}: the audio is kept")
        tap.ok(re.search(f"stt: whisper -> nobody: .*{cause}", log), f"{how}: and the log says why")
        tap.ok(status["unheard"] >= 1, f"{how}: it is counted")
        step = (call.get("steps") or [{}])[0]
        tap.ok((step.get("part"), step.get("from"), step.get("to")) == ("stt", "whisper", "") and
               re.search(cause, step.get("cause", "")) and first["start_ms"] < step["at_ms"] < call["ended_ms"],
               f"{how}: and shown on the call with its cause")
    tap.ok((status["retries"] > 0) == is_retried, f"{how}: {'' if is_retried else 'not '}tried again")
    tap.ok(sum(turn["who"] == "agent" for turn in call["turns"]) >= 2, f"{how}: the call goes on")
    tap.ok(KEY not in log, f"{how}: without the key in the log")


def plain():
    with whisper(is_plain=True) as clouds:
        return ("plain", {}, None, False), *held(clouds.base("openai") + "/v1", STT_TIMEOUT_MS="1500")


def unverified():
    with whisper(tls=certificate) as clouds:
        _, _, log = held(clouds.base("openai") + "/v1")
        seen = clouds.requests() + clouds.heads()
        call, _, _ = held(clouds.base("openai") + "/v1", PROVIDER_CA_FILE=certificate[0])
        return log, seen, call


def look_at_unverified(log, seen, call):
    tap.ok("the certificate does not verify" in log and not seen, "a certificate that does not verify: nothing is sent")
    tap.same(first_said(call).get("text"), "hello there", "one that PROVIDER_CA_FILE vouches for is taken")


# --- two of them: the other one is asked before the embedded engine is

TWO = [("broken", "HTTP 500"), ("silent", "not there in time"), ("html", "no transcription")]


def two(row, second=None):
    with whisper() as clouds, whisper("said the other", key=OTHER_KEY) as other:
        ordered(clouds, row[0])
        if second:
            ordered(other, second)
        call, status, _ = held(clouds.base("openai") + "/v1", OPENAI_API_KEY=OTHER_KEY, STT_MODEL="their-own",
                               OPENAI_BASE_URL=other.base("openai") + "/v1", CHAT_MODEL="none")
        return call, status, asked(clouds), asked(other)


def are_from(requests, key, model):
    return requests and all(request["headers"].get("authorization") == f"Bearer ***{key[-4:]}" and form(request)["model"][1] == model
                            for request in requests)


def look_at_two(row, call, status, first, other):
    how, cause = row
    step = (call.get("steps") or [{}])[0]
    tap.same(first_said(call).get("text"), "said the other", f"{how}: the other service transcribes it")
    tap.ok((step.get("from"), step.get("to")) == ("whisper", "openai") and cause in step.get("cause", ""), f"{how}: and the call says so")
    tap.ok(status["passed_on"] >= 1 and status["unheard"] == 0, f"{how}: it is counted")
    tap.ok(are_from(other, OTHER_KEY, b"whisper-1"), f"{how}: with its own key and model")
    tap.ok(are_from(first, KEY, b"their-own"), f"{how}: which the first never sees")


def both_dead():
    return two(("unauthorised",), "unauthorised")


def look_at_both_dead(call, status, first, other):
    tap.same([(step["from"], step["to"]) for step in call.get("steps", [])][:2], [("whisper", "openai"), ("openai", "")],
             "neither answers: two steps down")
    tap.ok(first_said(call).get("audio"), "and the audio is kept")


# --- killed within a call


def killed():
    with whisper() as clouds, \
            Daemon(**PROFILE, STT_API_KEY=KEY, STT_BASE_URL=clouds.base("openai") + "/v1", CACHE_DIR=warm.cache()) as daemon:
        process = daemon.call(*CALLER, "--wav", HUM, "--wav", HUM, "--seconds", "20")
        asked(clouds, 1)
        ordered(clouds, "silent")
        _, result, _ = finish_call(process)
        return (said(daemon.kept("calls", result["each"][0]["call_sid"])),)


def look_at_killed(turns):
    tap.ok(len(turns) > 1 and turns[0]["text"] == "hello there" and turns[1]["audio"],
           "killed within a call: what follows is kept as audio, and the conversation goes on")


# --- dead: what the embedded engine can do it does


def embedded():
    yes = os.path.join(scratch.name, "yes.wav")
    subprocess.run(["flite", "-voice", "slt", "-t", "yes", "-o", yes], check=True)
    with Daemon(**PROFILE, STT_BASE_URL="http://127.0.0.1:1/v1", CACHE_DIR=warm.cache()) as daemon:
        process = daemon.call(*CALLER, "--wav", HUM, "--wav", HUM, "--wav", yes, "--seconds", "40")
        _, result, _ = finish_call(process)
        return said(daemon.kept("calls", result["each"][0]["call_sid"])), daemon.status(), daemon.log


def look_at_embedded(turns, status, log):
    answers = [turn["text"] for turn in turns if turn["expected"] == "yesno"]
    tap.ok([turn["audio"] != "" for turn in turns[:2]] == [True, True], "nobody there: free answers are kept as audio")
    tap.ok(answers and answers[0] in ("yes", "yeah", "yes please"), f"yes is understood by the embedded engine: {answers}")
    tap.ok(status["stt"]["stepped_down"] >= 1 and status["stt"]["unheard"] >= 2, "both are counted")
    tap.ok(status["stt_failed"] >= 2 and status["utterances"] >= 3, "as are the answers that nobody understood")
    tap.ok(re.search("stt: whisper -> embedded: nobody takes the connection", log), "the log says why")


# --- all of them, side by side, the longest first

GROUPS = [
    # the calls, how one is held, how what came of it is looked at
    ([()] if shutil.which("flite") else [], embedded, look_at_embedded),
    ([()], known, look_at_known),
    ([()], unverified, look_at_unverified),
    ([()], killed, look_at_killed),
    ([()], answered, look_at_answered),
    ([()], in_hebrew, look_at_hebrew),
    ([()], ringing, look_at_ringing),
    ([()], connected, look_at_connected),
    ([()], plain, look_at_failed),
    ([(row,) for row in FAULTS], failed, look_at_failed),
    ([(row,) for row in TWO], two, look_at_two),
    ([()], both_dead, look_at_both_dead),
]
if not shutil.which("flite"):
    tap.skip("one step down, end to end: there is no flite to say yes")
with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
    started = [(row, look, pool.submit(hold, *row)) for rows, hold, look in GROUPS for row in rows]
    for row, look, call in started:
        look(*row, *call.result())
tap.done()
