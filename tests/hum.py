"""hum.py - a caller who hums for a second; what he says a stand-in knows"""

import os
import struct
import wave


def hum(folder):
    """The path of a WAV file in it."""
    path = os.path.join(folder, "hum.wav")
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        samples = [int(9000 * (1 if i // 40 % 2 else -1) * (0.4 + 0.6 * (i // 400 % 2))) for i in range(9600)]
        out.writeframes(struct.pack(f"<{len(samples)}h", *samples) + bytes(8000))
    return path
