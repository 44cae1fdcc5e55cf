"""test_import.py - the real program: what is exported is imported again, line for line; tables of all sorts; with and without a daemon; kill -9"""

import csv
import io
import json
import os
import random
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap
from daemon import Daemon, ask
from tap import ok, same

TOKEN = "a-token-of-sixteen"
SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))
WORDS = ("Dana", "Levi", "שלום", "=1+1", "+972", "'quoted'", 'a "b" c', "x,y;z", "two\nlines", "Renée", "-5", "@sum")


class Store:
    """One without a daemon."""

    def __init__(self, scratch, name, **env):
        self.scratch = scratch
        self.env = {"PATH": os.environ["PATH"], "APP_ENV": "development", "STATE_DIR": f"{scratch}/{name}", "CACHE_DIR": f"{scratch}/cache",
                    "DATABASE_URL": f"lmdb://{scratch}/{name}/store", "ADMIN_SOCKET": f"{scratch}/{name}/none.sock", **env}
        self.env.update({key: os.environ[key] for key in os.environ if key.endswith("SAN_OPTIONS")})
        os.makedirs(f"{scratch}/{name}")

    def run(self, *args, text=None):
        return subprocess.run([tap.BINARY, *args], env=self.env, input=text, capture_output=True, check=False,
                              encoding=None if isinstance(text, bytes) else "utf-8")

    def import_(self, text, *args):
        path = os.path.join(self.scratch, "in.csv")
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        done = self.run("import", path, "--json", *args)
        if not done.stdout:
            return done.returncode, None, done.stderr
        return done.returncode, json.loads(done.stdout), done.stderr

    def lines(self, *args):
        return self.run("export", *args).stdout.splitlines()

    def contacts(self):
        return {c["addresses"][0]: c for c in json.loads(self.run("contacts", "--json", "--last", "100000").stdout)}


def counts(report):
    return tuple(report[name] for name in ("new", "updated", "merged", "unchanged", "refused"))


def live(daemon, dice):
    """Whatever fills a store: calls, messages, merges, fields, notes, tasks."""
    account = daemon.env["TWILIO_ACCOUNT_SID"]
    ids = []
    for i in range(6):
        number = f"+97250123450{i}"
        sid = f"CA{i:032d}"
        daemon.post("/webhook/incoming_call", CallSid=sid, From=number, To="+97235555555", AccountSid=account, CallStatus="ringing", Direction="inbound")
        daemon.post("/webhook/call_status", CallSid=sid, From=number, To="+97235555555", AccountSid=account, CallStatus="completed", SequenceNumber="3")
        daemon.post("/webhook/whatsapp/incoming", MessageSid=f"SM{i}", From=f"whatsapp:{number}", Body=dice.choice(WORDS), ProfileName="Dana")
        ids.append(ask(daemon, "GET", f"/api/crm/contacts?q={number[1:]}", token=TOKEN)[1]["contacts"][0]["id"])
    for _ in range(40):
        who = dice.choice(ids)
        ask(daemon, *dice.choice((
            ("POST", "/api/crm/notes", {"contact_id": who, "text": dice.choice(WORDS)}),
            ("POST", "/api/crm/tasks", {"contact_id": who, "text": dice.choice(WORDS), "due_ms": dice.randrange(1, 1 << 41)}),
            ("PATCH", f"/api/crm/contacts/{who}", {"fields": {dice.choice(("street", "need", "x y")): dice.choice(WORDS)}, "name": dice.choice(WORDS).replace("\n", " ")}),
            ("PATCH", f"/api/crm/contacts/{who}", {"tags": {dice.choice(("vip", "a b")): dice.random() < 0.7}}),
            ("POST", "/api/crm/merge", {"into": who, "from": dice.choice(ids)}),
            ("POST", "/api/crm/unmerge", {"id": who}),
            ("POST", "/api/crm/map", {"lid": f"{dice.randrange(5)}77@lid", "number": f"+97250123450{dice.randrange(9)}"}),
        )), TOKEN)
    for task in ask(daemon, "GET", "/api/crm/tasks?limit=3", token=TOKEN)[1]["tasks"]:
        ask(daemon, "PATCH", f"/api/crm/tasks/{task['id']}", {"state": "done"}, TOKEN)
    return ids


