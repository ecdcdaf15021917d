"""What deploy/ names is there: settings, files, commands, images without a registry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from engine.cli import app
from engine.settings import Settings, variable
from engine.settings.secrets import FILES

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = DEPLOY / "compose"
TEXTS = [path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parent.name]
HOST = {"VARSEL_HOST", "VARSEL_WEB", "VARSEL_TLS", "VARSEL_IMAGE", "VARSEL_PATH"}  # of no process


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    return found


@pytest.mark.parametrize("file", TEXTS, ids=lambda path: path.name)
def test_every_setting_that_is_named_is_one(file: Path) -> None:
    named = set(re.findall(r"\bVARSEL_[A-Z_]+[A-Z]\b", file.read_text()))
    assert named <= {variable(name) for name in Settings.model_fields} | FILES.keys() | HOST


@pytest.mark.parametrize(
    "file", [path for path in TEXTS if path.suffix in {".yaml", ".yml"}], ids=lambda path: path.name
)
def test_yaml_is_yaml(file: Path) -> None:
    assert list(yaml.safe_load_all(file.read_text()))


def test_what_compose_mounts_is_there() -> None:
    mounted = [each.split(":")[0] for one in services().values() for each in one.get("volumes", ())]
    assert [each for each in mounted if each.startswith(".") and not (COMPOSE / each).exists()] == []


def test_secrets_that_compose_names_are_made() -> None:
    made = (COMPOSE / "secrets.sh").read_text()
    named = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["secrets"].values()
    assert all(Path(each["file"]).name in made for each in named)


def test_parts_of_ones_own_stand_in_for_services_that_there_are() -> None:
    own = yaml.safe_load((COMPOSE / "own.yaml").read_text())
    assert own["services"].keys() <= services().keys()
    left_out = {name for name, service in own["services"].items() if "profiles" in service}
    assert left_out == {"database", "redis", "inbox"}
    varsels = {name for name, each in services().items() if each["image"].startswith("${VARSEL_IMAGE")}
    assert varsels == own["services"].keys() - left_out | {"inbox"}


def test_images_are_named_without_a_registry_and_with_a_version() -> None:
    images = re.findall(r"^\s+image: \$\{\w+:-(.+)\}", (COMPOSE / "compose.yaml").read_text(), re.MULTILINE)
    assert len(images) == 6
    assert [each for each in images if "." in each.split("/")[0].split(":")[0]] == []
    assert [each for each in images if each != "varsel" and ":" not in each] == []


def test_commands_of_containers_and_units_are_varsels() -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    units = (path.read_text() for path in (DEPLOY / "systemd").glob("*.service"))
    told = {re.findall(r"^ExecStart=\S+ (\w+)", text, re.MULTILINE)[0] for text in units}
    told |= {each["command"][0] for each in services().values() if each["image"].startswith("${VARSEL_IMAGE")}
    for path in (DEPLOY / "kubernetes" / "base").glob("*.yaml"):
        told |= set(re.findall(r"^\s+args: \[ (\w+)", path.read_text(), re.MULTILINE))
    assert told == {"web", "worker", "scheduler", "migrate", "inbox"}
    assert told <= commands


def test_kustomize_names_every_file() -> None:
    for file in (DEPLOY / "kubernetes").rglob("kustomization.yaml"):
        content = yaml.safe_load(file.read_text())
        named = {*content["resources"], *(each["path"] for each in content.get("patches", ()))}
        assert {path.name for path in file.parent.glob("*.yaml")} - {file.name} == {
            each for each in named if each.endswith(".yaml")
        }
