"""Compose with a PostgreSQL, a Redis, a relay and a token issuer of one's own, as docs/production.md says."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from tests.deploy.machine import NAME, NAMES, PASSWORD, inside
from tests.deploy.pages import commands
from tests.deploy.podman import IMAGE, PARTS, ROOT, WORK, podman, run
from tests.deploy.sending import send, within
from tests.helpers.ports import free_port
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

COMPOSE = WORK / "tools" / "bin" / "podman-compose"
STAND_INS = ROOT / "tests" / "deploy" / "compose.yaml"
# The commands of the page are Docker's. A terminal is what nobody has here.
DOCKER = """
docker() {
  shift
  if [ "$1" = run ]; then shift; set -- run -T "$@"; fi
  if [ "$1" = exec ]; then shift; set -- exec -T "$@"; fi
  COMPOSE_FILE="$COMPOSE_FILE:$STAND_INS_FILE" "$COMPOSE" "$@"
}
set -a; . ./passwords; set +a
"""


def debians(deploy: Path) -> dict[str, str]:
    """What Compose is told: our image, and Debian's programs instead of images that a registry has."""
    images = dict.fromkeys(("CADDY_IMAGE", "POSTGRES_IMAGE", "REDIS_IMAGE", "PROMETHEUS_IMAGE"), PARTS)
    stand_ins = {"STAND_INS": str(deploy.parent / "stand-ins"), "VARSEL_IMAGE": IMAGE, "LOG_DRIVER": "k8s-file"}
    return images | stand_ins | {"HTTP_PORT": str(free_port())}


def compose_with_own_parts(checkout: Path) -> None:
    """Follow the page, with the parts on the machine, where the units have stopped."""
    inside("systemctl stop varsel.target varsel-web.socket")
    https = free_port()
    told = {"HTTPS_PORT": str(https), "COMPOSE": str(COMPOSE), "COMPOSE_PROJECT_NAME": "vo"}
    variables = debians(checkout / "deploy") | told | {"STAND_INS_FILE": str(STAND_INS)}
    podman("network", "create", "vo_out")
    podman("network", "connect", *(f"--alias={name}" for name in NAMES), "vo_out", NAME)
    try:
        script = DOCKER + commands("Compose with your own parts")
        said = run("bash", "-euc", f"cd {checkout}/own\n{script}", variables=variables, given=PASSWORD)
        assert "problem" not in said, said
        root = "/data/caddy/pki/authorities/local/root.crt"
        authority = wait_for(lambda: podman("exec", "vo_proxy_1", "cat", root, check=False))
        trust = ssl.create_default_context(cadata=authority)
        token = (checkout / "own" / "token").read_text()
        send("Compose with parts of one's own", f"https://localhost:{https}", within("vo_web-1_1"), trust, token)
    finally:
        files = ("-f", checkout / "deploy" / "compose" / "compose.yaml", "-f", STAND_INS)
        run(COMPOSE, *files, "down", "--volumes", "--timeout", "5", check=False, variables=variables)
        podman("network", "disconnect", "--force", "vo_out", NAME, check=False)
        podman("network", "rm", "--force", "vo_out", check=False)
