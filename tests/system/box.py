"""box.py - a booted systemd of its own for a test: this release of Debian, in namespaces, with the package's dependencies

image() makes its tree once in the build tree; a Box boots a copy of it that is gone afterwards, in about a second:

    own cgroup -> unshare (mount, cgroup, pid) -> cgroup2 over /sys/fs/cgroup -> overlay on the tree -> systemd-nspawn --boot

The pid namespace is there since nspawn refuses cgroup v1 hosts outside of one. Nothing is registered with the machine,
no network but the box's own loopback is reached, and what is in the box ends with it. nspawn's own filter of system calls
is off: under it the sandbox of a unit is not whole. Left out on purpose: limits of memory and tasks, which a host with
cgroup v1 keeps for itself.
"""

import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import packages
from packages import FOLDER, alone, dependencies, logged
from tap import done, skip

PATIENCE = 60  # seconds until something that has to happen counts as missing
CLONE_NEWNET = 0x40000000
ALWAYS = ("systemd", "systemd-sysv", "dbus", "procps", "rpm")
# In the box there is nobody whose terminal, mail or package list would have to be looked after.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "dpkg-db-backup.timer", "console-getty.service",
          "fstrim.timer", "systemd-networkd.service", "systemd-resolved.service")

BOOT = """
umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
mount -t tmpfs -o mode=755 tmpfs "$2" && mkdir "$2/up" "$2/work" "$2/root" &&
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work" "$2/root" &&
mount -t tmpfs -o mode=755 tmpfs /run/systemd &&
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --capability=all --directory="$2/root" \
    --machine=box --hostname=box --link-journal=no --boot --console=pipe
"""


def lacking():
    """Why no box can be booted here; "" when one can."""
    if os.geteuid() != 0:
        return "only root may boot a box"
    reason = packages.lacking(mmdebstrap="mmdebstrap", nsenter="util-linux", **{"systemd-nspawn": "systemd-container"})
    if reason:
        return reason
    tried = subprocess.run(["unshare", "--mount", "--cgroup", "--pid", "--fork", "sh", "-c", "mount -t tmpfs tmpfs /mnt"],
                           text=True, capture_output=True, check=False)
    return f"namespaces are not allowed here: {tried.stderr.strip()}" if tried.returncode else ""


def skip_unless_possible():
    reason = lacking()
    if reason:
        skip(f"{reason}: the installed package was not tried under systemd")
        done()


# --- its tree

def image():
    """The tree that boxes are booted from."""
    wanted = " ".join([*ALWAYS, *dependencies()])
    tree, made = os.path.join(FOLDER, "image"), os.path.join(FOLDER, "image.made")
    with alone("image"):
        if not os.path.exists(made) or open(made, encoding="ascii").read() != wanted:
            shutil.rmtree(tree, ignore_errors=True)
            with open("/etc/os-release", encoding="utf-8") as release:
                suite = re.search(r"^VERSION_CODENAME=(\w+)", release.read(), re.M)[1]
            logged("image", "mmdebstrap", "--variant=minbase", f"--include={wanted.replace(' ', ',')}",
                   f"--customize-hook=chroot \"$1\" systemctl mask {' '.join(MASKED)}",
                   "--customize-hook=rm -f \"$1\"/etc/machine-id; : >\"$1\"/etc/machine-id; echo box >\"$1\"/etc/hostname;"
                   " printf '127.0.0.1 localhost box\\n' >\"$1\"/etc/hosts", suite, tree)
            with open(made, "w", encoding="ascii") as out:
                out.write(wanted)
    return tree


# --- the box

def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


