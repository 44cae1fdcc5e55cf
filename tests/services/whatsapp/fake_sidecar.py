"""fake_sidecar.py - the seven routes of the WhatsApp sidecar without WhatsApp, and everything that can go wrong with them

push() is what WhatsApp tells; the daemon fetches it, and by asking for more says what it has. `break_events` and
`break_messages` are queues of faults: each is a function of the connection and of the answer that would have been given,
and spoils one answer. What was sent is in `sent`, as WhatsApp would have seen it.
"""

import hashlib
import json
import os
import socket
import struct
import tempfile
import threading
import uuid

BODY_MAX = 64 * 1024


# --- faults: f(sock, status, body) answers in place of the right answer; True: the connection is of no use any more

def raw(sock, head, body=b""):
    sock.sendall(head.replace("\n", "\r\n").encode() + body)


def answer(sock, status, body, headers=""):
    raw(sock, f"HTTP/1.1 {status} X\ncontent-type: application/json\n{headers}content-length: {len(body)}\n\n", body)


def refusal(status, seconds=None):
    def fault(sock, _status, _body):
        answer(sock, status, b'{"error":"not now"}', f"retry-after: {seconds}\n" if seconds is not None else "")
    return fault


def changed(change):
    """change: of the answer's JSON."""
    def fault(sock, status, body):
        answer(sock, status, json.dumps(change(json.loads(body))).encode())
    return fault


def instead(text, status=200):
    def fault(sock, _status, _body):
        answer(sock, status, text.encode())
    return fault


