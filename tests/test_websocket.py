"""test_websocket.py - RFC 6455 on the wire: what is answered, and with what each breach is closed"""

import signal
import socket
import struct
import tempfile

from floor import ECHO_SERVER, HANDSHAKE, Server, Stream, frame, make_certificate
from tap import done, ok, same

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x11\x22\x33\x44"
MAX = 65536


def code(number, reason=b""):
    return struct.pack(">H", number) + reason


# name, bytes sent, what comes back: (opcode, payload or code), then END when the server closes
END = None
CASES = [
    ("text", frame(TEXT, b"hello"), [(TEXT, b"hello")]),
    ("an empty text", frame(TEXT), [(TEXT, b"")]),
    ("another mask", frame(TEXT, b"hello", mask=b"\xff\x00\xa5\x5a"), [(TEXT, b"hello")]),
    ("125 bytes", frame(TEXT, b"x" * 125), [(TEXT, b"x" * 125)]),
    ("126 bytes", frame(TEXT, b"x" * 126), [(TEXT, b"x" * 126)]),
    ("65535 bytes", frame(TEXT, b"x" * 65535), [(TEXT, b"x" * 65535)]),
    ("the longest message", frame(TEXT, b"x" * MAX), [(TEXT, b"x" * MAX)]),
    ("three in one segment", frame(TEXT, b"a") + frame(TEXT, b"b") + frame(TEXT, b"c"),
     [(TEXT, b"a"), (TEXT, b"b"), (TEXT, b"c")]),
    ("UTF-8", frame(TEXT, "שלום 😀".encode()), [(TEXT, "שלום 😀".encode())]),
    ("fragments with a ping between", frame(TEXT, b"ab", 0) + frame(CONT, b"cd", 0) + frame(PING, b"pp") +
     frame(CONT, b"ef"), [(PONG, b"pp"), (TEXT, b"abcdef")]),
    ("empty fragments", frame(TEXT, b"", 0) * 1 + frame(CONT, b"", 0) * 50 + frame(CONT, b"x"), [(TEXT, b"x")]),
    ("fragments of the longest message", frame(TEXT, b"x" * 40000, 0) + frame(CONT, b"x" * (MAX - 40000)),
     [(TEXT, b"x" * MAX)]),
    ("a character cut by fragments", frame(TEXT, b"\xc3", 0) + frame(CONT, b"\xa9"), [(TEXT, b"\xc3\xa9")]),
    ("a ping", frame(PING, b"hi"), [(PONG, b"hi")]),
    ("a ping of 125 bytes", frame(PING, b"p" * 125), [(PONG, b"p" * 125)]),
    ("a pong that nobody asked for", frame(PONG, b"x") + frame(TEXT, b"on"), [(TEXT, b"on")]),
    ("20 pings", frame(PING) * 20, [(PONG, b"")] * 20),

    ("close 1000", frame(CLOSE, code(1000)), [(CLOSE, 1000), END]),
    ("close 1001 with a reason", frame(CLOSE, code(1001, b"bye")), [(CLOSE, 1001), END]),
    ("close of an application", frame(CLOSE, code(4711)), [(CLOSE, 4711), END]),
    ("close without a code", frame(CLOSE), [(CLOSE, None), END]),
    ("a message behind the close", frame(CLOSE, code(1000)) + frame(TEXT, b"zz"), [(CLOSE, 1000), END]),
    ("we close", frame(TEXT, b"close 4000") + frame(TEXT, b"after") + frame(CLOSE, code(4000)), [(CLOSE, 4000), END]),

    ("a message too long", frame(TEXT, b"x" * (MAX + 1)), [(CLOSE, 1009), END]),
    ("fragments too long", frame(TEXT, b"x" * 60000, 0) + frame(CONT, b"x" * 6000), [(CLOSE, 1009), END]),
    ("2^62 bytes declared", b"\x81\xff" + struct.pack(">Q", 1 << 62) + MASK, [(CLOSE, 1009), END]),
    ("2^63 bytes declared", b"\x81\xff" + struct.pack(">Q", 1 << 63) + MASK, [(CLOSE, 1002), END]),
    ("binary", frame(BINARY, b"x"), [(CLOSE, 1003), END]),
    ("binary in fragments", frame(BINARY, b"x", 0), [(CLOSE, 1003), END]),
    ("no mask", frame(TEXT, b"x", mask=None), [(CLOSE, 1002), END]),
    ("a ping without mask", frame(PING, b"", mask=None), [(CLOSE, 1002), END]),
    ("reserved bit 1 (compression)", frame(TEXT, b"x", reserved=4), [(CLOSE, 1002), END]),
    ("reserved bit 2", frame(TEXT, b"x", reserved=2), [(CLOSE, 1002), END]),
    ("reserved bit 3", frame(TEXT, b"x", reserved=1), [(CLOSE, 1002), END]),
    ("opcode 3", frame(3, b"x"), [(CLOSE, 1002), END]),
    ("opcode 11", frame(11, b""), [(CLOSE, 1002), END]),
    ("a continuation of nothing", frame(CONT, b"x"), [(CLOSE, 1002), END]),
    ("a continuation behind a whole message", frame(TEXT, b"x") + frame(CONT, b"y"), [(TEXT, b"x"), (CLOSE, 1002), END]),
    ("a message inside another", frame(TEXT, b"x", 0) + frame(TEXT, b"y"), [(CLOSE, 1002), END]),
    ("a ping in fragments", frame(PING, b"", 0), [(CLOSE, 1002), END]),
    ("a ping of 126 bytes", b"\x89\xfe\x00\x7e" + MASK + bytes(126), [(CLOSE, 1002), END]),
    ("a length not in its shortest form", b"\x81\xfe\x00\x05" + MASK + b"xxxxx", [(CLOSE, 1002), END]),
    ("a long length not in its shortest form", b"\x81\xff" + struct.pack(">Q", 65535) + MASK, [(CLOSE, 1002), END]),
    ("not UTF-8", frame(TEXT, b"\xff\xfe"), [(CLOSE, 1007), END]),
    ("a surrogate", frame(TEXT, b"\xed\xa0\x80"), [(CLOSE, 1007), END]),
    ("not UTF-8 in fragments", frame(TEXT, b"\xc3", 0) + frame(CONT, b"\x28"), [(CLOSE, 1007), END]),
    ("a close of one byte", frame(CLOSE, b"x"), [(CLOSE, 1002), END]),
    ("close 1005", frame(CLOSE, code(1005)), [(CLOSE, 1002), END]),
    ("close 999", frame(CLOSE, code(999)), [(CLOSE, 1002), END]),
    ("close 5000", frame(CLOSE, code(5000)), [(CLOSE, 1002), END]),
    ("a reason that is not UTF-8", frame(CLOSE, code(1000, b"\xff")), [(CLOSE, 1007), END]),
    ("21 pings in a second", frame(PING) * 21, [(PONG, b"")] * 20 + [(CLOSE, 1008), END]),
]


