"""API keys as operators make, replace and revoke them; see engine/auth/api_keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select, update

from engine.auth.api_keys.guests import read_guests
from engine.auth.api_keys.keyring import IN_FORCE
from engine.auth.api_keys.secrets import KeyKind, hashed, new_key
from engine.db.dialects import Now, after, now
from engine.db.records import columns, first
from engine.db.tables import api_keys, audit_log
from engine.errors import Conflict, Invalid, NotFound
from engine.models import is_test
from engine.observability.audit import ITSELF, note
from engine.resources import (
    SCOPE_COMPOSED,
    SCOPE_CREATE,
    SCOPE_PUBLISH,
    SCOPE_PUBLISH_ANY,
    SCOPE_SUBSCRIBE,
    SCOPE_SUPPORT,
    SCOPE_TEMPLATES,
    SCOPES_CREATE,
)
from engine.text.language import N_, _, number
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection

MOST = 10_000  # keys in force: each process knows all of them
LONGEST = 95  # characters of a creator, so that that of its tests has room
LONGEST_NAME = 100
LONGEST_LIFE = 3_650  # days
OVERLAP = timedelta(hours=24)  # for which a replaced key goes on, unless an operator says otherwise
TOLD_WITHIN = timedelta(days=1)  # how long ago a key expired that the audit log does not name yet
LONGEST_OVERLAP = timedelta(days=90)
OF_TESTS = SCOPES_CREATE | {SCOPE_COMPOSED, SCOPE_SUBSCRIBE}  # of team keys, too: others reach beyond their own orders
STATES = ("active", "expired", "revoked")
STATE = case((api_keys.c.revoked <= Now(), "revoked"), (api_keys.c.expires <= Now(), "expired"), else_="active")
SCOPES = OF_TESTS | {SCOPE_SUPPORT, SCOPE_PUBLISH, SCOPE_PUBLISH_ANY, SCOPE_TEMPLATES}


@dataclass(frozen=True, slots=True)
class NewKey:
    """What an operator asks for. `days`: its life; None: without end."""

    kind: str
    creator: str
    name: str
    scopes: Iterable[str] = (SCOPE_CREATE,)
    guests: Iterable[str] = ()
    days: int | None = None


@dataclass(frozen=True, slots=True)
class _Stored:
    seq: int
    kind: str
    creator: str
    name: str
    scopes: str
    guests: str
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    revoked: datetime | None


def create(connection: Connection, who: str, asked: NewKey) -> tuple[int, str]:
    """Make a key; returns its number and its text, which nobody can read later. Invalid, Conflict for too many."""
    kind, creator, name = asked.kind.strip(), asked.creator.strip(), asked.name.strip()
    scopes = sorted(dict.fromkeys(scope for each in asked.scopes for scope in each.split()))
    _check(kind, creator, name, scopes, asked.days)
    guests = read_guests(asked.guests)
    if bool(guests) != (kind == KeyKind.TEAM):
        raise Invalid(
            {"guests": [_("A team key needs guests, the only ones to whom it sends; other kinds have none.")]}
        )
    life = None if asked.days is None else timedelta(days=asked.days)
    return _insert(connection, who, (kind, creator, name, " ".join(scopes), " ".join(sorted(guests))), life)


def rotate(connection: Connection, who: str, seq: int, overlap: timedelta = OVERLAP) -> tuple[int, str]:
    """Make a key like this one, which goes on for the time of `overlap`; returns the new one as `create` does.

    NotFound, Conflict when it has ended, Invalid.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Invalid({"overlap": [_("From 0 to %(count)s hours.", count=LONGEST_OVERLAP.days * 24)]})
    old = _in_force(connection, seq)
    life = None if old.expires is None else old.expires - old.created
    made = _insert(connection, who, (old.kind, old.creator, old.name, old.scopes, old.guests), life, replaces=seq)
    end = now(connection) + overlap  # beside `expires`, from which a further one takes its life
    connection.execute(update(api_keys).where(api_keys.c.seq == seq).values(revoked=min(old.revoked or end, end)))
    return made


def revoke(connection: Connection, who: str, seq: int) -> str:
    """End a key within two seconds; returns what to say of it. NotFound, Conflict when it has ended."""
    old = _in_force(connection, seq)
    connection.execute(update(api_keys).where(api_keys.c.seq == seq).values(revoked=Now()))
    note(connection, who, "revoke", f"keys/{seq}", {"creator": old.creator, "name": old.name})
    text = N_("The key %(seq)s of %(creator)s (%(name)s) is revoked.")
    return _(text, seq=seq, creator=old.creator, name=old.name)


