"""test_launcher.py - the sidecar as it is installed: what it lacks is said, systemd is told, and its socket is taken"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
from services.whatsapp.sidecar import PATIENCE, PLACE, Sidecar, prepare
from tap import BUILD, done, ok, same, skip

def install(root):
    """Installs the sidecar's own part below root, as make install does. Returns the paths of its parts."""
    subprocess.run(["make", "-s", "-C", BUILD, "install-dist_baileysDATA", "install-sbinSCRIPTS", "install-nodist_systemdsystemunitDATA",
                    "install-dist_systemdsystemunitDATA", "install-dist_sysusersDATA", "install-man8", f"DESTDIR={root}"],
                   check=True, stdout=subprocess.DEVNULL)
    return {name: os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names}


def run(launcher, *args, **env):
    return subprocess.run([launcher, *args], env={"PATH": os.environ["PATH"], **env}, text=True, capture_output=True, check=False,
                          timeout=PATIENCE)


def fake_node(folder, version):
    path = os.path.join(folder, f"node-{version}")
    with open(path, "w", encoding="ascii") as program:
        program.write(f"#!/bin/sh\necho {version}\n")
    os.chmod(path, 0o755)
    return path


def what_is_missing_is_said(root, launcher, folder):
    same(run(launcher, "--help").returncode, 0, "--help")
    same(run(launcher, "--colour").returncode, 2, "an option that is not known")
    for env, want, what in (
            ({"BAILEYS_NODE": "no-such-node"}, "install Node.js 20", "no Node"),
            ({"BAILEYS_NODE": fake_node(root, "18.19.0")}, "version 18.19.0, and 20 or later is needed", "a Node too old"),
            ({"BAILEYS_FOLDER": "/nonexistent"}, "BAILEYS_FOLDER says where", "nothing installed"),
            ({}, f"cd {folder} && npm ci --omit=dev --ignore-scripts", "no library")):
        got = run(launcher, **{"BAILEYS_FOLDER": folder, **env})
        ok(got.returncode == 78 and want in got.stderr, f"{what}: {got.stderr.strip()}")
    library = os.path.join(folder, "node_modules", "@whiskeysockets", "baileys")
    os.makedirs(library)
    with open(os.path.join(library, "package.json"), "w", encoding="ascii") as package:
        package.write('{\n  "name": "x",\n  "version": "6.17.16"\n}\n')
    got = run(launcher, BAILEYS_FOLDER=folder)
    ok(got.returncode == 78 and "6.17.16, and 7.0.0-rc14 is needed" in got.stderr, f"another library: {got.stderr.strip()}")
    with open(os.path.join(library, "package.json"), "w", encoding="ascii") as package:
        package.write('{\n  "name": "x",\n  "version": "7.0.0-rc14"\n}\n')
    got = run(launcher, "--check", BAILEYS_FOLDER=folder, BAILEYS_NODE=fake_node(root, "20.0.0"))
    same((got.returncode, got.stdout + got.stderr), (0, ""), "--check, when all is there")
    shutil.rmtree(os.path.join(folder, "node_modules"))


class Manager(Sidecar):
    """In the place of systemd: it hands over a socket by systemd-socket-activate, and hears what is told to it."""

    def __init__(self, launcher, folder):
        super().__init__()
        self.hear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.hear.settimeout(PATIENCE)
        self.hear.bind(os.path.join(self.scratch.name, "notify"))
        del self.env["BAILEYS_SOCKET"]
        self.env.update(BAILEYS_FOLDER=folder, NOTIFY_SOCKET=self.hear.getsockname(), WATCHDOG_USEC="600000")
        self.launcher = launcher

    def __enter__(self):
        names = [word for name in self.env for word in ("-E", name)]
        self.process = subprocess.Popen(["systemd-socket-activate", "-l", self.path, *names, self.launcher], env=self.env,
                                        stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "Listening on" in line:
                break
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.hear.close()
        self.scratch.cleanup()

    def hears(self):
        """The next thing told, but for the barrier that systemd-notify waits at."""
        while True:
            what, fds, _, _ = socket.recv_fds(self.hear, 4096, 4)
            for fd in fds:
                os.close(fd)
            if what != b"BARRIER=1":
                return what.decode().strip()


def systemd_is_told(launcher, folder):
    with Manager(launcher, folder) as m:
        same(m.ask("GET", "/v1/health")[0], 200, "it answers on the socket it was handed")
        same([m.hears(), m.hears(), m.hears()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"], "says that it is ready, and alive again and again")
        m.process.send_signal(signal.SIGTERM)
        said = m.hears()
        while said == "WATCHDOG=1":
            said = m.hears()
        same(said, "STOPPING=1", "that it stops")
        same(m.process.wait(PATIENCE), 0, "and does")


def units_are_right(root, installed):
    unit = installed["agentlocator-baileys.service"]
    with open(unit, encoding="ascii") as file:
        text = file.read()
    launcher = installed["agentlocator-baileys"].removeprefix(root)
    ok(f"ExecStart={launcher}\n" in text and not re.search("@[a-z]+@", text), "the unit starts what was installed")
    if not shutil.which("systemd-analyze"):
        skip("the units were not verified: there is no systemd-analyze")
        return
    got = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", unit], text=True, capture_output=True, check=False)
    ok(got.returncode == 0, f"is hardened: {(got.stdout.strip().splitlines() or [got.stderr])[-1]}")


def main():
    with tempfile.TemporaryDirectory() as root:
        installed = install(root)
        launcher, folder = installed["agentlocator-baileys"], os.path.dirname(installed["index.js"])
        what_is_missing_is_said(root, launcher, folder)
        units_are_right(root, installed)
        problem = prepare()
        if problem:
            skip(f"the installed sidecar was not started: {problem}")
        else:
            os.symlink(os.path.join(PLACE, "node_modules"), os.path.join(folder, "node_modules"))
            systemd_is_told(launcher, folder)
    done()


main()
