"""What a relay calls a message that it has taken over: the identifier that its own log has, read from its reply.

There is no rule for it (RFC 5321 leaves the text to the relay); these are the forms of the relays in wide use.
"""

from __future__ import annotations

import re

LONGEST = 100  # characters of an identifier that are kept
_ID = rf"(?P<id>(?=\S*\d)[A-Za-z0-9][A-Za-z0-9._=+@/-]{{3,{LONGEST - 1}}})"  # with a digit, which words have not
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"\b(?:queued|kept) (?:as|with id) \(?<?{_ID}",  # Postfix, Halon, SendGrid, Stalwart, Mailpit, our own inbox
        rf"\bInternalId={_ID}",  # Exchange, Microsoft 365
        rf"\bqueued \(<?{_ID}",  # Haraka
        rf"\bid=<?{_ID}",  # Exim, rspamd's proxies
        rf"^(?:\d\.\d\.\d:? )?{_ID} message accepted",  # Sendmail, OpenSMTPD
        rf"^(?:\d\.\d\.\d )?ok:? +\d{{9,}} +{_ID}",  # Gmail: a time stands before it
        rf"^(?:\d\.\d\.\d )?ok:? (?:\d+ qp )?{_ID}$",  # Amazon SES, qmail
    )
)


def queue_id(text: str) -> str | None:
    """The identifier in the text of a reply that accepts a message; None: it has none that is known as such."""
    for form in _FORMS:
        if found := form.search(text):
            return found["id"].rstrip(".,")
    return None
