"""test_fetch.py - the real daemon and a Twilio-shaped service: media of messages that come in, and every way to fail"""

import base64
import hashlib
import os
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import tap
from daemon import ACCOUNT, Daemon, until
from standins import clouds
from standins.clouds import Clouds, form

FROM, DANA = "+14155238886", "+972501234567"
TWILIO = ("TWILIO_BASE_URL", "NO_PROXY")
TEXT = "I would like a table for four on Friday evening."


def png(size=4):
    """A real picture, of as many bytes as are wanted."""
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    head = chunk(b"IHDR", b"\0\0\0\1\0\0\0\1\x08\0\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"tEXt", b"x\0" + b"y" * size) + chunk(b"IEND", b"")


def opus(text, scratch, repeat=1):
    """A voice note as WhatsApp makes it: spoken by flite, encoded by opusenc."""
    wav, ogg = os.path.join(scratch, "note.wav"), os.path.join(scratch, "note.ogg")
    subprocess.run(["flite", "-voice", "slt", "-t", " ".join([text] * repeat), "-o", wav], check=True)
    subprocess.run(["opusenc", "--quiet", "--bitrate", "16", wav, ogg], check=True)
    with open(ogg, "rb") as file:
        return file.read()


def name(i):
    return f"ME{i:032x}"


def new_daemon(cloud, whisper=False, **env):
    given = {key: value for key, value in cloud.env().items() if whisper or key in TWILIO}
    return Daemon(AGENT_PROFILE="receptionist-en", TWILIO_WHATSAPP_NUMBER=FROM, **{**given, "CHAT_MODEL": "none", "OPENAI_TTS_MODEL": "none",
                  "GOOGLE_TTS_SA_JSON": ""} if not whisper else {**given, "CHAT_MODEL": "none"}, **env)


def arrive(daemon, cloud, i, kind="image/png", url=None, body=""):
    url = url or f"{cloud.base('twilio')}/2010-04-01/Accounts/{ACCOUNT}/Messages/MM{i:032x}/Media/{name(i)}"
    status, _ = daemon.post("/webhook/whatsapp/incoming", MessageSid=f"MM{i:032x}", AccountSid=ACCOUNT, From="whatsapp:" + DANA,
                            To="whatsapp:" + FROM, Body=body, NumMedia="1", MediaUrl0=url, MediaContentType0=kind)
    return status


def put(cloud, **media):
    cloud.set(twilio={"media": {key: {"type": kind, "base64": base64.b64encode(data).decode(), "how": how}
                                for key, (kind, data, how) in media.items()}})


def rows(daemon):
    return {row["provider_id"]: row for row in daemon.kept("messages", "--last", "100")}


def item(daemon, i):
    return rows(daemon)[f"MM{i:032x}"]["media"][0]


def settled(daemon, i):
    until(lambda: {"file", "error"} & set(item(daemon, i)))
    return item(daemon, i)


def on_disk(daemon, media):
    with open(os.path.join(daemon.scratch.name, media["file"]), "rb") as file:
        return file.read()


CASES = [
    # claimed, bytes, how it goes wrong, the type it has or the error it gets
    ("image/png", png(), "", "image/png"),
    ("application/pdf", png(), "", "image/png"),
    ("image/png", png(), "late", "image/png"),
    ("image/png", png(), "length", "image/png"),
    ("image/png", b"", "", "it is empty"),
    ("image/png", b"MZ" + b"\0" * 62 + b"PE", "", "which is not kept"),
    ("text/plain", b"<!doctype html><html><script>alert(1)</script></html>", "", "text/html by its bytes, which is not kept"),
    ("text/csv", b"name,number\nDana,1\n", "", "text/csv"),
    ("text/vcard", b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Dana\r\nEND:VCARD\r\n", "", "text/vcard"),
    ("image/png", png(17 << 20), "", "it is larger than 16 MiB"),
    ("image/png", b"", "endless", "it is larger than 16 MiB"),
    ("image/png", b"x", "gone", "does not give it (HTTP 410)"),
    ("image/png", b"x", "outside", "its URL is none that is followed"),
    ("image/png", b"x", "loop", "leads from one place to the next"),
]


def every_way():
    with Clouds() as cloud, new_daemon(cloud) as daemon:
        put(cloud, **{name(i): case[:3] for i, case in enumerate(CASES)})
        for i, case in enumerate(CASES):
            tap.same(arrive(daemon, cloud, i, case[0]), 200, f"{case[0]} {case[2]} is told")
        for i, (kind, data, how, want) in enumerate(CASES):
            media = settled(daemon, i)
            if want.count("/") == 1 and " " not in want:
                tap.same((media.get("type"), media.get("bytes"), media.get("sha256"), media.get("error")),
                         (want, len(data), hashlib.sha256(data).hexdigest(), None), f"{kind} {how} is kept as what it is")
                tap.ok(on_disk(daemon, media) == data, "and there byte for byte")
            else:
                tap.ok(want in media.get("error", "") and "file" not in media, f"{kind} {how} is not kept: {media.get('error')}")
        folder = os.path.join(daemon.scratch.name, "media")
        tap.ok(not any(file.endswith(".part") for _, _, files in os.walk(folder) for file in files), "nothing half is left")
        asked = [record for record in cloud.requests("twilio") if record["path"].startswith("/stored/")]
        tap.ok(asked and all("authorization" not in record["headers"] for record in asked), "whoever Twilio leads to sees no token")
        asked = [record for record in cloud.requests("twilio") if "/Media/" in record["path"]]
        tap.ok(all(record["headers"].get("authorization", "").startswith("Basic") for record in asked), "Twilio sees it")
        status = arrive(daemon, cloud, 50, url="https://127.0.0.1/x")
        tap.ok(status == 200 and "followed" in settled(daemon, 50)["error"], "a URL that leads inside is not asked")
        tap.same(arrive(daemon, cloud, 0), 200, "told again")
        tap.same(len(rows(daemon)), len(CASES) + 1, "it is no other message")


def no_room():
    with Clouds() as cloud, new_daemon(cloud, MEDIA_MAX_MIB="1") as daemon:
        put(cloud, **{name(1): ("image/png", png(1 << 20), ""), name(2): ("image/png", png(1000), "")})
        arrive(daemon, cloud, 1)
        tap.ok("MEDIA_MAX_MIB" in settled(daemon, 1)["error"], "for what there is no room, the row says so")
        arrive(daemon, cloud, 2, body="and words")
        tap.ok("file" in settled(daemon, 2), "what there is room for is kept")
        tap.same(rows(daemon)[f"MM{2:032x}"]["body"], "and words", "and messages go on")


def killed():
    """kill -9 while a file comes."""
    with Clouds() as cloud, new_daemon(cloud) as daemon:
        data = png(300000)
        put(cloud, **{name(1): ("image/png", data, "slow")})
        arrive(daemon, cloud, 1)
        cloud.requests("twilio", name(1) + "?sig=s%26g%3D", 1, ended=False)
        until(lambda: any(file.endswith(".part") for _, _, files in os.walk(os.path.join(daemon.scratch.name, "media")) for file in files))
        daemon.kill()
        tap.ok(not {"file", "error"} & set(item(daemon, 1)), "killed in the middle, nothing is said to be there")
        put(cloud, **{name(1): ("image/png", data, "")})
        daemon.start()
        media = settled(daemon, 1)
        tap.ok(on_disk(daemon, media) == data, "the next one fetches it whole")
        tap.same((len(rows(daemon)), os.listdir(os.path.join(daemon.scratch.name, os.path.dirname(media["file"])))), (1, ["0"]), "once")
        os.makedirs(os.path.join(daemon.scratch.name, "media", "M00000000000"))
        daemon.stop()
        daemon.start()
        tap.ok(not os.path.exists(os.path.join(daemon.scratch.name, "media", "M00000000000")), "what belongs to no message is swept away")


def heard(daemon, i):
    until(lambda: "transcript" in rows(daemon)[f"MM{i:032x}"] or "unheard" in item(daemon, i))
    row = rows(daemon)[f"MM{i:032x}"]
    return row.get("transcript"), row["media"][0].get("unheard")


def voice():
    with Clouds() as cloud, new_daemon(cloud, whisper=True, STT_HINTS="Petach Tikva") as daemon:
        note, long = opus(TEXT, daemon.scratch.name), opus(TEXT, daemon.scratch.name, 20)
        cloud.set(openai={"transcripts": [TEXT] * 40})
        put(cloud, **{name(1): ("audio/ogg", note, ""), name(2): ("audio/ogg", long, ""), name(3): ("audio/ogg", note[:200] + b"x" * 500, ""),
                      name(4): ("audio/ogg", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0", "")})
        arrive(daemon, cloud, 1, "audio/ogg")
        tap.same(heard(daemon, 1), (TEXT, None), "a voice note has words")
        asked = cloud.requests("openai", "/audio/transcriptions", 1)
        parts = form(asked[0])
        tap.same((parts["language"][1], b"Petach Tikva" in parts["prompt"][1]), (b"en", True), "Whisper is told the language and the hints")
        wav = parts["file"][1]
        tap.same((wav[:4], int.from_bytes(wav[24:28], "little")), (b"RIFF", 16000), "and given 16 kHz")
        arrive(daemon, cloud, 2, "audio/ogg")
        text, why = heard(daemon, 2)
        n = len(cloud.requests("openai", "/audio/transcriptions", 1)) - len(asked)
        tap.ok(n > 2 and text == " ".join([TEXT] * n) and why is None, f"one of more than a minute is heard in {n} pieces")
        seconds = [(len(form(record)["file"][1]) - 44) / 32000 for record in cloud.requests("openai", "/audio/transcriptions", 1)]
        tap.ok(max(seconds) < 27, f"each short: {max(seconds):.0f} s at most")
        arrive(daemon, cloud, 3, "audio/ogg")
        tap.same(heard(daemon, 3), (None, "it is damaged"), "a damaged one says so")
        arrive(daemon, cloud, 4, "audio/ogg")
        tap.ok("cannot be decoded" in heard(daemon, 4)[1], "as does one that is another thing")
        kinds = [event["kind"] for event in daemon.kept("events")]
        tap.ok("message.transcript" in kinds and "message.media" in kinds, "the feed tells of both")


def voice_killed():
    """kill -9 while Whisper thinks; and without Whisper."""
    with Clouds() as cloud, new_daemon(cloud, whisper=True) as daemon:
        note = opus(TEXT, daemon.scratch.name)
        put(cloud, **{name(1): ("audio/ogg", note, ""), name(2): ("audio/ogg", note, "")})
        cloud.set(openai={"transcripts": [TEXT] * 40})
        cloud.fail(openai=[{"fault": "stall", "path": "/audio/transcriptions", "n": 0}])
        arrive(daemon, cloud, 1, "audio/ogg")
        cloud.requests("openai", "/audio/transcriptions", 1, ended=False)
        daemon.kill()
        tap.ok("transcript" not in rows(daemon)[f"MM{1:032x}"] and "file" in item(daemon, 1), "killed meanwhile, the file is there and no word")
        cloud.fail(openai=[])
        daemon.start()
        tap.same(heard(daemon, 1), (TEXT, None), "the next one has it transcribed")
        tap.same(len(rows(daemon)), 1, "once")
        daemon.stop()
        for key in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
            del daemon.env[key]
        daemon.start()
        arrive(daemon, cloud, 2, "audio/ogg")
        text, why = heard(daemon, 2)
        tap.ok(text is None and "OPENAI_API_KEY" in why, "without Whisper the message says that nobody can")
        tap.ok(on_disk(daemon, item(daemon, 2)) == note, "and the recording is there")


if __name__ == "__main__":
    if clouds.missing():
        tap.skip(clouds.missing())
    else:
        every_way()
        no_room()
        killed()
        voice()
        voice_killed()
    tap.done()
