"""packages.py - the vendors' own libraries, at the versions of package-lock.json, for tests that compare with them"""

import fcntl
import os
import shutil
import subprocess

from tap import BUILD, TOP

SOURCE = os.path.join(TOP, "tests", "oracle")
PLACE = os.path.join(BUILD, "tests", "oracle", "npm")
PATIENCE = 180  # seconds


def _same(source, place, name):
    there = os.path.join(place, name)
    with open(os.path.join(source, name), "rb") as want:
        return os.path.exists(there) and open(there, "rb").read() == want.read()


def install(source=SOURCE, place=PLACE):
    """Returns what went wrong, or None; once, however many tests ask at the same time."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "there is no npm"
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _same(source, place, "package-lock.json") and os.path.exists(os.path.join(place, "done")):
            return None
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(os.path.join(source, name), os.path.join(place, name))
        try:
            got = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place, text=True,
                                 capture_output=True, check=False, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return f"npm ci took over {PATIENCE} s"
        if got.returncode:
            return "npm ci failed: " + (got.stderr.strip().splitlines() or ["no reason given"])[-1]
        with open(os.path.join(place, "done"), "w", encoding="ascii"):
            return None


def node(script, *args, **kwargs):
    """Runs a script of tests/ with the packages at hand."""
    return subprocess.run(["node", os.path.join(TOP, "tests", script), *args], text=True, capture_output=True, check=False,
                          timeout=PATIENCE, env={**os.environ, "NODE_PATH": os.path.join(PLACE, "node_modules")}, **kwargs)
