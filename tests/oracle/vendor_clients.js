/*
 * vendor_clients.js - the vendors' own clients talk to the stand-ins: what these say has to be what those expect
 *
 * Usage: node vendor_clients.js FACTS, the line that the stand-ins print, with their keys. Prints one line of JSON a check: [good, what].
 */
const { generateKeyPairSync } = require("crypto");
const { OpenAI, toFile } = require("openai");
const { Gaxios } = require("gaxios");
const { JWT } = require("google-auth-library");
const { TextToSpeechClient } = require("@google-cloud/text-to-speech");
const twilio = require("twilio");

const facts = JSON.parse(process.argv[2]);
const GOOGLE_TOKEN = "https://oauth2.googleapis.com/token";
const base = (vendor) => `${facts.scheme}:${facts[vendor]}`;
const say = (good, what) => console.log(JSON.stringify([Boolean(good), what]));

async function refused(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return error;
  }
}

async function control(settings) {
  await fetch(`http://127.0.0.1:${facts.control}/settings`, { method: "POST", body: JSON.stringify(settings) });
}

/* A second of a hum at 8 kHz, as the daemon sends it. */
function wav() {
  const bytes = Buffer.alloc(44 + 16000);
  bytes.write("RIFF");
  bytes.writeUInt32LE(36 + 16000, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(8000, 24);
  bytes.writeUInt32LE(16000, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(16000, 40);
  for (let i = 0; i < 8000; i++) bytes.writeInt16LE(i % 50 < 25 ? 9000 : -9000, 44 + 2 * i);
  return bytes;
}

const TOOLS = [{ type: "function", function: { name: "save_contact", parameters: { type: "object", properties: { name: { type: "string" } }, required: ["name"] } } }];

async function openai() {
  const client = new OpenAI({ apiKey: facts.key, baseURL: base("openai") + "/v1", maxRetries: 0 });
  const file = () => toFile(wav(), "a.wav", { type: "audio/wav" });

  const heard = await client.audio.transcriptions.create({ file: await file(), model: "whisper-1", response_format: "verbose_json", language: "en" });
  say(heard.text === "hello there" && heard.language === "english" && heard.segments[0].no_speech_prob < 0.5, "openai: a transcription with how sure it is");
  const text = await client.audio.transcriptions.create({ file: await file(), model: "whisper-1", response_format: "text" });
  say(String(text).trim() === "hello there", "openai: a transcription as text");

  const messages = [{ role: "user", content: "My name is Anna." }];
  const runner = client.chat.completions.stream({ model: "gpt-4o-mini", messages, tools: TOOLS, stream_options: { include_usage: true } });
  const final = await runner.finalChatCompletion();
  const call = final.choices[0].message.tool_calls[0];
  say(final.choices[0].finish_reason === "tool_calls" && call.function.name === "save_contact" && JSON.parse(call.function.arguments).name === "Anna",
    "openai: a streamed call of a tool, put together from its fragments");
  say(final.choices[0].message.content === "One moment." && final.usage.total_tokens > 0, "openai: with text before it and the usage after");
  const open = await refused(() => client.chat.completions.create({ model: "gpt-4o-mini", messages: [...messages, final.choices[0].message, ...messages] }));
  say(open && open.status === 400, "openai: a call without its result is refused");
  const next = await client.chat.completions.create({ model: "gpt-4o-mini", messages: [...messages, final.choices[0].message, { role: "tool", tool_call_id: call.id, content: "{}" }] });
  say(next.choices[0].message.content === "Thank you, Anna. \u05e9\u05dc\u05d5\u05dd." && next.choices[0].finish_reason === "stop", "openai: the result of a tool is answered, without a stream");

  const speech = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Good morning, this is our office.", response_format: "pcm" });
  const pcm = Buffer.from(await speech.arrayBuffer());
  say(pcm.length % 2 === 0 && pcm.length / 48000 > 1, `openai: speech, ${(pcm.length / 48000).toFixed(1)} s of PCM`);

  const nobody = await refused(() => new OpenAI({ apiKey: "sk-other", baseURL: base("openai") + "/v1", maxRetries: 0 }).models.list());
  say(nobody instanceof OpenAI.AuthenticationError && nobody.code === "invalid_api_key", "openai: a wrong key is refused");
  const models = await client.models.list();
  say(models.data.some((model) => model.id === "whisper-1"), "openai: the list of models");
}

/* The library knows Google's own token endpoint only; what it sends there goes to the stand-in. */
class Detour extends Gaxios {
  request(options) {
    const url = String(options.url) === GOOGLE_TOKEN ? facts.account.token_uri : options.url;
    return super.request({ ...options, url });
  }
}

function account(key) {
  const { client_email: email, private_key_id: keyId } = facts.account;
  return new JWT({ email, key, keyId, scopes: ["https://www.googleapis.com/auth/cloud-platform"], transporter: new Detour() });
}

async function google() {
  await control({ google: { audience: GOOGLE_TOKEN } });
  const owner = account(facts.account.private_key);
  const token = await owner.getAccessToken();
  say(/^ya29\./.test(token.token), "google: google-auth-library gets a token");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
  const forged = await refused(() => account(privateKey).getAccessToken());
  say(forged && forged.response && forged.response.status === 400 && /invalid_grant/.test(JSON.stringify(forged.response.data)), "google: an assertion that another key signed is refused");
  await control({ google: { audience: "" } });
  const elsewhere = await refused(() => account(facts.account.private_key).getAccessToken());
  say(elsewhere && /audience/.test(JSON.stringify(elsewhere.response.data)), "google: so is one for another audience");

  const client = new TextToSpeechClient({ authClient: owner, fallback: true, protocol: "http", apiEndpoint: "127.0.0.1", port: facts.google });
  const [speech] = await client.synthesizeSpeech({ input: { text: "\u05e9\u05dc\u05d5\u05dd, how are you?" }, voice: { languageCode: "he-IL", name: "he-IL-Wavenet-A" },
    audioConfig: { audioEncoding: "MULAW", sampleRateHertz: 8000 } });
  const wav = Buffer.from(speech.audioContent);
  say(wav.toString("latin1", 0, 4) === "RIFF" && wav.readUInt16LE(20) === 7 && wav.readUInt32LE(24) === 8000 && wav.readUInt32LE(16) === 18 && wav.includes("fact"),
    "google: its own client gets mu-law of 8 kHz in a WAV with an 18 byte fmt and a fact chunk");
  const [voices] = await client.listVoices({ languageCode: "he-IL" });
  say(voices.voices.some((voice) => voice.name === "he-IL-Wavenet-A"), "google: the voices of a language");
  const none = await refused(() => client.synthesizeSpeech({ input: { text: "x" }, voice: { languageCode: "he-IL", name: "he-IL-Nobody" }, audioConfig: { audioEncoding: "MULAW" } }));
  say(none && /does not exist/.test(none.message), "google: a voice that is not is refused");
}

async function twilioRest() {
  const [sid, token] = facts.twilio_account;
  /* the library knows its own host only */
  const client = (password) => twilio(sid, password, { httpClient: { request: (options) => new twilio.RequestClient().request({ ...options, uri: options.uri.replace("https://api.twilio.com", base("twilio")) }) } });
  const sent = await client(token).messages.create({ from: "whatsapp:+14155238886", to: "whatsapp:+972501234567", body: "\u05e9\u05dc\u05d5\u05dd", mediaUrl: ["https://a.example/b"] });
  say(/^SM[0-9a-f]{32}$/.test(sent.sid) && sent.status === "queued" && sent.body === "\u05e9\u05dc\u05d5\u05dd", "twilio: a message is accepted");
  const listed = await client(token).messages.list({ to: "whatsapp:+972501234567" });
  say(listed.some((message) => message.sid === sent.sid) && listed[0].dateCreated instanceof Date, "twilio: and listed");
  const call = await client(token).calls("CA" + "0".repeat(32)).update({ twiml: "<Response><Hangup/></Response>" });
  say(call.status === "in-progress", "twilio: a call is redirected");
  const rows = [
    [{ from: "whatsapp:+14155238886", body: "x" }, 21604], [{ to: "whatsapp:+972501234567", body: "x" }, 21603],
    [{ from: "whatsapp:+14155238886", to: "whatsapp:+972501234567" }, 21602], [{ from: "whatsapp:+14155238886", to: "whatsapp:12", body: "x" }, 21211],
    [{ from: "whatsapp:+14155238886", to: "whatsapp:+972501234567", body: "x".repeat(1601) }, 21617],
  ];
  for (const [message, code] of rows) {
    const why = await refused(() => client(token).request({ method: "POST", uri: `https://api.twilio.com/2010-04-01/Accounts/${sid}/Messages.json`,
      headers: { "Content-Type": "application/x-www-form-urlencoded" }, data: Object.fromEntries(Object.entries(message).map(([name, value]) => [name[0].toUpperCase() + name.slice(1), value])) }).then(raise));
    say(why && why.code === code, `twilio: refused with ${code}`);
  }
  const nobody = await refused(() => client("f".repeat(32)).messages.list());
  say(nobody && nobody.status === 401 && nobody.code === 20003, "twilio: a wrong token is refused");
}

function raise(answer) {
  if (answer.statusCode >= 400) throw typeof answer.body === "string" ? JSON.parse(answer.body) : answer.body;
}

async function main() {
  await openai();
  await google();
  await twilioRest();
}

main().catch((error) => say(false, `it went on to the end: ${error.stack}`));
