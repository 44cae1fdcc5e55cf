"""test_serve.py - the daemon's life: its sockets, certificates, signals, what systemd is told; and routes"""

import atexit
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from floor import HANDSHAKE, LSAN_OPTIONS, PATIENCE, Server, Stream, ask, make_certificate  # noqa: E402
from tap import BINARY, done, ok, run, same, skip  # noqa: E402

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
STATUS = b"GET /admin/status HTTP/1.1\r\nHost: x\r\n\r\n"


def environment(folder, **settings):
    return {"APP_ENV": "development", "DATABASE_URL": f"lmdb://{folder}/store", "STATE_DIR": f"{folder}/state",
            "CACHE_DIR": f"{folder}/cache", "AGENT_PROFILE": "echo", **settings}


def serve(folder, *options, env=None, **kwargs):
    listen = [f"--listen={spec}" for spec in options]
    return Server(BINARY, "serve", *listen, env=env or environment(folder), **kwargs)


def ask_admin(path, request):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(path)
    return ask(connection, request)


def life(folder):
    admin = f"{folder}/admin.sock"
    server = serve(folder, "http=127.0.0.1:0", "http=[::1]:0", f"admin={admin}")
    try:
        same(json.loads(ask(server.connect(), HEALTH).body), {"status": "ok", "draining": False}, "GET /health")
        same(stat.S_IMODE(os.stat(admin).st_mode), 0o660, "the admin socket is for its group")
        status = json.loads(ask_admin(admin, STATUS).body)
        same((status["draining"], status["websockets"], status["requests"]), (False, 0, 2), "GET /admin/status counts")
        same(ask(server.connect(), STATUS).status, 404, "but only on the admin socket")
        again = serve(folder, f"http=127.0.0.1:{server.addresses['http'][1]}", ready=None)
        same(again.process.wait(PATIENCE), 1, "a second daemon on the same port fails")
        ok(again.wait_for("Address already in use"), "and says why")
        same(server.stop(), 0, "SIGTERM ends it cleanly when nobody calls")
        ok("draining" in server.log and server.log.rstrip().endswith("stopped"), "which it says")
    finally:
        server.kill()

    server = serve(folder, "http=127.0.0.1:0", f"admin={admin}")
    try:
        same(ask_admin(admin, HEALTH).status, 200, "a socket file that was left behind is replaced")
        same(server.stop(signal.SIGINT), 0, "SIGINT ends it, too")
    finally:
        server.kill()


def answered(folder):
    """A line for each answer, under the name that the request brought."""
    server = serve(folder, "http=127.0.0.1:0", env=environment(folder, LOG_REQUESTS="info"))
    try:
        request = HEALTH.replace(b"\r\n\r\n", b"\r\nX-Request-Id: order-4711\r\n\r\n")
        same(ask(server.connect(), request).fields["x-request-id"], "order-4711", "a request keeps the name it brings")
        ok(server.wait_for(r"GET /health: 200 after \d+\.\d ms, request order-4711 of 127\.0\.0\.1"), "and leaves a line under it")
        ask(server.connect(), HEALTH.replace(b"/health", b"/secret/+972501234567"))
        ok(server.wait_for(r"no route: 404 ") and "secret" not in server.log, "without what a peer invents")
    finally:
        server.kill()


def open_stream(server):
    stream = Stream(server.connect(), handshake=HANDSHAKE.replace(b"/ws", b"/ws/twilio-media"))
    same(stream.opening.status, 101, "a stream is open")
    return stream


def drained(folder):
    """Streams that are open when SIGTERM comes."""
    admin = f"{folder}/admin.sock"

    server = serve(folder, "http=127.0.0.1:0", f"admin={admin}")
    try:
        stream = open_stream(server)
        server.send_signal(signal.SIGTERM)
        ok(server.wait_for("draining: no new calls, 1 live"), "SIGTERM begins to drain")
        same(json.loads(ask_admin(admin, HEALTH).body)["draining"], True, "GET /health says so")
        refused = False
        while not refused:
            try:
                server.connect().close()
            except OSError:
                refused = True
        ok(server.process.poll() is None, "nobody else gets in, and it waits for the stream")
        stream.connection.close()
        same(server.process.wait(PATIENCE), 0, "whose end is the end")
    finally:
        server.kill()

    server = serve(folder, "http=127.0.0.1:0")
    try:
        stream = open_stream(server)
        server.send_signal(signal.SIGTERM)
        ok(server.wait_for("draining: no new calls, 1 live"), "SIGTERM begins to drain")
        server.send_signal(signal.SIGTERM)
        same(stream.receive(), (8, 1001), "a second one closes the stream with 1001")
        same(server.process.wait(PATIENCE), 0, "and ends it")
    finally:
        server.kill()

    server = serve(folder, "http=127.0.0.1:0", env=environment(folder, DRAIN_SECONDS="0"))
    try:
        stream = open_stream(server)
        server.send_signal(signal.SIGTERM)
        same(stream.receive(), (8, 1001), "so does the end of DRAIN_SECONDS")
        same(server.process.wait(PATIENCE), 0, "which is as good an end")
    finally:
        server.kill()


