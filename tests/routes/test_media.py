"""test_media.py - the real daemon: files of messages by the API, files that are sent, and who may fetch them"""

import hashlib
import http.client
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap
from daemon import HOST, until
from services.test_fetch import DANA, arrive, item, name, new_daemon, png, put, rows, settled
from standins import clouds
from standins.clouds import Clouds

TOKEN = "0123456789abcdef0123"


def ask(daemon, method, path, body=None, token=TOKEN, **headers):
    """(status, headers, bytes)"""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    headers = {key.replace("_", "-"): value for key, value in headers.items()}
    connection.request(method, path, body, {"Host": HOST, **({"Authorization": f"Bearer {token}"} if token else {}), **headers})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, {key.lower(): value for key, value in answer.getheaders()}, data


def row_of(daemon, i):
    return rows(daemon)[f"MM{i:032x}"]


def folders(daemon):
    return sorted(os.listdir(os.path.join(daemon.scratch.name, "media")))


def served():
    html = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:<script>alert(1)</script>\r\nEND:VCARD\r\n"
    with Clouds() as cloud, new_daemon(cloud, API_TOKEN=TOKEN) as daemon:
        big = png(15 << 20)
        put(cloud, **{name(1): ("image/png", png(), ""), name(2): ("text/vcard", html, ""), name(3): ("image/png", big, ""), name(4): ("image/png", b"", "")})
        for i, kind in ((1, "image/png"), (2, "text/vcard"), (3, "image/png"), (4, "image/png")):
            arrive(daemon, cloud, i, kind)
        for i in (1, 2, 3, 4):
            settled(daemon, i)
        path = f"/api/whatsapp/media/{row_of(daemon, 1)['id']}/0"
        status, headers, data = ask(daemon, "GET", path)
        tap.same((status, headers["content-type"], headers["content-disposition"], headers["x-content-type-options"], data == png()),
                 (200, "image/png", "inline", "nosniff", True), "a picture is what came, and may be shown")
        tap.same((headers["content-security-policy"], headers["cache-control"]), ("default-src 'none'; sandbox", "no-store"), "in a sandbox")
        status, headers, data = ask(daemon, "HEAD", path)
        tap.same((status, headers["content-length"], data), (200, str(len(png())), b""), "HEAD tells how long it is")
        status, headers, data = ask(daemon, "GET", f"/api/whatsapp/media/{row_of(daemon, 2)['id']}/0")
        tap.same((status, headers["content-disposition"], data == html), (200, "attachment", True), "what could be run is for saving alone")
        for path, want in ((path + "0", 404), (path[:-1] + "1", 404), (path[:-1] + "-1", 404), ("/api/whatsapp/media/M0/0", 404), ("/api/whatsapp/media/..%2f..%2fenv/0", 404),
                           (f"/api/whatsapp/media/{row_of(daemon, 4)['id']}/0", 404)):
            tap.same(ask(daemon, "GET", path)[0], want, f"{path[-24:]} is {want}")
        tap.same(ask(daemon, "GET", path, token=None)[0], 401, "without a token there is nothing")
        path = f"/api/whatsapp/media/{row_of(daemon, 3)['id']}/0"
        before = daemon.resident_kib()
        slow = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(40)]
        for one in slow:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
            one.recv(1)
        begun = time.monotonic()
        status, _, data = ask(daemon, "GET", path)
        tap.ok(status == 200 and data == big, f"15 MiB come whole in {time.monotonic() - begun:.2f} s while 40 clients do not read")
        grown = daemon.resident_kib() - before
        tap.ok(grown < 40 * 1024, f"who cost {grown // 40} KiB each")
        for one in slow:
            one.close()
        tap.same(ask(daemon, "GET", path)[2] == big, True, "and when they have gone")
        os.truncate(os.path.join(daemon.scratch.name, item(daemon, 3)["file"]), 100000)
        tap.same(len(ask(daemon, "GET", path)[2]), 100000, "a shorter file is told as such")


