"""ears.py - what a caller heard, from the stereo recording of his call: he left, the agent right, in his own play-out time"""

import array
import wave

FRAME_MS = 20
AUDIBLE = 200  # root mean square of int16; line noise and the tail of an echo are below


def _levels(path):
    """(caller's, agent's) loudness a frame of 20 ms."""
    with wave.open(path) as recording:
        n = recording.getframerate() * FRAME_MS // 1000
        pcm = array.array("h", recording.readframes(recording.getnframes()))
    sides = (pcm[0::2], pcm[1::2])
    return [[(sum(x * x for x in side[i:i + n:8]) / (n / 8)) ** 0.5 for i in range(0, len(side) - n, n)] for side in sides]


def silences(path):
    """[(from s, seconds)] in which the caller waited: from his last sound, or the agent's, to the agent's next one.

    What comes after the agent's answer to the last thing the caller said is not looked at: then the caller is to blame.
    """
    try:
        caller, agent = _levels(path)
    except EOFError:
        return [(0.0, float("inf"))]  # there was no call
    spoken = [i for i, level in enumerate(caller) if level > AUDIBLE]
    heard = [i for i, level in enumerate(agent) if level > AUDIBLE]
    if not heard:
        return [(0.0, len(agent) * FRAME_MS / 1000)]
    last = spoken[-1] if spoken else 0
    end = next((i for i in heard if i > last), len(agent))
    found, since = [], 0
    for i in range(end + 1):
        if i == end or agent[i] > AUDIBLE:
            if i - since > 1:
                found.append((since * FRAME_MS / 1000, (i - since) * FRAME_MS / 1000))
            since = i
        elif caller[i] > AUDIBLE:
            since = i
    return found


def longest_silence(path):
    """Seconds."""
    return max((seconds for _, seconds in silences(path)), default=0.0)


def heard_seconds(path):
    """How long the agent was heard at all."""
    return sum(level > AUDIBLE for level in _levels(path)[1]) * FRAME_MS / 1000
