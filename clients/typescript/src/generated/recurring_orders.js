// The part RecurringOrders of the API; `make clients` writes this file.

import { pathOf } from "../core.js";

export class RecurringOrders {
  constructor(connection) {
    this.connection = connection;
  }

  create(body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: "/notifications/api/v1/recurring-orders",
      media: "application/json",
      json: body,
      signal: options.signal,
    });
  }

  list(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/notifications/api/v1/recurring-orders",
      repeatable: true,
      signal: options.signal,
    });
  }

  get(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/recurring-orders/{id}", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  delete(id, options = {}) {
    return this.connection.send({
      method: "DELETE",
      path: pathOf("/notifications/api/v1/recurring-orders/{id}", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }
}
