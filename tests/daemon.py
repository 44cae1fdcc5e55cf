"""daemon.py - the real daemon for a test: started on ports of the kernel's choice, asked, signed to, stopped"""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import urllib.parse

from caller.standin import TOKEN, sign
from tap import BINARY

HOST = "gw.example.com"
ACCOUNT = "AC00000000000000000000000000000001"


class Daemon:
    """A context: with Daemon(MAX_CALLS="3") as d: d.post(...), d.status(); d.port is that of http."""

    def __init__(self, **env):
        self.scratch = tempfile.TemporaryDirectory()
        self.admin = os.path.join(self.scratch.name, "admin.sock")
        self.log = ""
        self.env = {"PATH": os.environ["PATH"], "APP_ENV": "production", "PUBLIC_HOST": HOST, "TWILIO_AUTH_TOKEN": TOKEN,
                    "TWILIO_ACCOUNT_SID": ACCOUNT, "AGENT_PROFILE": "echo", "STATE_DIR": self.scratch.name,
                    "DATABASE_URL": f"lmdb://{self.scratch.name}/store", "CACHE_DIR": f"{self.scratch.name}/cache"}
        self.env.update({name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")})
        self.env.update(env)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.scratch.cleanup()

    def start(self):
        self.process = subprocess.Popen([BINARY, "serve", "--listen", "http=127.0.0.1:0", "--listen", f"admin={self.admin}"],
                                        env=self.env, stderr=subprocess.PIPE, text=True)
        self.port = None
        for line in self.process.stderr:
            self.log += line
            if found := re.search(r"listening http on 127\.0\.0\.1:(\d+)", line):
                self.port = int(found.group(1))
            if "ready" in line:
                return
        raise RuntimeError("the daemon did not start:\n" + self.log)

    def stop(self):
        """Returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.log += self.process.communicate(timeout=60)[1]
        return self.process.returncode

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
