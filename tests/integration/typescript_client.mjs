// What a program does with the TypeScript client; test_typescript_client.py gives it an installation, and looks at
// what it tells. Where tsc is installed, it also checks the types that are used here.

import { ApiError, Client, InvalidSignature, StillOpen, Unreachable, VERSION, Webhook } from "../../clients/typescript/src/index.js";

const given = JSON.parse(/** @type {any} */ (globalThis).process.argv[2]);
const varsel = new Client(given.address, { token: async () => given.token });
const RESOURCE = "urn:altinn:resource:typescript";
/** @type {Record<string, unknown>} */
const told = { version: VERSION };

/** @param {string} to */
const order = (to) => ({ subject: "Hei", body: "Hei!", recipients: [{ emailAddress: to }], sendersReference: to });

/** @param {string} id @returns {import("../../clients/typescript/src/index.js").Event} */
const event = (id) => ({ specversion: "1.0", id, source: "https://example.no/ts", type: "t", resource: RESOURCE, mine: "1" });

/** @template T @param {AsyncIterable<T>} entries */
async function all(entries) {
  const found = [];
  for await (const entry of entries) found.push(entry);
  return found;
}

/** @param {Promise<unknown>} promise */
async function thrown(promise) {
  return promise.then(
    () => undefined,
    (error) => error,
  );
}

const receipt = await varsel.orders.createEmail(order(given.to));
const shipment = await varsel.orders.wait(receipt.orderId);
told.destinations = shipment.recipients.map((each) => each.destination);
told.status = (await varsel.orders.getStatus(receipt.orderId)).processingStatus.status;

const feed = await all(varsel.shipments.iterateFeed({ pageSize: 1 }));
told.inFeed = feed.some((entry) => entry.shipmentId === receipt.orderId);
const backwards = await all(varsel.shipments.iterateFeed({ orderBy: "desc", pageSize: 1 }));
told.isReversed = backwards.at(-1)?.sequenceNumber === feed[0].sequenceNumber;

const recipient = { recipientEmail: { emailAddress: given.to, emailSettings: { subject: "Hei", body: "Hei!" } } };
const later = new Date(Date.now() + 86_400_000);
const chain = await varsel.orders.createChain({ recipient, requestedSendTime: later, reminders: [{ recipient, delayDays: 1 }] });
const first = (await varsel.orders.getChain(chain.notificationOrderId)).notification;
told.reminders = first.reminders?.length;
told.stillOpen = (await thrown(varsel.orders.wait(first.shipmentId, { timeout: 0 }))) instanceof StillOpen;
told.cancelled = (await varsel.orders.cancel(first.shipmentId)).processingStatus.status;
await varsel.orders.createInstantEmail({ recipientEmail: { emailAddress: given.to, emailSettings: { subject: "Hei", body: "Hei!" } } });

await varsel.events.publish([event("1"), event("2"), event("3")]);
await varsel.events.publish(event("1"));
const read = await all(varsel.events.iterate({ resource: RESOURCE, after: "0", size: 1 }));
told.events = read.map((each) => [each.id, each.mine]);

const invalid = await thrown(varsel.orders.createEmail({ subject: "Hei", body: "Hei!", recipients: [] }));
told.invalid = invalid instanceof ApiError && [invalid.status, Object.keys(invalid.errors), invalid.name];
const unknown = await thrown(varsel.shipments.get(crypto.randomUUID()));
told.unknown = unknown instanceof ApiError && unknown.code;

const cut = new Client(given.cut, { token: given.token });
told.repeated = (await cut.orders.createEmail(order(given.repeated))).orderId;
const nobody = new Client(given.nobody, { deadline: 0.5 });
told.unreachable = (await thrown(nobody.orders.get("1"))) instanceof Unreachable;

const webhook = new Webhook(["whsec_b3RoZXI=", given.secret]);
told.pushed = (await webhook.verify(given.pushed, given.headers)).type;
const changed = await thrown(webhook.verify(`${given.pushed} `, given.headers));
const old = await thrown(webhook.verify(given.pushed, { ...given.headers, "webhook-timestamp": "1" }));
told.refused = [changed, old].map((error) => error instanceof InvalidSignature);

console.log(JSON.stringify(told));
