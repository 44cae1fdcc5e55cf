"""test_metrics.py - GET /metrics: well-formed, guarded, and the same numbers as /admin/status"""

import http.client
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import prometheus  # noqa: E402
from daemon import ACCOUNT, Daemon, finish_call, until  # noqa: E402
from tap import BUILD, done, ok, same  # noqa: E402

SECRET = "0123456789abcdef-metrics"


class Local(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("admin")
        self.unix = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.unix)


def get(connection, **headers):
    connection.request("GET", "/metrics", headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), answer.getheader("Content-Type")


def on_admin(daemon):
    return get(Local(daemon.admin))


def on_http(daemon, token=None):
    return get(http.client.HTTPConnection("127.0.0.1", daemon.port), **({"Authorization": token} if token else {}))


def samples(daemon):
    try:
        return prometheus.read(on_admin(daemon)[1])
    except prometheus.Wrong as wrong:
        ok(False, f"well-formed: {wrong}")
        return {}


def of(all_samples, name, **labels):
    return all_samples.get((name, tuple(sorted(labels.items()))))


def guards():
    with Daemon(METRICS_TOKEN=SECRET) as d:
        status, text, kind = on_admin(d)
        same((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"), "the admin socket needs no token")
        same([on_http(d, token)[0] for token in (None, "Bearer", f"Bearer {SECRET}x", f"Bearer {SECRET[:-1]}", f"Basic {SECRET}",
                                                 f"Bearer {SECRET[:-1]}F")], [401] * 6, "http needs the token")
        same(on_http(d, f"Bearer {SECRET}")[0], 200, "and answers with it")
        ok(SECRET not in d.log and SECRET not in text, "the token is nowhere to be read")
    with Daemon() as d:
        same((on_http(d)[0], on_http(d, "Bearer ")[0], on_admin(d)[0]), (404, 404, 200), "without one there is nothing on http")


def numbers():
    with Daemon() as d:
        before = samples(d)
        same(of(before, "agentlocator_calls_live"), 0, "nobody calls")
        same(of(before, "agentlocator_build_info", version="0.1.0"), 1, "the version is told")
        for i in range(7):
            d.post("/webhook/incoming_call", CallSid=f"CA{i:032x}", AccountSid=ACCOUNT, CallStatus="ringing", From="+972501234567",
                   To="+97231234567")
        d.post("/webhook/incoming_call", signature="wrong", CallSid="x")
        http_ask(d, "/0")
        series = set(samples(d))
        for i in range(299):
            http_ask(d, f"/{i}/\"x\\y")
        same(set(samples(d)) - series, set(), "nothing a peer sends becomes a label")
        same(finish_call(d.call("--echo", "--seconds", "2"))[0], 0, "a call goes well")
        until(lambda: of(samples(d), "agentlocator_calls_live") == 0)
        after, status = samples(d), d.status()
        route = {"method": "POST", "route": "/webhook/incoming_call"}
        same(of(after, "agentlocator_http_requests_total", status="2xx", **route), 8, "requests are counted by route and status")
        same(of(after, "agentlocator_http_requests_total", status="4xx", **route), 1, "refused ones, too")
        same(of(after, "agentlocator_http_request_duration_seconds_count", **route), 9, "with their times")
        same(of(after, "agentlocator_http_requests_total", method="", route="", status="4xx"), 300, "what has no route is one row")
        same(of(after, "agentlocator_http_requests_total", method="GET", route="/ws/twilio-media", status="1xx"), 1, "a stream is 101")
        same([of(after, f"agentlocator_{name}") for name in ("calls_begun_total", "http_accepted_total", "store_operations_total")],
             [status["calls"], status["accepted"] - 1, status["store"]["ops"]], "the numbers are those of /admin/status")
        same(sum(value for (name, _), value in after.items() if name == "agentlocator_calls_ended_total"), 1, "one call ended")
        same(of(after, "agentlocator_calls_ended_total", end="caller hung up"), 1, "by the caller")
        same(of(after, "agentlocator_frames_total", direction="in"), status["frames_in"], "its frames are counted")
        ok(of(after, "agentlocator_ring_fill_ratio_count") > 10, "and how full its ring was")
        same(of(after, "agentlocator_store_commit_duration_seconds_count"), of(after, "agentlocator_store_group_operations_count"),
             "each commit has a time and a size")
        same(of(after, "agentlocator_store_group_operations_sum"), status["store"]["ops"], "whose sum is all operations")
        ok(of(after, "process_resident_memory_bytes") > 1e6 and of(after, "process_open_fds") > 5 and
           of(after, "process_threads") > 3, "the process is described")
        ok(abs(of(after, "process_start_time_seconds") - os.stat(f"/proc/{d.process.pid}").st_mtime) < 30, "and when it began")


def http_ask(daemon, path):
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port)
    connection.putrequest("GET", path.replace('"', "%22").replace("\\", "%5c"))
    connection.endheaders()
    connection.getresponse().read()


def owed():
    """What is owed, from the store."""
    with Daemon() as d:
        d.stop()
        owe(d)
        d.start()
        until(lambda: of(samples(d), "agentlocator_outbox_dead_letters") == 1)
        got = samples(d)
        same([of(got, f"agentlocator_outbox_{name}") for name in ("waiting", "under_way", "dead_letters", "overdue_seconds")],
             [0, 0, 1, 0], "a message that nobody carries is a dead letter")


def owe(daemon):
    subprocess.run([f"{BUILD}/tests/services/owe", f"{daemon.scratch.name}/store", "CA" + "1" * 32, "+972501234567", "kept", "hello"],
                   check=True)


def planted():
    """The reader that the others trust finds what it is for."""
    good = "# HELP a_total x\n# TYPE a_total counter\na_total 1\n"
    histogram = ('# HELP h x\n# TYPE h histogram\nh_bucket{le="1"} %d\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count %d\n')
    rows = [(good, True), (good + "a_total 2\n", False), (good.replace("a_total", "a"), False), (good + good, False),
            ('# HELP a_total x\n# TYPE a_total counter\na_total{x="\\q"} 1\n', False), ("a 1\n", False), (histogram % (1, 2), True),
            (histogram % (3, 2), False), (histogram % (1, 3), False), (good.replace("a_total", "a_ms_total"), False)]
    found = []
    for text, _ in rows:
        try:
            prometheus.read(text)
            found.append(True)
        except prometheus.Wrong:
            found.append(False)
    same(found, [good for _, good in rows], "what is malformed is found")


planted()
guards()
numbers()
owed()
done()
