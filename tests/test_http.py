"""test_http.py - requests on the wire: routing, bodies, limits, time-outs, what is refused and how"""

import json
import os
import shutil
import signal
import socket
import ssl
import tempfile
import time

from floor import ECHO_SERVER, Reader, Server, ask, make_certificate
from tap import done, ok, same, skip


def get(path, *headers, method=b"GET", body=b""):
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    extra = b"".join(header + b"\r\n" for header in headers)
    return method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n" + length + extra + b"\r\n" + body


def post(path, body, *headers):
    return get(path, *headers, method=b"POST", body=body)


def chunked(path, *chunks):
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return get(path, b"Transfer-Encoding: chunked", method=b"POST") + body


def error_of(response):
    """The code of a JSON error, or what is wrong with it."""
    if response is None:
        return "no answer"
    try:
        error = json.loads(response.body)["error"]
    except (ValueError, KeyError):
        return f"not our JSON: {response.body!r}"
    if set(error) != {"code", "message", "request_id"} or not error["message"]:
        return f"wrong members: {error}"
    if error["request_id"] != response.fields.get("x-request-id") or len(error["request_id"]) != 32:
        return "wrong request id"
    return error["code"]


# request, status, code of the error (None: no error), whether the connection ends
ROWS = [
    ("a path", get(b"/echo"), 200, None, False),
    ("a query", get(b"/echo?a=/b%00"), 200, None, False),
    ("a dot segment", get(b"/x/../echo"), 200, None, False),
    ("an escaped letter", get(b"/%65cho"), 200, None, False),
    ("a name", get(b"/echo/some"), 200, None, False),
    ("no name", get(b"/echo/"), 404, "not_found", False),
    ("two names", get(b"/echo/some/more"), 404, "not_found", False),
    ("a longer word", get(b"/echoes"), 404, "not_found", False),
    ("another case", get(b"/ECHO"), 404, "not_found", False),
    ("two slashes", get(b"//echo"), 404, "not_found", False),
    ("the root", get(b"/"), 404, "not_found", False),
    ("an asterisk", get(b"*"), 404, "not_found", False),
    ("an absolute target", get(b"http://x/echo"), 404, "not_found", False),
    ("a very long path", get(b"/" + b"x" * 5000), 404, "not_found", False),
    ("a NUL in the path", get(b"/echo%00"), 400, "bad_request", True),
    ("a local route from outside", get(b"/local"), 404, "not_found", False),
    ("a guard without a function", get(b"/token"), 403, "forbidden", False),
    ("a wrong method", get(b"/echo", method=b"DELETE"), 405, "method_not_allowed", False),
    ("a wrong method with a body", post(b"/later", b"x" * 50), 405, "method_not_allowed", False),
    ("an unknown method", get(b"/echo", method=b"FROB"), 405, "method_not_allowed", False),
    ("a wrong method on a local route", get(b"/local", method=b"POST"), 404, "not_found", False),

    ("a body", post(b"/echo", b"x" * 100), 200, None, False),
    ("no body", get(b"/echo", method=b"POST"), 200, None, False),
    ("the largest body", post(b"/echo", b"x" * 16384), 200, None, False),
    ("a body too large for all", post(b"/echo", b"x" * 16386), 413, "too_large", True),
    ("the largest body of a route", post(b"/small", b"x" * 100), 200, None, False),
    ("a body too large for its route", post(b"/small", b"x" * 101), 413, "too_large", False),
    ("a huge body, all of it sent", post(b"/echo", b"x" * 3000000), 413, "too_large", True),
    ("a body in chunks", chunked(b"/echo", b"hello", b"world"), 200, None, False),
    ("the largest body in chunks", chunked(b"/echo", *[b"x" * 4096] * 4), 200, None, False),
    ("too large a body in chunks", chunked(b"/echo", *[b"x" * 4096] * 5), 413, "too_large", True),
    ("a broken chunk", get(b"/echo", b"Transfer-Encoding: chunked", method=b"POST") + b"zz\r\n", 400, "bad_request", True),

    ("two lengths that agree", post(b"/echo", b"hello", b"Content-Length: 5"), 400, "bad_request", True),
    ("two lengths that do not", post(b"/echo", b"hello", b"Content-Length: 9"), 400, "bad_request", True),
    ("length and chunks", get(b"/echo", b"Content-Length: 4", b"Transfer-Encoding: chunked", method=b"POST") +
     b"5\r\nhello\r\n0\r\n\r\n", 400, "bad_request", True),
    ("two encodings", get(b"/echo", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", method=b"POST") +
     b"0\r\n\r\n", 400, "bad_request", True),
    ("another encoding", get(b"/echo", b"Transfer-Encoding: gzip, chunked", method=b"POST"), 400, "bad_request", True),
    ("a folded header", get(b"/echo", b"X-A: b\r\n Content-Length: 5"), 400, "bad_request", True),
    ("a folded first header", b"GET /echo HTTP/1.1\r\n X: y\r\nHost: x\r\n\r\n", 400, None, True),
    ("a negative length", get(b"/echo", b"Content-Length: -1", method=b"POST"), 400, "bad_request", True),
    ("a signed length", get(b"/echo", b"Content-Length: +5", method=b"POST") + b"hello", 400, "bad_request", True),
    ("a list of lengths", get(b"/echo", b"Content-Length: 5, 5", method=b"POST") + b"hello", 400, "bad_request", True),
    ("a length over 64 bits", get(b"/echo", b"Content-Length: 99999999999999999999999", method=b"POST"), 400,
     "bad_request", True),
    ("no host", b"GET /echo HTTP/1.1\r\n\r\n", 400, "bad_request", True),
    ("two hosts", get(b"/echo", b"Host: y"), 400, "bad_request", True),
    ("a space in front of a colon", get(b"/echo", b"Content-Length : 5"), 400, None, True),
    ("not HTTP", b"hello\r\n\r\n", 400, None, True),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50), 400, None, True),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, None, True),
    ("an upgrade to HTTP/2", get(b"/echo", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c",
                                 b"HTTP2-Settings: AAMAAABkAAQAAP__"), 200, None, True),
    ("an expectation nobody knows", get(b"/echo", b"Expect: tea", b"Content-Length: 5", method=b"POST"), 417,
     "expectation", True),
    ("100 headers", get(b"/echo", *[b"A: b"] * 99), 200, None, False),
    ("101 headers", get(b"/echo", *[b"A: b"] * 100), 400, None, True),
    ("a header of 30 KB", get(b"/echo", b"A: " + b"b" * 30000), 200, None, False),
    ("a header of 40 KB", get(b"/echo", b"A: " + b"b" * 40000), 431, "header_too_large", True),
    ("a header name of 300 KB", get(b"/echo", b"a" * 300000 + b": b"), 431, "header_too_large", True),
    ("a header of 500 KB", get(b"/echo", b"A: " + b"b" * 500000), (400, 431), None, True),

    ("HTTP/1.0", b"GET /echo HTTP/1.0\r\n\r\n", 200, None, True),
    ("HTTP/1.0 kept alive", b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, None, False),
    ("a closing client", get(b"/echo", b"Connection: close"), 200, None, True),
    ("a failing handler", get(b"/fail?5"), 500, "internal", False),
    ("a handler that cannot read it", get(b"/fail?74"), 400, "bad_request", False),
    ("a handler that is busy", get(b"/fail?11"), 503, "busy", False),
    ("a handler that finds nothing", get(b"/fail?2"), 404, "not_found", False),
]


