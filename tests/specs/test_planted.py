"""test_planted.py - the validation finds what is wrong: planted violations, one at a time"""

import base64
import json
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from specs.vendors import judge, missing
from tap import done, same, skip

MESSAGES = "/2010-04-01/Accounts/AC00000000000000000000000000000001/Messages.json"
CALL = MESSAGES.replace("Messages.json", "Calls/CA00000000000000000000000000000001.json")
BOUNDARY = "----x"


def record(vendor, path, body, kind="application/json", method="POST", **headers):
    authorization = "Basic ***" if vendor == "twilio" else "Bearer ***"
    return {"n": 1, "vendor": vendor, "method": method, "path": path, "body": base64.b64encode(body).decode(),
            "headers": {"authorization": authorization, **({"content-type": kind} if kind else {}), **headers}}


def chat(**changes):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    body = {"model": "m", "stream": True, "stream_options": {"include_usage": True}, "temperature": 0.3, "max_completion_tokens": 300,
            "tools": [tool], "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "שלום"},
                                          {"role": "assistant", "content": "", "tool_calls": [call]},
                                          {"role": "tool", "tool_call_id": "c", "content": "{}"}], **changes}
    return record("openai", "/v1/chat/completions", json.dumps({k: v for k, v in body.items() if v is not None}).encode())


def transcription(file="a.wav", kind="audio/wav", **fields):
    parts = {"model": "whisper-1", "language": "he", "temperature": "0", "response_format": "verbose_json", "prompt": "Acme", **fields}
    body = "".join(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts.items() if value is not None)
    body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"' + (f'; filename="{file}"' if file else "")
    body += (f"\r\nContent-Type: {kind}" if kind else "") + f"\r\n\r\nRIFF\r\n--{BOUNDARY}--\r\n"
    return record("openai", "/v1/audio/transcriptions", body.encode(), f"multipart/form-data; boundary={BOUNDARY}")


def speech(**changes):
    body = {"model": "tts-1", "input": "hello", "voice": "alloy", "response_format": "pcm", **changes}
    return record("openai", "/v1/audio/speech", json.dumps({k: v for k, v in body.items() if v is not None}).encode())


def synthesize(**changes):
    body = {"input": {"text": "שלום"}, "voice": {"languageCode": "he-IL", "name": "he-IL-Wavenet-A"},
            "audioConfig": {"audioEncoding": "MULAW", "sampleRateHertz": 8000}, **changes}
    return record("google", "/v1/text:synthesize", json.dumps({k: v for k, v in body.items() if v is not None}).encode())


def form(path, *more, **fields):
    pairs = [*((name, value) for name, value in fields.items() if value is not None), *more]
    return record("twilio", path, urllib.parse.urlencode(pairs).encode(), "application/x-www-form-urlencoded")


def message(*more, **changes):
    return form(MESSAGES, *more, **{"To": "whatsapp:+972501234567", "From": "whatsapp:+14155238886", "Body": "שלום", **changes})


