"""visit.py - a visit to the receptionist behind the stand-ins: what the caller says, what the model answers, what is kept"""

import functools
import os
import re
import subprocess
import tempfile
import threading

import ears
from daemon import finish_call

CALLER = ("I would like to make an appointment for next week.", "My name is Anna Brown.", "No, that is all. Thank you very much.")
FROM = "+14125550123"
NAME = "Anna Brown"
SUMMARY = "Anna Brown wants an appointment next week."

# The model; the first row that fits answers.
RULES = [
    {"json": True, "say": '{"summary": "' + SUMMARY + '", "name": "' + NAME + '"}'},
    {"role": "tool", "if": "refused", "say": "I am sorry, I could not note that. Could you say it once more?"},
    {"role": "tool", "say": "Thank you, Anna, I have noted that. Is there anything else?"},
    {"if": "appointment", "say": "Of course, next week is fine. May I have your name, please?"},
    {"if": "my name is", "say": "One moment, please.", "tools": [{"name": "save_contact", "arguments": {"name": NAME}}]},
    {"if": "that is all", "say": "You are welcome. Goodbye.", "tools": [{"name": "end_call", "arguments": {}}]},
    {"role": "user", "say": "I see. How can I help you with that?"},
    {"say": "Hello, this is the office. How can I help you?"},
]

_scratch = tempfile.TemporaryDirectory()
_flite = threading.Lock()


def recorded(words):
    """The file in which flite says it; many may ask at the same time."""
    path = os.path.join(_scratch.name, re.sub(r"\W+", "_", words)[:60] + ".wav")
    with _flite:
        if not os.path.exists(path):
            subprocess.run(["flite", "-voice", "slt", "-t", words, "-o", path], check=True)
    return path


def heard_as(*lines):
    """What the transcription is told to have heard, in order."""
    return {"transcripts": list(lines), "rules": RULES}


class Visit:
    """One call and what is left of it: the caller's ear, the store, the log. lines: what he says, and options in between."""

    def __init__(self, daemon, *lines, number=FROM, seconds=60):
        self.daemon, self.lines = daemon, [line for line in lines if isinstance(line, str)]
        self.wav = tempfile.NamedTemporaryFile(suffix=".wav", dir=_scratch.name, delete=False).name
        said = [word for line in lines for word in (("--say-text", line, "--wav", recorded(line)) if isinstance(line, str) else line)]
        self.process = daemon.call("--from", number, "--record", self.wav, "--linger", "5", "--seconds", str(seconds), *said)

    def finish(self):
        _, self.result, self.told = finish_call(self.process)
        self.sid = self.result["each"][0]["call_sid"] if self.result else ""
        self.call = self.daemon.kept("calls", self.sid) if self.sid else {"turns": [], "end": ""}
        return self

    @functools.cached_property
    def silence(self):
        return ears.longest_silence(self.wav)

    def said(self, who):
        return [turn["text"] for turn in self.call["turns"] if turn["who"] == who]

    @property
    def outcome(self):
        return self.result["each"][0]["outcome"] if self.result else "no result"

    def __str__(self):
        turns = "\n".join(f'#   {turn["who"]}: {turn["text"]!r} {turn["audio"]}' for turn in self.call["turns"])
        return f"# {self.sid} {self.outcome}, longest silence {self.silence:.2f} s\n{turns}\n#   steps {self.call.get('steps')}" + ("" if self.sid else self.told)
