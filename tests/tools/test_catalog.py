"""test_catalog.py - every event that has an id is explained in the catalogue, and the journal takes it"""

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tap import TOP, done, ok, run, same, skip  # noqa: E402

CATALOGUE = os.path.join(TOP, "share/catalog/agentlocator.catalog")
FIELDS = {"CALL_SID", "REQUEST_ID", "CONTACT_ID", "MESSAGE_SID", "ROUTE", "PROVIDER", "PEER", "STATUS", "DURATION_US"}


def text_of(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


events = dict(re.findall(r'^LOG_EVENT\((\w+), +"([0-9a-f]{32})"\)$', text_of("src/utils/log_events.def"), re.M))
entries = re.split(r"^-- ", text_of(CATALOGUE), flags=re.M)[1:]
explained = [re.match(r"[0-9a-f]{32}$", entry.split("\n", 1)[0]) and entry[:32] for entry in entries]
same(collections.Counter(events.values()), collections.Counter(explained), "the ids in the code and in the catalogue are the same")
ok(len(events) >= 10 and len(set(events.values())) == len(events), "each event has its own")
same([entry[:32] for entry in entries if not re.match(r".{32}\nSubject: \S.*\nDefined-By: AgentLocator\nDocumentation: \S+\n\n\S", entry)],
     [], "each has a subject and a text")
same(set(re.findall(r"@(\w+)@", text_of(CATALOGUE))) - FIELDS, set(), "and names only fields that there are")
sources = subprocess.run(["grep", "-rhoE", r"LOG_(%s)\b" % "|".join(events), os.path.join(TOP, "src"), "--include=*.c"],
                         capture_output=True, text=True, check=False).stdout.split()
same({f"LOG_{name}" for name in events} - set(sources), set(), "each is told somewhere")

if not shutil.which("journalctl"):
    skip("there is no journalctl: the catalogue was not compiled")
else:
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(f"{root}/usr/lib/systemd/catalog")
        os.makedirs(f"{root}/var/lib/systemd/catalog")
        shutil.copy(CATALOGUE, f"{root}/usr/lib/systemd/catalog")
        got = run("journalctl", f"--root={root}", "--update-catalog")
        same((got.returncode, got.stderr), (0, ""), "the journal takes it")
        listed = run("journalctl", f"--root={root}", "--list-catalog").stdout
        same(set(re.findall(r"^([0-9a-f]{32}) AgentLocator: ", listed, re.M)), set(events.values()), "all of it")
done()
