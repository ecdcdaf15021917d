// The part Shipments of the API; `make clients` writes this file.

import type { CallOptions, Connection } from "../core.js";
import type * as models from "./models.js";

export declare class Shipments {
  constructor(connection: Connection);
  /**
   * Orders that have ended.
   * An entry per order, in the order of their ends. Ask again behind the last number you have seen.
   * `seq`: the last number that was seen; 0: none
   * `pageSize`: 1 to 500 entries, which is the default
   * `orderBy`: asc, or desc for the newest first
   */
  listFeed(options?: CallOptions & { seq?: number; pageSize?: number; orderBy?: "asc" | "desc" }): Promise<models.Feed>;
  /** Goes through all entries of `listFeed`, page by page. */
  iterateFeed(options?: CallOptions & { seq?: number; pageSize?: number; orderBy?: "asc" | "desc" }): AsyncGenerator<models.Entry>;
  /**
   * What became of an order.
   * Of any generation, by its shipmentId or orderId.
   * `id`: the shipmentId, a UUID
   */
  get(id: string, options?: CallOptions): Promise<models.Shipment>;
  /**
   * Messages of a dialog.
   * Of orders that have ended and name the dialog; the newest first, 1000 at most.
   * `dialogId`: the dialog, as it was posted
   * `transmissionId`: one of its transmissions
   */
  getEnduserLog(options: CallOptions & { dialogId: string; transmissionId?: string }): Promise<models.Log>;
}
