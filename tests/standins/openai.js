/*
 * openai.js - OpenAI: transcriptions, chat completions, speech; and whisper.cpp's /inference
 *
 * The model is a list of rules, asked from the first: one answers when all it asks for holds. It asks with `if` (a pattern over
 * the last message), `role` (of that message), `system` (a pattern), `json` (the answer has to be JSON) and `users` (how many
 * messages of the user there are); it answers with `say` and `tools` ([{ name, arguments }]). What is wrong with the order of
 * the messages is refused as OpenAI does.
 */
const { multipart } = require("./multipart");
const sound = require("./sound");

const SPEECH_MAX = 4096, SPEECH_PIECE = 4801; /* odd, so that samples are split */
const ENDLESS = "and another thing is that we are open every day. ";
const VOICES = new Set(["alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar"]);
const ROLES = new Set(["developer", "system", "user", "assistant", "tool"]);

const defaults = {
  key: "sk-standin", /* "": nobody is asked for one */
  transcripts: [], /* said in this order, whatever the audio is */
  heard: [{ seconds: 1, text: "hello there" }], /* else what was nearest in length */
  quiet_level: 60, /* below it nothing was said, and Whisper invents */
  is_plain: false, /* the model of a transcription knows json only */
  transcribe_ms: 0,
  rules: [],
  first_token_ms: 0,
  token_ms: 0, /* 0: all at once */
  split: 0, /* bytes of a piece on the network; 0: as they come */
  is_whole: false, /* calls of tools in one fragment */
  speech_ms: 0,
  voice: "", /* of flite; "": a hum */
};

