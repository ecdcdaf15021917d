// The part Templates of the API; `make clients` writes this file.

import { pathOf } from "../core.js";

export class Templates {
  constructor(connection) {
    this.connection = connection;
  }

  put(name, body, options = {}) {
    return this.connection.send({
      method: "PUT",
      path: pathOf("/notifications/api/v1/templates/{name}", { name }),
      query: { waiting: options.waiting },
      media: "application/json",
      json: body,
      repeatable: true,
      signal: options.signal,
    });
  }

  get(name, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/templates/{name}", { name }),
      query: { version: options.version },
      repeatable: true,
      signal: options.signal,
    });
  }

  delete(name, options = {}) {
    return this.connection.send({
      method: "DELETE",
      path: pathOf("/notifications/api/v1/templates/{name}", { name }),
      repeatable: true,
      signal: options.signal,
    });
  }

  list(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/notifications/api/v1/templates",
      repeatable: true,
      signal: options.signal,
    });
  }

  preview(name, body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: pathOf("/notifications/api/v1/templates/{name}/preview", { name }),
      media: "application/json",
      json: body,
      signal: options.signal,
    });
  }
}
