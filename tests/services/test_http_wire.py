"""test_http_wire.py - our HTTP client on the wire: TLS, HTTP/2, proxies, connections kept, and all that breaks them

What is asked runs in http_probe; the servers and proxies are here, each on a port of the kernel's choice.
"""

import errno
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import floor
import tap

PROBE = os.path.join(tap.BUILD, "tests", "services", "http_probe")
warnings.simplefilter("ignore", DeprecationWarning)  # of the TLS that nobody shall speak
SCRATCH = tempfile.TemporaryDirectory()
LOCAL = floor.make_certificate(SCRATCH.name, "localhost")
EXPIRED = floor.make_certificate(tempfile.mkdtemp(dir=SCRATCH.name), "localhost", days=-1)
OTHER = floor.make_certificate(SCRATCH.name, "other.example")


def probe(url, alone=1, together=0, ca="-", connect_ms=5000, total_ms=20000, aborted=0, **env):
    """Returns: [(r, status, text)], {count}"""
    env = {"NO_PROXY": "*", **env} if not any("proxy" in name.lower() for name in env) else env
    env.update({name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")})
    ran = tap.run(PROBE, ca, str(connect_ms), str(total_ms), str(alone), str(together), url, str(aborted), env=env, timeout=120)
    lines = ran.stdout.splitlines()
    if ran.returncode or not lines:
        print("# " + ran.stderr.replace("\n", "\n# "))
        return [], {}
    counts = {name: int(n) for name, n in re.findall(r"(\w+) (\d+)", lines[-1])}
    return [(int(r), int(status), text) for r, status, text in (line.split(" ", 2) for line in lines[:-1])], counts


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, **fields):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.seen.append((self.path, self.client_address[1]))
            n = len(self.server.seen)
        self.server.how(self, n)

    def do_CONNECT(self):
        host, port = self.path.rsplit(":", 1)
        self.server.seen.append((self.path, dict(self.headers)))
        if self.server.how:
            self.server.how(self, len(self.server.seen))
            return
        with socket.create_connection((host.strip("[]"), int(port))) as there:
            self.send_response(200)
            self.end_headers()
            self.pump(self.connection, there)
        self.close_connection = True

    @staticmethod
    def pump(here, there):
        other = {here: there, there: here}
        while True:
            for side in select.select([here, there], [], [])[0]:
                data = side.recv(65536)
                if not data:
                    return
                other[side].sendall(data)


def good(handler, n):
    handler.answer(200, b"served")


class Server(ThreadingHTTPServer):
    """A context; seen holds what was asked for."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, how=good, certificate=None, limit=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.lock, self.how, self.port = [], threading.Lock(), how, self.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            if limit:
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.maximum_version = limit
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # the client went away, as it may


def connections(server):
    return len({port for _, port in server.seen})


# --- connections are kept

with Server() as s:
    calls, counts = probe(f"http://127.0.0.1:{s.port}", alone=5)
    tap.same((calls, connections(s), counts.get("connections")), ([(0, 200, "served")] * 5, 1, 1), "five calls, one connection")
with Server(certificate=LOCAL) as s:
    calls, counts = probe(f"https://localhost:{s.port}", alone=5, ca=LOCAL[0])
    tap.same((calls, connections(s), counts.get("connections")), ([(0, 200, "served")] * 5, 1, 1), "five calls, one TLS handshake")


def closing(handler, n):
    handler.answer(200, b"served", Connection="close")


with Server(closing) as s:
    calls, counts = probe(f"http://127.0.0.1:{s.port}", alone=3)
    tap.same((calls, counts.get("connections")), ([(0, 200, "served")] * 3, 3), "a connection that the server closes is opened again")

# --- HTTP/2 where it is offered

H2 = """
const server = require("node:http2").createSecureServer({ key: require("fs").readFileSync(process.argv[1]),
  cert: require("fs").readFileSync(process.argv[2]), allowHTTP1: true });
let sessions = 0, together = 0, most = 0;
const waiting = [];
server.on("session", (session) => { session.number = ++sessions; });
server.on("request", (request, response) => {
  request.resume();
  request.on("end", () => {
    waiting.push(() => response.end(`${request.httpVersion} ${request.stream ? request.stream.session.number : 0} ${most}`));
    most = Math.max(most, waiting.length);
    if (request.headers["content-length"] !== "2") throw new Error("no content");
    setTimeout(() => { for (const go of waiting.splice(0)) go(); }, 20);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""

if not shutil.which("node"):
    tap.skip("HTTP/2: there is no node to serve it")
else:
    node = subprocess.Popen(["node", "-e", H2, LOCAL[1], LOCAL[0]], stdout=subprocess.PIPE, text=True)
    try:
        port = node.stdout.readline().strip()
        calls, counts = probe(f"https://localhost:{port}", alone=2, together=20, ca=LOCAL[0])
        said = [text.split() for _, _, text in calls]
        tap.same(({words[0] for words in said}, {words[1] for words in said}, len(said)), ({"2.0"}, {"1"}, 22),
                 "HTTP/2 where TLS offers it: all calls in one session")
        tap.same(counts.get("connections"), 1, "over one connection")
        calls, counts = probe(f"https://localhost:{port}", alone=2, together=20, aborted=5, ca=LOCAL[0])
        tap.same(([r for r, _, _ in calls[2:]], counts.get("connections")), ([-errno.ECANCELED] * 5 + [0] * 15, 1),
                 "some are given up: the others go on over the same connection")
        tap.ok(max((int(words[2]) for words in said), default=0) > 1, "several at a time")
    finally:
        node.kill()
        node.wait()
        node.stdout.close()

# --- who is not who he says

with Server(certificate=LOCAL) as s:
    calls, _ = probe(f"https://localhost:{s.port}")
    tap.same((calls, s.seen), ([(-errno.EPROTO, 0, "the certificate does not verify")], []), "nobody vouches for the certificate")
    calls, _ = probe(f"https://localhost:{s.port}", ca="/nonexistent/ca.pem")
    tap.same((calls, s.seen), ([(-errno.EPROTO, 0, "the file of authorities cannot be read")], []), "no file of authorities")
with Server(certificate=EXPIRED) as s:
    calls, _ = probe(f"https://localhost:{s.port}", ca=EXPIRED[0])
    tap.same((calls, s.seen), ([(-errno.EPROTO, 0, "the certificate does not verify")], []), "the certificate has expired")
with Server(certificate=OTHER) as s:
    calls, _ = probe(f"https://localhost:{s.port}", ca=OTHER[0])
    tap.same((calls, s.seen), ([(-errno.EPROTO, 0, "the certificate does not verify")], []), "the certificate is another one's")
with Server(certificate=LOCAL, limit=ssl.TLSVersion.TLSv1_1) as s:
    calls, _ = probe(f"https://localhost:{s.port}", ca=LOCAL[0])
    tap.same((calls, s.seen), ([(-errno.EPROTO, 0, "TLS cannot be agreed on")], []), "TLS of another age")
with Server() as s:
    calls, _ = probe(f"https://127.0.0.1:{s.port}", ca=LOCAL[0])
    tap.same((calls, s.seen), ([(-errno.EPROTO, 0, "TLS cannot be agreed on")], []), "no TLS at all")

# --- who is not there

calls, _ = probe("http://no-such-name.invalid")
tap.same(calls, [(-errno.EHOSTUNREACH, 0, "the name of the host is not known")], "a name that nobody has")

with socket.socket() as full:
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    others = [socket.socket() for _ in range(4)]
    for other in others:
        other.setblocking(False)
        other.connect_ex(full.getsockname())
    calls, counts = probe(f"http://127.0.0.1:{full.getsockname()[1]}", connect_ms=200)
    tap.same((calls, counts.get("failed")), ([(-errno.ETIMEDOUT, 0, "the connection is not made in time")], 1),
             "a server that takes no more connections")
    for other in others:
        other.close()

# --- who says when to come again


def busy_once(fields, body=b"{}", status=429):
    def how(handler, n):
        handler.answer(status, body, **fields) if n == 1 else good(handler, n)
    return how


LATER = "the answer is not there in time"
RETRIES = [
    ("a second, which there is", busy_once({"Retry-After": "1"}), (0, 200, "served"), 2),
    ("503 as well", busy_once({"Retry-After": "0"}, status=503), (0, 200, "served"), 2),
    ("a minute, which there is not", busy_once({"Retry-After": "60"}), (-errno.EREMOTEIO, 429, "it answers with an error"), 1),
    ("a date", busy_once({"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}), (-errno.EREMOTEIO, 429, "it answers with an error"), 1),
    ("more seconds than there are", busy_once({"Retry-After": "9223372036854775807"}), (-errno.EREMOTEIO, 429, "it answers with an error"), 1),
    ("nothing that can be read", busy_once({"Retry-After": "soon"}), (0, 200, "served"), 2),
    ("never, the account is empty", busy_once({}, b'{"error":{"code":"insufficient_quota"}}'),
     (-errno.EREMOTEIO, 429, "it answers with an error"), 1),
    ("a bad key stays one", busy_once({}, status=401), (-errno.EREMOTEIO, 401, "it answers with an error"), 1),
    ("a redirect is not followed", busy_once({"Location": "http://127.0.0.1:1/"}, status=302),
     (-errno.EREMOTEIO, 302, "it answers with an error"), 1),
]
for what, how, want, n in RETRIES:
    with Server(how) as s:
        calls, _ = probe(f"http://127.0.0.1:{s.port}", total_ms=5000)
        tap.same((calls, len(s.seen)), ([want], n), f"told to come again: {what}")

# --- proxies, from the environment

with Server(certificate=LOCAL) as s, Server(how=None) as proxy:
    url, there = f"https://localhost:{s.port}", f"http://127.0.0.1:{proxy.port}"
    for name in ("https_proxy", "HTTPS_PROXY"):
        del proxy.seen[:]
        calls, _ = probe(url, ca=LOCAL[0], alone=2, **{name: there})
        tap.same((calls, [where for where, _ in proxy.seen]), ([(0, 200, "served")] * 2, [f"localhost:{s.port}"]),
                 f"{name}: through a tunnel, once for two calls")
        tap.ok(proxy.seen and not any("secret" in text for text in proxy.seen[0][1].values()), "which does not see the key")
    for name in ("no_proxy", "NO_PROXY"):
        del proxy.seen[:]
        calls, _ = probe(url, ca=LOCAL[0], https_proxy=there, **{name: "example.com,localhost"})
        tap.same((calls, proxy.seen), ([(0, 200, "served")], []), f"{name}: past it")
    calls, _ = probe(url, https_proxy=there)
    tap.same(calls, [(-errno.EPROTO, 0, "the certificate does not verify")], "a tunnel vouches for nobody")
    proxy.how = lambda handler, n: handler.answer(407, b"", Connection="close")
    calls, _ = probe(url, ca=LOCAL[0], https_proxy=there)
    tap.same(calls, [(-errno.EHOSTUNREACH, 0, "the proxy does not let it through")], "a proxy that refuses")
    calls, _ = probe(url, ca=LOCAL[0], https_proxy="http://no-such-name.invalid:1")
    tap.same(calls, [(-errno.EHOSTUNREACH, 0, "the name of the proxy is not known")], "a proxy that nobody knows")
with Server() as s, Server() as proxy:
    calls, _ = probe(f"http://127.0.0.1:{s.port}", http_proxy=f"http://127.0.0.1:{proxy.port}")
    tap.same((calls, [where for where, _ in proxy.seen], s.seen), ([(0, 200, "served")], [f"http://127.0.0.1:{s.port}/v1/asked"], []),
             "http_proxy: asked for the whole URL")
tap.done()
