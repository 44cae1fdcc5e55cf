"""tree.py - what the guards look at: the files of a tree, C without its comments"""

import os
import re
import subprocess

MADE_FOLDERS = {".deps", ".git", "_inst", "autom4te.cache", "build", "build-aux", "node_modules", "__pycache__"}
MADE_FILES = (".a", ".dirstamp", ".log", ".o", ".Po", ".tmp", ".trs")


def files(tree):
    """The tracked files, or all but what a build makes where there is no git. Sorted, relative."""
    if os.path.exists(os.path.join(tree, ".git")):
        git = ["git", "-c", "safe.directory=*", "-C", tree, "ls-files", "-z"]
        try:
            names = subprocess.run(git, capture_output=True, check=True, text=True).stdout.split("\0")
            return sorted(name for name in names if name and os.path.isfile(os.path.join(tree, name)))
        except (OSError, subprocess.CalledProcessError):
            pass
    found = []
    for folder, below, names in os.walk(tree):
        if folder != tree and "config.status" in names:
            below[:] = []
            continue
        below[:] = [name for name in below if name not in MADE_FOLDERS]
        found += [os.path.relpath(os.path.join(folder, name), tree) for name in names if not name.endswith(MADE_FILES)]
    return sorted(found)


def read(tree, path):
    with open(os.path.join(tree, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_c(path):
    return path.startswith("src/") and path.endswith((".c", ".h"))


def without_comments(text):
    """The same text with comments blanked; strings stay, line numbers too."""
    pattern = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/'

    def blank(match):
        found = match.group()
        return re.sub(r"[^\n]", " ", found) if found.startswith("/") else found

    return re.sub(pattern, blank, text, flags=re.S)


def without_strings(text):
    """C without comments and without what is inside strings."""
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', without_comments(text))
