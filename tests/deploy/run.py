"""`make test-deploy`: image, Compose, manifests and units are put up, and send an order and an event.

It needs root and podman. What it puts up it takes down; what takes long to make (bases, wheels, tools) it keeps.
"""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.deploy import manifests
from tests.deploy.machine import PASSWORD, machine, units
from tests.deploy.own import COMPOSE, compose_with_own_parts, debians
from tests.deploy.podman import IMAGE, PARTS, ROOT, WORK, bases, build, podman, run, say, stand_ins
from tests.deploy.scaling import scale
from tests.deploy.sending import restart, send, within
from tests.helpers.ports import free_port
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = ROOT / "deploy"
STRANGER = "4242:4242"  # a user whom no file of the image knows
LOCKED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--user", STRANGER)
EXPOSURE = 2.0  # of systemd-analyze security: below it, in tenths of its 0 to 10


def alone() -> None:
    """The image by itself: read-only, as a stranger, without a right; it heeds SIGTERM as process 1."""
    port = free_port()
    podman("run", "--detach", "--name", "vt-up", *LOCKED, "--publish", f"127.0.0.1:{port}:5090", IMAGE)
    try:
        send("varsel up in a container", f"http://127.0.0.1:{port}", within("vt-up"))
        podman("healthcheck", "run", "vt-up")
        podman("stop", "--time", 30, "vt-up")
        assert podman("inspect", "--format", "{{.State.ExitCode}}", "vt-up") == "0"
        say("its health check succeeds, and SIGTERM ends it with 0")
    finally:
        podman("rm", "--force", "--volumes", "vt-up", check=False)
    podman("run", "--rm", *LOCKED, "--entrypoint", "python", IMAGE, "-c", "import engine.cli")


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """A copy of deploy/ with fresh secrets."""
    shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns("secrets"))
    shutil.copytree(ROOT / "tests" / "deploy" / "stand-ins", folder / "stand-ins")
    run("sh", folder / "deploy" / "compose" / "secrets.sh")
    yield folder / "deploy"


def compose(deploy: Path) -> None:
    """Compose, with Debian's programs instead of images that a registry has; Grafana is not among them."""
    https, prometheus = free_port(), free_port()
    variables = debians(deploy) | {"HTTPS_PORT": str(https), "PROMETHEUS_PORT": str(prometheus)}
    files = ("-f", deploy / "compose" / "compose.yaml", "-f", ROOT / "tests" / "deploy" / "compose.yaml")
    command = (COMPOSE, "-p", "vt", *files)
    own = ("migrate", "inbox", "worker", "scheduler", "web-1", "web-2")
    services = (*own, "database", "redis", "proxy", "prometheus")
    try:
        add = ("run", "--rm", "-T", "web-1", "operator", "add", "anna", "--role", "admin")
        run(*command, *add, variables=variables, given=PASSWORD)
        run(*command, "--profile", "watch", "up", "-d", *services, variables=variables)
        root = "/data/caddy/pki/authorities/local/root.crt"
        authority = wait_for(lambda: podman("exec", "vt_proxy_1", "cat", root, check=False))
        trust = ssl.create_default_context(cadata=authority)
        url = f"https://localhost:{https}"
        for name in ("vt_web-1_1", "vt_web-2_1"):
            await_ready(name)
        key = send("compose, through Caddy and TLS", url, within("vt_web-1_1"), trust)
        closed = {path: httpx.get(url + path, verify=trust).status_code for path in ("/metrics", "/inbox/messages")}
        assert set(closed.values()) == {404}, closed
        for name in ("worker_1", "worker_2", "scheduler_1", "scheduler_2", "web-2_1"):
            await_alive(f"vt_{name}")
        targets = f"http://127.0.0.1:{prometheus}/api/v1/targets"

        def scraped() -> bool:
            found = httpx.get(targets).json()["data"]["activeTargets"]
            return [each["health"] for each in found] == ["up"] * 6

        wait_for(scraped)
        say("two of web, two workers, two schedulers are alive and scraped; /metrics and /inbox are closed")
        scale(f"http://127.0.0.1:{prometheus}", url, key, trust)
        restart("both of web were restarted", url, trust, [partial(again, web) for web in ("vt_web-1_1", "vt_web-2_1")])
    finally:
        run(*command, "--profile", "watch", "down", "--volumes", "--timeout", "5", check=False, variables=variables)


