/*
 * validate.js - recorded requests held to the vendors' own OpenAPI documents
 *
 * Usage: node validate.js FOLDER < RECORDS, a line of JSON each as tests/standins write them. Prints a line of JSON for each record:
 * { n, vendor, path, problems: [TEXT] }, problems null where no document speaks of the path.
 *
 * Beyond what the documents say, a key that they do not know is a problem: a misspelt one would be ignored, or refused, in production.
 * For that each object with properties is closed, and of an allOf the whole. What comes as text (forms, multipart, queries) is
 * coerced to the type that the schema asks for; a name that comes more than once makes an array.
 */
const fs = require("fs");
const path = require("path");
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;
const { multipart } = require("../standins/multipart");

const VENDORS = {
  openai: { file: "openai_subset_fixed.json", prefix: "/v1", authorization: "Bearer" },
  google: { file: "google_tts_openapi.json", prefix: "", authorization: "Bearer" },
  twilio: { file: "twilio_strict.json", prefix: "", authorization: "Basic" },
};

/* --- documents */

function closed(schema, inAllOf) {
  if (Array.isArray(schema)) return schema.map((part) => closed(part, inAllOf));
  if (!schema || typeof schema !== "object") return schema;
  const out = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === "properties") out[key] = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, closed(part, false)]));
    else if (key === "example" || key === "examples" || key === "default" || key === "enum" || key === "const") out[key] = value;
    else out[key] = closed(value, key === "allOf");
  }
  if (out.allOf && !inAllOf) out.unevaluatedProperties = false;
  else if (out.properties && out.additionalProperties === undefined && !inAllOf) out.additionalProperties = false;
  return out;
}

/* An allOf may name components, which have to stay open there: they get an open double. */
function closedComponents(schemas) {
  const all = {};
  for (const [name, schema] of Object.entries(schemas)) {
    all[name] = closed(schema, false);
    all[`${name}.open`] = closed(schema, true);
  }
  const redirect = (schema, inAllOf) => {
    if (Array.isArray(schema)) return schema.forEach((part) => redirect(part, inAllOf));
    if (!schema || typeof schema !== "object") return undefined;
    if (inAllOf && typeof schema.$ref === "string") schema.$ref += ".open";
    return Object.entries(schema).forEach(([key, value]) => redirect(value, key === "allOf" || (inAllOf && key !== "properties")));
  };
  Object.values(all).forEach((schema) => redirect(schema, false));
  return all;
}

class Document {
  constructor(folder, { file, prefix, authorization }) {
    this.document = JSON.parse(fs.readFileSync(path.join(folder, file), "utf8"));
    Object.assign(this, { prefix, authorization, known: new Map() });
    this.components = { schemas: closedComponents(this.document.components.schemas) };
  }

  /* { operation, names: { parameter: value } } */
  find(method, url) {
    const wanted = url.split("?")[0];
    for (const [template, item] of Object.entries(this.document.paths)) {
      const names = [];
      const pattern = template.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, (_, name) => names.push(name) && "([^/]+)");
      const found = new RegExp(`^${this.prefix}${pattern}$`).exec(wanted);
      const operation = found && item[method.toLowerCase()];
      if (operation)
        return { operation: { ...operation, parameters: [...(item.parameters || []), ...(operation.parameters || [])] }, names: Object.fromEntries(names.map((name, i) => [name, found[i + 1]])) };
    }
    return null;
  }

  /* What is wrong with a value; text: it came without types. */
  check(schema, value, text) {
    const key = JSON.stringify(schema) + text;
    if (!this.known.has(key)) {
      const ajv = new Ajv({ strict: false, logger: false, allErrors: true, coerceTypes: text ? "array" : false });
      addFormats(ajv);
      ajv.addFormat("binary", true);
      ajv.addFormat("phone-number", true);
      this.known.set(key, ajv.compile({ ...schema, components: this.components }));
    }
    const validate = this.known.get(key);
    if (validate(value)) return [];
    return validate.errors.map((error) => `${error.instancePath || "/"} ${error.message} ${JSON.stringify(error.params)}`);
  }
}

