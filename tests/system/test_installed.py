"""test_installed.py - the package as an operator has it: installed, set up, called, crashed, hung, removed, purged"""

import json

from box import Box, skip_unless_possible, waited
from packages import deb
from tap import done, ok, same

TOKEN, OTHER = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
ENV = "/etc/agentlocator/agentlocator.env"
SETTINGS = "PUBLIC_HOST=phone.example.com\n"
CALL = f"agentlocator call --json --env-file {ENV}"
# Where what is made is another program's business.
ELSEWHERE = ("/proc", "/sys", "/dev", "/root", "/tmp", "/run", "/var/log", "/var/lib/apt", "/var/lib/dpkg", "/var/cache/apt", "/var/cache/debconf")


def files(box):
    prune = " -o ".join(f"-path {path}" for path in ELSEWHERE)
    return set(box.must(f"find / -xdev \\( {prune} \\) -prune -o -print").splitlines())


def active(box, *units):
    return box.sh("systemctl is-active " + " ".join(units)).out.split()


def pid(box):
    return int(box.show("agentlocator", "MainPID")["MainPID"])


def calls(box):
    return json.loads(box.must("agentlocator calls --json"))


def answered(box):
    """An HTTP request that needs nobody's signature."""
    with box.connect(8080) as sock:
        sock.sendall(b"GET /health HTTP/1.0\r\nHost: x\r\n\r\n")
        return sock.recv(4096).split(b"\r\n")[0].decode()


def refused(box):
    try:
        box.connect(8080).close()
    except ConnectionRefusedError:
        return True
    return False


def install(box):
    box.push(deb(), "/root/agentlocator.deb")
    got = box.apt("install", "/root/agentlocator.deb")
    same((got.code, "error" in got.all.lower()), (0, False), "apt installs it, with what its dependencies name and no more")
    same(box.must(f"stat -c '%U %G %a' {ENV}").strip(), "root agentlocator 640", "its settings are for its group's eyes only")
    units = [line.split() for line in box.must("systemctl list-unit-files --no-legend 'agentlocator*'").splitlines()]
    same([unit for unit in units if unit[1:] not in (["disabled", "disabled"], ["static", "-"])], [], "nothing is enabled before it is set up")
    same((active(box, "agentlocator", "agentlocator-http.socket"), refused(box)), (["inactive"] * 2, True), "or listens")
    box.sh("systemctl start agentlocator")
    same(box.show("agentlocator", "ExecMainStatus", "ActiveState", "NRestarts"),
         {"ExecMainStatus": "78", "ActiveState": "failed", "NRestarts": "0"}, "started all the same, it fails once")
    ok("PUBLIC_HOST: is not set" in box.journal(), "and says what is not set")


def activate(box):
    box.write(ENV, SETTINGS + f"TWILIO_AUTH_TOKEN={TOKEN}\n", "640")
    box.must(f"chgrp agentlocator {ENV}; systemctl stop 'agentlocator*.socket'; systemctl reset-failed")
    box.must("systemctl enable --now agentlocator-http.socket")
    same(active(box, "agentlocator", "agentlocator-http.socket"), ["inactive", "active"], "enabled, its socket listens and it does not run")
    same(answered(box), "HTTP/1.1 200 OK", "the first connection is answered")
    state = box.show("agentlocator", "ActiveState", "StatusText", "UnitFileState")
    same(state, {"ActiveState": "active", "StatusText": "Answering, 0 calls", "UnitFileState": "enabled"},
         "by the daemon, which runs from now on, after a start of the machine too")
    ok(box.sh(f"agentlocator call --to-url http://127.0.0.1:8080/webhook/incoming_call --quiet --seconds 1 --auth-token {OTHER} "
              "--public-host phone.example.com").code != 0, "a call that Twilio has not signed is refused")
    got = box.sh(f"{CALL} --silence 1 --linger 1 --seconds 6")
    heard = json.loads(got.out or "{}")
    same((got.code, heard.get("breaches")), (0, []), "a call is answered, and no rule of Twilio's broken")
    ok("agent   spoke for" in got.err, "by an agent who speaks")
    same([(call["status"], call["n_turns"]) for call in calls(box)], [("completed", 1)], "and is kept, with what was said")


def diagnosed(box, check):
    """(exit status, verdict, remedy) of one check of the doctor's"""
    got = box.sh(f"agentlocator doctor {check} --json --offline --env-file {ENV}")
    found = json.loads(got.out)[0]
    return got.code, found["verdict"], found["remedy"]


