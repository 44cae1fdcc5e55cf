"""servers.py - who is compared: each a context with a port, a pid and what the load has to know of it

The agent is our daemon with all that a call costs: the voice detector, a transcription of each utterance, an answer to it,
which a stand-in of Whisper's and a voice's gives at once. The caller talks a quarter of the time: a recording of two seconds
of a human, once in CYCLE_S. That is little for two people on a telephone, and what is left to a caller who listens to an
answer of two seconds and thinks. The answer was rendered before, as the prompts of a script are. In the agent's row the line
is quiet in between, as of a telephone that sends nothing but comfort noise then; in the noisy one the detector has to look
closely at every frame.
"""

import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
from daemon import PATIENCE, Daemon
from oracle import packages
from tap import BUILD

PROGRAMS = os.path.join(BUILD, "tests", "bench", "media")
CALLS_MAX = 4000
SECONDS = int(os.environ.get("MEDIA_SECONDS", "6"))
WARM_S, CYCLE_S = 5, 8  # the greeting and the first question are over by then
QUIET, NOISY = 16, 100  # root mean square between utterances: -66 and -50 dBFS
RECORDING = "/usr/share/pocketsphinx/test/data/cards/002.wav"  # of Debian's pocketsphinx-testdata
SENTENCE = "Thank you, I have noted that. Is there anything else?"
QUESTIONS = 32  # in a circle, each visited three times: no call of a bench comes to its end

ECHO = ["--seconds", str(SECONDS)]
TALK = ["--warm", str(WARM_S), "--seconds", str(WARM_S + CYCLE_S), "--cycle", str(CYCLE_S * 1000)]
TWILIO = ["--path", "/ws/twilio-media", "--webhook", "/webhook/incoming_call"]


def pinned(cpu, *command):
    return ["taskset", "-c", str(cpu), *command] if os.cpu_count() > 1 else list(command)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def await_port(port, process):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("a server does not listen")


class Server:
    """Somebody else's. cpu: where it runs."""

    def __init__(self, *command, options=(), cpu=0, **env):
        self.command, self.env, self.cpu = command, env, cpu
        self.options = ["--path", "/ws", *(options or ECHO)]

    def __enter__(self):
        self.port = free_port()
        self.process = subprocess.Popen(pinned(self.cpu, *(part.format(port=self.port) for part in self.command)),
                                        env={**os.environ, **self.env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_port(self.port, self.process)
        self.pid = self.process.pid
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    is_looked_at = False  # while it is at it, and not only at the end

    def look(self):
        """What it says of itself: it need not say anything."""
        return {}


class Ours:
    """The echo line."""
    is_looked_at = False

    def __init__(self, options=(), **env):
        self.options = [*TWILIO, *(options or ECHO)]
        self.daemon = Daemon(**{"APP_ENV": "development", "MAX_CALLS": str(CALLS_MAX), "MAX_CONNECTIONS": str(2 * CALLS_MAX), **env})

    def __enter__(self):
        allowed = os.sched_getaffinity(0)
        if os.cpu_count() > 1:
            os.sched_setaffinity(0, {0})  # the daemon's from its first thread on
        self.daemon.__enter__()
        os.sched_setaffinity(0, allowed)
        self.port, self.pid = self.daemon.port, self.daemon.process.pid
        return self

    def __exit__(self, *_):
        self.daemon.__exit__()

    def look(self):
        status = self.daemon.status()
        return {"delay_ms": status["delay_ms"], "dropped": status["dropped_in"] + status["dropped_out"],
                "errors": status["stt_failed"] + status["tts_failed"]}


@functools.cache
def speech():
    """The file of an utterance of about two seconds; flite's where there is no human."""
    if os.path.exists(RECORDING):
        return RECORDING
    path = os.path.join(tempfile.mkdtemp(), "utterance.wav")
    subprocess.run(["flite", "-voice", "slt", "-t", "I would like a new appointment.", "-o", path], check=True)
    return path


def profile():
    prompts = {name: f"This is {name}." for name in ("greeting", "goodbye", "goodbye_silence", "wait", "trouble", "too_long")}
    questions = [{"id": f"q{i}", "field": "need", "expect": "free", "ask": "more", "again": "more", "keypad": "more",
                  "next": f"q{(i + 1) % QUESTIONS}"} for i in range(QUESTIONS)]
    return {"name": "bench", "language": "en", "mode": "script", "prompts": {**prompts, "more": SENTENCE}, "questions": questions}


class Agent(Ours):
    is_looked_at = True  # its delay is that of the last second

    def __init__(self, noise=QUIET, options=(), **env):
        self.scratch = tempfile.TemporaryDirectory()
        path = os.path.join(self.scratch.name, "bench.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(profile(), file)
        self.provider = Server(os.path.join(PROGRAMS, "provider"), "{port}", cpu=1)  # beside the load
        self.settings = {"AGENT_PROFILE": path, "OPENAI_API_KEY": "sk-bench", "OPENAI_TTS_MODEL": "tts-1", "CHAT_MODEL": "none", **env}
        self.said = ["--speech", speech(), "--noise", str(noise), *(options or TALK)]

    def __enter__(self):
        self.provider.__enter__()
        super().__init__(self.said, OPENAI_BASE_URL=f"http://127.0.0.1:{self.provider.port}/v1", **self.settings)
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self.provider.__exit__()
        self.scratch.cleanup()


def servers():
    """{name: (title, how to make one, or why there is none)}"""
    def program(name, *args, **more):
        path = os.path.join(PROGRAMS, name)
        return functools.partial(Server, path, *args, **more) if os.path.exists(path) else f"{name} was not built"

    python = "/usr/bin/python3"
    has_fastapi = subprocess.run([python, "-c", "import fastapi, uvicorn, websockets"], capture_output=True, check=False).returncode == 0
    no_ws = packages.install()
    talk = ["--speech", speech(), "--noise", str(QUIET), *TALK]
    return {
        "ours": ("AgentLocator, echo line", Ours),
        "epoll": ("bare epoll echo", program("floor", "{port}", "echo")),
        "wslay": ("libh2o + wslay echo", program("wslay", "{port}")),
        "ws": ("Node ws echo", no_ws or functools.partial(
            Server, "node", os.path.join(HERE, "echo.js"), "{port}", NODE_PATH=os.path.join(packages.PLACE, "node_modules"))),
        "fastapi": ("FastAPI + websockets echo", functools.partial(
            Server, python, "-m", "uvicorn", "--app-dir", HERE, "--port", "{port}", "--log-level", "error", "echo:app",
            PYTHONDONTWRITEBYTECODE="1") if has_fastapi else "no python3-fastapi, python3-uvicorn, python3-websockets"),
        "discard": ("bare epoll, reads only", program("floor", "{port}", "discard", options=talk)),
        "agent": ("AgentLocator, agent", Agent),
        "noisy": ("AgentLocator, agent, noisy lines", functools.partial(Agent, NOISY)),
    }
