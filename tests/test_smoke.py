"""test_smoke.py - smoke.sh against a server, signed, unsigned and wrongly signed, and against none"""

import os

import tap
from caller.standin import TOKEN
from daemon import ACCOUNT, HOST, Daemon

SMOKE = os.path.join(tap.TOP, "tests", "smoke.sh")


def smoke(url, **env):
    return tap.run("sh", SMOKE, url, env={"AGENTLOCATOR": tap.BINARY, "TWILIO_ACCOUNT_SID": ACCOUNT, **env})


with Daemon(APP_ENV="development") as daemon:
    url = f"http://127.0.0.1:{daemon.port}"
    done = smoke(url)
    if not tap.ok(done.returncode == 0, "in development from this machine, unsigned"):
        print("# " + (done.stdout + done.stderr).replace("\n", "\n# "))
    tap.same(done.stdout.count("ok "), 7, "all requests are told of")
    tap.same(smoke(url, TWILIO_AUTH_TOKEN=TOKEN, PUBLIC_HOST=HOST).returncode, 0, "signed")
with Daemon() as daemon:
    url = f"http://127.0.0.1:{daemon.port}"
    done = smoke(url, TWILIO_AUTH_TOKEN=TOKEN, PUBLIC_HOST=HOST)
    if not tap.ok(done.returncode == 0, "in production, signed"):
        print("# " + (done.stdout + done.stderr).replace("\n", "\n# "))
    done = smoke(url)
    tap.ok(done.returncode == 1 and "incoming_call: 403" in done.stdout, "in production an unsigned one fails, and says where")
tap.same(smoke(url).returncode, 1, "no server fails")
tap.done()
