"""media_call.py - one call as Twilio brings it, message by message: its webhook, then its stream, well behaved or not"""

import base64
import json
import re
import socket
import struct

from caller.standin import frame, sign
from daemon import ACCOUNT, HOST

MASK = b"\x01\x02\x03\x04"
SILENCE = b"\xff" * 160
PATH = "/ws/twilio-media"
n_calls = 0


class Call:
    """One call: its webhook, then its stream; what it says is up to the test."""

    def __init__(self, daemon, receive_buffer=None):
        global n_calls
        n_calls += 1
        self.daemon, self.rest, self.receive_buffer = daemon, b"", receive_buffer
        self.sid, self.stream_sid = f"CA{n_calls:032d}", f"MZ{n_calls:032d}"
        self.status, self.twiml = daemon.post("/webhook/incoming_call", CallSid=self.sid, AccountSid=ACCOUNT,
                                              From=f"+97250{n_calls:07d}", To="+97231234567", CallStatus="ringing")
        found = re.search(r'name="token" value="([^"]+)"', self.twiml)
        self.token = found.group(1) if found else ""

    def open(self, signature=None):
        """Returns the status of the handshake."""
        self.sock = self.daemon.connect()
        if self.receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        signature = sign(f"wss://{HOST}{PATH}") if signature is None else signature
        self.sock.sendall((f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           + (f"X-Twilio-Signature: {signature}\r\n" if signature else "") + "\r\n").encode())
        while b"\r\n\r\n" not in self.rest:
            data = self.sock.recv(65536)
            if not data:
                return 0
            self.rest += data
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        return int(head.split()[1])

    def write(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the end was on its way

    def text(self, text):
        self.write(frame(1, text.encode() if isinstance(text, str) else text, mask=MASK))

    def say(self, event, **fields):
        self.text(json.dumps({"event": event, "streamSid": self.stream_sid, **fields}))

    def connected(self):
        self.text('{"event":"connected","protocol":"Call","version":"1.0.0"}')

    def start(self, token=None, call_sid=None, account=ACCOUNT):
        token = self.token if token is None else token
        self.say("start", sequenceNumber="1", start={
            "streamSid": self.stream_sid, "accountSid": account, "callSid": call_sid or self.sid, "tracks": ["inbound"],
            "customParameters": {"token": token} if token else {},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}})

    def media(self, payload=SILENCE):
        self.say("media", media={"track": "inbound", "chunk": "1", "timestamp": "20",
                                 "payload": base64.b64encode(payload).decode()})

    def begin(self):
        self.open()
        self.connected()
        self.start()
        return self

    def read(self):
        """(opcode, payload) of the next frame; (0, b"") at the end."""
        def take(n):
            while len(self.rest) < n:
                data = self.sock.recv(65536)
                if not data:
                    raise EOFError
                self.rest += data
            taken, self.rest = self.rest[:n], self.rest[n:]
            return taken
        try:
            first, n = take(2)
            if n == 126:
                n = struct.unpack(">H", take(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", take(8))[0]
            return first & 15, take(n)
        except (EOFError, ConnectionResetError):
            return 0, b""

    def close_code(self):
        """What the daemon closes with; 1006 when it says nothing."""
        while True:
            opcode, payload = self.read()
            if opcode == 8:
                self.write(frame(8, payload, mask=MASK))
                self.hang_up()
                return struct.unpack(">H", payload[:2])[0]
            if opcode == 0:
                return 1006

    def echo(self, payload):
        """Whether the payload comes back as one message, which the echo line promises."""
        self.media(payload)
        opcode, text = self.read()
        return opcode == 1 and json.loads(text) == {
            "event": "media", "streamSid": self.stream_sid, "media": {"payload": base64.b64encode(payload).decode()}}

    def ring_off(self):
        """The caller hangs up: Twilio says so, whether there is a stream or not."""
        return self.daemon.post("/webhook/call_status", CallSid=self.sid, AccountSid=ACCOUNT, CallStatus="completed", SequenceNumber="1")

    def hang_up(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has ended

    def stop(self):
        self.say("stop", stop={"accountSid": ACCOUNT, "callSid": self.sid})
        return self.close_code()
