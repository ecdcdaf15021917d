// The part Orders of the API; `make clients` writes this file.

import type { CallOptions, Connection } from "../core.js";
import type * as models from "./models.js";
import { Waiting } from "../waiting.js";

export declare class Orders extends Waiting {
  constructor(connection: Connection);
  /**
   * Order e-mails.
   * Stores the order before it answers; `requestedSendTime` is the earliest time to send.
   * `idempotencyKey`: the same key and payload give the same answer for 48 hours
   */
  createEmail(body: models.EmailOrderRequest, options?: CallOptions & { idempotencyKey?: string }): Promise<models.Receipt>;
  /**
   * An order.
   * The order as it was posted.
   * `id`: the order's id, a UUID
   */
  get(id: string, options?: CallOptions): Promise<models.Order>;
  /**
   * Orders by reference.
   * All orders with this sendersReference, oldest first; the match is exact.
   * `sendersReference`: as given in the order
   */
  list(options: CallOptions & { sendersReference: string }): Promise<models.OrderList>;
  /**
   * Order e-mails as a channel among others.
   * As `/orders/email`, for clients that name the channel. Any but `Email` is refused with 400.
   * `idempotencyKey`: the same key and payload give the same answer for 48 hours
   */
  create(body: models.OrderRequest, options?: CallOptions & { idempotencyKey?: string }): Promise<models.Receipt>;
  /**
   * An order's status.
   * How far the order is, and how many e-mails were generated and taken over by the relay.
   * `id`: the order's id, a UUID
   */
  getStatus(id: string, options?: CallOptions): Promise<models.OrderStatus>;
  /**
   * Cancel an order.
   * Possible until five minutes before the send time; cancelling twice is no error.
   * `id`: the order's id, a UUID
   */
  cancel(id: string, options?: CallOptions): Promise<models.OrderStatus>;
  /**
   * When an order goes, and why then.
   * The parts that have not ended: how many recipients, from when on, and what that depends on.
   * `id`: the order's id, a UUID
   */
  getPlan(id: string, options?: CallOptions): Promise<models.Plan>;
  /**
   * Withdraw an order.
   * Until the message leaves, also when a worker has it; says of each recipient what has become of it (of up to
   * 1,000, those first that were not cancelled). It may be repeated.
   * `id`: the order's id, a UUID
   */
  withdraw(id: string, options?: CallOptions): Promise<models.Withdrawal>;
  /**
   * Send an order at another time.
   * Until the message leaves, as with `withdraw`; what has left already stays as it is.
   * `id`: the order's id, a UUID
   */
  reschedule(id: string, body: models.RescheduleRequest, options?: CallOptions): Promise<models.Withdrawal>;
  /**
   * An order's e-mails.
   * What became of each recipient.
   * `id`: the order's id, a UUID
   */
  getNotificationsEmail(id: string, options?: CallOptions): Promise<models.EmailSummary>;
  /**
   * Send recipients of an open order.
   * Any number of lines, each a recipient, in any number of requests. Each is checked by itself: what is wrong is
   * reported, and the others are taken. A line has at most 16,384 bytes.
   * `id`: the order's id, a UUID
   * `fromLine`: which line of all the body begins with: 1 (then lines that were taken already are skipped), or the
   * next
   * `dryRun`: store nothing: tell what would follow if the order were closed behind these lines
   */
  createRecipients(id: string, body: string | Uint8Array, options?: CallOptions & { fromLine?: number; dryRun?: boolean; media?: "application/x-ndjson" | "text/csv" }): Promise<models.UploadStatus>;
  /**
   * How far the recipients of an order have come.
   * The counts, the next line, and what is wrong with the first invalid lines.
   * `id`: the order's id, a UUID
   */
  getRecipients(id: string, options?: CallOptions): Promise<models.UploadStatus>;
  /**
   * Close an order that has all its recipients.
   * From now on it waits for its send time like any other. Closing twice is no error.
   * `id`: the order's id, a UUID
   * `validOnly`: close the order although some lines are invalid: they get nothing
   */
  close(id: string, options?: CallOptions & { validOnly?: boolean }): Promise<models.UploadStatus>;
  /**
   * An order's SMS.
   * None: `generated` and `succeeded` are 0.
   * `id`: the order's id, a UUID
   */
  getNotificationsSms(id: string, options?: CallOptions): Promise<models.EmailSummary>;
  /**
   * Order a message and its reminders.
   * Each reminder is an order of its own: it has a state, can be cancelled, and appears in the feed.
   * `idempotencyKey`: of any value: an idempotencyId that is known with another body gets 422, not 200
   */
  createChain(body: models.ChainRequest, options?: CallOptions & { idempotencyKey?: string }): Promise<models.ChainReceipt>;
  /**
   * Order an e-mail that somebody waits for.
   * Stored, and sent before all that is not instant.
   * `idempotencyKey`: of any value: an idempotencyId that is known with another body gets 422, not 200
   */
  createInstantEmail(body: models.InstantEmailRequest, options?: CallOptions & { idempotencyKey?: string }): Promise<models.ChainReceipt>;
  /**
   * Order an e-mail with attachments.
   * Needs the scope `altinn:serviceowner/notifications.composedemail.create`. A file comes with the order, or is
   * fetched when that is due.
   * `idempotencyKey`: of any value: an idempotencyId that is known with another body gets 422, not 200
   */
  createComposedEmail(body: models.ComposedEmailRequest, options?: CallOptions & { idempotencyKey?: string }): Promise<models.ChainReceipt>;
  /**
   * An order with its reminders.
   * What `Location` leads to: which orders there are, and how far each is.
   * `id`: the notificationOrderId, a UUID
   */
  getChain(id: string, options?: CallOptions): Promise<models.Chain>;
}
