"""E-mail addresses: which ones are accepted, and how they look on the wire.

Accepted is Altinn's grammar (contract 4.6) with every domain that the Internet may have (RFC 5891), if the address has
a form on the wire.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna

from engine.text.controls import LINE_CONTROLS

_ATOM = r"[A-Za-z0-9æøåÆØÅ!#$%&;'*+\-=?^_{|}~`]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
_TOP = r"(?:[A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9\-]{0,58}[A-Za-z0-9])"
_ADDRESS = re.compile(  # on the wire
    rf"(?:{_ATOM}(?:\.{_ATOM})*)@(?:(?:{_LABEL}\.){{1,9}}{_TOP}|(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}})"
)
_LONGEST = 254  # octets: RFC 5321 4.5.3.1.3 less the angle brackets; also bounds the work of the match

# What copying and pasting leaves around an address: white space and invisible characters.
_AROUND = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
    "\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\ufeff"
)
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_JOINERS = re.compile("[\u200c\u200d]")  # some scripts' names may have them, but nobody sees them

_WIRE = re.compile(  # the local part as such or in quotes; the domain, an address literal, or a domain to encode
    rf"""(?: [^\s{LINE_CONTROLS}<>()\[\]:;@\\,"]+ | "(?:[^{LINE_CONTROLS}"\\] | \\[^{LINE_CONTROLS}])*" )
    @ (?: [A-Za-z0-9._-]+ | \[[A-Za-z0-9.:-]+\] | (?P<idn>[^\s{LINE_CONTROLS}<>()\[\]:;@\\,"]+) )""",
    re.VERBOSE,
)
_WIRE_OCTETS = 320  # 64 of the local part, the @, 255 of the domain (RFC 5321, 4.5.3.1)


def bare(text: str) -> str:
    """The text without white space and invisible characters around it."""
    return text.strip(_AROUND)


def read_address(text: str) -> str | None:
    """The address in the text, without white space around it; None: the text is not one accepted address.

    The contract's odd entity-quoted local part is left out: no mail system could deliver to it.
    """
    if len(text) <= _LONGEST and text.isascii() and _ADDRESS.fullmatch(text):
        return text  # as nearly all are
    address = bare(text)
    if len(address) > _LONGEST:
        return None
    wire = address
    if not address.isascii():
        local, _, domain = address.rpartition("@")
        try:
            wire = f"{local}@{_wire_domain(domain)}"
        except ValueError:
            return None
    return address if _ADDRESS.fullmatch(wire) and len(wire.encode()) <= _LONGEST else None


def wire_address(address: str) -> tuple[str, bool]:
    """Return an address as it goes on the wire, and whether it needs SMTPUTF8 (RFC 6531).

    The domain becomes A-labels (RFC 5891), a non-ASCII local part stays, one with a semicolon is quoted (RFC 5321,
    4.1.2). ValueError: it has no form on the wire.
    """
    local, at, domain = address.rpartition("@")
    if ";" in local and not local.startswith('"'):
        address = f'"{local}"{at}{domain}'
    parts = _WIRE.fullmatch(address)
    if parts is None:
        msg = "an address is LOCAL@DOMAIN without spaces, brackets and control characters"
        raise ValueError(msg)
    if parts["idn"]:
        address = address[: parts.start("idn")] + _wire_domain(parts["idn"])
    if len(address.encode()) > _WIRE_OCTETS:
        msg = f"an address has at most {_WIRE_OCTETS} octets"
        raise ValueError(msg)
    return address, not address.isascii()


def domain_of(address: str) -> str:
    """An address's domain, as `compared`."""
    return compared(address.rpartition("@")[2])


def compared_address(address: str) -> str:
    """The one form in which addresses are compared where they are named in advance: small letters, A-labels."""
    return f"{address.rpartition('@')[0].lower()}@{domain_of(address)}"


def compared(domain: str) -> str:
    """The one form in which domains are stored and compared: small letters, A-labels if it has them."""
    domain = domain.lower()
    try:
        return domain if domain.isascii() else _wire_domain(domain)
    except ValueError:
        return domain


def spelled(domain: str) -> set[str]:
    """How addresses may spell a domain, after a database's lower(): with A-labels and without.

    SQLite's lower() leaves all letters but those of ASCII as they are: what was written in capitals has some.
    """
    wire = compared(domain)
    try:
        shown = ".".join(map(idna.ulabel, wire.split(".")))
    except UnicodeError:  # what idna raises is one
        shown = domain.lower()
    return {wire, shown, "".join(letter if letter.isascii() else letter.upper() for letter in shown)}


def _wire_domain(domain: str) -> str:
    """The domain with A-labels in place of its non-ASCII labels; ValueError: one has no A-label."""
    return ".".join(map(_wire_label, domain.split(".")))


@lru_cache(maxsize=2_000)  # 90 us without; a label has at most as many characters as an address
def _wire_label(label: str) -> str:
    if label.isascii():
        if not _PLAIN.fullmatch(label):
            msg = "a domain consists of letters, digits and hyphens"
            raise ValueError(msg)
        return label
    if _JOINERS.search(label):
        msg = "a domain has no invisible characters"
        raise ValueError(msg)
    return idna.alabel(unicodedata.normalize("NFC", label.lower())).decode("ascii")
