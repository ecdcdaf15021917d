"""The installation's own templates: the built-in ones, and those of an operator's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.db.tables import EPOCH
from engine.models import derived_id
from engine.templating import built_in
from engine.templating.folders import content, folders, whole
from engine.templating.registry import TemplateVersion

if TYPE_CHECKING:
    from pathlib import Path

    from engine.templating.content import Content


class Own:
    """The built-in templates and those of `folder`, which take precedence; all are compiled here.

    Misconfigured if the folder, or a template in it, cannot be used.
    """

    def __init__(self, folder: Path | None) -> None:
        own = folders(folder) if folder else {}
        found = built_in.FOLDERS | own
        said = built_in.SAID | {name: content(path) for name, path in own.items()}
        ready = {name: its for name, its in built_in.WHOLE.items() if own.keys().isdisjoint((name, *its.parts))}
        self._contents = {
            name: ready[name] if name in ready else whole(found[name], its, said) for name, its in sorted(said.items())
        }
        self._versions = {name: _version(name, its) for name, its in self._contents.items()}

    def names(self) -> tuple[str, ...]:
        """The names of those that can be sent, in order."""
        return tuple(name for name, its in self._contents.items() if its.usual.subject is not None)

    def find(self, name: str) -> TemplateVersion | None:
        """A template as it is now; None: there is none of that name."""
        return self._versions.get(name)


def _version(name: str, its: Content) -> TemplateVersion:
    """What is stored when an order first names it: its identifier follows from what it says."""
    stored = its.json_text()
    return TemplateVersion(derived_id(EPOCH, "template", name, stored), None, name, None, EPOCH, stored)
