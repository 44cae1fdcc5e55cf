"""tap.py - the Test Anything Protocol for tests in Python, and where things are"""

import os
import subprocess
import sys

TOP = os.environ.get("top_srcdir") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("top_builddir") or os.path.join(TOP, "build")
BINARY = os.path.join(BUILD, "agentlocator")

_n = 0
_failed = 0


def ok(condition, what):
    global _n, _failed
    _n += 1
    _failed += not condition
    print(f"{'' if condition else 'not '}ok {_n} - {what}", flush=True)
    return bool(condition)


def same(got, want, what):
    if not ok(got == want, what):
        for name, value in (("got ", got), ("want", want)):
            print(f"# {name} " + repr(value))


def skip(reason):
    """Says aloud what is not shown, and why; counted as a skip, never as a pass."""
    global _n
    _n += 1
    print(f"ok {_n} # SKIP {reason}", flush=True)


def done():
    """The last line of a test: prints the plan and exits."""
    print(f"1..{_n}")
    sys.exit(1 if _failed or not _n else 0)


def run(*args, env=None, **kwargs):
    """Runs a program with nothing in its environment but env and a PATH."""
    environment = {"PATH": os.environ["PATH"], **(env or {})}
    return subprocess.run(args, env=environment, text=True, capture_output=True, check=False, **kwargs)
