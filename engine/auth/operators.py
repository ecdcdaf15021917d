"""Who may use the console: names, roles and password hashes in a file."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

import argon2
from argon2.exceptions import Argon2Error, InvalidHashError

from engine.errors import Invalid, Misconfigured, NotFound
from engine.runtime.config_files import Contents, read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = re.compile(r"[a-z0-9._@-]{1,64}")
_HASH = re.compile(r"\$argon2id\$[A-Za-z0-9$=,+/]{1,500}")
LEAST_PASSWORD, MOST_PASSWORD = 12, 1024  # characters


class Role(StrEnum):
    """What an operator may do; each role may do what those before it may."""

    VIEWER = "viewer"  # looks; personal data and secrets are masked
    OPERATOR = "operator"  # acts on messages, and sees what is masked for viewers
    ADMIN = "admin"  # pauses and drains lanes, creators and domains

    def allows(self, needed: Role) -> bool:
        """Whether this role is the needed one or one above it."""
        roles = tuple(Role)
        return roles.index(self) >= roles.index(needed)

    @property
    def sees_personal_data(self) -> bool:
        """Whether personal data and secrets are shown as they are, and lists can be narrowed by them."""
        return self.allows(Role.OPERATOR)


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who may use the console, however they signed in. `name` is what the audit log says.

    `mark` changes with the password, and reveals nothing of it. Empty for operators without a password here.
    """

    name: str
    role: Role
    mark: str = field(default="", compare=False)


class Operators:
    """The operators of a TOML file, which is followed while it changes.

    Misconfigured when the file cannot be used at the start.
    """

    def __init__(self, file: Path) -> None:
        self._file = Contents(file, _read, "operators", at_once=True)
        self._hasher = argon2.PasswordHasher()
        _nobodys()  # computed now: the first unknown name must not take longer than others

    def find(self, name: str) -> Operator | None:
        """The operator of that name as the file has it at this moment; None: there is none."""
        entry = self._file.now.get(name)
        return entry.operator(name) if entry else None

    def verify(self, name: str, password: str) -> Operator | None:
        """The operator with this name and password; None takes as long for an unknown name as for a known one."""
        if len(password) > MOST_PASSWORD:
            return None
        entry = self._file.now.get(name)
        try:
            self._hasher.verify(entry.password if entry else _nobodys(), password)
        except (Argon2Error, InvalidHashError):
            return None
        return entry.operator(name) if entry else None


@cache
def _nobodys() -> str:
    """The hash of a password that nobody knows: what an unknown name's is compared with."""
    return argon2.PasswordHasher().hash(secrets.token_urlsafe())


def add(file: Path, name: str, role: Role, password: str) -> None:
    """Write an operator into the file, in place of an entry of that name; only its owner can read the file then.

    Invalid when the name or the password cannot be one, Misconfigured when the file is not one of operators. Comments
    in it are lost.
    """
    if not NAME.fullmatch(name):
        raise Invalid({"name": ["1 to 64 characters: small letters, digits and . _ @ -"]})
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise Invalid({"password": [f"{LEAST_PASSWORD} to {MOST_PASSWORD} characters"]})
    file = file.resolve()
    known = _read(file) if file.exists() else {}
    _write(file, known | {name: _Entry(role, argon2.PasswordHasher().hash(password))})


def remove(file: Path, name: str) -> None:
    """Take an operator out of the file; NotFound, Misconfigured when the file is not one of operators."""
    file = file.resolve()
    entries = _read(file)
    if name not in entries:
        raise NotFound(f"{file} has no operator {name}.")
    _write(file, {each: entry for each, entry in entries.items() if each != name})


def roles(file: Path) -> dict[str, Role]:
    """The operators of the file by name, each with the role; Misconfigured when it is not one of operators."""
    return {name: entry.role for name, entry in sorted(_read(file).items())}


@dataclass(frozen=True, slots=True)
class _Entry:
    role: Role
    password: str  # as argon2id encodes its hash

    def operator(self, name: str) -> Operator:
        return Operator(name, self.role, sha256(self.password.encode()).hexdigest()[:32])


def _read(file: Path) -> dict[str, _Entry]:
    document = read_toml(file, mend="`varsel operator add NAME` writes one")
    operators = document.pop("operators", {})
    if document or not isinstance(operators, dict):
        raise Misconfigured(f"{file}: has entries that are not operators; write [operators.NAME] above each one")
    return {name: _entry(name, given, f"{file}: operators.{name!r}") for name, given in operators.items()}


def _write(file: Path, entries: Mapping[str, _Entry]) -> None:
    """Replace the file at once. No name, role or hash has a quote or a backslash in it: see NAME and _HASH."""
    text = "\n".join(
        f'[operators."{name}"]\nrole = "{entry.role}"\npassword = "{entry.password}"\n'
        for name, entry in sorted(entries.items())
    )
    new = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(file)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise Misconfigured(f"{file}: {error.strerror}") from None


def _entry(name: str, given: object, place: str) -> _Entry:
    if not NAME.fullmatch(name):
        raise Misconfigured(f"{place}: a name has 1 to 64 characters: small letters, digits and . _ @ - (in quotes)")
    if not isinstance(given, dict) or given.keys() != {"role", "password"}:
        raise Misconfigured(f"{place}: must have a role and a password and nothing else; `varsel operator add` does it")
    role, password = given["role"], given["password"]
    if role not in tuple(Role):
        raise Misconfigured(f"{place}: there is no role {role!r}; there are {', '.join(Role)}")
    try:
        sound = isinstance(password, str) and _HASH.fullmatch(password) and argon2.extract_parameters(password)
    except InvalidHashError:
        sound = False
    if not sound:
        raise Misconfigured(f"{place}: password is not an argon2id hash; `varsel operator add` writes one")
    return _Entry(Role(role), password)
