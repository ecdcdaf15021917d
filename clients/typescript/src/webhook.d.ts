import type { Event } from "./generated/models.js";

/**
 * A verifier with the secrets of a subscription: one, or two while one takes the other's place.
 * `tolerance` is how many seconds the sender's clock and yours may differ (300).
 */
export declare class Webhook {
  constructor(secrets: string | readonly string[], options?: { tolerance?: number });
  /** The event that was pushed; `body` is what arrived, byte by byte. InvalidSignature if it is not to be trusted. */
  verify(body: string | Uint8Array, headers: Headers | Record<string, string>): Promise<Event>;
}
