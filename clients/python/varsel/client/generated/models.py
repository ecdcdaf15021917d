"""The types of bodies and answers; `make clients` writes this file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NotRequired, TypeAlias, TypedDict


class AppEvent(TypedDict):
    """What an app tells; the event's id, time and resource are made here."""

    type: str
    source: str
    """URL whose path begins with `/org/app`"""
    subject: str
    """whom it is about, such as `/party/50019855`"""
    specversion: str
    """any; the event's is 1.0"""
    alternativesubject: NotRequired[str | None]
    """such as `/person/01017512345`"""
    dataschema: NotRequired[str | None]
    """absolute URI"""
    contenttype: NotRequired[str | None]
    """media type of `data`"""
    data: NotRequired[object]


class AttachmentRequest(TypedDict):
    """A file that comes with the e-mail: its content, or the address where it is fetched when the e-mail is due."""

    filename: str
    """as the recipient sees it, with its extension"""
    mimeType: str
    """in any case one of application/epub+zip, application/gzip, application/json, application/msword, application/ogg, application/onenote, application/pdf, application/rtf, application/vnd.ms-excel, application/vnd.ms-excel.sheet.binary.macroEnabled.12, application/vnd.ms-excel.sheet.macroEnabled.12, application/vnd.ms-fontobject, application/vnd.ms-outlook, application/vnd.ms-powerpoint, application/vnd.ms-powerpoint.presentation.macroEnabled.12, application/vnd.ms-powerpoint.slideshow.macroEnabled.12, application/vnd.ms-publisher, application/vnd.ms-word.document.macroEnabled.12, application/vnd.openxmlformats-officedocument.presentationml.presentation, application/vnd.openxmlformats-officedocument.presentationml.slideshow, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, application/vnd.openxmlformats-officedocument.wordprocessingml.document, application/vnd.visio, application/x-7z-compressed, application/x-rar-compressed, application/x-tar, application/xml, application/zip, audio/aac, audio/midi, audio/mpeg, audio/ogg, audio/opus, audio/wav, audio/webm, audio/x-ms-wma, font/otf, font/ttf, font/woff, font/woff2, image/bmp, image/gif, image/jpeg, image/png, image/svg+xml, image/tiff, image/vnd.microsoft.icon, image/webp, text/calendar, text/csv, text/plain, text/xml, video/3gpp, video/3gpp2, video/mp4, video/mpeg, video/ogg, video/webm, video/x-ms-wmv, video/x-msvideo"""
    content: NotRequired[str | None]
    """the file in base64, in place of sasUrl"""
    sasUrl: NotRequired[str | None]
    """https, on a host that the installation allows; the signature of an address at Azure Blob Storage must be valid until 15 minutes after the send time"""
    contentId: NotRequired[str | None]
    """of an image that the HTML shows: <img src='cid:NAME'> with NAME the contentId"""


class Chain(TypedDict):
    """An order with its reminders."""

    notificationOrderId: str
    idempotencyId: str
    dialogportenAssociation: NotRequired[DialogAssociationOutput]
    notification: FirstStanding


class ChainAnswersRecipient(TypedDict):
    """Likewise, with its channel."""

    destination: str
    status: str
    lastUpdate: str
    type: str


class ChainReceipt(TypedDict):
    """The answer to an order with its reminders."""

    notificationOrderId: str
    notification: FirstShipment


class ChainRequest(TypedDict):
    """A message to one recipient, and its reminders. Unknown members are ignored; names may be written in any case."""

    expiresAt: NotRequired[datetime | str | None]
    """nothing is sent from this time on; with a zone; default: 48 hours after it could be sent"""
    sendingWindow: NotRequired[SendingWindow | None]
    """when e-mails may leave; outside of it, they wait for the next opening"""
    idempotencyId: NotRequired[str]
    """your name for the order: the same name never makes a second order"""
    sendersReference: NotRequired[str | None]
    """your own name for the order; reminders have their own"""
    requestedSendTime: NotRequired[datetime | str | None]
    """not before this time; with a zone; default: at once"""
    conditionEndpoint: NotRequired[str | None]
    """asked before sending: should it still be sent?"""
    dialogportenAssociation: NotRequired[DialogAssociationInput | None]
    recipient: RecipientInput
    reminders: NotRequired[Sequence[Reminder] | None]
    """each is an order of its own"""


Channel: TypeAlias = 'Literal["Email", "Sms", "EmailPreferred", "SmsPreferred", "EmailAndSms"]'
"""By which channels a recipient who is known by a number is reached."""


class ChannelStatus(TypedDict):
    """How many messages."""

    links: Links
    generated: int
    succeeded: int


