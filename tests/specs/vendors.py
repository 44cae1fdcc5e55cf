"""vendors.py - recorded requests held to the vendors' own documents, where these and npm are at hand"""

import json
import os

from oracle.packages import install, node
from tap import TOP

FOLDER = os.path.join(os.environ.get("AGENTLOCATOR_SHARED") or os.path.join(TOP, "..", "shared"), "specs")
FILES = ("openai_subset_fixed.json", "google_tts_openapi.json", "twilio_strict.json")


def missing():
    """What is not here, though the validation needs it; None when all is."""
    for name in FILES:
        if not os.path.exists(os.path.join(FOLDER, name)):
            return f"{os.path.join(FOLDER, name)} is not there"
    return install()


def judge(records):
    """{n, vendor, path, problems} of each: problems [] it passed, None no document speaks of it."""
    lines = "".join(json.dumps(record) + "\n" for record in records)
    got = node("specs/validate.js", FOLDER, input=lines)
    if got.returncode:
        raise RuntimeError(got.stderr)
    return [json.loads(line) for line in got.stdout.splitlines()]


def counted(judged):
    """How many passed, in words."""
    names = {"openai": "OpenAI", "google": "Google", "twilio": "Twilio"}
    good = [row for row in judged if row["problems"] == []]
    each = ", ".join(f'{name} {sum(row["vendor"] == vendor for row in good)}' for vendor, name in names.items())
    return f"{len(good)} requests of ours passed: {each}"
