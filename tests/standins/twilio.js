/*
 * twilio.js - Twilio's REST interface: messages with their status callbacks, calls that are redirected
 *
 * Media of messages are given to the account alone, by way of another place that must not see who it is.
 *
 * A message is kept, goes through its states, and each is told to its StatusCallback, signed as Twilio does; the callback's
 * host is the public name, so it is connected to `callbacks_to` instead. What was sent can be listed, as a client in doubt does.
 */
const crypto = require("crypto");
const http = require("http");

const MESSAGE_MAX = 1600, ASK_AGAIN_MS = 20;
const STATES = ["sent", "delivered"]; /* nobody is told of queued */

const defaults = {
  account_sid: "AC00000000000000000000000000000001",
  auth_token: "0123456789abcdef0123456789abcdef",
  callbacks_to: "", /* http://127.0.0.1:PORT; "": nobody is told; null: told as soon as it is known whom */
  messages: [],
  status: "active", /* of the account */
  numbers: [], /* {phone_number, voice_url, voice_method, status_callback} */
  calls: {}, /* sid: what it was told last */
  states: STATES,
  fetches: false, /* it gets the media that are to be sent, as the real one does */
  media: {}, /* ME...: { type, base64, how }: how it goes wrong */
  window: true, /* false: outside the 24 hours, so that 63016 follows */
};

const REFUSALS = {
  unauthorised: [401, 20003, "Authenticate"],
  forbidden: [403, 20003, "Permission Denied"],
  busy: [429, 20429, "Too Many Requests"],
  spent: [400, 63038, "Account exceeded the 50 daily messages limit"],
  broken: [500, 20500, "An internal server error has occurred"],
  path: [404, 20404, "The requested resource was not found"],
  method: [405, 20004, "Method not allowed"],
};

function refuseAs(status, code, message, headers = {}) {
  return { status, headers, body: { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status } };
}

function refusal(kind, detail) {
  return refuseAs(...REFUSALS[kind], kind === "busy" ? { "retry-after": detail } : {});
}

const newSid = (prefix) => prefix + crypto.randomBytes(16).toString("hex");

/* handler(request, reply, settings, form), behind the account's credentials; the account in the path is theirs. */
function known(handler) {
  return (request, reply) => {
    const { settings } = reply.cloud;
    reply.res.setHeader("twilio-request-id", newSid("RQ"));
    reply.res.setHeader("twilio-concurrent-requests", "1");
    const want = "Basic " + Buffer.from(`${settings.account_sid}:${settings.auth_token}`).toString("base64");
    if (request.headers.authorization !== want) return reply.refuse("unauthorised");
    if (!request.path.match(new RegExp(`/Accounts/${settings.account_sid}[/.]`))) return reply.refuse("path");
    if (request.method === "POST" && !/^application\/x-www-form-urlencoded/.test(request.headers["content-type"] || ""))
      return reply.json(415, refuseAs(415, 20007, "Unsupported Media Type").body);
    return handler(request, reply, settings, new URLSearchParams(request.body.toString("utf8")));
  };
}

function refuse(reply, code, message) {
  return reply.json(400, refuseAs(400, code, message).body);
}

function isVariables(text) {
  try {
    return Object.values(JSON.parse(text)).every((value) => typeof value === "string" && value);
  } catch {
    return false;
  }
}

