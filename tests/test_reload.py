"""test_reload.py - one process hands over to the next, among live calls and webhooks, and neither notices

RELOAD_CALLS (20) calls live, webhooks at RELOAD_RATE (100) a second; `make storm` does it with 200.
"""

import http.client
import os
import random
import signal
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from caller.standin import sign
from daemon import ACCOUNT, HOST, finish_call, until
from tap import BINARY, done, ok, same
from unit import Unit, wait_gone

N_CALLS, RATE, RELOADS = int(os.environ.get("RELOAD_CALLS", "20")), int(os.environ.get("RELOAD_RATE", "100")), 10
MANY = "100000"  # MAX_CALLS: each webhook answered is a caller whose stream is expected for a while
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 20261130


class Webhooks:
    """Posts at a rate over connections that are kept alive, as Twilio does, and again on a new one when told to close.

    sids: of calls that were answered; failed: what went wrong.
    """

    def __init__(self, unit, rate, n_threads=4):
        self.unit, self.pause = unit, n_threads / rate
        self.sids, self.failed, self.is_over = [], [], threading.Event()
        self.threads = [threading.Thread(target=self.post_on, args=(i,)) for i in range(n_threads)]
        for thread in self.threads:
            thread.start()

    def post_on(self, number):
        connection, due = None, time.monotonic()
        for i in range(1000000):
            if self.is_over.wait(max(0.0, due - time.monotonic())):
                break
            due += self.pause
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.unit.port, timeout=15)
            if not self.post(connection, f"CA{number:08d}{i:024d}"):
                connection = None

    def post(self, connection, sid):
        """Returns: whether the connection may be used again."""
        path = "/webhook/incoming_call"
        body = urllib.parse.urlencode({"CallSid": sid, "CallStatus": "ringing", "AccountSid": ACCOUNT,
                                       "From": f"+97250{sid[6:9]}{sid[-4:]}", "To": "+97231234567"}).encode()
        headers = {"Host": HOST, "X-Twilio-Signature": sign(f"https://{HOST}{path}", body),
                   "Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(repr(error))
            return False
        if answer.status == 200 and b"<Stream" in text:
            self.sids.append(sid)
        else:
            self.failed.append(f"{answer.status} {text[:80]}")
        return not answer.will_close

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        return self


def live_calls(unit, n=N_CALLS):
    """Calls on the echo line that last until told; returns when all live."""
    caller = unit.call("--echo", "--calls", str(n), "--seconds", "12", "--ramp", "1")
    until(lambda: sum(row["calls"] for row in unit.status()["generations"]) == n)
    return caller


def check_calls(caller, n, what):
    status, result, err = finish_call(caller)
    same((status, result and result["outcomes"]), (0, {"the caller hung up": n}) if result else None, what)
    if status:
        print("# " + err[-2000:].replace("\n", "\n# "))


def reloads():
    with Unit(MAX_CALLS=MANY) as unit:
        first = unit.main
        webhooks, caller = Webhooks(unit, RATE), live_calls(unit)
        results = [unit.reload() for _ in range(RELOADS)]
        same([result.returncode for result in results], [0] * RELOADS, f"{RELOADS} reloads among {N_CALLS} calls")
        ok(unit.main not in (first, None) and unit.heard(rf"^MAINPID={unit.main}\nREADY=1$"), "systemd is told who is the main process")
        rows = unit.status()["generations"]
        same([row["calls"] for row in rows if row["pid"] == first], [N_CALLS], "the calls are still the first one's")
        same(rows[-1]["pid"], unit.main, "the last one answers the admin socket")
        ok(any(row["pid"] == unit.main for row in rows), "and is among those that live")
        more = unit.call("--echo", "--calls", "3", "--seconds", "2")
        check_calls(more, 3, "new calls are the new one's")
        check_calls(caller, N_CALLS, "the calls that lived through it end as they should")
        webhooks.stop()
        same(webhooks.failed[:5], [], f"none of {len(webhooks.sids)} webhooks failed")
        ok(unit.alone() and wait_gone(unit, first), "the old processes have gone")
        kept = {call["sid"]: call for call in unit.kept("calls", "--last", "1000000")}
        same(len(set(webhooks.sids) - set(kept)), 0, "and all that was answered is kept")
        same([call["end"] for call in kept.values() if call["end"] == "daemon died"], [], "no call is taken for a lost one")
        same(unit.log.count("ERROR: "), 0, "and nothing else is wrong")
        same(unit.stop(), (0, []), "SIGTERM ends the last one")


def connections():
    """What is connected to the old one is answered there, and told to come anew."""
    with Unit(MAX_CALLS=MANY) as unit:
        first = unit.main
        idle = http.client.HTTPConnection("127.0.0.1", unit.port, timeout=20)
        half = unit.connect()
        same(unit.health(idle)[0], 200, "a connection is kept alive")
        half.sendall(b"GET /health HTTP/1.1\r\nHo")
        same(unit.reload().returncode, 0, "a reload")
        half.sendall(b"st: x\r\n\r\n")
        ok(b" 200 " in half.recv(4096), "a request that was half there is answered")
        same(unit.health(idle), (200, "close"), "the idle one is answered once more, and told to close")
        half.close()
        ok(wait_gone(unit, first), "and the old process goes")


def conversations():
    """The receptionist goes on in the old process, and what it wrote is whole."""
    with Unit(AGENT_PROFILE="receptionist-en", RELOAD_SECONDS="120") as unit:
        caller = unit.call("--calls", "4", "--ramp", "0.2", "--linger", "8", "--patience", "60")
        until(lambda: sum(row["calls"] for row in unit.status()["generations"]) == 4)
        same([unit.reload().returncode for _ in range(2)], [0, 0], "two reloads among calls with the receptionist")
        _, result, _ = finish_call(caller)
        calls = [unit.kept("calls", row["call_sid"]) for row in result["each"]]
        ok(all(call["end"] not in ("", "daemon died") and call["turns"] and call["turns"][0]["text"] for call in calls),
           "they end as they would have, with all that was said")
        ok(unit.alone(), "and the old processes go")


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def failures(folder):
    def script(name, text):
        path = os.path.join(folder, name)
        write(path, "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    installed = os.path.join(folder, "agentlocator")
    env_file = os.path.join(folder, "env")
    good = f"DATABASE_URL=lmdb://{folder}/store\nAGENT_PROFILE=echo\n"
    write(env_file, good)
    os.symlink(BINARY, installed)
    with Unit(binary=installed, arguments=("--env-file", env_file), RELOAD_SECONDS="2", DATABASE_URL=None, AGENT_PROFILE=None) as unit:
        first, caller = unit.main, live_calls(unit, 3)
        rows = [
            ("a program that fails", script("fails", "exit 3\n"), good, "ended before it was ready"),
            ("one that is not there", os.path.join(folder, "nowhere"), good, "ended before it was ready"),
            ("one that hangs", script("hangs", "exec sleep 1000\n"), good, "was not ready in time"),
            ("a bad setting", BINARY, good + "MAX_CALLS=many\n", "MAX_CALLS"),
            ("a store that cannot be opened", BINARY, f"DATABASE_URL=lmdb://{env_file}/store\nAGENT_PROFILE=echo\n", "cannot open the store"),
            ("a profile that is none", BINARY, good.replace("echo", env_file), "AGENT_PROFILE"),
        ]
        for what, target, settings, why in rows:
            os.unlink(installed)
            os.symlink(target, installed)
            write(env_file, settings)
            result = unit.reload()
            same((result.returncode, unit.main), (1, first), f"{what}: the reload fails, and the old one goes on")
            ok(why in result.stderr, f"  and says why: {' '.join(result.stderr.split())[:120]}")
            same(unit.health()[0], 200, "  it answers")
        ok(unit.logged("<3>the reload failed", len(rows)), "the log says each of them")
        check_calls(caller, 3, "its calls do not notice")
        os.unlink(installed)
        os.symlink(BINARY, installed)
        write(env_file, good)
        same(unit.reload().returncode, 0, "what is mended is taken over")
        ok(wait_gone(unit, first) and unit.main != first, "by another process")


def deaths():
    with Unit(MAX_CALLS=MANY) as unit:
        first, caller = unit.main, live_calls(unit, 3)
        same(unit.reload().returncode, 0, "a reload")
        second = unit.main
        unit.kill_process(second)
        until(lambda: unit.main == first)
        same(unit.main, first, "the new one is killed: the old one is the main process again")
        same(unit.health()[0], 200, "  it answers")
        same(unit.status()["generations"][-1]["pid"], first, "  also on the admin socket")
        more = unit.call("--echo", "--calls", "2", "--seconds", "1")
        check_calls(more, 2, "  and takes calls")
        check_calls(caller, 3, "  its own have not noticed")

        caller = live_calls(unit, 3)
        same(unit.reload().returncode, 0, "it hands over again")
        third, webhooks = unit.main, Webhooks(unit, RATE)
        unit.kill_process(first)
        _, result, _ = finish_call(caller)
        same(result["outcomes"], {"the stream broke": 3}, "the old one is killed: its calls are broken off")
        ok(unit.logged("closed 3 calls of which nothing was heard any more"), "  the new one closes them")
        same(webhooks.stop().failed, [], f"  and {len(webhooks.sids)} webhooks have not noticed")
        same((unit.main, unit.pids()), (third, [third]), "  it lives on, alone")


def random_deaths():
    """Either is killed at any moment of a reload: somebody leads at the end, and all that was answered is kept."""
    draw = random.Random(SEED)
    print(f"# seed {SEED}")
    with Unit(MAX_CALLS=MANY) as unit:
        answered = set()
        for turn in range(6):
            webhooks, before = Webhooks(unit, RATE), unit.main
            os.kill(before, signal.SIGHUP)
            time.sleep(draw.random() * 0.12)
            victims = [pid for pid in unit.living() if pid != before] or [before]
            victim = draw.choice([before, victims[0]])
            unit.kill_process(victim)
            until(lambda: answers(unit) or not unit.living())
            if not unit.living():  # nobody was there to take over: systemd starts it again
                unit.start()
            n = len(webhooks.sids)
            until(lambda: len(webhooks.sids) > n + RATE)
            ok(len(webhooks.sids) > n + RATE, f"turn {turn}: {'the old' if victim == before else 'the new'} one was killed; somebody answers")
            answered.update(webhooks.stop().sids)
        kept = {call["sid"] for call in unit.kept("calls", "--last", "1000000")}
        same(len(answered - kept), 0, f"all of {len(answered)} answered calls are kept")


def answers(unit):
    try:
        pids = unit.pids()
        return pids[-1] in unit.living() and len(pids) == len(unit.living())
    except (OSError, IndexError, ValueError):
        return False


def stops():
    with Unit(DRAIN_SECONDS="60") as unit:
        first, caller = unit.main, live_calls(unit, 3)
        same(unit.reload().returncode, 0, "a reload")
        os.kill(unit.main, signal.SIGTERM)
        ok(unit.logged("draining"), "SIGTERM while the old one has calls")
        same(finish_call(caller)[1]["outcomes"], {"the caller hung up": 3}, "  they end as they should")
        ok(wait_gone(unit, unit.main) and wait_gone(unit, first), "  and then both have gone, the main one last")
        ok("we answer again" not in unit.log, "  nobody took it for a death")


def main():
    reloads()
    connections()
    conversations()
    with tempfile.TemporaryDirectory() as folder:
        failures(folder)
    deaths()
    random_deaths()
    stops()
    done()


main()