class ComposedEmailRequest(TypedDict):
    """An e-mail with attachments. Unknown members are ignored; names may be written in any case."""

    expiresAt: NotRequired[datetime | str | None]
    """nothing is sent from this time on; with a zone; default: 48 hours after it could be sent"""
    sendingWindow: NotRequired[SendingWindow | None]
    """when e-mails may leave; outside of it, they wait for the next opening"""
    idempotencyId: NotRequired[str]
    """your name for the order: the same name never makes a second order"""
    sendersReference: NotRequired[str | None]
    """your own name for the order; reminders have their own"""
    requestedSendTime: NotRequired[datetime | str | None]
    """not before this time; with a zone; default: at once"""
    conditionEndpoint: NotRequired[str | None]
    """asked before sending: should it still be sent?"""
    dialogportenAssociation: NotRequired[DialogAssociationInput | None]
    recipient: EmailRecipient


ContentType: TypeAlias = 'Literal["Plain", "Html"]'
"""The format of an order's body (contract 3.1)."""


class Delivery(TypedDict):
    """One event for one subscription."""

    id: int
    eventId: NotRequired[str]
    eventSource: NotRequired[str]
    eventType: NotRequired[str]
    validation: NotRequired[bool]
    """true for the validation event, which has no id or type here"""
    state: str
    """Waiting, Delivered, Dead or Unauthorized"""
    attempts: int
    """those that count against the retry schedule"""
    created: str
    nextAttempt: NotRequired[str]
    """absent when nothing more will be attempted"""
    lastUpdate: str
    replies: list[Reply]
    """the newest attempts, the oldest of them first"""


class DeliveryAttempt(TypedDict):
    """What became of a message."""

    nationalIdentityNumber: NotRequired[str]
    organizationNumber: NotRequired[str]
    channel: str
    emailAddress: str
    result: str
    resultTime: str


DeliveryGuarantee: TypeAlias = 'Literal["AtLeastOnce", "AtMostOnce"]'
"""What follows when an attempt is in doubt: the e-mail is sent again, or reported as failed (RFC 1047)."""


class DeliveryList(TypedDict):
    """A page of deliveries, the newest first."""

    count: int
    deliveries: list[Delivery]


class DialogAssociationInput(TypedDict):
    """Which dialog of Dialogporten the order belongs to: kept, and told in the log of notifications."""

    dialogId: NotRequired[str | None]
    transmissionId: NotRequired[str | None]


class DialogAssociationOutput(TypedDict):
    """The dialog that the order belongs to, as posted."""

    dialogId: NotRequired[str]
    transmissionId: NotRequired[str]


class DryRun(TypedDict):
    """What would follow if the lines were stored and the order closed now."""

    sendTimes: list[SendTime]
    lastSent: NotRequired[str]
    """when the last would have left, by the best minute of the last days; absent: not known"""
    sample: NotRequired[Sample]


Duplicates: TypeAlias = 'Literal["Drop", "Keep"]'
"""What becomes of a recipient who has come before in the same order."""


class Email(TypedDict):
    """One e-mail to one recipient."""

    id: str
    succeeded: bool
    recipient: OrderPartsRecipient
    sendStatus: SendStatus


class EmailOrderRequest(TypedDict):
    """An e-mail order. Unknown members are ignored; names may be written in any case."""

    subject: NotRequired[str | None]
    """required, up to 998 characters in one line"""
    body: NotRequired[str | None]
    """required; text or HTML, by contentType; no control characters except tabs and line ends"""
    contentType: NotRequired[ContentType]
    attachments: NotRequired[Sequence[AttachmentRequest | None] | None]
    """files that come with the e-mail"""
    template: NotRequired[TemplateName | None]
    """in place of subject, body and contentType"""
    expiresAt: NotRequired[datetime | str | None]
    """nothing is sent from this time on; with a zone; default: 48 hours after it could be sent"""
    sendingWindow: NotRequired[SendingWindow | None]
    """when e-mails may leave; outside of it, they wait for the next opening"""
    recipients: NotRequired[Sequence[RecipientRequest] | None]
    """at least one"""
    sendersReference: NotRequired[str | None]
    """your own name for the order"""
    requestedSendTime: NotRequired[datetime | str | None]
    """not before this time; with a zone; default: at once"""
    conditionEndpoint: NotRequired[str | None]
    """asked before sending: should it still be sent?"""
    ignoreReservation: NotRequired[bool | None]
    """send also to persons who are reserved"""
    resourceId: NotRequired[str | None]
    """the resource that the order is about"""
    resourceAction: NotRequired[str | None]
    """only together with resourceId"""
    deliveryGuarantee: NotRequired[DeliveryGuarantee]
    """what to do when an attempt is in doubt: send again, or report"""
    priority: NotRequired[Priority | None]
    """Instant (to up to 100 recipients, who wait for it), Normal or Bulk; default: Bulk for very many recipients, else Normal"""
    recipientsFollow: NotRequired[bool | None]
    """the order is open: recipients are sent to /orders/{id}/recipients until it is closed"""
    duplicateRecipients: NotRequired[Duplicates]
    """of recipients that follow: Drop or Keep those who came before"""
    senderEmailAddress: NotRequired[str | None]
    """one of your sender identities; default: the default one, or the installation's sender"""


