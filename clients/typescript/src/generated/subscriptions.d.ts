// The part Subscriptions of the API; `make clients` writes this file.

import type { CallOptions, Connection } from "../core.js";
import type * as models from "./models.js";

export declare class Subscriptions {
  constructor(connection: Connection);
  /**
   * Subscribe to events.
   * Events that match every given filter are posted to `endPoint`, once that has accepted the validation event.
   * Posting the same subscription again gives the existing one and validates its endpoint anew. Subscriptions to
   * other events than apps' need the scope `altinn:events.subscribe`. The answer to a new one holds the `secret`
   * that pushed events are signed with, which is never shown again.
   */
  create(body: models.SubscriptionRequest, options?: CallOptions): Promise<models.Subscription>;
  /**
   * Your subscriptions.
   * All of the caller's, validated or not, the oldest first.
   */
  list(options?: CallOptions): Promise<models.SubscriptionList>;
  /**
   * A subscription.
   * With its filters, and how it is: validated, paused, failing.
   * `id`: the subscription's id
   */
  get(id: number, options?: CallOptions): Promise<models.Subscription>;
  /**
   * Unsubscribe.
   * At once: what waits to be pushed is dropped, and the log of its deliveries is removed.
   * `id`: the subscription's id
   */
  delete(id: number, options?: CallOptions): Promise<void>;
  /**
   * Pause a subscription.
   * Nothing is pushed; events that match meanwhile wait.
   * `id`: the subscription's id
   */
  pause(id: number, options?: CallOptions): Promise<models.Subscription>;
  /**
   * Resume a subscription.
   * What waits is pushed, even to an endpoint that was left alone because it kept failing.
   * `id`: the subscription's id
   */
  resume(id: number, options?: CallOptions): Promise<models.Subscription>;
  /**
   * Replace a subscription's secret.
   * The answer is the only place that shows the new one. For 24 hours, both sign what is pushed.
   * `id`: the subscription's id
   */
  replaceSecret(id: number, options?: CallOptions): Promise<models.NewSecret>;
  /**
   * A subscription's deliveries.
   * What was or will be pushed, the newest first, with the newest attempts of each. When a page is full, or its
   * texts are long, the header `next` leads to the next one.
   * `id`: the subscription's id
   * `state`: only deliveries in this state
   * `after`: id of the last delivery seen
   * `size`: of a page
   */
  listDeliveries(id: number, options?: CallOptions & { state?: "Waiting" | "Delivered" | "Dead" | "Unauthorized"; after?: number; size?: number }): Promise<models.DeliveryList>;
  /** Goes through all entries of `listDeliveries`, page by page. */
  iterateDeliveries(id: number, options?: CallOptions & { state?: "Waiting" | "Delivered" | "Dead" | "Unauthorized"; after?: number; size?: number }): AsyncGenerator<models.Delivery>;
  /**
   * Push stored events again.
   * Of the events that were stored in that time, those that match the subscription. Asked without `count`, it
   * answers how many these are and pushes nothing; repeated with that `count`, it pushes them all, up to 10,000.
   * `id`: the subscription's id
   * `from`: stored then or later, with time zone
   * `to`: stored then or earlier, with time zone
   * `count`: how many events are expected
   */
  replay(id: number, options: CallOptions & { from: Date | string; to: Date | string; count?: number }): Promise<models.Replay>;
  /**
   * Attempt a delivery again.
   * At once, and from the beginning of the retry schedule.
   * `id`: the subscription's id
   * `delivery`: the delivery's id
   */
  retryDelivery(id: number, delivery: number, options?: CallOptions): Promise<void>;
}
