"""Which files are written, and what they say."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from api.app import OPERATIONS
from api.openapi import document
from clients.generate import python, typescript
from clients.generate.document import Document

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clients" / "typescript" / "package.json"
GENERATED = {  # folders, in which nothing is written by hand
    ROOT / "clients" / "python" / "varsel" / "client" / "generated": python.modules,
    ROOT / "clients" / "typescript" / "src" / "generated": typescript.modules,
}
SERVER = "http://127.0.0.1:5090"


def written() -> Mapping[Path, str]:
    """The text of each file that follows from the API of this checkout, and from its version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    plain = json.loads(json.dumps(document(OPERATIONS, server=SERVER, version=version)))
    api = Document(plain).api()
    found = {folder / name: text for folder, modules in GENERATED.items() for name, text in modules(api).items()}
    return found | {PACKAGE: re.sub(r'(?<="version": ")[^"]*', version, PACKAGE.read_text(), count=1)}


def stale() -> set[Path]:
    """Files that follow from nothing any more."""
    return {path for folder in GENERATED for path in folder.glob("*.*")} - written().keys()
