"""test_twilio_signature.py - random requests signed by us and by Twilio's own library"""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import BUILD, TOP, done, ok, skip

N = 3000
SEED = os.environ.get("ORACLE_SEED", "20260707")
SOURCE = os.path.join(TOP, "tests", "oracle")
PLACE = os.path.join(BUILD, "tests", "oracle", "npm")
FILES = ("package.json", "package-lock.json", "twilio_cases.js")


def stale(name):
    there = os.path.join(PLACE, name)
    with open(os.path.join(SOURCE, name), "rb") as want:
        return not os.path.exists(there) or open(there, "rb").read() != want.read()


def install():
    """The library at the versions of package-lock.json. Returns what went wrong, or None."""
    if not shutil.which("npm") or not shutil.which("node"):
        return "there is no npm"
    os.makedirs(PLACE, exist_ok=True)
    fresh = not stale("package-lock.json") and os.path.exists(os.path.join(PLACE, "node_modules", "twilio"))
    for name in FILES:
        shutil.copyfile(os.path.join(SOURCE, name), os.path.join(PLACE, name))
    if fresh:
        return None
    try:
        got = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PLACE, text=True,
                             capture_output=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        return "npm ci took over 120 s"
    if got.returncode:
        return "npm ci failed: " + (got.stderr.strip().splitlines() or ["no reason given"])[0]
    return None


problem = install()
if problem:
    skip(f"not compared with Twilio's library: {problem}")
    done()

lines = subprocess.run(["node", "twilio_cases.js", SEED, str(N)], cwd=PLACE, text=True, capture_output=True,
                       check=True, timeout=120).stdout
ours = subprocess.run([os.path.join(BUILD, "tests", "oracle", "sign")], input=lines, text=True, capture_output=True,
                      check=True, timeout=120).stdout.splitlines()
cases = [json.loads(line) for line in lines.splitlines()]
ok(len(cases) == len(ours) == N, f"{N} requests, seed {SEED}")
wrong = [(case, got) for case, got in zip(cases, ours) if case["signature"] != got]
ok(not wrong, "each is signed as Twilio's library signs it")
for case, got in wrong[:3]:
    print(f"# {got} for {json.dumps(case)}")
done()
