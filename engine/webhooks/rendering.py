"""E-mails from stored templates: a folder each, with subject.txt and either body.html or body.txt (Jinja).

A template runs in a sandbox and sees only the values that it is given. It may include files of template folders.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import FileSystemLoader, PrefixLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.errors import Invalid, Misconfigured
from engine.models import ContentType
from engine.orders.new_order import LONGEST_SUBJECT
from engine.text.controls import BODY_CONTROLS, LINE_CONTROLS, SURROGATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jinja2 import Template

LONGEST_BODY = 1_000_000  # characters
LONGEST_FAULT = 300  # characters of a template's error, which may contain values
WITHIN = timedelta(seconds=1)  # CPU time for one text; the worker does nothing else meanwhile

_BUILT_IN = Path(__file__).parents[2] / "templates" / "email"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_BODIES = {"body.html": ContentType.HTML, "body.txt": ContentType.PLAIN}
_NOT_IN_LINE = re.compile(f"[{LINE_CONTROLS}{SURROGATES}]+")
_NOT_IN_BODY = re.compile(f"[{BODY_CONTROLS}{SURROGATES}]")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered e-mail; the subject is one line, and neither text has control characters."""

    subject: str
    body: str
    content_type: ContentType


class Templates:
    """The built-in templates and those of `folder`, which take precedence; all are compiled here.

    Misconfigured if the folder, or a template in it, cannot be used.
    """

    def __init__(self, folder: Path | None) -> None:
        found = {path.name: path for place in (_BUILT_IN, folder) if place for path in _folders(place)}
        environment = _Sandbox(
            loader=PrefixLoader({name: FileSystemLoader(path) for name, path in found.items()}),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            auto_reload=False,
        )
        self._templates = {name: _compile(environment, found[name]) for name in sorted(found)}

    def names(self) -> tuple[str, ...]:
        """The names of all templates, in order."""
        return tuple(self._templates)

    def render(self, name: str, values: Mapping[str, Any]) -> Rendered:
        """Render a template with JSON values; Invalid (field `template`) if that fails or there is no such template."""
        if name not in self._templates:
            raise _failed(name, "there is no such template")
        subject, body, content_type = self._templates[name]
        try:
            line = _NOT_IN_LINE.sub(" ", _run(subject, values)).strip()[:LONGEST_SUBJECT]
            return Rendered(line, _NOT_IN_BODY.sub(" ", _run(body, values)), content_type)
        except Exception as error:  # noqa: BLE001 a template's expressions may raise anything
            raise _failed(name, str(error) or type(error).__name__) from None


class _Sandbox(ImmutableSandboxedEnvironment):
    """JSON objects have only their members: `data.items` is a member of the event, or missing."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._member(obj, attribute) if isinstance(obj, dict) else super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._member(obj, argument) if isinstance(obj, dict) else super().getitem(obj, argument)

    def _member(self, obj: dict[str, Any], name: Any) -> Any:
        return obj[name] if name in obj else self.undefined(obj=obj, name=name)


def _folders(place: Path) -> Iterable[Path]:
    try:
        folders = [path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise Misconfigured(f"{place}: {error.strerror}") from None
    for path in folders:
        if not _NAME.fullmatch(path.name):
            raise Misconfigured(f"{path}: is no template's name; use a-z, 0-9, _ and -, at most 64")
    return folders


def _compile(environment: _Sandbox, folder: Path) -> tuple[Template, Template, ContentType]:
    bodies = [file for file in _BODIES if (folder / file).is_file()]
    if len(bodies) != 1 or not (folder / "subject.txt").is_file():
        raise Misconfigured(f"{folder}: a template has subject.txt, and either body.html or body.txt")
    subject, body = f"{folder.name}/subject.txt", f"{folder.name}/{bodies[0]}"
    try:
        return environment.get_template(subject), environment.get_template(body), _BODIES[bodies[0]]
    except (TemplateError, OSError, UnicodeError) as error:
        raise Misconfigured(f"{folder}: cannot be compiled: {error}") from None


def _run(template: Template, values: Mapping[str, Any]) -> str:
    """Render piece by piece, within LONGEST_BODY and WITHIN."""
    deadline = time.thread_time() + WITHIN.total_seconds()
    pieces = []
    length = 0
    for piece in template.generate(values):
        pieces.append(piece)
        length += len(piece)
        if length > LONGEST_BODY:
            raise ValueError(f"it becomes longer than {LONGEST_BODY} characters")
        if time.thread_time() > deadline:
            raise TimeoutError(f"it takes longer than {WITHIN.total_seconds():g} s")
    return "".join(pieces)


def _failed(name: str, fault: str) -> Invalid:
    return Invalid({"template": [_NOT_IN_LINE.sub(" ", f"{name[:64]}: {fault}")[:LONGEST_FAULT]]})
