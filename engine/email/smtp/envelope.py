"""A message in the form that it has on the wire: its text can neither end it nor add commands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.text.addresses import wire_address

END = b".\r\n"  # of a message (RFC 5321, 4.1.1.4)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message as it goes on the wire."""

    sender: bytes
    recipient: bytes
    utf8: bool  # needs SMTPUTF8 (RFC 6531)
    size: int  # octets before dot-stuffing (RFC 1870)
    data: bytes  # dot-stuffed, with its final dot, unless something is shared
    shared: bytes  # what follows it and is said as it stands, before the final dot

    @classmethod
    def of(cls, sender: str, recipient: str, message: bytes, shared: bytes = b"") -> Envelope:
        """Prepare a message; ValueError when an address has no form on the wire.

        `shared` follows the message. It is not copied; its lines end with CRLF, and none begins with a dot.
        """
        (from_address, from_utf8), (to_address, to_utf8) = wire_address(sender), wire_address(recipient)
        if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
            message = re.sub(rb"\r\n|\r|\n", b"\r\n", message)  # a bare CR or LF could smuggle a second message
        if not message.endswith(b"\r\n"):
            message += b"\r\n"
        stuffed = message.replace(b"\r\n.", b"\r\n..")  # RFC 5321, 4.5.2
        data = b"".join((b"." if message.startswith(b".") else b"", stuffed, b"" if shared else END))
        size = len(message) + len(shared)
        return cls(from_address.encode(), to_address.encode(), from_utf8 or to_utf8, size, data, shared)
