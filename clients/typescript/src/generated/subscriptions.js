// The part Subscriptions of the API; `make clients` writes this file.

import { pathOf } from "../core.js";

export class Subscriptions {
  constructor(connection) {
    this.connection = connection;
  }

  create(body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: "/events/api/v1/subscriptions",
      media: "application/json",
      json: body,
      signal: options.signal,
    });
  }

  list(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/events/api/v1/subscriptions",
      repeatable: true,
      signal: options.signal,
    });
  }

  get(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/events/api/v1/subscriptions/{id}", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  delete(id, options = {}) {
    return this.connection.send({
      method: "DELETE",
      path: pathOf("/events/api/v1/subscriptions/{id}", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  pause(id, options = {}) {
    return this.connection.send({
      method: "PUT",
      path: pathOf("/events/api/v1/subscriptions/{id}/pause", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  resume(id, options = {}) {
    return this.connection.send({
      method: "PUT",
      path: pathOf("/events/api/v1/subscriptions/{id}/resume", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  replaceSecret(id, options = {}) {
    return this.connection.send({
      method: "POST",
      path: pathOf("/events/api/v1/subscriptions/{id}/secret", { id }),
      signal: options.signal,
    });
  }

  listDeliveries(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/events/api/v1/subscriptions/{id}/deliveries", { id }),
      query: { state: options.state, after: options.after, size: options.size },
      repeatable: true,
      pages: { member: "deliveries", numbered: false },
      signal: options.signal,
    });
  }

  iterateDeliveries(id, options = {}) {
    return this.connection.iterate({
      method: "GET",
      path: pathOf("/events/api/v1/subscriptions/{id}/deliveries", { id }),
      query: { state: options.state, after: options.after, size: options.size },
      repeatable: true,
      pages: { member: "deliveries", numbered: false },
      signal: options.signal,
    });
  }

  replay(id, options = {}) {
    return this.connection.send({
      method: "POST",
      path: pathOf("/events/api/v1/subscriptions/{id}/replay", { id }),
      query: { from: options.from, to: options.to, count: options.count },
      signal: options.signal,
    });
  }

  retryDelivery(id, delivery, options = {}) {
    return this.connection.send({
      method: "POST",
      path: pathOf("/events/api/v1/subscriptions/{id}/deliveries/{delivery}/retry", { id, delivery }),
      signal: options.signal,
    });
  }
}
