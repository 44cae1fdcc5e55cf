"""test_help.py - --help, the manual and completion know the same commands and options"""

import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import BINARY, BUILD, TOP, done, ok, run, same, skip

sys.path.insert(0, os.path.join(TOP, "tools"))
import manual

COMPLETION = os.path.join(TOP, "share/bash-completion/agentlocator")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def table():
    """The commands of main.c."""
    rows = re.search(r"commands\[\] = \{(.*?)^\};", read(os.path.join(TOP, "src/main.c")), re.S | re.M)
    return re.findall(r'\{ "(\w+)"', rows[1])


def every_command_explains_itself():
    names = [name for name, *_ in manual.commands(BINARY)]
    same(names, table(), "agentlocator --help names every command")
    helps = {name: run(BINARY, name, "--help") for name in names}
    same([name for name, got in helps.items() if got.returncode or got.stderr or
          not got.stdout.startswith(f"Usage: agentlocator {name}")], [], "each of them has a --help that begins with its usage")
    same([name for name in names if run(BINARY, name, "--planted").returncode != 2], [], "none takes an option that it does not know")
    wide = [line for got in helps.values() for line in got.stdout.splitlines() if len(line) > 120]
    same(wide, [], "no line of them is too wide")


def mandoc(*pages):
    got = run("mandoc", "-T", "lint", "-W", "warning", *pages)
    return got.stdout + got.stderr


def pages_agree():
    same(manual.disagreements(BINARY, TOP), [], "pages of a command's own know its options, and no others")
    made = os.path.join(BUILD, "man")
    pages = sorted(os.path.join(folder, name) for folder in (os.path.join(TOP, "man"), made) if os.path.isdir(folder)
                   for name in os.listdir(folder) if re.search(r"\.[1-8]$", name))
    if not shutil.which("mandoc"):
        skip("there is no mandoc (package mandoc): whether the pages of the manual are well formed")
        return
    same(mandoc(*pages), "", f"mandoc finds nothing to warn of in {len(pages)} pages")
    with tempfile.TemporaryDirectory() as folder:
        page = os.path.join(folder, "agentlocator-call.1")
        shutil.copy(os.path.join(TOP, "man/agentlocator-call.1"), page)
        with open(page, "a", encoding="utf-8") as out:
            out.write(".Planted\n.Fl Fl planted\n")
        ok("Planted" in mandoc(page), "a planted macro that does not exist is found")
        os.mkdir(os.path.join(folder, "man"))
        shutil.move(page, os.path.join(folder, "man"))
        same(manual.disagreements(BINARY, folder), ["agentlocator-call.1: --help does not know --planted"],
             "so is an option that does not")


def completed(*words):
    """What bash offers for the last of these words."""
    array = " ".join(f"'{word}'" for word in words)
    script = f". {COMPLETION}; COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _agentlocator; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    got = run("bash", "-c", script, cwd=TOP)
    return (got.stdout + got.stderr).split()


def bash_completes():
    if not shutil.which("bash"):
        skip("there is no bash: what it completes")
        return
    same(completed("agentlocator", "cal"), ["call", "calls"], "commands are completed")
    same(completed("agentlocator", "contacts", "un"), ["unmerge", "untag"], "so are verbs")
    same(completed("agentlocator", "serve", "--"), ["--env-file", "--help", "--listen"], "and options")
    same(completed("agentlocator", "calls", "--env-file", ".env.ex"), [".env.example"], "a file where one is wanted")
    same(completed("agentlocator", "calls", "--last", ""), [], "nothing where a number is")


every_command_explains_itself()
pages_agree()
bash_completes()
done()
