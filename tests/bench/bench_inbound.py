"""bench_inbound.py - WhatsApp messages that come in, signed, over HTTP, each on disk before it is answered

Beside the same on Flask and SQLite behind gunicorn, where Debian's python3-flask and gunicorn are installed. One sender
in Python makes the load on the same cores, so our own figure is a floor.
"""

import collections
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, TESTS)
from daemon import ACCOUNT, PATIENCE, Daemon
from volley import volley, webhook

AT_ONCE = ((1, 1500), (64, 12000))  # connections, messages
THEIR_SHARE = 10                    # they are asked so many times fewer


def row(what, figure, unit, remark):
    print(f"{what}\t{figure:.4g}\t{unit}\t{remark}", flush=True)


def messages(first, n):
    return collections.deque((i, webhook("/webhook/whatsapp/incoming", {
        "MessageSid": f"SM{i:032x}", "SmsMessageSid": f"SM{i:032x}", "AccountSid": ACCOUNT, "NumMedia": "0",
        "From": f"whatsapp:+97250{i % 1000:07d}", "To": "whatsapp:+97231234567", "Body": "I need a lawyer for my shop",
        "ProfileName": f"Person {i % 1000}", "WaId": f"97250{i % 1000:07d}"})) for i in range(first, first + n))


def per_second(port, first, n, n_connections):
    posts = messages(first, n)
    began = time.monotonic()
    answers = [status for _, _, _, status in volley(port, posts, n_connections)]
    if answers != [200] * n:
        raise RuntimeError(f"{collections.Counter(answers)} of {n}")
    return n / (time.monotonic() - began)


def ours():
    with Daemon() as daemon:
        per_second(daemon.port, 0, 200, 1)
        return [per_second(daemon.port, 1000000 * n_connections, n, n_connections) for n_connections, n in AT_ONCE]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def await_port(port):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("gunicorn does not listen")


def theirs():
    with tempfile.TemporaryDirectory() as scratch:
        port = free_port()
        server = subprocess.Popen(
            ["gunicorn", "--chdir", HERE, "--pythonpath", TESTS, "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "32",
             "--keep-alive", "60", "--log-level", "error", "flask_inbox:app"],
            env={**os.environ, "FLASK_INBOX": f"{scratch}/inbox.db"})
        try:
            await_port(port)
            per_second(port, 0, 50, 1)
            return [per_second(port, 1000000 * n_connections, n // THEIR_SHARE, n_connections) for n_connections, n in AT_ONCE]
        finally:
            server.terminate()
            server.wait(PATIENCE)


mine = ours()
for (n_connections, _), figure in zip(AT_ONCE, mine):
    row(f"WhatsApp messages in, {n_connections} at once", figure, "/s", "whole daemon, signed, on disk before the answer")
if importlib.util.find_spec("flask") and shutil.which("gunicorn"):
    for (n_connections, _), figure, own in zip(AT_ONCE, theirs(), mine):
        row(f"the same on Flask and SQLite, {n_connections} at once", figure, "/s", f"gunicorn, 2 x 32 threads; ours is {own / figure:.1f} times that")
else:
    print("bench_inbound: python3-flask or gunicorn is not installed; there is nothing to compare with", file=sys.stderr)
