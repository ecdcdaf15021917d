// The types of bodies and answers; `make clients` writes this file.

/** What an app tells; the event's id, time and resource are made here. */
export interface AppEvent {
  type: string;
  /** URL whose path begins with `/org/app` */
  source: string;
  /** whom it is about, such as `/party/50019855` */
  subject: string;
  /** any; the event's is 1.0 */
  specversion: string;
  /** such as `/person/01017512345` */
  alternativesubject?: string | null;
  /** absolute URI */
  dataschema?: string | null;
  /** media type of `data` */
  contenttype?: string | null;
  data?: unknown;
}

/** A file that comes with the e-mail: its content, or the address where it is fetched when the e-mail is due. */
export interface AttachmentRequest {
  /** as the recipient sees it, with its extension */
  filename: string;
  /** in any case one of application/epub+zip, application/gzip, application/json, application/msword, application/ogg, application/onenote, application/pdf, application/rtf, application/vnd.ms-excel, application/vnd.ms-excel.sheet.binary.macroEnabled.12, application/vnd.ms-excel.sheet.macroEnabled.12, application/vnd.ms-fontobject, application/vnd.ms-outlook, application/vnd.ms-powerpoint, application/vnd.ms-powerpoint.presentation.macroEnabled.12, application/vnd.ms-powerpoint.slideshow.macroEnabled.12, application/vnd.ms-publisher, application/vnd.ms-word.document.macroEnabled.12, application/vnd.openxmlformats-officedocument.presentationml.presentation, application/vnd.openxmlformats-officedocument.presentationml.slideshow, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, application/vnd.openxmlformats-officedocument.wordprocessingml.document, application/vnd.visio, application/x-7z-compressed, application/x-rar-compressed, application/x-tar, application/xml, application/zip, audio/aac, audio/midi, audio/mpeg, audio/ogg, audio/opus, audio/wav, audio/webm, audio/x-ms-wma, font/otf, font/ttf, font/woff, font/woff2, image/bmp, image/gif, image/jpeg, image/png, image/svg+xml, image/tiff, image/vnd.microsoft.icon, image/webp, text/calendar, text/csv, text/plain, text/xml, video/3gpp, video/3gpp2, video/mp4, video/mpeg, video/ogg, video/webm, video/x-ms-wmv, video/x-msvideo */
  mimeType: string;
  /** the file in base64, in place of sasUrl */
  content?: string | null;
  /** https, on a host that the installation allows; the signature of an address at Azure Blob Storage must be valid until 15 minutes after the send time */
  sasUrl?: string | null;
  /** of an image that the HTML shows: <img src='cid:NAME'> with NAME the contentId */
  contentId?: string | null;
}

/** An order with its reminders. */
export interface Chain {
  notificationOrderId: string;
  idempotencyId: string;
  dialogportenAssociation?: DialogAssociationOutput;
  notification: FirstStanding;
}

/** The answer to an order with its reminders. */
export interface ChainReceipt {
  notificationOrderId: string;
  notification: FirstShipment;
}

/** A message to one recipient, and its reminders. Unknown members are ignored; names may be written in any case. */
export interface ChainRequest {
  /** your name for the order: the same name never makes a second order */
  idempotencyId?: string;
  /** your own name for the order; reminders have their own */
  sendersReference?: string | null;
  /** not before this time; with a zone; default: at once */
  requestedSendTime?: Date | string | null;
  /** asked before sending: should it still be sent? */
  conditionEndpoint?: string | null;
  dialogportenAssociation?: DialogAssociationInput | null;
  recipient: RecipientInput;
  /** each is an order of its own */
  reminders?: Array<Reminder> | null;
}

/** By which channels a recipient who is known by a number is reached. */
export type Channel = "Email" | "Sms" | "EmailPreferred" | "SmsPreferred" | "EmailAndSms";

/** How many messages. */
export interface ChannelStatus {
  links: Links;
  generated: number;
  succeeded: number;
}

/** An e-mail with attachments. Unknown members are ignored; names may be written in any case. */
export interface ComposedEmailRequest {
  /** your name for the order: the same name never makes a second order */
  idempotencyId?: string;
  /** your own name for the order; reminders have their own */
  sendersReference?: string | null;
  /** not before this time; with a zone; default: at once */
  requestedSendTime?: Date | string | null;
  /** asked before sending: should it still be sent? */
  conditionEndpoint?: string | null;
  dialogportenAssociation?: DialogAssociationInput | null;
  recipient: EmailRecipient;
}

