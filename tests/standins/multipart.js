/*
 * multipart.js - multipart/form-data (RFC 7578), the whole body at once
 *
 * Returns { name: { filename, type, bytes, text } }, or null when it is none. Of a name that comes twice the last one counts;
 * `names` of the result says them all, in order.
 */
function multipart(contentType, body) {
  const found = /^multipart\/form-data;.*boundary="?([^";]+)"?/i.exec(contentType || "");
  if (!found) return null;
  const mark = Buffer.from("\r\n--" + found[1]);
  const all = Buffer.concat([Buffer.from("\r\n"), body]);
  const parts = {};
  Object.defineProperty(parts, "names", { value: [] });
  let at = all.indexOf(mark);
  if (at !== 0) return null;
  for (;;) {
    at += mark.length;
    if (all.toString("latin1", at, at + 2) === "--") return parts;
    const end = all.indexOf(mark, at);
    const head = all.indexOf("\r\n\r\n", at);
    if (end < 0 || head < 0 || head > end) return null;
    const lines = all.toString("utf8", at, head);
    const name = /content-disposition:[^\r\n]*[; ]name="([^"]*)"/i.exec(lines);
    if (!name) return null;
    const filename = /filename="([^"]*)"/i.exec(lines);
    const type = /content-type: *([^\r\n]*)/i.exec(lines);
    const bytes = all.subarray(head + 4, end);
    parts.names.push(name[1]);
    parts[name[1]] = { filename: filename && filename[1], type: type && type[1], bytes, get text() { return bytes.toString("utf8"); } };
    at = end;
  }
}

module.exports = { multipart };
