"""test_call.py - agentlocator call against servers that keep the rules, and against servers that break each of them"""

import base64
import concurrent.futures
import json
import os
import ssl
import struct
import sys
import tempfile
import urllib.parse
import wave

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import floor
import tap
from caller.standin import TOKEN, TWIML, Standin, frame, sign

LOUD = b"\x20" * 1600  # 200 ms of what no ear takes for silence
SCRATCH = tempfile.TemporaryDirectory()


def wav(name, seconds, rate=8000):
    """A recording: half a second of tone, then silence."""
    path = os.path.join(SCRATCH.name, name)
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        tone = [8000 if i // 8 % 2 else -8000 for i in range(rate // 2)]
        out.writeframes(struct.pack(f"<{len(tone)}h", *tone) + bytes(2 * int(rate * (seconds - 0.5))))
    return path


def call(standin, *args):
    done = tap.run(tap.BINARY, "call", "--json", "--to-url", standin.url, "--public-host", "stand.in", "--auth-token", TOKEN,
                   *args, timeout=60)
    try:
        return done.returncode, json.loads(done.stdout), done.stderr
    except ValueError:
        return done.returncode, None, done.stderr


# --- a server that keeps the rules


def greet_and_leave(stream):
    stream.wait("start")
    stream.audio(LOUD)
    stream.mark("greeting")
    if stream.wait("mark"):
        stream.close()


with Standin(greet_and_leave) as s:
    status, result, err = call(s)
    if not tap.ok(status == 0 and result and result["good"], "a server that keeps the rules is told so"):
        print("# " + err.replace("\n", "\n# "))
    tap.same(result["outcomes"], {"the agent hung up": 1}, "and that it hung up")
    post, get, callback = s.requests
    tap.same(post[:2], ("POST", "/webhook/incoming_call"), "the webhook is posted")
    tap.same(post[2]["host"], "stand.in", "to the public name")
    tap.same(post[2]["x-twilio-signature"], sign("https://stand.in/webhook/incoming_call", post[3]), "and signed for it")
    tap.ok(all(b"&%s=" % name in b"&" + post[3] for name in
               (b"AccountSid", b"ApiVersion", b"CallSid", b"CallStatus", b"Direction", b"From", b"To", b"FromCity")),
           "with the documented parameters")
    tap.same((get[0], get[1]), ("GET", "/ws"), "the stream is opened at the path of the TwiML")
    tap.same(get[2]["x-twilio-signature"], sign("wss://stand.in/ws"), "signed for the URL in the TwiML")
    tap.same(callback[1], "/webhook/call_status", "the status callback follows")
    tap.ok(b"CallStatus=completed" in callback[3] and b"SequenceNumber=0" in callback[3], "with the final status")
    tap.same(callback[2]["x-twilio-signature"], sign("https://stand.in/webhook/call_status", callback[3]), "signed")
    connected, start = s.messages[:2]
    tap.same(connected, {"event": "connected", "protocol": "Call", "version": "1.0.0"}, "connected comes first")
    call_sid, stream_sid = result["each"][0]["call_sid"], result["each"][0]["stream_sid"]
    tap.same(start, {
        "event": "start", "sequenceNumber": "1", "streamSid": stream_sid,
        "start": {"accountSid": "AC" + 32 * "0", "streamSid": stream_sid, "callSid": call_sid, "tracks": ["inbound"],
                  "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                  "customParameters": {"token": "a&b"}}}, "then start, with the parameters of the TwiML")
    rest = s.messages[2:]
    tap.same([m["sequenceNumber"] for m in rest], [str(i + 2) for i in range(len(rest))], "sequence numbers count every message")
    media = [m for m in rest if m["event"] == "media"]
    tap.same([m["media"]["chunk"] for m in media], [str(i + 1) for i in range(len(media))], "chunks count the media")
    tap.same([m["media"]["timestamp"] for m in media], [str(20 * i) for i in range(len(media))], "timestamps grow by 20 ms")
    tap.ok(all(m["media"]["track"] == "inbound" and base64.b64decode(m["media"]["payload"]) == b"\xff" * 160 for m in media),
           "a caller with nothing to say sends silence")
    tap.same([m["mark"] for m in rest if m["event"] == "mark"], [{"name": "greeting"}], "the mark comes back")
    before = [m for m in rest[:[m["event"] for m in rest].index("mark")] if m["event"] == "media"]
    tap.ok(9 <= len(before) <= 30, f"after the audio before it was played ({len(before)} frames)")
    tap.same(s.faults, [], "all frames are masked")


# --- a conversation


def converse(stream):
    stream.wait("start")
    stream.audio(LOUD)
    heard = 0
    while heard < 10:  # the caller's first turn
        message = stream.wait("media")
        heard += base64.b64decode(message["media"]["payload"]) != b"\xff" * 160
    while base64.b64decode(stream.wait("media")["media"]["payload"])[-1] != 0xFF:
        pass
    stream.audio(LOUD)
    while stream.wait("dtmf")["dtmf"]["digit"] != "#":
        pass
    stream.audio(LOUD)
    stream.wait("stop")


with Standin(converse) as s:
    record = os.path.join(SCRATCH.name, "out.wav")
    status, result, err = call(s, "--say-text", "good morning", "--wav", wav("a.wav", 0.7, 16000), "--dtmf", "05w#", "--linger", "0.7",
                               "--record", record)
    tap.same((status, result["outcomes"]), (0, {"the caller hung up": 1}), "a caller says his turns and hangs up")
    tap.same(result["each"][0]["turns_said"], 2, "both of them")
    tap.same([m["dtmf"] for m in s.messages if m["event"] == "dtmf"],
             [{"track": "inbound_track", "digit": d} for d in "05#"], "keys have the documented shape")
    tap.same(s.messages[-1]["stop"], {"accountSid": "AC" + 32 * "0", "callSid": result["each"][0]["call_sid"]}, "stop comes last")
    tap.same([row["said"] for row in result["answered"]], ["good morning", "keys 05w#"], "both turns were answered")
    tap.ok(all(row["first_audio_ms"] < 2000 for row in result["answered"]), "in the time from the last sound")
    tap.same(s.close_frames, [struct.pack(">H", 1000)], "the close code is 1000")
    with wave.open(record) as w:
        tap.same((w.getnchannels(), w.getframerate()), (2, 8000), "the recording is stereo")
        samples = struct.unpack(f"<{2 * w.getnframes()}h", w.readframes(w.getnframes()))
        tap.ok(all(max(map(abs, samples[side::2])) > 4000 for side in (0, 1)), "with the caller left and the agent right")


def talk_until_cleared(stream):
    stream.wait("start")
    stream.audio(LOUD * 20)
    stream.mark("unheard")
    while base64.b64decode(stream.wait("media")["media"]["payload"])[0] == 0xFF:
        pass
    stream.clear()
    stream.wait("mark")
    stream.close()


with Standin(talk_until_cleared) as s:
    status, result, err = call(s, "--barge", "100", "--wav", wav("b.wav", 0.6))
    tap.same((status, result["clears"]), (0, 1), "a caller interrupts, and the marks of what was cleared come back")
    tap.ok("unsaid" in err, "and it is told how soon the agent fell silent")


# --- the echo line


def echo(stream):
    stream.wait("start")
    while (message := stream.message()) is not None and message["event"] != "stop":
        if message["event"] == "media":
            stream.audio(base64.b64decode(message["media"]["payload"]))


def poor_echo(stream):
    stream.wait("start")
    kept = b""
    while (message := stream.message()) is not None and message["event"] != "stop":
        if message["event"] != "media":
            continue
        chunk = int(message["media"]["chunk"])
        if chunk == 5:
            continue
        kept += base64.b64decode(message["media"]["payload"])
        if chunk == 9:
            kept = kept[:-1] + b"\x55"
        if len(kept) >= 500:
            stream.audio(kept)
            kept = b""


with Standin(echo) as s:
    status, result, err = call(s, "--echo", "--calls", "20", "--seconds", "1", "--ramp", "0.2")
    tap.same((status, result["established"], result["lost"]), (0, 20, 0), "20 calls on an echo line lose nothing")
    tap.same(result["echo_sent"], result["round_trip_ms"]["n"], "and every frame's round trip is measured")
    tap.same(len({row["call_sid"] for row in result["each"]}), 20, "each call has its own name")
with Standin(poor_echo) as s:
    status, result, err = call(s, "--echo", "--seconds", "0.6")
    tap.ok(status == 1 and result["lost"] >= 2 and result["garbled_bytes"] >= 160,
           "a line that loses one frame and changes another is found out")
    tap.ok(result["echo_back"] > 15, "however it cuts them into messages")


# --- over TLS

certificate, key = floor.make_certificate(SCRATCH.name, "localhost")
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
for options, outcome, what in ((["--ca", certificate], "the agent hung up", "a certificate we trust"),
                               (["--insecure"], "the agent hung up", "any certificate, when told so"),
                               ([], "no connection", "a certificate nobody knows")):
    with Standin(greet_and_leave, tls=tls) as s:
        status, result, err = call(s, *options)
        tap.same((status, list(result["outcomes"])), (outcome == "no connection", [outcome]), f"over TLS, {what}")
with Standin(greet_and_leave, tls=tls, twiml=TWIML.replace("stand.in", "localhost:PORT")) as stream_host, \
        Standin(None, twiml=stream_host.twiml) as s:
    status, result, err = call(s, "--direct", "--ca", certificate)
    tap.same((status, len(s.requests), len(stream_host.requests)), (0, 2, 1), "--direct opens the stream at the host of its URL")
with Standin(echo, tls=tls) as s:
    status, result, err = call(s, "--echo", "--seconds", "0.5", "--insecure")
    tap.same((status, result["lost"]), (0, 0), "the echo line over TLS loses nothing")

# --- servers that break the rules: what is wrong, the server, the code of the breach, and how the call ends

HEARD = "the caller hung up"
LEFT = "the agent hung up"
BROKE = "the stream broke"


def after_start(do):
    """A stream that does something wrong once it has begun, and then leaves in order."""

    def behaviour(stream):
        stream.wait("start")
        do(stream)
        stream.close()

    return behaviour


def raw(text):
    return after_start(lambda stream: stream.write(frame(1, text.replace("SID", stream.sid).encode())))


def early(stream):
    stream.message()
    stream.send(event="clear", streamSid="MZ")
    stream.close()


def hang_up(code):
    return after_start(lambda stream: stream.close(code))


def vanish(stream):
    stream.wait("start")
    return "rude"


def no_pong(stream):
    stream.pongs = False
    for _ in range(60):
        stream.wait("media")
    stream.close()


def speak_and_leave(stream):
    stream.wait("start")
    stream.audio(LOUD * 10)
    stream.close()


def answer_nothing(stream):
    stream.wait("stop")
    stream.read()
    return "rude"


HANDSHAKE = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n%s\r\n"


def stream_twiml(attributes):
    return f"<Response><Connect><Stream {attributes}/></Connect></Response>"


MEDIA = '{"event":"media","streamSid":"SID","media":{"payload":"%s"%s}%s}'
silent = after_start(lambda stream: None)
cases = [
    ("nothing at all", dict(behaviour=silent), None, LEFT),
    ("a binary frame", dict(behaviour=after_start(lambda s: s.write(frame(2, b"x")))), 31950, LEFT),
    ("no JSON", dict(behaviour=raw("hello")), 31951, LEFT),
    ("an unknown event", dict(behaviour=raw('{"event":"hangup","streamSid":"SID"}')), 31951, LEFT),
    ("an event of the other side", dict(behaviour=raw('{"event":"stop","streamSid":"SID"}')), 31951, LEFT),
    ("no streamSid", dict(behaviour=raw('{"event":"clear"}')), 31951, LEFT),
    ("another streamSid", dict(behaviour=raw('{"event":"clear","streamSid":"MZ0"}')), 31951, LEFT),
    ("an extra key on top", dict(behaviour=raw(MEDIA % ("/38=", "", ',"sequenceNumber":"1"'))), 31951, LEFT),
    ("an extra key in media", dict(behaviour=raw(MEDIA % ("/38=", ',"track":"outbound"', ""))), 31951, LEFT),
    ("a payload that is not base64", dict(behaviour=raw(MEDIA % ("/38", "", ""))), 31951, LEFT),
    ("a payload with a WAV header", dict(behaviour=raw(MEDIA % ("UklGRiQAAABXQVZF", "", ""))), 31951, LEFT),
    ("an empty payload", dict(behaviour=raw(MEDIA % ("", "", ""))), 31951, LEFT),
    ("a mark without a name", dict(behaviour=raw('{"event":"mark","streamSid":"SID","mark":{}}')), 31951, LEFT),
    ("a message before start", dict(behaviour=early), 31951, LEFT),
    ("eleven minutes of audio", dict(behaviour=after_start(lambda s: [s.audio(b"\xff" * 480000) for _ in range(11)])), 31931, LEFT),
    ("a masked frame", dict(behaviour=after_start(lambda s: s.write(frame(10, b"x", mask=b"abcd")))), 31924, LEFT),
    ("a fragmented ping", dict(behaviour=after_start(lambda s: s.write(frame(9, b"x", fin=False)))), 31924, BROKE),
    ("a reserved bit", dict(behaviour=after_start(lambda s: s.write(frame(1, b"x", reserved=4)))), 31924, BROKE),
    ("text that is not UTF-8", dict(behaviour=after_start(lambda s: s.write(frame(1, b"\xff")))), 31924, BROKE),
    ("no pong", dict(behaviour=no_pong), 31924, LEFT),
    ("a close with another code", dict(behaviour=hang_up(1011)), 31921, LEFT),
    ("an end without a close frame", dict(behaviour=vanish), 31903, BROKE),
    ("an end over audio not yet heard", dict(behaviour=speak_and_leave), 0, LEFT),
    ("no answer to our close frame", dict(behaviour=answer_nothing), 31903, HEARD),
    ("a handshake refused", dict(behaviour=silent, handshake="HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n"), 31920,
     "the handshake failed"),
    ("a wrong accept key", dict(behaviour=silent, handshake=(HANDSHAKE % "").replace("ACCEPT", "x")), 31920, "the handshake failed"),
    ("an extension nobody offered", dict(behaviour=silent, handshake=HANDSHAKE % "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
     31920, "the handshake failed"),
    ("a webhook that fails", dict(behaviour=silent, status=500), 11200, "the webhook failed"),
    ("a webhook of another type", dict(behaviour=silent, content_type="application/json"), 12300, LEFT),
    ("a webhook without a type", dict(behaviour=silent, content_type=None), 12300, LEFT),
    ("an empty webhook", dict(behaviour=silent, twiml=""), 11770, "the webhook failed"),
    ("broken TwiML", dict(behaviour=silent, twiml="<Response>"), 12100, "the webhook failed"),
    ("65 kB of TwiML", dict(behaviour=silent, twiml="<Response>" + " " * 65536 + "</Response>"), 11750, "the webhook failed"),
    ("TwiML on two lines", dict(behaviour=silent, twiml=TWIML.replace("><Conn", ">\n<Conn")), 0, LEFT),
    ("an unknown verb", dict(behaviour=silent, twiml=TWIML.replace("</Response>", "<Sing/></Response>")), 12200, LEFT),
    ("a stream that is not wss", dict(behaviour=silent, twiml=stream_twiml('url="ws://h/"')), 31922, "no stream in the TwiML"),
    ("a stream without a URL", dict(behaviour=silent, twiml=stream_twiml("")), 31923, "no stream in the TwiML"),
    ("a stream with a query", dict(behaviour=silent, twiml=stream_twiml('url="wss://h/ws?token=1"')), 31920, LEFT),
    ("both tracks", dict(behaviour=silent, twiml=stream_twiml('url="wss://h/ws" track="both_tracks"')), 31941, LEFT),
    ("no Connect", dict(behaviour=silent, twiml="<Response><Hangup/></Response>"), None, "no stream in the TwiML"),
    ("a busy line", dict(behaviour=silent, twiml='<Response><Reject reason="busy"/></Response>'), None, "rejected"),
    ("a status callback that fails", dict(behaviour=silent, callback=500), 11200, LEFT),
]



def run_case(case):
    with Standin(**case[1]) as standin:
        return call(standin, "--seconds", "0.2" if case[3] == HEARD else "10")


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for (what, _, code, outcome), (status, result, err) in zip(cases, pool.map(run_case, cases)):
        codes = [row["code"] for row in result["breaches"]] if result else err
        tap.same((codes, list(result["outcomes"])), ([] if code is None else [code], [outcome]), f"{what}: reported")
        good = code is None and outcome in (HEARD, LEFT)
        tap.same(status, 0 if good else 1, "... and the exit status says so")

# --- what follows the stream

CONNECT = TWIML.replace("<Connect>", '<Connect action="https://stand.in/after">')
DIAL = '<Response><Dial action="/dialled"><Number>+97230000009</Number></Dial><Say>unreachable</Say></Response>'
RECORD = ('<Response><Say>Sorry.</Say><Record action="https://stand.in/recorded?a=1" recordingStatusCallback="/notice"/></Response>')
ACTIONS = {"/after": DIAL, "/dialled": RECORD, "/recorded?a=1": "<Response/>"}


def forms(s):
    return [(path, dict(urllib.parse.parse_qsl(body.decode()))) for method, path, _, body in s.requests if method == "POST"]


with Standin(silent, twiml=CONNECT, actions=ACTIONS) as s:
    status, result, err = call(s, "--dial", "busy")
    tap.same((status, result["outcomes"]), (0, {LEFT: 1}), "a call goes on behind its stream")
    posts = forms(s)
    tap.same([path for path, _ in posts],
             ["/webhook/incoming_call", "/after", "/dialled", "/notice", "/recorded?a=1", "/webhook/call_status"],
             "from action to action")
    tap.same(posts[1][1]["CallStatus"], "in-progress", "while it is in progress")
    tap.same((posts[2][1]["DialCallStatus"], posts[2][1]["DialBridged"]), ("busy", "false"), "the human answers as he is told to")
    tap.same(posts[3][1]["RecordingStatus"], "completed", "a recording is told of")
    tap.ok(posts[4][1]["RecordingUrl"].endswith(posts[3][1]["RecordingSid"]), "and named in the action, too")
    tap.same((result["each"][0]["dialled"], result["each"][0]["recorded"]), ("+97230000009", 1), "the result says what happened")
    for method, path, fields, body in s.requests[2:5]:
        tap.same(fields["x-twilio-signature"], sign("https://stand.in" + path, body), f"{path} is signed")
with Standin(silent, twiml=CONNECT, actions=ACTIONS) as s:
    status, result, err = call(s, "--no-stream")
    tap.same(status, 1, "a stream that cannot be opened is a failure")
    tap.ok([path for path, _ in forms(s)][1] == "/after", "of which the action is told")
with Standin(converse, twiml=CONNECT, actions=ACTIONS) as s:
    status, result, err = call(s, "--seconds", "0.3")
    tap.same([path for path, _ in forms(s)], ["/webhook/incoming_call", "/webhook/call_status"], "a caller who hung up hears no more")
for twiml, code, outcome, what in (
        (DIAL, None, "handed to a human or a recording, without a stream", "a call that is forwarded at once"),
        ("<Response><Record/></Response>", 12200, "handed to a human or a recording, without a stream", "a Record without an action"),
        ('<Response><Dial action="ftp://x">1</Dial></Response>', 12200, "the webhook failed", "an action that is no URL"),
        (CONNECT.replace("after", "webhook/incoming_call"), 12200, LEFT, "documents in a circle")):
    with Standin(silent, twiml=twiml, actions=ACTIONS) as s:
        status, result, err = call(s)
        tap.same(([row["code"] for row in result["breaches"]], list(result["outcomes"])), ([code] if code else [], [outcome]), what)
with Standin(silent, twiml=CONNECT, actions={"/after": ""}) as s:
    status, result, err = call(s)
    tap.same([row["code"] for row in result["breaches"]], [11770], "an action without an answer")

# --- no server, wrong usage

with Standin(silent) as s:
    pass
status, result, err = call(s)
tap.same((status, list(result["outcomes"])), (1, ["no connection"]), "nobody answers the door")
for args in (["--barge", "x"], ["--dtmf", "12a"], ["--calls", "0"], ["--wav", "/nonexistent"], ["--nonsense"], ["--seconds", "-1"], ["--dial", "maybe"]):
    tap.same(tap.run(tap.BINARY, "call", *args).returncode, 2, "wrong usage: " + " ".join(args))
tap.done()
