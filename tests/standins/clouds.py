"""clouds.py - OpenAI, Google and Twilio on loopback for a test: started, told what to do, asked what they saw

with Clouds() as clouds: Daemon(**clouds.env()) ...; clouds.fail(openai=[{"fault": "stall"}]); clouds.requests("google")
"""

import base64
import http.client
import json
import os
import shutil
import subprocess
from email.parser import BytesParser

from tap import TOP

PROGRAM = os.path.join(TOP, "tests", "standins", "main.js")
PATIENCE = 60  # seconds until a request that has to come counts as missing
KEY = "sk-standin-not-to-be-seen"


def missing():
    """What is not here, though the stand-ins need it; None when all is."""
    return None if shutil.which("node") else "there is no node to run the stand-ins of the providers with"


def form(record):
    """{name: (filename, bytes)} of a request that brought multipart/form-data."""
    head = f'Content-Type: {record["headers"]["content-type"]}\r\n\r\n'.encode()
    return {part.get_param("name", header="content-disposition"): (part.get_filename(), part.get_payload(decode=True))
            for part in BytesParser().parsebytes(head + base64.b64decode(record["body"])).get_payload()}


class Clouds:
    """A context. record: a file that gets every request; tls: (certificate, key), then they speak TLS and HTTP/2."""

    def __init__(self, record=None, tls=None, forget=False, **settings):
        self.tls = tls
        settings = {"openai": {}, **settings}
        settings["openai"].setdefault("key", KEY)
        command = ["node", PROGRAM, "--settings", json.dumps(settings)]
        command += ["--record", record] if record else []
        command += ["--tls", tls[1], tls[0]] if tls else []
        self.process = subprocess.Popen(command + (["--forget"] if forget else []), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the stand-ins did not start")
        self.facts = json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def base(self, vendor):
        return f'{self.facts["scheme"]}:{self.facts[vendor]}'

    def env(self):
        """The daemon's settings that lead here."""
        found = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self.base("openai") + "/v1", "OPENAI_TTS_MODEL": "tts-1",
                 "CHAT_MODEL": "gpt-4o-mini",
                 "GOOGLE_TTS_SA_JSON": json.dumps(self.facts["account"]), "GOOGLE_TTS_BASE_URL": self.base("google"),
                 "TWILIO_BASE_URL": self.base("twilio"), "NO_PROXY": "*"}
        return {**found, "PROVIDER_CA_FILE": self.tls[0]} if self.tls else found

    def _ask(self, method, path, body=None):
        control = http.client.HTTPConnection("127.0.0.1", self.facts["control"], timeout=PATIENCE)
        try:
            control.request(method, path, json.dumps(body) if body is not None else None)
            answer = control.getresponse()
            text = answer.read().decode()
        finally:
            control.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {text}")
        return json.loads(text)

    def set(self, **settings):
        self._ask("POST", "/settings", settings)

    def fail(self, **faults):
        """openai=[{"fault": "stall", "path": "/chat/completions", "n": 1}]: in place of what was ordered before."""
        self._ask("POST", "/faults", faults)

    def close(self, vendor):
        self._ask("POST", f"/close?vendor={vendor}", {})

    def listen(self, vendor):
        self._ask("POST", f"/listen?vendor={vendor}", {})

    def hang_up(self, vendor):
        self._ask("POST", f"/hang_up?vendor={vendor}", {})

    def certify(self, vendor, certificate, key):
        self._ask("POST", f"/certify?vendor={vendor}", {"key": key, "cert": certificate})

    def state(self):
        return self._ask("GET", "/state")

    def requests(self, vendor="", path="", n=0, ended=True):
        """Records of requests to a path that ends so, waited for until there are n."""
        return self._ask("GET", f"/requests?vendor={vendor}&path={path}&n={n}" + ("&ended=1" if ended else ""))

    def heads(self, n=0):
        """Records of connections made ahead of their use: each is a HEAD."""
        return self._ask("GET", f"/requests?method=HEAD&n={n}&ended=1")

    def asked(self, n=0, **match):
        """The bodies of requests to the chat model, parsed."""
        return [json.loads(base64.b64decode(record["body"])) for record in
                self.requests("openai", "/chat/completions", n, **match)]
