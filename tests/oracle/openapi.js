/* openapi.js - the document on stdin, held to OpenAPI 3.1 by openapi-schema-validator; prints its errors as a JSON array */
const { default: Validator } = require("openapi-schema-validator");

let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", () => {
  const document = JSON.parse(text);
  const { errors } = new Validator({ version: document.openapi }).validate(document);
  console.log(JSON.stringify(errors));
});
