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
from daemon import Daemon, finish_call, until
from hum import hum
from standins.whisper import Standin

KEY = "sk-not-to-be-seen"
SCRATCH = tempfile.TemporaryDirectory()


HUM = hum(SCRATCH.name)


def held(url, **env):
    """(the call as it was kept, status, log) after a caller hummed"""
    env = {"AGENT_PROFILE": "receptionist-en", "BUSINESS_NAME": "Acme", "STT_API_KEY": KEY, "NO_PROXY": "*", **env}
    with Daemon(STT_BASE_URL=url, **env) as daemon:
        process = daemon.call("--from", "+14125550123", "--wav", HUM, "--seconds", "12")
        _, result, _ = finish_call(process)
        call = daemon.kept("calls", result["each"][0]["call_sid"]) if result else {"turns": []}
        return call, daemon.status()["stt"], daemon.log


def said(call):
    return [turn for turn in call["turns"] if turn["who"] == "caller"]


# --- it answers

with Standin() as s:
    s.text = "My boiler leaks."
    call, status, log = held(f"http://127.0.0.1:{s.port}/ok/v1")
    first = said(call)[0] if said(call) else {}
    tap.same(first.get("text"), "My boiler leaks.", "a free answer is transcribed")
    tap.ok(0.7 < first.get("confidence", -1) < 0.9, "with how sure Whisper was")
    path, headers, form = s.requests[0] if s.requests else ("", {}, {})
    tap.same(path, "/ok/v1/audio/transcriptions", "it is asked at the documented path")
    tap.same(headers.get("Authorization"), f"Bearer {KEY}", "with the key")
    tap.same({name: value[1].decode() for name, value in form.items() if name != "file"},
             {"response_format": "verbose_json", "model": "whisper-1", "temperature": "0", "language": "en", "prompt": "Acme."},
             "and the documented fields")
    name, audio = form.get("file", ("", b""))
    tap.same((name, audio[:4], audio[8:12], struct.unpack("<I", audio[24:28])[0]), ("a.wav", b"RIFF", b"WAVE", 8000),
             "the audio is WAV of 8 kHz with a name that says so")
    tap.ok(KEY not in log, "the key is not in the log")
    tap.same((status["failed"], status["unheard"], call["n_steps"]), (0, 0, 0), "nothing failed")
    times = first.get("times", {})
    tap.ok(0 < times.get("stt_asked", 0) <= times.get("stt_answered", 0) <= times.get("decided", 0),
           "the turn knows how long Whisper was waited for")
    tap.ok(first.get("latency_ms", {}).get("own", -1) >= 0, "and how long we ourselves took")

with Standin() as s:
    s.text = "שלום, מדברת דנה"
    call, status, _ = held(f"http://127.0.0.1:{s.port}/inference", AGENT_PROFILE="receptionist-he", TTS_COMMAND=f"cat {HUM}", STT_HINTS="חיפה, חולון")
    tap.same((said(call) or [{}])[0].get("text"), s.text, "Hebrew, from a whisper.cpp server")
    path, headers, form = s.requests[0] if s.requests else ("", {}, {})
    tap.same(path, "/inference", "at the path of its own")
    tap.same([form.get(name, (None, b""))[1].decode() for name in ("language", "prompt")], ["he", "חיפה, חולון. Acme."],
             "in Hebrew, with the words that are likely")

with Standin() as s:
    with Daemon(AGENT_PROFILE="receptionist-en", BUSINESS_NAME="Acme", STT_BASE_URL=f"http://127.0.0.1:{s.port}/ok/v1",
                OPENAI_API_KEY=KEY, NO_PROXY="*") as daemon:
        s.text = "Anna Brown."
        finish_call(daemon.call("--from", "+14125550123", "--wav", HUM, "--wav", HUM, "--seconds", "25"))
        n = len(s.requests)
        finish_call(daemon.call("--from", "+14125550123", "--wav", HUM, "--seconds", "12"))
        prompts = [form["prompt"][1].decode() for _, _, form in s.requests if "prompt" in form]
        tap.same((prompts[:1], prompts[-1:], n < len(s.requests)), (["Acme."], ["Acme. Anna Brown."], True),
                 "who called before: the name is likely")
        tap.ok(not any("Authorization" in headers for _, headers, _ in s.requests), "OpenAI's key goes to nobody else")

