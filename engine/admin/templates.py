"""Templates as operators see them: those of all creators, their versions, and a test to an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from engine.db.dialects import now
from engine.db.tables import templates
from engine.errors import Invalid, NotFound
from engine.models import ContentType, Priority, new_id
from engine.observability.audit import note
from engine.orders.new_order import NewOrder, insert
from engine.templating import registry
from engine.templating.content import Content
from engine.templating.schema import check
from engine.text.addresses import bare, read_address
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.orders.new_order import Recipient
    from engine.templating.own import Own
    from engine.templating.registry import TemplateVersion

LISTED = 1_000
TESTER = "varsel:console"  # whose orders tests are: no creator finds them among its own


def listed(connection: Connection, own: Own) -> list[dict[str, Any]]:
    """The newest version of each template, by creator and name; those without a creator are the installation's."""
    chosen = (
        select(
            templates.c.creator,
            templates.c.name,
            func.max(templates.c.version).label("version"),
            func.max(templates.c.created).label("created"),
        )
        .where(templates.c.creator.is_not(None), templates.c.removed.is_(None))
        .group_by(templates.c.creator, templates.c.name)
        .order_by(templates.c.creator, templates.c.name)
        .limit(LISTED)
    )
    installations = [{"creator": "", "name": name, "version": None, "created": None} for name in own.names()]
    return installations + [dict(row) for row in connection.execute(chosen).mappings()]


def version(connection: Connection, own: Own, creator: str, name: str, number: int | None) -> TemplateVersion:
    """A version, the newest if none is named; NotFound."""
    found = registry.find(connection, creator, name, number) if creator else own.find(name)
    if found is None:
        raise NotFound(_("There is no such template, or it was deleted."))
    return found


def one(connection: Connection, own: Own, creator: str, name: str, number: int | None) -> dict[str, Any]:
    """A version with its texts, and which others there are; NotFound."""
    found = version(connection, own, creator, name, number)
    others = registry.versions(connection, creator, name) if creator else ()
    return {"version": found, "content": Content.of(found.content), "versions": others}


def template_of(connection: Connection, template_id: UUID | None) -> dict[str, Any] | None:
    """The template of an order, and whether its messages are HTML; None: it has none."""
    found = registry.find_by_id(connection, template_id) if template_id else None
    if found is None:
        return None
    is_html = Content.of(found.content).usual.html is not None
    return {"creator": found.creator or "", "name": found.name, "version": found.version, "is_html": is_html}


def send_test(  # noqa: PLR0913, PLR0917 what an order says, and who asks for it
    connection: Connection,
    operator: str,
    found: TemplateVersion,
    address: str,
    values: Mapping[str, Any],
    locale: str | None,
    sender: str,
) -> UUID:
    """Order an e-mail of a version to one address, at once; returns the order's identifier. Invalid."""
    if not read_address(address):
        raise Invalid({"address": [_("This is not a valid e-mail address.")]})
    check(Content.of(found.content).schema, values)
    recipient: Recipient = {"emailAddress": bare(address), "values": values}
    if locale:
        recipient["locale"] = locale
    order = NewOrder("", "", ContentType.PLAIN, [recipient], priority=Priority.INSTANT, template=found)
    order_id = new_id(now(connection))
    row = order.row(order_id, TESTER, sender)
    row["template_id"] = found.id.hex
    registry.keep(connection, {found.id: found} if found.creator is None else {})
    insert(connection, [row])
    about = {"creator": found.creator or "", "version": found.version}
    note(connection, operator, "send test", f"templates/{found.name}", about)
    return order_id
