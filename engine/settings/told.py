"""What processes tell of their settings, without secrets; and the settings that follow from what they told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import SecretStr, ValidationError

from engine.errors import Misconfigured
from engine.settings import Settings, shown, variable
from engine.settings.secrets import SECRETS
from engine.text import urls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PLACES = ("data", "database_url")  # by which whoever asks has found the processes
ADDRESSES = ("redis_url", "smtp_url")  # of which processes tell all but user and password

NO_VARIABLES = "=="  # no variable of an environment begins so


def told(config: Settings) -> dict[str, str]:
    """The settings that were given to this process, by name, as they were written; nothing of them is a secret."""
    given = {name for name in config.model_fields_set if variable(name) in os.environ or name in SECRETS}
    return {name: _public(config, name) for name in sorted(given)}


def _public(config: Settings, name: str) -> str:
    if isinstance(getattr(config, name), SecretStr):
        return shown(config, name)
    written = os.environ[variable(name)]
    return ",".join(urls.shown(each.strip()) if "://" in each else each for each in written.split(","))


def following(own: Settings, each: Iterable[Mapping[str, str]]) -> Settings:
    """The settings that processes told, with secrets of our own where they are of the same server; Misconfigured."""
    given: dict[str, object] = {}
    for its in each:
        given |= its
    given |= {name: getattr(own, name) for name in PLACES if name in own.model_fields_set}
    if "metrics_dir" in given:
        given.pop("metrics_port", None)  # of two processes; one has no use for both
    hidden = {name for name, value in given.items() if value == urls.HIDDEN}
    for name in ADDRESSES:
        if name in given and shown(own, name) == given[name]:
            given[name] = getattr(own, name)
    known = {name: value for name, value in given.items() if name in Settings.model_fields and name not in hidden}
    try:
        found = Settings(_env_prefix=NO_VARIABLES, **{name: value for name, value in known.items() if value != ""})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        names = ", ".join(sorted({variable(str(each["loc"][0])) for each in error.errors() if each["loc"]}))
        raise Misconfigured(f"processes tell settings that this version cannot read: {names or 'together'}") from None
    secrets = {name: getattr(own, name) or SecretStr(urls.HIDDEN) for name in hidden if name in Settings.model_fields}
    return found.model_copy(update=secrets)
