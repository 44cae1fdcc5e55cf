"""test_whatsapp.py - agentlocator whatsapp as an operator uses it, at the real sidecar"""

import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from services.whatsapp.sidecar import PATIENCE, Sidecar, prepare
from tap import BINARY, done, ok, run, same, skip

WRONG = (
    ((), "is not one of", "no verb"),
    (("dance",), "is not one of", "a verb that there is not"),
    (("status", "link"), "is not one of", "two verbs"),
    (("link", "--phone", "050-1234567"), "country code", "a number without its country"),
    (("link", "--phone", "call me"), "country code", "no number"),
    (("link", "--phone", "9" * 16), "country code", "a number too long"),
    (("status", "--phone", "972501234567"), "takes no --phone", "a number for what takes none"),
)


def whatsapp(*args, path="/nowhere/socket"):
    return run(BINARY, "whatsapp", *args, env={"WHATSAPP_SOCKET": path})


def command_line():
    for args, want, what in WRONG:
        told = whatsapp(*args)
        ok(told.returncode == 2 and want in told.stderr, f"{what}: {told.stderr.strip()}")
    ok("link" in whatsapp("--help").stdout, "help")
    told = whatsapp("status")
    ok(told.returncode == 1 and "WHATSAPP_SOCKET" in told.stderr and "/nowhere/socket" in told.stderr, "nobody listens: it says where it asked")


def linked():
    with Sidecar(linked=False) as s:
        told = whatsapp("status", path=s.path)
        ok(told.returncode == 1 and "No device is linked" in told.stdout, "no device is linked")
        got = {}
        asking = threading.Thread(target=lambda: got.update(link=whatsapp("link", "--phone", "+972 50-123-4567", path=s.path)))
        asking.start()
        s.wait("made")
        s.do(emit=["connection.update", {"qr": "2@abc"}])
        asking.join(PATIENCE)
        ok(got["link"].returncode == 0 and "CODE-4567" in got["link"].stdout, "the code is printed")
        same(whatsapp("link", path=s.path).stdout, "2@abc\n", "without a number, the QR code's text")
        s.do(creds={"me": {"id": "972501234567:1@s.whatsapp.net"}, "account": {"details": "x"}})
        s.do(close=515)
        s.open()
        told = whatsapp("status", path=s.path)
        ok(told.returncode == 0 and "linked and connected" in told.stdout, "it is linked")
        same(json.loads(whatsapp("status", "--json", path=s.path).stdout)["state"], "open", "as JSON")
        told = whatsapp("link", path=s.path)
        ok(told.returncode == 1 and "unlink it first" in told.stderr, "a second device is refused")
        same(whatsapp("unlink", path=s.path).stdout, "The device is unlinked.\n", "it is unlinked")
        ok("No device is linked" in whatsapp("status", path=s.path).stdout, "and gone")
        ok("WhatsApp could not be told" in whatsapp("unlink", path=s.path).stdout, "with nothing to unlink, it says what to look at")


def main():
    command_line()
    problem = prepare()
    if problem:
        skip(f"linking a device was not tried: {problem}")
    else:
        linked()
    done()


main()
