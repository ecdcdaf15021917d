"""A release needs a clean checkout whose change log has the version's heading; all but lint and tests runs here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

import cyclonedx.schema
import jsonschema_rs
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".varsel", ".*_cache", ".hypothesis", ".coverage*", "dist", "__pycache__"
)
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
HEADING = f"## {VERSION} - 2026-12-24"
BILL, SUMS = f"varsel-{VERSION}.cdx.json", "SHA256SUMS"
WHO = {
    f"GIT_{role}_{what}": f"{what.lower()}@example.no" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


class Checkout:
    """A repository with the files of this one, whose change log begins with a heading of the test's."""

    def __init__(self, folder: Path, heading: str) -> None:
        self.folder = folder
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        log = folder / "CHANGELOG.md"
        text, begin = log.read_text(), log.read_text().index("\n## ") + 1
        log.write_text(text[:begin] + heading + text[text.index("\n", begin) :])
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "All of it")
        self.stand()

    def stand(self) -> None:
        """Let `make` take this environment for the checkout's own."""
        (self.folder / ".venv").mkdir()
        (self.folder / ".venv" / ".ready").touch()

    def clone(self, folder: Path) -> Checkout:
        """The same commit in another folder."""
        self.git("clone", "--quiet", ".", str(folder))
        other = object.__new__(Checkout)
        other.folder = folder
        other.stand()
        return other

    def git(self, *arguments: str) -> str:
        return self._run("git", *arguments, check=True).stdout.strip()

    def release(self, *, checks: bool = True) -> subprocess.CompletedProcess[str]:
        """`make release`; `checks`: how lint and tests end."""
        return self.make("release", f"MAKE={str(checks).lower()}")

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`make` with the programs of this environment."""
        return self._run("make", *arguments, f"BIN={Path(sys.executable).parent}")

    def check_sums(self) -> set[str]:
        """What `sha256sum` says of the files that were built."""
        told = self._run("sh", "-c", f"cd dist && sha256sum --check {SUMS}", check=True)
        return set(told.stdout.splitlines())

    @property
    def built(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("dist/*"))

    def _run(self, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **WHO}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MAKE"))}
        return subprocess.run(command, cwd=self.folder, env=kept | own, check=check, capture_output=True, text=True)


def test_a_release_is_a_tag_varsel_and_its_clients(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", HEADING)
    done = checkout.release()
    assert done.returncode == 0, done.stderr
    assert checkout.git("rev-parse", f"v{VERSION}^{{commit}}") == checkout.git("rev-parse", "HEAD")
    assert checkout.git("cat-file", "-t", f"v{VERSION}") == "tag"
    assert checkout.git("status", "--porcelain") == ""
    wheel, source = f"varsel-{VERSION}-py3-none-any.whl", f"varsel-{VERSION}.tar.gz"
    client, typescript = f"varsel_client-{VERSION}-py3-none-any.whl", f"varsel-client-{VERSION}.tgz"
    files = sorted([wheel, source, client, f"varsel_client-{VERSION}.tar.gz", typescript, BILL])
    assert checkout.built == sorted([SUMS, *files])
    assert checkout.check_sums() == {f"{file}: OK" for file in files}
    packed = ZipFile(checkout.folder / "dist" / wheel).namelist()
    assert "engine/queue/due.py" in packed
    tops = {name.partition("/")[0] for name in packed}
    assert tops == {"api", "engine", "scheduler", "templates", f"varsel-{VERSION}.dist-info"}
    with tarfile.open(checkout.folder / "dist" / source) as archive:
        assert f"varsel-{VERSION}/CHANGELOG.md" in archive.getnames()
    assert "varsel/client/py.typed" in ZipFile(checkout.folder / "dist" / client).namelist()
    run_alone(checkout.folder / "dist" / client, tmp_path / "alone")
    with tarfile.open(checkout.folder / "dist" / typescript) as archive:
        assert {"package/package.json", "package/src/index.js", "package/src/index.d.ts"} <= set(archive.getnames())


def test_a_commit_becomes_the_same_bytes_wherever_it_is_built(tmp_path: Path) -> None:
    first = Checkout(tmp_path / "first", HEADING)
    before = os.umask(0o077)  # of somebody else
    try:
        second = first.clone(tmp_path / "somewhere" / "else")
        for each in (first, second):
            done = each.make("dist")
            assert done.returncode == 0, done.stderr
    finally:
        os.umask(before)
    assert first.built == second.built != []
    for name in first.built:
        assert (first.folder / "dist" / name).read_bytes() == (second.folder / "dist" / name).read_bytes(), name


def test_the_bill_of_materials_names_what_the_lock_installs(tmp_path: Path) -> None:
    own = os.environ | {"SOURCE_DATE_EPOCH": "1766534400"}
    subprocess.run([sys.executable, ROOT / ".ci" / "bill.py", tmp_path], env=own, check=True)
    bill = json.loads((tmp_path / BILL).read_text())
    schemas = Path(cyclonedx.schema.__file__).parent / "_res"
    known = [
        (f"http://cyclonedx.org/schema/{path.name}", json.loads(path.read_text()))
        for path in schemas.glob("*.SNAPSHOT.schema.json")
    ]
    schema = json.loads((schemas / "bom-1.6.SNAPSHOT.schema.json").read_text())
    registry = jsonschema_rs.Registry(known)
    jsonschema_rs.validator_for(schema, registry=registry).validate(bill)

    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/varsel@{VERSION}"
    assert bill["metadata"]["timestamp"] == "2025-12-24T00:00:00+00:00"
    lock = (ROOT / "production.lock").read_text()
    listed = {f"{part['name']}=={part['version']}" for part in bill["components"]}
    assert listed == {line.split()[0] for line in lock.splitlines() if "==" in line and line[0] != " "}
    hashes = {each["content"] for part in bill["components"] for each in part["externalReferences"][0]["hashes"]}
    assert hashes == set(re.findall(r"--hash=sha256:(\w+)", lock))
    [windows] = [part for part in bill["components"] if part["name"] == "colorama"]
    assert windows["properties"] == [{"name": "varsel:marker", "value": "sys_platform == 'win32'"}]


def run_alone(wheel: Path, folder: Path) -> None:
    """The client needs nothing of the engine's, and nothing but httpx."""
    with ZipFile(wheel) as packed:
        packed.extractall(folder)  # noqa: S202 our own
    paths = [str(folder), sysconfig.get_path("purelib")]
    code = (
        f"import sys; sys.path[:0] = {paths}; import varsel.client as it; print(it.__file__, 'engine' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == f"{folder / 'varsel' / 'client' / '__init__.py'} False\n"


@pytest.mark.parametrize(
    ("heading", "fault"),
    [
        ("## Unreleased", f'begins with "Unreleased" and pyproject.toml has {VERSION}'),
        ("## 99.0.0 - 2026-12-24", 'begins with "99.0.0 - 2026-12-24"'),
        (f"## {VERSION}", f'must be "{VERSION} - YYYY-MM-DD"'),
    ],
)
def test_a_version_without_its_heading_is_not_released(heading: str, fault: str, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", heading)
    done = checkout.release()
    assert done.returncode != 0
    assert fault in done.stderr
    assert (checkout.built, checkout.git("tag")) == ([], "")


def test_a_tree_with_changes_is_not_released(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", HEADING)
    (checkout.folder / "engine" / "forgotten.py").touch()
    done = checkout.release()
    assert done.returncode != 0
    assert "The tree is not clean" in done.stderr
    assert (checkout.built, checkout.git("tag")) == ([], "")


def test_a_version_is_released_once(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", HEADING)
    checkout.git("tag", f"v{VERSION}")
    done = checkout.release()
    assert done.returncode != 0
    assert f"The tag v{VERSION} exists" in done.stderr
    assert checkout.built == []


def test_what_fails_its_checks_is_not_released(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", HEADING)
    assert checkout.release(checks=False).returncode != 0
    assert (checkout.built, checkout.git("tag")) == ([], "")
