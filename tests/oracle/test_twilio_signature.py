"""test_twilio_signature.py - random requests signed, and let in or refused, by us and by Twilio's own library"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from oracle.packages import install, node
from tap import BUILD, done, ok, skip

N = 3000
SEED = os.environ.get("ORACLE_SEED", "20260707")


def ask(script, program, *args):
    """Each case the script makes, and what the program says of it."""
    lines = node(f"oracle/{script}", SEED, *args).stdout
    said = subprocess.run([os.path.join(BUILD, "tests", "oracle", program)], input=lines, text=True, capture_output=True,
                          check=True, timeout=120).stdout.splitlines()
    return list(zip([json.loads(line) for line in lines.splitlines()], said, strict=True))


problem = install()
if problem:
    skip(f"not compared with Twilio's library: {problem}")
    done()

cases = ask("twilio_cases.js", "sign", str(N))
ok(len(cases) == N, f"{N} requests, seed {SEED}")
wrong = [(case, got) for case, got in cases if case["signature"] != got]
ok(not wrong, "each is signed as Twilio's library signs it")
hosts = ask("twilio_hosts.js", "let_in")
n_good = sum(case["good"] for case, _ in hosts)
ok(n_good > 20 and len(hosts) - n_good > 20, f"of {len(hosts)} spellings of a host Twilio's library takes {n_good}")
differs = [(case, got) for case, got in hosts if case["good"] != (got == "yes")]
ok(not differs, "and so do we, of all letters and ports")
for case, got in (wrong + differs)[:3]:
    print(f"# {got} for {json.dumps(case)}")
done()
