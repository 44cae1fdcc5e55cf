"""test_disk.py - the installed daemon on a disk that is full, and on one that can only be read"""

import json

from box import Box, skip_unless_possible, waited
from packages import deb
from tap import done, ok, same

TOKEN = "00112233445566778899aabbccddeeff"
STATE = "/var/lib/agentlocator"
CALL = f"agentlocator call --json --public-host phone.example.com --auth-token {TOKEN} --silence 1"


def set_up(box):
    """On a disk of its own that holds little."""
    box.push(deb(), "/root/agentlocator.deb")
    box.must("apt-get -y -q install /root/agentlocator.deb")
    box.must(f"mkdir -p {STATE} && mount -t tmpfs -o size=8m tmpfs {STATE}")
    box.write("/etc/agentlocator/agentlocator.env", f"PUBLIC_HOST=phone.example.com\nTWILIO_AUTH_TOKEN={TOKEN}\nAGENT_PROFILE=echo\n", "640")
    box.must("chgrp agentlocator /etc/agentlocator/agentlocator.env; systemctl enable --now agentlocator-http.socket; systemctl start agentlocator")


def kept(box):
    """How the calls ended that the store has."""
    return sorted(call["status"] for call in json.loads(box.must("agentlocator calls --json")))


def call(box):
    """(exit status, what the webhook was answered)"""
    got = box.sh(f"{CALL} --seconds 1")
    return got.code, json.loads(got.out)["each"][0]["webhook_status"]


def fill(box):
    box.sh(f"dd if=/dev/zero of={STATE}/filler bs=4k 2>/dev/null")
    same(box.must(f"df --output=avail {STATE}").split()[-1], "0", "the disk is full")
    got = box.sh("agentlocator doctor disk --json --offline --env-file /etc/agentlocator/agentlocator.env")
    same((got.code, json.loads(got.out)[0]["verdict"]), (2, "wrong"), "which the doctor says")


def full(box):
    same(call(box), (0, 200), "there is room: a call is answered")
    box.calls_live(0)
    box.must(f"systemd-run --quiet --unit=live {CALL} --seconds 60")
    ok(box.calls_live(1), "and one goes on")
    fill(box)
    taken = 2
    while taken < 50 and (got := call(box)) == (0, 200):  # there are pages of the store to be used again
        taken += 1
    same(got, (1, 503), "a call that cannot be kept is not taken: Twilio goes where its number's fallback says")
    ok("could not be kept: No space left on device" in box.journal(), "and the log says why")
    same(box.must("systemctl is-active live agentlocator").split(), ["active"] * 2, "the call that lives goes on, and so does the daemon")
    box.must("systemctl kill -s INT live")
    ok(waited(lambda: box.sh("systemctl is-active live").code), "until it ends, with nowhere to write that")
    box.must(f"rm {STATE}/filler")
    ok(waited(lambda: kept(box) == ["completed"] * taken), "which is kept as soon as there is room, like every call that was taken")
    same(call(box), (0, 200), "and calls are taken again")
    same(box.show("agentlocator", "NRestarts")["NRestarts"], "0", "all by the same process")
    return taken + 1


def read_only(box, taken):
    box.must(f"systemctl stop agentlocator; mount -o remount,ro {STATE}")
    ok(box.sh("systemctl start agentlocator").code != 0, "on a disk that can only be read it does not start")
    ok("Read-only file system" in box.journal(), "and says why")
    box.must(f"mount -o remount,rw {STATE}")
    ok(waited(lambda: box.show("agentlocator", "ActiveState")["ActiveState"] == "active"), "once that is mended it does by itself")
    same(call(box), (0, 200), "and answers")
    same(kept(box), ["completed"] * (taken + 1), "with all that was said before")


skip_unless_possible()
with Box() as machine:
    set_up(machine)
    read_only(machine, full(machine))
done()
