// A client of Varsel: orders, shipments, events and subscriptions over HTTP, and a verifier of what Varsel pushes.

import { Connection } from "./core.js";
import { Parts } from "./generated/parts.js";

export { ApiError, InvalidSignature, StillOpen, Unreachable, VarselError } from "./core.js";
export { VERSION } from "./generated/version.js";
export { Webhook } from "./webhook.js";

/** A client of the installation at `address`. */
export class Client extends Parts {
  constructor(address, options = {}) {
    super(new Connection(address, options));
  }
}
