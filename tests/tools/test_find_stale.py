"""test_find_stale.py - committed documentation is what the program makes today"""

import os
import shutil
import tempfile

from guard import guard
from tap import BINARY, TOP, done, same

ENV, MAN, COMPLETION, README, PAGE = (".env.example", "man/agentlocator.env.5", "share/bash-completion/agentlocator", "README.md",
                                      "man/agentlocator.8")


def stale(*paths):
    return 1 if paths else 0, "".join(f"STALE: {path}: run `make update-docs`\n" for path in paths)


same(guard("find_stale", BINARY, TOP), stale(), "settings, routes and kinds of events are documented as they are")

with tempfile.TemporaryDirectory() as tree:
    readme = os.path.join(tree, README)
    shutil.copytree(os.path.join(TOP, "man"), os.path.join(tree, "man"))
    shutil.copytree(os.path.join(TOP, "share"), os.path.join(tree, "share"))
    for path in (ENV, README):
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
    for path in (COMPLETION, PAGE):
        with open(os.path.join(tree, path), encoding="utf-8") as file:
            words = file.read()
        with open(os.path.join(tree, path), "w", encoding="utf-8") as out:
            out.write(words.replace("follow", "planted"))
    every = (ENV, MAN, COMPLETION, README, PAGE)
    same(guard("find_stale", BINARY, tree), stale(*every), "so are a missing page, a planted route and planted options")
    same(guard("find_stale", "--update", BINARY, tree), (0, "".join(f"updated {path}\n" for path in every)), "all can be mended")
    same(guard("find_stale", BINARY, tree), stale(), "and are mended then")

    with open(readme, "w", encoding="utf-8") as out:
        out.write(text.replace("<!-- end -->", ""))
    same(guard("find_stale", BINARY, tree),
         (1, "".join(f"STALE: {README}: the lines are gone between which `agentlocator {command}` belongs\n"
                     for command in ("routes", "events --kinds"))),
         "a README without its tables is found")

done()
