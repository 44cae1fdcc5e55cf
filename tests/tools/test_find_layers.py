"""test_find_layers.py - nothing points up, libraries stay at home, one reader of the environment"""

from guard import finds, guard
from tap import TOP, done, same

same(guard("find_layers", TOP), (0, ""), "this tree keeps its layers")

ROWS = [
    ("src/utils/a.c", '#include "utils/b.h"\n#include <stdio.h>\n', None),
    ("src/utils/a.h", '#include "services/stt.h"\n', 'INCLUDE: {}:1: "services/stt.h": utils may not know services'),
    ("src/utils/a.c", '\n#  include "config.h"\n', 'INCLUDE: {}:2: "config.h": utils may not know config'),
    ("src/db.c", '#include "http.h"\n', 'INCLUDE: {}:1: "http.h": db may not know http'),
    ("src/server.c", '#include "services/crm.h"\n', 'INCLUDE: {}:1: "services/crm.h": listener may not know services'),
    ("src/services/a.c", '#include "routes/health.h"\n',
     'INCLUDE: {}:1: "routes/health.h": services may not know routes'),
    ("src/services/a.c", '#include "a.h"\n',
     'INCLUDE: {}:1: "a.h" is on no floor that find_layers knows; write it as seen from src/'),
    ("src/other/a.c", '#include "utils/log.h"\n',
     "INCLUDE: {}:1: the file is on no floor that find_layers knows; add it there"),
    ("src/routes/a.c", '/*\n#include "main.h"\n*/\n', None),
    ("src/routes/a.c", "#include <h2o.h>\n", 
     r"INCLUDE: {}:1: <h2o.h> has its home in src/(server_internal\.h|(server|connection|websocket)\.c)"),
    ("src/routes/a.c", '#include "server_internal.h"\n', 'INCLUDE: {}:1: "server_internal.h" belongs to listener alone'),
    ("src/routes/a.c", '#include "websocket.h"\n', None),
    ("src/services/crm.c", "#include <lmdb.h>\n", r"INCLUDE: {}:1: <lmdb.h> has its home in src/db\.c"),
    ("src/db.c", "#include <lmdb.h>\n", None),
    ("src/utils/log.c", "#include <systemd/sd-journal.h>\n", None),
    ("src/services/crm.c", "#include <curl/curl.h>\n",
     r"INCLUDE: {}:1: <curl/curl.h> has its home in src/services/http_client\.c"),
    ("src/app.c", 'int x;\nchar *p = getenv("HOME");\n', "GETENV: {}:2: only src/config.c reads the environment"),
    ("src/app.c", 'char *p = secure_getenv("HOME");\n', "GETENV: {}:1: only src/config.c reads the environment"),
    ("src/app.c", '// getenv("HOME")\nchar *p = "getenv";\n', None),
    ("src/config.c", 'char *p = getenv("HOME");\n', None),
    ("tests/a.c", 'char *p = getenv("HOME");\n', None),
]

for path, text, want in ROWS:
    finds("find_layers", {path: text}, [want.format(path)] if want else [], f"{path}: {text.strip()!r}")

done()
