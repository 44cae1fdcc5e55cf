/*
 * google.js - Google: tokens for service accounts, text to speech
 *
 * A key pair of its own makes the service account that the daemon is given; an assertion has to be signed with it and to claim
 * what Google asks for. Speech is for bearers of tokens that were given out and have not expired, or that the account signed
 * itself, as Google's own client does.
 */
const crypto = require("crypto");
const sound = require("./sound");

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const SERVICE = "https://texttospeech.googleapis.com/";
const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TEXT_MAX = 5000; /* bytes */
const SKEW_S = 60;
const SOURCES = ["text", "ssml", "markup", "multiSpeakerMarkup"];
const ENCODINGS = ["", "LINEAR16", "MP3", "OGG_OPUS", "", "MULAW"]; /* its own client sends numbers */
const VOICE_NAMES = ["Standard-A", "Standard-B", "Standard-C", "Standard-D", "Wavenet-A", "Wavenet-B", "Wavenet-C", "Wavenet-D", "Wavenet-F"];

const defaults = {
  account: null, /* made by account() */
  audience: "", /* of assertions; "": the account's token endpoint */
  expires_in: 3599,
  tokens: {}, /* token: when it ends, ms */
  synthesize_ms: 0,
  voice: "",
};

const REFUSALS = {
  unauthorised: [401, "UNAUTHENTICATED", "Request had invalid authentication credentials. Expected OAuth 2 access token."],
  forbidden: [403, "PERMISSION_DENIED", "Cloud Text-to-Speech API has not been used in project before or it is disabled."],
  busy: [429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'All requests'."],
  spent: [429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'All requests' and limit 'per day'."],
  broken: [500, "INTERNAL", "Internal error encountered."],
  path: [404, "NOT_FOUND", "Method not found."],
  method: [404, "NOT_FOUND", "Method not found."],
  bad: [400, "INVALID_ARGUMENT", "Request contains an invalid argument."],
};

function refusal(kind, detail) {
  const [code, status, message] = REFUSALS[kind];
  return {
    status: code,
    headers: kind === "busy" ? { "retry-after": detail } : {},
    body: { error: { code, message: kind === "bad" ? detail : message, status } },
  };
}

/* A service account whose token endpoint is `tokenUri`; the public half stays here. */
function account(tokenUri) {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    publicKey,
    file: {
      type: "service_account", project_id: "standin", private_key_id: crypto.randomBytes(20).toString("hex"),
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }), client_email: "agent@standin.iam.gserviceaccount.com",
      client_id: "100000000000000000001", auth_uri: "https://accounts.google.com/o/oauth2/auth", token_uri: tokenUri, universe_domain: "googleapis.com",
    },
  };
}

/* What Google says is wrong with a token that a service account signed, or null; isMeant(claims): that it is for this. */
function wrong(assertion, { file, publicKey }, isMeant) {
  const parts = String(assertion).split(".");
  if (parts.length !== 3 || !parts.every((part) => /^[\w-]+$/.test(part))) return "Bad Request";
  let header, claims;
  try {
    [header, claims] = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url").toString("utf8")));
  } catch (error) {
    return "Bad Request";
  }
  if (header.alg !== "RS256" || (header.typ && header.typ !== "JWT")) return "Invalid JWT: unsupported algorithm.";
  if (claims.iss !== file.client_email) return "Invalid grant: account not found";
  if (header.kid && header.kid !== file.private_key_id) return "Invalid JWT Signature.";
  if (!crypto.verify("RSA-SHA256", Buffer.from(parts.slice(0, 2).join(".")), publicKey, Buffer.from(parts[2], "base64url")))
    return "Invalid JWT Signature.";
  if (!isMeant(claims)) return "Invalid JWT: Failed audience check.";
  const now = Date.now() / 1000;
  const isTimely = Number.isInteger(claims.iat) && Number.isInteger(claims.exp) && claims.iat <= now + SKEW_S && claims.exp > now && claims.exp - claims.iat <= 3600;
  return isTimely ? null
    : "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.";
}

const hasScope = (claims) => String(claims.scope || "").split(" ").includes(SCOPE);

