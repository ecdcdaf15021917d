"""Addresses in settings: which parts of them may be shown, and whether they are well-formed."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

HIDDEN = "***"
MOST_PORT = 65535
LOOPBACK = ("localhost", "127.0.0.1", "::1")  # hosts that mean this machine
LOOPBACK_HOST = r"(?:localhost|127\.0\.0\.1|\[::1\])"  # a pattern: the same, as they are written before a port

_HOST = r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])?"
_PLACE = re.compile(rf"({_HOST})(?::([0-9]{{1,5}}))?", re.ASCII)
_SOME = rf"{_HOST}(?::[0-9]{{1,5}})?"
_PLACES = rf"{_SOME}(?:,{_SOME})*"  # of several servers, of which one is the primary
# Scheme, user and password, hosts and ports, path or name, the rest. An @ where it may belong to a password fits
# nothing.
_SHOWN = re.compile(rf"([a-z][a-z0-9+.-]{{0,30}}://)(?:[^@?]*@)?({_PLACES})((?:/[^@?#]*)?)(?:[?#][^@]*)?", re.ASCII)
_POSTGRESQL = re.compile(rf"(postgresql(?:\+psycopg)?://(?:[^@]*@)?)({_PLACES})((?:/[^@?]*)?)(?:\?([^@]*))?", re.ASCII)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}://")
_SENTINELS = re.compile(  # scheme, user and password, places, name of the master, database, the rest
    rf"(rediss?)\+sentinel://((?:[^@?]*@)?)({_PLACES})/([A-Za-z0-9._-]+)((?:/[0-9]{{0,5}})?)((?:\?[^@]*)?)", re.ASCII
)
SENTINEL_PORT = 26379  # where an address names none
_NUMBER = re.compile(r"(?:/[0-9]{0,5})?", re.ASCII)
_ANSWERS = {"decode_responses", "encoding", "encoding_errors"}  # options of redis-py that change what it returns
_SQLITE = re.compile(r"sqlite:///[^?#]+")
_WRITE = "in a user or password, write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and a space as %20"


def shown(url: str) -> str:
    """Scheme, host, port and path (a database's name, a file). What cannot be told apart for certain is hidden."""
    fits = _SHOWN.fullmatch(url)
    if fits:
        return "".join(fits.groups())
    scheme = _SCHEME.match(url)
    return f"{scheme[0] if scheme else ''}{HIDDEN}"


def place(host: str, port: int) -> str:
    """Host and port as an address has them: IPv6 in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def file_of(url: str) -> Path | None:
    """The file of an SQLite address, as SQLAlchemy reads it; None: it is no such address."""
    return Path(unquote(url.removeprefix("sqlite:///"))) if url.startswith("sqlite") else None


def of_file(file: Path) -> str:
    """The address of a file as an SQLite database, whatever characters its name has."""
    return f"sqlite:///{quote(str(file), errors='surrogateescape')}"


def of_socket(path: Path) -> str:
    """The address of a Redis at a socket, whatever characters its path has."""
    return f"unix://{quote(str(path), errors='surrogateescape')}"


def with_hosts_behind(url: str) -> str:
    """An address of PostgreSQL as SQLAlchemy reads it: of several hosts, libpq's form has them before the name."""
    fits = _POSTGRESQL.fullmatch(url)
    if not fits or "," not in fits[2]:
        return url
    scheme, places, name, options = fits.groups()
    each = [_PLACE.fullmatch(some) for some in places.split(",")]
    hosts = ",".join(some[1].strip("[]") for some in each if some)
    ports = ",".join(some[2] or "" for some in each if some)
    return f"{scheme}{name or '/'}?host={hosts}&port={ports}" + (f"&{options}" if options else "")


def check_database(url: str) -> None:
    """Refuse (ValueError, which shows nothing of it) a text that is no address of a database."""
    if url.startswith("sqlite:///"):
        if not _SQLITE.fullmatch(url) or str(file_of(url)) == ":memory:" or "%00" in url:
            msg = "must be sqlite:///FILE, without options; write ? as %3F, # as %23 and % as %25"
            raise ValueError(msg)
        return
    if not url.startswith(("postgresql://", "postgresql+psycopg://")):
        msg = "must start with sqlite:/// or postgresql://"
        raise ValueError(msg)
    fits = _POSTGRESQL.fullmatch(url)
    if not fits or _has_space(url) or not all(map(_is_place, fits[2].split(","))):
        msg = f"must be postgresql://USER:PASSWORD@HOST:PORT/NAME, or HOST:PORT,HOST:PORT; {_WRITE}"
        raise ValueError(msg)


def check_server(url: str, schemes: tuple[str, ...]) -> None:
    """Refuse (likewise) a text that is no address with one of these schemes."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in schemes and (parts.port is None or 0 < parts.port <= MOST_PORT)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        sound, host = False, ""
    if not sound or _has_space(url) or url.count("@") > 1 or not _PLACE.fullmatch(host):
        msg = f"must be {' or '.join(f'{each}://' for each in schemes)} with HOST:PORT; {_WRITE}"
        raise ValueError(msg)


def is_site(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether it names a host, by one of these schemes, and no impossible port."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0  # above 65535 it raises
    except ValueError:
        return False


def check_redis(url: str) -> None:
    """Refuse (likewise) a text that is no address of a Redis, or would be read as another one."""
    if "+sentinel://" in url:
        url = of_sentinels(url).redis
    check_server(url, ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"))
    parts = urlsplit(url)
    if parts.scheme != "unix" and not _NUMBER.fullmatch(parts.path):
        msg = "must end with the number of a database, such as /0, or with HOST:PORT"
        raise ValueError(msg)
    if named := _ANSWERS & dict(parse_qsl(parts.query, keep_blank_values=True)).keys():
        msg = f"takes no {', '.join(sorted(named))}: answers are read as bytes"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Sentinels:
    """An address of Sentinels in parts: where they are, the name of their master, and an address of it as any Redis."""

    places: tuple[tuple[str, int], ...]
    master: str
    redis: str


def of_sentinels(url: str) -> Sentinels:
    """The parts of such an address; ValueError if it is none."""
    fits = _SENTINELS.fullmatch(url)
    if (
        not fits
        or _has_space(url)
        or not all(_is_place(each) and each[:1] not in ("", ":") for each in fits[3].split(","))
    ):
        msg = f"must be redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER/0, or rediss+sentinel://; {_WRITE}"
        raise ValueError(msg)
    scheme, user, places, master, number, options = fits.groups()
    each = [some for place in places.split(",") if (some := _PLACE.fullmatch(place))]
    found = tuple((some[1].strip("[]"), int(some[2] or SENTINEL_PORT)) for some in each)
    return Sentinels(found, master, f"{scheme}://{user}{each[0][1]}{number}{options}")


def _is_place(text: str) -> bool:
    """Whether it is a host, with or without a port."""
    fits = _PLACE.fullmatch(text)
    if not fits or not 0 < int(fits[2] or MOST_PORT) <= MOST_PORT:
        return False
    if not fits[1].startswith("["):
        return True
    try:
        ipaddress.IPv6Address(fits[1][1:-1])
    except ValueError:
        return False
    return True


def _has_space(url: str) -> bool:
    return any(character.isspace() or not character.isprintable() for character in url)
