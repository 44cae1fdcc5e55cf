"""test_config.py - agentlocator config as an operator uses it"""

import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import BINARY, done, ok, run, same

TOKEN = "0123456789abcdef0123456789abcdef"


def config(*args, **env):
    return run(BINARY, "config", *args, env=env)


def table(text):
    return {line.split()[0]: line for line in text.splitlines()}


with tempfile.TemporaryDirectory() as folder:
    env_file = os.path.join(folder, "a.env")

    with open(env_file, "w", encoding="utf-8") as out:
        out.write(f"APP_ENV=development\nTWILIO_AUTH_TOKEN={TOKEN}\n")
    shown = config("--env-file", env_file, MAX_CALLS="7")
    rows = table(shown.stdout)
    same(shown.returncode, 0, "settings are shown")
    same(rows["NAME"].split(), ["NAME", "VALUE", "SOURCE"], "under a heading")
    same(rows["MAX_CALLS"].split(), ["MAX_CALLS", "7", "environment"], "one from the environment")
    same(rows["APP_ENV"].split(), ["APP_ENV", "development", f"{env_file}:1"], "one from a line of the file")
    same(rows["PUBLIC_HOST"].split(), ["PUBLIC_HOST", "unset"], "one that is unset")
    same(rows["TWILIO_AUTH_TOKEN"].split(), ["TWILIO_AUTH_TOKEN", "********", f"{env_file}:2"], "a secret is masked")
    ok(TOKEN not in shown.stdout + config("--json", "--env-file", env_file).stdout, "the secret is printed nowhere")

    parsed = {row["name"]: row for row in json.loads(config("--json", MAX_CALLS="7").stdout)}
    same(parsed["MAX_CALLS"], {"name": "MAX_CALLS", "value": "7", "source": "environment"}, "JSON: a value")
    same(parsed["PUBLIC_HOST"], {"name": "PUBLIC_HOST", "value": None, "source": "unset"}, "JSON: none")
    same(list(parsed), [name for name in rows if name != "NAME"], "JSON: the same settings in the same order")

    good = config("--check", APP_ENV="development")
    same((good.returncode, good.stdout, good.stderr), (0, "Every setting is in order.\n", ""), "nothing is wrong")
    bad = config("--check", MAX_CALLS="0", TTS_VOICE="x")
    same(bad.returncode, 1, "a check that fails")
    same([line.split(":")[0] for line in bad.stderr.splitlines()],
         ["MAX_CALLS", "TTS_VOICE", "PUBLIC_HOST", "TWILIO_AUTH_TOKEN"], "names every bad value at once")
    kinds = config("--check", APP_ENV="development", EVENT_WEBHOOK_KINDS="call.* mesage.new note.new")
    same((kinds.returncode, kinds.stderr),
         (1, "EVENT_WEBHOOK_KINDS: there is no kind 'mesage.new'; `agentlocator events --kinds` lists them\n"),
         "a kind of event that there is none of is wrong, too")
    same(config("--check", APP_ENV="development", EVENT_WEBHOOK_KINDS="call.* note.new").returncode, 0, "those that there are are not")
    with open(env_file, "a", encoding="utf-8") as out:
        out.write("PUBLIC_HOSTS=a.example\n")
    same(config("--env-file", env_file).returncode, 0, "a name that is no setting does not stop a start")
    unknown = config("--check", "--env-file", env_file)
    same((unknown.returncode, unknown.stderr),
         (1, f"warning: {env_file}:3: there is no setting PUBLIC_HOSTS; did you mean PUBLIC_HOST?\n"),
         "but the check fails and tells what was meant")

    example = config("--example").stdout
    lines = example.splitlines()
    with open(env_file, "w", encoding="utf-8") as out:
        for line in lines:
            out.write((line[1:] if line.startswith("#") and not line.startswith("# ") else line) + "\n")
    taken = config("--json", "--env-file", env_file)
    same(taken.returncode, 0, "the example can be loaded with every line uncommented")
    same({row["name"]: row["value"] for row in json.loads(taken.stdout)},
         {row["name"]: row["value"] for row in json.loads(config("--json").stdout)}, "and says the defaults")
    ok(all(name in config("--man").stdout for name in parsed), "the manual page has every setting")

    same(config("--help").stdout.split("\n")[0], "Usage: agentlocator config [OPTIONS]", "help")
    same(config("--nonsense").returncode, 2, "an unknown option")
    same(config("nonsense").returncode, 2, "an argument that is none")

done()
