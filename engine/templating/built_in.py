"""The templates that come with Varsel, compiled with this module: children of `varsel up` have them from there."""

from __future__ import annotations

from pathlib import Path

from engine.templating.folders import content, folders, whole

FOLDERS = folders(Path(__file__).parents[2] / "templates" / "email")
SAID = {name: content(folder) for name, folder in FOLDERS.items()}
WHOLE = {name: whole(FOLDERS[name], said, SAID) for name, said in SAID.items()}
