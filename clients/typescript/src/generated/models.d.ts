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
  /** nothing is sent from this time on; with a zone; default: 48 hours after it could be sent */
  expiresAt?: Date | string | null;
  /** when e-mails may leave; outside of it, they wait for the next opening */
  sendingWindow?: SendingWindow | null;
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
  /** nothing is sent from this time on; with a zone; default: 48 hours after it could be sent */
  expiresAt?: Date | string | null;
  /** when e-mails may leave; outside of it, they wait for the next opening */
  sendingWindow?: SendingWindow | null;
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

/** What would follow if the lines were stored and the order closed now. */
export interface DryRun {
  sendTimes: Array<SendTime>;
  /** when the last would have left, by the best minute of the last days; absent: not known */
  lastSent?: string;
  sample?: Sample;
}

/** What becomes of a recipient who has come before in the same order. */
export type Duplicates = "Drop" | "Keep";

/** One e-mail to one recipient. */
export interface Email {
  id: string;
  succeeded: boolean;
  recipient: OrderPartsRecipient;
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
  /** in place of subject, body and contentType */
  template?: TemplateName | null;
  /** nothing is sent from this time on; with a zone; default: 48 hours after it could be sent */
  expiresAt?: Date | string | null;
  /** when e-mails may leave; outside of it, they wait for the next opening */
  sendingWindow?: SendingWindow | null;
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
  /** the order is open: recipients are sent to /orders/{id}/recipients until it is closed */
  recipientsFollow?: boolean | null;
  /** of recipients that follow: Drop or Keep those who came before */
  duplicateRecipients?: Duplicates;
  /** one of your sender identities; default: the default one, or the installation's sender */
  senderEmailAddress?: string | null;
}

/** An address, and what is sent there. */
export interface EmailRecipient {
  /** for the order's template */
  values?: Record<string, unknown> | null;
  /** of the template's texts, such as nb-NO; default: the order's */
  locale?: string | null;
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
  /** in place of subject, body and contentType */
  template?: TemplateName | null;
  /** Daytime: e-mails leave between 09:00 and 17:00 in Norway */
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
  /** in place of subject, body and contentType */
  template?: TemplateName | null;
  /** one of your sender identities; default: the default one */
  fromAddress?: string | null;
}

/** What the messages say. */
export interface EmailTemplateOutput {
  fromAddress: string;
  subject: string;
  body: string;
  contentType: string;
  template?: OrderPartsTemplate;
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

/** What has become of a recipient of an order that was to be withdrawn. */
export type Fate = "Cancelled" | "Rescheduled" | "Sent" | "Failed" | "NotSent" | "InFlight" | "InDoubt";

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
  /** for the order's template */
  values?: Record<string, unknown> | null;
  /** of the template's texts, such as nb-NO; default: the order's */
  locale?: string | null;
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
  /** in place of subject, body and contentType */
  template?: TemplateName | null;
}

