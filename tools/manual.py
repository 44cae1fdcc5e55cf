"""manual.py - what every command says with --help, as the chapter COMMANDS of agentlocator(8) and as completion for bash

A help is paragraphs and rows. A row begins with two blanks; what it is about and what it says are two blanks apart or
more, and what is indented further belongs to the row before. Everything is made from that, so that neither can tell of
an option that a command does not know.
"""

import glob
import os
import re
import subprocess

ROW = re.compile(r" {2}(\S.*?)(?: {2,}(.*))?$")
OPTION = re.compile(r"--[a-z][a-z-]*")


def said(binary, *args):
    return subprocess.run([binary, *args], capture_output=True, check=True, text=True).stdout


def commands(binary):
    """[(name, summary, help)]"""
    rows = [ROW.match(line) for line in said(binary, "--help").splitlines()]
    return [(row[1], row[2], said(binary, row[1], "--help")) for row in rows if row]


def blocks(text):
    """("usage", line), ("text", paragraph), ("row", about, says), in order."""
    found, open_row = [], False
    for line in text.splitlines():
        row = ROW.match(line) if not line.startswith("   ") else None
        usage = re.match(r"(?:Usage:|      ) (agentlocator .*)", line)
        if usage:
            found.append(["usage", usage[1]])
        elif row:
            found.append(["row", row[1], row[2] or ""])
        elif line.startswith("   ") and open_row:
            found[-1][2] = (found[-1][2] + " " + line.strip()).strip()
        elif line and found and found[-1][0] == "text" and not closed:
            found[-1][1] += " " + line.strip()
        elif line:
            found.append(["text", line.strip()])
        open_row, closed = found[-1][0] == "row", not line
    return found


# --- the chapter

def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def item(about):
    """What a row is about: options are flags, words that begin with a capital arguments, the rest is typed as it is."""
    words = []
    for word in re.findall(r"[\[\]|]|[^\s\[\]|]+", about):
        option = OPTION.match(word)
        words.append(f"Fl Fl {option[0][2:]}{' ,' if word.endswith(',') else ''}" if option else
                     "Ar " + word if word[0].isupper() else "No " + escaped(word))
    return " ".join(words)


def sentences(text):
    """One a line, as mdoc wants it, each as the words of a text."""
    return [escaped(line) for line in re.split(r"(?<=[.;]) (?=[A-Z])", text) if line]


def chapter(binary, tree):
    """mdoc"""
    lines = []
    for name, summary, text in commands(binary):
        lines.append(f".Ss {name}")
        own = page_of(tree, name)
        if own:
            title, section = own.removesuffix(".in").rsplit(".", 1)
            lines += [*sentences(summary + "."), "See", f".Xr {title} {section} ."]
            continue
        rows = False
        for kind, *words in blocks(text):
            if rows and kind != "row":
                lines.append(".El")
                rows = False
            if kind == "usage":
                lines.append(".D1 " + escaped(words[0]))
            elif kind == "text":
                lines += [".Pp", *sentences(words[0])]
            else:
                if not rows:
                    lines += [".Pp", ".Bl -tag -width Ds -compact"]
                rows = True
                lines += [".It " + item(words[0]), *sentences(words[1])]
        if rows:
            lines.append(".El")
    return "".join(line + "\n" for line in lines)


# --- pages of their own

def pages(tree):
    """{file name: (commands it is about, options it names)}"""
    found = {}
    for path in sorted(glob.glob(os.path.join(tree, "man", "agentlocator-*.[18]"))):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        about = re.findall(r"^\.Nm agentlocator (\w+)$", text, re.M)
        options = {"--" + word.replace("\\", "") for word in re.findall(r"\bFl Fl ([a-z\\-]+)", text)}
        found[os.path.basename(path)] = (sorted(set(about)), options)
    return found


def page_of(tree, name):
    return next((page for page, (about, _) in pages(tree).items() if name in about), None)


def disagreements(binary, tree):
    """What pages and --help do not agree on, a line each."""
    known, found = {name: set(OPTION.findall(text)) for name, _, text in commands(binary)}, []
    for page, (about, options) in pages(tree).items():
        missing = set().union(*(known[name] for name in about if name in known)) - options - {"--help"}
        extra = options - set().union(*(known.get(name, set()) for name in about))
        found += [f"{page}: no such command: {name}" for name in about if name not in known]
        found += [f"{page}: says nothing of {option}" for option in sorted(missing)]
        found += [f"{page}: --help does not know {option}" for option in sorted(extra)]
    return found


# --- completion

SCRIPT = """\
# agentlocator: completion for bash; made from what every command says with --help, `make update-docs` does that

_agentlocator()
{
    local command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words= files= values=

    COMPREPLY=()
    if [ "$COMP_CWORD" -lt 2 ]; then
        mapfile -t COMPREPLY < <(compgen -W '%(names)s --help' -- "$word")
        return
    fi
    # words: what may be typed; files: options that take a path; values: options that take something else
    case $command in
%(arms)s
    esac
    case " $files " in
    *" $before "*)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    esac
    case " $values " in
    *" $before "*) return ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    if [ "${#COMPREPLY[@]}" = 0 ] && [ "${word:0:1}" != - ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -F _agentlocator agentlocator
"""


def completion(binary):
    arms = []
    every = commands(binary)
    for name, _, text in every:
        abouts = [words[0] for kind, *words in blocks(text) if kind == "row"]
        verbs = [about.split()[0] for about in abouts if re.match(r"[a-z]+\b(?!-)", about)]
        options = sorted(set(OPTION.findall(text)) | {"--help"})
        taking = [(option, re.search(re.escape(option) + r"(?:, --[a-z-]+)* ([A-Z]\S*)", text)) for option in options]
        files = [option for option, found in taking if found and re.match(r"(FILE|FOLDER|NAME=/PATH)", found[1])]
        values = [option for option, found in taking if found and option not in files]
        arms.append(f"    {name})\n        words='{' '.join(dict.fromkeys(verbs + options))}'\n"
                    f"        files='{' '.join(files)}'\n        values='{' '.join(values)}'\n        ;;")
    return SCRIPT % {"names": " ".join(name for name, *_ in every), "arms": "\n".join(arms)}
