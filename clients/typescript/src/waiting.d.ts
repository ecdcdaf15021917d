import type { CallOptions, Connection } from "./core.js";
import type { Shipment } from "./generated/models.js";

/** Adds `wait` to the operations of orders. */
export declare class Waiting {
  constructor(connection: Connection);
  /**
   * Waits until an order has ended, at most so many seconds (60); returns what became of each recipient.
   * `id` is an `orderId` or a `shipmentId`. StillOpen if it has not ended.
   */
  wait(id: string, options?: CallOptions & { timeout?: number }): Promise<Shipment>;
}