class EmailRecipient(TypedDict):
    """An address, and what is sent there."""

    values: NotRequired[Mapping[str, object] | None]
    """for the order's template"""
    locale: NotRequired[str | None]
    """of the template's texts, such as nb-NO; default: the order's"""
    emailAddress: str
    emailSettings: EmailSettings


class EmailSettings(TypedDict):
    """What an e-mail says."""

    subject: str
    """one line"""
    body: str
    """text or HTML, by contentType"""
    contentType: NotRequired[ContentType]
    senderEmailAddress: NotRequired[str | None]
    """only the installation's own sender; better left out"""
    attachments: NotRequired[Sequence[AttachmentRequest | None] | None]
    """files that come with the e-mail"""
    template: NotRequired[TemplateName | None]
    """in place of subject, body and contentType"""
    sendingTimePolicy: NotRequired[TimePolicy]
    """Daytime: e-mails leave between 09:00 and 17:00 in Norway"""


class EmailSummary(TypedDict):
    """All e-mails of an order."""

    orderId: str
    sendersReference: NotRequired[str]
    generated: int
    succeeded: int
    notifications: list[Email]


class EmailTemplateInput(TypedDict):
    """The texts of an order's e-mails, and their sender."""

    subject: NotRequired[str | None]
    """required, up to 998 characters in one line"""
    body: NotRequired[str | None]
    """required; text or HTML, by contentType; no control characters except tabs and line ends"""
    contentType: NotRequired[ContentType]
    attachments: NotRequired[Sequence[AttachmentRequest | None] | None]
    """files that come with the e-mail"""
    template: NotRequired[TemplateName | None]
    """in place of subject, body and contentType"""
    fromAddress: NotRequired[str | None]
    """one of your sender identities; default: the default one"""


class EmailTemplateOutput(TypedDict):
    """What the messages say."""

    fromAddress: str
    subject: str
    body: str
    contentType: str
    template: NotRequired[OrderPartsTemplate]


class Entry(TypedDict):
    """An order that has ended, in the feed."""

    sequenceNumber: int
    shipmentId: str
    sendersReference: NotRequired[str]
    recipients: list[EntryRecipient]
    status: str
    lastUpdate: str
    shipmentType: str


class EntryRecipient(TypedDict):
    """What became of one message."""

    destination: str
    status: str
    lastUpdate: str


class Event(TypedDict):
    """A CloudEvent 1.0 in the JSON format; more attributes, of letters a to z and digits, are kept."""

    specversion: Literal["1.0"]
    id: str
    source: str
    """with `id`, the name of the event: stored once"""
    type: str
    resource: str
    """URN in lower case; subscribers and access go by it"""
    subject: NotRequired[str | None]
    alternativesubject: NotRequired[str | None]
    resourceinstance: NotRequired[str | None]
    time: NotRequired[str | None]
    """RFC 3339"""
    dataschema: NotRequired[str | None]
    """absolute URI"""
    datacontenttype: NotRequired[str | None]
    """media type of `data`"""
    data: NotRequired[object]
    data_base64: NotRequired[str | None]
    """instead of `data`: bytes"""


EventId: TypeAlias = "str"
"""The event's id, a JSON string."""


Events: TypeAlias = "Sequence[Event]"
"""A batch, or a page."""


Fate: TypeAlias = 'Literal["Cancelled", "Rescheduled", "Sent", "Failed", "NotSent", "InFlight", "InDoubt"]'
"""What has become of a recipient of an order that was to be withdrawn."""


Feed: TypeAlias = "list[Entry]"
"""A page of the feed."""


class FirstShipment(TypedDict):
    """An order, and its reminders, if there are any."""

    shipmentId: str
    sendersReference: NotRequired[str]
    reminders: NotRequired[list[ShipmentName]]


class FirstStanding(TypedDict):
    """The first order of a chain, and its reminders."""

    shipmentId: str
    sendersReference: NotRequired[str]
    status: NotRequired[str]
    requestedSendTime: NotRequired[str]
    reminders: NotRequired[list[Standing]]


class InstantEmailRecipient(TypedDict):
    """An address, and what is sent there at once."""

    values: NotRequired[Mapping[str, object] | None]
    """for the order's template"""
    locale: NotRequired[str | None]
    """of the template's texts, such as nb-NO; default: the order's"""
    emailAddress: str
    emailSettings: InstantEmailSettings


