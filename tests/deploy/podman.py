"""Containers without a registry: bases of Debian's packages, and podman as far as a machine without systemd allows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".venv" / "deploy"  # what is made once and used again: bases, wheels, tools
PACKAGES = {
    "base": "python3,python3-venv,ca-certificates",
    "parts": "systemd-sysv,dbus,postgresql,redis-server,postfix,sasl2-bin,libsasl2-modules,caddy,nginx-light,"
    "prometheus,openssl,python3-venv,ca-certificates",
}
# By what is in them, so that other packages make others.
BASE, PARTS = (f"localhost/varsel-{name}:{crc32(packages.encode()):08x}" for name, packages in PACKAGES.items())
IMAGE, STAGE = "localhost/varsel-image:test", "localhost/varsel-stage:test"
# runc, since crun refuses hybrid cgroups; and limits that small machines allow.
CONF = """[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
"""
BEGAN = time.monotonic()


def say(text: str) -> None:
    print(f"{time.monotonic() - BEGAN:6.1f} s  {text}", flush=True)  # noqa: T201 it is what one runs it for


def run(*command: object, check: bool = True, variables: Mapping[str, str] | None = None, given: str = "") -> str:
    """The output of a program, which is given this to read; its errors end the test."""
    environment = os.environ | {"CONTAINERS_CONF": str(WORK / "containers.conf")} | dict(variables or {})
    done = subprocess.run(
        [*map(str, command)], env=environment, cwd=ROOT, input=given, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        sys.exit(f"{' '.join(map(str, command))[:300]}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout.strip()


def podman(*arguments: object, check: bool = True, given: str = "") -> str:
    return run("podman", *arguments, check=check, given=given)


def bases() -> None:
    """The images that others are built on and that stand in for others', made once."""
    WORK.mkdir(exist_ok=True)
    (WORK / "containers.conf").write_text(CONF)
    for image, packages in zip((BASE, PARTS), PACKAGES.values(), strict=True):
        if not podman("images", "--quiet", image):
            say(f"making {image} of Debian's packages")
            file = WORK / "base.tar"
            run("mmdebstrap", "--variant=minbase", f"--include={packages}", "bookworm", file)
            podman("import", file, image)
            file.unlink()


def wheels() -> Path:
    """What the locks name, for a build without an index: it gets a configuration of pip's that names this folder."""
    folder = WORK / "wheels"
    lock = WORK / "all.lock"
    text = (ROOT / "production.lock").read_text() + (ROOT / "build.lock").read_text()
    plain = re.sub(r" ; [^\\\n]*", " ", text)  # also what another Python of the base needs
    if not lock.exists() or lock.read_text() != plain:
        lock.write_text(plain)
        quiet = ("--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:")
        run(WORK / "tools" / "bin" / "pip", "download", *quiet, "--requirement", lock, "--dest", folder)
    return folder


def build() -> None:
    """Build the image as its file says, on our base. The images of the build before are removed."""
    configuration = WORK / "pip.conf"
    configuration.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    mounts = ("--volume", f"{configuration}:/etc/pip.conf:ro", "--volume", f"{wheels()}:/wheels:ro")
    command = ("build", "--isolation=chroot", "--format=docker", *mounts, "--build-arg", f"BASE={BASE}")
    before = _numbers()
    podman(*command, "--target=build", "--tag", STAGE, ROOT)
    podman(*command, "--tag", IMAGE, ROOT)
    for old in before - _numbers():
        podman("rmi", old, check=False)
    sizes = {image: int(podman("image", "inspect", "--format", "{{.Size}}", image)) for image in (IMAGE, BASE)}
    beyond = (sizes[IMAGE] - sizes[BASE]) / 1e6
    assert beyond < 200, beyond
    say(f"the image has {beyond:.0f} MB beyond its base")


def _numbers() -> set[str]:
    """The images that a build leaves."""
    return {podman("images", "--quiet", image) for image in (IMAGE, STAGE)} - {""}


@contextmanager
def stand_ins(network: str, secrets: Path, parts: Mapping[str, tuple[object, ...]]) -> Iterator[None]:
    """Containers of PostgreSQL, Redis and others in a network of their own, with their files of secrets."""
    podman("network", "create", network)
    try:
        for name, arguments in parts.items():
            files = [f"--volume={file}:/run/secrets/{file.name}:ro" for file in secrets.iterdir()]
            podman(
                "run",
                "--detach",
                "--name",
                f"{network}-{name}",
                "--network",
                network,
                "--network-alias",
                name,
                *files,
                *arguments,
            )
        yield
    finally:
        podman("rm", "--force", "--volumes", "--time", 1, *(f"{network}-{name}" for name in parts), check=False)
        podman("network", "rm", "--force", network, check=False)
