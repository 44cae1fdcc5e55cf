"""sidecar.py - the WhatsApp sidecar with the real package, as a process of a test; WhatsApp itself is library.js"""

import glob
import http.client
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from oracle.packages import install
from tap import BUILD, TOP

TESTS = os.path.join(TOP, "tests")
SOURCE = os.path.join(TOP, "src", "services", "whatsapp", "baileys")
PLACE = os.path.join(BUILD, "tests", "baileys")
PATIENCE = 30
NODE_MIN = 20  # as package.json says
DANA, DANA_LID = "972501234567@s.whatsapp.net", "8881112223334@lid"


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("sidecar", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


class Sidecar:
    """A context: the sidecar as a process. Started again after stop() or kill() it finds what it kept."""

    def __init__(self, linked=True, **env):
        self.scratch = tempfile.TemporaryDirectory()
        self.state = os.path.join(self.scratch.name, "state")
        self.path, self.stub = (os.path.join(self.scratch.name, name) for name in ("wa.sock", "stub.sock"))
        self.env = {"PATH": os.environ["PATH"], "STATE_DIRECTORY": self.state, "BAILEYS_SOCKET": self.path, "STUB_SOCKET": self.stub,
                    "BAILEYS_LIBRARY": os.path.join(PLACE, "library.js"), "BAILEYS_PACE_MS": "0", **env}
        self.log = ""
        if linked:
            os.makedirs(os.path.join(self.state, "auth"))
            with open(os.path.join(self.state, "auth", "creds.json"), "w", encoding="ascii") as creds:
                json.dump({"me": {"id": "972500000000:1@s.whatsapp.net"}, "account": {}}, creds)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.scratch.cleanup()

    def start(self):
        for path in (self.stub, self.path):
            if os.path.exists(path):
                os.unlink(path)
        self.process = subprocess.Popen(["node", "index.js"], cwd=PLACE, env=self.env, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            self.log += line
            if "ready" in line:
                break
        threading.Thread(target=self._read_log, args=(self.process,), daemon=True).start()
        self.told = queue.Queue()
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(self.stub)
        threading.Thread(target=self._listen, args=(self.control, self.told), daemon=True).start()

    def _read_log(self, process):
        for line in process.stderr:
            self.log += line

    @staticmethod
    def _listen(control, told):
        for line in control.makefile():
            told.put(json.loads(line))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.control.close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.control.close()

    def ask(self, method, path, body=None, raw=None):
        connection = Unix(self.path)
        connection.request(method, path, raw if raw is not None else json.dumps(body) if body is not None else None)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response.status, json.loads(text) if text else None

    def do(self, **command):
        """Has the stub do something; returns when it did."""
        self.control.sendall((json.dumps(command) + "\n").encode())
        return self.wait("did")

    def wait(self, what):
        """The next thing of that kind the stub tells."""
        kept = []
        try:
            while True:
                told = self.told.get(timeout=PATIENCE)
                if what in told:
                    return told[what]
                kept.append(told)
        finally:
            for told in kept:
                self.told.put(told)

    def open(self):
        self.wait("made")
        self.do(emit=["connection.update", {"connection": "open"}])

    def events(self, kind=None, after=0):
        got = self.ask("GET", f"/v1/events?after={after}&wait=0&max=256")[1]["events"]
        return [event for event in got if kind in (None, event["k"])]

    def until(self, kind, n):
        """Fetches until there are n events of a kind, which must come."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            got = self.events(kind)
            if len(got) >= n:
                return got
        return self.events(kind)

    def state_is(self, state):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.ask("GET", "/v1/health")[1]["state"] == state:
                return True
        return False


def upsert(*messages, live=True):
    return ["messages.upsert", {"messages": list(messages), "type": "notify" if live else "append"}]


def message(wa_id, content, jid=DANA, alt=None, mine=False, ts=None, name="Dana"):
    return {"key": {"remoteJid": jid, "remoteJidAlt": alt, "fromMe": mine, "id": wa_id}, "messageTimestamp": ts or int(time.time()),
            "pushName": name, "message": content}


def job(n, to="972501234567", **fields):
    return {"id": f"{n:032x}", "to": to, "type": "text", "text": "hello", **fields}


def node_too_low():
    """The library below the sidecar does not run on Debian 12's own Node. What is missing altogether, install() says."""
    if not shutil.which("node"):
        return None
    version = subprocess.run(["node", "--version"], text=True, capture_output=True, check=True).stdout.strip()
    return f"it needs Node {NODE_MIN}, and this is {version}" if int(version.lstrip("v").split(".")[0]) < NODE_MIN else None


def prepare():
    """Returns what went wrong, or None."""
    problem = node_too_low() or install(SOURCE, PLACE)
    if not problem:
        for file in glob.glob(os.path.join(SOURCE, "*.js")) + [os.path.join(TESTS, "services", "whatsapp", "library.js")]:
            part = os.path.join(PLACE, f"{os.path.basename(file)}.{os.getpid()}")
            shutil.copy(file, part)
            os.replace(part, os.path.join(PLACE, os.path.basename(file)))
    return problem
