"""test_find_dupes.py - no file is there twice, by content or by name"""

from guard import finds, guard
from tap import TOP, done, same

REMEDY = "say what is in it, or delete it; git remembers"

same(guard("find_dupes", TOP), (0, ""), "this tree has no duplicate and no suspicious name")

finds("find_dupes", {"a.c": "int a;\n", "b/c.c": "int a;\n", "d.c": "int d;\n"},
      ["DUPLICATE FILE: a.c, b/c.c: keep one"], "equal content")
finds("find_dupes", {"a": "", "b": "", "c": "\n"}, [], "empty files are no duplicates")
for path, word in (("src/db_old.c", "old"), ("Copy of db.c", "copy"), ("db.c.bak", "bak"), ("db (1).c", "(1)"),
                   ("db(12).c", "(12)"), ("new/db.c", "new"), ("db-clean.h", "clean"), ("dbBackup.c", "backup")):
    finds("find_dupes", {path: "x"}, [f"SUSPICIOUS NAME: {path} ({word}): {REMEDY}"], f"{path} is suspicious")
finds("find_dupes", {"src/copyright.c": "1", "NEWS": "2", "src/renew.c": "3", "src/hold.c": "4", "man/a(b).5": "5"}, [],
      "parts of words are not")
finds("find_dupes", {"units/agentlocator-backup.timer": "1"}, [], "nor is what is installed for the command backup")

done()