function token(request, reply) {
  const { settings } = reply.cloud;
  const form = new URLSearchParams(request.body.toString("utf8"));
  if (!/^application\/x-www-form-urlencoded/.test(request.headers["content-type"] || "") || form.get("grant_type") !== GRANT)
    return reply.json(400, { error: "unsupported_grant_type", error_description: `Invalid grant_type: ${form.get("grant_type")}` });
  const audience = settings.audience || settings.account.file.token_uri;
  const why = wrong(form.get("assertion"), settings.account, (claims) => claims.aud === audience && hasScope(claims));
  if (why) return reply.json(400, { error: "invalid_grant", error_description: why });
  const given = "ya29.standin-" + crypto.randomBytes(16).toString("hex");
  settings.tokens[given] = Date.now() + settings.expires_in * 1000;
  return reply.json(200, { access_token: given, expires_in: settings.expires_in, token_type: "Bearer" });
}

function borne(handler) {
  return (request, reply) => {
    const { settings } = reply.cloud;
    const bearer = (request.headers.authorization || "").replace(/^Bearer /, "");
    const isGiven = settings.tokens[bearer] > Date.now();
    if (!isGiven && wrong(bearer, settings.account, (claims) => claims.aud === SERVICE || hasScope(claims))) return reply.refuse("unauthorised");
    const wait = settings.synthesize_ms;
    return wait ? setTimeout(() => handler(request, reply, settings), wait) : handler(request, reply, settings);
  };
}

const encoding = ({ audioEncoding }) => ENCODINGS[audioEncoding] || audioEncoding;

/* What is wrong with a request for speech, or null. */
function unspeakable({ input = {}, voice = {}, audioConfig = {} }) {
  const sources = SOURCES.filter((name) => input[name] !== undefined);
  if (sources.length !== 1) return "Either `input.text` or `input.ssml` is required, and not both.";
  const n = Buffer.byteLength(input[sources[0]]);
  if (!n) return "Input is empty.";
  if (n > TEXT_MAX) return `Either \`input.text\` or \`input.ssml\` is longer than the limit of ${TEXT_MAX} bytes.`;
  const language = voice.languageCode || "";
  if (!/^[a-z]{2}-[A-Z]{2}$/.test(language)) return "Voice language code is required.";
  if (voice.name && !(voice.name.startsWith(language + "-") && VOICE_NAMES.includes(voice.name.slice(language.length + 1))))
    return `Voice '${voice.name}' does not exist. Is it misspelled?`;
  if (!["MULAW", "LINEAR16"].includes(encoding(audioConfig))) return "the stand-in speaks MULAW and LINEAR16 only";
  const rate = audioConfig.sampleRateHertz;
  return rate === undefined || (Number.isInteger(rate) && rate >= 8000 && rate <= 48000) ? null : "Unsupported sample rate.";
}

function synthesize(request, reply, settings) {
  let body;
  try {
    body = JSON.parse(request.body.toString("utf8"));
  } catch (error) {
    return reply.refuse("bad", "Invalid JSON payload received.");
  }
  const why = unspeakable(body);
  if (why) return reply.refuse("bad", why);
  const rate = body.audioConfig.sampleRateHertz || 24000;
  const text = Object.values(body.input)[0].replace(/<[^>]*>/g, "");
  return sound.speak(text, rate, settings.voice, (pcm) => {
    const isUlaw = encoding(body.audioConfig) === "MULAW";
    const wav = sound.wav(isUlaw ? sound.toUlaw(pcm) : sound.toBytes(pcm), rate, isUlaw);
    reply.send(200, { "content-type": "application/json; charset=UTF-8" }, `{\n  "audioContent": "${wav.toString("base64")}"\n}\n`);
  });
}

function voices(request, reply) {
  const wanted = request.query.get("languageCode");
  const of = (language) => VOICE_NAMES.map((name, i) => ({ languageCodes: [language], name: `${language}-${name}`, ssmlGender: i % 2 ? "MALE" : "FEMALE", naturalSampleRateHertz: 24000 }));
  return reply.json(200, { voices: ["en-US", "he-IL"].filter((language) => !wanted || language.startsWith(wanted)).flatMap(of) });
}

const routes = [
  { method: "POST", path: /^\/token$/, answer: token },
  { method: "POST", path: /^\/v1\/text:synthesize$/, answer: borne(synthesize) },
  { method: "GET", path: /^\/v1\/voices$/, answer: borne(voices) },
];

module.exports = { account, name: "google", defaults, refusal, routes };