class InstantEmailRequest(TypedDict):
    """An e-mail that somebody waits for. Unknown members are ignored; names may be written in any case."""

    idempotencyId: NotRequired[str]
    """your name for the order: the same name never makes a second order"""
    sendersReference: NotRequired[str | None]
    """your own name for the order"""
    recipientEmail: InstantEmailRecipient


class InstantEmailSettings(TypedDict):
    """What an instant e-mail says."""

    subject: str
    """one line"""
    body: str
    """text or HTML, by contentType"""
    contentType: NotRequired[ContentType]
    senderEmailAddress: NotRequired[str | None]
    """only the installation's own sender; better left out"""
    attachments: NotRequired[Sequence[AttachmentRequest | None] | None]
    """files that come with the e-mail"""
    template: NotRequired[TemplateName | None]
    """in place of subject, body and contentType"""


class InvalidLine(TypedDict):
    """Why a line is not a recipient."""

    line: int
    column: NotRequired[str]
    reason: str


class Links(TypedDict):
    """Where to look next."""

    self: str
    status: NotRequired[str]


Log: TypeAlias = "list[Logged]"
"""The messages of a dialog."""


class Logged(TypedDict):
    """A message that belongs to a dialog."""

    notificationId: str
    dialogId: str
    transmissionId: NotRequired[str]
    type: str
    channel: str
    destination: str
    status: str
    requestedSendTime: str
    lastUpdateTime: str


Missed: TypeAlias = 'Literal["Once", "Skip"]'
"""What becomes of runs whose time passed while no clock ran, or the database was away."""


class Named(TypedDict):
    """A template in a list; without a version, it is the installation's own."""

    name: str
    version: NotRequired[int]
    created: NotRequired[str]


class NewSecret(TypedDict):
    """A secret that takes the place of another."""

    secret: str
    """shown this once"""
    oldSecretValidUntil: str
    """until then, pushed events carry a signature of each"""


class Order(TypedDict):
    """An order as it was posted."""

    id: str
    sendersReference: NotRequired[str]
    requestedSendTime: str
    creator: str
    created: str
    notificationChannel: str
    ignoreReservation: NotRequired[bool]
    resourceId: NotRequired[str]
    resourceAction: NotRequired[str]
    conditionEndpoint: NotRequired[str]
    recipients: list[OrderPartsRecipient]
    emailTemplate: EmailTemplateOutput
    smsTemplate: NotRequired[SmsTemplate]
    deliveryGuarantee: str
    priority: str
    recipientsFollow: NotRequired[bool]
    links: Links


class OrderList(TypedDict):
    """Orders with one reference."""

    count: int
    orders: list[Order]


class OrderPartsRecipient(TypedDict):
    """A recipient as posted."""

    emailAddress: NotRequired[str]
    mobileNumber: NotRequired[str]
    organizationNumber: NotRequired[str]
    nationalIdentityNumber: NotRequired[str]
    values: NotRequired[dict[str, object]]
    locale: NotRequired[str]
    timeZone: NotRequired[str]


class OrderPartsTemplate(TypedDict):
    """The template that the messages are made of; without a version, it is the installation's own."""

    name: str
    version: NotRequired[int]


class OrderRequest(TypedDict):
    """An order for any channel. Unknown members are ignored; names may be in any case."""

    expiresAt: NotRequired[datetime | str | None]
    """nothing is sent from this time on; with a zone; default: 48 hours after it could be sent"""
    sendingWindow: NotRequired[SendingWindow | None]
    """when e-mails may leave; outside of it, they wait for the next opening"""
    recipients: NotRequired[Sequence[RecipientRequest] | None]
    """at least one"""
    sendersReference: NotRequired[str | None]
    """your own name for the order"""
    requestedSendTime: NotRequired[datetime | str | None]
    """not before this time; with a zone; default: at once"""
    conditionEndpoint: NotRequired[str | None]
    """asked before sending: should it still be sent?"""
    ignoreReservation: NotRequired[bool | None]
    """send also to persons who are reserved"""
    resourceId: NotRequired[str | None]
    """the resource that the order is about"""
    resourceAction: NotRequired[str | None]
    """only together with resourceId"""
    deliveryGuarantee: NotRequired[DeliveryGuarantee]
    """what to do when an attempt is in doubt: send again, or report"""
    priority: NotRequired[Priority | None]
    """Instant (to up to 100 recipients, who wait for it), Normal or Bulk; default: Bulk for very many recipients, else Normal"""
    recipientsFollow: NotRequired[bool | None]
    """the order is open: recipients are sent to /orders/{id}/recipients until it is closed"""
    duplicateRecipients: NotRequired[Duplicates]
    """of recipients that follow: Drop or Keep those who came before"""
    notificationChannel: str | int
    """Email, or its number 0"""
    emailTemplate: EmailTemplateInput


