"""A machine of Debian's with systemd as its first process, on which docs/production.md is followed, command by command.

It has the PostgreSQL, Redis, relay and token issuer of somebody's own, then Varsel's units, and nginx in front.
"""

from __future__ import annotations

import json
import shutil
import ssl
from contextlib import contextmanager
from functools import partial
from shlex import join
from typing import TYPE_CHECKING

import httpx

from tests.deploy.pages import commands
from tests.deploy.podman import PARTS, ROOT, podman, run, say, wheels
from tests.deploy.sending import SCOPES, restart, send
from tests.helpers.ports import free_port
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME, CHECKOUT = "vt-machine", "/root/varsel"
NAMES = tuple(f"{part}.example.org" for part in ("database", "redis", "relay", "issuer"))
PASSWORD = "correct horse battery staple"
CLAIMS = {"urn:altinn:org": "ttd", "aud": "varsel", "scope": " ".join(SCOPES)}
STRANGE = {"Authorization": "Bearer nobodys"}
# Services see their credentials, which are mounted, only where mounts are shared; systemd leaves that to containers.
FIRST = ("sh", "-c", "mount --make-rshared / && exec /lib/systemd/systemd")
# nginx as deploy/proxy has it, with a certificate for the name by which the test comes.
PROXY = """
mkdir -p /etc/nginx/tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -CA own/ca.pem -CAkey own/ca.key \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout /etc/nginx/tls/varsel.key -out /etc/nginx/tls/varsel.pem
sed 's/listen 443/listen 8443/' deploy/proxy/nginx.conf > /etc/nginx/conf.d/varsel.conf  # 443 is the issuer's
rm -f /etc/nginx/sites-enabled/default
systemctl restart nginx
"""


def inside(script: str, given: str = "") -> str:
    """What a script says that runs on the machine, in the checkout; its errors end the test."""
    return podman("exec", "--interactive", "--workdir", CHECKOUT, NAME, "bash", "-euc", script, given=given)


def again(units: str) -> None:
    inside(f"systemctl restart {units}; varsel wait-ready --timeout {patience():.0f} --url http://127.0.0.1:5090")


def varsel(*arguments: str) -> str:
    return inside(join(("/usr/local/sbin/varsel", *arguments)))


@contextmanager
def machine(folder: Path) -> Iterator[str]:
    """The machine while the block runs, with a checkout and the wheel in dist/; yields the address of its proxy."""
    checkout = folder / "checkout"
    shutil.copytree(ROOT / "deploy", checkout / "deploy", ignore=shutil.ignore_patterns("secrets", ".env"))
    shutil.copytree(ROOT / "tests" / "deploy" / "stand-ins", checkout / "stand-ins")
    shutil.copy(ROOT / "production.lock", checkout)
    python = ROOT / ".venv" / "bin" / "python"
    run(python, "-m", "hatchling", "build", "--target", "wheel", "--directory", checkout / "dist")
    configuration = folder / "pip.conf"
    configuration.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    mounts = (f"{checkout}:{CHECKOUT}", f"{wheels()}:/wheels:ro", f"{configuration}:/etc/pip.conf:ro")
    port = free_port()
    options = [f"--add-host={name}:127.0.0.1" for name in NAMES] + [f"--volume={mount}" for mount in mounts]
    options += [f"--publish=127.0.0.1:{port}:8443", "--systemd=always", "--privileged"]
    podman("run", "--detach", "--name", NAME, *options, PARTS, *FIRST)
    try:
        wait_for(lambda: podman("exec", NAME, "systemctl", "is-system-running", check=False) in ("running", "degraded"))
        yield f"https://localhost:{port}"
    finally:
        podman("rm", "--force", "--volumes", "--time", 5, NAME, check=False)


def units(url: str) -> None:
    """Follow the page from the parts to the units, send through them, and restart `web`."""
    inside("systemctl disable --quiet --now caddy prometheus")
    page = [commands(each) for each in ("Your parts", "Certificates", "PostgreSQL", "Redis", "Relay")]
    page += ["env | grep -E '^(OWNER|APP|REDIS|RELAY)=' > passwords"]  # which a user's shell would still have
    page += ["postconf -e default_transport=discard:"]  # its mail goes no further
    page += [commands("Install").replace("make dist", ":"), commands("Secrets of the units")]
    script = f"{CHECKOUT}/stand-ins/issuer.py"
    issuer = ("/opt/varsel/bin/python", script, "issuer.pem", "issuer.key", json.dumps(CLAIMS), "token")
    page += [f"systemd-run --quiet --unit=issuer --working-directory={CHECKOUT}/own {join(issuer)}"]
    page += [commands("Units"), PROXY]
    said = inside("\n".join(page), given=f"{PASSWORD}\n")
    assert "problem" not in said, said
    trust = ssl.create_default_context(cadata=inside("cat own/ca.pem"))
    send("units, through nginx, with TLS to each part", url, varsel, trust, inside("cat own/token"))
    inside("systemctl enable --quiet --now varsel-worker@3")
    restarts = [partial(again, units) for units in ("varsel-migrate", "varsel-web varsel-scheduler 'varsel-worker*'")]
    restart("units: schema and processes were started anew, as in an upgrade", url, trust, restarts)
    journalled(url, trust)


def journalled(url: str, trust: ssl.SSLContext) -> None:
    """The journal knows the level of each line, and when it was written."""
    assert httpx.get(f"{url}/events/api/v1/subscriptions", headers=STRANGE, verify=trust).status_code == 401
    logged = inside("journalctl --identifier varsel --output json --output-fields=PRIORITY,MESSAGE")
    lines = [(line["PRIORITY"], line["MESSAGE"]) for line in map(json.loads, logged.splitlines())]
    levels = {level for level, text in lines if "starts: web" in text or "token was refused" in text}
    assert levels == {"6", "4"}, lines
    say(f"the journal has {len(lines)} lines, each with its level")
