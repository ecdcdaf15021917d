// Waiting for an order's end, of any generation.

import { pathOf } from "./core.js";

const OVER = new Set(["Order_Completed", "Order_SendConditionNotMet", "Order_Cancelled"]);
const SHIPMENT = "/notifications/api/v1/future/shipment/{id}";

/** Adds `wait` to the operations of orders. */
export class Waiting {
  constructor(connection) {
    this.connection = connection;
  }

  /** Waits until an order has ended, at most so many seconds; returns what became of each recipient. */
  wait(id, { timeout = 60, signal } = {}) {
    const call = { method: "GET", path: pathOf(SHIPMENT, { id }), repeatable: true, signal };
    return this.connection.wait(call, (shipment) => OVER.has(shipment.status), timeout);
  }
}
