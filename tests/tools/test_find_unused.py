"""test_find_unused.py - every function is called by the program, every setting is read"""

import os

from guard import finds, guard, planted
from tap import BUILD, TOP, done, same, skip

REPORT = os.path.join(BUILD, "tests/tools/sections.txt")


def removed(*sections):
    return "".join(f"/usr/bin/ld: removing unused section '.{name}' in file 'libagentlocator.a(x.o)'\n" for name in sections)


with open(REPORT, encoding="utf-8") as report:
    understood = "removing unused section" in report.read()
if understood:
    same(guard("find_unused", REPORT, TOP), (0, ""), "this tree has no unused function and no unused setting")
else:
    skip("this linker does not say which sections it removes; unused functions are not looked for")

CODE = {
    "src/config.def": 'CONFIG( CHOICE, app_env,   "APP_ENV",  "a|b", 0, 0, "", "Kind.")\n'
                      'CONFIG( UINT,   ring_ms,   "RING_MS",  "400", 1, 2, "", "Audio.")\n'
                      'CONFIG( TEXT,   host,      "HOST",     NULL,  1, 2, "", "Name.")\n',
    "src/config.c": "static int rule(const struct config *config)\n{\n    return config->host;\n}\n\n"
                    "bool config_is_production(const struct config *config)\n{\n    return config->app_env;\n}\n",
    "src/x.h": "int dead(void);\nint inlined(void);\n",
    "src/x.c": "int dead(void)\n{\n    return callee();\n}\n\nint inlined(void)\n{\n    return 1;\n}\n\n"
               "int callee(void)\n{\n    return inlined() + config->ring_ms + kinds[0];\n}\n/* dead() */\n"
               "static const int kinds[] = { 1 };\nconst struct blueprint forgotten = BLUEPRINT(1);\n",
}
with planted({"report": removed("text.dead", "text.inlined", "text.callee.part.0", "text.unlikely.other",
                               "data.rel.ro.forgotten", "rodata.kinds", "rodata.str1.8", "rodata.cst16", "bss.limit_.3", "text")}) as folder:
    finds("find_unused", CODE,
          ["UNUSED FUNCTION: dead (x.o): the program never gets there; use it or delete it",
           "UNUSED TABLE: forgotten (x.o): the program never gets there; use it or delete it",
           "UNUSED FUNCTION: other (x.o): the program never gets there; use it or delete it",
           "UNUSED SETTING: HOST: no code reads host"],
          "a function without a caller, a table that nobody reads, a setting that only config.c looks at", os.path.join(folder, "report"))
with planted({"report": removed("text.inlined")}) as folder:
    finds("find_unused", {**CODE, "src/y.c": "int f(void)\n{\n    return config->host + dead();\n}\n"}, [],
          "what was inlined is in use", os.path.join(folder, "report"))
    finds("find_unused", {**CODE, "src/y.c": "int f(void)\n{\n    return config->host + dead();\n}\n",
                          "tools/find_unused.allowed": "# a comment\ninlined  it was not in use once\n"},
          ["STALE EXCEPTION: inlined: tools/find_unused.allowed need not allow it"], "so it needs no exception",
          os.path.join(folder, "report"))
with planted({"report": removed("text.dead", "data.rel.ro.forgotten")}) as folder:
    finds("find_unused", {**CODE, "src/y.c": "int f(void)\n{\n    return config->host;\n}\n",
                          "tools/find_unused.allowed": "dead  tests need it\nforgotten  for now\n"}, [],
          "an exception with its reason", os.path.join(folder, "report"))

done()
