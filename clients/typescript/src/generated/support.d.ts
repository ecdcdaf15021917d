// The part Support of the API; `make clients` writes this file.

import type { CallOptions, Connection } from "../core.js";
import type * as models from "./models.js";

export declare class Support {
  constructor(connection: Connection);
  /**
   * What was sent to a person.
   * Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
   * `nationalIdentityNumber`: the recipient
   * `from`: requested send times from here on; default: 7 days ago
   * `to`: up to here, which is not included; default: now
   */
  getDashboardRecipientsNotificationsNin(options: CallOptions & { from?: Date | string; to?: Date | string; nationalIdentityNumber: string }): Promise<models.SupportEntries>;
  /**
   * What was sent to an organisation.
   * Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
   * `organizationNumber`: the recipient
   * `from`: requested send times from here on; default: 7 days ago
   * `to`: up to here, which is not included; default: now
   */
  getDashboardRecipientsNotificationsOrgnumber(options: CallOptions & { from?: Date | string; to?: Date | string; organizationNumber: string }): Promise<models.SupportEntries>;
  /**
   * What was sent to an e-mail address.
   * Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
   * `email`: the recipient
   * `from`: requested send times from here on; default: 7 days ago
   * `to`: up to here, which is not included; default: now
   */
  getDashboardRecipientsNotificationsEmail(options: CallOptions & { from?: Date | string; to?: Date | string; email: string }): Promise<models.SupportEntries>;
  /**
   * What was sent to a phone number: nothing.
   * Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
   * `phoneNumber`: the recipient
   * `from`: requested send times from here on; default: 7 days ago
   * `to`: up to here, which is not included; default: now
   */
  getDashboardRecipientsNotificationsPhonenumber(options: CallOptions & { from?: Date | string; to?: Date | string; phoneNumber: string }): Promise<models.SupportEntries>;
}
