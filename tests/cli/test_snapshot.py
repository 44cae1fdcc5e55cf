"""test_snapshot.py - backup beside a daemon in a storm, restore elsewhere; kills, flipped bytes, a full disk

The storm posts calls one after the other in each of its threads. So whatever one moment holds is, of each thread, a
beginning of what it posted: all that was answered before the backup began, nothing that was sent after it ended.
"""

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from daemon import ACCOUNT, Daemon  # noqa: E402
from tap import BINARY, done, ok, run, same, skip  # noqa: E402

N_THREADS, N_FIRST, N_FLIPS, N_KILLS = 4, 60, 40, 12
SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 20261130
DAMAGED = 3


class Storm:
    """Threads that post calls; answered[i] says how many of thread i's were answered, sent[i] how many were begun."""

    def __init__(self, daemon):
        self.daemon, self.over = daemon, False
        self.sent, self.answered = [0] * N_THREADS, [0] * N_THREADS
        self.threads = [threading.Thread(target=self.post_on, args=(i,)) for i in range(N_THREADS)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def sid(thread, n):
        return f"CA{thread:08x}{n:024x}"

    def post_on(self, thread):
        while not self.over:
            n = self.sent[thread]
            self.sent[thread] += 1
            status, _ = self.daemon.post("/webhook/incoming_call", CallSid=self.sid(thread, n), AccountSid=ACCOUNT,
                                         CallStatus="ringing", To="+97231234567", From=f"+97250{thread:03d}{n % 10000:04d}")
            if status == 200:
                self.answered[thread] = n + 1

    def wait_for(self, n):
        while min(self.answered) < n:
            time.sleep(0.02)

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join()


def command(env, *args):
    return run(BINARY, *args, env=env)


def settings_below(folder, like):
    return {**like, "STATE_DIR": f"{folder}/state", "DATABASE_URL": f"lmdb://{folder}/state/store"}


def calls(env):
    got = command(env, "calls", "--last", "1000000", "--json")
    return {row["sid"]: row for row in json.loads(got.stdout)} if got.returncode == 0 else got.stderr


def recordings(state):
    found = {}
    for folder, _, names in os.walk(os.path.join(state, "recordings")):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, state)] = file.read()
    return found


def make_recordings(state):
    draw = random.Random(SEED)
    for i in range(20):
        folder = os.path.join(state, "recordings", f"CA{i:032x}")
        os.makedirs(folder)
        with open(f"{folder}/1.wav", "wb") as file:
            file.write(draw.randbytes(draw.randint(1, 20000)))
    with open(f"{folder}/2.part", "wb") as file:
        file.write(b"half")
    os.makedirs(f"{state}/keys")
    with open(f"{state}/keys/secret", "wb") as file:
        file.write(b"hush")


def left_over(folder):
    return sorted(name for name in os.listdir(folder) if name.startswith("."))


def snapshot(daemon, folder):
    """A backup in the storm; returns its file, and what the store must hold."""
    storm = Storm(daemon)
    storm.wait_for(N_FIRST)
    before = list(storm.answered)
    got = command(daemon.env, "backup", folder, "--json")
    after = list(storm.sent)
    storm.wait_for(max(after))
    storm.end()
    same((got.returncode, got.stderr), (0, ""), "a backup is made beside a daemon in a storm")
    report = json.loads(got.stdout)
    file = report["file"]
    same(os.listdir(folder), [os.path.basename(file)], "it has its name, and nothing is left beside it")
    same(stat.S_IMODE(os.stat(file).st_mode), 0o600, "nobody else may read it")
    same(report["bytes"], os.stat(file).st_size, "its size is told")
    ok(sum(before) <= report["rows"]["calls"] <= sum(after), f"as are its rows: {report['rows']['calls']} calls")
    return file, before, after, report


def in_tar(file):
    got = subprocess.run(["tar", "--zstd", "-tf", file], capture_output=True, text=True, check=False)
    return sorted(got.stdout.split())


