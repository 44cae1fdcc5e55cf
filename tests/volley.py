"""volley.py - many webhooks at once over connections that are kept, as Twilio posts them"""

import selectors
import socket
import time
import urllib.parse

from caller.standin import sign
from daemon import HOST

PATIENCE = 60  # seconds without any answer


def webhook(path, form, token=None):
    """The bytes of one signed post."""
    body = urllib.parse.urlencode(form).encode()
    token = f"I-Twilio-Idempotency-Token: {token}\r\n" if token else ""
    return (f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nX-Twilio-Signature: {sign(f'https://{HOST}{path}', body)}\r\n{token}"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


class Connection:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.key, self.sent, self.data = None, 0, b""

    def post(self, key, post):
        self.key, self.sent = key, time.monotonic()
        self.sock.sendall(post)

    def answer(self):
        """The status of a whole answer; None: not yet. OSError: there is none to come."""
        part = self.sock.recv(65536)
        if not part:
            raise ConnectionResetError
        self.data += part
        head, end, body = self.data.partition(b"\r\n\r\n")
        if not end:
            return None
        _, found, length = head.lower().partition(b"\r\ncontent-length:")
        n = int(length.split(b"\r\n")[0]) if found else 0
        if len(body) < n:
            return None
        self.data = body[n:]
        return int(head.split()[1])


def volley(port, posts, n_connections):
    """Posts the pairs (key, bytes) of the deque posts; yields (key, sent, answered, status) in order of answers.

    status 0: the connection broke before the answer, and is opened again unless nobody listens any more; without any
    connection the volley is over, and what was not begun is still in posts.
    """
    selector = selectors.DefaultSelector()

    def load(connection):
        """Returns: the key of what could not be sent, if any."""
        if not posts:
            selector.unregister(connection.sock)
            connection.sock.close()
            return None
        key, post = posts.popleft()
        try:
            connection.post(key, post)
        except OSError:
            return key
        return None

    def reopen(connection):
        selector.unregister(connection.sock)
        connection.sock.close()
        if not posts:
            return
        try:
            fresh = Connection(port)
        except OSError:
            return
        selector.register(fresh.sock, selectors.EVENT_READ, fresh)
        load(fresh)

    for _ in range(min(n_connections, len(posts))):
        connection = Connection(port)
        selector.register(connection.sock, selectors.EVENT_READ, connection)
        load(connection)
    while selector.get_map():
        ready = selector.select(PATIENCE)
        if not ready:
            raise TimeoutError("nothing is answered")
        for entry, _ in ready:
            connection = entry.data
            key, sent = connection.key, connection.sent
            try:
                status = connection.answer()
            except OSError:
                status = 0
                reopen(connection)
            if status is None:
                continue
            yield key, sent, time.monotonic(), status
            if status:
                lost = load(connection)
                if lost is not None:
                    yield lost, connection.sent, time.monotonic(), 0
                    reopen(connection)