OrderState: TypeAlias = 'Literal["Open", "Registered", "Processing", "Processed", "Completed", "SendConditionNotMet", "Cancelled", "SetAside"]'
"""An order's life (contract 6.1)."""


class OrderStatus(TypedDict):
    """An order with its status."""

    id: str
    sendersReference: NotRequired[str]
    requestedSendTime: str
    creator: str
    created: str
    notificationChannel: str
    ignoreReservation: NotRequired[bool]
    resourceId: NotRequired[str]
    resourceAction: NotRequired[str]
    conditionEndpoint: NotRequired[str]
    processingStatus: ProcessingStatus
    notificationsStatusSummary: NotRequired[StatusSummary]


class OrganizationRecipient(TypedDict):
    """An organisation."""

    values: NotRequired[Mapping[str, object] | None]
    """for the order's template"""
    locale: NotRequired[str | None]
    """of the template's texts, such as nb-NO; default: the order's"""
    channelSchema: Channel
    """Email, or EmailPreferred with both settings"""
    emailSettings: NotRequired[EmailSettings | None]
    smsSettings: NotRequired[SmsSettings | None]
    """kept; this installation sends no SMS"""
    resourceId: NotRequired[str | None]
    """urn:altinn:resource:…, which the order is about"""
    resourceAction: NotRequired[str | None]
    """only together with resourceId"""
    orgNumber: str
    """9 digits"""


class Part(TypedDict):
    """Recipients who get it at the same time; without `at`, nobody knows when, or it is never."""

    recipients: int
    at: NotRequired[str]
    timeZone: NotRequired[str]
    reasons: list[Reason]


class PersonRecipient(TypedDict):
    """A person."""

    values: NotRequired[Mapping[str, object] | None]
    """for the order's template"""
    locale: NotRequired[str | None]
    """of the template's texts, such as nb-NO; default: the order's"""
    channelSchema: Channel
    """Email, or EmailPreferred with both settings"""
    emailSettings: NotRequired[EmailSettings | None]
    smsSettings: NotRequired[SmsSettings | None]
    """kept; this installation sends no SMS"""
    resourceId: NotRequired[str | None]
    """urn:altinn:resource:…, which the order is about"""
    resourceAction: NotRequired[str | None]
    """only together with resourceId"""
    nationalIdentityNumber: str
    """11 digits"""
    ignoreReservation: NotRequired[bool]
    """send also to a person who is reserved"""
    useStaleContactInformation: NotRequired[bool]
    """not used"""


class Plan(TypedDict):
    """When the parts of an order go that have not ended; of very many, the first ones (`more`)."""

    orderId: str
    status: OrderState
    asOf: str
    requestedSendTime: str
    expiresAt: NotRequired[str]
    settled: int
    parts: list[Part]
    more: bool


class Preview(TypedDict):
    """A rendered template."""

    name: str
    version: NotRequired[int]
    locale: str
    """of the texts that were chosen"""
    subject: NotRequired[str]
    html: NotRequired[str]
    text: NotRequired[str]
    """as it is sent; made of the HTML if the template has none"""


class PreviewRequest(TypedDict):
    """What to render a template with."""

    values: NotRequired[Mapping[str, object] | None]
    """as an order gives them for a recipient"""
    locale: NotRequired[str | None]
    """such as nb-NO; what the template lacks falls back to nb, then to its own"""
    version: NotRequired[int | None]
    """default: the newest"""


Priority: TypeAlias = 'Literal["Instant", "Normal", "Bulk"]'
"""Which orders pass which: instant ones have connections of their own, and bulk gets what the others leave."""


class ProcessingStatus(TypedDict):
    """How far an order is."""

    status: str
    description: str
    lastUpdate: str


class Reason(TypedDict):
    """Why recipients get it when they do."""

    kind: Why
    text: str


class Receipt(TypedDict):
    """The answer to an order."""

    orderId: str
    recipientLookup: NotRequired[RecipientLookup]


class RecipientFate(TypedDict):
    """What has become of a recipient."""

    emailAddress: NotRequired[str]
    organizationNumber: NotRequired[str]
    nationalIdentityNumber: NotRequired[str]
    result: Fate
    description: str


class RecipientInput(TypedDict):
    """Who gets a message: exactly one of these."""

    recipientEmail: NotRequired[EmailRecipient | None]
    recipientPerson: NotRequired[PersonRecipient | None]
    recipientOrganization: NotRequired[OrganizationRecipient | None]
    recipientSms: NotRequired[Mapping[str, object] | None]
    """refused: this installation sends no SMS"""
    recipientExternalIdentity: NotRequired[Mapping[str, object] | None]
    """refused: no directory knows these"""