def restored_elsewhere(daemon, folder, file, before, after):
    env = settings_below(f"{folder}/elsewhere", daemon.env)
    got = command(env, "restore", file)
    same((got.returncode, got.stderr), (0, ""), "it is restored elsewhere")
    ok("restored" in got.stdout and "20 recordings" in got.stdout, "which is told")
    kept, live = calls(env), calls(daemon.env)
    numbers = [sorted(int(sid[10:], 16) for sid in kept if int(sid[2:10], 16) == thread) for thread in range(N_THREADS)]
    same([found == list(range(len(found))) for found in numbers], [True] * N_THREADS,
         "what it holds of each thread of the storm is a beginning of it")
    same([b <= len(found) <= a for b, found, a in zip(before, numbers, after)], [True] * N_THREADS,
         "with all that was answered before it began, and nothing that was sent after it ended")
    same([sid for sid in kept if kept[sid] != live.get(sid)], [], "every call is as it was")
    same(recordings(env["STATE_DIR"]), {name: data for name, data in recordings(daemon.env["STATE_DIR"]).items()
                                        if name.endswith(".wav")}, "and every recording")
    same(left_over(env["STATE_DIR"]) + left_over(env["STATE_DIR"] + "/store"), [], "no workspace is left")
    with Daemon(**{**env, "DATABASE_URL": env["DATABASE_URL"]}) as other:
        same(other.post("/webhook/incoming_call", CallSid="CA" + "f" * 32, AccountSid=ACCOUNT, CallStatus="ringing",
                        To="+97231234567", From="+972500000000")[0], 200, "a daemon answers with it")
    return env


def refusals(daemon, folder, file, env):
    got = command(daemon.env, "restore", "--force", file)
    ok(got.returncode == 1 and "stop it first" in got.stderr, "a store with a daemon is not touched")
    kept = calls(env)
    got = command(env, "restore", file)
    ok(got.returncode == 1 and "--force" in got.stderr and calls(env) == kept, "nor one that is not empty")
    same(command(env, "restore", "--force", file).returncode, 0, "but by force")
    same(len(calls(env)), len(kept) - 1, "it is replaced then")
    got = command(daemon.env, "backup", file)
    ok(got.returncode == 1 and "--force" in got.stderr, "a file that is there is not replaced")
    same(command(daemon.env, "backup", "--force", "--store-only", file + ".small").returncode, 0, "a backup can do without recordings")
    same(in_tar(file + ".small"), ["manifest.json", "store/data.mdb"], "there are none in it")
    os.unlink(file + ".small")
    for args, why in ((["backup", "a", "b"], "name one file"), (["backup", "--keep", "0", "x"], "--keep takes"), (["restore"], "name one file"),
                      (["restore", "--keep", "3", "x"], "no such option")):
        got = command(daemon.env, *args)
        ok(got.returncode == 2 and why in got.stderr, f"refused: agentlocator {' '.join(args)}")
    got = command({**env, "DATABASE_URL": f"lmdb://{folder}/nowhere"}, "backup", f"{folder}/x")
    ok(got.returncode == 1 and "DATABASE_URL" in got.stderr and not os.path.exists(f"{folder}/x"), "no store: no backup, and why")


