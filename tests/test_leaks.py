"""test_leaks.py - calls that end in every way leave nothing behind: no descriptor, thread, connection or line

LEAKS_ROUNDS (2) says how often each way is gone in a round that is counted.
"""

import os
import socket
import struct

import tap
from caller.standin import frame
from daemon import ACCOUNT, Daemon, until
from media_call import MASK, SILENCE, Call

ROUNDS = int(os.environ.get("LEAKS_ROUNDS", "2"))


def say_stop(call):
    call.say("stop", stop={"accountSid": ACCOUNT, "callSid": call.sid})


def reset(call):
    call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def nothing(call):
    pass


# what the caller does at last before his socket is closed, the end in the store
WAYS = [
    ("stop and a Close", lambda call: call.stop(), "caller hung up"),
    ("stop, and gone", say_stop, "caller hung up"),
    ("stop, and a reset", lambda call: (say_stop(call), reset(call)), None),  # the reset may overtake the stop: either is right
    ("a Close", lambda call: (call.write(frame(8, b"\x03\xe8", mask=MASK)), call.close_code()), "caller hung up"),
    ("nothing", nothing, "caller hung up"),
    ("a reset", reset, "caller hung up"),
    ("half a message", lambda call: call.write(frame(1, b"x" * 1000, mask=MASK)[:500]), "caller hung up"),
    ("broken framing", lambda call: (call.write(b"\xff" * 100), call.close_code()), "protocol error"),
    ("a binary message", lambda call: (call.write(frame(2, b"x", mask=MASK)), call.close_code()), "protocol error"),
    ("keys, marks and a flood of pings", lambda call: (
        call.say("dtmf", dtmf={"digit": "5"}), call.say("mark", mark={"name": "x"}),
        call.write(frame(9, b"", mask=MASK) * 30), call.close_code()), "protocol error"),
]


def held(daemon):
    """What the daemon holds: descriptors by kind, threads, connections, WebSockets, lines, writes."""
    status, folder = daemon.status(), f"/proc/{daemon.process.pid}"
    kinds = sorted(os.readlink(f"{folder}/fd/{fd}").split(":")[0] for fd in os.listdir(f"{folder}/fd"))
    return (kinds, len(os.listdir(f"{folder}/task")), status["connections"], status["websockets"], status["calls_live"],
            status["store"]["waiting"])


def play(daemon):
    """Every way once, all at the same time. Returns: the calls."""
    calls = [Call(daemon).begin() for _ in WAYS]
    for call in calls:
        call.media(SILENCE)
        call.read()  # on either line something comes: the stream has begun
    for call, (_, act, _) in zip(calls, WAYS):
        act(call)
        call.sock.close()
    return calls


def check(profile):
    with Daemon(AGENT_PROFILE=profile, LOOP_THREADS="2", SPEECH_WORKERS="2") as daemon:
        play(daemon)  # what is made once, on first use
        until(lambda: held(daemon)[2:] == (1, 0, 0, 0))
        before, played = held(daemon), []
        for _ in range(ROUNDS):
            played += zip(play(daemon), WAYS)
        until(lambda: held(daemon) == before)
        tap.same(held(daemon), before, f"{profile}: after {len(played)} calls the daemon holds what it held before")
        stored = {call["sid"]: call for call in daemon.kept("calls", "--last", "1000")}
        for name, _, want in WAYS:
            ends = {(stored[call.sid]["status"], stored[call.sid]["end"]) for call, way in played if way[0] == name}
            tap.ok(ends == {("completed", want)} if want else len(ends) and all(end for _, end in ends),
                   f"{profile}: {name}: {want or 'ended'}")
        tap.same(daemon.stop(), 0, f"{profile}: the daemon ends in order")


check("echo")
check("receptionist-en")
tap.done()
