// The parts of the API, as attributes of a client; `make clients` writes this file.

import { Events } from "./events.js";
import { Orders } from "./orders.js";
import { RecurringOrders } from "./recurring_orders.js";
import { Shipments } from "./shipments.js";
import { Subscriptions } from "./subscriptions.js";
import { Support } from "./support.js";
import { Templates } from "./templates.js";

/** Each part by its name. */
export class Parts {
  constructor(connection) {
    this.orders = new Orders(connection);
    this.recurringOrders = new RecurringOrders(connection);
    this.shipments = new Shipments(connection);
    this.support = new Support(connection);
    this.templates = new Templates(connection);
    this.events = new Events(connection);
    this.subscriptions = new Subscriptions(connection);
  }
}
