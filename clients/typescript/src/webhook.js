// Verifies what Varsel pushes (Standard Webhooks 1.0, https://www.standardwebhooks.com), with Web Crypto.

import { InvalidSignature } from "./core.js";

const PREFIX = "whsec_";
const HMAC = { name: "HMAC", hash: "SHA-256" };

/** A verifier with the secrets of a subscription: one, or two while one takes the other's place. */
export class Webhook {
  constructor(secrets, { tolerance = 300 } = {}) {
    this.secrets = [secrets].flat().map(bytesOf);
    if (this.secrets.length === 0) throw new TypeError("a verifier needs a secret");
    this.tolerance = tolerance;
  }

  /** The event that was pushed; `body` is what arrived, byte by byte. InvalidSignature if it is not to be trusted. */
  async verify(body, headers) {
    const lower = new Headers(headers);
    const [id, at, signatures] = ["id", "timestamp", "signature"].map((name) => header(lower, `webhook-${name}`));
    if (!/^\d{1,15}$/.test(at) || Math.abs(Date.now() / 1000 - Number(at)) > this.tolerance) {
      throw new InvalidSignature("webhook-timestamp is too far from now");
    }
    const content = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const signed = new Uint8Array([...new TextEncoder().encode(`${id}.${at}.`), ...content]);
    const found = signatures.split(" ").filter((text) => text.startsWith("v1,"));
    const matches = [];
    for (const secret of this.secrets) {
      const key = await crypto.subtle.importKey("raw", secret, HMAC, false, ["verify"]);
      for (const text of found) matches.push(await verified(key, text.slice(3), signed));
    }
    if (!matches.includes(true)) throw new InvalidSignature("no signature matches");
    return JSON.parse(new TextDecoder().decode(content));
  }
}

async function verified(key, signature, signed) {
  try {
    return await crypto.subtle.verify(HMAC, key, decoded(signature), signed); // in constant time
  } catch {
    return false; // it is no base64
  }
}

function bytesOf(secret) {
  try {
    const bytes = decoded(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret);
    if (bytes.length) return bytes;
  } catch {
    // said below
  }
  throw new TypeError("a secret is whsec_ and base64");
}

function decoded(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function header(headers, name) {
  const found = headers.get(name);
  if (!found) throw new InvalidSignature(`${name} is missing`);
  return found;
}
