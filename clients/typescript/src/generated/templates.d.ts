// The part Templates of the API; `make clients` writes this file.

import type { CallOptions, Connection } from "../core.js";
import type * as models from "./models.js";

export declare class Templates {
  constructor(connection: Connection);
  /**
   * Store a version of a template.
   * A version never changes, and an order keeps the one that it was taken in with. Needs the scope
   * `varsel:templates`.
   * `name`: a-z, 0-9, _ and -; at most 64
   * `waiting`: true: orders that wait with an earlier version get this one
   */
  put(name: string, body: models.TemplateRequest, options?: CallOptions & { waiting?: boolean }): Promise<models.TemplateShapesTemplate>;
  /**
   * A template.
   * The newest version, or another one. Needs the scope `varsel:templates`.
   * `name`: a-z, 0-9, _ and -; at most 64
   * `version`: default: the newest
   */
  get(name: string, options?: CallOptions & { version?: number }): Promise<models.TemplateShapesTemplate>;
  /**
   * Delete a template.
   * No new order can name it; orders that wait keep theirs. Needs the scope `varsel:templates`.
   * `name`: a-z, 0-9, _ and -; at most 64
   */
  delete(name: string, options?: CallOptions): Promise<void>;
  /**
   * Your templates.
   * And those of the installation. Needs the scope `varsel:templates`.
   */
  list(options?: CallOptions): Promise<models.TemplateList>;
  /**
   * Preview a template.
   * What an e-mail would say with these values; nothing is sent. Needs the scope `varsel:templates`.
   * `name`: a-z, 0-9, _ and -; at most 64
   */
  preview(name: string, body: models.PreviewRequest, options?: CallOptions): Promise<models.Preview>;
}
