"""test_find_stale.py - committed documentation is what config.def makes today"""

import os
import shutil
import tempfile

from guard import guard
from tap import BINARY, TOP, done, same

ENV, MAN = ".env.example", "man/agentlocator.env.5"


def find(tree):
    return guard("find_stale", BINARY, tree)


same(find(TOP), (0, ""), ".env.example and agentlocator.env(5) are up to date")

with tempfile.TemporaryDirectory() as tree:
    os.mkdir(os.path.join(tree, "man"))
    for path in (ENV, MAN):
        shutil.copy(os.path.join(TOP, path), os.path.join(tree, path))
    same(find(tree), (0, ""), "so they are in another place")

    with open(os.path.join(tree, ENV), "a", encoding="utf-8") as out:
        out.write("#PLANTED=\n")
    same(find(tree), (1, f"STALE: {ENV}: run `make update-docs`\n"), "a planted line is found")
    os.unlink(os.path.join(tree, MAN))
    same(find(tree), (1, f"STALE: {ENV}: run `make update-docs`\nSTALE: {MAN}: run `make update-docs`\n"),
         "a missing file is found")

done()