def diagnose(box):
    """What the doctor says is wrong with the units is mended by what it says mends it."""
    same(diagnosed(box, "units")[:2], (0, "ok"), "the doctor finds nothing wrong with the units")
    for wrong, seen in (("systemctl disable agentlocator-http.socket", (1, "warning")), ("systemctl stop 'agentlocator*.socket'", (2, "wrong"))):
        box.must(wrong)
        code, verdict, remedy = diagnosed(box, "units")
        same((code, verdict), seen, f"after {wrong} it does")
        box.must(remedy)
        same(diagnosed(box, "units")[:2], (0, "ok"), f"and {remedy} mends it")
    same(answered(box), "HTTP/1.1 200 OK", "so that it answers again")


def take_credentials(box):
    box.write(ENV, SETTINGS, "640")
    box.write("/etc/credstore/agentlocator.TWILIO_AUTH_TOKEN", OTHER)
    box.must("systemctl restart agentlocator")
    call = "agentlocator call --quiet --seconds 1 --public-host phone.example.com --auth-token"
    same([box.sh(f"{call} {token}").code for token in (OTHER, TOKEN)], [0, 1], "a secret in /etc/credstore is the one that counts")
    seen = box.must(f"cat /proc/{pid(box)}/environ /proc/{pid(box)}/cmdline; systemctl show agentlocator; journalctl -q -o cat")
    ok(OTHER not in seen, "it is in no environment, argument, property or line of the log")
    same(box.must("runuser -u nobody -- cat /run/credentials/agentlocator.service/TWILIO_AUTH_TOKEN 2>&1 || true").count("denied"), 1,
         "and nobody else may read it")


def live_call(box):
    """A call that goes on; the daemon's status says that it is there."""
    background = f"systemd-run --quiet --collect agentlocator call --quiet --seconds 60 --silence 60 --public-host phone.example.com --auth-token {OTHER}"
    box.calls_live(0)
    box.must(background)
    return box.calls_live(1)


def crash(box):
    ok(live_call(box), "systemctl status says how many calls there are")
    box.must(f"kill -9 {pid(box)}")
    same(answered(box), "HTTP/1.1 200 OK", "killed, it is started again, and who connects meanwhile waits")
    same(box.show("agentlocator", "NRestarts", "ActiveState"), {"NRestarts": "1", "ActiveState": "active"}, "by systemd")
    same(sorted((call["status"], call["end"]) for call in calls(box))[-1], ("lost", "daemon died"), "the call that it had is closed as lost")
    same(box.sh("agentlocator backup /root/kept.tar.zst && agentlocator backup --verify /root/kept.tar.zst").code, 0, "the store is sound")


def hang(box):
    box.write("/etc/systemd/system/agentlocator.service.d/test.conf", "[Service]\nWatchdogSec=2s\n", "644")
    box.must("systemctl daemon-reload; systemctl restart agentlocator")
    before = pid(box)
    box.must(f"kill -STOP {before}")
    ok(waited(lambda: pid(box) not in (0, before)), "one that does nothing any more is killed by the watchdog, and started again")
    ok("Watchdog timeout" in box.journal(), "which is why")
    same(answered(box), "HTTP/1.1 200 OK", "and answers")


def remove(box, before):
    box.must("rm -r /etc/systemd/system/agentlocator.service.d")
    kept = box.must("find /var/lib/agentlocator -type f").split()
    same(box.apt("remove", "agentlocator").code, 0, "it can be removed")
    same(box.sh("pgrep -u agentlocator -l; ls /run/agentlocator").out, "", "then nothing of it runs")
    same(refused(box), True, "or listens")
    ok(kept and box.must("find /var/lib/agentlocator -type f").split() == kept, "what was said is kept")
    box.must(f"test -f {ENV} && test -f /etc/credstore/agentlocator.TWILIO_AUTH_TOKEN")
    same(box.apt("purge", "agentlocator").code, 0, "it can be purged, which asks nothing")
    left = files(box) - before - {"/etc/credstore"}
    same(sorted(path for path in left if not path.startswith("/etc/.pwd")), [], "and nothing of it is left")
    same(box.must("getent passwd agentlocator").split(":")[0], "agentlocator", "but its user")
    same(box.must("systemctl --failed --no-legend; find /etc/systemd -name 'agentlocator*'"), "", "systemd knows nothing of it any more")


skip_unless_possible()
with Box() as machine:
    untouched = files(machine)
    install(machine)
    activate(machine)
    diagnose(machine)
    take_credentials(machine)
    crash(machine)
    hang(machine)
    remove(machine, untouched)
done()
