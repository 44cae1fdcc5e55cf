"""test_media_stream.py - media streams against the real daemon: every fault beside a call that must not notice"""

import base64
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from caller.standin import frame, sign
from daemon import HOST, Daemon
from media_call import MASK, PATH, SILENCE, Call
from tap import done, ok, same

def faults(daemon):
    return daemon.status()["media_faults"]


def wait_until(condition, healthy, seconds=30):
    """What another thread of the daemon does a moment later; the healthy call goes on meanwhile."""
    until = time.monotonic() + seconds
    while not condition() and healthy.echo(SILENCE) and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


LATER = ("start_timeout", "no_media")  # of the two that are left alone, whenever their time is over


def counted(daemon, before):
    return {name: n - before[name] for name, n in faults(daemon).items() if n != before[name] and name not in LATER}


def started(call):
    call.begin()
    call.echo(SILENCE)


def with_start(**what):
    def play(call):
        call.open()
        call.connected()
        call.start(**what)
    return play


def before_start(*texts):
    def play(call):
        call.open()
        for text in texts:
            call.text(text)
    return play


def in_call(act):
    def play(call):
        started(call)
        act(call)
    return play


CONNECTED = '{"event":"connected"}'
MEDIA = '{"event":"media","streamSid":"MZ","media":{"payload":"/w=="}}'

# name of the fault, what happens, how it is played, the close code (None: the call goes on)
ROWS = [
    ("bad_json", "text that is no JSON", before_start("hello"), 1007),
    ("bad_json", "half a message in a call", in_call(lambda c: c.text('{"event":"media"')), 1007),
    ("bad_start", "start without anything", before_start(CONNECTED, '{"event":"start"}'), 1008),
    ("bad_field", "a key that is none", in_call(lambda c: c.say("dtmf", dtmf={"digit": "F"})), None),
    ("bad_base64", "a payload that is no base64", in_call(lambda c: c.say("media", media={"payload": "*"})), None),
    ("early", "media before start", before_start(CONNECTED, MEDIA), 1008),
    ("early", "media before everything", before_start(MEDIA), 1008),
    ("second_connected", "connected twice", before_start(CONNECTED, CONNECTED), 1008),
    ("second_start", "start twice", in_call(lambda c: c.start()), 1008),
    ("wrong_stream", "media of another stream", in_call(lambda c: c.text(MEDIA)), 1008),
    ("no_token", "no token", with_start(token=""), 1008),
    ("wrong_token", "another token", with_start(token="x" * 43), 1008),
    ("unknown_call", "a call nobody announced", with_start(call_sid="CAnobody"), 1008),
    ("other_account", "another account", with_start(account="AC2"), 1008),
    ("binary", "a binary message", in_call(lambda c: c.write(frame(2, b"\xff" * 160, mask=MASK))), 1003),
    ("oversized", "a message of 64 KiB and one byte", in_call(lambda c: c.text(" " * 65537)), 1009),
    ("oversized", "the same in fragments", in_call(lambda c: [c.write(frame(1, b" " * 40000, False, MASK)),
                                                              c.write(frame(0, b" " * 40000, True, MASK))]), 1009),
    ("framing", "a frame without mask", in_call(lambda c: c.write(frame(1, b"{}"))), 1002),
    ("framing", "a fragmented ping", in_call(lambda c: c.write(frame(9, b"", False, MASK))), 1002),
    ("framing", "a reserved bit", in_call(lambda c: c.write(frame(1, b"{}", True, MASK, 4))), 1002),
    ("not_utf8", "text that is not UTF-8", in_call(lambda c: c.text(b'{"event":"\xff"}')), 1007),
    ("flood", "21 pings at once", in_call(lambda c: c.write(frame(9, b"", mask=MASK) * 21)), 1008),
    ("vanished", "a connection that ends", in_call(lambda c: c.sock.shutdown(socket.SHUT_RDWR)), 1006),
]