class RecipientLine(TypedDict):
    """A line: a recipient, known by an address or by a number that the contact directory knows."""

    emailAddress: NotRequired[str | None]
    nationalIdentityNumber: NotRequired[str | None]
    """11 digits; must stand alone"""
    organizationNumber: NotRequired[str | None]
    """9 digits; must stand alone"""
    locale: NotRequired[str | None]
    """of the template's texts, such as nb-NO"""
    timeZone: NotRequired[str | None]
    """in which the order's window is read, such as Europe/Oslo"""
    values: NotRequired[Mapping[str, str | int | float | bool | None] | None]
    """what is the recipient's own in the order's texts"""


class RecipientLookup(TypedDict):
    """What the contact directory knew."""

    status: str
    isReserved: list[str]
    missingContact: list[str]


class RecipientRequest(TypedDict):
    """One recipient: an address, or a number that the contact directory knows."""

    values: NotRequired[Mapping[str, object] | None]
    """for the order's template"""
    locale: NotRequired[str | None]
    """of the template's texts, such as nb-NO; default: the order's"""
    emailAddress: NotRequired[str | None]
    """where to send"""
    mobileNumber: NotRequired[str | None]
    """not used in e-mail orders"""
    organizationNumber: NotRequired[str | None]
    """9 digits; must stand alone"""
    nationalIdentityNumber: NotRequired[str | None]
    """11 digits; must stand alone"""
    timeZone: NotRequired[str | None]
    """the IANA time zone in which the order's sendingWindow is read"""


RecipientTable: TypeAlias = "str"
"""CSV: the first line names the columns; what is no address is a value. Separated by comma, semicolon or tab."""


class Recurring(TypedDict):
    """A recurring order; without `nextRuns`, it has ended or is paused."""

    id: str
    name: str
    created: str
    cron: str
    zone: str
    missed: Missed
    until: NotRequired[str]
    runsLeft: NotRequired[int]
    runsMade: int
    nextRuns: NotRequired[list[str]]
    lastRun: NotRequired[str]
    lastOrderId: NotRequired[str]
    lastFault: NotRequired[str]
    pausedReason: NotRequired[str]


class RecurringList(TypedDict):
    """All recurring orders of a creator."""

    recurringOrders: list[Recurring]


class RecurringRequest(TypedDict):
    """An order that is made again and again. Unknown members are ignored; names may be written in any case."""

    name: str
    """your name for it: the same name never makes a second one"""
    cron: str
    """minute, hour, day of the month, month, day of the week, as in a crontab"""
    zone: str
    """the IANA time zone of these times"""
    until: NotRequired[datetime | str | None]
    """the last time at which a run may be; with a zone"""
    runs: NotRequired[int | None]
    """after so many runs it ends"""
    missed: NotRequired[Missed]
    """what becomes of runs that nobody could make in time: one for all, or none"""
    order: EmailOrderRequest
    """the order of each run, without a send time and attachments"""


class Reminder(TypedDict):
    """Another message to follow, by a number of days or at a time of its own."""

    expiresAt: NotRequired[datetime | str | None]
    """nothing is sent from this time on; with a zone; default: 48 hours after it could be sent"""
    sendingWindow: NotRequired[SendingWindow | None]
    """when e-mails may leave; outside of it, they wait for the next opening"""
    recipient: RecipientInput
    delayDays: NotRequired[int | None]
    """days of 24 hours after the first order's requestedSendTime, 1 or more"""
    requestedSendTime: NotRequired[datetime | str | None]
    """in place of delayDays; with a zone"""
    sendersReference: NotRequired[str | None]
    """your own name for the reminder"""
    conditionEndpoint: NotRequired[str | None]
    """asked before sending: should it still be sent?"""


class Replay(TypedDict):
    """How many events a replay concerns."""

    count: int
    """stored events that match"""
    replayed: int
    """those that are pushed again: all, or none without `count` in the request"""


class Reply(TypedDict):
    """One attempt and what came of it."""

    at: str
    """when it ended"""
    outcome: str
    """accepted, deferred, rejected, expired or unauthorized"""
    status: NotRequired[int]
    """the HTTP status; absent when there was no answer"""
    body: str
    """the answer's beginning, or what happened instead"""
    durationMs: int


class RescheduleRequest(TypedDict):
    """When an order is to be sent instead."""

    requestedSendTime: datetime | str
    """not before this time; with a zone"""
    expiresAt: NotRequired[datetime | str | None]
    """likewise: nothing is sent from then on; default: as before"""


class Sample(TypedDict):
    """What the first recipient would get."""

    to: str
    subject: str
    body: str
    contentType: str


class SendStatus(TypedDict):
    """What became of one e-mail."""

    status: str
    description: str
    lastUpdate: str