/* What Twilio says is wrong with a message, as [code, text], or null. */
function wrong(form) {
  const to = form.get("To") || "";
  if (!to) return [21604, "A 'To' phone number is required."];
  if (!form.get("From") && !form.get("MessagingServiceSid")) return [21603, "A 'From' phone number is required."];
  if (!form.get("Body") && !form.get("MediaUrl") && !form.get("ContentSid")) return [21602, "Message body is required."];
  if ([...(form.get("Body") || "")].length > MESSAGE_MAX) return [21617, "The concatenated message body exceeds the 1600 character limit."];
  if (!/^(whatsapp:)?\+[1-9]\d{6,14}$/.test(to)) return [21211, `The 'To' number ${to} is not a valid phone number.`];
  if (to.startsWith("whatsapp:") !== (form.get("From") || to).startsWith("whatsapp:")) return [21910, "Invalid From and To pair."];
  const template = form.get("ContentSid");
  if (template && !/^HX[0-9a-f]{32}$/i.test(template)) return [21655, `The ContentSid ${template} is invalid.`];
  if (template && (form.get("Body") || form.get("MediaUrl"))) return [63030, "Parameter not allowed with this content type."];
  if (form.has("ContentVariables") && !isVariables(form.get("ContentVariables"))) return [21656, "The ContentVariables parameter is invalid."];
  if (form.getAll("MediaUrl").some((url) => !/^https?:\/\//.test(url))) return [21620, "Invalid media URL(s)."];
  const callback = form.get("StatusCallback");
  return callback && !/^https?:\/\/[^/_]+(\/|$)/.test(callback) ? [21609, `The StatusCallback URL ${callback} is not a valid URL.`] : null;
}

function shown(message, settings) {
  const uri = `/2010-04-01/Accounts/${settings.account_sid}/Messages/${message.sid}.json`;
  return {
    sid: message.sid, account_sid: settings.account_sid, api_version: "2010-04-01", to: message.to, from: message.from, body: message.body,
    status: message.status, direction: "outbound-api", num_media: String(message.media.length), num_segments: "1", price: null, price_unit: null,
    error_code: message.error || null, error_message: null, messaging_service_sid: null, date_created: message.date, date_updated: message.date,
    date_sent: null, uri, subresource_uris: { media: uri.replace(".json", "/Media.json") },
  };
}

function sign(token, url, form) {
  const text = url + [...form].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => name + value).join("");
  return crypto.createHmac("sha1", token).update(text).digest("base64");
}

/* Tells of the message's state, then of the next. */
function tell(message, settings, states) {
  if (settings.callbacks_to === null) {
    setTimeout(() => tell(message, settings, states), ASK_AGAIN_MS);
    return;
  }
  if (!message.callback || !settings.callbacks_to || !states.length) return;
  const [state, ...rest] = settings.window ? states : ["failed"];
  message.status = state;
  const form = new URLSearchParams({
    MessageSid: message.sid, SmsSid: message.sid, MessageStatus: state, SmsStatus: state, AccountSid: settings.account_sid, From: message.from,
    To: message.to, ApiVersion: "2010-04-01", ChannelPrefix: "whatsapp", ...(settings.window ? {} : { ErrorCode: "63016" }),
  });
  const url = new URL(message.callback);
  const to = new URL(settings.callbacks_to);
  const ask = http.request({
    host: to.hostname, port: to.port, path: url.pathname + url.search, method: "POST", agent: false,
    headers: {
      host: url.host, "content-type": "application/x-www-form-urlencoded", "user-agent": "TwilioProxy/1.1",
      "i-twilio-idempotency-token": crypto.randomUUID(), "x-twilio-signature": sign(settings.auth_token, message.callback, form),
    },
  }, (answer) => {
    message.told.push([state, answer.statusCode]);
    answer.resume();
    answer.on("end", () => settings.window && tell(message, settings, rest));
  });
  ask.on("error", () => message.told.push([state, 0]));
  ask.end(form.toString());
}

/* Twilio fetches what is to be sent, and whoever gave it tells nobody else; then its states follow. */
function fetchMedia(message, settings, then) {
  const url = new URL(message.media[0]), to = new URL(settings.callbacks_to);
  http.get({ host: to.hostname, port: to.port, path: url.pathname + url.search, headers: { host: url.host }, agent: false }, (answer) => {
    const hash = crypto.createHash("sha256");
    answer.on("data", (part) => hash.update(part));
    answer.on("end", () => {
      message.fetched = { status: answer.statusCode, type: answer.headers["content-type"], sha256: hash.digest("hex"), path: url.pathname, host: url.host };
      then();
    });
  }).on("error", then);
}

function send(request, reply, settings, form) {
  const problem = wrong(form);
  if (problem) return refuse(reply, ...problem);
  const message = {
    sid: newSid("SM"), to: form.get("To"), from: form.get("From"), body: form.get("Body") || "", media: form.getAll("MediaUrl"),
    template: form.get("ContentSid"), variables: form.get("ContentVariables"),
    callback: form.get("StatusCallback"), status: "queued", date: new Date().toUTCString().replace("GMT", "+0000"), told: [],
  };
  settings.messages.push(message);
  const follow = () => tell(message, settings, settings.states);
  reply.res.on("close", () => (settings.fetches && message.media.length ? fetchMedia(message, settings, follow) : follow()));
  return reply.json(201, shown(message, settings));
}

function list(request, reply, settings) {
  const asked = (name, value) => !request.query.get(name) || request.query.get(name) === value;
  const found = settings.messages.filter((message) => asked("To", message.to) && asked("From", message.from));
  const uri = request.url;
  return reply.json(200, {
    messages: found.map((message) => shown(message, settings)).reverse(), first_page_uri: uri, next_page_uri: null, previous_page_uri: null, uri,
    page: 0, page_size: 50, start: 0, end: Math.max(0, found.length - 1),
  });
}

function update(request, reply, settings, form) {
  const sid = request.path.match(/(CA[0-9a-f]{32})\.json$/i)[1];
  if (form.has("Url") && form.has("Twiml")) return refuse(reply, 21218, "Url and Twiml are exclusive");
  if (!["Url", "Twiml", "Status"].some((name) => form.has(name))) return refuse(reply, 21205, "nothing to update");
  settings.calls[sid] = Object.fromEntries(form);
  return reply.json(200, { sid, account_sid: settings.account_sid, status: form.get("Status") || "in-progress", api_version: "2010-04-01" });
}

const ENDLESS = 256 * 1024;

/* Where Twilio's media really lie: whoever shows his token there has told it to somebody else. */
function stored(request, reply) {
  const { settings } = reply.cloud;
  const media = settings.media[request.path.split("/").pop()];
  const bytes = media && Buffer.from(media.base64, "base64");
  if (request.headers.authorization || request.query.get("sig") !== "s&g=") return reply.refuse("forbidden");
  if (!media) return reply.refuse("path");
  if (media.how === "loop") return reply.send(307, { location: request.url }, "");
  if (media.how === "length") {
    reply.begin(200, { "content-type": media.type, "content-length": bytes.length + 10 });
    reply.write(bytes);
    media.how = "";
    return setTimeout(() => reply.cut(), 50);
  }
  if (media.how === "endless") {
    reply.begin(200, { "content-type": media.type });
    const more = () => { while (!reply.isGone && reply.res.write(Buffer.alloc(ENDLESS))); };
    reply.res.on("drain", more);
    return more();
  }
  if (media.how === "slow") { /* all but the last byte, which comes when it is told so */
    reply.begin(200, { "content-type": media.type, "content-length": bytes.length });
    reply.write(bytes.subarray(0, bytes.length - 1));
    const last = () => (media.how === "slow" ? setTimeout(last, ASK_AGAIN_MS) : reply.end(bytes.subarray(bytes.length - 1)));
    return last();
  }
  return reply.send(200, { "content-type": media.type }, bytes);
}

function lead(request, reply, settings) {
  const name = request.path.split("/").pop(), media = settings.media[name];
  media && (media.n = (media.n || 0) + 1);
  if (!media || (media.how === "late" && media.n === 1)) return reply.refuse("path");
  if (media.how === "gone") return reply.json(410, { code: 20404, status: 410 });
  const to = (media.how === "outside" && "http://192.0.2.1/x") || `/stored/${name}?sig=s%26g%3D`;
  return reply.send(307, { location: to }, "");
}

/* Twilio shows the token, too. */
function account(request, reply, settings) {
  const sid = settings.account_sid;
  return reply.json(200, {
    sid, owner_account_sid: sid, friendly_name: "standin", status: settings.status, type: "Full", auth_token: settings.auth_token,
    date_created: "Thu, 01 Jan 2026 00:00:00 +0000", date_updated: "Thu, 01 Jan 2026 00:00:00 +0000", subresource_uris: {},
    uri: `/2010-04-01/Accounts/${sid}.json`,
  });
}

function numbers(request, reply, settings) {
  const uri = request.url;
  return reply.json(200, {
    incoming_phone_numbers: settings.numbers.map((number, i) => ({ sid: "PN" + String(i).padStart(32, "0"), account_sid: settings.account_sid, ...number })),
    first_page_uri: uri, next_page_uri: null, previous_page_uri: null, uri, page: 0, page_size: 100, start: 0, end: Math.max(0, settings.numbers.length - 1),
  });
}

const routes = [
  { method: "GET", path: /^\/2010-04-01\/Accounts\/\w+\/Messages\/\w+\/Media\/ME[0-9a-f]{32}$/, answer: known(lead) },
  { method: "GET", path: /^\/stored\/ME[0-9a-f]{32}$/, answer: stored },
  { method: "GET", path: /^\/2010-04-01\/Accounts\/AC[0-9a-f]{32}\.json$/, answer: known(account) },
  { method: "GET", path: /^\/2010-04-01\/Accounts\/\w+\/IncomingPhoneNumbers\.json$/, answer: known(numbers) },
  { method: "POST", path: /^\/2010-04-01\/Accounts\/\w+\/Messages\.json$/, answer: known(send) },
  { method: "GET", path: /^\/2010-04-01\/Accounts\/\w+\/Messages\.json$/, answer: known(list) },
  { method: "POST", path: /^\/2010-04-01\/Accounts\/\w+\/Calls\/CA[0-9a-f]{32}\.json$/i, answer: known(update) },
];

module.exports = { name: "twilio", defaults, refusal, routes };
