"""test_twilio_signature.py - random requests signed by us and by Twilio's own library"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from oracle.packages import install, node
from tap import BUILD, done, ok, skip

N = 3000
SEED = os.environ.get("ORACLE_SEED", "20260707")

problem = install()
if problem:
    skip(f"not compared with Twilio's library: {problem}")
    done()

lines = node("oracle/twilio_cases.js", SEED, str(N)).stdout
ours = subprocess.run([os.path.join(BUILD, "tests", "oracle", "sign")], input=lines, text=True, capture_output=True,
                      check=True, timeout=120).stdout.splitlines()
cases = [json.loads(line) for line in lines.splitlines()]
ok(len(cases) == len(ours) == N, f"{N} requests, seed {SEED}")
wrong = [(case, got) for case, got in zip(cases, ours) if case["signature"] != got]
ok(not wrong, "each is signed as Twilio's library signs it")
for case, got in wrong[:3]:
    print(f"# {got} for {json.dumps(case)}")
done()
