// The part Events of the API; `make clients` writes this file.

import type { CallOptions, Connection } from "../core.js";
import type * as models from "./models.js";

export declare class Events {
  constructor(connection: Connection);
  /**
   * Publish an app's event.
   * The app tells what happened to one of its instances; id, time and resource of the event are made here. The
   * `PlatformAccessToken` must be of the app that `source` names.
   */
  publishAppEvent(body: models.AppEvent, options?: CallOptions): Promise<models.EventId>;
  /**
   * Publish events.
   * One CloudEvent, a batch of which all or none are stored, or (with `ce-` headers and any other media type) an
   * event in binary mode. Needs the scope `altinn:events.publish` or a `PlatformAccessToken` beside the bearer
   * token. An event whose `id` and `source` are known is not stored again.
   */
  publish(body: models.Event | models.Events, options?: CallOptions): Promise<void>;
  /**
   * A resource's events.
   * In the order in which they were stored. Events that the caller may not see are left out, so a page may be
   * short or empty: follow the header `next` until it is missing, and keep the last one to go on later. Needs the
   * scope `altinn:events.subscribe`.
   * `resource`: exact
   * `after`: id of the last event seen; an unknown one: from the beginning
   * `afterSource`: its source, since ids of two sources can be the same
   * `alternativeSubject`: from `next`, in place of the header by which the page before was asked
   * `subject`: exact
   * `altinnAlternativeSubject`: exact; not together with `subject`
   * `type`: exact, in its case; `%` and `_` are wildcards; repeated: one must match
   * `size`: of a page
   */
  list(options: CallOptions & { resource: string; after: string; afterSource?: string; alternativeSubject?: string; subject?: string; type?: Array<string>; size?: number; altinnAlternativeSubject?: string }): Promise<models.Events>;
  /** Goes through all entries of `list`, page by page. */
  iterate(options: CallOptions & { resource: string; after: string; afterSource?: string; alternativeSubject?: string; subject?: string; type?: Array<string>; size?: number; altinnAlternativeSubject?: string }): AsyncGenerator<models.Event>;
  /**
   * A party's events.
   * In the order in which they were stored. Events that the caller may not see are left out, so a page may be
   * short or empty: follow the header `next` until it is missing, and keep the last one to go on later. One of
   * `party`, `unit` and `person` is needed.
   * `after`: id of the last event seen; an unknown one: from the beginning; needed without `from`
   * `afterSource`: its source, since ids of two sources can be the same
   * `alternativeSubject`: from `next`, in place of the header by which the page before was asked
   * `from`: events of then or later, with time zone; needed without `after`
   * `to`: events of then or earlier, with time zone
   * `party`: events with the subject `/party/N`
   * `unit`: events with the alternative subject `/organisation/N`
   * `person`: events with the alternative subject `/person/N`
   * `type`: in any case; `%` and `_` are wildcards; repeated: one must match
   * `size`: of a page
   * `source`: in any case; `%` and `_` are wildcards; repeated: one must match
   */
  listPartyEvents(options?: CallOptions & { after?: string; afterSource?: string; alternativeSubject?: string; from?: Date | string; to?: Date | string; party?: number; unit?: string; type?: Array<string>; size?: number; source?: Array<string>; person?: string }): Promise<models.Events>;
  /** Goes through all entries of `listPartyEvents`, page by page. */
  iteratePartyEvents(options?: CallOptions & { after?: string; afterSource?: string; alternativeSubject?: string; from?: Date | string; to?: Date | string; party?: number; unit?: string; type?: Array<string>; size?: number; source?: Array<string>; person?: string }): AsyncGenerator<models.Event>;
  /**
   * An app's events.
   * In the order in which they were stored. Events that the caller may not see are left out, so a page may be
   * short or empty: follow the header `next` until it is missing, and keep the last one to go on later. For
   * organisations only.
   * `org`: whose app
   * `app`: the app's name
   * `after`: id of the last event seen; an unknown one: from the beginning; needed without `from`
   * `afterSource`: its source, since ids of two sources can be the same
   * `alternativeSubject`: from `next`, in place of the header by which the page before was asked
   * `from`: events of then or later, with time zone; needed without `after`
   * `to`: events of then or earlier, with time zone
   * `party`: events with the subject `/party/N`
   * `unit`: events with the alternative subject `/organisation/N`
   * `person`: events with the alternative subject `/person/N`
   * `type`: in any case; `%` and `_` are wildcards; repeated: one must match
   * `size`: of a page
   */
  listAppEvents(org: string, app: string, options?: CallOptions & { after?: string; afterSource?: string; alternativeSubject?: string; from?: Date | string; to?: Date | string; party?: number; unit?: string; type?: Array<string>; size?: number; person?: string }): Promise<models.Events>;
  /** Goes through all entries of `listAppEvents`, page by page. */
  iterateAppEvents(org: string, app: string, options?: CallOptions & { after?: string; afterSource?: string; alternativeSubject?: string; from?: Date | string; to?: Date | string; party?: number; unit?: string; type?: Array<string>; size?: number; person?: string }): AsyncGenerator<models.Event>;
}