class SendTime(TypedDict):
    """From when on e-mails go to recipients in a zone."""

    zone: str
    time: str
    recipients: int


SendingWindow = TypedDict(
    "SendingWindow",
    {
        "zone": "str",
        "days": "NotRequired[Sequence[str] | None]",
        "from": "NotRequired[str | None]",
        "to": "NotRequired[str | None]",
        "calendar": "NotRequired[str | None]",
    },
)
"""On which days and at what time of day e-mails may leave; what is not given limits nothing."""


class Shipment(TypedDict):
    """An order, and what became of its messages."""

    shipmentId: str
    sendersReference: NotRequired[str]
    type: str
    status: str
    lastUpdate: str
    recipients: list[ChainAnswersRecipient]


class ShipmentName(TypedDict):
    """An order by its name."""

    shipmentId: str
    sendersReference: NotRequired[str]


class SmsSettings(TypedDict):
    """What an SMS would say: kept, and not sent."""

    body: str
    sender: NotRequired[str | None]
    sendingTimePolicy: NotRequired[TimePolicy]


class SmsTemplate(TypedDict):
    """What an SMS would say: kept, and not sent."""

    senderNumber: str
    body: str


class Standing(TypedDict):
    """An order of a chain, and how far it is; without `status` when it ended so long ago that it was removed."""

    shipmentId: str
    sendersReference: NotRequired[str]
    status: NotRequired[str]
    requestedSendTime: NotRequired[str]


class StatusSummary(TypedDict):
    """Per channel."""

    email: NotRequired[ChannelStatus]


class Subscription(TypedDict):
    """A subscription and how it is."""

    id: int
    endPoint: str
    sourceFilter: NotRequired[str]
    sourcePrefixFilter: NotRequired[str]
    resourceFilter: str
    subjectFilter: NotRequired[str]
    alternativeSubjectFilter: NotRequired[str]
    typeFilter: NotRequired[str | list[str]]
    """as it was posted"""
    includeSubunits: bool
    ordered: bool
    template: NotRequired[str]
    consumer: str
    createdBy: str
    created: str
    validated: bool
    """the endpoint has accepted the validation event: events are pushed"""
    paused: NotRequired[str]
    """why nothing is pushed; events that match meanwhile wait"""
    openUntil: NotRequired[str]
    """nothing is pushed before, since the endpoint kept failing"""
    lastError: NotRequired[str]
    """of the newest attempt; absent when that went well"""
    secret: NotRequired[str]
    """what pushed events are signed with (Standard Webhooks); shown this once, when it is new"""


class SubscriptionList(TypedDict):
    """The caller's subscriptions, the oldest first."""

    count: int
    subscriptions: list[Subscription]


class SubscriptionRequest(TypedDict):
    """A request to get events. Unknown members are ignored; names may be written in any case."""

    endPoint: NotRequired[str | None]
    """required: where events are posted to, an https address; or mailto: with one e-mail address"""
    sourceFilter: NotRequired[str | None]
    """an app's address; for app events only"""
    sourcePrefixFilter: NotRequired[str | None]
    """events whose source begins with this; not together with sourceFilter"""
    resourceFilter: NotRequired[str | None]
    """events about this resource; required, except for app events with a sourceFilter"""
    subjectFilter: NotRequired[str | None]
    """events about exactly this subject"""
    alternativeSubjectFilter: NotRequired[str | None]
    """events about this organisation or person; for app events only"""
    typeFilter: NotRequired[str | Sequence[str] | None]
    """events of this type, or of up to 20: whole types, or beginnings that end in .*"""
    includeSubunits: NotRequired[bool]
    """not supported without a register of organisations"""
    ordered: NotRequired[bool]
    """each subject's next event comes only when the one before is delivered or dead"""
    template: NotRequired[str | None]
    """name of the stored template; only and always with a mailto: endPoint"""


SupportEntries: TypeAlias = "list[SupportEntry]"
"""Orders."""


class SupportEntry(TypedDict):
    """An order, as far as it went to the recipient."""

    shipmentId: str
    creatorName: str
    resourceId: NotRequired[str]
    sendersReference: NotRequired[str]
    requestedSendTime: str
    notificationChannel: str
    notificationType: str
    deliveryAttempts: list[DeliveryAttempt]


class TemplateList(TypedDict):
    """The templates that can be named."""

    count: int
    templates: list[Named]


class TemplateName(TypedDict):
    """Which template an order's e-mails are made of."""

    name: str
    """yours, or one of the installation's: see GET /templates"""
    version: NotRequired[int | None]
    """default: the newest; the order keeps it"""
    locale: NotRequired[str | None]
    """such as nb-NO, for recipients who have none; default: the template's"""


