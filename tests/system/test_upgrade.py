"""test_upgrade.py - the package is replaced while 200 people are on the telephone and 100 webhooks a second come in: nobody notices"""

import json
import os
import tempfile
import threading
import time
import urllib.parse

from box import Box, skip_unless_possible, waited
from caller.standin import TOKEN, sign
from packages import deb, deb_of_version
from tap import done, ok, same

HOST = "phone.example.com"
ENV = "/etc/agentlocator/agentlocator.env"
CALLS, SECONDS, RATE = 200, 40, 100


class Webhooks:
    """A context: webhooks come in at the rate, each over a connection of its own; failed: those not answered 2xx."""

    THREADS = 4

    def __init__(self, box):
        self.box, self.n, self.failed, self.over = box, 0, [], threading.Event()
        self.threads = [threading.Thread(target=self._send, args=(i,)) for i in range(self.THREADS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _send(self, who):
        self.box.enter_network()
        due, n = time.monotonic(), 0
        while not self.over.is_set():
            n += 1
            due += self.THREADS / RATE
            try:
                line = self._one(f"CA{who:02d}{n:030d}")
            except OSError as error:
                line = repr(error)
            self.n += 1
            if not line.startswith("HTTP/1.1 2"):
                self.failed.append(line)
            time.sleep(max(0, due - time.monotonic()))

    def _one(self, sid):
        path = "/webhook/call_status"
        body = urllib.parse.urlencode({"CallSid": sid, "AccountSid": "AC" + "0" * 32, "CallStatus": "completed", "From": "+972500000001",
                                       "To": "+97230000000", "CallDuration": "1"}).encode()
        with self.box.connected(8080) as sock:
            sock.sendall((f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nX-Twilio-Signature: {sign(f'https://{HOST}{path}', body)}\r\n"
                          "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
                          f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
            return sock.recv(4096).split(b"\r\n")[0].decode()


def set_up(box, path):
    box.push(path, "/root/agentlocator.deb")
    box.must("apt-get -y -q install /root/agentlocator.deb")
    box.write(ENV, f"PUBLIC_HOST={HOST}\nTWILIO_AUTH_TOKEN={TOKEN}\nAGENT_PROFILE=echo\nMAX_CALLS=100000\n", "640")
    box.must(f"chgrp agentlocator {ENV}; systemctl enable --now agentlocator-http.socket; systemctl start agentlocator")


def opened(box):
    return [box.show(f"agentlocator-{name}.socket", "ActiveEnterTimestampMonotonic", "SubState") for name in ("http", "admin")]


def under_load(box, what, change):
    """change() while everybody talks."""
    log = "/root/calls.json"
    box.must(f"rm -f {log}; systemd-run --quiet --unit=calls --property=StandardOutput=file:{log} agentlocator call --json --quiet --echo "
             f"--calls {CALLS} --ramp 4 --seconds {SECONDS} --public-host {HOST} --auth-token {TOKEN}")
    ok(box.calls_live(CALLS), f"{CALLS} calls are live")
    before = opened(box)
    with Webhooks(box) as webhooks:
        time.sleep(1)
        change()
        same(opened(box), before, f"{what}: no socket was closed")
        waited(lambda: box.sh("systemctl is-active calls").code)
    result = json.loads(box.must(f"cat {log}"))
    same((result["outcomes"], result["lost"], result["breaches"]), ({"the caller hung up": CALLS}, 0, []),
         f"{what}: no call was dropped, and no frame lost")
    ok(webhooks.n > RATE * 10, f"{webhooks.n} webhooks were sent meanwhile")
    same(webhooks.failed, [], f"{what}: each was answered 2xx")


def upgraded(box, path):
    box.push(path, "/root/younger.deb")
    same(box.apt("install", "/root/younger.deb").code, 0, "apt replaces it")


skip_unless_possible()
with tempfile.TemporaryDirectory() as folder, Box() as machine:
    set_up(machine, deb())
    younger = deb_of_version("9", folder)
    first = machine.show("agentlocator", "MainPID")
    under_load(machine, "an upgrade", lambda: upgraded(machine, younger))
    same(machine.must("dpkg-query -W -f '${Version}' agentlocator"), "9", "the younger version is installed")
    second = machine.show("agentlocator", "MainPID")
    ok(second != first, "and is what answers from now on")
    same((machine.sh("systemctl stop agentlocator").code, machine.show("agentlocator", "Result")["Result"], "SIGKILL" in machine.journal()),
         (0, "success", False), "told to stop, the successor ends in order: it is asked, and waited for")
    machine.must("systemctl start agentlocator")
    second = machine.show("agentlocator", "MainPID")
    broken = deb_of_version("10", folder, lambda root: os.truncate(os.path.join(root, "usr/bin/agentlocator"), 100))
    upgraded(machine, broken)
    same(machine.show("agentlocator", "MainPID", "ActiveState"), {**second, "ActiveState": "active"}, "one that does not start leaves the other")
    upgraded(machine, deb_of_version("11", folder))
    third = machine.show("agentlocator", "MainPID")
    ok(third not in (first, second), "and the next one takes over")
    machine.must(f"kill -9 {third['MainPID']}")
    ok(waited(lambda: machine.show("agentlocator", "SubState", "NRestarts") == {"SubState": "running", "NRestarts": "1"}),
       "a successor that dies is noticed and started again, though systemd did not start it itself")
    machine.must(f"mkdir -p /etc/credstore; printf %s {TOKEN} >/etc/credstore/agentlocator.TWILIO_AUTH_TOKEN; sed -i /TWILIO_AUTH_TOKEN/d {ENV}; "
                 "systemctl restart agentlocator")
    secret = machine.show("agentlocator", "MainPID")
    same((machine.sh("systemctl reload agentlocator").code, machine.show("agentlocator", "MainPID") == secret), (0, False),
         "a reload also finds secrets that are files")
done()
