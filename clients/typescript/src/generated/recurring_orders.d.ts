// The part RecurringOrders of the API; `make clients` writes this file.

import type { CallOptions, Connection } from "../core.js";
import type * as models from "./models.js";

export declare class RecurringOrders {
  constructor(connection: Connection);
  /**
   * Order e-mails again and again.
   * At each time of the cron expression, an order of its own is made. The same name and body may be posted again.
   */
  create(body: models.RecurringRequest, options?: CallOptions): Promise<models.Recurring>;
  /**
   * Recurring orders.
   * All of the creator's, by name.
   */
  list(options?: CallOptions): Promise<models.RecurringList>;
  /**
   * A recurring order.
   * With its next times, and the order that it made last.
   * `id`: the recurring order's id, a UUID
   */
  get(id: string, options?: CallOptions): Promise<models.Recurring>;
  /**
   * End a recurring order.
   * Nothing is made any more; the orders that were made go on, and can be cancelled or withdrawn.
   * `id`: the recurring order's id, a UUID
   */
  delete(id: string, options?: CallOptions): Promise<void>;
}
