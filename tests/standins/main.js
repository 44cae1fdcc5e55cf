/*
 * main.js - OpenAI, Google and Twilio on loopback, in one process
 *
 * Usage: node main.js [--record FILE] [--forget] [--tls KEY CERT] [--settings JSON]
 *
 * Prints one line of JSON when all listen: the port of each, and the service account for Google. Ends with its standard input,
 * i.e. with whoever started it. --forget: keeps no requests, for benchmarks; --settings: as POST /settings.
 *
 * Control, over HTTP on a port of its own:
 *   POST /settings {"openai": {...}}   over what is set
 *   POST /faults {"openai": [{"fault": "stall", "path": "/chat/completions", "n": 1}]}   in place of those before; n 0: all
 *   POST /close?vendor=V, /listen?vendor=V, /hang_up?vendor=V   refuse connections; take them again; drop those there are
 *   POST /certify?vendor=V {"key": FILE, "cert": FILE}   another certificate
 *   GET /requests?vendor=V&path=SUFFIX&n=N[&ended=1][&method=HEAD]   the records, as soon as there are N (that are over); after 40 s those there are
 *   GET /state   settings and counters of all
 */
const fs = require("fs");
const http = require("http");
const { Cloud, Recorder } = require("./cloud");
const faults = require("./faults");
const vendors = [require("./openai"), require("./google"), require("./twilio")];

const WAIT_MS = 40000;

function options(words) {
  const found = { isKept: true, settings: {} };
  const known = {
    "--record": () => { found.record = words.shift(); },
    "--forget": () => { found.isKept = false; },
    "--tls": () => { found.tls = pair(words.shift(), words.shift()); },
    "--settings": () => { found.settings = JSON.parse(words.shift()); },
  };
  while (words.length) {
    const word = words.shift();
    if (!known[word]) throw new Error(`unknown option: ${word}`);
    known[word]();
  }
  return found;
}

function pair(key, cert) {
  return { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
}

const chosen = options(process.argv.slice(2));
const recorder = new Recorder(chosen.record, chosen.isKept);
const clouds = Object.fromEntries(vendors.map((vendor) => [vendor.name, new Cloud(vendor, structuredClone(vendor.defaults), recorder, chosen.tls)]));

function set(changes) {
  for (const [name, values] of Object.entries(changes)) Object.assign(clouds[name].settings, values);
}

function state() {
  return Object.fromEntries(Object.entries(clouds).map(([name, cloud]) => {
    const { account, ...settings } = cloud.settings;
    return [name, { settings, port: cloud.port, n_connections: cloud.nConnections, n_open: cloud.sockets.size, faults: cloud.faults }];
  }));
}

const commands = {
  "POST /settings": (query, body) => set(body),
  "POST /faults": (query, body) => {
    for (const [name, rows] of Object.entries(body)) clouds[name].faults = rows.map(faults.order);
  },
  "POST /close": (query) => clouds[query.get("vendor")].close(),
  "POST /listen": (query) => clouds[query.get("vendor")].listen(),
  "POST /hang_up": (query) => clouds[query.get("vendor")].hangUp(),
  "POST /certify": (query, body) => clouds[query.get("vendor")].certify(pair(body.key, body.cert)),
  "GET /state": state,
  "GET /requests": (query) => new Promise((resolve) => {
    const asked = (name, value) => !query.get(name) || query.get(name) === value;
    recorder.wait((record) => asked("vendor", record.vendor) && record.path.split("?")[0].endsWith(query.get("path") || "") 
      && (record.method === "HEAD") === (query.get("method") === "HEAD")
      && (!query.get("ended") || record.ended), Number(query.get("n") || 0), WAIT_MS, resolve);
  }),
};

const control = http.createServer((req, res) => {
  const parts = [];
  req.on("data", (part) => parts.push(part));
  req.on("end", async () => {
    const [path, query] = req.url.split("?");
    const command = commands[`${req.method} ${path}`];
    try {
      if (!command) throw new Error("no such command");
      const answer = await command(new URLSearchParams(query || ""), parts.length ? JSON.parse(Buffer.concat(parts).toString("utf8")) : null);
      res.end(JSON.stringify(answer === undefined ? null : answer));
    } catch (error) {
      res.statusCode = 400;
      res.end(String(error.stack));
    }
  });
});

async function main() {
  for (const cloud of Object.values(clouds)) await cloud.listen();
  const scheme = chosen.tls ? "https://localhost" : "http://127.0.0.1";
  const account = vendors[1].account(`${scheme}:${clouds.google.port}/token`);
  clouds.google.settings.account = account;
  set(chosen.settings);
  control.listen(0, "127.0.0.1", () => {
    const ports = Object.fromEntries(Object.entries(clouds).map(([name, cloud]) => [name, cloud.port]));
    console.log(JSON.stringify({ scheme, control: control.address().port, ...ports, account: account.file }));
  });
}

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
process.stdout.on("error", () => process.exit(0));
main();
