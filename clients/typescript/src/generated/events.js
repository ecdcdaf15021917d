// The part Events of the API; `make clients` writes this file.

import { pathOf } from "../core.js";

export class Events {
  constructor(connection) {
    this.connection = connection;
  }

  publishAppEvent(body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: "/events/api/v1/app",
      media: "application/json",
      json: body,
      signal: options.signal,
    });
  }

  publish(body, options = {}) {
    return this.connection.send({
      method: "POST",
      path: "/events/api/v1/events",
      media: Array.isArray(body) ? "application/cloudevents-batch+json" : "application/cloudevents+json",
      json: body,
      repeatable: true,
      signal: options.signal,
    });
  }

  list(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/events/api/v1/events",
      query: { resource: options.resource, after: options.after, afterSource: options.afterSource, alternativeSubject: options.alternativeSubject, subject: options.subject, type: options.type, size: options.size },
      headers: { "Altinn-AlternativeSubject": options.altinnAlternativeSubject },
      repeatable: true,
      pages: { numbered: false },
      signal: options.signal,
    });
  }

  iterate(options = {}) {
    return this.connection.iterate({
      method: "GET",
      path: "/events/api/v1/events",
      query: { resource: options.resource, after: options.after, afterSource: options.afterSource, alternativeSubject: options.alternativeSubject, subject: options.subject, type: options.type, size: options.size },
      headers: { "Altinn-AlternativeSubject": options.altinnAlternativeSubject },
      repeatable: true,
      pages: { numbered: false },
      signal: options.signal,
    });
  }

  listPartyEvents(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/events/api/v1/app/party",
      query: { after: options.after, afterSource: options.afterSource, alternativeSubject: options.alternativeSubject, from: options.from, to: options.to, party: options.party, unit: options.unit, type: options.type, size: options.size, source: options.source },
      headers: { person: options.person },
      repeatable: true,
      pages: { numbered: false },
      signal: options.signal,
    });
  }

  iteratePartyEvents(options = {}) {
    return this.connection.iterate({
      method: "GET",
      path: "/events/api/v1/app/party",
      query: { after: options.after, afterSource: options.afterSource, alternativeSubject: options.alternativeSubject, from: options.from, to: options.to, party: options.party, unit: options.unit, type: options.type, size: options.size, source: options.source },
      headers: { person: options.person },
      repeatable: true,
      pages: { numbered: false },
      signal: options.signal,
    });
  }

  listAppEvents(org, app, options = {}) {
    return this.connection.send({
      method: "GET",
      path: pathOf("/events/api/v1/app/{org}/{app}", { org, app }),
      query: { after: options.after, afterSource: options.afterSource, alternativeSubject: options.alternativeSubject, from: options.from, to: options.to, party: options.party, unit: options.unit, type: options.type, size: options.size },
      headers: { person: options.person },
      repeatable: true,
      pages: { numbered: false },
      signal: options.signal,
    });
  }

  iterateAppEvents(org, app, options = {}) {
    return this.connection.iterate({
      method: "GET",
      path: pathOf("/events/api/v1/app/{org}/{app}", { org, app }),
      query: { after: options.after, afterSource: options.afterSource, alternativeSubject: options.alternativeSubject, from: options.from, to: options.to, party: options.party, unit: options.unit, type: options.type, size: options.size },
      headers: { person: options.person },
      repeatable: true,
      pages: { numbered: false },
      signal: options.signal,
    });
  }
}