def flips(env, file, folder):
    draw = random.Random(SEED)
    with open(file, "rb") as original:
        data = original.read()
    at = [0, 3, len(data) - 1, len(data) - 40, len(data) - 80, len(data) - 81] + [draw.randrange(len(data)) for _ in range(N_FLIPS)]
    missed = []
    for i in at:
        with open(f"{folder}/flipped", "wb") as flipped:
            flipped.write(data[:i] + bytes([data[i] ^ (1 << draw.randrange(8))]) + data[i + 1:])
        got = command(env, "backup", "--verify", f"{folder}/flipped")
        if got.returncode != 1 or "damaged" not in got.stderr and "cut short" not in got.stderr:
            missed.append((i, got.returncode, got.stderr))
    same(missed, [], f"a flipped byte is found, at {len(at)} places")
    same(command(env, "backup", "--verify", file).returncode, 0, "without one the backup is good")
    for n in (0, 1, 79, 80, len(data) // 2, len(data) - 1):
        with open(f"{folder}/flipped", "wb") as cut:
            cut.write(data[:n])
        if command(env, "backup", "--verify", f"{folder}/flipped").returncode != 1:
            missed.append(n)
    same(missed, [], "as is one that is cut short")
    kept = calls(env)
    got = command(env, "restore", "--force", f"{folder}/flipped")
    ok(got.returncode == 1 and calls(env) == kept, "which is not restored")
    same(left_over(env["STATE_DIR"]), [], "and leaves nothing")


def killed(env, args, after_s):
    process = subprocess.Popen([BINARY, *args], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode


def kills(daemon, env, file, folder):
    began = time.monotonic()
    command(daemon.env, "backup", f"{folder}/timed")
    took = time.monotonic() - began
    os.makedirs(f"{folder}/killed")
    n_killed, bad = 0, []
    for i in range(N_KILLS):
        name = f"{folder}/killed/{i}"
        n_killed += killed(daemon.env, ["backup", name], took * (i + 0.5) / N_KILLS) != 0
        if os.path.exists(name) and command(env, "backup", "--verify", name).returncode:
            bad.append(i)
    same((n_killed > 0, bad), (True, []), f"kill -9 during a backup, {n_killed} times: what has its name is whole")
    same(command(daemon.env, "backup", f"{folder}/killed/last").returncode, 0, "the next one is made")
    same(left_over(f"{folder}/killed"), [], "and takes away what the killed ones left")

    small = settings_below(f"{folder}/small", env)
    command(small, "restore", f"{folder}/killed/last")
    outcomes = [calls(small), calls(env)]
    for number, source in enumerate((f"{folder}/killed/last", file)):
        seen, wrong, n_killed = set(), [], 0
        for i in range(N_KILLS):
            command(small, "restore", "--force", (file, f"{folder}/killed/last")[number])
            n_killed += killed(small, ["restore", "--force", source], took * (i + 0.5) / N_KILLS) != 0
            now = calls(small)
            if now not in outcomes:
                wrong.append((i, now if isinstance(now, str) else len(now)))
            seen.add(now == outcomes[number])
        same((n_killed > 0, wrong), (True, []), f"kill -9 during a restore, {n_killed} times: it is the one store or the other")
    same(command(small, "restore", "--force", file).returncode, 0, "the next one is made")
    same(left_over(small["STATE_DIR"]) + left_over(small["STATE_DIR"] + "/store"), [], "and takes away what was left")
    ok(not os.path.exists(small["STATE_DIR"] + "/store/replaced.mdb"), "with the store that was replaced")


def keep(env, folder):
    """--keep takes the oldest away, and nothing else."""
    os.makedirs(f"{folder}/kept")
    for name in ("agentlocator-20250101T000000Z.tar.zst", "agentlocator-20250102T000000Z.tar.zst", "agentlocator-20250103T000000Z.tar.zst",
                 "agentlocator-notes.tar.zst", "other"):
        with open(f"{folder}/kept/{name}", "wb"):
            pass
    same(command(env, "backup", f"{folder}/kept", "--keep", "2").returncode, 0, "a backup that keeps two")
    names = sorted(os.listdir(f"{folder}/kept"))
    same([name for name in names if name.startswith("agentlocator-20") and name < "agentlocator-2026"],
         ["agentlocator-20250103T000000Z.tar.zst"], "the oldest go")
    ok("other" in names and "agentlocator-notes.tar.zst" in names and len(names) == 4, "other files stay")


def full_disk(env, folder):
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        skip("no name space of our own: a full disk was not shown")
        return
    os.makedirs(f"{folder}/disk")
    script = ('mount -t tmpfs -o size=$0 none "$1" && echo first >"$1/agentlocator-20250101T000000Z.tar.zst" && '
              '"$2" backup "$1" --keep 1; status=$?; ls -A "$1"; exit $status')
    sizes = {}
    for size in ("16k", "200k", "400k"):
        got = run("unshare", "--mount", "sh", "-c", script, size, f"{folder}/disk", BINARY, env=env)
        sizes[size] = (got.returncode, "No space left" in got.stderr, got.stdout.split())
    same(sizes, {size: (1, True, ["agentlocator-20250101T000000Z.tar.zst"]) for size in sizes},
         "a full disk: it is told, nothing is left, and the backup that is there stays")


def whose(env, file, folder):
    """Root restores as the user whose folder it is."""
    if os.geteuid() != 0:
        skip("not root: whose a restored store is was not shown")
        return
    os.chmod(folder, 0o711)
    theirs = settings_below(f"{folder}/theirs", env)
    os.makedirs(theirs["STATE_DIR"])
    os.chown(theirs["STATE_DIR"], 65534, 65534)
    same(command(theirs, "restore", file).returncode, 0, "root restores into the folder of somebody else")
    owners = {os.lstat(os.path.join(where, name)).st_uid for where, folders, names in os.walk(theirs["STATE_DIR"])
              for name in folders + names}
    same(owners, {65534}, "and all of it is his")


def write_fails(env, folder):
    got = run("sh", "-c", 'ulimit -f 1; trap "" XFSZ; exec "$0" backup "$1"', BINARY, f"{folder}/large", env=env)
    ok(got.returncode == 1 and "File too large" in got.stderr and not os.path.exists(f"{folder}/large"), "a write that fails is told")


def unreadable_rows(env, folder):
    """A row that was damaged before it was written: the backup is made, and says so."""
    bad = settings_below(f"{folder}/bad", env)
    shutil.copytree(env["STATE_DIR"], bad["STATE_DIR"])
    path = bad["STATE_DIR"] + "/store/data.mdb"
    with open(path, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(data.replace(b'"sid":"CA0000000', b'"sid":7CA0000000'))
    got = command(bad, "backup", f"{folder}/unreadable", "--json")
    report = json.loads(got.stdout or "{}")
    same(got.returncode, DAMAGED, "rows that cannot be read: a backup is made, with a status of its own")
    ok(report.get("wrong_rows", 0) > 0 and report["wrong"][0].startswith("calls CA0"), "and they are named")
    same(command(bad, "backup", "--verify", f"{folder}/unreadable").returncode, DAMAGED, "--verify finds them, too")
    got = command(settings_below(f"{folder}/worse", env), "restore", f"{folder}/unreadable")
    ok(got.returncode == 1 and "cannot be read" in got.stderr, "it is not restored")
    same(command(settings_below(f"{folder}/worse", env), "restore", "--force", f"{folder}/unreadable").returncode, DAMAGED, "but by force")


with tempfile.TemporaryDirectory() as scratch, Daemon() as d:
    print(f"# seed {SEED}")
    make_recordings(d.env["STATE_DIR"])
    os.makedirs(f"{scratch}/backups")
    backup, first, last, _ = snapshot(d, f"{scratch}/backups")
    names_in_it = in_tar(backup)
    same(len(names_in_it), 22, "tar reads it: a store, recordings, a manifest")
    ok(not any("part" in name or "secret" in name for name in names_in_it), "and neither what is not finished nor what is none of it")
    elsewhere = restored_elsewhere(d, scratch, backup, first, last)
    refusals(d, scratch, backup, elsewhere)
    flips(elsewhere, backup, scratch)
    kills(d, elsewhere, backup, scratch)
    keep(elsewhere, scratch)
    full_disk(elsewhere, scratch)
    write_fails(elsewhere, scratch)
    whose(elsewhere, backup, scratch)
    unreadable_rows(elsewhere, scratch)
done()
