"""test_units.py - the units are right, tight, and agree with the program; looked at as files, no systemd runs"""

import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import BINARY, BUILD, TOP, done, ok, run, same, skip

WORST = 11  # tenths: the least that a daemon which calls out can have; README has the command
SERVICE = "agentlocator.service"
PROGRAMS = re.compile(r"^(Exec\w+=[+-]?)\S*/s?bin/agentlocator(?:-baileys)?(?= |$)", re.M)  # of ours, as they will be installed


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def values(text, key):
    return re.findall(rf"^{key}=(.*)$", text, re.M)


def listed():
    """The units of Makefile.am, {name: text}, as they were built."""
    found = {}
    makefile = read(os.path.join(TOP, "Makefile.am"))
    for name in sorted(set(re.findall(r"\bunits/([\w.-]+\.(?:service|socket|timer))\b", makefile))):
        made = os.path.join(BUILD, "units", name)
        found[name] = read(made if os.path.exists(made) else os.path.join(TOP, "units", name))
    return found


def analyzed(units, *args):
    """(exit status, what it said) of systemd-analyze about these units."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in units.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                out.write(PROGRAMS.sub(rf"\g<1>{BINARY}", text))
        services = [name for name in units if args[0] == "verify" or name.endswith(".service") and "baileys" not in name]
        found = run("systemd-analyze", *args, *(os.path.join(folder, name) for name in services))
    return found.returncode, found.stdout + found.stderr


def verified(units):
    return analyzed(units, "verify", "--man=no", "--recursive-errors=no")


def exposed(units):
    """What `systemd-analyze security` thinks too much of."""
    return analyzed(units, "security", "--offline=true", f"--threshold={WORST}", "--no-pager")


def with_line(units, name, old, new):
    assert units[name].count(old) == 1, (name, old)
    return {**units, name: units[name].replace(old, new)}


def settings():
    """(names of secrets, {name: default}) of config.def"""
    rows = re.findall(r'^CONFIG\( *(\w+), *\w+, *"(\w+)", *(NULL|"[^"]*")', read(os.path.join(TOP, "src/config.def")), re.M)
    return [name for kind, name, _ in rows if kind in ("SECRET", "LETTER")], {name: text.strip('"') for _, name, text in rows}


units = listed()
service = units[SERVICE]
secrets, defaults = settings()

if shutil.which("systemd-analyze"):
    same(verified(units), (0, ""), "systemd knows every line of the units")
    typo = with_line(units, SERVICE, "WatchdogSec=", "WatchdogSecs=")
    ok("WatchdogSecs" in verified(typo)[1], "a planted line that it does not know is found")
    same(exposed(units)[0], 0, "the daemon is exposed no more than 1.1, and so is what a timer starts")
    wide = with_line(units, SERVICE, "CapabilityBoundingSet=\n", "")
    ok(exposed(wide)[0] != 0, "a planted service that keeps capabilities is found")
else:
    skip("systemd-analyze is not there (package systemd): whether systemd takes the units, and how exposed the daemon is")

same(values(service, "LoadCredential"), [f"{name}:agentlocator.{name}" for name in secrets],
     "every secret may be a credential, and none has to be")
same(values(service, "Type") + values(service, "RestartPreventExitStatus"), ["notify", "78"],
     "the service waits for ready, and a wrong setting does not start it over")
sockets = [name for name in units if name.endswith(".socket") and "baileys" not in name]
same([values(units[name], "FileDescriptorName") + values(units[name], "Service") for name in sockets],
     [[name[len("agentlocator-"):-len(".socket")], SERVICE] for name in sockets], "each socket has its name and starts the daemon")
same(values(units["agentlocator-admin.socket"], "ListenStream"), [defaults["ADMIN_SOCKET"]], "commands look where the socket is")
same([f"/var/{place}/{name}" for place, key in (("lib", "StateDirectory"), ("cache", "CacheDirectory")) for name in values(service, key)],
     [defaults["STATE_DIR"], defaults["CACHE_DIR"]], "it may write where the settings say")
done()
