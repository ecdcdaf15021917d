"""Writes what follows from the API: `python -m clients.generate`."""

from __future__ import annotations

from clients.generate.files import GENERATED, stale, written

if __name__ == "__main__":
    for folder in GENERATED:
        folder.mkdir(exist_ok=True)
    for path in stale():
        path.unlink()
    for path, text in written().items():
        path.write_text(text)
