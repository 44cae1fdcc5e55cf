// standard_webhooks.js - what the library of Standard Webhooks says of deliveries
//
// Argument: [{"secret","headers","body"}]; prints {"data"} or {"error"} of each as a line.
const { Webhook } = require("standardwebhooks");

for (const { secret, headers, body } of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
  try {
    console.log(JSON.stringify({ data: new Webhook(secret).verify(body, headers) }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
