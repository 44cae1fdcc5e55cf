"""test_slow_disk.py - the store's writer stands still while calls are up: nobody's audio waits, and nothing is lost

It is held as a disk that does not answer would hold it, by LMDB's own lock, from without, until the test lets go.
"""

import ctypes
import os
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from daemon import ACCOUNT, Daemon, Warm, ask, finish_call, until
from hum import hum
from media_call import Call
from tap import done, ok, same

CALLS, ROUNDS = 3, 100
TOKEN = "api-token-0123456789"
MDB_NOTLS = 0x200000


class Held:
    """A context in which nothing is written to a store that others have open."""

    def __init__(self, daemon):
        self.path = daemon.env["DATABASE_URL"].removeprefix("lmdb://").encode()
        self.lmdb = ctypes.CDLL("liblmdb.so.0")
        self.env, self.txn = ctypes.c_void_p(), ctypes.c_void_p()

    def _must(self, code):
        if code:
            raise OSError(code, f"LMDB says {code} of {self.path}")

    def __enter__(self):
        self._must(self.lmdb.mdb_env_create(ctypes.byref(self.env)))
        self._must(self.lmdb.mdb_env_set_maxreaders(self.env, 1260))
        self._must(self.lmdb.mdb_env_open(self.env, self.path, MDB_NOTLS, 0o600))
        self._must(self.lmdb.mdb_txn_begin(self.env, None, 0, ctypes.byref(self.txn)))
        return self

    def __exit__(self, *_):
        self.lmdb.mdb_txn_abort(self.txn)
        self.lmdb.mdb_env_close(self.env)


class Later(threading.Thread):
    """Something that is answered once the disk is."""

    def __init__(self, act):
        super().__init__()
        self.act, self.answer = act, None
        self.start()

    def run(self):
        self.answer = self.act()

    def wait(self):
        self.join()
        return self.answer


def waiting(daemon):
    return daemon.status()["store"]["waiting"]


def echoes():
    with Daemon(API_TOKEN=f"console:{TOKEN}") as daemon:
        calls = [Call(daemon).begin() for _ in range(CALLS)]
        ok(all(call.echo(os.urandom(160)) for call in calls), "calls are up")
        with Held(daemon):
            rings = Later(lambda: daemon.post("/webhook/incoming_call", CallSid="CA" + 32 * "7", AccountSid=ACCOUNT, From="+972501112222",
                                              To="+97231234567", CallStatus="ringing"))
            until(lambda: waiting(daemon) > 0)
            ops = daemon.status()["store"]["ops"]
            same([sum(call.echo(os.urandom(160)) for _ in range(ROUNDS)) for call in calls], [ROUNDS] * CALLS,
                 "while the disk stands still every frame comes back")
            same(ask(daemon, "GET", "/api/crm/contacts", token=TOKEN)[0], 200, "what is kept can be read")
            same(calls[0].stop(), 1000, "a call ends")
            ok(rings.is_alive() and rings.answer is None, "and one that rings is not answered before it is kept")
            status = daemon.status()
            same((status["store"]["ops"], status["dropped_in"], status["dropped_out"]), (ops, 0, 0), "nothing was written, no frame was dropped")
        same(rings.wait()[0], 200, "once the disk goes on, who rang is answered")
        same([call.stop() for call in calls[1:]], [1000] * (CALLS - 1), "the others end, too")
        until(lambda: daemon.status()["calls_live"] == 0)
        kept = {call["sid"]: (call["status"], call["end"]) for call in daemon.kept("calls")}
        same(kept, {**{call.sid: ("completed", "caller hung up") for call in calls}, "CA" + 32 * "7": ("ringing", "")}, "all of it is kept")


def hears(caller, n):
    """Waits until the agent has begun to speak n times more. Returns: whether he has."""
    for line in caller.stderr:
        n -= " agent   speaks" in line
        if n == 0:
            return True
    return False


def talk(warm, wav):
    with Daemon(AGENT_PROFILE="receptionist-en", CACHE_DIR=warm.cache()) as daemon:
        caller = daemon.call("--wav", wav, "--wav", wav, "--seconds", "14")
        ok(hears(caller, 1), "an agent greets")
        with Held(daemon):
            ok(hears(caller, 2), "while the disk stands still he hears two answers, and answers them")
            ok(waiting(daemon) > 0, "all of which waits to be kept")
        status, result, _ = finish_call(caller)
        same((status, result["breaches"]), (0, []), "the call goes well")
        same((daemon.status()["dropped_in"], daemon.status()["dropped_out"]), (0, 0), "no frame was dropped")
        until(lambda: daemon.kept("calls")[0]["end"])
        whole = daemon.kept("calls", result["each"][0]["call_sid"])
        same([turn["who"] for turn in whole["turns"]][:5], ["agent", "caller", "agent", "caller", "agent"], "all turns are kept, in order")
        same((whole["end"], whole["n_turns"]), ("caller hung up", len(whole["turns"])), "and the end")
        ok(all(turn["audio"] for turn in whole["turns"] if turn["who"] == "caller"), "with the sound of what nobody understood")


echoes()
with tempfile.TemporaryDirectory() as folder:
    talk(Warm({"AGENT_PROFILE": "receptionist-en"}), hum(folder))
done()
