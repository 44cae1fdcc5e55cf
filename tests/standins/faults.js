/*
 * faults.js - every way in which a provider fails, on order
 *
 * An order is { fault, path, skip, n, headers, ... }: of the requests whose path ends in `path`, n after the first `skip` (all: n 0);
 * what refuses does so with the headers. A fault acts in place of the
 * vendor, or lets the vendor answer and spoils what he says on its way: then the first piece of an answer is what got through,
 * half of it when there is but one.
 */
const SILENCE_MS = 30000, SLOW_MS = 6000; /* longer than anybody waits */
const TYPES = { "/audio/speech": "audio/pcm", "/chat/completions": "text/event-stream" }; /* else JSON */

/* What spoils an answer on its way is made from the class of the true one, which is not known here. */
function spoiled(how) {
  let made = null;
  return () => {
    if (!made) {
      const { Reply } = require("./cloud");
      made = class extends Reply {
        constructor(...args) {
          super(...args);
          this.n_pieces = 0;
        }

        send(status, headers, body) { /* its length would no longer hold */
          const bytes = Buffer.from(body);
          this.begin(status, headers);
          this.write(bytes.subarray(0, bytes.length / 2));
          this.end(bytes.subarray(bytes.length / 2));
        }

        passOn(bytes) {
          super.write(bytes);
        }

        finish() {
          super.end();
        }

        write(bytes) {
          how.piece(this, bytes, this.n_pieces++);
        }

        end(bytes) {
          if (bytes && bytes.length) this.write(bytes);
          how.end(this);
        }
      };
    }
    return made;
  };
}

const onlyFirst = (then) => ({
  piece(reply, bytes, n) {
    if (n === 0) {
      reply.passOn(bytes);
      setTimeout(() => then(reply), reply.fault.after_ms || 20); /* so that it is read before what follows */
    }
  },
  end() {},
});

function cut(reply) {
  reply.isCut = true;
  reply.cut();
}

const SPOILED = {
  stall: spoiled(onlyFirst((reply) => setTimeout(() => cut(reply), SILENCE_MS).unref())),
  reset: spoiled(onlyFirst(cut)),
  reset_stream: spoiled(onlyFirst((reply) => {
    reply.isCut = true;
    reply.cutStream();
  })),
  half: spoiled(onlyFirst((reply) => reply.finish())),
  /* All is done as it should be, but nobody hears of it. */
  lost: spoiled({ piece() {}, end: cut }),
  /* A stream whose third event is no JSON; an answer that stops in its middle. */
  malformed: spoiled({
    piece(reply, bytes, n) {
      const isStream = String(reply.res.getHeader("content-type")).startsWith("text/event-stream");
      if (isStream && n === 3) reply.passOn('data: {"choices":[{"delta":{"content":\n\n');
      else if (isStream || n === 0) reply.passOn(bytes);
    },
    end: (reply) => reply.finish(),
  }),
};

const ACTS = {
  unauthorised: (reply) => reply.refuse("unauthorised"),
  forbidden: (reply) => reply.refuse("forbidden"),
  busy: (reply) => reply.refuse("busy", reply.fault.retry_after || "20"),
  spent: (reply) => reply.refuse("spent"),
  broken: (reply) => reply.refuse("broken"),
  html: (reply) => reply.send(200, { "content-type": "text/html" }, "<html><body>It works!</body></html>"),
  empty: (reply) => reply.send(200, { "content-type": "application/json" }, ""),
  drop: cut,
  silent: (reply) => setTimeout(() => cut(reply), SILENCE_MS).unref(),
  oversized(reply) {
    const much = Buffer.alloc(1 << 20, " ");
    const path = Object.keys(TYPES).find((end) => reply.request.path.endsWith(end));
    reply.begin(200, { "content-type": TYPES[path] || "application/json" });
    const more = () => {
      for (; !reply.isGone && !reply.res.destroyed;) if (!reply.res.write(much)) break;
    };
    reply.res.on("drain", more);
    more();
  },
};

/* What only the vendor himself can do, looked at by his handler as reply.fault. */
const OWN = new Set(["talkative", "bad_arguments", "unknown_tool", "broken_arguments", "error_event", "no_done"]);

/* The fault that this request meets, or null. */
function faultFor(orders, request) {
  const order = orders.find((row) => row.left !== 0 && request.path.endsWith(row.path || "") && request.method !== "HEAD");
  if (!order || order.skipped-- > 0) return null;
  order.left--;
  const { Reply } = require("./cloud");
  const wait_ms = order.fault === "slow" ? order.ms || SLOW_MS : 0;
  return { ...order, wait_ms, Reply: SPOILED[order.fault] ? SPOILED[order.fault]() : Reply, act: ACTS[order.fault] };
}

/* Throws when nobody knows the fault. */
function order(row) {
  if (!SPOILED[row.fault] && !ACTS[row.fault] && !OWN.has(row.fault) && row.fault !== "slow") throw new Error(`no such fault: ${row.fault}`);
  return { ...row, left: row.n === undefined ? 1 : row.n || -1, skipped: row.skip || 0 };
}

module.exports = { faultFor, order };