const REFUSALS = {
  unauthorised: [401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."],
  forbidden: [403, "invalid_request_error", "unsupported_country_region_territory", "Country, region, or territory not supported"],
  busy: [429, "requests", "rate_limit_exceeded", "Rate limit reached for requests"],
  spent: [429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota, please check your plan and billing details."],
  broken: [500, "server_error", null, "The server had an error while processing your request. Sorry about that!"],
  path: [404, "invalid_request_error", null, "Invalid URL"],
  method: [405, "invalid_request_error", "method_not_supported", "Not allowed"],
  model: [404, "invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."],
  bad: [400, "invalid_request_error", null, "Bad request"],
};

function refusal(kind, detail) {
  const [status, type, code, message] = REFUSALS[kind];
  const isBad = kind === "bad";
  return {
    status,
    headers: kind === "busy" ? { "retry-after": detail, "x-ratelimit-remaining-requests": "0" } : {},
    body: { error: { message: isBad ? detail : message, type, param: null, code } },
  };
}

/* handler(request, reply, settings), behind the key. */
function keyed(handler) {
  return (request, reply) => {
    const { settings } = reply.cloud;
    reply.res.setHeader("x-request-id", `req_${reply.cloud.recorder.count}`);
    reply.res.setHeader("openai-processing-ms", "1");
    if (settings.key && request.headers.authorization !== `Bearer ${settings.key}`) return reply.refuse("unauthorised");
    return handler(request, reply, settings);
  };
}

function later(ms, what) {
  if (ms) setTimeout(what, ms);
  else what();
}

/* --- transcriptions */

/* What was heard in a recording of 16 bit: { text, ...how sure }. */
function hear(settings, audio) {
  if (settings.transcripts.length) {
    const next = settings.transcripts.shift();
    return typeof next === "string" ? { text: next } : next;
  }
  if (audio.level < settings.quiet_level) return { text: "Thank you for watching!", no_speech_prob: 0.93, avg_logprob: -1.4 };
  const far = (row) => Math.abs(row.seconds - audio.seconds);
  return settings.heard.reduce((best, row) => (far(row) < far(best) ? row : best));
}

function verbose(said, seconds, language) {
  const words = { avg_logprob: -0.2, compression_ratio: 1.1, no_speech_prob: 0.01, ...said };
  return {
    task: "transcribe", language, duration: seconds, text: said.text,
    segments: [{ id: 0, seek: 0, start: 0, end: seconds, text: " " + said.text, tokens: [1], temperature: 0, avg_logprob: words.avg_logprob,
      compression_ratio: words.compression_ratio, no_speech_prob: words.no_speech_prob }],
    usage: { type: "duration", seconds: Math.ceil(seconds) },
  };
}

const LANGUAGES = { en: "english", he: "hebrew" };

function transcribe(isOpenai) {
  return (request, reply, settings) => {
    const form = multipart(request.headers["content-type"], request.body);
    const refuse = (why) => (isOpenai ? reply.refuse("bad", why) : reply.json(400, { error: why }));
    if (!form || !form.file) return refuse("no 'file' field in the request");
    if (isOpenai && !(form.model && form.model.text)) return refuse("you must provide a model parameter");
    if (isOpenai && !/\.(flac|mp3|mp4|mpeg|mpga|m4a|ogg|wav|webm)$/.test(form.file.filename || "")) return refuse("Unrecognized file format.");
    const audio = sound.measure(form.file.bytes);
    if (!audio) return refuse("Audio file might be corrupted or unsupported");
    const format = form.response_format ? form.response_format.text : "json";
    if (format === "verbose_json" && settings.is_plain)
      return refuse(`response_format 'verbose_json' is not compatible with model '${form.model.text}'. Use 'json' or 'text' instead.`);
    return later(settings.transcribe_ms, () => {
      const said = hear(settings, audio);
      const language = LANGUAGES[form.language ? form.language.text : "en"] || "english";
      if (format === "text") return reply.send(200, { "content-type": isOpenai ? "text/plain" : "text/html" }, said.text + "\n");
      if (format === "verbose_json") return reply.json(200, verbose(said, audio.seconds, language));
      return reply.json(200, isOpenai ? { text: said.text, usage: { type: "duration", seconds: Math.ceil(audio.seconds) } } : { text: said.text + "\n" });
    });
  };
}

/* --- chat */

/* What OpenAI says of messages it cannot go on from, or null. */
function wrong(body) {
  const { messages } = body;
  if (!Array.isArray(messages) || !messages.length) return "Invalid 'messages': empty array. Expected an array with minimum length 1.";
  let open = new Set();
  for (const [i, message] of messages.entries()) {
    if (!ROLES.has(message.role)) return `Invalid value: '${message.role}' of messages[${i}].role`;
    if (message.role === "tool" && !open.delete(message.tool_call_id))
      return "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
    if (message.role !== "tool" && open.size)
      return `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. Missing: ${[...open]}`;
    if (message.role === "assistant" && message.tool_calls) open = new Set(message.tool_calls.map((call) => call.id));
    if (typeof message.content !== "string" && !(message.role === "assistant" && message.tool_calls))
      return `Invalid type for 'messages[${i}].content'`;
  }
  return open.size ? "An assistant message with 'tool_calls' must be followed by tool messages" : null;
}

function decide(rules, body) {
  const last = body.messages[body.messages.length - 1];
  const system = body.messages.filter((message) => message.role === "system" || message.role === "developer").map((message) => message.content).join("\n");
  const users = body.messages.filter((message) => message.role === "user").length;
  const isJson = Boolean(body.response_format && body.response_format.type !== "text");
  const rule = rules.find((row) => (row.role === undefined || row.role === last.role) && (row.users === undefined || row.users === users)
    && (row.json === undefined ? !isJson : row.json === isJson) && (!row.if || new RegExp(row.if, "iu").test(last.content || ""))
    && (!row.system || new RegExp(row.system, "iu").test(system)));
  return rule || { say: isJson ? "{}" : "I see. Could you tell me a little more about that?" };
}

const DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/* A rule's answer with what it asks for put in: {n} the request's number, so that no two are equal, {last} what the user said
   last, {digits} the digits of it. */
function filled(rule, body, n) {
  const user = body.messages.filter((message) => message.role === "user").pop() || { content: "" };
  const last = String(user.content).replace(/<\/?caller>/g, ""); /* the daemon marks what a stranger said */
  const digits = last.toLowerCase().split(/[\s,.]+/).map((word) => (DIGITS.includes(word) ? DIGITS.indexOf(word) : word)).join("").replace(/\D/g, "");
  const put = (text) => text.replace("{n}", n).replace("{last}", JSON.stringify(last).slice(1, -1)).replace("{digits}", digits);
  return { say: put(rule.say || ""), tools: JSON.parse(put(JSON.stringify(rule.tools || []))) };
}

/* What is wrong with the calls of tools is put there on order. */
function spoil(calls, fault, body) {
  const spoilers = {
    bad_arguments: (call) => ({ ...call, arguments: { nothing_of_this: [1, 2, 3] } }),
    broken_arguments: (call) => ({ ...call, arguments: '{"name": "An' }),
    unknown_tool: (call) => ({ ...call, name: "delete_everything" }),
  };
  if (!fault || !spoilers[fault.fault]) return calls;
  const first = body.tools && body.tools[0] ? { name: body.tools[0].function.name, arguments: {} } : { name: "none", arguments: {} };
  return (calls.length ? calls : [first]).map(spoilers[fault.fault]);
}

let nCalls = 0;

function worded(call) {
  const text = typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments);
  return { id: `call_${++nCalls}`, type: "function", function: { name: call.name, arguments: text } };
}

const tokens = (text) => text.match(/\s*\S+/gu) || [];

/* The deltas of an answer, in order. */
function* deltas(say, calls, isWhole) {
  yield { role: "assistant", content: say ? "" : null };
  for (const token of tokens(say)) yield { content: token };
  for (const [index, call] of calls.entries()) {
    if (isWhole) {
      yield { tool_calls: [{ index, ...call }] };
      continue;
    }
    yield { tool_calls: [{ index, id: call.id, type: "function", function: { name: call.function.name, arguments: "" } }] };
    for (const part of call.function.arguments.match(/.{1,6}/gsu) || [])
      yield { tool_calls: [{ index, function: { arguments: part } }] };
  }
}

function* events(body, answer, usage) {
  const { say, calls, fault, isWhole } = answer;
  const head = { id: `chatcmpl-${nCalls}`, object: "chat.completion.chunk", created: Math.floor(Date.now() / 1000), model: body.model, system_fingerprint: "fp_standin" };
  const wantsUsage = Boolean(body.stream_options && body.stream_options.include_usage);
  const event = (choices, more) => `data: ${JSON.stringify({ ...head, choices, ...(wantsUsage ? { usage: null } : {}), ...more })}\n\n`;
  const delta = (change) => event([{ index: 0, delta: change, logprobs: null, finish_reason: null }]);
  let first = ""; /* the role travels with the first token */
  for (const change of deltas(say, calls, isWhole)) {
    if (change.role) first = ": the role comes first\n\n" + delta(change);
    else {
      yield first + delta(change);
      first = "";
    }
    if (fault === "error_event" && !first) {
      yield `event: error\ndata: ${JSON.stringify(refusal("broken").body)}\n\n`;
      return;
    }
  }
  if (first) yield first;
  while (fault === "talkative") for (const token of tokens(ENDLESS)) yield delta({ content: " " + token.trim() });
  if (fault === "no_done") return;
  yield event([{ index: 0, delta: {}, logprobs: null, finish_reason: calls.length ? "tool_calls" : "stop" }]);
  if (wantsUsage) yield event([], { usage });
  yield "data: [DONE]\n\n";
}

/* All at once, or a token each token_ms; cut into pieces that respect no character when that is set. */
function stream(reply, all, settings) {
  const isEndless = reply.fault && reply.fault.fault === "talkative";
  const pace = settings.token_ms || (isEndless ? 5 : 0);
  reply.begin(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  if (!pace && !reply.fault && !settings.split) {
    reply.end([...all].join(""));
    return;
  }
  const pieces = settings.split ? split(Buffer.from([...all].join("")), settings.split) : all;
  const next = () => {
    const { value, done } = pieces.next();
    if (reply.isGone) return;
    if (done) return void reply.end();
    reply.write(value);
    later(pace, pace ? next : () => setImmediate(next));
  };
  next();
}

function* split(bytes, n) {
  for (let at = 0; at < bytes.length; at += n) yield bytes.subarray(at, at + n);
}

function chat(request, reply, settings) {
  let body;
  try {
    body = JSON.parse(request.body.toString("utf8"));
  } catch (error) {
    return reply.refuse("bad", "We could not parse the JSON body of your request.");
  }
  const why = wrong(body);
  if (why) return reply.refuse("bad", why);
  if (!body.model) return reply.refuse("bad", "you must provide a model parameter");
  const { say, tools } = filled(decide(settings.rules, body), body, reply.cloud.recorder.count);
  const calls = spoil(tools, reply.fault, body).map(worded);
  const n = tokens(say).length + calls.length * 8;
  const usage = { prompt_tokens: Math.ceil(request.body.length / 4), completion_tokens: n, total_tokens: Math.ceil(request.body.length / 4) + n };
  const answer = { say, calls, isWhole: settings.is_whole, fault: reply.fault && reply.fault.fault };
  return later(settings.first_token_ms, () => {
    if (body.stream) return stream(reply, events(body, answer, usage), settings);
    const message = { role: "assistant", content: say || null, refusal: null, ...(calls.length ? { tool_calls: calls } : {}) };
    return reply.json(200, {
      id: `chatcmpl-${nCalls}`, object: "chat.completion", created: Math.floor(Date.now() / 1000), model: body.model,
      choices: [{ index: 0, message, logprobs: null, finish_reason: calls.length ? "tool_calls" : "stop" }], usage,
    });
  });
}

/* --- speech */

function speech(request, reply, settings) {
  let body;
  try {
    body = JSON.parse(request.body.toString("utf8"));
  } catch (error) {
    return reply.refuse("bad", "We could not parse the JSON body of your request.");
  }
  if (!body.input || [...body.input].length > SPEECH_MAX) return reply.refuse("bad", `Invalid 'input': 1 to ${SPEECH_MAX} characters`);
  if (!VOICES.has(body.voice)) return reply.refuse("bad", `Invalid 'voice': ${body.voice}`);
  if (!["pcm", "wav"].includes(body.response_format)) return reply.refuse("bad", "the stand-in speaks pcm and wav only");
  return later(settings.speech_ms, () => sound.speak(body.input, 24000, settings.voice, (pcm) => {
    const isPcm = body.response_format === "pcm";
    reply.begin(200, { "content-type": isPcm ? "audio/pcm" : "audio/wav" });
    for (const piece of split(isPcm ? sound.toBytes(pcm) : sound.wav(sound.toBytes(pcm), 24000, false), SPEECH_PIECE)) reply.write(piece);
    reply.end();
  }));
}

const routes = [
  { method: "POST", path: /^\/v1\/audio\/transcriptions$/, answer: keyed(transcribe(true)) },
  { method: "POST", path: /^\/inference$/, answer: (request, reply) => transcribe(false)(request, reply, reply.cloud.settings) },
  { method: "POST", path: /^\/v1\/chat\/completions$/, answer: keyed(chat) },
  { method: "POST", path: /^\/v1\/audio\/speech$/, answer: keyed(speech) },
  { method: "GET", path: /^\/v1\/models$/, answer: keyed((request, reply) => reply.json(200, { object: "list", data: ["whisper-1", "gpt-4o-mini", "tts-1"].map((id) => ({ id, object: "model", created: 1, owned_by: "openai" })) })) },
];

module.exports = { name: "openai", defaults, refusal, routes };
