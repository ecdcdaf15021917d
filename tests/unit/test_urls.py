"""The parts of an address that are shown, and the addresses that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.queue.redis_client import connect
from engine.text.urls import (
    Sentinels,
    check_database,
    check_redis,
    check_server,
    of_sentinels,
    of_socket,
    shown,
    with_hosts_behind,
)

PASSWORDS = [
    "secret",
    "sec/secret",
    "sec#secret",
    "#secret",
    "/secret",
    "sec:secret",
    "sec%2Fsecret",
    "secret[",
    "æsecret",
]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["postgresql", "redis", "rediss", "smtp+starttls"])
def test_a_password_is_never_shown_and_the_host_is(scheme: str, password: str) -> None:
    assert shown(f"{scheme}://me:{password}@db.example:5432/name") == f"{scheme}://db.example:5432/name"
    assert shown(f"{scheme}://:{password}@[::1]:5432") == f"{scheme}://[::1]:5432"
    assert shown(f"{scheme}://me:{password}@a:1,[::1]:2,b/name") == f"{scheme}://a:1,[::1]:2,b/name"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://h/name?password=secret", "postgresql://h/name"),
        ("postgresql:///name?host=/run/postgresql&password=sec/secret", "postgresql:///name"),
        ("postgresql://h/name?password=sec@secret", "postgresql://***"),
        ("postgresql://me:sec@secret@h/name", "postgresql://***"),
        ("postgresql://me:sec?secret@h/name", "postgresql://***"),
        ("postgresql://me:sec/@secret@h/name", "postgresql://***"),
        ("postgresql://me:secret", "postgresql://***"),
        ("postgresql://me:secret/name", "postgresql://***"),
        ("redis://h:6379/0?username=me&password=secret#secret", "redis://h:6379/0"),
        ("redis://h:6379/0#secret", "redis://h:6379/0"),
        ("redis://h sec/secret", "redis://***"),
        ("unix:///run/redis.sock?password=secret", "unix:///run/redis.sock"),
        ("unix://:secret@/run/redis.sock", "unix:///run/redis.sock"),
        ("sqlite:////srv/varsel/varsel.db", "sqlite:////srv/varsel/varsel.db"),
        ("https://secret@issuer.example/jwks?token=secret", "https://issuer.example/jwks"),
        ("://secret", "***"),
        ("secret", "***"),
        ("a\nb://secret", "***"),
    ],
)
def test_what_cannot_be_told_apart_for_certain_is_hidden(url: str, expected: str) -> None:
    assert shown(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////srv/varsel.db",
        "sqlite:///varsel.db",
        "postgresql://varsel:secret@h:5432/varsel",
        "postgresql+psycopg://h/varsel",
        "postgresql://me:pa/ss#word@h/varsel",
        "postgresql:///varsel?host=/run/postgresql",
        "postgresql://[::1]:5432/varsel?sslmode=require",
        "postgresql://varsel:secret@a:5432,b:5433/varsel?target_session_attrs=read-write",
        "postgresql://a,[::1]:5432/varsel",
        "postgresql:///varsel?host=a:5432&host=b:5432",
    ],
)
def test_addresses_of_databases_that_work_are_let_through(url: str) -> None:
    check_database(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://u:p@a:1,b:2/varsel?sslmode=require",
            "postgresql://u:p@/varsel?host=a,b&port=1,2&sslmode=require",
        ),
        ("postgresql://a,[::1]:2", "postgresql:///?host=a,::1&port=,2"),
        ("postgresql://u:p@a:1/varsel?sslmode=require", "postgresql://u:p@a:1/varsel?sslmode=require"),
        ("postgresql:///varsel?host=/a,/b", "postgresql:///varsel?host=/a,/b"),
    ],
)
def test_several_hosts_stand_where_sqlalchemy_reads_them(url: str, expected: str) -> None:
    assert with_hosts_behind(url) == expected


DATABASES = [
    "postgresql://h:secret/x",
    "postgresql://h:99999/x",
    "postgresql://h,i:99999/x",
    "postgresql://h,i:secret/x",
    "postgresql://h,[secret]/x",
    "postgresql://h:-1/x",
    "postgresql://h,i:0/x",
    "postgresql://[::1/x",
    "postgresql://[secret]/x",
    "postgresql://[1:2]/x",
    "postgresql://me:a@secret@h/x",
    "postgresql://h /x",
    "postgresql://h/x y",
    "postgresql+psycopg2://h/x",
    "postgresqlsecret://h/x",
    "mysql://h/x",
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite:///x?secret=1",
]


@pytest.mark.parametrize("url", DATABASES)
def test_addresses_of_databases_that_cannot_work_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must ") as refused:
        check_database(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:secret/0",
        "redis://:pa/secret@h/0",
        "redis://:pa#secret@h/0",
        "redis://:pa@secret@h/0",
        "redis://[::1/0",
        "redis://h:99999/0",
        "redis://h i/0",
        "http://h/secret",
        "secret",
    ],
)
def test_addresses_of_servers_that_cannot_work_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be redis://") as refused:
        check_server(url, ("redis", "unix"))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["redis://h", "redis://:secret@h:6379/0", "unix:///run/redis.sock?db=1", "redis://[::1]:1/0"]
)
def test_addresses_of_servers_that_work_are_let_through(url: str) -> None:
    check_server(url, ("redis", "unix"))


@pytest.mark.parametrize(
    ("url", "places", "master", "redis"),
    [
        (
            "redis+sentinel://a:1,b/varsel/3?sentinel_password=q",
            (("a", 1), ("b", 26379)),
            "varsel",
            "redis://a/3?sentinel_password=q",
        ),
        ("rediss+sentinel://u:p@[::1]:1/varsel", (("::1", 1),), "varsel", "rediss://u:p@[::1]"),
    ],
)
def test_an_address_of_sentinels_has_their_places_and_an_address_of_their_master(
    url: str, places: tuple[tuple[str, int], ...], master: str, redis: str
) -> None:
    check_redis(url)
    assert of_sentinels(url) == Sentinels(places, master, redis)


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://a,b",
        "redis+sentinel://a,b/",
        "redis+sentinel://a,b:secret/varsel",
        "redis+sentinel://a/varsel/secret",
        "redis+sentinel://a:0/varsel",
        "redis+sentinel://:1,a:2/varsel",
        "redis+sentinel://a,/varsel",
        "redis+sentinel://:pa@secret@a/varsel",
        "redis+sentinel://a/varsel?decode_responses=secret",
        "unix+sentinel://a/varsel",
    ],
)
def test_addresses_of_sentinels_that_cannot_work_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must |takes no") as refused:
        check_redis(url)
    assert "secret" not in str(refused.value)


def test_a_socket_has_an_address_whatever_its_path() -> None:
    path = "/srv/it's 100%41 #?@/æ/redis.sock"
    check_redis(url := of_socket(Path(path)))
    assert connect(url).get_connection_kwargs()["path"] == path
