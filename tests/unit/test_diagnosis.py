"""Diagnoses of a part by its own words: one that has answered is never called silent."""

from __future__ import annotations

import psycopg
import pytest
import redis
from psycopg import OperationalError
from sqlalchemy import exc

from engine.db.faults import Fault, fault
from engine.diagnosis import of_database, of_redis, of_relay, of_sender
from engine.queue.redis_client import connect
from tests.helpers.ports import free_port

SERVER = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '
SILENT = [
    f"{SERVER}Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
    'connection is bad: connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory',
    "failed to resolve host 'db.invalid': [Errno -2] Name or service not known",
    "connection timeout expired",
    "the server did not answer in time",
    f"{SERVER}No route to host",
    "consuming input failed: server closed the connection unexpectedly\n\tThis probably means",
    "consuming input failed: SSL connection has been closed unexpectedly",
    f"{SERVER}SSL SYSCALL error: EOF detected",
    "the connection is lost",
]
SPOKEN = [
    f'{SERVER}FATAL:  invalid value for parameter "statement_timeout": "soon"',
    f"{SERVER}FATAL:  query_wait_timeout",
    f'{SERVER}could not open certificate file "/none.pem": No such file or directory',
    f"{SERVER}received invalid response to SSL negotiation: H",
    f"{SERVER}Noe som ingen kjenner",
    'connection is bad: definition of service "none" not found',
    "words that nobody knows",
]


def of(error: psycopg.Error) -> exc.DBAPIError:
    wrapped = exc.DBAPIError.instance(None, None, error, psycopg.Error)
    assert isinstance(wrapped, exc.DBAPIError)
    return wrapped


@pytest.mark.parametrize("words", SILENT)
def test_who_says_nothing_does_not_answer(words: str) -> None:
    error = of(OperationalError(words))
    assert "does not answer" in of_database(error).text
    assert fault(error) is Fault.SILENT


@pytest.mark.parametrize("words", SPOKEN)
def test_who_answers_is_not_called_silent(words: str) -> None:
    error = of(OperationalError(words))
    told = str(of_database(error))
    assert "does not answer" not in told
    assert "firewall" not in told
    assert fault(error) is Fault.SHUT


@pytest.mark.parametrize("words", ["statement timeout", "user request"])
def test_a_statement_that_the_server_gave_up_is_told_alike(words: str) -> None:
    error = of(psycopg.errors.QueryCanceled(f"canceling statement due to {words}"))
    assert of_database(error).text.startswith("the database gave up a statement that took it too long")
    assert "statement_timeout" in of_database(error).advice


def test_a_pool_that_is_empty_is_no_network() -> None:
    error = exc.TimeoutError("QueuePool limit of size 10 overflow 0 reached, connection timed out, timeout 3.00")
    assert of_database(error).text.startswith("the database is too slow")


def test_of_several_hosts_one_that_answers_says_more_than_one_that_does_not() -> None:
    silent, reads = "connection failed: Connection refused", "connection failed: session is read-only"
    lines = [
        "Multiple connection attempts failed. All failures were:",
        f"- host: 'a': {reads}",
        f"- host: 'b': {silent}",
    ]
    found = of_database(OperationalError("\n".join([silent, *lines])))
    assert "session is read-only" in found.text
    assert "promote one that lives" in found.advice


def test_sentinels_that_demand_a_password_are_told_apart() -> None:
    found = of_redis(redis.ConnectionError("No master found for 'varsel' (AuthenticationError)"))
    assert "its Sentinels demand a password" in found.text


def test_sentinels_that_do_not_answer_are_told_of_in_few_words() -> None:
    client = connect(f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{free_port()}/varsel/0")
    with pytest.raises(redis.ConnectionError) as raised:
        client.ping()
    words = "No master found for 'varsel' (ConnectionError)"
    found = of_redis(raised.value)
    assert found.text == f"Redis does not answer: no Sentinel knows a master of that name that lives ({words})"
    assert "SENTINEL masters" in found.advice


@pytest.mark.parametrize(
    ("words", "told", "advice"),
    [
        ("Connection closed by server.", "has broken off the connection", "Look whether it still runs"),
        ("Error while reading from /run/redis.sock : (104, 'Connection reset by peer')", "broken off", "still runs"),
        ("Error 32 while writing to socket. Broken pipe.", "broken off", "still runs"),
        ("Error 1 connecting to r:6379. [SSL] record layer failure.", "TLS on one side alone", "Use rediss://"),
        ("Timeout connecting to server", "TLS on one side alone", "Use rediss://"),
        ("Error 2 connecting to unix:/run/redis.sock. No such file or directory.", "does not answer", "Start it"),
    ],
)
def test_a_redis_that_has_ended_is_not_first_suspected_of_tls(words: str, told: str, advice: str) -> None:
    found = of_redis(redis.ConnectionError(words))
    assert told in found.text
    assert advice in found.advice


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (421, "4.3.2 busy", "takes nothing for now"),
        (454, "4.7.0 Temporary authentication failure", "takes nothing for now"),
        (454, "4.7.0 TLS not available due to local problem", "offers no STARTTLS"),
        (502, "5.5.1 Command not implemented", "does not speak SMTP as Varsel does"),
        (504, "5.5.4 Unrecognized authentication type", "offers no sign-in that Varsel knows"),
        (554, "5.7.1 not you", "refuses this machine"),
        (None, "Unexpected EOF received", "breaks the connection off"),
        (None, "words that nobody knows", "cannot be used"),
    ],
)
def test_why_the_relay_gives_no_session(code: int | None, words: str, told: str) -> None:
    assert f"the relay r:25 {told} (" in of_relay(code, words, "r:25").text


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (452, "4.3.1 disk full", "takes nothing for now"),
        (451, "4.7.1 Greylisted", "takes nothing for now"),
        (421, "4.3.2 shutting down", "takes nothing for now"),
        (None, "Connection lost", "breaks the connection off"),
        (None, "no reply in time", "does not answer in time"),
        (None, "the relay did not answer RSET with 250", "cannot be used"),
        (550, "5.7.26 This mail is unauthenticated: SPF and DKIM did not pass", "whose domain does not let it send"),
        (550, "5.7.1 Sender must be authenticated", "demands to be signed in to"),
        (550, "5.1.8 Sender domain unknown", "takes no mail from VARSEL_FROM_ADDRESS ("),
    ],
)
def test_why_the_relay_does_not_take_the_sender(code: int | None, words: str, told: str) -> None:
    assert told in of_sender(code, words, "r:25").text
    assert "Set it to an address" not in of_sender(code, words, "r:25").advice or code == 550