def test_round_trip(scratch):
    dice = random.Random(SEED)
    with Daemon(API_TOKEN=TOKEN, API_PER_MINUTE="100000", API_BURST="1000") as daemon:
        daemon.env["ADMIN_SOCKET"] = daemon.admin
        ids = live(daemon, dice)
        beside = Store(scratch, "beside")
        beside.env.update(daemon.env)
        lines = beside.lines()
        kinds = {json.loads(line)["kind"] for line in lines}
        ok({"contact", "call", "message", "note", "task"} <= kinds, f"a store is exported beside the daemon: {len(lines)} lines, {sorted(kinds)}")
        ok(all(json.loads(line)["format"] == 1 for line in lines), "each with its format")
        pages, after = [], ""
        while True:
            status, page, _ = ask(daemon, "GET", f"/api/crm/export?limit=7{after}", token=TOKEN)
            pages += page["lines"]
            if status != 200 or "next" not in page:
                break
            after = f"&after={page['next']}"
        same([json.dumps(line) for line in pages], [json.dumps(json.loads(line)) for line in lines], "the API has the same, page by page")
        his = beside.lines("--contact", "050-1234500")
        same([json.dumps(line) for line in ask(daemon, "GET", f"/api/crm/export?contact={ids[0]}", token=TOKEN)[1]["lines"]],
             [json.dumps(json.loads(line)) for line in his], "and all of one person, whose lines the command has by number")
        ok(set(his) < set(lines), "they are some of all")
        path = os.path.join(scratch, "all.jsonl")
        same((beside.run("export", path).returncode, stat.S_IMODE(os.stat(path).st_mode), sorted(name for name in os.listdir(scratch) if name.startswith("all"))),
             (0, 0o600, ["all.jsonl"]), "to a file that only its owner reads, and nothing beside it")
        same(ask(daemon, "GET", "/api/crm/export?after=9.zz", token=TOKEN)[0], 422, "a cursor that is none is refused")
        same(beside.run("export", "--contact", "0509999999").returncode, 1, "so is somebody who is not there")
        same(beside.run("export", "--kind", "cat").returncode, 2, "and a kind")
        same({json.loads(line)["kind"] for line in beside.lines("--kind", "note,task")}, {"note", "task"}, "kinds are chosen")
        same(beside.lines("--since", "2100-01-01T00:00", "--kind", "contact,call,message,note,task,turn"), [], "as are times")

        other = Store(scratch, "other")
        status, report, err = other.import_("\n".join(lines) + "\n")
        same((status, counts(report)), (0, (len(lines), 0, 0, 0, 0)), f"it is imported into an empty store: {err} {report['lines'][:3]}")
        same(other.lines(), lines, "which has the same lines then")
        dice.shuffle(lines)
        rank = {"contact": 0, "call": 1}
        third = Store(scratch, "third")
        report = third.import_("\n".join(sorted(lines, key=lambda line: rank.get(json.loads(line)["kind"], 2))))[1]
        same((report["refused"], third.lines()), (0, other.lines()), "also in another order, when nothing comes before what it belongs to")
        status, report, _ = other.import_("\n".join(lines))
        same((status, counts(report)), (0, (0, 0, 0, len(lines), 0)), "a second time nothing changes")
        status, report, _ = beside.import_("\n".join(lines))
        same((status, counts(report)), (0, (0, 0, 0, len(lines), 0)), "nor in the store it is of, through the daemon")
        test_tables(beside)
        ids = [contact["id"] for contact in json.loads(beside.run("contacts", "--json").stdout)]
        for gone in ids:
            beside.run("contacts", "erase", gone, "--yes")
        report = beside.import_("\n".join(lines))[1]
        same((report["new"], report["refused"] > 0), (0, True), f"and nobody who was erased comes back: {counts(report)}")


def table(store, *args):
    return list(csv.reader(io.StringIO(store.run("export", "--format", "csv", *args).stdout, newline="")))


def test_tables(store):
    rows = table(store)
    persons = json.loads(store.run("contacts", "--json", "--last", "1000").stdout)
    same((rows[0][:3], sorted(row[0] for row in rows[1:])), (["id", "name", "phone"], sorted(p["id"] for p in persons)), "a table has each person once")
    by_id = {person["id"]: person for person in persons}
    names = [(row[1], by_id[row[0]]["name"]) for row in rows[1:]]
    ok(all(cell == name or cell == "'" + name for cell, name in names), "with his name")
    ok(not any(cell[:1] in "=+-@" and not cell[1:].isdigit() for row in rows for cell in row if cell), "and no cell that is a formula")
    same(sorted(row[2] for row in rows[1:]), sorted(person["addresses"][0] for person in persons), "telephone numbers stay what they are")
    for kind in ("call", "message"):
        count = len(store.lines("--kind", kind))
        same(len(table(store, "--kind", kind)), 1 + count, f"a table of each {kind}: {count}")
    ok(store.run("export", "--format", "csv", "--bom").stdout.startswith("\ufeffid,name"), "with a byte order mark for Excel")
    same(store.run("export", "--format", "csv", "--kind", "note").returncode, 2, "there is no table of notes")


