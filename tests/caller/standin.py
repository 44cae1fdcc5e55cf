"""standin.py - a small server of media streams that does what a test tells it, also what no server should"""

import base64
import hashlib
import hmac
import json
import socket
import struct
import threading
import urllib.parse

import floor

TWIML = '<Response><Connect><Stream url="wss://stand.in/ws"><Parameter name="token" value="a&amp;b"/></Stream></Connect></Response>'
TOKEN = "0123456789abcdef0123456789abcdef"


def frame(opcode, payload=b"", fin=True, mask=None, reserved=0):
    """As a server writes it, unless told otherwise."""
    return floor.frame(opcode, payload, fin, mask, reserved)


def sign(url, form=b""):
    text = url
    for name, value in sorted(urllib.parse.parse_qsl(form.decode(), keep_blank_values=True)):
        text += name + value
    return base64.b64encode(hmac.new(TOKEN.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Stream(floor.Reader):
    """The server's end of one stream, given to the behaviour under test."""

    def __init__(self, sock, rest, standin):
        super().__init__(sock)
        self.data, self.standin = rest, standin
        self.sid = None
        self.pongs = self.answers_close = True
        self.closed = False

    def read(self):
        """(opcode, payload) of the next frame, unmasked."""
        first, second = self.take(2)
        n = second & 127
        if n == 126:
            n = struct.unpack(">H", self.take(2))[0]
        elif n == 127:
            n = struct.unpack(">Q", self.take(8))[0]
        if not second & 128:
            self.standin.faults.append("a frame from the client is not masked")
            return first & 15, self.take(n)
        mask = self.take(4)
        payload = self.take(n)
        key = int.from_bytes((mask * (n // 4 + 1))[:n], "big")
        return first & 15, (int.from_bytes(payload, "big") ^ key).to_bytes(n, "big")

    def message(self):
        """The next message as an object, or None at the end of the stream; pings are answered on the way."""
        while not self.closed:
            opcode, payload = self.read()
            if opcode == 8:
                self.standin.close_frames.append(payload)
                self.closed = True
            if opcode == 9 and self.pongs:
                self.write(frame(10, payload))
            if opcode == 1:
                message = json.loads(payload)
                if message["event"] != "media" or len(self.standin.messages) < 1000:
                    self.standin.messages.append(message)
                if message["event"] == "start":
                    self.sid = message["start"]["streamSid"]
                return message
        return None

    def wait(self, event):
        while (message := self.message()) is not None:
            if message["event"] == event:
                return message
        return None

    def write(self, data):
        self.connection.sendall(data)

    def send(self, **message):
        self.write(frame(1, json.dumps(message).encode()))

    def audio(self, payload):
        self.send(event="media", streamSid=self.sid, media={"payload": base64.b64encode(payload).decode()})

    def mark(self, name):
        self.send(event="mark", streamSid=self.sid, mark={"name": name})

    def clear(self):
        self.send(event="clear", streamSid=self.sid)

    def close(self, code=1000):
        """An orderly end: close frame, its answer, then the socket."""
        if self.closed or not self.answers_close:
            return
        self.write(frame(8, struct.pack(">H", code)))
        self.answers_close = False
        while not self.closed:
            self.message()

    def finish(self):
        """What a polite server does when the other side ends the call."""
        while not self.closed:
            self.message()
        if self.answers_close:
            self.write(frame(8, struct.pack(">H", 1000)))


class Standin:
    """A context: with Standin(behaviour) as s: ... s.url"""

    def __init__(self, behaviour, twiml=TWIML, status=200, content_type="text/xml", handshake=None, callback=204, tls=None, actions=None):
        self.behaviour, self.status, self.content_type = behaviour, status, content_type
        self.handshake, self.callback, self.actions = handshake, callback, actions or {}  # path: document
        self.requests, self.messages, self.faults, self.close_frames = [], [], [], []
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port, self.tls = self.sock.getsockname()[1], tls  # an ssl.SSLContext
        self.url = f"http{'s' if tls else ''}://localhost:{self.port}/webhook/incoming_call"
        self.twiml = twiml.replace("PORT", str(self.port))

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.sock.shutdown(socket.SHUT_RDWR)  # or a thread inside accept() would take one more
        self.sock.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock = self.tls.wrap_socket(sock, server_side=True) if self.tls else sock
            data = b""
            while b"\r\n\r\n" not in data:
                data += sock.recv(65536) or self._gone()
            head, rest = data.split(b"\r\n\r\n", 1)
            lines = head.decode().split("\r\n")
            fields = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
            while len(rest) < int(fields.get("content-length", 0)):
                rest += sock.recv(65536) or self._gone()
            method, target, _ = lines[0].split(" ")
            self.requests.append((method, target, fields, rest))
            if method == "GET":
                self._stream(sock, fields, rest)
            else:
                self._answer(sock, target)
        except (EOFError, OSError):
            pass
        finally:
            sock.close()

    @staticmethod
    def _gone():
        raise EOFError

    def _answer(self, sock, target):
        is_call = target.endswith("incoming_call") or target in self.actions
        status, body = (self.status, self.actions.get(target, self.twiml).encode()) if is_call else (self.callback, b"")
        kind = f"Content-Type: {self.content_type}\r\n" if is_call and self.content_type else ""
        sock.sendall(f"HTTP/1.1 {status} X\r\n{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def _stream(self, sock, fields, rest):
        digest = hashlib.sha1((fields["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        accept = base64.b64encode(digest).decode()
        answer = self.handshake or ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                    "Sec-WebSocket-Accept: ACCEPT\r\n\r\n")
        sock.sendall(answer.replace("ACCEPT", accept).encode())
        stream = Stream(sock, rest, self)
        if self.behaviour(stream) != "rude":
            stream.finish()
