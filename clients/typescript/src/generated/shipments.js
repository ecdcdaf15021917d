// The part Shipments of the API; `make clients` writes this file.

import { pathOf } from "../core.js";

export class Shipments {
  constructor(connection) {
    this.connection = connection;
  }

  listFeed(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/notifications/api/v1/future/shipment/feed",
      query: { seq: options.seq, pageSize: options.pageSize, orderBy: options.orderBy },
      repeatable: true,
      pages: { numbered: true },
      signal: options.signal,
    });
  }

  iterateFeed(options = {}) {
    return this.connection.iterate({
      method: "GET",
      path: "/notifications/api/v1/future/shipment/feed",
      query: { seq: options.seq, pageSize: options.pageSize, orderBy: options.orderBy },
      repeatable: true,
      pages: { numbered: true },
      signal: options.signal,
    });
  }

  get(id, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/notifications/api/v1/future/shipment/{id}", { id }),
      repeatable: true,
      signal: options.signal,
    });
  }

  getEnduserLog(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/notifications/api/v1/future/enduser/log",
      query: { dialogId: options.dialogId, transmissionId: options.transmissionId },
      repeatable: true,
      signal: options.signal,
    });
  }
}