def refusals(folder):
    rows = [
        ([], 1, "nobody could reach us", "no listener"),
        ([f"admin={folder}/none/y.sock"], 1, "No such file", "a path that is not there"),
        (["http=127.0.0.1"], 1, "NAME=ADDRESS:PORT", "no port"),
        (["http=localhost:0"], 1, "NAME=ADDRESS:PORT", "a name instead of an address"),
        (["http=127.0.0.1:http"], 1, "NAME=ADDRESS:PORT", "a port that is no number"),
        (["http=127.0.0.1:0", "admin=127.0.0.1:0"], 1, "admin must be a UNIX socket", "admin for everybody"),
        (["ftp=127.0.0.1:0"], 1, "http=, https= or admin=", "another name"),
        (["127.0.0.1:0"], 1, "http=, https= or admin=", "no name"),
        (["https=127.0.0.1:0"], 1, "TLS_CERT_FILE and TLS_KEY_FILE", "https without a certificate"),
    ]
    for specs, status, why, what in rows:
        server = serve(folder, *specs, ready=None)
        same(server.process.wait(PATIENCE), status, f"refused: {what}")
        ok(server.wait_for(re.escape(why)), "and says why")

    bad = environment(folder, LOOP_THREADS="many", MAX_CALLS="-1")
    server = serve(folder, "http=127.0.0.1:0", env=bad, ready=None)
    same(server.process.wait(PATIENCE), 78, "bad settings end it with a status of their own")
    ok(server.wait_for("LOOP_THREADS") and server.wait_for("MAX_CALLS"), "naming all of them")
    got = run(BINARY, "serve", "--listen", "http=127.0.0.1:0", env={"DATABASE_URL": f"lmdb://{folder}/store"})
    same(got.returncode, 78, "production without what makes it safe is refused")


def reloaded(server):
    """Returns: the process that has taken over."""
    server.send_signal(signal.SIGHUP)
    ok(server.wait_for(r"process \d+ has taken over"), "SIGHUP has a new process take over")
    successor = int(re.search(r"process (\d+) has taken over", server.log).group(1))
    atexit.register(end_process, successor, signal.SIGKILL)
    return successor


