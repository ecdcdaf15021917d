"""What a refusal means: whether it is about this installation, and if not, the e-mail's final state.

docs/replies.md shows the table. The codes are those of RFC 3463, RFC 5248 and its registry (with RFC 6531, 7293, 7372,
7505 and 8689), and of the large mail providers' public lists. If a code says nothing definite, the words decide. The
text is bounded (engine/email/smtp/replies.py), and the patterns take linear time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.email.smtp.phases import Phase
from engine.models import EmailState

if TYPE_CHECKING:
    from engine.email.smtp.replies import Reply

PERMANENT = "5"

# Subjects and details of enhanced codes that are about this installation or its sender, whatever the class.
OURS = {
    *("1.7", "1.8", "1.90"),  # the sender's address or domain; a provider's limit of the sender
    "3.5",  # the relay is misconfigured
    *("7.8", "7.9", "7.10", "7.11", "7.12", "7.13", "7.14"),  # authentication, encryption, the account (RFC 4954, 5248)
    *(f"7.{detail}" for detail in range(20, 28)),  # DKIM, SPF, PTR, null MX (RFC 7372, 7505)
    *("7.29", "7.30", "7.31", "7.32", "7.40"),  # ARC, TLS; DKIM, DMARC as Gmail counts them
    *("7.51", "7.54", "7.57", "7.60", "7.64", "7.68", "7.139"),  # Exchange: no relaying, not signed in or this sender
    *("7.232", "7.233", "7.501", "7.502", "7.503", "7.506", "7.508", "7.509", "7.511", "7.515"),  # limits, bans, DMARC
    *(f"7.{detail}" for detail in (*range(606, 653), *range(700, 751))),  # Exchange: banned, throttled or new senders
}
# Likewise when permanent; when temporary, they pass by themselves.
OURS_FOR_GOOD = {
    "3.1",  # the relay's disk is full
    *("4.3", "4.5"),  # its directory does not answer; congestion, or a limit of the day
    "5.3",  # too many recipients, which are one at a time here (RFC 5321, 4.5.3.1.10)
    *("7.3", "7.4"),  # it wants a security that Varsel does not offer
}
OUR_CODES = {523, 524, 525, 530, 534, 535, 538}  # encryption or authentication (RFC 4954, 6; RFC 5248)

# All other enhanced codes: the e-mail's final state after a permanent refusal, in whatever phase.
BY_ENHANCED = {
    "1.0": EmailState.FAILED_BOUNCED,  # address, nothing more said
    "1.1": EmailState.FAILED_BOUNCED,  # no such mailbox
    "1.2": EmailState.FAILED_BOUNCED,  # no such domain
    "1.3": EmailState.FAILED_INVALID_EMAIL_FORMAT,  # bad syntax
    "1.4": EmailState.FAILED_BOUNCED,  # ambiguous
    "1.6": EmailState.FAILED_BOUNCED,  # moved, no forwarding
    "1.10": EmailState.FAILED_BOUNCED,  # null MX (RFC 7505)
    "2.0": EmailState.FAILED_BOUNCED,  # mailbox, nothing more said
    "2.1": EmailState.FAILED_BOUNCED,  # disabled
    "2.2": EmailState.FAILED_BOUNCED,  # full
    "2.3": EmailState.FAILED_PAYLOAD_TOO_LARGE,  # longer than the mailbox allows
    "2.4": EmailState.FAILED_BOUNCED,  # a mailing list that cannot be expanded
    "3.4": EmailState.FAILED_PAYLOAD_TOO_LARGE,  # longer than the system allows
    "4.1": EmailState.FAILED_BOUNCED,  # the recipient's host does not answer; with Exchange: no such recipient
    "4.4": EmailState.FAILED_BOUNCED,  # no route: the domain has no host
    "6.7": EmailState.FAILED_INVALID_EMAIL_FORMAT,  # no addresses beyond ASCII (RFC 6531)
    "6.9": EmailState.FAILED_INVALID_EMAIL_FORMAT,  # no UTF-8 headers, which only such addresses need
    "7.16": EmailState.FAILED_PAYLOAD_TOO_LARGE,  # longer than its priority allows (RFC 6710)
    "7.17": EmailState.FAILED_BOUNCED,  # the mailbox has another owner (RFC 7293)
    "7.18": EmailState.FAILED_BOUNCED,  # the domain has
    "7.28": EmailState.FAILED_FILTERED_SPAM,  # part of a flood
}

# What the basic code means if neither an enhanced code nor words decide (RFC 5321, 4.2.3); all others: Failed.
BY_CODE = {
    (Phase.RCPT, 501): EmailState.FAILED_INVALID_EMAIL_FORMAT,  # syntax error in the argument
    (Phase.RCPT, 521): EmailState.FAILED_BOUNCED,  # host takes no mail (RFC 7504)
    (Phase.RCPT, 550): EmailState.FAILED_BOUNCED,  # mailbox unavailable
    (Phase.RCPT, 551): EmailState.FAILED_BOUNCED,  # user not local
    (Phase.RCPT, 552): EmailState.FAILED_BOUNCED,  # mailbox full
    (Phase.RCPT, 553): EmailState.FAILED_INVALID_EMAIL_FORMAT,  # mailbox name not allowed: its syntax
    (Phase.RCPT, 556): EmailState.FAILED_BOUNCED,  # domain takes no mail (RFC 7504)
    (Phase.MAIL, 552): EmailState.FAILED_PAYLOAD_TOO_LARGE,  # SIZE declared (RFC 1870)
    (Phase.DATA, 552): EmailState.FAILED_PAYLOAD_TOO_LARGE,
    (Phase.DOT, 552): EmailState.FAILED_PAYLOAD_TOO_LARGE,
}
ABOUT_THE_MESSAGE = {EmailState.FAILED_PAYLOAD_TOO_LARGE, EmailState.FAILED_INVALID_EMAIL_FORMAT}

_SENDER = re.compile(  # no relaying, no authentication, not from this sender, not this account
    r"relay(?:ing)? (?:access |mail |attempt )?(?:is )?(?:denied|prohibited|refused|rejected|disallowed"
    r"|not (?:permitted|allowed))"
    r"|(?:no|to|not|don't|as an?|open) relay(?:ing)?\b|allowed rcpthosts|not a gateway|non-accepted domain"
    r"|(?:\bun|not |n't |must |please )authenticat"
    r"|authentication (?:is )?(?:required|failed|failure|unsuccessful|needed)"
    r"|requires? (?:smtp )?auth|smtp auth|not logged in|log ?in (?:first|required)"
    r"|(?:\bsender(?:'s)?(?: address| domain| e-?mail| identity)?|\bfrom:? (?:e-?mail )?(?:address|domain))"
    r"(?: is| was| has been)?:? (?:rejected|denied|refused|blocked|invalid|unknown|not|does|must|verify|fail)"
    r"|(?:invalid|bad|bogus|unverified|unroute?able) sender|\be-?mail address is not verified|sendas"
    r"|mail from (?:not|must)"
    r"|not (?:allowed|authori[sz]ed|permitted) to"
    r" (?:send(?::| (?:as|from|mail|e-?mail|messages)\b(?! to))|use|submit|perform)"
    r"|\b(?:your|sending|sender(?:'s)?) (?:(?!recipient)[^\s]+ )?account\b|\byour (?:access|plan|subscription)\b"
    r"|\boutgoing\b|\bsending (?:activity|(?:is |was |has been )?(?:paused|suspended|disabled|blocked))|for sending\b"
    r"|account not subscribed|\bsandbox (?:sub)?domain|\btest purposes|\btrial\b"
)
_STANDING = re.compile(  # this installation's address or name
    r"\b(?:spf|dkim|dmarc|ptr|rdns|reverse dns|starttls|tls|encryption|helo|dnsbl|rbl)\b"
    r"|\b(?:spamhaus|spamcop|sorbs|barracuda|black ?hole)\b"
    r"|black ?list|block ?list|deny ?list|(?:blocked|listed) (?:using|at|by|in|on)\b|reputation|client host|banned"
    r"|\b(?:your|sending|client|source|sender) (?:ip|host|server|domain|network)\b"
    r"|\b(?:mails?|messages?|connections?) from \[?[0-9]{1,3}\.[0-9.]{3,12}\]?"
    r" (?:was|were|is|are|weren't|not|refused|rejected|blocked|denied)\b"
)
_LIMIT = re.compile(  # a limit of what may be sent from here in a time, or for the money
    r"\b(?:daily|hourly|hour|sending|submission|rate)(?: user)?(?: e-?mail| mail| message| smtp)?"
    r"(?: sending| relay)? (?:limit|quota)|relay quota|frequency limit|submissionquota"
    r"|\b(?:per|an) (?:minute|hour|day|month)\b|\bfor today\b|\bcredits\b"
    r"|too many (?:messages|e-?mails|mails|connections|recipients)"
)
_RECEIVES = re.compile(r"\breceiv(?:e|es|ing)\b")  # the limit is the recipient's
_GREYLISTED = re.compile(r"gr[ae]y ?-?list")  # ends by itself, and soon
_CONTENT = re.compile(r"\bur[il]s?\b|uribl|surbl|\bcontents?\b")  # the message's text is blocked
_FULL = re.compile(
    r"quota|storage|disk space|(?:enough|sufficient) space|full mail ?box"
    r"|\b(?:mail ?box|inbox|maildir|account|user|recipient)(?: is)? full"
    r"|mail ?box (?:size|limit|exceed|has exceed|is over|would exceed)"
)
_LARGE = re.compile(r"too (?:big|large|long)|size (?:limit|exceed)|message (?:size|length)|maximum (?:message )?size")
_NOBODY = re.compile(
    r"\b(?:unknown|no such|invalid|inactive|disabled)[ -](?:user|recipient|mailbox|mail-box|account|address|alias)\b"
    r"|\b(?:user|recipient|mailbox|mail-box|account|recipient address)(?: is| was| has been)?"
    r" (?:unknown|not found|not verified|disabled|inactive|suspended|banned|closed)\b"
    r"|\b(?:user|recipient|mailbox|mail-box|account|address)(?: or domain)?"
    r" (?:does(?: not|n't)|may not|not) (?:exist|have an?)\b"
    r"|\bnot a (?:valid|known) (?:user|recipient|mailbox|address)\b|\bno longer (?:valid|accept|exist|activ)"
    r"|\bnot in recipient list|\baddress is marked as invalid|no mail-?box here"
)
_SPAM = re.compile(r"spam|unsolicited|junk|phish|surbl|uribl")


def is_ours(reply: Reply, phase: Phase) -> bool:
    """Whether a 4yz or 5yz is about this installation or its sender: another recipient would be refused, too."""
    detail, for_good = _detail(reply), _is_permanent(reply)
    if detail in OURS or (for_good and detail in OURS_FOR_GOOD):
        return True
    words = _words(reply)
    if phase is Phase.MAIL and for_good:  # only the sender has been named yet
        if detail in BY_ENHANCED and not _is_vague(detail):
            return BY_ENHANCED[detail] not in ABOUT_THE_MESSAGE
        return (phase, reply.code) not in BY_CODE or bool(_FULL.search(words))
    if _may_be_the_senders(detail) and _SENDER.search(words):
        return for_good or not _GREYLISTED.search(words)
    if not for_good or (detail in BY_ENHANCED and not _is_vague(detail)):
        return False
    return reply.code in OUR_CODES or (_is_vague(detail) and _speaks_of_here(words))


def is_temporary(reply: Reply) -> bool:
    """Whether a refusal may pass: a 4yz, or one whose enhanced code says so, such as 552 4.2.2."""
    return not _is_permanent(reply)


def final_state(reply: Reply, phase: Phase) -> EmailState:
    """The e-mail's state after a permanent refusal of the recipient or the message."""
    detail, words = _detail(reply), _words(reply)
    if detail in BY_ENHANCED and not _is_vague(detail):
        return BY_ENHANCED[detail]
    policy = detail.startswith("7.") if detail else phase is Phase.DOT
    if policy and _SPAM.search(words):
        return EmailState.FAILED_FILTERED_SPAM
    if _is_vague(detail):
        if _FULL.search(words) or _NOBODY.search(words):
            return EmailState.FAILED_BOUNCED
        if reply.code == 552 and _LARGE.search(words):  # noqa: PLR2004  # of its two meanings, the one in words
            return EmailState.FAILED_PAYLOAD_TOO_LARGE
    if policy and detail:
        return EmailState.FAILED
    return BY_ENHANCED.get(detail) or BY_CODE.get((phase, reply.code or 0), EmailState.FAILED)


