/*
 * cloud.js - one vendor's cloud on loopback: a listener that records what it is asked and fails on order
 *
 * A vendor is { name, routes, refusal }. A route is { method, path, answer(request, reply) }, path a regular expression over
 * the whole path; refusal(kind) says how the vendor words an error. With a certificate it speaks TLS, with HTTP/2 and
 * HTTP/1.1 on offer as the real ones have; without, HTTP/1.1.
 *
 * Every request becomes a record, written as one line of JSON when it is over: how it ended is part of it.
 */
const fs = require("fs");
const http = require("http");
const http2 = require("http2");
const { faultFor } = require("./faults");


/* What a handler answers with; faults put themselves between it and the network. */
class Reply {
  constructor(request, res, cloud) {
    this.request = request;
    this.res = res;
    this.cloud = cloud;
    this.isGone = false;
  }

  begin(status, headers = {}) {
    this.res.statusCode = status;
    for (const [name, value] of Object.entries(headers)) this.res.setHeader(name, value);
  }

  write(bytes) {
    if (!this.isGone) this.res.write(bytes);
  }

  end(bytes) {
    if (!this.isGone) this.res.end(bytes);
  }

  /* The whole answer at once. */
  send(status, headers, body) {
    this.begin(status, { ...headers, "content-length": Buffer.byteLength(body) });
    this.end(body);
  }

  json(status, value, headers = {}) {
    this.send(status, { "content-type": "application/json", ...headers }, JSON.stringify(value));
  }

  refuse(kind, ...details) {
    const { status, headers, body } = this.cloud.vendor.refusal(kind, ...details);
    this.json(status, body, { ...headers, ...(this.fault ? this.fault.headers : {}) });
  }

  /* HTTP/2: this answer dies, and the connection goes on. */
  cutStream() {
    this.res.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  }

  /* The connection dies under the answer, with a reset where there is no TLS. */
  cut() {
    const session = this.res.stream && this.res.stream.session; /* none when another answer took it along */
    const socket = this.res.stream ? session && session.socket : this.res.socket;
    if (!socket) return;
    try {
      socket.resetAndDestroy();
    } catch (error) {
      (session || socket).destroy();
    }
  }
}

class Recorder {
  constructor(file, isKept) {
    this.file = file ? fs.openSync(file, "a") : null;
    this.isKept = isKept;
    this.all = [];
    this.waiting = [];
    this.count = 0;
  }

  begin(vendor, request) {
    const headers = { ...request.headers };
    if (headers.authorization) headers.authorization = headers.authorization.replace(/ .*(?=....$)/, " ***"); /* whose key it was still shows */
    const record = {
      n: ++this.count, at_ms: Date.now(), vendor, method: request.method, path: request.url, http: request.http, headers,
      port: request.port, body: request.body.toString("base64"), fault: null, status: 0, ended: "", took_ms: 0,
    };
    if (this.isKept) this.all.push(record);
    this.look();
    return record;
  }

  end(record, status, ended) {
    Object.assign(record, { status, ended, took_ms: Date.now() - record.at_ms });
    if (this.file !== null) fs.writeSync(this.file, JSON.stringify(record) + "\n");
    this.look();
  }

  /* then(records) as soon as there are n that match, or after so many ms with what there is. */
  wait(match, n, ms, then) {
    const row = { match, n, then };
    this.waiting.push(row);
    setTimeout(() => {
      row.n = 0;
      this.look();
    }, ms).unref();
    this.look();
  }

  look() {
    this.waiting = this.waiting.filter(({ match, n, then }) => {
      const found = this.all.filter(match);
      if (found.length < n) return true;
      then(found);
      return false;
    });
  }
}

class Cloud {
  /* settings: of the vendor, changed while it runs; tls: { key, cert } or null */
  constructor(vendor, settings, recorder, tls) {
    Object.assign(this, { vendor, settings, recorder, tls, faults: [], port: 0, sockets: new Set(), nConnections: 0 });
  }

  /* The same port again after close(). */
  listen() {
    const ask = (req, res) => this.gather(req, res);
    this.server = this.tls ? http2.createSecureServer({ ...this.tls, allowHTTP1: true }, ask) : http.createServer(ask);
    this.server.keepAliveTimeout = 120000;
    this.server.on("connection", (socket) => {
      this.nConnections++;
      socket.setNoDelay(true);
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
      socket.on("error", () => {});
    });
    this.server.on("sessionError", () => {});
    this.server.on("tlsClientError", () => {});
    return new Promise((resolve) => {
      this.server.listen(this.port, "127.0.0.1", 1024, () => {
        this.port = this.server.address().port;
        resolve();
      });
    });
  }

  /* From now on connections are refused, and those there are die. */
  close() {
    return new Promise((resolve) => {
      this.server.close(resolve);
      this.hangUp();
    });
  }

  hangUp() {
    for (const socket of this.sockets) socket.destroy();
  }

  /* Another certificate for whoever connects from now on. */
  certify(tls) {
    this.server.setSecureContext(tls);
    this.hangUp();
  }

  gather(req, res) {
    const parts = [];
    req.on("data", (part) => parts.push(part));
    req.on("error", () => {});
    res.on("error", () => {});
    req.on("end", () => this.answer({
      method: req.method, url: req.url, path: req.url.split("?")[0], query: new URLSearchParams(req.url.split("?")[1] || ""),
      headers: Object.fromEntries(Object.entries(req.headers).filter(([name]) => !name.startsWith(":"))),
      authority: req.headers[":authority"] || req.headers.host, http: req.httpVersion, port: req.socket.remotePort, body: Buffer.concat(parts),
    }, res));
  }

  answer(request, res) {
    const record = this.recorder.begin(this.vendor.name, request);
    const fault = faultFor(this.faults, request);
    let isOver = false;
    const reply = fault ? new fault.Reply(request, res, this) : new Reply(request, res, this);
    reply.fault = fault;
    record.fault = fault && fault.fault;
    const over = () => { /* HTTP/2 calls an aborted answer finished too */
      if (isOver) return;
      isOver = true;
      reply.isGone = true;
      const isWhole = res.writableEnded && !(res.stream && res.stream.rstCode);
      this.recorder.end(record, res.statusCode, reply.isCut ? "cut" : isWhole ? "answered" : "given up");
    };
    res.on("finish", over);
    res.on("close", over);

    if (request.method === "HEAD") return reply.send(200, {}, "");
    const found = this.vendor.routes.filter((route) => route.path.test(request.path));
    const route = found.find((row) => row.method === request.method);
    if (!route) return reply.refuse(found.length ? "method" : "path", request);
    if (fault && fault.act) return fault.act(reply);
    if (fault && fault.wait_ms) return setTimeout(() => route.answer(request, reply), fault.wait_ms);
    return route.answer(request, reply);
  }
}

module.exports = { Cloud, Recorder, Reply };
