"""daemon.py - the real daemon for a test: started on ports of the kernel's choice, asked, signed to, called, ended"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from caller.standin import TOKEN, sign
from tap import BINARY

HOST = "gw.example.com"
ACCOUNT = "AC00000000000000000000000000000001"
PATIENCE = 60  # seconds until something that has to happen counts as missing


class Daemon:
    """A context: with Daemon(MAX_CALLS="3") as d: d.post(...), d.status(), d.call(...); d.port is that of http.

    Started again after stop() or kill() it finds what it kept.
    """

    def __init__(self, listen=(), under=(), **env):
        """listen: more of --listen, beside http and admin; under: a command that runs it."""
        self.under = under
        self.listen = [f"--listen={spec}" for spec in listen]
        self.scratch = tempfile.TemporaryDirectory()
        self.admin = os.path.join(self.scratch.name, "admin.sock")
        self.log = ""
        self.env = {"PATH": os.environ["PATH"], "APP_ENV": "production", "PUBLIC_HOST": HOST, "TWILIO_AUTH_TOKEN": TOKEN,
                    "TWILIO_ACCOUNT_SID": ACCOUNT, "AGENT_PROFILE": "echo", "STATE_DIR": self.scratch.name,
                    "DATABASE_URL": f"lmdb://{self.scratch.name}/store", "CACHE_DIR": f"{self.scratch.name}/cache",
                    "OPENAI_TTS_MODEL": "none"}  # whoever has a key for one thing does not ask for all
        self.env.update({name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")})
        self.env.update(env)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.scratch.cleanup()

    def start(self):
        self.process = subprocess.Popen([*self.under, BINARY, "serve", "--listen", "http=127.0.0.1:0", "--listen", f"admin={self.admin}",
                                         *self.listen],
                                        env=self.env, stderr=subprocess.PIPE, text=True)
        self.port = None
        for line in self.process.stderr:
            self.log += line
            if found := re.search(r"listening http on 127\.0\.0\.1:(\d+)", line):
                self.port = int(found.group(1))
            if "ready" in line:
                self.reader = threading.Thread(target=self._read_log, daemon=True)
                self.reader.start()
                return
        raise RuntimeError("the daemon did not start:\n" + self.log)

    def _read_log(self):  # or a full pipe would make the daemon wait
        for line in self.process.stderr:
            self.log += line

    def _wait(self):
        self.process.wait(PATIENCE)
        self.reader.join()
        self.process.stderr.close()
        return self.process.returncode

    def stop(self):
        """Returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self):
        """kill -9"""
        self.process.kill()
        self._wait()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    @staticmethod
    def _request(sock, head, body=b""):
        with sock:
            sock.sendall((head + f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
            data = b""
            while part := sock.recv(65536):
                data += part
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    def post(self, path, signature=None, **form):
        """(status, body) of a webhook; signature: in place of the right one."""
        body = urllib.parse.urlencode(form).encode()
        signature = signature or sign(f"https://{HOST}{path}", body)
        return self._request(self.connect(), f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nX-Twilio-Signature: {signature}\r\n"
                             "Content-Type: application/x-www-form-urlencoded\r\n", body)

    def status(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.admin)
        return json.loads(self._request(sock, "GET /admin/status HTTP/1.1\r\nHost: x\r\n")[1])

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/webhook/incoming_call"

    def call(self, *args):
        """Starts agentlocator call; finish_call() says how it went."""
        return subprocess.Popen([BINARY, "call", "--json", "--to-url", self.url, *args], env=self.env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kept(self, *args):
        """What a subcommand shows of the store."""
        done = subprocess.run([BINARY, *args, "--json"], env=self.env, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"agentlocator {' '.join(args)}: {done.stderr}")
        return json.loads(done.stdout)

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Warm:
    """What daemons render when they start, rendered once: Daemon(CACHE_DIR=warm.cache(), ...) for a cache of its own."""

    def __init__(self, *settings):
        """settings: of daemons, started one after the other."""
        self.scratch = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.scratch.name, "warm")
        for env in settings:
            with Daemon(**env, CACHE_DIR=self.path):
                pass

    def cache(self):
        return shutil.copytree(self.path, tempfile.mkdtemp(dir=self.scratch.name), dirs_exist_ok=True)


def ask(daemon, method, path, body=None, token=None, **headers):
    """(status, answer, headers) of the API"""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    try:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields.update({"Authorization": "Bearer " + token} if token else {})
        if body is not None:
            fields.setdefault("Content-Type", "application/json")
        text = json.dumps(body) if isinstance(body, (dict, list)) else body
        connection.request(method, path, text, fields)
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None, dict(answer.getheaders())
    finally:
        connection.close()


def finish_call(process):
    """(exit status, result, what it said on stderr)"""
    out, err = process.communicate()
    return process.returncode, json.loads(out) if out else None, err


def until(condition):
    """Waits for what happens on its own; what was waited for is then tested anyway."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
