"""Templates as a process renders them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from engine.templating import registry
from engine.templating.content import Content, Texts
from engine.templating.renderer import Rendered, Renderer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from engine.db.store import Store


@asynccontextmanager
async def renderer() -> AsyncIterator[Renderer]:
    its = Renderer()
    try:
        yield its
    finally:
        await its.close()


async def render(  # noqa: PLR0913, PLR0917 what is rendered, and for whom
    its: Renderer,
    content: Content,
    values: Mapping[str, Any],
    locale: str | None = None,
    name: UUID | None = None,
    party: str = "ttd",
) -> Rendered:
    """What a version says."""

    async def load() -> Content:
        return content

    return await its.render(party, name or uuid4(), load, values, locale)


def said(content: Content, values: Mapping[str, Any], locale: str | None = None) -> Rendered:
    """Likewise, in a process of its own."""

    async def run() -> Rendered:
        async with renderer() as its:
            return await render(its, content, values, locale)

    return asyncio.run(run())


def rendered(store: Store, version_id: UUID, values: Mapping[str, Any]) -> Rendered:
    """What a stored version says."""
    with store.read() as connection:
        version = registry.find_by_id(connection, version_id)
    assert version
    return said(Content.of(version.content), values)


def html(source: str) -> Content:
    """A template of this HTML alone."""
    return Content(Texts("Hei", source))
