// The part Support of the API; `make clients` writes this file.


export class Support {
  constructor(connection) {
    this.connection = connection;
  }

  getDashboardRecipientsNotificationsNin(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/notifications/api/v1/future/dashboard/recipients/notifications/nin",
      query: { from: options.from, to: options.to },
      headers: { NationalIdentityNumber: options.nationalIdentityNumber },
      repeatable: true,
      signal: options.signal,
    });
  }

  getDashboardRecipientsNotificationsOrgnumber(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/notifications/api/v1/future/dashboard/recipients/notifications/orgnumber",
      query: { from: options.from, to: options.to },
      headers: { OrganizationNumber: options.organizationNumber },
      repeatable: true,
      signal: options.signal,
    });
  }

  getDashboardRecipientsNotificationsEmail(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/notifications/api/v1/future/dashboard/recipients/notifications/email",
      query: { from: options.from, to: options.to },
      headers: { Email: options.email },
      repeatable: true,
      signal: options.signal,
    });
  }

  getDashboardRecipientsNotificationsPhonenumber(options = {}) {
    return this.connection.send({
      method: "GET",
      path: "/notifications/api/v1/future/dashboard/recipients/notifications/phonenumber",
      query: { from: options.from, to: options.to },
      headers: { PhoneNumber: options.phoneNumber },
      repeatable: true,
      signal: options.signal,
    });
  }
}
