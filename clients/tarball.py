"""Packs the TypeScript client as npm does, without npm: `python -m clients.tarball FOLDER`.

The same files become the same bytes.
"""

from __future__ import annotations

import gzip
import json
import sys
import tarfile
from pathlib import Path

HOME = Path(__file__).parent / "typescript"
TOP = "package"  # where npm looks


def pack(folder: Path) -> Path:
    """Write NAME-VERSION.tgz into a folder."""
    package = json.loads((HOME / "package.json").read_text())
    listed = [path for name in package["files"] for path in (HOME / name).rglob("*.*")]
    target = folder / f"{package['name']}-{package['version']}.tgz"
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted([HOME / "package.json", HOME / "README.md", *listed]):
            archive.add(path, f"{TOP}/{path.relative_to(HOME)}", filter=_plain)
    return target


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what differs from machine to machine."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