def question(connection: Connection, seq: int) -> tuple[str, str]:
    """What is asked before a key is revoked: the title, and what it means; NotFound, Conflict when it has ended."""
    found = _in_force(connection, seq, lock=False)
    used = _("It was never used.")
    if found.last_used:
        used = _("It was last used at %(time)s.", time=rfc3339(found.last_used))
    meaning = _("Whoever has it gets 401 within two seconds, for good: to replace it, rotate it.")
    title = N_("Revoke the %(kind)s key %(seq)s of %(creator)s (%(name)s)?")
    return _(title, kind=found.kind, seq=seq, creator=found.creator, name=found.name), f"{used} {meaning}"


def note_expired(connection: Connection) -> None:
    """Say in the audit log which keys have expired lately; once, whoever calls it."""
    lately = (api_keys.c.expires <= Now(), api_keys.c.expires > after(-TOLD_WITHIN))
    ended = select(api_keys.c.seq, api_keys.c.creator, api_keys.c.name).where(*lately, STATE == "expired")
    for row in connection.execute(ended.order_by(api_keys.c.seq).with_for_update()).all():
        target = f"keys/{row.seq}"
        told = select(audit_log.c.seq).where(audit_log.c.target == target, audit_log.c.action == "expire")
        if connection.execute(told).first() is None:
            note(connection, ITSELF, "expire", target, {"creator": row.creator, "name": row.name})


def _insert(
    connection: Connection,
    who: str,
    named: tuple[str, str, str, str, str],
    life: timedelta | None,
    replaces: int | None = None,
) -> tuple[int, str]:
    kind, creator, name, scopes, guests = named
    if (connection.scalar(select(func.count()).select_from(api_keys).where(*IN_FORCE)) or 0) >= MOST:
        text = N_("There are %(count)s keys in force, which is the most there can be; revoke some.")
        raise Conflict(_(text, count=number(MOST)))
    key = new_key(KeyKind(kind))
    row: dict[str, object] = {"hash": hashed(key), "created": Now(), "who": who}
    row |= {"kind": kind, "creator": creator, "name": name, "scopes": scopes, "guests": guests}
    row["expires"] = None if life is None else after(life)
    seq = int(connection.execute(api_keys.insert().values(row).returning(api_keys.c.seq)).scalar_one())
    detail: dict[str, object] = {"kind": kind, "creator": creator, "name": name, "scopes": scopes}
    note(connection, who, "create", f"keys/{seq}", detail | ({"replaces": replaces} if replaces else {}))
    return seq, key


def _check(kind: str, creator: str, name: str, scopes: list[str], days: int | None) -> None:
    """Invalid when a key cannot be like this."""
    errors: dict[str, list[str]] = {}
    if kind not in tuple(KeyKind):
        errors["kind"] = [_("One of %(names)s.", names=", ".join(KeyKind))]
    if not 0 < len(creator) <= LONGEST or not creator.isprintable() or is_test(creator):
        text = N_("A creator such as ttd, of at most %(count)s characters. Tests have a kind of key.")
        errors["creator"] = [_(text, count=LONGEST)]
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        text = N_("What you call the system that has the key, in at most %(count)s characters.")
        errors["name"] = [_(text, count=LONGEST_NAME)]
    known = SCOPES if kind == KeyKind.LIVE else OF_TESTS
    if strange := [scope for scope in scopes if scope not in known]:
        text = N_("A %(kind)s key cannot have %(strange)s; there are %(known)s.")
        errors["scopes"] = [_(text, kind=kind, strange=", ".join(strange), known=", ".join(sorted(known)))]
    if not scopes:
        errors["scopes"] = [_("A key needs a scope.")]
    if days is not None and not 0 < days <= LONGEST_LIFE:
        errors["days"] = [_("From 1 to %(count)s days.", count=LONGEST_LIFE)]
    if errors:
        raise Invalid(errors)


def _in_force(connection: Connection, seq: int, *, lock: bool = True) -> _Stored:
    chosen = select(*columns(_Stored, api_keys.c)).where(api_keys.c.seq == seq)
    found = first(_Stored, connection.execute(chosen.with_for_update() if lock else chosen))
    if found is None:
        raise NotFound(_("There is no key %(key)s.", key=seq))
    at = now(connection)
    if any(ends and ends <= at for ends in (found.revoked, found.expires)):
        raise Conflict(_("The key %(key)s has ended already.", key=seq))
    return found