/** The format of an order's body (contract 3.1). */
export type ContentType = "Plain" | "Html";

/** One event for one subscription. */
export interface Delivery {
  id: number;
  eventId?: string;
  eventSource?: string;
  eventType?: string;
  /** true for the validation event, which has no id or type here */
  validation?: boolean;
  /** Waiting, Delivered, Dead or Unauthorized */
  state: string;
  /** those that count against the retry schedule */
  attempts: number;
  created: string;
  /** absent when nothing more will be attempted */
  nextAttempt?: string;
  lastUpdate: string;
  /** the newest attempts, the oldest of them first */
  replies: Array<Reply>;
}

/** What became of a message. */
export interface DeliveryAttempt {
  nationalIdentityNumber?: string;
  organizationNumber?: string;
  channel: string;
  emailAddress: string;
  result: string;
  resultTime: string;
}

/** What follows when an attempt is in doubt: the e-mail is sent again, or reported as failed (RFC 1047). */
export type DeliveryGuarantee = "AtLeastOnce" | "AtMostOnce";

/** A page of deliveries, the newest first. */
export interface DeliveryList {
  count: number;
  deliveries: Array<Delivery>;
}

/** Which dialog of Dialogporten the order belongs to: kept, and told in the log of notifications. */
export interface DialogAssociationInput {
  dialogId?: string | null;
  transmissionId?: string | null;
}

/** The dialog that the order belongs to, as posted. */
export interface DialogAssociationOutput {
  dialogId?: string;
  transmissionId?: string;
}

/** One e-mail to one recipient. */
export interface Email {
  id: string;
  succeeded: boolean;
  recipient: OrderAnswersRecipient;
  sendStatus: SendStatus;
}

/** An e-mail order. Unknown members are ignored; names may be written in any case. */
export interface EmailOrderRequest {
  /** required, up to 998 characters in one line */
  subject?: string | null;
  /** required; text or HTML, by contentType; no control characters except tabs and line ends */
  body?: string | null;
  contentType?: ContentType;
  /** files that come with the e-mail */
  attachments?: Array<AttachmentRequest | null> | null;
  /** at least one */
  recipients?: Array<RecipientRequest> | null;
  /** your own name for the order */
  sendersReference?: string | null;
  /** not before this time; with a zone; default: at once */
  requestedSendTime?: Date | string | null;
  /** asked before sending: should it still be sent? */
  conditionEndpoint?: string | null;
  /** send also to persons who are reserved */
  ignoreReservation?: boolean | null;
  /** the resource that the order is about */
  resourceId?: string | null;
  /** only together with resourceId */
  resourceAction?: string | null;
  /** what to do when an attempt is in doubt: send again, or report */
  deliveryGuarantee?: DeliveryGuarantee;
  /** Instant (to up to 100 recipients, who wait for it), Normal or Bulk; default: Bulk for very many recipients, else Normal */
  priority?: Priority | null;
}

/** An address, and what is sent there. */
export interface EmailRecipient {
  emailAddress: string;
  emailSettings: EmailSettings;
}

/** What an e-mail says. */
export interface EmailSettings {
  /** one line */
  subject: string;
  /** text or HTML, by contentType */
  body: string;
  contentType?: ContentType;
  /** only the installation's own sender; better left out */
  senderEmailAddress?: string | null;
  /** files that come with the e-mail */
  attachments?: Array<AttachmentRequest | null> | null;
  /** Anytime: e-mails are sent at any time of day */
  sendingTimePolicy?: TimePolicy;
}

/** All e-mails of an order. */
export interface EmailSummary {
  orderId: string;
  sendersReference?: string;
  generated: number;
  succeeded: number;
  notifications: Array<Email>;
}

/** The texts of an order's e-mails, and their sender. */
export interface EmailTemplateInput {
  /** required, up to 998 characters in one line */
  subject?: string | null;
  /** required; text or HTML, by contentType; no control characters except tabs and line ends */
  body?: string | null;
  contentType?: ContentType;
  /** files that come with the e-mail */
  attachments?: Array<AttachmentRequest | null> | null;
  /** only the installation's own sender; better left out */
  fromAddress?: string | null;
}

