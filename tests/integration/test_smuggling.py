"""Requests whose length or end is ambiguous are refused, and nothing hidden in them becomes a request.

The forms are those of RFC 9112, 11.2, and of what attacks have used since: each goes over a socket to the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.web import HELLO, Web

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: varsel\r\n\r\n"
CHUNK = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with Web() as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_asked_yet(web: Web) -> None:
    web.paths.clear()


def post(*fields: bytes, body: bytes = b"", line: bytes = b"POST / HTTP/1.1", end: bytes = b"\r\n") -> bytes:
    """A request with exactly these header fields, followed by a hidden one."""
    return end.join([line, b"Host: varsel", *fields, b"", b""]) + body + HIDDEN


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


REFUSED = {
    "length, then chunked": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=CHUNK),
    "chunked, then length": post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=CHUNK),
    "chunked, then length 0": post(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=CHUNK),
    "two lengths": post(b"Content-Length: 5", b"Content-Length: 0", body=b"hello"),
    "the same length twice": post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "a list of lengths": post(b"Content-Length: 5, 5", body=b"hello"),
    "a signed length": post(b"Content-Length: +5", body=b"hello"),
    "a negative length": post(b"Content-Length: -5", body=b"hello"),
    "a hexadecimal length": post(b"Content-Length: 0x5", body=b"hello"),
    "a length with a decimal point": post(b"Content-Length: 5.0", body=b"hello"),
    "a length with an exponent": post(b"Content-Length: 5e0", body=b"hello"),
    "a length with a space within": post(b"Content-Length: 1 5", body=b"hello"),
    "a length with an underscore": post(b"Content-Length: 1_0", body=b"hello"),
    "an empty length": post(b"Content-Length: ", body=b"hello"),
    "a length of more than 64 bits": post(b"Content-Length: 18446744073709551621", body=b"hello"),
    "a length with a letter behind it": post(b"Content-Length: 5a", body=b"hello"),
    "a space before the colon of the length": post(b"Content-Length : 5", body=b"hello"),
    "a tab before the colon of the length": post(b"Content-Length\t: 5", body=b"hello"),
    "a space before the colon of the encoding": post(b"Transfer-Encoding : chunked", body=CHUNK),
    "a NUL in a name": post(b"Content-\0Length: 5", body=b"hello"),
    "a NUL in a value": post(b"X: a\0b"),
    "a control character in a name": post(b"X\x01: a"),
    "a vertical tab before the encoding": post(b"Transfer-Encoding: \x0bchunked", body=CHUNK),
    "a form feed behind the encoding": post(b"Transfer-Encoding: chunked\x0c", body=CHUNK),
    "an encoding that is none": post(b"Transfer-Encoding: xchunked", body=CHUNK),
    "an encoding in quotes": post(b'Transfer-Encoding: "chunked"', body=CHUNK),
    "chunked, then identity": post(b"Transfer-Encoding: chunked, identity", body=CHUNK),
    "chunked, then another line with identity": post(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNK
    ),
    "chunked twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNK),
    "chunked twice in a list": post(b"Transfer-Encoding: chunked, chunked", body=CHUNK),
    "identity": post(b"Transfer-Encoding: identity"),
    "gzip before chunked": post(b"Transfer-Encoding: gzip, chunked", body=CHUNK),
    "an empty encoding": post(b"Transfer-Encoding: "),
    "chunked in HTTP/1.0": post(b"Transfer-Encoding: chunked", body=CHUNK, line=b"POST / HTTP/1.0"),
    "a folded length": post(b"Content-Length:", b" 5", body=b"hello"),
    "a folded encoding": post(b"Transfer-Encoding:", b"\tchunked", body=CHUNK),
    "a folded field": post(b"X: a", b" Transfer-Encoding: chunked", body=CHUNK),
    "a first line that begins with a space": b"POST / HTTP/1.1\r\n Host: varsel\r\nHost: varsel\r\n\r\n" + HIDDEN,
    "bare line feeds": post(b"Content-Length: 5", body=b"hello", end=b"\n"),
    "a bare line feed in a value": post(b"X: a\nContent-Length: 5", body=b"hello"),
    "a bare carriage return in a value": post(b"X: a\rContent-Length: 5", body=b"hello"),
    "a bare carriage return at the end of a head": b"POST / HTTP/1.1\r\nHost: varsel\r\n\r" + HIDDEN,
    "a field without a colon": post(b"Content-Length 5", body=b"hello"),
    "a field without a name": post(b": 5", body=b"hello"),
    "a chunk size with a sign": chunked(b"+5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with 0x": chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with a space before it": chunked(b" 5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with a space behind it": chunked(b"5 \r\nhello\r\n0\r\n\r\n"),
    "a chunk size of more than 64 bits": chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with a bare line feed": chunked(b"5\nhello\r\n0\r\n\r\n"),
    "a chunk size with a bare carriage return": chunked(b"5\rhello\r\n0\r\n\r\n"),
    "an empty chunk size": chunked(b"\r\nhello\r\n0\r\n\r\n"),
    "a chunk that is longer than its size": chunked(b"3\r\nhello\r\n0\r\n\r\n"),
    "a chunk that ends with a bare line feed": chunked(b"5\r\nhello\n0\r\n\r\n"),
    "a chunk extension with a bare line feed": chunked(b"5;a\nhello\r\n0\r\n\r\n"),
    "a chunk extension with a control character": chunked(b"5;a\x01\r\nhello\r\n0\r\n\r\n"),
    "a last chunk that ends with bare line feeds": chunked(b"5\r\nhello\r\n0\n\n"),
    "no Host": b"GET / HTTP/1.1\r\n\r\n" + HIDDEN,
    "two Hosts": b"GET / HTTP/1.1\r\nHost: varsel\r\nHost: other\r\n\r\n" + HIDDEN,
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: varsel\r\n\r\n" + HIDDEN,
    "a version that there is not": b"GET / HTTP/1.2\r\nHost: varsel\r\n\r\n" + HIDDEN,
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "CONNECT": b"CONNECT other:443 HTTP/1.1\r\nHost: other\r\n\r\n" + HIDDEN,
}


@pytest.mark.parametrize("form", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("whole", [True, False], ids=["at once", "byte by byte"])
def test_a_request_of_doubtful_length_is_refused_with_all_that_follows(web: Web, form: bytes, *, whole: bool) -> None:
    with web.connect() as client:
        if whole:
            client.send(form)
        else:
            for place in range(len(form)):
                if client.push(form[place : place + 1]) == 0:
                    break
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert client.rest() == b""
    assert "/hidden" not in web.paths


UPGRADE = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\nHTTP2-Settings: x\r\n"


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
@pytest.mark.parametrize("split", [0, 20, 200])
@pytest.mark.parametrize("in_chunks", [True, False])
def test_a_body_behind_an_upgrade_is_read_as_a_body(web: Web, protocol: bytes, split: int, *, in_chunks: bool) -> None:
    body = HIDDEN * 3
    framing = b"Transfer-Encoding: chunked" if in_chunks else b"Content-Length: %d" % len(body)
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if in_chunks else body
    whole = UPGRADE % protocol + framing + b"\r\n\r\n" + sent
    with web.connect() as client:
        client.send(whole[:split])
        client.push(whole[split:] + HIDDEN)
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert client.rest() == b""
    assert web.bodies[-1] == body
    assert "/hidden" not in web.paths


def test_a_body_behind_an_upgrade_has_one_length(web: Web) -> None:
    with web.connect() as client:
        client.send(UPGRADE % b"h2c" + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + HIDDEN)
        assert client.answer().status == 400
        assert client.rest() == b""
    assert "/hidden" not in web.paths


def test_a_trailer_is_no_header(web: Web) -> None:
    with web.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n")
        client.send(b"5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\n\r\n")
        assert client.answer().status == 200
        assert {name for name, _ in web.heads[-1]} == {b"host", b"transfer-encoding", b"trailer"}
        client.send(HELLO)
        assert client.answer().status == 200


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_whoever_asks_for_another_protocol_is_served_in_this_one(web: Web, protocol: bytes) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % protocol
    with web.connect() as client:
        client.send(request + request + HELLO)
        assert [client.answer().status for _ in range(3)] == [200, 200, 200]


def test_a_broken_request_behind_a_good_one_takes_no_answer_from_it(web: Web) -> None:
    with web.connect() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nbroken\r\n\r\n" + HIDDEN)
        web.await_slow(1)
        web.release()
        answer = client.answer()
        assert (answer.status, answer.body) == (200, b"at last")
        assert client.rest() == b""
    assert "/hidden" not in web.paths