def rows(server, name):
    for what, request, status, code, ends in ROWS:
        connection = server.connect_tls(name) if name == "https" else server.connect(name)
        reader = Reader(connection)
        try:
            connection.sendall(request)
        except OSError:
            pass
        response = reader.response()
        if ok(response and response.status in (status if isinstance(status, tuple) else (status,)),
              f"{name}: {what}: {status}"):
            if code:
                same(error_of(response), code, "with our JSON")
            if "x-request-id" in response.fields:
                same((response.fields.get("x-content-type-options"), response.fields.get("cache-control"),
                      response.fields.get("server")), ("nosniff", "no-store", None), "and the headers of all answers")
            connection.settimeout(0.05 if not ends else 20)
            try:
                over = reader.ended()
            except (TimeoutError, socket.timeout, ssl.SSLError):
                over = False
            same(over, ends, "the connection ends" if ends else "the connection stays")
        elif response:
            print(f"# got {response.status} {response.body!r}")
        connection.close()


def details(server):
    connection = server.connect()
    got = json.loads(ask(connection, get(b"/echo/na%20me?q=%2F", b"X-Two: 1", b"X-Two: 2")).body)
    same((got["method"], got["path"], got["target"], got["query"], got["param"]),
         ("GET", "/echo/na me", "/echo/na%20me?q=%2F", "q=%2F", "na me"), "a handler sees the path decoded, the target raw")
    same((got["peer"], got["is_loopback"], got["listener"]), ("127.0.0.1", True, "http"), "and who asks")
    same([field for field in got["fields"] if field[0] in ("host", "x-two")],
         [["x-two", "1"], ["x-two", "2"], ["host", "x"]], "and every header")
    got = json.loads(ask(connection, chunked(b"/echo", b"hel", b"lo")).body)
    same(got["body"], "hello", "a body in chunks is put together")

    response = ask(connection, get(b"/echo", method=b"HEAD"), has_body=False)
    same((response.status, int(response.fields["content-length"]) > 0), (200, True), "HEAD is GET without its body")
    same(ask(connection, get(b"/echo", method=b"DELETE")).fields["allow"], "GET, HEAD, POST", "405 says what is allowed")
    ids = {ask(connection, get(b"/echo")).fields["x-request-id"] for _ in range(50)}
    same(len(ids), 50, "no two requests have one id")

    connection.sendall(get(b"/echo?1") + get(b"/later?50") + get(b"/echo?2") + post(b"/echo", b"3"))
    reader = Reader(connection)
    answers = [json.loads(reader.response().body) for _ in range(4)]
    same([answer["query"] or answer["body"] for answer in answers], ["1", "50", "2", "3"],
         "requests sent at once are answered in order")

    connection.sendall(get(b"/echo", b"Expect: 100-continue", b"Content-Length: 5", method=b"POST"))
    reader = Reader(connection)
    same(reader.response().status, 100, "who expects to go on is told to")
    connection.sendall(b"hello")
    same(json.loads(reader.response().body)["body"], "hello", "and then answered")

    for piece in get(b"/echo?slow", b"X: y"):
        connection.sendall(bytes([piece]))
    same(json.loads(Reader(connection).response().body)["query"], "slow", "a request may come byte by byte")


