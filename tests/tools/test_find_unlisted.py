"""test_find_unlisted.py - every source is built and every test is run"""

from guard import finds, guard
from tap import TOP, done, same

same(guard("find_unlisted", TOP), (0, ""), "Makefile.am names every source and test of this tree")

FILES = {"src/a.c": "", "src/a.h": "", "tests/test_a.c": "", "tests/cli/test_b.py": "", "tests/fuzz/fuzz_a.c": "",
         "tests/tap.h": "", "tests/fuzz/replay.c": "", "doc/x.c": ""}
WHOLE = ("x_SOURCES = \\\n\tsrc/a.c \\\n\tsrc/a.h\n\ncheck_PROGRAMS = tests/test_a\n"
         "fuzz = \\\n\ttests/fuzz/fuzz_a\n\nscripts = tests/cli/test_b.py\nEXTRA_DIST = tests/tap.h\n")

finds("find_unlisted", {"Makefile.am": WHOLE, **FILES}, [], "a complete list")
finds("find_unlisted", {"Makefile.am": WHOLE.replace("src/a.c \\", "src/a.c"), **FILES},
      ["UNLISTED: src/a.h: Makefile.am does not name src/a.h"], "a list that lost a backslash")
finds("find_unlisted", {"Makefile.am": "# tests/test_a\n" + WHOLE.replace("check_PROGRAMS = tests/test_a", ""), **FILES},
      ["UNLISTED: tests/test_a.c: Makefile.am does not name tests/test_a"], "a test that nobody runs")
finds("find_unlisted", {"Makefile.am": WHOLE.replace("tests/cli/test_b.py", ""), **FILES},
      ["UNLISTED: tests/cli/test_b.py: Makefile.am does not name tests/cli/test_b.py"], "a script that nobody runs")
for path in ("man/a.8.in", "units/a.socket"):
    finds("find_unlisted", {"Makefile.am": WHOLE, **FILES, path: ""},
          [f"UNLISTED: {path}: Makefile.am does not name {path.removesuffix('.in')}"], f"{path}, which nobody installs")
THREADED = {**FILES, "tests/test_a.c": "#include <pthread.h>\n"}
finds("find_unlisted", {"Makefile.am": WHOLE + "thread_tests = tests/test_a\n", **THREADED}, [], "threads are watched")
finds("find_unlisted", {"Makefile.am": WHOLE, **THREADED},
      ["UNLISTED: tests/test_a.c: has threads, but thread_tests does not name tests/test_a"], "threads nobody watches")
finds("find_unlisted", {"Makefile.am": WHOLE + "again = src/a.c src/a.c\n", **FILES},
      ["LISTED TWICE: src/a.c in Makefile.am"], "a list that names a file twice")
finds("find_unlisted", {"Makefile.am": WHOLE + "fuzz = tests/fuzz/fuzz_a\n", **FILES},
      ["BEGUN TWICE: fuzz in Makefile.am"], "a list that is begun twice")

done()