/* --- requests */

/* { name: value, or [values] } of [name, value] pairs. */
function gathered(pairs) {
  const out = {};
  for (const [name, value] of pairs) out[name] = name in out ? [].concat(out[name], value) : value;
  return out;
}

const READERS = {
  "application/json": (record, bytes) => ({ value: JSON.parse(bytes.toString("utf8")), text: false }),
  "application/x-www-form-urlencoded": (record, bytes) => ({ value: gathered(new URLSearchParams(bytes.toString("utf8"))), text: true }),
  "multipart/form-data": (record, bytes) => {
    const form = multipart(record.headers["content-type"], bytes);
    if (!form) throw new Error("it is no multipart/form-data");
    const twice = form.names.filter((name, i) => form.names.indexOf(name) !== i && !name.endsWith("[]"));
    if (twice.length) throw new Error(`${twice} comes twice`);
    return { value: Object.fromEntries(Object.entries(form).map(([name, part]) => [name.replace(/\[\]$/, ""), part.filename === null ? part.text : "(a file)"])), text: true, form };
  },
};

function checkFile(form) {
  const { filename, type } = form.file || {};
  if (!filename || !/\.(flac|mp3|mp4|mpeg|mpga|m4a|ogg|wav|webm)$/.test(filename)) return [`the file's name says no format: ${filename}`];
  return /^audio\//.test(type || "") ? [] : [`the file's type is ${type}`];
}

function checkBody(document, operation, record) {
  const bytes = Buffer.from(record.body, "base64");
  if (!operation.requestBody) return bytes.length ? ["a body that the document does not know"] : [];
  const type = (record.headers["content-type"] || "").split(";")[0].trim().toLowerCase();
  const content = operation.requestBody.content[type];
  if (!content || !READERS[type]) return [`content-type ${type || "none"} is none of ${Object.keys(operation.requestBody.content)}`];
  let read;
  try {
    read = READERS[type](record, bytes);
  } catch (error) {
    return [String(error.message)];
  }
  const isRef = Boolean(content.schema.$ref);
  return [...document.check(isRef ? content.schema : closed(content.schema, false), read.value, read.text), ...(read.form ? checkFile(read.form) : [])];
}

function checkParameters(document, operation, names, record) {
  const query = gathered(new URLSearchParams(record.path.split("?")[1] || ""));
  const places = { path: names, query };
  const known = new Set(operation.parameters.filter((row) => row.in === "query").map((row) => row.name));
  const problems = Object.keys(query).filter((name) => !known.has(name)).map((name) => `query: ${name} is not known`);
  for (const row of operation.parameters) {
    const value = places[row.in] && places[row.in][row.name];
    if (value === undefined) {
      if (row.required && places[row.in]) problems.push(`${row.in}: ${row.name} is missing`);
    } else {
      const wrong = document.check({ type: "object", properties: { value: row.schema } }, { value }, true);
      problems.push(...wrong.map((text) => `${row.in}: ${row.name}: ${text}`));
    }
  }
  return problems;
}

function checkHeaders(document, record) {
  const problems = [];
  if (!new RegExp(`^${document.authorization} `).test(record.headers.authorization || "")) problems.push(`authorization: ${document.authorization} is missing`);
  const length = record.headers["content-length"];
  if (length !== undefined && Number(length) !== Buffer.from(record.body, "base64").length) problems.push(`content-length is ${length}`);
  return problems;
}

function main(folder) {
  const documents = Object.fromEntries(Object.entries(VENDORS).map(([name, row]) => [name, new Document(folder, row)]));
  for (const line of fs.readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    const record = JSON.parse(line);
    const document = documents[record.vendor];
    const found = document.find(record.method, record.path);
    const problems = found && [...checkHeaders(document, record), ...checkParameters(document, found.operation, found.names, record), ...checkBody(document, found.operation, record)];
    console.log(JSON.stringify({ n: record.n, vendor: record.vendor, path: record.path, problems }));
  }
}

main(process.argv[2]);
