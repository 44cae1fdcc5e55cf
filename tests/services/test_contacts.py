"""test_contacts.py - the real daemon: who phones, hangs up and writes is one contact; merged and parted from the command line"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap
from daemon import Daemon, finish_call
from tap import ok, same

NUMBER = "+972501234567"


def cli(daemon, *args):
    done = tap.run(tap.BINARY, *args, env=daemon.env)
    return done.returncode, done.stdout + done.stderr


def main():
    with Daemon() as daemon:
        daemon.env["ADMIN_SOCKET"] = daemon.admin
        status, result, err = finish_call(daemon.call("--from", NUMBER, "--seconds", "1"))
        same(status, 0, "somebody phones and hangs up" + ("" if status == 0 else f": {result} {err}"))
        same(daemon.post("/webhook/whatsapp/incoming", MessageSid="SM1", From=f"whatsapp:{NUMBER}", Body="it was me", ProfileName="Dana")[0],
             200, "and writes on WhatsApp")
        contacts = daemon.kept("contacts")
        same([contact["addresses"] for contact in contacts], [[NUMBER]], "he is one contact")
        whole = daemon.kept("contacts", NUMBER)
        same((len(whole["calls"]), [message["body"] for message in whole["messages"]]), (1, ["it was me"]), "with the call and the message")

        daemon.post("/webhook/whatsapp/incoming", MessageSid="SM2", From="whatsapp:777@lid", Body="from my other self")
        other = next(contact["id"] for contact in daemon.kept("contacts") if contact["id"] != whole["id"])
        for args, want, says in (
            (("merge", whole["id"], other), 0, "They are one contact now."),
            (("merge", other, whole["id"]), 0, "They are one contact already."),
            (("tag", other, "a & b"), 0, "The tag is set."),
            (("tag", whole["id"], "a & b"), 0, "It has that tag already."),
            (("stage", whole["id"], "won"), 0, "The stage is set."),
            (("stage", whole["id"], "drawn"), 1, "there is no such stage"),
            (("merge", whole["id"], "C404"), 1, "there is no contact or task of that id"),
            (("silence", other), 0, "The agent leaves the conversation to you."),
            (("silence", whole["id"]), 0, "The agent is silent already."),
            ((whole["id"],), 0, "silent"),
            (("release", whole["id"]), 0, "The agent answers again."),
            (("release", other), 0, "The agent was not silent."),
            (("silence", "C404"), 1, "there is no contact or task of that id"),
            (("done", "T404"), 1, "there is no contact or task of that id"),
            (("merge", whole["id"]), 2, "Usage: agentlocator contacts merge INTO FROM"),
            (("merge", "--help"), 2, "Usage: agentlocator contacts merge INTO FROM"),
            (("search",), 2, "Usage: agentlocator contacts search TEXT"),
            (("search", "DAN"), 0, whole["id"]),
            (("search", "050-123"), 0, whole["id"]),
            (("search", "12"), 0, "give words, or at least three digits"),
            (("search", "nobody"), 0, "No contacts."),
            (("tasks",), 0, "Nothing to do."),
            (("overdue",), 0, "Nothing to do."),
        ):
            status, text = cli(daemon, "contacts", *args)
            ok(status == want and says in text, f"contacts {' '.join(args)}: {says}" + ("" if says in text else f", not {text}"))
        same(len(daemon.kept("contacts")), 1, "they are listed once")
        merged = daemon.kept("contacts", NUMBER)
        same(([message["body"] for message in merged["messages"]], merged["tags"], merged["stage"], merged["members"]),
             (["from my other self", "it was me"], ["a & b"], "won", [other]), "with the messages of both")
        daemon.kill()
        daemon.start()
        daemon.post("/webhook/whatsapp/incoming", MessageSid="SM3", From="whatsapp:777@lid", Body="after a crash")
        same(len(daemon.kept("contacts", NUMBER)["messages"]), 3, "one contact still after kill -9")
        status, text = cli(daemon, "contacts", "unmerge", other)
        same((status, text), (0, "It is a contact of its own again.\n"), "parted again")
        same([message["body"] for message in daemon.kept("contacts", other)["messages"]], ["after a crash", "from my other self"],
             "each has what came by his address, also since")
        same([message["body"] for message in daemon.kept("contacts", NUMBER)["messages"]], ["it was me"], "so has the other")
        same(cli(daemon, "contacts", "unmerge", other)[0], 1, "only once")
        same(daemon.stop(), 0, "the daemon ends well")
    tap.done()


main()
