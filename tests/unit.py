"""unit.py - plays systemd for the daemon: holds its sockets and hears what it tells; its processes come and go"""

import fcntl
import http.client
import os
import re
import signal
import socket
import subprocess
import threading

from daemon import Daemon, until
from tap import BINARY

START = 'exec 3<&$HTTP_FD 4<&$ADMIN_FD; export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=http:admin; exec "$0" "$@"'


def far(sock):
    """A copy whose number is out of the way of those that systemd would pass."""
    return fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 30)


class Unit(Daemon):
    """A Daemon whose sockets outlive its processes. main: the process that it said is the main one; a setting None is not made."""

    def __init__(self, binary=BINARY, arguments=(), **env):
        super().__init__(**env)
        self.env = {name: value for name, value in self.env.items() if value is not None}
        self.binary, self.arguments = binary, arguments
        self.http = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.http.getsockname()[1]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.admin)
        self.listener.listen(64)
        self.inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.inbox.bind(f"{self.scratch.name}/notify")
        self.env["NOTIFY_SOCKET"], self.env["ADMIN_SOCKET"] = f"{self.scratch.name}/notify", self.admin
        self.told, self.main, self.n_ready = [], None, 0
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        while True:
            text = self.inbox.recv(65536).decode()
            if found := re.search(r"^MAINPID=(\d+)$", text, re.M):
                self.main = int(found.group(1))
            self.told.append(text)
            self.n_ready += bool(re.search("^READY=1$", text, re.M))

    def start(self):
        self.log, n = "", self.n_ready
        fds = far(self.http), far(self.listener)
        env = {**self.env, "HTTP_FD": str(fds[0]), "ADMIN_FD": str(fds[1])}
        self.process = subprocess.Popen(["bash", "-c", START, self.binary, "serve", *self.arguments], env=env, pass_fds=fds,
                                        stderr=subprocess.PIPE, text=True)
        self.main = self.process.pid
        for fd in fds:
            os.close(fd)
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        until(lambda: self.n_ready > n or self.process.poll() is not None)
        if self.n_ready == n:
            raise RuntimeError("the daemon did not start:\n" + self.log)

    def heard(self, pattern):
        """Whether it told that, at any time."""
        return any(re.search(pattern, text, re.M) for text in list(self.told))

    def logged(self, pattern, n=1):
        """Waits for lines of the log."""
        until(lambda: len(re.findall(pattern, self.log)) >= n)
        return len(re.findall(pattern, self.log)) >= n

    def reload(self, *args):
        """agentlocator reload, i.e. what systemctl reload runs."""
        return subprocess.run([BINARY, "reload", *args], env=self.env, capture_output=True, text=True, check=False, timeout=120)

    def pids(self):
        return [row["pid"] for row in self.status()["generations"]]

    def alone(self):
        """Waits until only one process is left."""
        until(lambda: len(self.pids()) == 1)
        return len(self.pids()) == 1

    def stop(self):
        """As systemd does with KillMode=mixed: SIGTERM to the main process, then whatever is left is killed."""
        children = [pid for pid in self.living() if pid != self.main]
        self._signal(self.main, signal.SIGTERM)
        until(lambda: self.main not in self.living())
        left = [pid for pid in children if pid in self.living()]
        for pid in left:
            self._signal(pid, signal.SIGKILL)
        status = self.process.wait(60)
        self.reader.join(60)
        return status, left

    def __exit__(self, *_):
        if self.main in self.living():
            self.stop()
        self.process.stderr.close()
        self.http.close()
        self.scratch.cleanup()

    def living(self):
        """Every process that has our notify socket in its environment and is no zombie."""
        mark, found = self.env["NOTIFY_SOCKET"].encode(), []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as environ, open(f"/proc/{pid}/cmdline", "rb") as line:
                    if mark in environ.read() and b"\0serve" in line.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    @staticmethod
    def _signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def kill_process(self, pid):
        self._signal(pid, signal.SIGKILL)

    def health(self, connection=None):
        """(status, Connection header) of GET /health."""
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Connection")


def wait_gone(unit, pid):
    """Waits until the process has gone, and reaps it when it was the first one."""
    def is_gone():
        unit.process.poll()
        return pid not in unit.living()
    until(is_gone)
    return is_gone()
