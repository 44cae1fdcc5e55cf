/*
 * twilio_hosts.js - signed URLs in all spellings of a host, and whether Twilio's own library takes them for ours
 *
 * Usage: node twilio_hosts.js SEED; one JSON object a line: token, public_host, target, body, signature, what, good.
 */
const querystring = require("querystring");
const { getExpectedTwilioSignature, validateRequest } = require("twilio/lib/webhooks/webhooks");

let state = Number(process.argv[2]) >>> 0;

/* xorshift: the same seed makes the same requests everywhere */
function random(n) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}

const token = "0123456789abcdef0123456789abcdef";
const names = ["gw.example.com", "GW.Example.com", "gw.EXAMPLE.com", "gw.example.org"];
const ports = ["", ":443", ":8443"];
const targets = ["/voice", "/voice/", "/Voice", "/", "/a%20b?x=1", "/%D7%A9?q=a%2Bb&r=", "/voice?x=1&x=1&y"];
const bodies = [{}, { CallSid: "CA1", From: "+1" }, { A: ["2", "1", "2"], a: "x y" }];

for (const name of names.slice(0, 3))
  for (const port of ports)
    for (const signedName of names)
      for (const signedPort of ports) {
        const target = targets[random(targets.length)], params = bodies[random(bodies.length)];
        const signedTarget = random(4) ? target : targets[random(targets.length)];
        const url = `https://${signedName}${signedPort}${signedTarget}`, public_host = name + port;
        const signature = getExpectedTwilioSignature(token, url, params);
        const good = validateRequest(token, signature, `https://${public_host}${target}`, params);
        console.log(JSON.stringify({ token, public_host, target, body: querystring.stringify(params), signature, good,
          what: `${url} for https://${public_host}${target}` }));
      }