def end_process(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def logged(server, pattern, n=1):
    """Waits for lines of whoever writes to the server's log, also when its first process has gone."""
    end = time.monotonic() + PATIENCE
    while len(re.findall(pattern, server.read_log())) < n and time.monotonic() < end:
        time.sleep(0.01)
    return len(re.findall(pattern, server.log)) >= n


def ended(server, successor):
    end_process(successor, signal.SIGTERM)
    ok(logged(server, "stopped\n", 2), "and the new one when it is told")


def serial(server):
    return ssl.DER_cert_to_PEM_cert(server.connect_tls().getpeercert(True))


def pem(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def certificates(folder):
    cert, key = make_certificate(folder, "first")
    other_cert, other_key = make_certificate(folder, "second")
    first, second = pem(cert), pem(other_cert)
    server = serve(folder, "https=127.0.0.1:0",
                   env=environment(folder, TLS_CERT_FILE=cert, TLS_KEY_FILE=key, LOOP_THREADS="2"))
    try:
        same(serial(server), first, "the certificate is served")
        kept = server.connect_tls()
        shutil.copy(other_cert, cert)
        server.send_signal(signal.SIGHUP)
        ok(server.wait_for("cannot be used"), "a certificate without its key is not taken")
        ok(server.wait_for("the reload failed: .*cannot be used"), "which fails the reload")
        same(serial(server), first, "and the present one stays")
        shutil.copy(other_key, key)
        successor = reloaded(server)
        same(ask(kept, HEALTH).status, 200, "while older connections go on")
        same(server.process.wait(PATIENCE), 0, "the old process goes with the last of them")
        same(serial(server), second, "both files were read again, and the new certificate is served")
        make_certificate(folder, "first")
        ok(logged(server, "the certificate was replaced"), "new files are found without a signal")
        same(serial(server), pem(cert), "and served")
        ended(server, successor)
    finally:
        server.kill()


def told(inbox, wanted):
    """Reads what systemd is told until a line of it matches."""
    end, text = time.monotonic() + PATIENCE, ""
    while time.monotonic() < end:
        text = inbox.recv(4096).decode()
        if re.search(wanted, text, re.M):
            return text
    return ""


def notifications(folder):
    inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    inbox.settimeout(PATIENCE)
    inbox.bind(f"{folder}/notify")
    env = environment(folder, NOTIFY_SOCKET=f"{folder}/notify", WATCHDOG_USEC="200000")
    server = serve(folder, "http=127.0.0.1:0", env=env)
    try:
        text = told(inbox, "^READY=1$")
        ok(re.search("^STATUS=Answering, 0 calls$", text, re.M), "systemd is told when it is ready")
        ok(told(inbox, "^WATCHDOG=1$") and told(inbox, "^WATCHDOG=1$"), "and that it is alive")
        successor = reloaded(server)
        ok(re.search(r"^MONOTONIC_USEC=\d+$", told(inbox, "^RELOADING=1$"), re.M), "and of a reload, with its time")
        ok(re.search("^READY=1$", told(inbox, f"^MAINPID={successor}$"), re.M), "and of its end, and who is to be watched now")
        same(server.process.wait(PATIENCE), 0, "the old process goes")
        ok(told(inbox, "^WATCHDOG=1$"), "the new one is alive")
        end_process(successor, signal.SIGTERM)
        ok(told(inbox, "^STOPPING=1$"), "and says that it stops")
    finally:
        server.kill()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def activation(folder):
    activator = shutil.which("systemd-socket-activate")
    if not activator:
        skip("systemd-socket-activate is not there: inherited sockets were not shown")
        return
    port, admin = free_port(), f"{folder}/activated.sock"
    passed = [f"-E{name}={value}" for name, value in {**environment(folder), "LSAN_OPTIONS": LSAN_OPTIONS}.items()]
    server = Server(activator, "-l", f"127.0.0.1:{port}", "-l", admin, "-l", f"{folder}/other.sock",
                    "--fdname=http:admin:surprise", *passed, BINARY, "serve", ready=None)
    try:
        ok(server.wait_for("Listening on .*other.sock"), "systemd-socket-activate listens")
        connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
        same(ask(connection, HEALTH).status, 200, "the connection that started it is answered")
        same(ask_admin(admin, STATUS).status, 200, "the admin socket is known by its name")
        ok(server.wait_for("a socket named 'surprise'"), "an unknown name is closed with a warning")
        same(server.stop(), 0, "it stops cleanly")
    finally:
        server.kill()
    server = Server(activator, "-l", f"127.0.0.1:{port}", "--fdname=web", *passed, BINARY, "serve", ready=None)
    try:
        ok(server.wait_for("Listening on"), "systemd-socket-activate listens again")
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        same(server.process.wait(PATIENCE), 1, "without a socket of a known name it fails")
        ok(server.wait_for("nobody could reach us"), "and says so")
    finally:
        server.process.poll() is None and server.kill()


def table():
    got = run(BINARY, "routes")
    lines = got.stdout.splitlines()
    same((got.returncode, lines[0].split()), (0, ["METHOD", "PATH", "GUARD", "BODY", "SUMMARY"]), "agentlocator routes")
    paths = [line.split()[1] for line in lines[1:]]
    ok(paths == sorted(paths) and "/health" in paths, "is sorted by path")
    rows = json.loads(run(BINARY, "routes", "--json").stdout)
    same([(row["method"], row["path"]) for row in rows], [tuple(line.split()[:2]) for line in lines[1:]],
         "--json says the same")
    same(run(BINARY, "routes", "more").returncode, 2, "and it takes nothing else")


def main():
    with tempfile.TemporaryDirectory() as folder:
        table()
        life(folder)
        answered(folder)
        drained(folder)
        refusals(folder)
        certificates(folder)
        notifications(folder)
        activation(folder)
    done()


main()
