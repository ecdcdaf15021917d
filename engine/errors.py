"""Everything that Varsel itself raises.

VarselError
├── Invalid          the caller's input breaks rules; carries them by field
├── BadRequest       the caller's input breaks a rule that concerns the request as a whole
├── Conflict         the thing exists, but its state forbids the act
├── NotFound         no such thing for this creator; others' things are not found, either
│   └── NoShipment   likewise, an order that the second generation was asked for
├── Unreachable      the contact directory has no address for a recipient
├── KeyReused        an Idempotency-Key came back with another payload
├── KeyInUse         the first request with this Idempotency-Key is still running
├── QuotaExceeded    the creator may not order so many recipients now; says when
├── Unauthenticated  no credential, or one that does not verify
│   └── InvalidToken a bearer token that does not verify
├── Forbidden        a good credential without the needed right
├── CrossOrigin      a cookie's credential, in a request that another site's page may have sent
├── Refused          an outbound address that the guard does not let through
├── Overrun          a read takes too long, or one caller has more going on than there is room for; says what to do
├── Unavailable      a part that is needed now does not answer; says when to try again
└── Misconfigured    the installation's settings cannot work; found at start

`api/problems.py` gives each leaf its HTTP status; a test checks that none is missing. Expected failures of delivery (a
refused recipient, a slow relay) are values, not exceptions: see `engine/email/smtp/`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.diagnosis import Diagnosis
    from engine.models import Allowance


class VarselError(Exception):
    """The root of Varsel's own exceptions."""


class Invalid(VarselError):
    """Input that breaks a rule: `errors` maps a field path of the contract to its messages."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{field}: {' '.join(texts)}" for field, texts in errors.items()))
        self.errors = errors


class BadRequest(VarselError):
    """A request that breaks a rule as a whole; the caller reads the message."""


class Conflict(VarselError):
    """The state of a thing forbids what was asked; the message says why."""


class NotFound(VarselError):
    """This creator has nothing of that name."""


class NoShipment(NotFound):
    """This creator has no order of that identifier (contract 3.10)."""


class Unreachable(VarselError):
    """The contact directory has no address for a recipient of the second generation (contract 2.4)."""


class KeyReused(VarselError):
    """The Idempotency-Key or idempotencyId was used before with another payload.

    (draft-ietf-httpapi-idempotency-key-header-07, 2.7)
    """


class KeyInUse(VarselError):
    """A request with the same Idempotency-Key has not been answered yet (same draft, 2.6)."""


class QuotaExceeded(VarselError):
    """The creator's quota does not let the order in; `retry_after` is when it does, if nothing else comes before.

    `allowances`: what is left of the quotas that it exceeds.
    """

    def __init__(
        self, text: str, retry_after: timedelta = timedelta(minutes=1), allowances: Sequence[Allowance] = ()
    ) -> None:
        super().__init__(text)
        self.retry_after = retry_after
        self.allowances = allowances


class Unauthenticated(VarselError):
    """No credential, or one that does not verify."""


class InvalidToken(Unauthenticated):
    """A bearer token that does not verify; the text contains no part of the token, and no quotes."""


class Forbidden(VarselError):
    """The credential is good, but does not carry the needed right; `scope`: the one that a bearer token lacks."""

    def __init__(self, text: str, scope: str = "") -> None:
        super().__init__(text)
        self.scope = scope


class CrossOrigin(VarselError):
    """A credential that browsers send by themselves, and no sign that one of Varsel's pages sent the request."""


class Refused(VarselError):
    """An outbound address that the guard does not let through; the message says why."""


class Overrun(VarselError):
    """A request reads more, or a caller has more going on at once, than is allowed; the message says what to do."""


class Unavailable(VarselError):
    """A needed part does not answer, unless `text` says otherwise; `retry_after` is when to ask again.

    Callers read the text, which says nothing about the installation; `diagnosis` is for its operators.
    """

    def __init__(
        self,
        part: str,
        retry_after: timedelta = timedelta(seconds=2),
        text: str | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> None:
        super().__init__(text or f"{part} does not answer")
        self.part = part
        self.retry_after = retry_after
        self.diagnosis = diagnosis

    def told(self) -> Diagnosis | str:
        """What is wrong and what to do, in one line; for logs and terminals."""
        return self.diagnosis or str(self)


class Misconfigured(VarselError):
    """Settings that cannot work; the message says which one and what to set instead."""
