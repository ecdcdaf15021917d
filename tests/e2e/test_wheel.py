"""The package as people install it: a wheel in an environment of its own, away from the checkout.

It runs on the Python that runs the tests; `make pythons` names others, with what Varsel needs installed (PYTHONS).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from engine.auth.tokens import DevelopmentKey
from tests.helpers.client import ask
from tests.helpers.processes import start
from tests.helpers.waiting import patience, wait_for
from tests.servers.installation import API, order

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
OTHERS = os.environ.get("PYTHONS", "").split()
TO = "kari@example.no"


def run(*command: object, **options: object) -> str:
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout).strip()


def version(python: str) -> str:
    return "Python " + run(python, "-c", "import platform; print(platform.python_version())")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    [built] = folder.iterdir()
    return built


@pytest.fixture
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path: Path) -> Path:
    """The programs of a fresh environment with the wheel; it borrows its dependencies, so nothing is downloaded."""
    folder = tmp_path / "environment"
    run(request.param, "-m", "venv", "--without-pip", folder)
    place = "import sysconfig; print(sysconfig.get_path('purelib'))"
    run(sys.executable, "-m", "pip", "--python", folder, "install", "--no-deps", "--no-index", "--quiet", wheel)
    own, others = (Path(run(python, "-c", place)) for python in (folder / "bin" / "python", request.param))
    (own / "dependencies.pth").write_text(f"{others}\n")
    return folder / "bin"


@pytest.mark.parametrize("installed", [sys.executable, *OTHERS], ids=version, indirect=True)
def test_an_order_is_delivered_by_the_wheel(installed: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VARSEL_", "PYTHON"))}
    where = "import api, engine, scheduler; print(engine.__file__, api.__file__, scheduler.__file__)"
    found = run(installed / "python", "-c", where, cwd=tmp_path, env=environment)
    assert found.count(str(installed.parent)) == 3

    log, data = tmp_path / "log", tmp_path / "data"
    command = [installed / "varsel", "up", "--data", data, "--port", 0, "--smtp-port", 0]
    with log.open("w") as output:
        up = start([*map(str, command)], cwd=tmp_path, env=environment, stdout=output, stderr=subprocess.STDOUT)

    def address() -> str | None:
        assert up.poll() is None, log.read_text()
        ready = re.search(r"^ready (\S+)", log.read_text(), re.MULTILINE)
        return ready[1] if ready else None

    try:
        base = wait_for(address)
        token = DevelopmentKey(data).bearer("ttd", "altinn:notifications.create", timedelta(hours=1))
        bearer = {"Authorization": f"Bearer {token}"}
        assert ask("POST", f"{base}{API}/orders/email", json=order(TO), headers=bearer).status_code == 202
        [message] = wait_for(lambda: ask("GET", f"{base}/inbox/messages", params={"to": TO}).json()["messages"])
        assert message["text"] == "Hei, Kari!\n"
        assert ask("GET", f"{base}/console/overview").status_code == 200
    finally:
        up.send_signal(signal.SIGINT)
        code = up.wait(patience())
    assert code == 0
    assert "Traceback" not in log.read_text()