def promises(server):
    connection = server.connect()
    response = ask(connection, get(b"/later?20"))
    same((response.status, response.fields.get("x-from")), (200, "a thread"), "an answer from another thread")
    same(json.loads(response.body)["request_id"], response.fields["x-request-id"], "under the same id")
    for i in range(20):
        gone = server.connect()
        gone.sendall(get(b"/later?%d" % (5 * i)))
        gone.close()
    time.sleep(0.15)
    same(ask(connection, get(b"/echo")).status, 200, "clients that do not wait for theirs do no harm")


def timeouts():
    server = Server(ECHO_SERVER, "http=127.0.0.1:0", "request_ms=1000")
    silent, half, body, used, pending = (server.connect() for _ in range(5))
    half.sendall(b"GET /echo HTTP/1.1\r\nHost:")
    body.sendall(get(b"/echo", b"Content-Length: 50", method=b"POST") + b"hello")
    same(ask(used, get(b"/echo")).status, 200, "a request")
    pending.sendall(get(b"/later?2500"))
    ok(Reader(silent).ended(), "a connection without a request ends quietly")
    ok(Reader(used).ended(), "so does one kept alive")
    for connection, what in ((half, "half a header"), (body, "half a body")):
        reader = Reader(connection)
        response = reader.response()
        same((response and response.status, error_of(response)), (408, "request_timeout"), f"{what}: 408")
        ok(reader.ended(), "and the end")
    end = time.monotonic() + 20
    slow = server.connect()
    reader = Reader(slow)
    slow.settimeout(0.2)
    slow.sendall(b"GET /echo HTTP/1.1\r\n")
    while time.monotonic() < end and not reader.data:
        try:
            slow.sendall(b"X: y\r\n")
            reader.more()
        except socket.timeout:
            pass
    slow.settimeout(20)
    same(reader.response().status, 408, "bytes that trickle in do not prolong it")
    same(Reader(pending).response().status, 200, "the handler's time does not count")
    same(server.stop(), 0, "it stops cleanly")
    server.kill()


def crowd(folder):
    server = Server(ECHO_SERVER, "http=127.0.0.1:0", f"admin={folder}/crowd.sock", "connections=8", "loops=3")
    first = [server.connect() for _ in range(8)]
    ok(all(ask(connection, get(b"/echo")).status == 200 for connection in first), "eight connections of eight are served")
    ninth = server.connect()
    ninth.sendall(get(b"/echo"))
    ninth.settimeout(0.2)
    try:
        waits = not ninth.recv(1)
    except socket.timeout:
        waits = True
    ok(waits, "the ninth waits")
    admin = []
    for _ in range(23):
        admin.append(socket.socket(socket.AF_UNIX))
        admin[-1].settimeout(20)
        admin[-1].connect(f"{folder}/crowd.sock")
    ok(all(ask(connection, get(b"/local")).status == 200 for connection in admin), "but not those of admin")
    for connection in admin:
        connection.close()
    first.pop().close()
    ninth.settimeout(20)
    same(Reader(ninth).response().status, 200, "until one of them ends")
    for connection in first + [ninth]:
        connection.close()
    for _ in range(100):
        connection = server.connect()
        connection.sendall(get(b"/echo", b"Connection: close"))
        if Reader(connection).response().status != 200:
            ok(False, "many connections one after the other")
            break
    else:
        ok(True, "many connections one after the other")
    same(server.stop(), 0, "it stops cleanly")
    server.kill()