GOOGLE = ("First Name,Middle Name,Last Name,Labels,Notes,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Value,Birthday\n"
          "Dana,,Levi,Clients ::: * myContacts,likes boilers,Home,dana@example.com,Mobile,050-123-4567 ::: 03-555-1234,+1 212 555 0100,\n")
HUBSPOT = ("Record ID,First Name,Last Name,Email,Phone Number,Mobile Phone Number,Lead Status\n"
           "17,Gil,Cohen,gil@example.com,,0507654321,New\n")
HEBREW = "\ufeffשם מלא;טלפון;הערות;עיר\r\nנועה לוי;052-1112222;\"שתי\nשורות\";חיפה\r\n"


def test_shapes(scratch):
    store = Store(scratch, "shapes", DEFAULT_COUNTRY="972")
    status, report, err = store.import_(GOOGLE)
    same((status, counts(report), report["columns_left_out"]), (0, (1, 0, 0, 0, 0), ["E-mail 1 - Label", "Phone 1 - Label"]), f"Google's contacts {err}")
    dana = store.contacts()["+972501234567"]
    same((dana["name"], dana["addresses"], dana["tags"], dana["fields"]),
         ("Dana Levi", ["+972501234567", "+97235551234", "+12125550100"], ["Clients"], {"email": "dana@example.com"}), "with names, numbers, groups and mail")
    same(counts(store.import_(HUBSPOT)[1]), (1, 0, 0, 0, 0), "HubSpot's")
    same(store.contacts()["+972507654321"]["name"], "Gil Cohen", "with his name")
    same(counts(store.import_(HEBREW)[1]), (1, 0, 0, 0, 0), "and what Excel writes in Hebrew")
    noa = store.contacts()["+972521112222"]
    same((noa["name"], noa["fields"]), ("נועה לוי", {"city": "חיפה"}), "with name and city")
    same([json.loads(line)["data"]["text"] for line in store.lines("--kind", "note", "--contact", noa["id"])], ["שתי\nשורות"], "and the note")
    for text in (GOOGLE, HUBSPOT, HEBREW):
        same(counts(store.import_(text)[1]), (0, 0, 0, 1, 0), "again nothing changes")
    before = store.lines()
    text = "who,number,likes\nDana L,050-1234567,tea\nGil and Dana,\"050-7654321; 0501234567\",\nnew one,0541234567,\n"
    maps = ("--map", "who=name", "--map", "number=phone", "--map", "likes=drink")
    dry = store.import_(text, "--dry-run", *maps)[1]
    same((counts(dry), store.lines()), ((1, 1, 1, 0, 0), before), "a dry run says what would happen, and changes nothing")
    real = store.import_(text, *maps)[1]
    same({**real, "dry_run": True}, dry, "it happens just so")
    same(counts(store.import_(text, *maps)[1])[0], 0, "and once")
    both = store.contacts()["+972501234567"]
    same((both["fields"]["drink"], "+972507654321" in both["addresses"]), ("tea", True), "those of one line are one person")
    back = table(store)
    again = Store(scratch, "again", DEFAULT_COUNTRY="972")
    report = again.import_(store.run("export", "--format", "csv").stdout)[1]
    same((counts(report), [row[1:8] for row in table(again)][0], sorted(row[1:8] for row in table(again))), ((len(back) - 1, 0, 0, 0, 0), back[0][1:8], sorted(row[1:8] for row in back)),
         "our own table is read again, too")