/** Why a line is not a recipient. */
export interface InvalidLine {
  line: number;
  column?: string;
  reason: string;
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

/** What becomes of runs whose time passed while no clock ran, or the database was away. */
export type Missed = "Once" | "Skip";

/** A template in a list; without a version, it is the installation's own. */
export interface Named {
  name: string;
  version?: number;
  created?: string;
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
  recipients: Array<OrderPartsRecipient>;
  emailTemplate: EmailTemplateOutput;
  smsTemplate?: SmsTemplate;
  deliveryGuarantee: string;
  priority: string;
  recipientsFollow?: boolean;
  links: Links;
}

/** Orders with one reference. */
export interface OrderList {
  count: number;
  orders: Array<Order>;
}

/** An order for any channel. Unknown members are ignored; names may be in any case. */
export interface OrderRequest {
  /** nothing is sent from this time on; with a zone; default: 48 hours after it could be sent */
  expiresAt?: Date | string | null;
  /** when e-mails may leave; outside of it, they wait for the next opening */
  sendingWindow?: SendingWindow | null;
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
  /** the order is open: recipients are sent to /orders/{id}/recipients until it is closed */
  recipientsFollow?: boolean | null;
  /** of recipients that follow: Drop or Keep those who came before */
  duplicateRecipients?: Duplicates;
  /** Email, or its number 0 */
  notificationChannel: string | number;
  emailTemplate: EmailTemplateInput;
}

/** An order's life (contract 6.1). */
export type OrderState = "Open" | "Registered" | "Processing" | "Processed" | "Completed" | "SendConditionNotMet" | "Cancelled" | "SetAside";

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
  /** for the order's template */
  values?: Record<string, unknown> | null;
  /** of the template's texts, such as nb-NO; default: the order's */
  locale?: string | null;
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

/** Recipients who get it at the same time; without `at`, nobody knows when, or it is never. */
export interface Part {
  recipients: number;
  at?: string;
  timeZone?: string;
  reasons: Array<Reason>;
}

/** A person. */
export interface PersonRecipient {
  /** for the order's template */
  values?: Record<string, unknown> | null;
  /** of the template's texts, such as nb-NO; default: the order's */
  locale?: string | null;
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

/** When the parts of an order go that have not ended; of very many, the first ones (`more`). */
export interface Plan {
  orderId: string;
  status: OrderState;
  asOf: string;
  requestedSendTime: string;
  expiresAt?: string;
  settled: number;
  parts: Array<Part>;
  more: boolean;
}

/** A rendered template. */
export interface Preview {
  name: string;
  version?: number;
  /** of the texts that were chosen */
  locale: string;
  subject?: string;
  html?: string;
  /** as it is sent; made of the HTML if the template has none */
  text?: string;
}

/** What to render a template with. */
export interface PreviewRequest {
  /** as an order gives them for a recipient */
  values?: Record<string, unknown> | null;
  /** such as nb-NO; what the template lacks falls back to nb, then to its own */
  locale?: string | null;
  /** default: the newest */
  version?: number | null;
}

/** Which orders pass which: instant ones have connections of their own, and bulk gets what the others leave. */
export type Priority = "Instant" | "Normal" | "Bulk";

/** How far an order is. */
export interface ProcessingStatus {
  status: string;
  description: string;
  lastUpdate: string;
}

/** Why recipients get it when they do. */
export interface Reason {
  kind: Why;
  text: string;
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

/** What has become of a recipient. */
export interface RecipientFate {
  emailAddress?: string;
  organizationNumber?: string;
  nationalIdentityNumber?: string;
  result: Fate;
  description: string;
}

/** A line: a recipient, known by an address or by a number that the contact directory knows. */
export interface RecipientLine {
  emailAddress?: string | null;
  /** 11 digits; must stand alone */
  nationalIdentityNumber?: string | null;
  /** 9 digits; must stand alone */
  organizationNumber?: string | null;
  /** of the template's texts, such as nb-NO */
  locale?: string | null;
  /** in which the order's window is read, such as Europe/Oslo */
  timeZone?: string | null;
  /** what is the recipient's own in the order's texts */
  values?: Record<string, string | number | number | boolean | null> | null;
}

/** What the contact directory knew. */
export interface RecipientLookup {
  status: string;
  isReserved: Array<string>;
  missingContact: Array<string>;
}

/** One recipient: an address, or a number that the contact directory knows. */
export interface RecipientRequest {
  /** for the order's template */
  values?: Record<string, unknown> | null;
  /** of the template's texts, such as nb-NO; default: the order's */
  locale?: string | null;
  /** where to send */
  emailAddress?: string | null;
  /** not used in e-mail orders */
  mobileNumber?: string | null;
  /** 9 digits; must stand alone */
  organizationNumber?: string | null;
  /** 11 digits; must stand alone */
  nationalIdentityNumber?: string | null;
  /** the IANA time zone in which the order's sendingWindow is read */
  timeZone?: string | null;
}

/** CSV: the first line names the columns; what is no address is a value. Separated by comma, semicolon or tab. */
export type RecipientTable = string;

/** A recurring order; without `nextRuns`, it has ended or is paused. */
export interface Recurring {
  id: string;
  name: string;
  created: string;
  cron: string;
  zone: string;
  missed: Missed;
  until?: string;
  runsLeft?: number;
  runsMade: number;
  nextRuns?: Array<string>;
  lastRun?: string;
  lastOrderId?: string;
  lastFault?: string;
  pausedReason?: string;
}

/** All recurring orders of a creator. */
export interface RecurringList {
  recurringOrders: Array<Recurring>;
}

/** An order that is made again and again. Unknown members are ignored; names may be written in any case. */
export interface RecurringRequest {
  /** your name for it: the same name never makes a second one */
  name: string;
  /** minute, hour, day of the month, month, day of the week, as in a crontab */
  cron: string;
  /** the IANA time zone of these times */
  zone: string;
  /** the last time at which a run may be; with a zone */
  until?: Date | string | null;
  /** after so many runs it ends */
  runs?: number | null;
  /** what becomes of runs that nobody could make in time: one for all, or none */
  missed?: Missed;
  /** the order of each run, without a send time and attachments */
  order: EmailOrderRequest;
}

/** Another message to follow, by a number of days or at a time of its own. */
export interface Reminder {
  /** nothing is sent from this time on; with a zone; default: 48 hours after it could be sent */
  expiresAt?: Date | string | null;
  /** when e-mails may leave; outside of it, they wait for the next opening */
  sendingWindow?: SendingWindow | null;
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

/** When an order is to be sent instead. */
export interface RescheduleRequest {
  /** not before this time; with a zone */
  requestedSendTime: Date | string;
  /** likewise: nothing is sent from then on; default: as before */
  expiresAt?: Date | string | null;
}

/** What the first recipient would get. */
export interface Sample {
  to: string;
  subject: string;
  body: string;
  contentType: string;
}

/** What became of one e-mail. */
export interface SendStatus {
  status: string;
  description: string;
  lastUpdate: string;
}

/** From when on e-mails go to recipients in a zone. */
export interface SendTime {
  zone: string;
  time: string;
  recipients: number;
}

/** On which days and at what time of day e-mails may leave; what is not given limits nothing. */
export interface SendingWindow {
  /** the IANA time zone; a recipient's timeZone goes before it */
  zone: string;
  /** Monday to Sunday; default: all */
  days?: Array<string> | null;
  /** a time such as 09:00; only with `to` */
  from?: string | null;
  /** the end, which is not within; up to 24:00, or past midnight if it is not after `from` */
  to?: string | null;
  /** a calendar of the installation: its holidays and quiet hours count */
  calendar?: string | null;
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

/** The templates that can be named. */
export interface TemplateList {
  count: number;
  templates: Array<Named>;
}

/** Which template an order's e-mails are made of. */
export interface TemplateName {
  /** yours, or one of the installation's: see GET /templates */
  name: string;
  /** default: the newest; the order keeps it */
  version?: number | null;
  /** such as nb-NO, for recipients who have none; default: the template's */
  locale?: string | null;
}

/** A version of a template: Jinja texts. Unknown members are ignored; names may be written in any case. */
export interface TemplateRequest {
  /** one line; without it, the template is a part of others */
  subject?: string | null;
  /** HTML, in which values are escaped */
  html?: string | null;
  /** plain text; default: made of the HTML */
  text?: string | null;
  /** the language of these texts, such as nb or en-GB */
  locale?: string;
  /** subject, html and text in other languages, by locale; what one lacks is as above */
  locales?: Record<string, unknown> | null;
  /** a JSON schema of the values; default: inferred from the texts */
  schema?: Record<string, unknown> | null;
}

/** At what time of day messages are sent. */
export type TimePolicy = "Anytime" | "Daytime";

/** How far the recipients of an order have come. */
export interface UploadStatus {
  orderId: string;
  /** Open, or what has become of the order since */
  status: string;
  /** where to go on after a broken connection */
  nextLine: number;
  valid: number;
  invalid: number;
  /** recipients who came before; kept or dropped, as the order says */
  duplicate: number;
  /** when the open order is cancelled, if nothing comes until then */
  expires?: string;
  /** the first 100 invalid lines */
  report: Array<InvalidLine>;
  /** only of a dry run */
  dryRun?: DryRun;
}

/** A version of a template in a list. */
export interface Version {
  version: number;
  created: string;
}

/** What a part of an order waits for. */
export type Why = "open" | "requestedTime" | "window" | "calendar" | "quota" | "condition" | "attachments" | "pause" | "limit" | "retry" | "turn" | "inFlight" | "expiry";

/** What has become of an order's recipients: of all in numbers, of the first thousand one by one. */
export interface Withdrawal {
  orderId: string;
  status: OrderState;
  counts: Record<string, number>;
  recipients: Array<RecipientFate>;
}

/** Likewise, with its channel. */
export interface ChainAnswersRecipient {
  destination: string;
  status: string;
  lastUpdate: string;
  type: string;
}

/** A recipient as posted. */
export interface OrderPartsRecipient {
  emailAddress?: string;
  mobileNumber?: string;
  organizationNumber?: string;
  nationalIdentityNumber?: string;
  values?: Record<string, unknown>;
  locale?: string;
  timeZone?: string;
}

/** The template that the messages are made of; without a version, it is the installation's own. */
export interface OrderPartsTemplate {
  name: string;
  version?: number;
}

/** A version of a template. Without a version, it is the installation's own. */
export interface TemplateShapesTemplate {
  name: string;
  version?: number;
  created?: string;
  subject?: string;
  html?: string;
  text?: string;
  locale: string;
  locales: Record<string, Record<string, string>>;
  schema: Record<string, unknown>;
  /** the templates that it names, which it has as they were when it was stored */
  parts: Array<string>;
  /** the newest ones, the last one first */
  versions: Array<Version>;
}
