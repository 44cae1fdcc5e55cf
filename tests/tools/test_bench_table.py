"""test_bench_table.py - rows of benchmarks in, one table out"""

import json
import os
import sys

from guard import TOP, run
from tap import done, ok, same

ROWS = "ring push + pop\t9.417\tns\tgoal 20\nstore: durable commits, 512 waiting\t1.234e+05\t/s\t\nidle call\t0\tKiB\tall in\n"


def table(rows, *options):
    return run(sys.executable, os.path.join(TOP, "tools", "bench_table"), *options, input=rows)


same(table(ROWS).stdout.split("\n"),
     ["ring push + pop                         9.42 ns   goal 20",
      "store: durable commits, 512 waiting  123 400 /s",
      "idle call                                  0 KiB  all in",
      ""], "columns are aligned, figures can be read")
same(json.loads(table(ROWS, "--json").stdout)[1],
     {"what": "store: durable commits, 512 waiting", "figure": 123400.0, "unit": "/s", "remark": ""}, "JSON")
for rows, what in (("a\t1\tns\n", "a row with a cell too few"), ("a\tfast\tns\t\n", "a figure that is none"),
                   ("", "no rows at all")):
    refused = table(rows)
    ok(refused.returncode == 1 and refused.stderr.startswith("bench_table: "), what)

done()