BAD = (
    (b"name,phone\nDana\xff,0501234567\n", 2, "is not UTF-8"),
    (b"name,phone\nDa\0na,0501234567\n", 2, "holds a NUL"),
    (b'name,phone\n"Dana,0501234567\n', 2, "quote"),
    (b'name,phone\n"Da"na,0501234567\n', 2, "behind a closing quote"),
    (b"name,phone\n" + b"x" * 10_000_000 + b",0501234567\n", 2, "longer than a record may be"),
    (b"name,phone\n" + b"x" * 200 + b",0501234567\n", 2, "longer than 127 bytes"),
    (b"name,phone\nDana,\n", 2, "has no telephone number"),
    (b"name,phone\nDana,12\n", 2, "that is none: '12'"),
    (b"name,phone,stage\nDana,0501234567,drawn\n", 2, "has a stage"),
    (b'{"format":1,"kind":"contact","data":{"id":"X"}}\n', 1, "no id of a contact"),
    (b'{"format":1,"kind":"cat","data":{}}\n', 1, "not known here"),
    (b'{"format":2,"kind":"contact","data":{}}\n', 1, "format 2"),
    (b'{"format":1,"kind":"call","data":{"sid":"CA1","contact_id":"C404"}}\n', 1, "not here"),
    (b'{"format":1,"kind":"turn","data":{"call_sid":"CA404","n":0,"who":"agent"}}\n', 1, "not here"),
    (b'{"format":1,"kind":"link","data":{"from":"C1","into":"C2"}}\n', 1, "not here"),
    (b"{nonsense\n", 1, "is no JSON"),
    (b'{"a":"\xff"}\n', 1, "is not UTF-8"),
    (b'{"a":"' + b"x" * 100000 + b'"}\n', 1, "longer than 64 KiB"),
    (b'{"format":1,"kind":"person","data":{"phones":[7,null]}}\n', 1, "is none"),
)


def test_bad(scratch):
    store = Store(scratch, "bad", DEFAULT_COUNTRY="972")
    for i, (text, line, why) in enumerate(BAD):
        good = b"Good,052%07d%s\n" % (i, b"," if b"stage" in text[:20] else b"") if text.startswith(b"name") else \
            b'{"format":1,"kind":"person","data":{"phones":["052%07d"]}}\n' % i
        status, report, _ = store.import_(text + good)
        refused = report["lines"][0]
        ok(status == 1 and counts(report) == (1, 0, 0, 0, 1) and refused["line"] == line and why in refused["why"],
           f"line {line} {why}, and the next is taken: {status} {counts(report)} {report['lines']}")
    for text, why in ((b"", "no line of headings"), (b"name,city\nDana,Haifa\n", "no column is known to hold telephone numbers")):
        status, _, err = store.import_(text)
        ok(status == 1 and why in err, f"{why}: {err}")
    status, _, err = store.import_(b"name,phone\n", "--map", "x=name")
    ok(status == 1 and "no column" in err, "a column that is not there is told")
    same(store.run("import").returncode, 2, "no file is no usage")
    same(store.run("import", "/nowhere").returncode, 1, "a file that is not there is told")


def test_kill(scratch):
    rows = "name,phone,note\n" + "".join(f"P{i},05{i:08d},n{i}\n" for i in range(3000))
    path = os.path.join(scratch, "many.csv")
    with open(path, "w", encoding="ascii") as file:
        file.write(rows)
    with Daemon() as daemon:
        daemon.env.update(ADMIN_SOCKET=daemon.admin, DEFAULT_COUNTRY="972")
        importing = subprocess.Popen([tap.BINARY, "import", path, "--json"], env=daemon.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while daemon.status()["store"]["ops"] < 20:
            pass
        daemon.kill()
        out, err = importing.communicate()
        taken = json.loads(out)["new"]
        ok(importing.returncode == 1 and 0 < taken < 3000 and "do it again" in err, f"kill -9 of the daemon ends an import, {taken} lines in")
        daemon.start()
        kept = len(daemon.kept("contacts", "--last", "10000"))
        ok(taken <= kept <= taken + 32, f"what was answered is kept, and a batch at most beside it: {kept}")
        done = subprocess.run([tap.BINARY, "import", path, "--json"], env=daemon.env, capture_output=True, text=True, check=False)
        report = json.loads(done.stdout)
        same((done.returncode, report["new"], report["unchanged"]), (0, 3000 - kept, kept), "again does the rest")
        same(len(daemon.kept("contacts", "--last", "10000")), 3000, "and nobody is there twice")


def main():
    print(f"# SEED={SEED}")
    with tempfile.TemporaryDirectory() as scratch:
        test_round_trip(scratch)
        test_shapes(scratch)
        test_bad(scratch)
        test_kill(scratch)
    tap.done()


main()