/** What the messages say. */
export interface EmailTemplateOutput {
  fromAddress: string;
  subject: string;
  body: string;
  contentType: string;
}

/** An order that has ended, in the feed. */
export interface Entry {
  sequenceNumber: number;
  shipmentId: string;
  sendersReference?: string;
  recipients: Array<EntryRecipient>;
  status: string;
  lastUpdate: string;
  shipmentType: string;
}

/** What became of one message. */
export interface EntryRecipient {
  destination: string;
  status: string;
  lastUpdate: string;
}

/** A CloudEvent 1.0 in the JSON format; more attributes, of letters a to z and digits, are kept. */
export interface Event {
  specversion: "1.0";
  id: string;
  /** with `id`, the name of the event: stored once */
  source: string;
  type: string;
  /** URN in lower case; subscribers and access go by it */
  resource: string;
  subject?: string | null;
  alternativesubject?: string | null;
  resourceinstance?: string | null;
  /** RFC 3339 */
  time?: string | null;
  /** absolute URI */
  dataschema?: string | null;
  /** media type of `data` */
  datacontenttype?: string | null;
  data?: unknown;
  /** instead of `data`: bytes */
  data_base64?: string | null;
  /** Attributes of your own. */
  [name: string]: unknown;
}

/** The event's id, a JSON string. */
export type EventId = string;

/** A batch, or a page. */
export type Events = Array<Event>;

/** A page of the feed. */
export type Feed = Array<Entry>;

/** An order, and its reminders, if there are any. */
export interface FirstShipment {
  shipmentId: string;
  sendersReference?: string;
  reminders?: Array<ShipmentName>;
}

/** The first order of a chain, and its reminders. */
export interface FirstStanding {
  shipmentId: string;
  sendersReference?: string;
  status?: string;
  requestedSendTime?: string;
  reminders?: Array<Standing>;
}

/** An address, and what is sent there at once. */
export interface InstantEmailRecipient {
  emailAddress: string;
  emailSettings: InstantEmailSettings;
}

/** An e-mail that somebody waits for. Unknown members are ignored; names may be written in any case. */
export interface InstantEmailRequest {
  /** your name for the order: the same name never makes a second order */
  idempotencyId?: string;
  /** your own name for the order */
  sendersReference?: string | null;
  recipientEmail: InstantEmailRecipient;
}

/** What an instant e-mail says. */
export interface InstantEmailSettings {
  /** one line */
  subject: string;
  /** text or HTML, by contentType */
  body: string;
  contentType?: ContentType;
  /** only the installation's own sender; better left out */
  senderEmailAddress?: string | null;
  /** files that come with the e-mail */
  attachments?: Array<AttachmentRequest | null> | null;
}

/** Where to look next. */
export interface Links {
  self: string;
  status?: string;
}

/** The messages of a dialog. */
export type Log = Array<Logged>;

/** A message that belongs to a dialog. */
export interface Logged {
  notificationId: string;
  dialogId: string;
  transmissionId?: string;
  type: string;
  channel: string;
  destination: string;
  status: string;
  requestedSendTime: string;
  lastUpdateTime: string;
}

/** A secret that takes the place of another. */
export interface NewSecret {
  /** shown this once */
  secret: string;
  /** until then, pushed events carry a signature of each */
  oldSecretValidUntil: string;
}

/** An order as it was posted. */
export interface Order {
  id: string;
  sendersReference?: string;
  requestedSendTime: string;
  creator: string;
  created: string;
  notificationChannel: string;
  ignoreReservation?: boolean;
  resourceId?: string;
  resourceAction?: string;
  conditionEndpoint?: string;
  recipients: Array<OrderAnswersRecipient>;
  emailTemplate: EmailTemplateOutput;
  smsTemplate?: SmsTemplate;
  deliveryGuarantee: string;
  priority: string;
  links: Links;
}

/** Orders with one reference. */
export interface OrderList {
  count: number;
  orders: Array<Order>;
}

