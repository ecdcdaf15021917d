"""The SMTP relay, by its replies or, where there was none, the words of the connection's end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.diagnosis.table import Diagnosis, Fault, find, signs
from engine.settings.relays import SETTING
from engine.text.language import N_, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

DEMANDS, BUSY = N_("demands to be signed in to"), N_("takes nothing for now")

RELAY: Sequence[Fault] = (
    Fault(
        signs(r"certificate"),
        N_("shows a certificate that cannot be verified"),
        N_("Check the name in VARSEL_SMTP_URL; VARSEL_SMTP_CA_FILE trusts a certificate of your own."),
    ),
    Fault(
        signs(r"WRONG_VERSION_NUMBER|wrong version number|record layer failure"),
        N_("speaks no TLS where its address demands it"),
        N_("Use smtp+starttls:// in VARSEL_SMTP_URL (often port 587); smtps:// is for port 465."),
    ),
    Fault(
        signs(r"AUTH extension is not supported|No suitable authentication|^504"),
        N_("offers no sign-in that Varsel knows"),
        N_(
            "Take USER:PASSWORD out of VARSEL_SMTP_URL, or use smtp+starttls://: many relays offer it behind TLS alone."
        ),
    ),
    Fault(
        signs(r"STARTTLS extension not supported|^454 .*TLS"),
        N_("offers no STARTTLS"),
        N_(
            "Switch it on there, or use smtps:// (port 465) in VARSEL_SMTP_URL, or smtp:// where the way to it is safe."
        ),
    ),
    Fault(
        signs(r"^5\d\d .*(?:auth|sign.?in|log.?in|credential)|^530"),
        DEMANDS,
        N_("Put USER:PASSWORD@ before the host in VARSEL_SMTP_URL, with smtp+starttls:// or smtps://."),
    ),
    Fault(
        signs(r"^53[2-58]"),
        N_("refuses the user or the password"),
        N_(
            "Correct USER:PASSWORD in VARSEL_SMTP_URL; in a user or password, write @ as %40, : as %3A, / as %2F,"
            " ? as %3F and # as %23."
        ),
    ),
    Fault(
        signs(r"resolve|Name or service|nodename|getaddrinfo"),
        N_("has no address"),
        N_("Correct HOST in VARSEL_SMTP_URL."),
    ),
    Fault(
        signs(r"refused|Connect call failed|Errno 111"),
        N_("does not answer"),
        N_("Start it, or correct HOST:PORT in VARSEL_SMTP_URL."),
    ),
    Fault(
        signs(r"^no reply in time|imed? ?out"),
        N_("does not answer in time"),
        N_(
            "Correct HOST:PORT in VARSEL_SMTP_URL (a relay with smtps:// says nothing to smtp://); look for a firewall:"
            " many networks let nobody out at port 25."
        ),
    ),
    Fault(
        signs(r"unexpected EOF|connection lost|disconnected|reset by peer|hung up|broken pipe"),
        N_("breaks the connection off"),
        N_("Check VARSEL_SMTP_URL, and whether the relay lets this machine in."),
    ),
    Fault(
        signs(r"^50\d "),
        N_("does not speak SMTP as Varsel does"),
        N_("Look whether HOST:PORT in VARSEL_SMTP_URL is the relay, and its log for what it did not understand."),
    ),
    Fault(
        signs(r"^4\d\d "),
        BUSY,
        N_(
            "Wait a little; then look at its log, at its room, and at how many connections it takes from this machine"
            " (VARSEL_SMTP_CONNECTIONS)."
        ),
    ),
    Fault(
        signs(r"^\d{3} "),
        N_("refuses this machine"),
        N_("Let it in there: this machine's address, or a user in VARSEL_SMTP_URL."),
    ),
)
# The relay knows the sender, but the sender's domain does not know the relay: no sign-in mends that.
UNKNOWN_TO_ITS_DOMAIN = Fault(
    signs(r"^5\d\d .*(?:5\.7\.2\d|\bSPF\b|\bDKIM\b|\bDMARC\b)"),
    N_("takes no mail from VARSEL_FROM_ADDRESS, whose domain does not let it send"),
    N_("Let the SPF, DKIM and DMARC records of that domain name the relay; docs/operating.md, Settings."),
)
SENDER: Sequence[Fault] = (
    UNKNOWN_TO_ITS_DOMAIN,
    *(each for each in RELAY if each.text in (DEMANDS, BUSY)),
    Fault(
        signs(r"^5\d\d "),
        N_("takes no mail from VARSEL_FROM_ADDRESS"),
        N_("Set it to an address that the relay lets through, or let that one through there."),
    ),
    *RELAY,
)


_UNKNOWN = N_("Check VARSEL_SMTP_URL; look at the relay's log.")


def of_relay(code: int | None, text: str, name: str, written: str = SETTING) -> Diagnosis:
    """Why there is no session with the relay of this name; `code` None: it said nothing that can be understood.

    `written`: where its address stands.
    """
    return _of(RELAY, code, text, name, written)


def of_sender(code: int | None, text: str, name: str, written: str = SETTING) -> Diagnosis:
    """Why the relay does not take the sender's address, in a session that it let us have."""
    return _of(SENDER, code, text, name, written)


def _of(faults: Sequence[Fault], code: int | None, text: str, name: str, written: str) -> Diagnosis:
    words = f"{code} {text}" if code else text
    found = find(faults, f"the relay {name}", words, _UNKNOWN)
    return replace(found, advice=found.advice.replace(SETTING, written))


def spoken(advice: str) -> str:
    """An advice of this module, as it was given for an address that stands anywhere, in the reader's language."""
    for known in (_UNKNOWN, *(fault.advice for fault in SENDER)):
        before, setting, after = known.partition(SETTING)
        if setting and advice.startswith(before) and advice.endswith(after):
            return translated(known).replace(SETTING, advice[len(before) : len(advice) - len(after)])
    return translated(advice)