def exhaustion(folder):
    """A listener that runs out of descriptors: 100 of them, most taken by what was inherited."""
    limit = shutil.which("prlimit")
    if not limit:
        skip("prlimit is not there: running out of descriptors was not shown")
        return
    taken = [os.dup(2) for _ in range(60)]
    server = Server(limit, "--nofile=100", ECHO_SERVER, "http=127.0.0.1:0", f"admin={folder}/full.sock",
                    pass_fds=taken)
    for fd in taken:
        os.close(fd)
    clients = [server.connect() for _ in range(40)]
    for client in clients:
        client.sendall(get(b"/echo"))
    ok(server.wait_for("cannot accept connections: Too many open files"), "running out of descriptors is told")
    ok(server.wait_for("only 50 connections"), "and was foreseen")
    same(Reader(clients[0]).response().status, 200, "who was accepted is served")
    for client in clients[:20]:
        client.close()
    ok(all(Reader(client).response().status == 200 for client in clients[20:]), "the others when there is room again")
    same(server.stop(), 0, "it stops cleanly")
    server.kill()


def drain():
    server = Server(ECHO_SERVER, "http=127.0.0.1:0", "loops=2")
    idle, pending, late = server.connect(), server.connect(), server.connect()
    same(ask(idle, get(b"/echo")).status, 200, "a request")
    pending.sendall(get(b"/later?700"))
    late.sendall(b"GET /echo HTTP/1.1\r\n")
    time.sleep(0.1)
    server.send_signal(signal.SIGUSR1)
    ok(Reader(idle).ended(), "draining ends idle connections")
    late.sendall(b"Host: x\r\n\r\n")
    reader = Reader(late)
    response = reader.response()
    same((response.status, response.fields["connection"]), (200, "close"), "a request that had begun is answered")
    ok(reader.ended(), "and its connection ends")
    server.send_signal(signal.SIGTERM)
    response = Reader(pending).response()
    same((response and response.status, response and response.fields["connection"]), (200, "close"),
         "what was promised is answered before the end")
    same(server.stop(), 0, "it stops cleanly")
    server.kill()


def versions(folder):
    cert, key = make_certificate(folder, "versions")
    server = Server(ECHO_SERVER, "https=127.0.0.1:0", f"cert={cert}", f"key={key}", "handshake_ms=1000")
    for version, want in ((ssl.TLSVersion.TLSv1, None), (ssl.TLSVersion.TLSv1_1, None),
                          (ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        try:
            got = server.connect_tls(maximum=version, minimum=version).version()
        except (ssl.SSLError, ConnectionError):
            got = None
        same(got, want, f"{version.name}: {want or 'refused'}")
    for alpn, want in ((("h2", "http/1.1"), "http/1.1"), (("http/1.1",), "http/1.1"), ((), None), (("h2",), "refused")):
        try:
            connection = server.connect_tls(alpn=alpn)
            got = connection.selected_alpn_protocol()
            connection.close()
        except (ssl.SSLError, ConnectionError):
            got = "refused"
        same(got, want, f"offered {', '.join(alpn) or 'nothing'}: {want}")
    silent, plain = server.connect("https"), server.connect("https")
    plain.sendall(get(b"/echo"))
    ok(Reader(silent).ended(), "a handshake that does not come ends the connection")
    ok(b"HTTP" not in (plain.recv(100) or b""), "plain HTTP is not spoken there")
    connection = server.connect_tls()
    same(json.loads(ask(connection, get(b"/echo")).body)["listener"], "https", "a request under TLS")
    same(server.stop(), 0, "it stops cleanly")
    server.kill()


def main():
    with tempfile.TemporaryDirectory() as folder:
        cert, key = make_certificate(folder, "one")
        server = Server(ECHO_SERVER, "http=127.0.0.1:0", "https=127.0.0.1:0", f"cert={cert}", f"key={key}", "loops=2")
        try:
            rows(server, "http")
            details(server)
            promises(server)
            same(server.stop(), 0, "it stops cleanly")
        finally:
            server.kill()
        timeouts()
        crowd(folder)
        exhaustion(folder)
        drain()
        versions(folder)
    done()


main()
