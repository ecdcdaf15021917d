"""Templates as folders of files: what these say, and each with the parts that it names.

A folder has subject.txt, body.html or body.txt or both, the same for other locales (body.nb.html), and perhaps
schema.json. One without a subject is a part of others, such as the layout `base`.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import Misconfigured
from engine.templating import schema as schemas
from engine.templating.checking import checked
from engine.templating.content import LOCALE, NAME, Content, Texts
from engine.templating.faults import told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FILES = {"subject.txt": "subject", "body.html": "html", "body.txt": "text"}
_FILE = re.compile(rf"(subject|body)(?:\.({LOCALE.pattern}))?\.(txt|html)")
_SCHEMA = "schema.json"


def folders(place: Path) -> dict[str, Path]:
    """The templates' folders in a folder, by name; Misconfigured."""
    try:
        found = [path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise Misconfigured(f"{place}: {error.strerror}") from None
    for path in found:
        if not NAME.fullmatch(path.name):
            raise Misconfigured(f"{path}: is no template's name; use a-z, 0-9, _ and -, at most 64")
    return {path.name: path for path in found}


def content(folder: Path) -> Content:
    """What a folder's files say; Misconfigured."""
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


def whole(folder: Path, said: Content, others: Mapping[str, Content]) -> Content:
    """A template with its parts of all `others`, and with a schema; Misconfigured."""
    try:
        while (needs := checked(said)).missing:
            parts = {name: others[name].as_part() for name in needs.missing}
            said = replace(said, parts={**said.parts, **parts})
    except KeyError as error:
        raise Misconfigured(f"{folder}: it names the template {error.args[0]}, which is not there") from None
    except Exception as error:  # noqa: BLE001 its expressions may raise anything
        raise Misconfigured(f"{folder}: cannot be compiled: {told(error)}") from None
    return replace(said, schema=said.schema or needs.schema)
