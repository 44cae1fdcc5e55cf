"""test_find_stale.py - committed documentation is what the program makes today"""

import os
import shutil
import tempfile

from guard import guard
from tap import BINARY, TOP, done, same

ENV, MAN, README = ".env.example", "man/agentlocator.env.5", "README.md"


def stale(*paths):
    return 1 if paths else 0, "".join(f"STALE: {path}: run `make update-docs`\n" for path in paths)


same(guard("find_stale", BINARY, TOP), stale(), "settings, routes and kinds of events are documented as they are")

with tempfile.TemporaryDirectory() as tree:
    readme = os.path.join(tree, README)
    os.mkdir(os.path.join(tree, "man"))
    for path in (ENV, MAN, README):
        shutil.copy(os.path.join(TOP, path), os.path.join(tree, path))
    same(guard("find_stale", BINARY, tree), stale(), "so they are in another place")

    with open(os.path.join(tree, ENV), "a", encoding="utf-8") as out:
        out.write("#PLANTED=\n")
    same(guard("find_stale", BINARY, tree), stale(ENV), "a planted setting is found")
    os.unlink(os.path.join(tree, MAN))
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    with open(readme, "w", encoding="utf-8") as out:
        out.write(text.replace("/health", "/planted"))
    same(guard("find_stale", BINARY, tree), stale(ENV, MAN, README), "so are a missing page and a planted route")
    same(guard("find_stale", "--update", BINARY, tree), (0, f"updated {ENV}\nupdated {MAN}\nupdated {README}\n"),
         "all can be mended")
    same(guard("find_stale", BINARY, tree), stale(), "and are mended then")

    with open(readme, "w", encoding="utf-8") as out:
        out.write(text.replace("<!-- end -->", ""))
    same(guard("find_stale", BINARY, tree),
         (1, "".join(f"STALE: {README}: the lines are gone between which `agentlocator {command}` belongs\n"
                     for command in ("routes", "events --kinds"))),
         "a README without its tables is found")

done()
