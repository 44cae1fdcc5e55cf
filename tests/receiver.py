"""receiver.py - an endpoint that is told of events: it checks what it is told, keeps it, and fails as it is told to"""

import base64
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

PIECE = b"x" * 65536


def secret(byte):
    return "whsec_" + base64.b64encode(bytes([byte]) * 32).decode()


def signature(key, headers, body):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(base64.b64decode(key[len("whsec_"):]), signed, hashlib.sha256).digest()).decode()


class Receiver:
    """answers: what is done with each request, the last one with all that come after; see Handler.do_POST()."""

    def __init__(self, *answers, certificate=None, key=None):
        self.answers, self.key = list(answers) or [200], key or secret(1)
        self.taken, self.deliveries, self.bad, self.n_asked = [], [], [], 0
        self.changed = threading.Condition()
        self.context = self.load(certificate) if certificate else None
        receiver = self

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def get_request(self):
                sock, peer = super().get_request()
                return (receiver.context.wrap_socket(sock, server_side=True) if receiver.context else sock), peer

            def handle_error(self, *_):
                pass  # who is killed says no goodbye

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                receiver.serve(self)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @staticmethod
    def load(certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        return context

    def url(self, host="127.0.0.1", path="/hook"):
        return f"{'https' if self.context else 'http'}://{host}:{self.port}{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, request):
        body = request.rfile.read(int(request.headers["content-length"]))
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self.changed:
            answer = self.answers[min(self.n_asked, len(self.answers) - 1)]
            self.n_asked += 1
        if signature(self.key, headers, body) not in headers["webhook-signature"].split() or \
                json.loads(body)["id"] != headers["webhook-id"] or abs(time.time() - int(headers["webhook-timestamp"])) > 60:
            self.bad.append((headers, body))
        if answer in (200, "endless"):  # before it is answered: whoever is killed meanwhile has told it
            with self.changed:
                self.deliveries.append((headers, body))
                self.taken.append(json.loads(body))
                self.changed.notify_all()
        getattr(self, f"do_{answer}" if isinstance(answer, str) else "do_status")(request, answer)

    def do_status(self, request, answer):
        status, fields = answer if isinstance(answer, tuple) else (answer, {})
        request.send_response(status)
        for name, value in fields.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def do_close(self, request, _):
        request.close_connection = True

    def do_stall(self, request, _):
        request.connection.settimeout(60)
        request.rfile.read(1)  # until it is hung up on
        request.close_connection = True

    def do_drip(self, request, _):
        request.close_connection = True
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 120:
                request.wfile.write(bytes([byte]))
                time.sleep(0.5)
        except OSError:
            pass

    def do_endless(self, request, answer):
        self.flood(request, 200)

    def do_huge(self, request, answer):
        self.flood(request, 500)

    @staticmethod
    def flood(request, status):
        request.close_connection = True
        request.send_response(status)
        request.end_headers()
        try:
            for _ in range(4096):
                request.wfile.write(PIECE)
        except OSError:
            pass

    def wait(self, condition, patience=60):
        """Until condition(taken) holds; the test says whether it does."""
        with self.changed:
            self.changed.wait_for(lambda: condition(self.taken), patience)
