"""floor.py - the HTTP floor under test: starting programs, raw requests, frames"""

import atexit
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import time

from tap import BUILD, TOP

ECHO_SERVER = os.path.join(BUILD, "tests", "echo_server")
LSAN_OPTIONS = f"suppressions={TOP}/tests/lsan.supp:print_suppressions=0"
PATIENCE = 20  # seconds until something that has to happen counts as missing


def make_certificate(folder, name, days=2, host=""):
    """Returns: the files of a certificate and its key, self-signed; days: -1, then it has expired; host: whom it is for."""
    cert, key, asked, more = (os.path.join(folder, f"{name}.{end}") for end in ("crt", "key", "csr", "ext"))
    with open(more, "w", encoding="ascii") as file:
        file.write("basicConstraints=critical,CA:TRUE\n" + (f"subjectAltName=DNS:{host}\n" if host else ""))
    for command in (["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                     "-out", asked, "-subj", f"/CN={name}"],  # which can sign it too, but none that has expired
                    ["x509", "-req", "-in", asked, "-signkey", key, "-days", str(days), "-extfile", more, "-out", cert]):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return cert, key


class Server:
    """A program that listens; its log is read until it is ready."""

    def __init__(self, *command, env=None, stdin=None, ready="ready", pass_fds=()):
        environment = {"PATH": os.environ["PATH"], "LSAN_OPTIONS": LSAN_OPTIONS, **(env or {})}
        self.process = subprocess.Popen(command, env=environment, stdin=stdin, stderr=subprocess.PIPE, text=True,
                                        pass_fds=pass_fds)
        atexit.register(lambda: self.process.poll() is None and self.process.kill())
        os.set_blocking(self.process.stderr.fileno(), False)
        self.log = ""
        self.addresses = {}
        if ready:
            self.wait_for(rf"^(<6>)?{ready}$")
            for name, host, port in re.findall(r"listening (\w+) on (\S+):(\d+)$", self.log, re.M):
                self.addresses.setdefault(name, (host.strip("[]"), int(port)))

    def read_log(self):
        try:
            self.log += self.process.stderr.read() or ""
        except (BlockingIOError, TypeError):
            pass
        return self.log

    def wait_for(self, pattern, n=1):
        """Waits until the log has n lines that match. Returns: whether it has."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if len(re.findall(pattern, self.read_log(), re.M)) >= n:
                return True
            if self.process.poll() is not None:
                return len(re.findall(pattern, self.read_log(), re.M)) >= n
            time.sleep(0.01)
        return False

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        """Returns: the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.read_log()
        return status

    def kill(self):
        """At the end of a test, whatever happened; shows the log when that was no clean stop."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.returncode:
            print("# " + self.read_log().replace("\n", "\n# "))

    def connect(self, name="http"):
        connection = socket.create_connection(self.addresses[name], PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def connect_tls(self, name="https", alpn=("http/1.1",), maximum=None, minimum=None):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if maximum:
            context.minimum_version = minimum or ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = maximum
            context.set_ciphers("ALL:@SECLEVEL=0")
        return context.wrap_socket(self.connect(name))


class Response:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
        self.body = body


class Reader:
    """What a connection sends, taken piece by piece."""

    def __init__(self, connection):
        self.connection = connection
        self.data = b""
        self.is_over = False

    def more(self):
        try:
            data = self.connection.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        self.is_over = not data
        self.data += data
        return bool(data)

    def take(self, n):
        while len(self.data) < n:
            if not self.more():
                raise EOFError
        taken, self.data = self.data[:n], self.data[n:]
        return taken

    def response(self, has_body=True):
        """Returns: the next response, or None when the connection ended without one."""
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                return None
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        response = Response(head, b"")
        if response.status == 100:
            return response
        if has_body:
            response.body = self.take(int(response.fields.get("content-length", 0)))
        return response

    def ended(self):
        """Whether the peer closes, now or soon, without another byte."""
        return not self.data and not self.more()


def ask(connection, request, has_body=True):
    connection.sendall(request)
    return Reader(connection).response(has_body)


# --- frames

def frame(opcode, payload=b"", fin=1, mask=b"\x11\x22\x33\x44", reserved=0):
    n = len(payload)
    head = bytes([fin << 7 | reserved << 4 | opcode])
    bit = 128 if mask else 0
    if n < 126:
        head += bytes([bit | n])
    elif n < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if not mask:
        return head + payload
    return head + mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


HANDSHAKE = (b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
             b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


class Stream(Reader):
    """The client's end of a WebSocket."""

    def __init__(self, connection, behind=b"", handshake=HANDSHAKE):
        super().__init__(connection)
        connection.sendall(handshake + behind)
        self.opening = self.response(has_body=False)

    def send(self, *args, **kwargs):
        self.connection.sendall(frame(*args, **kwargs))

    def receive(self):
        """Returns: opcode and payload (of a Close: its code or None), or None at the end."""
        try:
            head = self.take(2)
            n = head[1] & 127
            if n == 126:
                n = struct.unpack(">H", self.take(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", self.take(8))[0]
            payload = self.take(n)
        except EOFError:
            return None
        opcode = head[0] & 15
        if opcode == 8:
            return opcode, struct.unpack(">H", payload[:2])[0] if len(payload) > 1 else None
        return opcode, payload
