"""The installation's own templates: the built-in ones, and those of an operator's folder.

Each is a folder with subject.txt, body.html or body.txt or both, the same for other locales (body.nb.html), and
perhaps schema.json. One without a subject is a part of others, such as the layout `base`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.db.tables import EPOCH
from engine.errors import Misconfigured
from engine.models import derived_id
from engine.templating import schema as schemas
from engine.templating.checking import checked
from engine.templating.content import LOCALE, NAME, Content, Texts
from engine.templating.faults import told
from engine.templating.registry import TemplateVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BUILT_IN = Path(__file__).parents[2] / "templates" / "email"
_FILES = {"subject.txt": "subject", "body.html": "html", "body.txt": "text"}
_FILE = re.compile(rf"(subject|body)(?:\.({LOCALE.pattern}))?\.(txt|html)")
_SCHEMA = "schema.json"


class Own:
    """The built-in templates and those of `folder`, which take precedence; all are compiled here.

    Misconfigured if the folder, or a template in it, cannot be used.
    """

    def __init__(self, folder: Path | None) -> None:
        found = {path.name: path for place in (_BUILT_IN, folder) if place for path in _folders(place)}
        read = {name: _content(path) for name, path in found.items()}
        self._contents = {name: _whole(found[name], content, read) for name, content in sorted(read.items())}
        self._versions = {name: _version(name, content) for name, content in self._contents.items()}

    def names(self) -> tuple[str, ...]:
        """The names of those that can be sent, in order."""
        return tuple(name for name, content in self._contents.items() if content.usual.subject is not None)

    def find(self, name: str) -> TemplateVersion | None:
        """A template as it is now; None: there is none of that name."""
        return self._versions.get(name)


def _folders(place: Path) -> Iterable[Path]:
    try:
        folders = [path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise Misconfigured(f"{place}: {error.strerror}") from None
    for path in folders:
        if not NAME.fullmatch(path.name):
            raise Misconfigured(f"{path}: is no template's name; use a-z, 0-9, _ and -, at most 64")
    return folders


def _content(folder: Path) -> Content:
    texts: dict[str | None, dict[str, str]] = {None: {}}
    try:
        for path in sorted(folder.iterdir()):
            if named := _FILE.fullmatch(path.name):
                kind = _FILES.get(f"{named[1]}.{named[3]}")
                if kind:
                    texts.setdefault(named[2], {})[kind] = path.read_text("utf-8").removesuffix("\n")
        schema: dict[str, Any] = (
            json.loads((folder / _SCHEMA).read_text("utf-8")) if (folder / _SCHEMA).exists() else {}
        )
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{folder}: cannot be read: {error}") from None
    if not texts[None].keys() & {"html", "text"}:
        raise Misconfigured(f"{folder}: a template has body.html, body.txt or both")
    for place, message in schemas.faults(schema):
        raise Misconfigured(f"{folder / _SCHEMA}: {place}: {message}")
    others = {locale: Texts(**each) for locale, each in texts.items() if locale}
    return Content(Texts(**texts[None]), locales=others, schema=schema)


def _whole(folder: Path, content: Content, others: Mapping[str, Content]) -> Content:
    """A template with its parts, and with a schema."""
    try:
        while (needs := checked(content)).missing:
            parts = {name: others[name].as_part() for name in needs.missing}
            content = replace(content, parts={**content.parts, **parts})
    except KeyError as error:
        raise Misconfigured(f"{folder}: it names the template {error.args[0]}, which is not there") from None
    except Exception as error:  # noqa: BLE001 its expressions may raise anything
        raise Misconfigured(f"{folder}: cannot be compiled: {told(error)}") from None
    return replace(content, schema=content.schema or needs.schema)


def _version(name: str, content: Content) -> TemplateVersion:
    """What is stored when an order first names it: its identifier follows from what it says."""
    stored = content.json_text()
    return TemplateVersion(derived_id(EPOCH, "template", name, stored), None, name, None, EPOCH, stored)