def waited(condition, patience=PATIENCE):
    """Waits for what happens on its own; returns what condition() said last."""
    end = time.monotonic() + patience
    while not (got := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return got


class Box:
    """A context: with Box() as box: box.sh("systemctl start x"), box.push(path, "/in/the/box")."""

    def __enter__(self):
        tree = image()
        self.folder = tempfile.mkdtemp(prefix="box-", dir=FOLDER)
        self.console = os.path.join(self.folder, "console.log")
        groups = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") else "/sys/fs/cgroup"
        self.cgroup = os.path.join(groups, os.path.basename(self.folder))
        os.mkdir(self.cgroup)
        os.mkdir(os.path.join(self.folder, "top"))
        with open(self.console, "w", encoding="utf-8") as log:
            self.outer = subprocess.Popen(
                ["sh", "-c", 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"', "sh", self.cgroup,
                 "unshare", "--mount", "--propagation", "private", "--cgroup", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc",
                 "sh", "-c", BOOT, "sh", tree, os.path.join(self.folder, "top")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env={**os.environ, "SYSTEMD_SECCOMP": "0"})
        try:
            self.leader = waited(self._leader)
            state = waited(lambda: self.sh("test -S /run/systemd/private && systemctl is-system-running --wait").out.strip())
            if state != "running":
                raise RuntimeError(f"the box is {state}: {self.sh('systemctl --failed --no-legend').out}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _leader(self):
        """The pid, out here, of the systemd in there."""
        if self.outer.poll() is not None:
            with open(self.console, encoding="utf-8", errors="replace") as log:
                raise RuntimeError("the box did not boot: " + log.read())
        pid = self.outer.pid
        for name in ("systemd-nspawn", "systemd"):
            found = children(pid)
            if not found:
                return None
            pid = found[0]
            with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                if comm.read().strip() != name:
                    return None
        return pid

    def __exit__(self, *_):
        for pid in children(self.outer.pid):
            os.kill(pid, 15)  # nspawn powers the box off
        try:
            self.outer.wait(10)
        except subprocess.TimeoutExpired:
            self.outer.kill()
            self.outer.wait()
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            waited(lambda group=folder: remove_group(group), 5)
        shutil.rmtree(self.folder)

    # --- what is done in there

    def command(self, *args, env=()):
        """argv that runs args in the box."""
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "--", "env", "-i", "HOME=/root", "LANG=C.UTF-8",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=", *env, *args]

    def run(self, *args, stdin=None):
        return Done(subprocess.run(self.command(*args), input=stdin, capture_output=True, check=False))

    def sh(self, script):
        return self.run("sh", "-c", script)

    def must(self, script):
        got = self.sh(script)
        if got.code:
            raise RuntimeError(f"{script}: status {got.code}\n{got.all}{self.journal()[-3000:]}")
        return got.out

    def write(self, path, text, mode="600"):
        data = text if isinstance(text, bytes) else text.encode()
        if self.run("sh", "-c", f"mkdir -p $(dirname {path}) && umask 077 && cat >{path} && chmod {mode} {path}", stdin=data).code:
            raise RuntimeError(f"cannot write {path}")

    def push(self, source, path):
        with open(source, "rb") as file:
            self.write(path, file.read(), "644")

    def apt(self, *args):
        return self.run("apt-get", "-y", "-q", "-o", "Dpkg::Use-Pty=0", *args)

    def show(self, unit, *names):
        """{property: value} of a unit"""
        got = self.must(f"systemctl show {unit} -p {','.join(names)}")
        return dict(line.split("=", 1) for line in got.splitlines())

    def calls_live(self, n):
        """Waits until so many calls are live: by the daemon's status, which is told once a second."""
        status = "Answering, 1 call" if n == 1 else f"Answering, {n} calls"
        return waited(lambda: self.show("agentlocator", "StatusText")["StatusText"] == status)

    def journal(self, unit="agentlocator"):
        return self.sh(f"journalctl --no-pager -q -o cat -u {unit}").out

    def enter_network(self):
        """The calling thread is in the box's network from now on."""
        with open(f"/proc/{self.leader}/ns/net", "rb") as net:
            if ctypes.CDLL(None, use_errno=True).setns(net.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    @staticmethod
    def connected(port):
        """A connection to a port, of a thread that is in the network."""
        return socket.create_connection(("127.0.0.1", port), timeout=20)

    def connect(self, port):
        """The same, of one that is not."""
        got = []

        def make():
            try:
                self.enter_network()
                got.append(self.connected(port))
            except OSError as error:
                got.append(error)
        maker = threading.Thread(target=make)
        maker.start()
        maker.join()
        if isinstance(got[0], OSError):
            raise got[0]
        return got[0]


def remove_group(group):
    try:
        os.rmdir(group)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


class Done:
    """What became of a program."""

    def __init__(self, process):
        self.code = process.returncode
        self.out, self.err = process.stdout.decode(errors="replace"), process.stderr.decode(errors="replace")
        self.all = self.out + self.err
