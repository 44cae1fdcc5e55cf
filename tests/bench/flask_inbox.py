"""flask_inbox.py - the webhook of incoming messages as it is mostly written: Flask and SQLite; for bench_inbound.py alone

FLASK_INBOX names the database. A message is on disk before it is answered, once, as with us: journal in WAL mode, which
is the fastest one, synced at every commit.
"""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import threading
import time

from flask import Flask, Response, request

from caller.standin import TOKEN
from daemon import HOST

app = Flask(__name__)
local = threading.local()


def store():
    if not hasattr(local, "db"):
        local.db = sqlite3.connect(os.environ["FLASK_INBOX"], timeout=60, isolation_level=None)
        local.db.execute("PRAGMA journal_mode=WAL")
        local.db.execute("PRAGMA synchronous=FULL")
        local.db.execute("CREATE TABLE IF NOT EXISTS contacts (address TEXT PRIMARY KEY, name TEXT)")
        local.db.execute("CREATE TABLE IF NOT EXISTS messages (sid TEXT PRIMARY KEY, address TEXT, body TEXT, at REAL, params TEXT)")
        local.db.execute("CREATE INDEX IF NOT EXISTS messages_by_contact ON messages (address, at)")
    return local.db


def is_signed():
    text = f"https://{HOST}{request.path}" + "".join(name + value for name, value in sorted(request.form.items()))
    want = base64.b64encode(hmac.new(TOKEN.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return hmac.compare_digest(want, request.headers.get("X-Twilio-Signature", ""))


@app.post("/webhook/whatsapp/incoming")
def incoming():
    if not is_signed():
        return "", 403
    form, db = request.form, store()
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT OR IGNORE INTO contacts VALUES (?, ?)", (form["From"], form.get("ProfileName", "")))
    db.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?)",
               (form["MessageSid"], form["From"], form.get("Body", ""), time.time(), json.dumps(form)))
    db.execute("COMMIT")
    return Response("<Response/>", content_type="text/xml")
