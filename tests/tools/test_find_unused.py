"""test_find_unused.py - every function is called by the program, every setting is read"""

import os

from guard import finds, guard, planted
from tap import BUILD, TOP, done, same, skip

REPORT = os.path.join(BUILD, "tests/tools/sections.txt")


def removed(*names):
    return "".join(f"/usr/bin/ld: removing unused section '.text.{name}' in file 'libagentlocator.a(x.o)'\n" for name in names)


with open(REPORT, encoding="utf-8") as report:
    understood = "removing unused section" in report.read()
if understood:
    same(guard("find_unused", REPORT, TOP), (0, ""), "this tree has no unused function and no unused setting")
else:
    skip("this linker does not say which sections it removes; unused functions are not looked for")

CODE = {
    "src/config.def": 'CONFIG( UINT,   ring_ms,   "RING_MS",  "400", 1, 2, "", "Audio.")\n'
                      'CONFIG( TEXT,   host,      "HOST",     NULL,  1, 2, "", "Name.")\n',
    "src/config.c": "int rule(const struct config *config)\n{\n    return config->host;\n}\n",
    "src/x.h": "int dead(void);\nint inlined(void);\n",
    "src/x.c": "int dead(void)\n{\n    return callee();\n}\n\nint inlined(void)\n{\n    return 1;\n}\n\n"
               "int callee(void)\n{\n    return inlined() + config->ring_ms;\n}\n/* dead() */\n",
}
with planted({"report": removed("dead", "inlined", "callee.part.0", "unlikely.other")}) as folder:
    finds("find_unused", CODE,
          ["UNUSED FUNCTION: dead (x.o): the program never calls it; delete it",
           "UNUSED FUNCTION: other (x.o): the program never calls it; delete it",
           "UNUSED SETTING: HOST: no code reads host"],
          "a function without a caller, a setting that only config.c looks at", os.path.join(folder, "report"))
with planted({"report": removed("inlined")}) as folder:
    finds("find_unused", {**CODE, "src/y.c": "int f(void)\n{\n    return config->host + dead();\n}\n"}, [],
          "what was inlined is in use", os.path.join(folder, "report"))

done()