MULAW = {"audioEncoding": "MULAW", "sampleRateHertz": 8000}
HEBREW = {"languageCode": "he-IL"}
ROWS = [
    # what, the request, whether it is good
    ("chat", chat(), True),
    ("chat: a misspelt key", chat(temprature=1), False),
    ("chat: no messages", chat(messages=None), False),
    ("chat: no model", chat(model=None), False),
    ("chat: temperature as text", chat(temperature="0.3"), False),
    ("chat: temperature over 2", chat(temperature=9), False),
    ("chat: a role that is not", chat(messages=[{"role": "x", "content": "y"}]), False),
    ("chat: a misspelt key in a message", chat(messages=[{"role": "user", "contnt": "y", "content": "y"}]), False),
    ("chat: a tool without a name", chat(tools=[{"type": "function", "function": {}}]), False),
    ("chat: a misspelt key of a tool", chat(tools=[{"type": "function", "function": {"name": "f", "paramters": {}}}]), False),
    ("chat: a result without its call", chat(messages=[{"role": "tool", "content": "{}"}]), False),
    ("chat: a misspelt stream option", chat(stream_options={"include_usag": True}), False),
    ("chat: JSON is asked for", chat(response_format={"type": "json_object"}), True),
    ("chat: a response format that is not", chat(response_format={"type": "json"}), False),
    ("chat: half a JSON", record("openai", "/v1/chat/completions", b'{"model":'), False),
    ("chat: as text", record("openai", "/v1/chat/completions", b"{}", "text/plain"), False),
    ("chat: without a key", {**chat(), "headers": {"content-type": "application/json"}}, False),
    ("chat: another path", record("openai", "/v1/chat/completion", b"{}"), None),
    ("chat: twice the prefix", record("openai", "/v1/v1/chat/completions", b"{}"), None),
    ("transcription", transcription(), True),
    ("transcription: no model", transcription(model=None), False),
    ("transcription: a misspelt field", transcription(languge="he"), False),
    ("transcription: a format that is not", transcription(response_format="xml"), False),
    ("transcription: temperature no number", transcription(temperature="warm"), False),
    ("transcription: a file without a name", transcription(file=None), False),
    ("transcription: a name that says nothing", transcription(file="audio"), False),
    ("transcription: no type", transcription(kind=None), False),
    ("transcription: as a form", record("openai", "/v1/audio/transcriptions", b"model=x", "application/x-www-form-urlencoded"), False),
    ("speech", speech(), True),
    ("speech: a format that is not", speech(response_format="pcm16"), False),
    ("speech: no input", speech(input=None), False),
    ("speech: too fast", speech(speed=5), False),
    ("speech: a misspelt key", speech(respons_format="pcm"), False),
    ("synthesis", synthesize(), True),
    ("synthesis: an encoding that is not", synthesize(audioConfig={"audioEncoding": "ULAW"}), False),
    ("synthesis: snake case", synthesize(audioConfig={"audio_encoding": "MULAW"}), False),
    ("synthesis: text and SSML", synthesize(input={"text": "a", "ssml": "<speak>a</speak>"}), False),
    ("synthesis: no voice", synthesize(voice=None), False),
    ("synthesis: no language", synthesize(voice={"name": "he-IL-Wavenet-A"}), False),
    ("synthesis: a misspelt key", synthesize(voice={**HEBREW, "nam": "x"}), False),
    ("synthesis: too fast", synthesize(audioConfig={**MULAW, "speakingRate": 3}), False),
    ("voices", record("google", "/v1/voices?languageCode=he-IL", b"", None, "GET"), True),
    ("voices: a misspelt parameter", record("google", "/v1/voices?language=he-IL", b"", None, "GET"), False),
    ("message", message(), True),
    ("message: with a callback", message(StatusCallback="https://gw.example.com/webhook/whatsapp/status"), True),
    ("message: two media", message(("MediaUrl", "https://a.example/1"), ("MediaUrl", "https://a.example/2")), True),
    ("message: a misspelt key", message(StatusCalback="https://gw.example.com/"), False),
    ("message: no To", message(To=None), False),
    ("message: no From", message(From=None), False),
    ("message: nothing to send", message(Body=None), False),
    ("message: a callback that is no URL", message(StatusCallback="gw example"), False),
    ("message: as JSON", record("twilio", MESSAGES, b"{}"), False),
    ("message: an account that is none", form(MESSAGES.replace("AC0", "XX0"), To="+1", From="+2", Body="x"), False),
    ("messages", record("twilio", MESSAGES + "?To=whatsapp%3A%2B972501234567&PageSize=20", b"", None, "GET"), True),
    ("messages: a misspelt parameter", record("twilio", MESSAGES + "?Too=x", b"", None, "GET"), False),
    ("call", form(CALL, Twiml="<Response><Hangup/></Response>"), True),
    ("call: nothing to change", form(CALL), False),
    ("call: a URL and TwiML", form(CALL, Twiml="<Response/>", Url="https://gw.example.com/"), False),
    ("call: a status that is not", form(CALL, Status="ended"), False),
    ("call: a length that lies", {**form(CALL, Status="completed"), "headers": {**form(CALL)["headers"], "content-length": "3"}}, False),
]

problem = missing()
if problem:
    skip(f"requests were not held to the vendors' documents: {problem}")
    done()
for (what, _, good), row in zip(ROWS, judge([row[1] for row in ROWS])):
    got = None if row["problems"] is None else not row["problems"]
    same(got, good, what + {True: " passes", False: " is found", None: ": no document knows it"}[good])
    if got != good or os.environ.get("VERBOSE"):
        print("# " + repr(row["problems"]))
done()
