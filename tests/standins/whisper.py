"""whisper.py - a transcription service on loopback that answers as told and remembers every request

The way it behaves is the first part of the path, /ok/v1/audio/transcriptions, or what `how` says.
"""

import json
import socket
import ssl
import struct
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SILENCE = 30  # seconds; nobody waits for so long


def transcription(text, **segment):
    words = {"id": 0, "seek": 0, "start": 0.0, "end": 1.0, "text": " " + text, "tokens": [1], "temperature": 0.0,
             "avg_logprob": -0.2, "compression_ratio": 1.1, "no_speech_prob": 0.01, **segment}
    return {"task": "transcribe", "language": "english", "duration": 1.0, "text": text, "segments": [words]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json", **fields):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def form(self, body):
        """{name: (filename, bytes)}"""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        return {part.get_param("name", header="content-disposition"): (part.get_filename(), part.get_payload(decode=True))
                for part in BytesParser().parsebytes(head + body).get_payload()}

    def do_HEAD(self):
        """A connection is being made ahead of its use."""
        self.server.standin.heads.append((self.path, self.client_address[1]))
        self.answer(405, b"")

    def do_POST(self):
        standin = self.server.standin
        body = self.rfile.read(int(self.headers["Content-Length"]))
        standin.ports.append(self.client_address[1])
        form = self.form(body)
        with standin.lock:
            standin.requests.append((self.path, dict(self.headers), form))
            n = standin.n[self.path] = standin.n.get(self.path, 0) + 1
        how = standin.how or self.path.split("/")[1]
        self.wants_json = form["response_format"][1] == b"json"
        getattr(self, "how_" + how)(n)

    how_inference = lambda self, n: self.how_ok(n)  # the path of whisper.cpp

    def how_ok(self, n):
        self.answer(200, transcription(self.server.standin.text))

    def how_malformed(self, n):
        self.answer(200, b'{"text":"hel')

    def how_html(self, n):
        self.answer(200, b"<html>hello</html>", "text/html")

    def how_unauthorised(self, n):
        self.answer(401, {"error": {"message": "no such key", "code": "invalid_api_key"}})

    def how_busy(self, n):
        self.answer(429, {"error": {"message": "slow down"}}, Retry_After="20")

    def how_busyonce(self, n):
        if n == 1:
            self.answer(429, {"error": {"message": "slow down"}}, retry_after_ms="150")
        else:
            self.how_ok(n)

    def how_spent(self, n):
        self.answer(429, {"error": {"code": "insufficient_quota"}})

    def how_broken(self, n):
        self.answer(500, {"error": "oops"})

    def how_brokenonce(self, n):
        self.how_broken(n) if n == 1 else self.how_ok(n)

    def how_final(self, n):
        self.answer(500, {"error": "oops"}, x_should_retry="false")

    def half(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"text":"hel')
        self.wfile.flush()

    def how_stall(self, n):
        self.half()
        self.server.standin.over.wait(SILENCE)

    def how_silent(self, n):
        self.server.standin.over.wait(SILENCE)
        self.close_connection = True

    def how_reset(self, n):
        self.half()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def how_oversized(self, n):
        self.answer(200, b'{"text":"' + b"a" * 2000000 + b'"}')

    def how_plain(self, n):
        if self.wants_json:
            self.answer(200, {"text": self.server.standin.text, "usage": {"type": "duration", "seconds": 1}})
        else:
            self.answer(400, {"error": {"message": "response_format 'verbose_json' is not compatible with this model",
                                        "param": "response_format", "code": "unsupported_value"}})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # the client went away, as it may


class Standin:
    """A context; requests holds (path, headers, form), ports that of the client of each, heads (path, port) of a HEAD."""

    def __init__(self, certificate=None, how=None):
        self.requests, self.n, self.how, self.text = [], {}, how, "hello there"
        self.ports, self.heads = [], []
        self.lock, self.over = threading.Lock(), threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.standin = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if not self.over.is_set():
            self.over.set()
            self.server.shutdown()
            self.server.server_close()