class TemplateRequest(TypedDict):
    """A version of a template: Jinja texts. Unknown members are ignored; names may be written in any case."""

    subject: NotRequired[str | None]
    """one line; without it, the template is a part of others"""
    html: NotRequired[str | None]
    """HTML, in which values are escaped"""
    text: NotRequired[str | None]
    """plain text; default: made of the HTML"""
    locale: NotRequired[str]
    """the language of these texts, such as nb or en-GB"""
    locales: NotRequired[Mapping[str, object] | None]
    """subject, html and text in other languages, by locale; what one lacks is as above"""
    schema: NotRequired[Mapping[str, object] | None]
    """a JSON schema of the values; default: inferred from the texts"""


class TemplateShapesTemplate(TypedDict):
    """A version of a template. Without a version, it is the installation's own."""

    name: str
    version: NotRequired[int]
    created: NotRequired[str]
    subject: NotRequired[str]
    html: NotRequired[str]
    text: NotRequired[str]
    locale: str
    locales: dict[str, dict[str, str]]
    schema: dict[str, object]
    parts: list[str]
    """the templates that it names, which it has as they were when it was stored"""
    versions: list[Version]
    """the newest ones, the last one first"""


TimePolicy: TypeAlias = 'Literal["Anytime", "Daytime"]'
"""At what time of day messages are sent."""


class UploadStatus(TypedDict):
    """How far the recipients of an order have come."""

    orderId: str
    status: str
    """Open, or what has become of the order since"""
    nextLine: int
    """where to go on after a broken connection"""
    valid: int
    invalid: int
    duplicate: int
    """recipients who came before; kept or dropped, as the order says"""
    expires: NotRequired[str]
    """when the open order is cancelled, if nothing comes until then"""
    report: list[InvalidLine]
    """the first 100 invalid lines"""
    dryRun: NotRequired[DryRun]
    """only of a dry run"""


class Version(TypedDict):
    """A version of a template in a list."""

    version: int
    created: str


Why: TypeAlias = 'Literal["open", "requestedTime", "window", "calendar", "quota", "condition", "attachments", "pause", "limit", "retry", "turn", "inFlight", "expiry"]'
"""What a part of an order waits for."""


class Withdrawal(TypedDict):
    """What has become of an order's recipients: of all in numbers, of the first thousand one by one."""

    orderId: str
    status: OrderState
    counts: dict[str, int]
    recipients: list[RecipientFate]


__all__ = [
    "AppEvent",
    "AttachmentRequest",
    "Chain",
    "ChainAnswersRecipient",
    "ChainReceipt",
    "ChainRequest",
    "Channel",
    "ChannelStatus",
    "ComposedEmailRequest",
    "ContentType",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryGuarantee",
    "DeliveryList",
    "DialogAssociationInput",
    "DialogAssociationOutput",
    "DryRun",
    "Duplicates",
    "Email",
    "EmailOrderRequest",
    "EmailRecipient",
    "EmailSettings",
    "EmailSummary",
    "EmailTemplateInput",
    "EmailTemplateOutput",
    "Entry",
    "EntryRecipient",
    "Event",
    "EventId",
    "Events",
    "Fate",
    "Feed",
    "FirstShipment",
    "FirstStanding",
    "InstantEmailRecipient",
    "InstantEmailRequest",
    "InstantEmailSettings",
    "InvalidLine",
    "Links",
    "Log",
    "Logged",
    "Missed",
    "Named",
    "NewSecret",
    "Order",
    "OrderList",
    "OrderPartsRecipient",
    "OrderPartsTemplate",
    "OrderRequest",
    "OrderState",
    "OrderStatus",
    "OrganizationRecipient",
    "Part",
    "PersonRecipient",
    "Plan",
    "Preview",
    "PreviewRequest",
    "Priority",
    "ProcessingStatus",
    "Reason",
    "Receipt",
    "RecipientFate",
    "RecipientInput",
    "RecipientLine",
    "RecipientLookup",
    "RecipientRequest",
    "RecipientTable",
    "Recurring",
    "RecurringList",
    "RecurringRequest",
    "Reminder",
    "Replay",
    "Reply",
    "RescheduleRequest",
    "Sample",
    "SendStatus",
    "SendTime",
    "SendingWindow",
    "Shipment",
    "ShipmentName",
    "SmsSettings",
    "SmsTemplate",
    "Standing",
    "StatusSummary",
    "Subscription",
    "SubscriptionList",
    "SubscriptionRequest",
    "SupportEntries",
    "SupportEntry",
    "TemplateList",
    "TemplateName",
    "TemplateRequest",
    "TemplateShapesTemplate",
    "TimePolicy",
    "UploadStatus",
    "Version",
    "Why",
    "Withdrawal",
]