def open_stream(server, name="http", **kwargs):
    stream = Stream(server.connect_tls(name) if name == "https" else server.connect(name), **kwargs)
    if stream.opening and stream.opening.status == 101:
        stream.receive()  # the greeting
    return stream


def conversation(server, name, data, n_piece, n_answers):
    stream = open_stream(server, name)
    try:
        for i in range(0, len(data), n_piece):
            stream.connection.sendall(data[i:i + n_piece])
    except OSError:
        pass  # refused before we were through: what was answered is there all the same
    got = [stream.receive() for _ in range(n_answers)]
    stream.connection.close()
    return got


def short(messages):
    return [message and (message[0], message[1][:20] if isinstance(message[1], bytes) else message[1])
            for message in messages]


def all_cases(server, name, cases):
    for what, data, want in cases:
        got = conversation(server, name, data, len(data), len(want))
        ok(got == want, f"{name}: {what}") or print(f"# got  {short(got)}\n# want {short(want)}")
        got = conversation(server, name, data, 1 if len(data) < 300 else 4999, len(want))
        ok(got == want, f"{name}, piece by piece: {what}") or print(f"# got  {short(got)}\n# want {short(want)}")


def handshakes(server):
    stream = open_stream(server)
    same(stream.opening.status, 101, "a handshake is answered")
    same(stream.opening.fields.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "with the key's answer")
    ok("sec-websocket-extensions" not in stream.opening.fields, "and no extension")
    stream = open_stream(server, behind=frame(TEXT, b"early") + frame(TEXT, b"x" * 20000) + frame(TEXT, b"cut")[:5])
    same(stream.receive(), (TEXT, b"early"), "a frame behind the request is read")
    same(stream.receive(), (TEXT, b"x" * 20000), "and a long one")
    stream.connection.sendall(frame(TEXT, b"cut")[5:])
    same(stream.receive(), (TEXT, b"cut"), "and one that was cut there")

    rows = [
        ("version 8", HANDSHAKE.replace(b"Version: 13", b"Version: 8"), 426),
        ("no version", HANDSHAKE.replace(b"Sec-WebSocket-Version: 13\r\n", b""), 426),
        ("no upgrade", HANDSHAKE.replace(b"Upgrade: websocket\r\n", b""), 426),
        ("another upgrade", HANDSHAKE.replace(b"websocket\r\n", b"h2c\r\n"), 426),
        ("a connection without upgrade", HANDSHAKE.replace(b", Upgrade", b""), 426),
        ("a short key", HANDSHAKE.replace(b"dGhl", b""), 400),
        ("no key", HANDSHAKE.replace(b"Sec-WebSocket-Key", b"X-Key"), 400),
        ("HTTP/1.0", HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
        ("POST", HANDSHAKE.replace(b"GET", b"POST"), 405),
    ]
    for what, handshake, status in rows:
        stream = open_stream(server, handshake=handshake)
        same(stream.opening and stream.opening.status, status, f"refused: {what}")
        if status == 426:
            same(stream.opening.fields.get("sec-websocket-version"), "13", "saying which version is spoken")


def bounds(server):
    stream = open_stream(server)
    stream.send(TEXT, b"flood 200")
    got = [stream.receive() for _ in range(200)]
    ok(all(message == (TEXT, b"x" * 1024) for message in got), "200 KiB leave in one go and arrive")

    stream = open_stream(server)
    stream.send(TEXT, b"flood 300")
    while stream.receive():
        pass
    ok(server.wait_for("closed 1 the peer does not read"), "more than may wait drops the peer")

    stream = open_stream(server)
    stream.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    try:
        while True:
            stream.send(TEXT, b"z" * 60000)
    except OSError:
        pass
    ok(server.wait_for("closed 1 the peer does not read", 2), "a peer that only writes is dropped")

    stream = open_stream(server)
    stream.send(TEXT, b"close 4001")
    same(stream.receive(), (CLOSE, 4001), "our Close comes")
    ok(stream.ended(), "and the end, though it is not answered")
    ok(server.wait_for("closed 1006 no answer to our Close"), "which is told apart")

    stream = open_stream(server)
    stream.connection.close()
    ok(server.wait_for("closed 1006 the connection ended without a Close"), "an end without Close is 1006")

    stream = open_stream(server)
    stream.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.connection.close()
    ok(server.wait_for("closed 1006 the connection broke"), "a reset is 1006")
    ok(server.wait_for("closed 1006 not a WebSocket handshake"), "a failed handshake closes, too")


def many(server):
    streams = [open_stream(server) for _ in range(64)]
    for n in range(20):
        for i, stream in enumerate(streams):
            stream.send(TEXT, b"%d of %d" % (n, i))
    wrong = sum(stream.receive() != (TEXT, b"%d of %d" % (n, i)) for n in range(20) for i, stream in enumerate(streams))
    same(wrong, 0, "64 streams over two loops, 20 messages each: every one comes back, in order")
    return streams


def ends(server):
    streams = many(server)
    server.send_signal(signal.SIGUSR1)
    try:
        while True:
            server.connect().close()
    except OSError:
        ok(True, "a draining server accepts nothing more")
    for stream in streams:
        stream.send(TEXT, b"still here")
    ok(all(stream.receive() == (TEXT, b"still here") for stream in streams), "but keeps its streams")
    server.send_signal(signal.SIGTERM)
    ok(all(stream.receive() == (CLOSE, 1001) for stream in streams), "a stopping server closes each with 1001")
    for stream in streams:
        stream.send(CLOSE, code(1001))
    ok(all(stream.ended() for stream in streams), "and ends")
    same(server.stop(), 0, "cleanly")


def main():
    with tempfile.TemporaryDirectory() as folder:
        cert, key = make_certificate(folder, "one")
        server = Server(ECHO_SERVER, "http=127.0.0.1:0", "https=127.0.0.1:0", f"cert={cert}", f"key={key}", "loops=2")
        try:
            handshakes(server)
            all_cases(server, "http", CASES)
            # under TLS a breach is closed after a second only, so one of them stands for all
            all_cases(server, "https", [case for case in CASES if case[2][-1] is not END or case[0] in ("no mask", "close 1000")])
            bounds(server)
            ends(server)
        finally:
            server.kill()
    done()


main()