def _detail(reply: Reply) -> str:
    """Subject and detail of the enhanced code; empty without one, or if it means success."""
    enhanced = reply.enhanced or ""
    return "" if enhanced.startswith("2") else enhanced[2:]


def _is_permanent(reply: Reply) -> bool:
    """Whether both codes say so: an enhanced code can make a permanent refusal temporary, not the other way round."""
    return f"{reply.code}"[0] == PERMANENT and (not _detail(reply) or (reply.enhanced or "")[0] == PERMANENT)


def _is_vague(detail: str) -> bool:
    """Whether words say more: no code, `other` (RFC 3463), protocol errors, and `not authorized`."""
    return not detail or detail.startswith(("0.", "5.")) or detail.endswith(".0") or detail == "7.1"


def _may_be_the_senders(detail: str) -> bool:
    """Whether words can show that a code is about the sender: addresses, mailboxes and routes have two sides."""
    return _is_vague(detail) or detail.startswith(("1.", "2.", "4."))


def _speaks_of_here(words: str) -> bool:
    """Whether the words are about this installation's address, name or volume, not about the text or recipient."""
    if _LIMIT.search(words) and not _RECEIVES.search(words):
        return True
    return bool(_STANDING.search(words)) and not (_CONTENT.search(words) or _NOBODY.search(words))


def _words(reply: Reply) -> str:
    """The text without addresses: spam@example.no as a recipient does not mean spam."""
    return " ".join(word for word in reply.text.lower().split() if "@" not in word)
