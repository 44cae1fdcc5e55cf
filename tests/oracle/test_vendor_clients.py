"""test_vendor_clients.py - the vendors' own clients find in the stand-ins what they find in the real clouds"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from oracle.packages import install, node
from standins.clouds import KEY, Clouds, missing
from tap import done, ok, skip

RULES = [
    {"role": "tool", "say": "Thank you, Anna. שלום."},
    {"if": "my name is", "say": "One moment.", "tools": [{"name": "save_contact", "arguments": {"name": "Anna"}}]},
]

problem = missing() or install()
if problem:
    skip(f"the stand-ins were not compared with the vendors' clients: {problem}")
    done()

with Clouds(openai={"rules": RULES}) as clouds:
    twilio = clouds.state()["twilio"]["settings"]
    facts = {**clouds.facts, "key": KEY, "twilio_account": [twilio["account_sid"], twilio["auth_token"]]}
    got = node("oracle/vendor_clients.js", json.dumps(facts))
checks = [json.loads(line) for line in got.stdout.splitlines()]
ok(checks and not got.returncode, "the clients ran")
for good, what in checks:
    ok(good, what)
if got.stderr:
    print("# " + got.stderr.replace("\n", "\n# "))
done()