# --- the connection is there before the first answer

with Standin() as s:
    with Daemon(AGENT_PROFILE="receptionist-en", OPENAI_API_KEY=KEY, OPENAI_BASE_URL=f"http://127.0.0.1:{s.port}/ok/v1",
                OPENAI_TTS_MODEL="none", NO_PROXY="*") as daemon:
        tap.same((s.heads, daemon.status()["stt"]["connections"]), ([], 0), "a daemon without calls opens no connection")
        ringing = daemon.post("/webhook/incoming_call", CallSid="CA" + 32 * "7", From="+14125550123", To="+97230000000",
                              CallStatus="ringing", AccountSid=daemon.env["TWILIO_ACCOUNT_SID"])
        until(lambda: len(s.heads) == 2)
        tap.same(sorted(path.split("/v1/")[1] for path, _ in s.heads), ["audio/transcriptions", "chat/completions"],
                 "when a call is answered the providers are connected to")
        tap.same((s.requests, "<Stream" in ringing[1]), ([], True), "while Twilio opens the stream")
with Standin() as s:
    with Daemon(AGENT_PROFILE="receptionist-en", STT_BASE_URL=f"http://127.0.0.1:{s.port}/ok/v1", NO_PROXY="*") as daemon:
        finish_call(daemon.call("--from", "+14125550123", "--wav", HUM, "--seconds", "8"))
        tap.ok(s.ports and [s.ports[0]] == [port for _, port in s.heads], "the first answer goes over the connection that was there")
        tap.same(daemon.status()["stt"]["connections"], 1, "which is the only one")

# --- it does not: each has one outcome, and the call goes on

FAULTS = [
    # the way, what the log says, transcribed after all
    ("malformed", "no transcription", False),
    ("html", "no transcription", False),
    ("unauthorised", "HTTP 401", False),
    ("busy", "HTTP 429", False),
    ("busyonce", None, True),
    ("spent", "HTTP 429", False),
    ("broken", "HTTP 500", False),
    ("brokenonce", None, True),
    ("final", "HTTP 500", False),
    ("stall", "half way", False),
    ("silent", "not there in time", False),
    ("reset", "broke", False),
    ("oversized", "too long", False),
    ("plain", None, True),
]
RETRIED = {"busyonce", "broken", "brokenonce", "reset"}
with Standin() as s, concurrent.futures.ThreadPoolExecutor(len(FAULTS)) as pool:
    calls = pool.map(lambda fault: held(f"http://127.0.0.1:{s.port}/{fault[0]}/v1", STT_TIMEOUT_MS="1500"), FAULTS)
    for (how, cause, good), (call, status, log) in zip(FAULTS, calls):
        first = said(call)[0] if said(call) else {}
        if good:
            tap.same(first.get("text"), "hello there", f"{how}: transcribed after all")
        else:
            tap.ok(first.get("text") == "" and first.get("audio"), f"{how}: the audio is kept")
            tap.ok(re.search(f"Whisper does not answer: .*{cause}", log), f"{how}: and the log says why")
            tap.ok(status["unheard"] >= 1, f"{how}: it is counted")
            step = (call.get("steps") or [{}])[0]
            tap.ok((step.get("part"), step.get("from"), step.get("to")) == ("stt", "whisper", "") and
                   re.search(cause, step.get("cause", "")) and first["start_ms"] < step["at_ms"] < call["ended_ms"],
                   f"{how}: and shown on the call with its cause")
        tap.ok((status["retries"] > 0) == (how in RETRIED), f"{how}: {'' if how in RETRIED else 'not '}tried again")
        tap.ok(sum(turn["who"] == "agent" for turn in call["turns"]) >= 2, f"{how}: the call goes on")
        tap.ok(KEY not in log, f"{how}: without the key in the log")

certificate = floor.make_certificate(SCRATCH.name, "localhost")
with Standin(certificate) as s:
    call, _, log = held(f"https://localhost:{s.port}/ok/v1")
    tap.ok("the certificate does not verify" in log and not s.requests, "a certificate that does not verify: nothing is sent")
    call, _, log = held(f"https://localhost:{s.port}/ok/v1", PROVIDER_CA_FILE=certificate[0])
    tap.same((said(call) or [{}])[0].get("text"), "hello there", "one that PROVIDER_CA_FILE vouches for is taken")