def truncated(sock, status, body):
    answer(sock, status, body[:len(body) // 2])


def cut(sock, status, body):
    raw(sock, f"HTTP/1.1 {status} X\ncontent-length: {len(body)}\n\n", body[:len(body) // 2])
    return True


def reset(sock, _status, _body):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return True


def dripping(sock, status, body):
    raw(sock, f"HTTP/1.1 {status} X\ncontent-length: {len(body)}\n\n")
    for i in range(len(body)):
        sock.sendall(body[i:i + 1])


def chunked(sock, status, body):
    raw(sock, f"HTTP/1.1 {status} X\ntransfer-encoding: chunked\n\n")
    for i in range(0, len(body), 7):
        part = body[i:i + 7]
        sock.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    sock.sendall(b"0\r\n\r\n")


class Slow:
    """Answers when it is told to."""

    def __init__(self, fault=answer):
        self.asked, self.go, self.fault = threading.Event(), threading.Event(), fault

    def __call__(self, sock, status, body):
        self.asked.set()
        self.go.wait()
        return self.fault(sock, status, body)


class FakeSidecar:
    """A context. lose() is a new outbox in the place of the one that was; count_on(n) leaves out n numbers."""

    def __init__(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.scratch.name, "wa.sock")
        self.lock = threading.Condition()
        self.outbox, self.events, self.last = str(uuid.uuid4()), [], 0
        self.taken = []  # of the daemon, as it says
        self.jobs, self.sent = {}, []
        self.break_events, self.break_messages, self.break_health = [], [], []
        self.state, self.restricted, self.is_filling = "open", None, False
        self.n_asked = 0
        self.is_over = False

    def __enter__(self):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with self.lock:
            self.is_over = True
            self.lock.notify_all()
        self.server.close()
        self.scratch.cleanup()

    # --- what WhatsApp does

    def push(self, kind, **fields):
        with self.lock:
            self.last += 1
            self.events.append({"seq": self.last, "t": fields.pop("t", 1763796000000 + self.last), "k": kind, **fields})
            self.lock.notify_all()
            return self.last

    def message(self, wa_id, text, chat="972501234567@s.whatsapp.net", pn="972501234567", **fields):
        return self.push("message", wa_id=wa_id, chat=chat, pn=pn, from_me=False, name="Dana", ts=1763796000, live=True, type="text",
                         text=text, **fields)

    def push_raw(self, event):
        with self.lock:
            self.last += 1
            self.events.append({"seq": self.last, **event} if isinstance(event, dict) else event)
            self.lock.notify_all()

    def taken_before(self, sock, status, body):
        """A fault: what the daemon has comes once more."""
        changed(lambda a: {**a, "events": self.taken[-4:] + a["events"]})(sock, status, body)

    def lose(self):
        with self.lock:
            self.outbox, self.events, self.last = str(uuid.uuid4()), [], 0
            self.lock.notify_all()

    def count_on(self, n):
        with self.lock:
            self.last += n

    @property
    def is_taken(self):
        with self.lock:
            return not self.events

    # --- the routes

    def _health(self, _query, _body):
        with self.lock:
            return 200, {"v": 1, "state": self.state, "since": 1763796000000, "rss": 1, "outbox": len(self.events), "is_filling": self.is_filling,
                         "sendq": 0, "last_rx": None, "lib": "fake", "restricted_until": self.restricted}

    @staticmethod
    def _seq(event):
        return event["seq"] if isinstance(event, dict) else 0

    def _events(self, query, _body):
        after, most, wait = (int(query.get(name, 0)) for name in ("after", "max", "wait"))
        with self.lock:
            self.n_asked += 1
            if query.get("of", self.outbox) != self.outbox or after > self.last:
                return 410, {"outbox": self.outbox}
            # in the order of their numbers; an event that has none goes with the next
            n = next((i for i, event in enumerate(self.events) if self._seq(event) > after), len(self.events) if after >= self.last else 0)
            self.taken += self.events[:n]
            del self.events[:n]
            self.lock.wait_for(lambda: self.events or self.is_over or self.outbox != query.get("of", self.outbox), wait)
            events = self.events[:most or 64]
            last = max((self._seq(event) for event in events), default=after)
            return 200, {"outbox": self.outbox, "events": events, "next": last}

    def _send(self, _query, body):
        with self.lock:
            known = self.jobs.get(body["id"])
            if known and known["request"] != body:
                return 409, {"error": "the same id was used for another message"}
            if not known:
                wa_id = "3EB0" + hashlib.sha256(body["id"].encode()).hexdigest()[:18].upper()
                known = self.jobs[body["id"]] = {"request": body, "wa_id": wa_id}
                self.sent.append((body["to"], body["text"], wa_id))
                self.lock.notify_all()
            return 202, {"id": body["id"], "wa_id": known["wa_id"], "state": "queued"}

    def _job(self, body):
        job = self.jobs.get(body)
        return (200, {"id": body, "wa_id": job["wa_id"], "state": "queued"}) if job else (404, {"error": "there is no such message"})

    def _route(self, method, path, query, body):
        """(answer, its faults)"""
        if path.startswith("/v1/messages/"):
            return self._job(path.rpartition("/")[2]), []
        routes = {("GET", "/v1/health"): (self._health, self.break_health), ("GET", "/v1/events"): (self._events, self.break_events),
                  ("POST", "/v1/messages"): (self._send, self.break_messages),
                  ("POST", "/v1/pair"): (lambda *_: (200, {"code": "ABCD1234", "expires": 0}), []),
                  ("POST", "/v1/logout"): (lambda *_: (202, {"told": True}), []), ("POST", "/v1/chat"): (lambda *_: (204, None), [])}
        handler, faults = routes.get((method, path), (lambda *_: (404, {"error": "no such route"}), []))
        return handler(query, body), faults

    # --- the connections

    def _accept(self):
        while True:
            try:
                sock = self.server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        data = b""
        try:
            with sock:
                while not self.is_over:
                    while b"\r\n\r\n" not in data:
                        part = sock.recv(65536)
                        if not part:
                            return
                        data += part
                    head, _, data = data.partition(b"\r\n\r\n")
                    lines = head.decode().split("\r\n")
                    n = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
                    while len(data) < n:
                        data += sock.recv(65536)
                    body, data = data[:n], data[n:]
                    if self._answer(sock, lines[0], body) or "connection: close" in head.decode().lower():
                        return
        except OSError:
            pass

    def _answer(self, sock, line, body):
        method, target, _ = line.split(" ")
        path, _, text = target.partition("?")
        query = dict(pair.split("=") for pair in text.split("&") if pair)
        (status, value), faults = self._route(method, path, query, json.loads(body) if body else {})
        whole = b"" if value is None else json.dumps(value).encode()
        with self.lock:
            # a fault waits for an answer that has something in it to spoil
            fault = faults.pop(0) if faults and (path != "/v1/events" or status != 200 or value["events"]) else answer
        return fault(sock, status, whole)
