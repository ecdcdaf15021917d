"""Writes the bill of materials of a release, in CycloneDX's JSON: `python .ci/bill.py FOLDER`.

It names the packages of production.lock, each with the hashes that pip accepts. The same lock and SOURCE_DATE_EPOCH
(seconds) become the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).parents[1]
# An entry of the lock: name, version, marker (packaging.python.org, "Dependency specifiers") and lines of hashes.
ENTRY = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; ([^\\]+?))? \\\n((?:    .*\n)+)", re.MULTILINE)
MARKER = "varsel:marker"  # the property that says where a package is installed


def bill(lock: str, project: dict[str, str], at: datetime) -> str:
    """The bill of a release that is made of these locked packages, at this time."""
    root = _component(project["name"], project["version"], ComponentType.APPLICATION)
    root.licenses.add(DisjunctiveLicense(id=project["license"]))
    root.description = project["description"]
    parts = [_part(*entry) for entry in ENTRY.findall(lock)]
    digest = hashlib.sha256(f"{root.purl}\n{lock}".encode()).hexdigest()
    made = Bom(
        components=parts,
        serial_number=uuid5(NAMESPACE_URL, digest),
        metadata=BomMetaData(component=root, timestamp=at),
    )
    made.register_dependency(root, parts)
    return f"{JsonV1Dot6(made).output_as_string(indent=2)}\n"


def _part(name: str, version: str, marker: str, hashes: str) -> Component:
    """An entry of the lock; its hashes are those of the files of which pip takes one."""
    part = _component(name, version, ComponentType.LIBRARY)
    part.external_references.add(
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(f"https://pypi.org/project/{name}/{version}/#files"),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in re.findall(r"sha256:(\w+)", hashes)],
        )
    )
    if marker:
        part.properties.add(Property(name=MARKER, value=marker))
    return part


def _component(name: str, version: str, kind: ComponentType) -> Component:
    url = PackageURL("pypi", name=name, version=version)
    return Component(name=name, version=version, type=kind, purl=url, bom_ref=str(url))


def main(folder: Path) -> None:
    """Write NAME-VERSION.cdx.json into the folder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    at = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    text = bill((ROOT / "production.lock").read_text(), project, at)
    (folder / f"{project['name']}-{project['version']}.cdx.json").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
