/*
 * twilio_cases.js - random requests and the signatures Twilio's own library gives them
 *
 * Usage: node twilio_cases.js SEED COUNT; one JSON object a line: token, url, body, signature.
 */
const querystring = require("querystring");
const { getExpectedTwilioSignature } = require("twilio/lib/webhooks/webhooks");

let state = Number(process.argv[2]) >>> 0;
const count = Number(process.argv[3]);

/* xorshift: the same seed makes the same requests everywhere */
function random(n) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}

function pick(list) {
  return list[random(list.length)];
}

const letters = ["a", "B", "z", "0", "9", "_", "-", ".", "~", " ", "+", "%", "&", "=", "#", "?", "/", ":", "'", '"',
  "\r\n", "\t", "\u0001", "\u007f", "\u00e9", "\u05e9", "\u05dc", "\u0645", "\u200f", "\ufb00"];
const astral = ["\u{1f44d}", "\u{1f3fd}", "\u{10000}"];
const names = ["CallSid", "From", "To", "Body", "FromCity", "a", "A", "aa", "Aa", "AccountSid", "x[1]", "\u05e9"];
const hosts = ["gw.example.com", "gw.example.com:8443", "xn--4dbcagdahymbxekheh6e0a7fei0b.example"];
const paths = ["/", "/voice", "/webhook/incoming_call", "/a%20b/", "/%D7%A9", "/ws?x=1&y=%2B", "/q?a=b+c&d"];

function text(alphabet) {
  return Array.from({ length: random(12) }, () => pick(alphabet)).join("");
}

/* Values of a name that comes twice are sorted: by UTF-16 there, by bytes here, which differ beyond U+FFFF only. */
function fields() {
  const all = {};
  for (let i = random(10); i > 0; i--)
    all[pick(names)] = random(5) ? text(letters.concat(astral)) : Array.from({ length: 1 + random(4) }, () => text(letters));
  return all;
}

for (let i = 0; i < count; i++) {
  const token = Array.from({ length: 32 }, () => "0123456789abcdef"[random(16)]).join("");
  const stream = random(8) === 0;
  const url = (stream ? "wss://" : "https://") + pick(hosts) + pick(paths);
  const params = stream ? {} : fields();
  const signature = getExpectedTwilioSignature(token, url, params);
  console.log(JSON.stringify({ token, url, body: stream ? null : querystring.stringify(params), signature }));
}
