"""guard.py - how each guard is tested: quiet on this tree, loud on a violation planted in a tree of its own"""

import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import TOP, run, same


def guard(tool, *args):
    found = run(sys.executable, os.path.join(TOP, "tools", tool), *args)
    return found.returncode, found.stdout + found.stderr


@contextlib.contextmanager
def planted(contents):
    """A temporary tree with these {path: text}."""
    with tempfile.TemporaryDirectory() as tree:
        for path, text in contents.items():
            os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
            with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
                file.write(text)
        yield tree


def finds(tool, contents, want, what, *before):
    """want: the lines that the tool prints about a tree of these contents; [] when it is to be quiet."""
    with planted(contents) as tree:
        same(guard(tool, *before, tree), (1 if want else 0, "".join(line + "\n" for line in want)), what)
