/*
 * sound.js - a voice for the stand-ins: a hum in syllables as long as its text, or flite where a human listens
 */
const { execFile } = require("child_process");

const LETTER_MS = 55, SHORTEST_MS = 400, HUM_S = 30;
const hums = new Map();

/* int16 samples of a hum with a syllable a quarter of a second, made once a rate. */
function hum(rate) {
  if (!hums.has(rate)) {
    const pcm = new Int16Array(HUM_S * rate);
    for (let i = 0; i < pcm.length; i++) {
      const t = i / rate;
      const syllable = 0.55 - 0.45 * Math.cos(2 * Math.PI * 4 * t);
      const wave = Math.sin(2 * Math.PI * 140 * t) + 0.6 * Math.sin(2 * Math.PI * 560 * t) + 0.3 * Math.sin(2 * Math.PI * 1400 * t);
      pcm[i] = 7000 * syllable * wave;
    }
    hums.set(rate, pcm);
  }
  return hums.get(rate);
}

function hummed(text, rate) {
  const ms = Math.max(SHORTEST_MS, LETTER_MS * [...text].length);
  return hum(rate).subarray(0, Math.min(HUM_S * rate, Math.round((ms * rate) / 1000)));
}

/* Straight lines between samples, after the mean of each step when the rate falls: good enough to listen to. */
function resampled(pcm, from, to) {
  const out = new Int16Array(Math.floor((pcm.length * to) / from));
  const width = Math.max(1, Math.round(from / to));
  for (let i = 0; i < out.length; i++) {
    const at = (i * from) / to;
    const k = Math.floor(at);
    let sum = 0;
    if (width > 1) {
      for (let j = 0; j < width; j++) sum += pcm[Math.min(pcm.length - 1, k + j)];
      out[i] = sum / width;
    } else {
      const next = pcm[Math.min(pcm.length - 1, k + 1)];
      out[i] = pcm[k] + (next - pcm[k]) * (at - k);
    }
  }
  return out;
}

/* then(int16 samples); voice: a voice of flite, or "" for the hum. */
function speak(text, rate, voice, then) {
  if (!voice) return then(hummed(text, rate));
  execFile("flite", ["-voice", voice, "-t", text, "-o", "/dev/stdout"], { encoding: "buffer", maxBuffer: 1 << 24 }, (error, wav) => {
    const at = error ? -1 : wav.indexOf("data");
    if (at < 0) return then(hummed(text, rate));
    const n = Math.floor((wav.length - at - 8) / 2);
    const pcm = new Int16Array(n);
    for (let i = 0; i < n; i++) pcm[i] = wav.readInt16LE(at + 8 + 2 * i);
    return then(resampled(pcm, wav.readUInt32LE(24), rate));
  });
}

function ulaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const size = Math.min(32635, Math.abs(sample)) + 132;
  const exponent = Math.floor(Math.log2(size)) - 7;
  return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 15)) & 255;
}

const ULAW = Uint8Array.from({ length: 65536 }, (_, i) => ulaw(i - 32768));

function toUlaw(pcm) {
  const out = Buffer.allocUnsafe(pcm.length);
  for (let i = 0; i < pcm.length; i++) out[i] = ULAW[pcm[i] + 32768];
  return out;
}

function toBytes(pcm) {
  return Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength);
}

/* As Google sends it: mu-law has an 18 byte `fmt ` and a `fact`. */
function wav(data, rate, isUlaw) {
  const fmt = Buffer.alloc(isUlaw ? 26 : 24);
  fmt.write("fmt ");
  fmt.writeUInt32LE(fmt.length - 8, 4);
  fmt.writeUInt16LE(isUlaw ? 7 : 1, 8);
  fmt.writeUInt16LE(1, 10);
  fmt.writeUInt32LE(rate, 12);
  fmt.writeUInt32LE(rate * (isUlaw ? 1 : 2), 16);
  fmt.writeUInt16LE(isUlaw ? 1 : 2, 20);
  fmt.writeUInt16LE(isUlaw ? 8 : 16, 22);
  const fact = Buffer.alloc(isUlaw ? 12 : 0);
  if (isUlaw) {
    fact.write("fact");
    fact.writeUInt32LE(4, 4);
    fact.writeUInt32LE(data.length, 8);
  }
  const head = Buffer.alloc(8);
  head.write("data");
  head.writeUInt32LE(data.length, 4);
  const riff = Buffer.alloc(12);
  riff.write("RIFF");
  riff.writeUInt32LE(4 + fmt.length + fact.length + 8 + data.length, 4);
  riff.write("WAVE", 8);
  return Buffer.concat([riff, fmt, fact, head, data]);
}

/* { seconds, level } of a WAV file of 16 bit: how long it is, and its root mean square. */
function measure(bytes) {
  const at = bytes.indexOf("data");
  if (bytes.toString("latin1", 0, 4) !== "RIFF" || at < 0) return null;
  const rate = bytes.readUInt32LE(24);
  const n = Math.floor((bytes.length - at - 8) / 2);
  let sum = 0;
  for (let i = 0; i < n; i += 8) sum += bytes.readInt16LE(at + 8 + 2 * i) ** 2;
  return { rate, seconds: n / rate, level: Math.sqrt(sum / Math.max(1, n / 8)) };
}

module.exports = { measure, speak, toBytes, toUlaw, wav };