# --- two of them: the other one is asked before the embedded engine is

TWO = [("broken", "HTTP 500"), ("silent", "not there in time"), ("html", "no transcription")]


def two(how, second="ok"):
    with Standin() as first, Standin(how=second) as other:
        other.text = "said the other"
        call, status, _ = held(f"http://127.0.0.1:{first.port}/{how}/v1", OPENAI_API_KEY=OTHER_KEY, STT_MODEL="their-own",
                               OPENAI_BASE_URL=f"http://127.0.0.1:{other.port}/v1", CHAT_MODEL="none", OPENAI_TTS_MODEL="none")
        return call, status, first, other


OTHER_KEY = "sk-the-other-one"
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    dead = pool.submit(two, "unauthorised", "unauthorised")
    for (how, cause), (call, status, first, other) in zip(TWO, pool.map(lambda fault: two(fault[0]), TWO)):
        step = (call.get("steps") or [{}])[0]
        tap.same((said(call) or [{}])[0].get("text"), "said the other", f"{how}: the other service transcribes it")
        tap.ok((step.get("from"), step.get("to")) == ("whisper", "openai") and cause in step.get("cause", ""), f"{how}: and the call says so")
        tap.ok(status["passed_on"] >= 1 and status["unheard"] == 0, f"{how}: it is counted")
        tap.ok(all(headers.get("Authorization") == f"Bearer {OTHER_KEY}" and form["model"][1] == b"whisper-1" for _, headers, form in other.requests),
               f"{how}: with its own key and model")
        tap.ok(all(headers.get("Authorization") == f"Bearer {KEY}" and form["model"][1] == b"their-own" for _, headers, form in first.requests),
               f"{how}: which the first never sees")
    call, status, first, other = dead.result()
    tap.same([(step["from"], step["to"]) for step in call.get("steps", [])][:2], [("whisper", "openai"), ("openai", "")],
             "neither answers: two steps down")
    tap.ok(said(call) and said(call)[0]["audio"], "and the audio is kept")

# --- killed within a call

with Standin() as s:
    with Daemon(AGENT_PROFILE="receptionist-en", STT_API_KEY=KEY, STT_BASE_URL=f"http://127.0.0.1:{s.port}/ok", NO_PROXY="*") as daemon:
        process = daemon.call("--from", "+14125550123", "--wav", HUM, "--wav", HUM, "--seconds", "20")
        while not s.requests and process.poll() is None:
            s.over.wait(0.05)
        s.how = "silent"
        _, result, _ = finish_call(process)
        turns = said(daemon.kept("calls", result["each"][0]["call_sid"]))
        tap.ok(turns[0]["text"] == "hello there" and len(turns) > 1 and turns[1]["audio"],
               "killed within a call: what follows is kept as audio, and the conversation goes on")

# --- dead: what the embedded engine can do it does

if not shutil.which("flite"):
    tap.skip("one step down, end to end: there is no flite to say yes")
else:
    yes = os.path.join(SCRATCH.name, "yes.wav")
    subprocess.run(["flite", "-voice", "slt", "-t", "yes", "-o", yes], check=True)
    with Daemon(AGENT_PROFILE="receptionist-en", STT_BASE_URL="http://127.0.0.1:1/v1", NO_PROXY="*") as daemon:
        process = daemon.call("--from", "+14125550123", "--wav", HUM, "--wav", HUM, "--wav", yes, "--seconds", "40")
        _, result, _ = finish_call(process)
        turns = said(daemon.kept("calls", result["each"][0]["call_sid"]))
        status = daemon.status()["stt"]
        answers = [turn["text"] for turn in turns if turn["expected"] == "yesno"]
        tap.ok([turn["audio"] != "" for turn in turns[:2]] == [True, True], "nobody there: free answers are kept as audio")
        tap.ok(answers and answers[0] in ("yes", "yeah", "yes please"), f"yes is understood by the embedded engine: {answers}")
        tap.ok(status["stepped_down"] >= 1 and status["unheard"] >= 2, "both are counted")
        tap.ok("the embedded recogniser is asked" in daemon.log and "nobody takes the connection" in daemon.log, "the log says why")
tap.done()
