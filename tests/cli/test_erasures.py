"""test_erasures.py - the real daemon: a person is erased from the command line and by the API; his files go, and stay gone after kill -9"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap
from daemon import Daemon, ask, until
from tap import ok, same

TOKEN = "a-token-of-sixteen"
NUMBER = "+972501234567"


def cli(daemon, *args):
    done = tap.run(tap.BINARY, *args, env=daemon.env)
    return done.returncode, done.stdout + done.stderr


def keep_audio(daemon, sid):
    folder = os.path.join(daemon.scratch.name, "recordings", sid)
    os.makedirs(folder)
    for number in range(3):
        with open(os.path.join(folder, f"{number}.wav"), "w", encoding="ascii") as file:
            file.write("his voice")
    return folder


def live(daemon, number, sid):
    """A call that is over, and two messages."""
    daemon.post("/webhook/incoming_call", CallSid=sid, From=number, To="+97235555555", AccountSid=daemon.env["TWILIO_ACCOUNT_SID"],
                CallStatus="ringing", Direction="inbound")
    daemon.post("/webhook/whatsapp/incoming", MessageSid="SM1" + sid, From=f"whatsapp:{number}", Body="it was me", ProfileName="Dana")
    daemon.post("/webhook/whatsapp/incoming", MessageSid="SM2" + sid, From=f"whatsapp:{number}", Body="again")


def hang_up(daemon, number, sid):
    return daemon.post("/webhook/call_status", CallSid=sid, From=number, To="+97235555555", AccountSid=daemon.env["TWILIO_ACCOUNT_SID"],
                       CallStatus="completed", SequenceNumber="3")[0]


def main():
    with Daemon(API_TOKEN=TOKEN, API_PER_MINUTE="100000", API_BURST="1000") as daemon:
        daemon.env["ADMIN_SOCKET"] = daemon.admin
        sid = "CA" + "1" * 32
        live(daemon, NUMBER, sid)
        dana = daemon.kept("contacts", NUMBER)["id"]
        folder = keep_audio(daemon, sid)
        other = keep_audio(daemon, "CA" + "9" * 32)
        status, text = cli(daemon, "contacts", "erase", dana, "--yes")
        ok(status == 1 and "a call of his is not over" in text, f"nobody is erased while he telephones: {text}")
        hang_up(daemon, NUMBER, sid)
        status, text = cli(daemon, "contacts", "erase", dana)
        ok(status == 1 and "give --yes" in text, "nor when nobody can be asked")
        status, text = cli(daemon, "contacts", "erase", dana, "--yes")
        ok(status == 0 and "1 contact, 1 address, 1 call, 2 messages" in text, f"then he is: {text}")
        key = text.split()[-1]
        until(lambda: not os.path.exists(folder))
        same((os.path.exists(folder), os.path.exists(other)), (False, True), "his voice goes, and nobody else's")
        same((daemon.kept("contacts"), daemon.kept("calls"), daemon.kept("messages")), ([], [], []), "nothing is left in the lists")
        receipts = daemon.kept("erasures")
        same([(r["contacts"], r["calls"], r["messages"], r["by"]) for r in receipts], [(1, 1, 2, "command line")], "but the receipt")
        status, proof = cli(daemon, "erasures", "prove", key, "050-1234567")
        same(receipts[0]["proofs"], [proof.strip()], "and the key proves whose it is")
        ok(key not in str(receipts) and NUMBER[4:] not in str(receipts), "without it nothing of him is in there")
        same(hang_up(daemon, NUMBER, sid), 204, "a callback that comes late is taken")
        same(daemon.kept("calls"), [], "and brings nothing back")
        status, text = cli(daemon, "contacts", "erase", dana, "--yes")
        ok(status == 1 and "perhaps he was erased already" in text, "nobody is erased twice")
        same(cli(daemon, "contacts", "erase", "../x")[0], 2, "an id that is none is refused")

        sid = "CA" + "2" * 32
        live(daemon, NUMBER, sid)
        hang_up(daemon, NUMBER, sid)
        again = daemon.kept("contacts", NUMBER)["id"]
        ok(again != dana, "who telephones later is a new contact")
        for i in range(400):
            ask(daemon, "POST", "/api/crm/notes", {"contact_id": again, "text": f"note {i} of zanzibar"}, TOKEN)
        folder = keep_audio(daemon, sid)
        same(ask(daemon, "DELETE", f"/api/crm/contacts/{again}")[0], 401, "the API erases nobody without a token")
        status, receipt, _ = ask(daemon, "DELETE", f"/api/crm/contacts/{again}", token=TOKEN)
        same((status, receipt["by"], len(receipt["key"]), "members" in receipt), (202, "api api", 32, False), "with one it does; of so much the rest follows")
        daemon.kill()
        daemon.start()
        until(lambda: daemon.kept("erasures")[0]["done_ms"] and not os.path.exists(folder))
        done = daemon.kept("erasures")[0]
        same((done["id"], done["notes"], done["done_ms"] > 0, os.path.exists(folder)), (receipt["id"], 400, True, False),
             "also when the daemon is killed meanwhile")
        status, page, _ = ask(daemon, "GET", "/api/crm/erasures?limit=1", token=TOKEN)
        same((status, [r["id"] for r in page["erasures"]]), (200, [done["id"]]), "the API lists receipts")
        status, page, _ = ask(daemon, "GET", f"/api/crm/erasures?limit=1&after={page['next']}", token=TOKEN)
        same([r["by"] for r in page["erasures"]], ["command line"], "page by page")
        same(ask(daemon, "DELETE", f"/api/crm/contacts/{again}", token=TOKEN)[0], 404, "again there is nobody")
        same(daemon.stop(), 0, "the daemon ends well")
    tap.done()


main()