def sent():
    with Clouds(twilio={"fetches": True}) as cloud, new_daemon(cloud, API_TOKEN=TOKEN) as daemon:
        cloud.set(twilio={"callbacks_to": f"http://127.0.0.1:{daemon.port}"})
        put(cloud)
        arrive(daemon, cloud, 1, url="https://x.invalid/1", body="hello")  # opens the window
        data = png(3000)
        path = "/api/whatsapp/media?to=%2B972501234567&caption=The%20menu&name=..%2Fmenu.png"
        status, _, answer = ask(daemon, "POST", path, data, Content_Type="image/png", Idempotency_Key="one")
        tap.same(status, 202, "bytes are taken")
        status, headers, again = ask(daemon, "POST", path, data, Content_Type="image/png", Idempotency_Key="one")
        tap.same((status, again, headers.get("idempotency-replayed")), (202, answer, "true"), "twice with one key they are sent once")
        tap.same(ask(daemon, "POST", path + "x", data, Content_Type="image/png", Idempotency_Key="one")[0], 422, "another name is another request")
        until(lambda: any(row["status"] == "delivered" for row in rows(daemon).values()))
        row = next(row for row in rows(daemon).values() if row["direction"] == "out")
        tap.same((row["media"][0]["name"], row["media"][0]["sha256"]), ("menu.png", hashlib.sha256(data).hexdigest()), "they are kept with the message")
        message = cloud.state()["twilio"]["settings"]["messages"][0]
        fetched = message["fetched"]
        tap.same((fetched["status"], fetched["type"], fetched["sha256"], fetched["host"]), (200, "image/png", hashlib.sha256(data).hexdigest(), HOST),
                 "Twilio fetches the same bytes by the URL it was given")
        tap.same((message["body"], len(cloud.state()["twilio"]["settings"]["messages"])), ("The menu", 1), "with the caption, once")
        tap.same(ask(daemon, "GET", fetched["path"], token=None)[0], 404, "once it is delivered, nobody gets it any more")
        tap.same(folders(daemon), [row["id"]], "what was not sent is not kept")
        for change in (fetched["path"][:-1] + ("0" if fetched["path"][-1] != "0" else "1"), fetched["path"].replace("-0-", "-1-"), "/media/x", "/media/" + "x" * 300):
            tap.same(ask(daemon, "GET", change, token=None)[0], 404, f"nor by {change[:12]}...{change[-8:]}")


REFUSED = [
    # query, Content-Type, bytes, status, code, what it says
    ("to=%2B972501234567", "image/png", png(5 << 20), 413, "too_large", "5242880"),
    ("to=%2B972501234567", "application/pdf", b"x" * ((16 << 20) + 1), 413, "too_large", ""),
    ("to=%2B972501234567", "text/html", b"<html>", 415, "bad_type", "text/html"),
    ("to=%2B972501234567", "image/png", b"GIF89a", 415, "wrong_type", "not of the type"),
    ("to=%2B972501234567", "image/png", b"", 400, "empty", "empty"),
    ("", "image/png", png(), 422, "missing_field", "to"),
    ("to=%2B972501234567&x=1", "image/png", png(), 422, "unknown_field", ""),
    ("to=%2B972501234567&caption=x", "audio/ogg", b"OggS", 422, "no_caption", ""),
    ("to=%2B972509999999", "image/png", png(), 409, "window_closed", "template"),
]


def refused():
    with Clouds() as cloud, new_daemon(cloud, API_TOKEN=TOKEN) as daemon:
        arrive(daemon, cloud, 1, url="https://x.invalid/1", body="hello")
        for query, kind, data, want, code, says in REFUSED:
            status, _, body = ask(daemon, "POST", "/api/whatsapp/media?" + query, data, Content_Type=kind)
            tap.ok(status == want and code in body.decode() and says in body.decode(), f"{len(data)} bytes of {kind}, {query}: {want} {code} ({status} {body[:120]})")
        tap.same(folders(daemon), [], "nothing of them is kept")
        tap.ok(DANA not in daemon.log, "the log has no number")
        connection = daemon.connect()
        connection.sendall(f"POST /api/whatsapp/send HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 16000000\r\n\r\n".encode() + b"x" * 200000)
        connection.settimeout(30)
        tap.ok(connection.recv(4096).startswith(b"HTTP/1.1 413"), "a route that takes less does not wait for as much")
        connection.close()


if __name__ == "__main__":
    if clouds.missing():
        tap.skip(clouds.missing())
    else:
        served()
        sent()
        refused()
    tap.done()
