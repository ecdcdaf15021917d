// The parts of the API, as attributes of a client; `make clients` writes this file.

import type { Connection } from "../core.js";
import type { Events } from "./events.js";
import type { Orders } from "./orders.js";
import type { RecurringOrders } from "./recurring_orders.js";
import type { Shipments } from "./shipments.js";
import type { Subscriptions } from "./subscriptions.js";
import type { Support } from "./support.js";
import type { Templates } from "./templates.js";

/** Each part by its name. */
export declare class Parts {
  constructor(connection: Connection);
  readonly orders: Orders;
  readonly recurringOrders: RecurringOrders;
  readonly shipments: Shipments;
  readonly support: Support;
  readonly templates: Templates;
  readonly events: Events;
  readonly subscriptions: Subscriptions;
}
