import type { Options } from "./core.js";
import { Parts } from "./generated/parts.js";

export { ApiError, InvalidSignature, StillOpen, Unreachable, VarselError } from "./core.js";
export type { CallOptions, Options, Token } from "./core.js";
export { VERSION } from "./generated/version.js";
export { Webhook } from "./webhook.js";
export type * from "./generated/models.js";

/** A client of the installation at `address`, such as `https://varsel.example.no`. */
export declare class Client extends Parts {
  constructor(address: string, options?: Options);
}