/** An order for any channel. Unknown members are ignored; names may be in any case. */
export interface OrderRequest {
  /** at least one */
  recipients?: Array<RecipientRequest> | null;
  /** your own name for the order */
  sendersReference?: string | null;
  /** not before this time; with a zone; default: at once */
  requestedSendTime?: Date | string | null;
  /** asked before sending: should it still be sent? */
  conditionEndpoint?: string | null;
  /** send also to persons who are reserved */
  ignoreReservation?: boolean | null;
  /** the resource that the order is about */
  resourceId?: string | null;
  /** only together with resourceId */
  resourceAction?: string | null;
  /** what to do when an attempt is in doubt: send again, or report */
  deliveryGuarantee?: DeliveryGuarantee;
  /** Instant (to up to 100 recipients, who wait for it), Normal or Bulk; default: Bulk for very many recipients, else Normal */
  priority?: Priority | null;
  /** Email, or its number 0 */
  notificationChannel: string | number;
  emailTemplate: EmailTemplateInput;
}

/** An order with its status. */
export interface OrderStatus {
  id: string;
  sendersReference?: string;
  requestedSendTime: string;
  creator: string;
  created: string;
  notificationChannel: string;
  ignoreReservation?: boolean;
  resourceId?: string;
  resourceAction?: string;
  conditionEndpoint?: string;
  processingStatus: ProcessingStatus;
  notificationsStatusSummary?: StatusSummary;
}

/** An organisation. */
export interface OrganizationRecipient {
  /** Email, or EmailPreferred with both settings */
  channelSchema: Channel;
  emailSettings?: EmailSettings | null;
  /** kept; this installation sends no SMS */
  smsSettings?: SmsSettings | null;
  /** urn:altinn:resource:…, which the order is about */
  resourceId?: string | null;
  /** only together with resourceId */
  resourceAction?: string | null;
  /** 9 digits */
  orgNumber: string;
}

/** A person. */
export interface PersonRecipient {
  /** Email, or EmailPreferred with both settings */
  channelSchema: Channel;
  emailSettings?: EmailSettings | null;
  /** kept; this installation sends no SMS */
  smsSettings?: SmsSettings | null;
  /** urn:altinn:resource:…, which the order is about */
  resourceId?: string | null;
  /** only together with resourceId */
  resourceAction?: string | null;
  /** 11 digits */
  nationalIdentityNumber: string;
  /** send also to a person who is reserved */
  ignoreReservation?: boolean;
  /** not used */
  useStaleContactInformation?: boolean;
}

/** Which orders pass which: instant ones have connections of their own, and bulk gets what the others leave. */
export type Priority = "Instant" | "Normal" | "Bulk";

/** How far an order is. */
export interface ProcessingStatus {
  status: string;
  description: string;
  lastUpdate: string;
}

/** The answer to an order. */
export interface Receipt {
  orderId: string;
  recipientLookup?: RecipientLookup;
}

/** Who gets a message: exactly one of these. */
export interface RecipientInput {
  recipientEmail?: EmailRecipient | null;
  recipientPerson?: PersonRecipient | null;
  recipientOrganization?: OrganizationRecipient | null;
  /** refused: this installation sends no SMS */
  recipientSms?: Record<string, unknown> | null;
  /** refused: no directory knows these */
  recipientExternalIdentity?: Record<string, unknown> | null;
}

/** What the contact directory knew. */
export interface RecipientLookup {
  status: string;
  isReserved: Array<string>;
  missingContact: Array<string>;
}

/** One recipient: an address, or a number that the contact directory knows. */
export interface RecipientRequest {
  /** where to send */
  emailAddress?: string | null;
  /** not used in e-mail orders */
  mobileNumber?: string | null;
  /** 9 digits; must stand alone */
  organizationNumber?: string | null;
  /** 11 digits; must stand alone */
  nationalIdentityNumber?: string | null;
}

/** Another message to follow, by a number of days or at a time of its own. */
export interface Reminder {
  recipient: RecipientInput;
  /** days of 24 hours after the first order's requestedSendTime, 1 or more */
  delayDays?: number | null;
  /** in place of delayDays; with a zone */
  requestedSendTime?: Date | string | null;
  /** your own name for the reminder */
  sendersReference?: string | null;
  /** asked before sending: should it still be sent? */
  conditionEndpoint?: string | null;
}

/** How many events a replay concerns. */
export interface Replay {
  /** stored events that match */
  count: number;
  /** those that are pushed again: all, or none without `count` in the request */
  replayed: number;
}

