"""test_rpm.py - the rpm packages: what rpmlint says of them, and the daemon's installed in the box, called, replaced, removed

The box is Debian's, so what the package requires by name is not looked for (--nodeps); its scriptlets run as they do elsewhere.
"""

import glob
import os
import shutil

import packages
from box import Box, lacking, waited
from packages import rpm
from tap import TOP, done, ok, run, same, skip

TOKEN = "00112233445566778899aabbccddeeff"
ENV = "/etc/agentlocator/agentlocator.env"
CALL = f"agentlocator call --quiet --seconds 1 --public-host phone.example.com --auth-token {TOKEN}"

reason = packages.lacking(rpmbuild="rpm", rpmlint="rpmlint")
if reason:
    skip(f"{reason}: the rpm packages were not made and tried")
    done()


def rpmlint(*paths):
    got = run("rpmlint", "--config", os.path.join(TOP, "packaging/rpm/rpmlint.toml"), *paths)
    return got.returncode, [line for line in got.stdout.splitlines() if ": W: " in line or ": E: " in line]


def installed(box):
    box.push(rpm(), "/root/agentlocator.rpm")
    got = box.sh("rpm -i --nodeps /root/agentlocator.rpm")
    same((got.code, got.out), (0, ""), "rpm installs it")
    same(box.must("rpm -qc agentlocator").split(), [ENV], "its settings are what an upgrade leaves alone")
    same(box.must(f"stat -c '%U %G %a' {ENV}").strip(), "root agentlocator 640", "and are for its group's eyes only")
    same(box.sh("systemctl is-enabled agentlocator agentlocator-http.socket").out.split(), ["disabled"] * 2, "nothing is enabled before it is set up")
    same(box.must("rpm -V --nodeps agentlocator || true"), "", "every file is as it was packed")


def used(box):
    box.write(ENV, f"PUBLIC_HOST=phone.example.com\nTWILIO_AUTH_TOKEN={TOKEN}\nAGENT_PROFILE=echo\n", "640")
    box.must(f"chgrp agentlocator {ENV}; systemctl enable --now agentlocator-http.socket")
    same(box.sh(CALL).code, 0, "set up, it answers a call")
    socket = box.show("agentlocator-http.socket", "ActiveEnterTimestampMonotonic")
    got = box.sh("rpm -U --force --nodeps /root/agentlocator.rpm")
    same((got.code, box.must(f"grep -c AGENT_PROFILE {ENV}").strip()), (0, "1"), "replaced, it keeps its settings")
    same(box.show("agentlocator-http.socket", "ActiveEnterTimestampMonotonic"), socket, "and its sockets open")
    same((box.sh(CALL).code, box.show("agentlocator", "ActiveState")["ActiveState"]), (0, "active"), "and answers")


def removed(box):
    same(box.sh("rpm -e agentlocator").code, 0, "it can be removed")
    same(waited(lambda: box.sh("pgrep -u agentlocator").out == ""), True, "then nothing of it runs")
    same(box.sh("test -f /var/lib/agentlocator/store/data.mdb && systemctl --failed --no-legend").out, "", "what was said is kept")


every = glob.glob(os.path.join(os.path.dirname(rpm()), "..", "*", "*.rpm"))
same((len(every), rpmlint(*every)), (2, (0, [])), "rpmlint has nothing to say that is not explained in its configuration")
ok(shutil.which("rpm") and "nodejs" in run("rpm", "-qp", "--recommends", *[path for path in every if "baileys" in path]).stdout,
   "the WhatsApp device is a package of its own, which wants Node")
reason = lacking()
if reason:
    skip(f"{reason}: the rpm package was not tried under systemd")
    done()
with Box() as machine:
    installed(machine)
    used(machine)
    removed(machine)
done()
