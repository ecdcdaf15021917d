"""Which templates a creator can name: its own, and those of the installation that it has none of the same name for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import Invalid, NotFound
from engine.models import live_creator, new_id
from engine.observability.audit import note_consumer
from engine.templating import registry
from engine.templating.content import LONGEST, Content, Translated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.db.readers import Readers
    from engine.db.store import Store
    from engine.db.writers import Writers
    from engine.templating.own import Own
    from engine.templating.registry import TemplateVersion
    from engine.templating.renderer import Rendered, Renderer

MOST_PARTS = 20


def find(own: Own, connection: Connection, creator: str, name: str, version: int | None = None) -> TemplateVersion:
    """A version, the newest if none is named; NotFound. The installation's `own` have no numbers.

    Tests name those of the creator whose tests they are.
    """
    found = registry.find(connection, live_creator(creator), name, version)
    if found is None and version is None:
        found = own.find(name)
    if found is None:
        numbered = "" if version is None else f" of the version {version}"
        raise NotFound(f"There is no template {name}{numbered}.")
    return found


class Catalogue:
    """The templates of a web process: they are found, checked, stored and previewed."""

    def __init__(self, own: Own, renderer: Renderer, store: Store, readers: Readers, writers: Writers) -> None:
        self.own = own
        self._renderer = renderer
        self._store = store
        self._readers = readers
        self._writers = writers

    def find(self, connection: Connection, creator: str, name: str, version: int | None = None) -> TemplateVersion:
        """As `find` above."""
        return find(self.own, connection, creator, name, version)

    async def put(
        self, who: str, creator: str, name: str, content: Content, *, waiting: bool
    ) -> tuple[TemplateVersion, bool]:
        """Store a version, and whether it is new; the audit log says `who` did it.

        Invalid when it cannot be rendered, Conflict (see registry.put).
        """
        whole = await self._whole(creator, content)
        version_id = new_id(await self._store.now())
        return await self._writers.write(creator, _put, who, version_id, creator, name, whole, waiting=waiting)

    async def remove(self, who: str, creator: str, name: str) -> None:
        """Remove a template for new orders; the audit log says `who` did it. NotFound."""
        await self._writers.write(creator, _remove, who, creator, name)

    async def preview(
        self, creator: str, version: TemplateVersion, values: Mapping[str, Any], locale: str | None
    ) -> Rendered:
        """What a version says with these values; Invalid when it fails."""
        content = Content.of(version.content)

        async def load() -> Content:
            return content

        return await self._renderer.render(creator, version.id, load, values, locale)

    async def _whole(self, creator: str, content: Content) -> Content:
        """A posted version with the parts that it names, as they are now, and with a schema."""
        while (needs := await self._renderer.check(creator, content)).missing:
            if len(content.parts) + len(needs.missing) > MOST_PARTS:
                raise Invalid({"template": [f"It names more than {MOST_PARTS} other templates."]})
            parts = await self._readers.read(creator, self._parts, creator, needs.missing)
            content = replace(content, parts={**content.parts, **parts})
            if content.size > LONGEST:
                raise Invalid(
                    {"template": [f"With the templates that it names, it is longer than {LONGEST:,} characters."]}
                )
        return replace(content, schema=content.schema or needs.schema)

    def _parts(self, connection: Connection, creator: str, names: tuple[str, ...]) -> dict[str, Translated]:
        try:
            found = {name: self.find(connection, creator, name) for name in names}
        except NotFound as error:
            raise Invalid({"template": [f"It names another: {error}"]}) from None
        return {name: Content.of(version.content).as_part() for name, version in found.items()}


def _put(  # noqa: PLR0913, PLR0917 what a version is, and who stores it
    connection: Connection, who: str, version_id: UUID, creator: str, name: str, content: Content, *, waiting: bool
) -> tuple[TemplateVersion, bool]:
    found, new = registry.put(connection, version_id, creator, name, content, waiting=waiting)
    if new or waiting:
        moved = {"waiting": True} if waiting else {}
        note_consumer(connection, who, "store", f"templates/{name}", {"version": found.version, **moved})
    return found, new


def _remove(connection: Connection, who: str, creator: str, name: str) -> None:
    registry.remove(connection, creator, name)
    note_consumer(connection, who, "delete", f"templates/{name}")
