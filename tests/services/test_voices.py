"""test_voices.py - calls spoken by Google and OpenAI, and what is heard when they are away at the start, in a call, in a word"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import floor
import tap
from daemon import Daemon, finish_call
from standins import clouds as standins
from standins.clouds import KEY, Clouds

if standins.missing():
    tap.skip(f"what remote voices do for the daemon is not shown: {standins.missing()}")
    tap.done()
    sys.exit()

SETTINGS = {"BUSINESS_NAME": "Acme", "CHAT_MODEL": "none", "STT_BASE_URL": "http://127.0.0.1:9"}


def daemon(clouds, profile="receptionist-en", **env):
    return Daemon(**{**clouds.env(), **SETTINGS, "AGENT_PROFILE": profile, **env})


def call(d, *words):
    """(the call as it was kept, seconds of the agent's voice) of a caller who says nothing, and is asked twice."""
    process = d.call("--from", "+14125550123", "--seconds", "6", *words)
    _, result, _ = finish_call(process)
    return d.kept("calls", result["each"][0]["call_sid"])


def agent_said(kept):
    return [turn for turn in kept["turns"] if turn["who"] == "agent"]


def steps(kept):
    return [(step["from"], step["to"], step["cause"]) for step in kept.get("steps", []) if step["part"] == "tts"]


# --- all is well

with Clouds() as clouds:
    with daemon(clouds) as d:
        status = d.status()["tts"]
        n_prompts = status["google"]["spoken"]
        tap.ok(n_prompts > 10 and status["stepped_down"] == 0, f"Google speaks the prompts at the start: {n_prompts}")
        kept = call(d)
        tap.ok(agent_said(kept) and agent_said(kept)[0]["text"].startswith("Hello") and not steps(kept), "and a call has them")
        said = [r for r in clouds.requests("google", "/v1/text:synthesize")]
        tap.ok(said and all(r["headers"]["authorization"].startswith("Bearer ") for r in said), "it is shown a token")
        tap.ok(KEY not in d.log and "BEGIN PRIVATE" not in d.log, "no key is in the log")
        d.stop()
        d.start()
        status = d.status()["tts"]
        tap.same((status["google"]["spoken"], status["google"]["cached"]), (0, n_prompts), "started again, it finds them in its cache")

# --- the provider is away at the start: English has another voice, Hebrew has none

with Clouds() as clouds:
    clouds.close("google")
    with daemon(clouds, OPENAI_TTS_MODEL="none") as d:
        tap.ok("asked for again in calls" in d.log, "without its provider the daemon starts, and says what that means")
        kept = call(d)
        tap.ok(agent_said(kept) and not agent_said(kept)[0].get("interrupted"), "the embedded voice speaks")
        tap.ok(steps(kept) and steps(kept)[0][:2] == ("google", "flite"), "which is shown on the call")
    with daemon(clouds, "receptionist-he", OPENAI_TTS_MODEL="none") as d:
        tap.ok("asked for again in calls" in d.log, "it starts also where nobody else speaks the language")
        kept = call(d)
        tap.same((kept["end"], agent_said(kept)), ("trouble", []), "a caller is not left in silence: the call goes on without a voice")
        clouds.listen("google")
        for _ in range(1000):  # it is left alone for five seconds
            if agent_said(call(d)):
                break
        kept = call(d)
        tap.ok(agent_said(kept) and not steps(kept), "and when the provider is back, it speaks")

# --- step by step down

with Clouds() as clouds:
    clouds.fail(google=[{"fault": "forbidden", "path": "/v1/text:synthesize", "n": 0}])
    with daemon(clouds, OPENAI_TTS_MODEL="tts-1", CACHE_DIR="/proc/none") as d:
        kept = call(d)
        tap.ok(agent_said(kept) and steps(kept) and steps(kept)[0][:2] == ("google", "openai"), "Google refuses: OpenAI speaks")
        tap.ok(re.search("google does not speak: HTTP 403 PERMISSION_DENIED.*API enabled", d.log), "and the log says what to do")
        clouds.fail(google=[{"fault": "forbidden", "path": "/v1/text:synthesize", "n": 0}],
                    openai=[{"fault": "reset", "path": "/audio/speech", "n": 0, "after_ms": 400}])
        kept = call(d)
        tap.ok(agent_said(kept) and all(not turn.get("interrupted") for turn in agent_said(kept)),
               "OpenAI's connection is reset within a word: the next voice says the sentence, to its end")
        tap.ok(("openai", "flite") in [step[:2] for step in steps(kept)], f"which is shown on the call: {steps(kept)}")
        status = d.status()["tts"]
        tap.ok(status["broken"] + status["openai"]["failed"] > 0 and status["unspoken"] == 0, f"and counted: {status}")

# --- a certificate nobody vouches for

certificate = floor.make_certificate(os.environ.get("TMPDIR", "/tmp"), "localhost")
with Clouds(tls=certificate) as clouds:
    with Daemon(**{**clouds.env(), **SETTINGS, "AGENT_PROFILE": "receptionist-en", "PROVIDER_CA_FILE": "/etc/ssl/certs/ca-certificates.crt"}) as d:
        tap.ok("the certificate does not verify" in d.log and not clouds.requests("google", "/v1/text:synthesize"),
               "a certificate that does not verify: nothing is sent")
tap.done()
