"""test_one_contact.py - who phones and writes is one contact with one timeline, in either order; two persons remain two

The built daemon, asked by its own subcommands: what an operator sees.
"""

import itertools

import tap
from daemon import ACCOUNT, Daemon, finish_call

BUSINESS = "+97231234567"
numbers = itertools.count(1)


def write(daemon, sender, body, **more):
    form = {"MessageSid": f"SM{next(numbers):032x}", "AccountSid": ACCOUNT, "From": f"whatsapp:{sender}", "To": f"whatsapp:{BUSINESS}",
            "Body": body, "NumMedia": "0", **more}
    return daemon.post("/webhook/whatsapp/incoming", **form)


def phone(daemon, number):
    """A call that is answered, spoken on and hung up. Returns its sid."""
    status, result, err = finish_call(daemon.call("--echo", "--seconds", "1", "--from", number, "--to", BUSINESS))
    if status:
        print("# " + err.replace("\n", "\n# "))
    return result["each"][0]["call_sid"]


def contact(daemon, which):
    return daemon.kept("contacts", which)


def bodies(whole):
    return [message["body"] for message in reversed(whole["messages"])]


def sids(whole):
    return [call["sid"] for call in reversed(whole["calls"])]


def phones_then_writes(daemon):
    sid = phone(daemon, "+972501110001")
    tap.same(write(daemon, "+972501110001", "it was me on the phone", ProfileName="Dana", WaId="972501110001")[0], 200,
             "a caller hangs up and writes")
    whole = contact(daemon, "0501110001")
    tap.same((sids(whole), bodies(whole), whole["name"]), ([sid], ["it was me on the phone"], "Dana"), "one contact has both")
    tap.same(whole["addresses"], ["+972501110001"], "by one address")
    tap.ok(whole["calls"][0]["started_ms"] <= whole["messages"][0]["created_ms"], "first the call, then the message")
    again = phone(daemon, "+972501110001")
    tap.same((contact(daemon, whole["id"])["id"], sids(contact(daemon, whole["id"]))), (whole["id"], [sid, again]),
             "and the next call is his, too")


def writes_then_phones(daemon):
    write(daemon, "+972501110002", "may I call?", ProfileName="Noa")
    before = contact(daemon, "+972501110002")
    sid = phone(daemon, "+972501110002")
    whole = contact(daemon, "+972501110002")
    tap.same((whole["id"], sids(whole), bodies(whole), whole["name"]), (before["id"], [sid], ["may I call?"], "Noa"),
             "who writes and then phones is one contact")


def hides_his_number(daemon):
    sid = phone(daemon, "+972501110003")
    write(daemon, "+972501110003", "with my number", ExternalUserId="whatsapp:IL.9003")
    write(daemon, "IL.9003", "without it", ExternalUserId="whatsapp:IL.9003")
    whole = contact(daemon, "+972501110003")
    tap.same((sids(whole), bodies(whole)), ([sid], ["with my number", "without it"]), "who hides his number later is who he was")

    write(daemon, "IL.9004", "hidden from the first", ExternalUserId="whatsapp:IL.9004")
    sid = phone(daemon, "+972501110004")
    write(daemon, "+972501110004", "and now with it", ExternalUserId="whatsapp:IL.9004")
    whole = contact(daemon, "+972501110004")
    tap.same((sids(whole), bodies(whole)), ([sid], ["hidden from the first", "and now with it"]),
             "who shows it later, too, with the call between")


def remain_two(daemon):
    calls = [daemon.kept("calls", phone(daemon, "anonymous")) for _ in range(2)]
    tap.ok(calls[0]["contact_id"] != calls[1]["contact_id"] or not calls[0]["contact_id"], "two callers without a number are not one")
    write(daemon, "IL.9005", "one")
    write(daemon, "IL.9006", "two")
    one, other = daemon.kept("messages", "--last", "2")
    tap.ok(one["contact_id"] != other["contact_id"], "nor are two who hide theirs")

    write(daemon, "+972501110007", "I have this number", ExternalUserId="whatsapp:IL.9007")
    write(daemon, "+972501110007", "I have it now", ExternalUserId="whatsapp:IL.9008")
    sid = phone(daemon, "+972501110007")
    whole = contact(daemon, "+972501110007")
    tap.same((sids(whole), bodies(whole)), ([sid], ["I have it now"]), "a number that passed to another person is his alone")
    one, other = daemon.kept("messages", "--last", "2")
    tap.ok(one["contact_id"] != other["contact_id"], "and whoever had it is another one")


def shows_what_it_is(daemon):
    write(daemon, "+972501110009", "", Latitude="32.0853", Longitude="34.7818", Label="Office")
    write(daemon, "+972501110009", "", NumMedia="1", MediaUrl0="https://api.example.com/ME1", MediaContentType0="image/jpeg")
    write(daemon, "+972501110009", "Tuesday", ButtonText="Tuesday", ButtonPayload="tue")
    text = tap.run(tap.BINARY, "messages", "--last", "3", env=daemon.env).stdout
    tap.ok("location" in text and "32.08530, 34.78180, Office" in text, "a place is shown as one")
    tap.ok("image" in text and "button" in text and "Tuesday" in text, "so are a picture and a choice")


with Daemon() as d:
    phones_then_writes(d)
    writes_then_phones(d)
    hides_his_number(d)
    remain_two(d)
    shows_what_it_is(d)
    tap.same(d.stop(), 0, "the daemon stops as it should")
tap.done()
