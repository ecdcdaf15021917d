"""The texts of e-mails whose orders have a template: rendered for each recipient, when the e-mail is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.models import Content, ContentType
from engine.templating import content as templates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from engine.db.records import Email, Letter
    from engine.templating.registry import TemplateVersion
    from engine.templating.renderer import Renderer

    Read = Callable[[UUID], Awaitable[TemplateVersion | None]]


class Rendering:
    """Renders e-mails; those of creators in turns. `read` finds a version by its identifier."""

    def __init__(self, read: Read, renderer: Renderer) -> None:
        self._read = read
        self._renderer = renderer

    async def __call__(self, email: Email, order: Letter, template_id: UUID) -> Content:
        """What an e-mail says. Invalid: that cannot be rendered; Unavailable: the database does not answer."""
        given = json.loads(email.given or "{}")

        async def load() -> templates.Content:
            version = await self._read(template_id)
            if version is None:
                msg = f"there is no template {template_id}"
                raise LookupError(msg)
            return templates.Content.of(version.content)

        said = await self._renderer.render(
            order.creator, template_id, load, given.get("values", {}), given.get("locale")
        )
        made = Content(
            order.sender, said.subject or "", said.text or "", ContentType.PLAIN, order.sender_name, order.reply_to
        )
        return (
            made if said.html is None else replace(made, body=said.html, content_type=ContentType.HTML, plain=said.text)
        )
