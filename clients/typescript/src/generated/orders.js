// The part Orders of the API; `make clients` writes this file.

import { named, pathOf } from "../core.js";
import { Waiting } from "../waiting.js";

export class Orders extends Waiting {
  createEmail(body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: "/notifications/api/v1/orders/email",
      headers: { "Idempotency-Key": options.idempotencyKey ?? crypto.randomUUID() },
      media: "application/json",
      json: body,
      repeatable: true,
      keyed: true,
      signal: options.signal,
    });
  }

  get(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/orders/{id}", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  list(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/notifications/api/v1/orders",
      query: { sendersReference: options.sendersReference },
      repeatable: true,
      signal: options.signal,
    });
  }

  create(body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: "/notifications/api/v1/orders",
      headers: { "Idempotency-Key": options.idempotencyKey ?? crypto.randomUUID() },
      media: "application/json",
      json: body,
      repeatable: true,
      keyed: true,
      signal: options.signal,
    });
  }

  getStatus(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/orders/{id}/status", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  cancel(id, options = {}) {
    return this.connection.send({
      method: "PUT",
      path: pathOf("/notifications/api/v1/orders/{id}/cancel", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  getPlan(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/orders/{id}/plan", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  withdraw(id, options = {}) {
    return this.connection.send({
      method: "PUT",
      path: pathOf("/notifications/api/v1/orders/{id}/withdraw", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  reschedule(id, body, options = {}) {
    return this.connection.send({
      method: "PUT",
      path: pathOf("/notifications/api/v1/orders/{id}/reschedule", { id }),
      media: "application/json",
      json: body,
      repeatable: true,
      signal: options.signal,
    });
  }

  getNotificationsEmail(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/orders/{id}/notifications/email", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  createRecipients(id, body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: pathOf("/notifications/api/v1/orders/{id}/recipients", { id }),
      query: { fromLine: options.fromLine, dryRun: options.dryRun },
      media: options.media ?? "application/x-ndjson",
      content: body,
      signal: options.signal,
    });
  }

  getRecipients(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/orders/{id}/recipients", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  close(id, options = {}) {
    return this.connection.send({
      method: "PUT",
      path: pathOf("/notifications/api/v1/orders/{id}/close", { id }),
      query: { validOnly: options.validOnly },
      repeatable: true,
      signal: options.signal,
    });
  }

  getNotificationsSms(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/orders/{id}/notifications/sms", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  createChain(body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: "/notifications/api/v1/future/orders",
      headers: { "Idempotency-Key": options.idempotencyKey },
      media: "application/json",
      json: named(body),
      repeatable: true,
      signal: options.signal,
    });
  }

  createInstantEmail(body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: "/notifications/api/v1/future/orders/instant/email",
      headers: { "Idempotency-Key": options.idempotencyKey },
      media: "application/json",
      json: named(body),
      repeatable: true,
      signal: options.signal,
    });
  }

  createComposedEmail(body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: "/notifications/api/v1/future/orders/composed-email",
      headers: { "Idempotency-Key": options.idempotencyKey },
      media: "application/json",
      json: named(body),
      repeatable: true,
      signal: options.signal,
    });
  }

  getChain(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/orders/chain/{id}", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }
}
