// What all operations have in common: requests, retries, pages, errors. Nothing here knows an operation of the API.

const FIRST = 0.2; // seconds between attempts, before they are spread
const LARGEST = 8;
const AWAY = new Set([502, 503, 504]); // a proxy or the installation cannot answer for the moment

/** What this package throws. */
export class VarselError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** No answer: nobody listens, the connection broke, or the time was over; `cause` says which. */
export class Unreachable extends VarselError {}

/** The order had not ended when the time to wait was over; it goes on. */
export class StillOpen extends VarselError {}

/** A request is not from Varsel, or it is too old: answer it with 401. */
export class InvalidSignature extends VarselError {}

/** The installation answered with an error, a problem document (RFC 9457) as far as there is one. */
export class ApiError extends VarselError {
  constructor(status, members, retryAfter) {
    const fields = Object.entries(members.errors ?? {}).map(([field, texts]) => `${field}: ${texts.join(" ")}`);
    const texts = [status, members.code, members.title, members.detail, fields.join("; ")];
    super(texts.filter(Boolean).join(": "));
    this.status = status;
    this.title = members.title;
    this.detail = members.detail;
    this.code = members.code;
    this.traceId = members.traceId;
    this.errors = members.errors ?? {};
    this.retryAfter = retryAfter;
  }
}

/** Sends requests to one installation. */
export class Connection {
  constructor(address, options = {}) {
    this.address = address.replace(/\/+$/, "");
    this.token = options.token;
    this.platformToken = options.platformToken;
    this.timeout = options.timeout ?? 10;
    this.deadline = options.deadline ?? 60;
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  }

  /** The answer's body; ApiError or Unreachable when there is none. */
  async send(call) {
    return (await this.answer(call)).body;
  }

  /** Goes through all entries of a list, page by page. */
  async *iterate(call) {
    for (let following = call; following; ) {
      const answer = await this.answer(following);
      const entries = call.pages.member ? answer.body[call.pages.member] : answer.body;
      yield* entries;
      following = call.pages.numbered ? numbered(following, entries) : linked(following, answer);
    }
  }

  /** Asks until it is over, less and less often. */
  async wait(call, isOver, timeout) {
    const end = now() + timeout;
    for (let attempt = 1; ; attempt++) {
      const found = (await this.answer(call, Math.min(this.deadline, Math.max(1, end - now())))).body;
      if (isOver(found)) return found;
      const pause = backoff(attempt);
      if (now() + pause > end) throw new StillOpen(`not over after ${timeout} seconds`);
      await sleep(pause, call.signal);
    }
  }

  async answer(call, deadline = this.deadline) {
    const content = call.json === undefined ? call.content : JSON.stringify(call.json); // each attempt sends the same
    const end = now() + deadline;
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.exchange(call, content, Math.max(0.1, Math.min(this.timeout, end - now())));
      const pause = pauseAfter(call, outcome, attempt);
      if (pause === undefined || now() + pause >= end) return settled(outcome, attempt);
      await sleep(pause, call.signal);
    }
  }

  async exchange(call, content, seconds) {
    const headers = { accept: "application/json, application/*+json", ...given(call.headers) };
    const [token, platform] = [await current(this.token), await current(this.platformToken)];
    if (token) headers.authorization = `Bearer ${token}`;
    if (platform) headers.platformaccesstoken = platform;
    if (content !== undefined) headers["content-type"] = call.media;
    const signal = AbortSignal.any([AbortSignal.timeout(Math.ceil(seconds * 1000)), ...(call.signal ? [call.signal] : [])]);
    const request = { method: call.method, headers, body: content, signal, redirect: "manual" };
    try {
      const response = await this.fetch(this.address + call.path + queryOf(call.query), request);
      const text = await response.text();
      const body = response.ok && text ? JSON.parse(text) : undefined; // what is no JSON is no answer, but a proxy's page
      return { status: response.status, ok: response.ok, headers: response.headers, text, body };
    } catch (error) {
      call.signal?.throwIfAborted();
      return { error, sent: !NOT_SENT.has(error.cause?.code), final: DISTRUST.test(error.cause?.code ?? "") };
    }
  }
}

const NOT_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]); // Node's
const DISTRUST = /CERT|SELF_SIGNED/; // the other side could not prove who it is: it will not in a second either

/** A path with names filled in; none of them can lead out of its place. */
export function pathOf(template, names) {
  return template.replace(/\{(\w+)\}/g, (_, name) => {
    const value = String(names[name] ?? "");
    if (["", ".", ".."].includes(value)) throw new TypeError(`${name}: not a name`);
    return encodeURIComponent(value);
  });
}

/** The body of an order with a name of its own; the caller's, if it has one. */
export function named(body) {
  return body.idempotencyId ? body : { ...body, idempotencyId: crypto.randomUUID() };
}

function settled(outcome, attempt) {
  if (outcome.error) {
    throw new Unreachable(`no answer after ${attempt} attempts: ${outcome.error.message}`, { cause: outcome.error });
  }
  if (!outcome.ok) throw new ApiError(outcome.status, members(outcome), retryAfter(outcome));
  return { headers: outcome.headers, body: outcome.body };
}

/** Seconds until the next attempt; undefined: there is none, since the answer is final or it might be done twice. */
function pauseAfter(call, outcome, attempt) {
  const { error, sent, final, status } = outcome;
  if (error) return !final && (call.repeatable || !sent) ? backoff(attempt) : undefined;
  const asked = retryAfter(outcome);
  if (status === 429 && asked !== undefined) return Math.max(asked, backoff(attempt)); // nothing was done
  if (AWAY.has(status) && call.repeatable) return Math.max(asked ?? 0, backoff(attempt));
  if (status === 409 && call.keyed && attempt > 1) return backoff(attempt); // an earlier attempt runs on
  return undefined;
}

function backoff(attempt) {
  return Math.min(FIRST * 2 ** (attempt - 1), LARGEST) * (0.5 + Math.random() / 2);
}

/** Seconds, given as such or as a date (RFC 9110, section 10.2.3). */
function retryAfter(outcome) {
  const text = outcome.headers.get("retry-after");
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

/**
 * The members of a problem; a JSON string, as some refusals are, is a detail. What a proxy says is left out. 401 and
 * 403 have no body: their header says why a bearer token was refused (RFC 6750, section 3).
 */
function members({ text, headers }) {
  try {
    const challenge = /error_description="([^"]*)"/.exec(headers.get("www-authenticate") ?? "");
    const found = text ? JSON.parse(text) : { detail: challenge?.[1] };
    if (typeof found === "string") return { detail: found };
    return found !== null && typeof found === "object" ? found : {};
  } catch {
    return {};
  }
}

/** Each entry has a number, by which the next page is asked for; an empty page is the last one. */
function numbered(call, entries) {
  return entries.length ? { ...call, query: { ...call.query, seq: entries.at(-1).sequenceNumber } } : undefined;
}

/** The header `next` leads to the next page. Only its query counts: the client stays at the address it was given. */
function linked(call, answer) {
  const link = answer.headers.get("next");
  return link ? { ...call, query: new URL(link, "http://localhost").searchParams } : undefined;
}

function queryOf(values) {
  if (values instanceof URLSearchParams) return `?${values}`;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given(values))) {
    for (const each of Array.isArray(value) ? value : [value]) {
      query.append(name, each instanceof Date ? each.toISOString() : String(each));
    }
  }
  return query.size ? `?${query}` : "";
}

function given(values = {}) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}

async function current(token) {
  return typeof token === "function" ? token() : token;
}

function now() {
  return performance.now() / 1000;
}

function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", stop), resolve()), seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