def await_alive(container: str) -> None:
    wait_for(lambda: "alive" in podman("exec", container, "varsel", "alive", check=False))


def await_ready(web: str) -> None:
    podman("exec", web, "varsel", "wait-ready", "--timeout", patience(), "--url", "http://127.0.0.1:5090")


def again(web: str) -> None:
    """Restart a container of `web`; it ends in order, and is ready again."""
    podman("stop", "--time", 35, web)
    podman("start", web)
    await_ready(web)


def kubernetes(deploy: Path, folder: Path) -> None:
    """The manifests against the API's schemas; the Deployments and the Job are played."""
    file = folder / "rendered.yaml"
    file.write_text(run("kubectl", "kustomize", manifests.OVERLAY))
    run(WORK / "tools" / "bin" / "kubernetes-validate", "--strict", file)
    say(f"{len(manifests.rendered())} manifests agree with the API's schemas")
    secrets, port, play = deploy / "compose" / "secrets", free_port(), folder / "play.yaml"
    secrets.chmod(0o755)
    folder.chmod(0o755)
    play.write_text(manifests.played(secrets, port))
    variables = {"USER": "varsel", "DB": "varsel", "PASSWORD_FILE": "/run/secrets/database-password"}
    variables |= {"INITDB_ARGS": "--encoding=UTF8"}
    database = [f"--env=POSTGRES_{name}={value}" for name, value in variables.items()]
    parts: dict[str, tuple[object, ...]] = {
        "database": (
            *database,
            f"--volume={folder / 'stand-ins'}:/stand-ins:ro",
            "--volume=/var/lib/postgresql/data",
            "--entrypoint",
            "sh",
            PARTS,
            "/stand-ins/postgres.sh",
        ),
        "redis": (PARTS, "redis-server", "/run/secrets/redis.conf"),
        "inbox": ("--env=VARSEL_INBOX=/var/lib/varsel/inbox", IMAGE, "inbox", "--host", "0.0.0.0"),  # noqa: S104
    }
    with stand_ins("vk", secrets, parts):
        try:
            podman("kube", "play", "--network", "vk", play)
            send("kubernetes' manifests, played", f"http://127.0.0.1:{port}", within("varsel-web-pod-0-web"))
            for name in ("worker", "scheduler"):
                container = f"varsel-{name}-pod-0-{name}"
                await_alive(container)
            say("the probe of worker and scheduler finds both alive")
        finally:
            podman("kube", "down", play, check=False)


def verified() -> None:
    """Nothing is wrong with the units' words, and little of the machine is open to them."""
    units = sorted((DEPLOY / "systemd").glob("varsel*"))
    with tempfile.TemporaryDirectory() as folder:
        for unit in units:
            text = unit.read_text().replace("/opt/varsel/bin/varsel", "/bin/true")
            Path(folder, unit.name).write_text(text)
        said = run("systemd-analyze", "verify", *sorted(Path(folder).iterdir()))
        assert not said, said
    services = [unit for unit in units if unit.suffix == ".service"]
    for unit in services:
        run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE * 10:.0f}", unit)
    say(f"{len(units)} units are well-formed; each of {len(services)} services is exposed less than {EXPOSURE}")


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is taken down then, too
    verified()
    bases()
    build()
    alone()
    with tempfile.TemporaryDirectory() as folder, copied(Path(folder)) as deploy:
        compose(deploy)
        kubernetes(deploy, Path(folder))
        with machine(Path(folder)) as url:
            units(url)
            compose_with_own_parts(Path(folder) / "checkout")
    say("all is well")


if __name__ == "__main__":
    main()
