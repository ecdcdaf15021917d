"""Templates in the database: a creator's versions, which never change, and the newest of each name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from engine.db.dialects import Now, insert_new
from engine.db.records import columns, first
from engine.db.tables import orders, templates
from engine.errors import Conflict, NotFound
from engine.models import OrderState
from engine.templating.content import Content

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection

MOST_NAMES = 1_000  # of one creator
LAST = 2**31 - 1  # version, as the database counts them
MOST_SHOWN = 100  # versions, the newest ones
MOST_WAITING = 10_000  # orders that get a new version in one transaction

_THERE = templates.c.removed.is_(None)


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A version of a template; without a creator and a number, it is the installation's own."""

    id: UUID
    creator: str | None
    name: str
    version: int | None
    created: datetime
    content: str  # JSON


@dataclass(frozen=True, slots=True)
class Entry:
    """A version in a list."""

    name: str
    version: int
    created: datetime


_VERSION = select(*columns(TemplateVersion, templates.c))


def find(connection: Connection, creator: str, name: str, version: int | None = None) -> TemplateVersion | None:
    """A version of a creator's template, the newest if none is named; None: it has none, or has removed it."""
    mine = _VERSION.where(_mine(creator, name), _THERE)
    if version is not None and not 0 < version <= LAST:
        return None
    if version is not None:
        mine = mine.where(templates.c.version == version)
    return first(TemplateVersion, connection.execute(mine.order_by(templates.c.version.desc()).limit(1)))


def find_by_id(connection: Connection, version_id: UUID) -> TemplateVersion | None:
    """A version, also one that was removed: orders may wait that name it."""
    return first(TemplateVersion, connection.execute(_VERSION.where(templates.c.id == version_id)))


def newest(connection: Connection, creator: str) -> Sequence[Entry]:
    """The newest version of each of a creator's templates, by name."""
    found = (
        select(templates.c.name, func.max(templates.c.version), func.max(templates.c.created))
        .where(templates.c.creator == creator, _THERE)
        .group_by(templates.c.name)
        .order_by(templates.c.name)
    )
    return [Entry(*row) for row in connection.execute(found)]


def versions(connection: Connection, creator: str, name: str) -> Sequence[Entry]:
    """The newest versions of a template, the last one first."""
    chosen = select(templates.c.name, templates.c.version, templates.c.created).where(_mine(creator, name), _THERE)
    return [Entry(*row) for row in connection.execute(chosen.order_by(templates.c.version.desc()).limit(MOST_SHOWN))]


def put(  # noqa: PLR0913 what a version is
    connection: Connection, new_id: UUID, creator: str, name: str, content: Content, *, waiting: bool
) -> tuple[TemplateVersion, bool]:
    """Store a version, unless the newest one says the same; and whether it is new.

    `waiting`: orders that wait with another version get this one. Conflict when there are too many of them, when they
    may lack a value that it needs, when the creator has too many templates, or when it stores another at this moment.
    """
    stored, known = content.json_text(), find(connection, creator, name)
    if known is None and len(newest(connection, creator)) >= MOST_NAMES:
        raise Conflict(f"You have {MOST_NAMES:,} templates; delete one first.")
    if known is None or known.content != stored:
        number = select(func.coalesce(func.max(templates.c.version), 0) + 1).where(_mine(creator, name))
        row = {"id": new_id, "creator": creator, "name": name, "content": stored}
        inserting = insert_new(connection.dialect.name, templates).values(
            **row, version=number.scalar_subquery(), created=Now()
        )
        if not connection.execute(inserting.returning(templates.c.id)).first():
            raise Conflict("Another version of this template is being stored at this moment; try again.")
    found = find(connection, creator, name)
    assert found  # noqa: S101 it was stored just now, or before
    if waiting:
        _move_waiting(connection, found, content)
    return found, found.id == new_id


def remove(connection: Connection, creator: str, name: str) -> None:
    """Remove all versions for new orders; NotFound. Those that wait keep theirs."""
    removing = update(templates).where(_mine(creator, name), _THERE).values(removed=Now()).returning(templates.c.id)
    if not connection.execute(removing).first():
        raise NotFound(f"There is no template {name}.")


def keep(connection: Connection, own: Mapping[UUID, TemplateVersion]) -> None:
    """Store versions of the installation's own templates that orders are to name, unless they are stored."""
    for version_id, each in sorted(own.items()):
        row = {"id": version_id, "name": each.name, "content": each.content}
        connection.execute(insert_new(connection.dialect.name, templates).values(**row, created=Now()))


def _mine(creator: str, name: str) -> ColumnElement[bool]:
    return (templates.c.creator == creator) & (templates.c.name == name)


def _move_waiting(connection: Connection, to: TemplateVersion, content: Content) -> None:
    """Give a version to the orders that wait with another one of its name."""
    others = select(templates.c.id).where(_mine(to.creator or "", to.name), templates.c.id != to.id)
    its = (orders.c.template_id.in_(others), orders.c.state == OrderState.REGISTERED)
    chosen = select(orders.c.seq, orders.c.template_id).where(*its).limit(MOST_WAITING + 1).with_for_update()
    waiting = connection.execute(chosen).all()
    if len(waiting) > MOST_WAITING:
        raise Conflict(f"More than {MOST_WAITING:,} orders wait with an earlier version; they keep it.")
    earlier = select(templates.c.content).where(templates.c.id.in_({row.template_id for row in waiting}))
    for stored in connection.scalars(earlier):
        if lacking := sorted(_lacking(content.schema, Content.of(stored).schema)):
            raise Conflict(f"Orders that wait may have no value for {', '.join(lacking)}, which this version needs.")
    connection.execute(
        update(orders).where(orders.c.seq.in_([row.seq for row in waiting]), its[1]).values(template_id=to.id)
    )


def _lacking(new: Mapping[str, Any], earlier: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Where a schema needs values that an earlier one did not."""
    needed = earlier.get("required", ())
    yield from (f"{place}{name}" for name in new.get("required", ()) if name not in needed)
    known = earlier.get("properties", {})
    for name, its in new.get("properties", {}).items():
        if name in known:
            yield from _lacking(its, known[name], f"{place}{name}.")
    if "items" in new:
        yield from _lacking(new["items"], earlier.get("items", {}), f"{place.removesuffix('.')}[].")
