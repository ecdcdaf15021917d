/** A token, or a function that returns the one to use now, asked before each attempt. */
export type Token = string | (() => string | Promise<string>);

export interface Options {
  token?: Token;
  platformToken?: Token;
  /** Seconds that one attempt has; 10. */
  timeout?: number;
  /** Seconds that all attempts have together, with the pauses between them; 60. */
  deadline?: number;
  /** In place of the global one. */
  fetch?: typeof fetch;
}

export interface CallOptions {
  /** Ends the call, between attempts and in one. */
  signal?: AbortSignal;
}

/** What this package throws. */
export declare class VarselError extends Error {}

/** No answer: nobody listens, the connection broke, or the time was over; `cause` says which. */
export declare class Unreachable extends VarselError {}

/** The order had not ended when the time to wait was over; it goes on. */
export declare class StillOpen extends VarselError {}

/** A request is not from Varsel, or it is too old: answer it with 401. */
export declare class InvalidSignature extends VarselError {}

/** The installation answered with an error, a problem document (RFC 9457) as far as there is one. */
export declare class ApiError extends VarselError {
  readonly status: number;
  readonly title?: string;
  readonly detail?: string;
  readonly code?: string;
  readonly traceId?: string;
  /** The broken rules by field. */
  readonly errors: Record<string, string[]>;
  /** Seconds. */
  readonly retryAfter?: number;
}

export interface Connection {}