with Daemon(MAX_CALLS="40") as daemon:
    same(daemon.post("/webhook/incoming_call", signature="x" * 27 + "=", CallSid="CA1", From="+1"), (403, ""),
         "a webhook with another signature is refused without a word")
    unsigned = Call(daemon)
    same(unsigned.open(signature=""), 403, "a handshake without a signature is refused")
    same(Call(daemon).open(signature=sign(f"https://{HOST}{PATH}")), 403, "and one that is signed for https")

    silent, dead = Call(daemon), Call(daemon)
    silent.open()
    silent.connected()
    started(dead)

    healthy = Call(daemon).begin()
    ok(healthy.echo(b"\x7f" * 160), "the echo line gives back what it gets")
    ok(healthy.echo(bytes(range(256)) * 3), "also a payload of several frames, as one message")
    ok(healthy.echo(b"\x01"), "and one of a single byte")
    healthy.write(frame(9, b"are you there", mask=MASK))
    same(healthy.read(), (10, b"are you there"), "a ping is answered")
    media = json.dumps({"event": "media", "streamSid": healthy.stream_sid, "media": {"payload": "AQIDBA=="}}).encode()
    healthy.write(frame(1, media[:7], False, MASK) + frame(9, b"in between", mask=MASK) + frame(0, media[7:], True, MASK))
    same(healthy.read(), (10, b"in between"), "also within a message that comes in fragments")
    same(json.loads(healthy.read()[1])["media"], {"payload": "AQIDBA=="}, "which is put together")

    for name, what, play, code in ROWS:
        before = faults(daemon)
        call = Call(daemon)
        play(call)
        if code:
            same(call.close_code(), code, f"{what}: {name}, closed with {code}")
        else:
            ok(call.echo(b"\x55" * 160), f"{what}: {name}, the call goes on")
            same(call.stop(), 1000, f"{what}: until it stops")
        wait_until(lambda: counted(daemon, before), healthy)  # for some it is done when the socket has ended
        same(counted(daemon, before), {name: 1}, f"{what}: counted once")
        ok(healthy.echo(os.urandom(160)), f"{what}: the other call did not notice")
        call.sock.close()

    again = Call(daemon)
    again.sid, again.token = healthy.sid, healthy.token
    with_start()(again)
    same(again.close_code(), 1008, "a second stream of a live call is closed")
    same(faults(daemon)["already_streamed"], 1, "as already_streamed")

    wait_until(lambda: faults(daemon)["start_timeout"] == 1, healthy)
    same(silent.close_code(), 1008, "who never sends start is closed")
    same(faults(daemon)["start_timeout"], 1, "as start_timeout")
    ok(healthy.echo(SILENCE), "the other call did not notice")
    wait_until(lambda: faults(daemon)["no_media"] == 1, healthy)
    same(dead.close_code(), 1008, "who sends no audio any more is closed")
    same(faults(daemon)["no_media"], 1, "as no_media")

    ok(wait_until(lambda: daemon.status()["calls_live"] == 1, healthy), "the calls that ended have left their lines")

    # floods an echo that it does not read; the daemon goes on reading, and drops what it cannot send
    deaf = Call(daemon, receive_buffer=4096).begin()
    noise = [json.dumps({"event": "media", "streamSid": deaf.stream_sid,
                         "media": {"payload": base64.b64encode(SILENCE * 5).decode()}})] * 50
    def flood():
        for text in noise:
            deaf.text(text)
        return faults(daemon)["not_reading"] == 1
    ok(wait_until(flood, healthy, 60), "a peer that does not read is dropped")
    ok(healthy.echo(os.urandom(160)), "the other call did not notice")

    same(healthy.stop(), 1000, "the call that noticed nothing ends when its caller hangs up")
    while daemon.status()["calls_live"]:
        time.sleep(0.02)
    ok(True, "no line is left busy")
    if not ok(daemon.stop() == 0, "the daemon stops in order"):
        print("# " + daemon.log.replace("\n", "\n# "))
    ok("media stream: a second start" in daemon.log, "and has said what was wrong")
    ok(all(call not in daemon.log for call in ("+97250", "x" * 43)), "without numbers or tokens")

with Daemon(MAX_CALLS="1") as daemon:
    late = Call(daemon)
    with_start(token="x" * 43)(late)
    same(late.close_code(), 1008, "a call whose first stream was not let in has no place any more")
    healthy = Call(daemon).begin()
    ok(healthy.echo(SILENCE), "another call has the only place")
    late.rest = b""
    late.begin()
    same(late.close_code(), 1013, "one stream too many is told to come again")
    same(faults(daemon)["too_many_calls"], 1, "as too_many_calls")
    ok(healthy.echo(SILENCE), "the other call did not notice")
    same(healthy.stop(), 1000, "and ends when its caller hangs up")
done()
