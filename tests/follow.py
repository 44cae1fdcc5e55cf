"""follow.py - the lines of `agentlocator call` as they come, and between them what the server keeps of that call

usage: agentlocator call ... 2>&1 | follow.py PROGRAM
"""

import json
import os
import re
import select
import subprocess
import sys

POLL_SECONDS = 0.25


def describe(turn):
    if turn["who"] == "agent":
        return f'said "{turn["text"]}"' + (" and was interrupted" if turn["interrupted"] else "")
    if turn["keyed"]:
        return f'took the keys {turn["text"]}'
    if not turn["text"]:
        return "keeps the sound of the answer; nobody here transcribes free speech"
    return f'understood "{turn["text"]}", {turn["confidence"]:.0%} sure'


def kept(program, sid):
    shown = subprocess.run([program, "calls", sid, "--json"], text=True, capture_output=True, check=False)
    return json.loads(shown.stdout)["turns"] if shown.returncode == 0 else []


def main(program):
    sid, n_told, rest = None, 0, ""
    while True:
        data = None
        if select.select([0], [], [], POLL_SECONDS)[0]:
            data = os.read(0, 65536).decode()
            *lines, rest = (rest + data).split("\n")
            for line in lines:
                print(line, flush=True)
                if match := re.search(r"calls +(CA[0-9a-f]{32})", line):
                    sid, n_told = match.group(1), 0
        turns = kept(program, sid) if sid else []
        for turn in turns[n_told:]:
            print(f'{"":10}server  {describe(turn)}', flush=True)
        n_told = len(turns)
        if data == "":
            return


main(sys.argv[1])
