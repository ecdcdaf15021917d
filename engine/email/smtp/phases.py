"""The phases of an SMTP transaction."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where an attempt ended."""

    CONNECT = "connect"  # up to and including EHLO, STARTTLS and AUTH
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"  # the message was handed over; its reply, or the lack of one, ended the attempt