/** One attempt and what came of it. */
export interface Reply {
  /** when it ended */
  at: string;
  /** accepted, deferred, rejected, expired or unauthorized */
  outcome: string;
  /** the HTTP status; absent when there was no answer */
  status?: number;
  /** the answer's beginning, or what happened instead */
  body: string;
  durationMs: number;
}

/** What became of one e-mail. */
export interface SendStatus {
  status: string;
  description: string;
  lastUpdate: string;
}

/** An order, and what became of its messages. */
export interface Shipment {
  shipmentId: string;
  sendersReference?: string;
  type: string;
  status: string;
  lastUpdate: string;
  recipients: Array<ChainAnswersRecipient>;
}

/** An order by its name. */
export interface ShipmentName {
  shipmentId: string;
  sendersReference?: string;
}

/** What an SMS would say: kept, and not sent. */
export interface SmsSettings {
  body: string;
  sender?: string | null;
  sendingTimePolicy?: TimePolicy;
}

/** What an SMS would say: kept, and not sent. */
export interface SmsTemplate {
  senderNumber: string;
  body: string;
}

/** An order of a chain, and how far it is; without `status` when it ended so long ago that it was removed. */
export interface Standing {
  shipmentId: string;
  sendersReference?: string;
  status?: string;
  requestedSendTime?: string;
}

/** Per channel. */
export interface StatusSummary {
  email?: ChannelStatus;
}

/** A subscription and how it is. */
export interface Subscription {
  id: number;
  endPoint: string;
  sourceFilter?: string;
  sourcePrefixFilter?: string;
  resourceFilter: string;
  subjectFilter?: string;
  alternativeSubjectFilter?: string;
  /** as it was posted */
  typeFilter?: string | Array<string>;
  includeSubunits: boolean;
  ordered: boolean;
  template?: string;
  consumer: string;
  createdBy: string;
  created: string;
  /** the endpoint has accepted the validation event: events are pushed */
  validated: boolean;
  /** why nothing is pushed; events that match meanwhile wait */
  paused?: string;
  /** nothing is pushed before, since the endpoint kept failing */
  openUntil?: string;
  /** of the newest attempt; absent when that went well */
  lastError?: string;
  /** what pushed events are signed with (Standard Webhooks); shown this once, when it is new */
  secret?: string;
}

/** The caller's subscriptions, the oldest first. */
export interface SubscriptionList {
  count: number;
  subscriptions: Array<Subscription>;
}

/** A request to get events. Unknown members are ignored; names may be written in any case. */
export interface SubscriptionRequest {
  /** required: where events are posted to, an https address; or mailto: with one e-mail address */
  endPoint?: string | null;
  /** an app's address; for app events only */
  sourceFilter?: string | null;
  /** events whose source begins with this; not together with sourceFilter */
  sourcePrefixFilter?: string | null;
  /** events about this resource; required, except for app events with a sourceFilter */
  resourceFilter?: string | null;
  /** events about exactly this subject */
  subjectFilter?: string | null;
  /** events about this organisation or person; for app events only */
  alternativeSubjectFilter?: string | null;
  /** events of this type, or of up to 20: whole types, or beginnings that end in .* */
  typeFilter?: string | Array<string> | null;
  /** not supported without a register of organisations */
  includeSubunits?: boolean;
  /** each subject's next event comes only when the one before is delivered or dead */
  ordered?: boolean;
  /** name of the stored template; only and always with a mailto: endPoint */
  template?: string | null;
}

/** Orders. */
export type SupportEntries = Array<SupportEntry>;

/** An order, as far as it went to the recipient. */
export interface SupportEntry {
  shipmentId: string;
  creatorName: string;
  resourceId?: string;
  sendersReference?: string;
  requestedSendTime: string;
  notificationChannel: string;
  notificationType: string;
  deliveryAttempts: Array<DeliveryAttempt>;
}

/** At what time of day messages are sent. */
export type TimePolicy = "Anytime" | "Daytime";

/** Likewise, with its channel. */
export interface ChainAnswersRecipient {
  destination: string;
  status: string;
  lastUpdate: string;
  type: string;
}

/** A recipient as posted. */
export interface OrderAnswersRecipient {
  emailAddress?: string;
  mobileNumber?: string;
  organizationNumber?: string;
  nationalIdentityNumber?: string;
}
