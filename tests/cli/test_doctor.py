"""test_doctor.py - each check is fine where all is well, and finds its fault where one is planted"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from caller.standin import TOKEN  # noqa: E402
from daemon import ACCOUNT, Daemon  # noqa: E402
from floor import make_certificate  # noqa: E402
from standins.clouds import Clouds, missing  # noqa: E402
from tap import BINARY, BUILD, done, ok, run, same, skip  # noqa: E402

SECRETS = [TOKEN, "sk-standin", "PRIVATE KEY"]


def examine(env, *options):
    """(exit status, {name: (verdict, text, remedy)})"""
    got = run(BINARY, "doctor", "--json", *options, env=env)
    told = got.stdout + got.stderr
    if any(secret in told for secret in SECRETS):
        ok(False, "a secret is told")
    rows = json.loads(got.stdout) if got.stdout else []
    return got.returncode, {row["name"]: (row["verdict"], row["text"], row["remedy"]) for row in rows}


def number(url, **more):
    return {"phone_number": "+97231234567", "voice_url": f"https://{url}/webhook/incoming_call", "voice_method": "POST",
            "status_callback": f"https://{url}/webhook/call_status", **more}


def faults(clouds, folder, host):
    """(the check that must find it, settings, what is set at the stand-ins, its verdict)"""
    def file(name, text="x", mode=0o600):
        path = f"{folder}/{name}"
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, mode)
        return path
    other_cert, other_key = make_certificate(folder, "other", days=90, host="localhost")
    return [
        ("settings", {"MAX_CALLS": "many"}, None, "wrong"),
        ("settings", {"PUBLIC_HOST": ""}, None, "wrong"),
        ("daemon", {"ADMIN_SOCKET": f"{folder}/nobody.sock"}, None, "wrong"),
        ("folders", {"CACHE_DIR": f"{folder}/nowhere"}, None, "wrong"),
        ("folders", {"STATE_DIR": file("no-folder")}, None, "wrong"),
        ("store", {"DATABASE_URL": f"lmdb://{folder}/nowhere"}, None, "warning"),
        ("store", {"DATABASE_URL": f"lmdb://{garbage(folder)}"}, None, "wrong"),
        ("owed", {"DATABASE_URL": f"lmdb://{dead_letter(folder)}"}, None, "warning"),
        ("backups", {"BACKUP_DIR": f"{folder}/nowhere"}, None, "warning"),
        ("backups", {"BACKUP_DIR": old_backup(folder)}, None, "warning"),
        ("zone", {"TIMEZONE": "", "TZ": "UTC"}, None, "warning"),
        ("certificate", {"TLS_KEY_FILE": other_key}, None, "wrong"),
        ("certificate", {"TLS_CERT_FILE": file("broken.pem")}, None, "wrong"),
        ("certificate", {"TLS_CERT_FILE": other_cert, "TLS_KEY_FILE": other_key}, None, "warning"),
        ("certificate", certified(folder, "ended", days=-1, host="localhost"), None, "wrong"),
        ("certificate", {**certified(folder, "soon", days=5, host="localhost")}, None, "warning"),
        ("certificate", {"PUBLIC_HOST": "other.example.com"}, None, "wrong"),
        ("name", {"PUBLIC_HOST": "nobody.invalid"}, None, "wrong"),
        ("served", {"PUBLIC_HOST": "localhost:1"}, None, "wrong"),
        ("served", {"PROVIDER_CA_FILE": other_cert}, None, "wrong"),
        ("signature", {"PUBLIC_HOST": f"localhost:{clouds.facts['twilio']}"}, None, "wrong"),
        ("signature", {"TWILIO_AUTH_TOKEN": "f" * 32}, None, "wrong"),
        ("twilio", {"TWILIO_AUTH_TOKEN": "f" * 32}, None, "wrong"),
        ("twilio", {}, {"twilio": {"status": "suspended"}}, "wrong"),
        ("twilio", {"TWILIO_BASE_URL": "http://127.0.0.1:1"}, None, "wrong"),
        ("webhooks", {}, {"twilio": {"numbers": []}}, "wrong"),
        ("webhooks", {}, {"twilio": {"numbers": [number("other.example.com")]}}, "wrong"),
        ("webhooks", {}, {"twilio": {"numbers": [number(host, voice_method="GET")]}}, "wrong"),
        ("webhooks", {}, {"twilio": {"numbers": [number(host, status_callback="")]}}, "warning"),
        ("device", {"WHATSAPP_PROVIDER": "baileys", "WHATSAPP_SOCKET": f"{folder}/nobody.sock"}, None, "wrong"),
        ("stt", {"STT_BASE_URL": "http://127.0.0.1:1/v1"}, None, "wrong"),
        ("chat", {"OPENAI_API_KEY": "sk-refused"}, None, "wrong"),
        ("tts", {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, None, "wrong"),
        ("google", {"GOOGLE_TTS_SA_JSON": "{}"}, None, "wrong"),
        ("google", {"GOOGLE_TTS_VOICE": "he-IL-Nobody"}, None, "wrong"),
        ("google", {"GOOGLE_TTS_BASE_URL": "http://127.0.0.1:1"}, None, "wrong"),
    ]


def garbage(folder):
    path = f"{folder}/garbage"
    os.makedirs(path)
    with open(f"{path}/data.mdb", "wb") as out:
        out.write(b"no store" * 4096)
    return path


def dead_letter(folder):
    """A message that nobody carries."""
    with Daemon() as d:
        d.stop()
        subprocess.run([f"{BUILD}/tests/services/owe", f"{d.scratch.name}/store", "CA" + "1" * 32, "+972501234567", "kept", "hello"], check=True)
        d.start()
        for _ in range(600):
            if d.status()["outbox"]["failed"]:
                break
            time.sleep(0.1)
        d.stop()
        shutil.copytree(f"{d.scratch.name}/store", f"{folder}/owing")
    return f"{folder}/owing"


def old_backup(folder):
    path = f"{folder}/old-backups"
    os.makedirs(path)
    with open(f"{path}/agentlocator-20250101T000000Z.tar.zst", "wb"):
        pass
    os.utime(f"{path}/agentlocator-20250101T000000Z.tar.zst", (0, 0))
    return path


def certified(folder, name, **more):
    cert, key = make_certificate(folder, name, **more)
    return {"TLS_CERT_FILE": cert, "TLS_KEY_FILE": key}


def healthy(clouds, folder, cert, key):
    port = free_port()
    host = f"localhost:{port}"
    clouds.set(twilio={"numbers": [number(host)], "auth_token": TOKEN, "account_sid": ACCOUNT})
    settings = {**clouds.env(), "AGENT_PROFILE": "echo", "TLS_CERT_FILE": cert, "TLS_KEY_FILE": key, "PROVIDER_CA_FILE": cert,
                "PUBLIC_HOST": host, "TIMEZONE": "Asia/Jerusalem", "BACKUP_DIR": f"{folder}/backups"}
    with Daemon(listen=[f"https=127.0.0.1:{port}"], **settings) as d:
        env = {**d.env, "ADMIN_SOCKET": d.admin}
        os.makedirs(f"{folder}/backups")
        os.makedirs(env["CACHE_DIR"], exist_ok=True)
        same(run(BINARY, "backup", env["BACKUP_DIR"], env=env).returncode, 0, "there is a backup")
        status, rows = examine(env)
        bad = {name: row for name, row in rows.items() if row[0] in ("warning", "wrong") and name not in ("disk", "ntp", "units")}
        same(bad, {}, "where all is well nothing is found")
        ok(len(rows) >= 20, f"by {len(rows)} checks")
        for name in ("daemon", "store", "certificate", "name", "served", "signature", "twilio", "webhooks", "stt", "chat", "tts", "google", "clock"):
            same(rows[name][0], "ok", f"{name}: {rows[name][1]}")
        plant(env, clouds, folder, host)
        outputs(env, status)


def plant(env, clouds, folder, host):
    fine = {"twilio": {"numbers": [number(host)], "status": "active"}}
    for name, settings, cloud, want in faults(clouds, folder, host):
        clouds.set(**(cloud or {}))
        status, rows = examine({**env, **settings}, name)
        got = rows.get(name, ("", "", ""))
        same(got[0], want, f"{name}, planted: {settings or cloud}: {got[1]}")
        ok(status >= {"warning": 1, "wrong": 2}[want] and (got[2] or want == "warning"), f"  and what mends it: {got[2]}")
        clouds.set(**fine)


def outputs(env, status):
    got = run(BINARY, "doctor", "--offline", env=env)
    lines = got.stdout.splitlines()
    ok(any(line.startswith("-        twilio") and "--offline" in line for line in lines), "--offline asks nobody")
    ok(any(line.startswith("ok       store") for line in lines), "a line for each")
    ok(status in (0, 1, 2), f"exit status {status}")
    same(run(BINARY, "doctor", "more", env=env).returncode, 2, "there are no other checks")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


if missing():
    skip(missing())
else:
    with tempfile.TemporaryDirectory() as scratch, Clouds() as stand_ins:
        healthy(stand_ins, scratch, *make_certificate(scratch, "place", days=90, host="localhost"))
done()
