"""The guard of outbound calls: its table of vectors, and that what it checks is what is dialled."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Refused
from engine.outbound import Answer, Failure, Guard, Outbound
from engine.outbound.calls import LONGEST_ANSWER, LONGEST_WAIT, _retry_after
from tests.servers.http import Close, Drip, Hang, Raw, Receiver, Say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    Headers = Sequence[tuple[str, str]]

STRICT, LENIENT = Guard(allow_private=False), Guard(allow_private=True)
SHORT = timedelta(milliseconds=300)

PUBLIC_ADDRESSES = [
    "8.8.8.8",
    "93.184.216.34",
    "172.15.255.255",
    "172.32.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "192.0.1.1",
    "198.17.255.255",
    "198.20.0.0",
    "2606:4700:4700::1111",
    "2a00:1450:400f::1",
    "::ffff:8.8.8.8",
]
REFUSED_ADDRESSES = [
    # IPv4
    "0.0.0.0",  # noqa: S104 refused, not bound
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    # IPv6
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC_URLS = [
    "https://example.no",
    "https://example.no/condition?order=1#part",
    "https://example.no:443/",
    "https://example.no:8443/",
    "HTTPS://EXAMPLE.NO/",
    "https://8.8.8.8/",
    "https://[2606:4700:4700::1111]:8443/",
    "https://bücher.example/ø",
    "https://1password.example/",
]
REFUSED_URLS = [
    "",
    "example.no",
    "/condition",
    "//example.no/",
    "http://example.no/",
    "ftp://example.no/",
    "file:///etc/passwd",
    "gopher://example.no/",
    "https://",
    "https:///path",
    "https://example.no:80/",
    "https://example.no:6379/",
    "https://example.no:99999/",
    "https://example.no:8443x/",
    "https://user@example.no/",
    "https://user:secret@example.no/",
    "https://example.no@127.0.0.1/",
    "https://example.no\\@127.0.0.1/",
    "https://:secret@example.no/",
    "https://127.0.0.1/",
    "https://127.0.0.1./",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]:8443/",
    "https://[fe80::1%25eth0]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
    "https://127.0.0.1.1/",
    "https://127。0。0。1/",  # full stops of another script
    "https://１２７.0.0.1/",  # noqa: RUF001 digits of another script
    "https://exa mple.no/\r\nHost: other",
    "https://example.no/\x00",
    "https://example.no/\r\nX-Header: 1",
    f"https://example.no/{'a' * 70_000}",
]


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public_addresses_are_let_through(address: str) -> None:
    STRICT.check_address(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_every_other_address_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        STRICT.check_address(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd12::1", "8.8.8.8"])
def test_development_may_reach_its_own_network(address: str) -> None:
    LENIENT.check_address(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
    ],
)
def test_even_development_does_not_reach_where_clouds_hand_out_credentials(address: str) -> None:
    with pytest.raises(Refused):
        LENIENT.check_address(ipaddress.ip_address(address))


@pytest.mark.parametrize("url", PUBLIC_URLS)
def test_public_https_urls_are_let_through(url: str) -> None:
    STRICT.check_url(url)


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_every_other_url_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        STRICT.check_url(url)


@pytest.mark.parametrize("url", ["http://localhost:8080/x", "http://127.0.0.1:1", "https://[::1]:6379/", "http://a.no"])
def test_development_may_use_plain_http_and_any_port(url: str) -> None:
    LENIENT.check_url(url)


@pytest.mark.parametrize(
    "url",
    ["ftp://localhost/", "http://u:p@localhost/", "http://169.254.169.254/", "http://0x7f.1/", "http://[fe80::1]/"],
)
def test_development_keeps_the_other_rules(url: str) -> None:
    with pytest.raises(Refused):
        LENIENT.check_url(url)


class Names:
    """A resolver whose answers a test gives, one look-up after another; the last answer stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return list(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])


@asynccontextmanager
async def closing(outbound: Outbound) -> AsyncIterator[Outbound]:
    try:
        yield outbound
    finally:
        await outbound.close()


def get(outbound: Outbound, *urls: str) -> list[Answer | Failure]:
    """GET these one after another."""

    async def run() -> list[Answer | Failure]:
        async with closing(outbound):
            return [await outbound.get(url) for url in urls]

    return asyncio.run(run())


def post(outbound: Outbound, url: str, *bodies: bytes, headers: Headers = ()) -> list[Answer | Failure]:
    """POST these one after another."""

    async def run() -> list[Answer | Failure]:
        async with closing(outbound):
            return [await outbound.post(url, body, headers) for body in bodies]

    return asyncio.run(run())


def failed(outbound: Outbound, url: str) -> str:
    [answer] = get(outbound, url)
    assert isinstance(answer, Failure), answer
    return answer.reason


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["2606:4700:4700::1111", "::ffff:192.168.0.1"],
        ["fe80::1%2"],
    ],
)
def test_a_name_is_refused_when_any_of_its_addresses_is_not_public(addresses: list[str]) -> None:
    assert "does not have a public address" in failed(Outbound(STRICT, Names(addresses)), "https://example.no/")


def test_names_are_resolved_by_the_system_and_checked() -> None:
    assert "does not have a public address" in failed(Outbound(STRICT), "https://localhost/")


def test_a_url_that_the_guard_refuses_is_not_even_resolved() -> None:
    names = Names(["93.184.216.34"])
    assert failed(Outbound(STRICT, names), "http://example.no/") == "only https is let out"
    assert names.asked == []


def test_the_checked_address_is_the_one_that_is_dialled_and_the_host_is_kept() -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])  # rebinding: the second look-up leads elsewhere
    with Receiver(Say(200, b"hei", close=True)) as receiver:
        url = f"http://hooks.example.no:{receiver.port}/a/b?c=d#e"
        first, second = get(Outbound(LENIENT, names), url, url)
    assert first == Answer(200, b"hei", complete=True)
    assert second == Failure("its host does not have a public address")
    [request] = receiver.requests
    assert (request.method, request.target) == ("GET", "/a/b?c=d")
    assert request.headers["host"] == f"hooks.example.no:{receiver.port}"
    assert names.asked == [("hooks.example.no", receiver.port)] * 2


def test_an_address_that_does_not_answer_is_passed_over_for_the_next() -> None:
    with Receiver(Say(200)) as receiver:
        [answer] = get(Outbound(LENIENT, Names(["127.0.0.2", "127.0.0.1"])), f"http://two.example:{receiver.port}")
    assert answer == Answer(200, b"", complete=True)


def test_internationalised_names_go_out_in_ascii() -> None:
    with Receiver(Say(200)) as receiver:
        get(Outbound(LENIENT, Names(["127.0.0.1"])), f"http://bücher.example:{receiver.port}/ø")
    assert receiver.requests[0].headers["host"] == f"xn--bcher-kva.example:{receiver.port}"
    assert receiver.requests[0].target == "/%C3%B8"


def test_the_certificate_is_asked_for_and_checked_by_name() -> None:
    with Receiver(Say(200, b"safe"), tls_name="hooks.example.no") as receiver:
        outbound = Outbound(LENIENT, Names(["127.0.0.1"]), ca_file=receiver.ca_file)
        right, wrong = f"https://hooks.example.no:{receiver.port}/", f"https://other.example.no:{receiver.port}/"
        good, bad = get(outbound, right, wrong)
        unknown = failed(Outbound(LENIENT, Names(["127.0.0.1"])), right)
    assert good == Answer(200, b"safe", complete=True)
    assert isinstance(bad, Failure)
    assert "Hostname mismatch" in bad.reason
    assert "self-signed certificate" in unknown
    assert [request.server_name for request in receiver.requests] == ["hooks.example.no"]


def test_a_connection_is_used_again() -> None:
    with Receiver(Say(200)) as receiver:
        get(Outbound(LENIENT), receiver.url, receiver.url + "/again")
    assert (len(receiver.requests), receiver.connections) == (2, 1)


def test_redirects_are_not_followed() -> None:
    with Receiver(Say(200)) as inner, Receiver(Say(302, headers=(("Location", inner.url),))) as outer:
        assert get(Outbound(LENIENT), outer.url) == [Answer(302, b"", complete=True)]
    assert inner.requests == []


def test_cookies_are_not_kept() -> None:
    with Receiver(Say(200, headers=(("Set-Cookie", "a=b"),))) as receiver:
        get(Outbound(LENIENT), receiver.url, receiver.url)
    assert [request.headers.get("cookie") for request in receiver.requests] == [None, None]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(Say(200)) as receiver, Receiver(Say(500)) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert get(Outbound(LENIENT), receiver.url) == [Answer(200, b"", complete=True)]
    assert proxy.connections == 0


@pytest.mark.parametrize("more", [0, 1, 1_000_000])
def test_a_body_is_read_up_to_its_bound(more: int) -> None:
    with Receiver(Say(200, b"a" * (LONGEST_ANSWER + more))) as receiver:
        [answer] = get(Outbound(LENIENT), receiver.url)
    assert answer == Answer(200, b"a" * LONGEST_ANSWER, complete=more == 0)


@pytest.mark.parametrize("action", [Hang(), Drip(), Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")])
def test_slow_and_broken_answers_end_in_a_failure(action: Hang | Drip | Raw) -> None:
    with Receiver(action) as receiver:
        reason = failed(Outbound(LENIENT, within=SHORT), receiver.url)
    assert reason.startswith("RemoteProtocolError" if isinstance(action, Raw) else "no answer within 0.3 s")


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    assert failed(Outbound(LENIENT, never, within=SHORT), "http://example.no/") == "no answer within 0.3 s"


@pytest.mark.parametrize("action", [Close(), Raw(b"220 mail.example ESMTP\r\n"), Raw(b"HTTP/1.1 200 OK\r\nA" * 9_999)])
def test_what_is_no_http_is_a_failure(action: Close | Raw) -> None:
    with Receiver(action) as receiver:
        assert failed(Outbound(LENIENT), receiver.url)


def test_nobody_at_the_address_is_a_failure() -> None:
    with Receiver(Say(200)) as receiver:
        url = receiver.url
    assert failed(Outbound(LENIENT), url).startswith("ConnectError")
    assert "no address" in failed(Outbound(LENIENT, Names([])), "http://example.no/")


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_names_that_cannot_be_looked_up_are_a_failure(host: str) -> None:
    assert failed(Outbound(STRICT), f"https://{host}/")


def test_a_name_that_nobody_knows_is_a_failure() -> None:
    async def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert "Name or service not known" in failed(Outbound(STRICT, unknown), "https://example.no/")


@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256)) * 1000, "blåbær".encode()])
def test_a_posted_body_and_its_headers_arrive_byte_for_byte(body: bytes) -> None:
    headers = (("Content-Type", "application/json; charset=utf-8"), ("webhook-signature", "v1,a+/= v1,b"))
    with Receiver(Say(204)) as receiver:
        assert post(Outbound(LENIENT), f"{receiver.url}/a?b=c", body, headers=headers) == [
            Answer(204, b"", complete=True)
        ]
    [request] = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/a?b=c", body)
    assert request.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json; charset=utf-8",
        "webhook-signature": "v1,a+/= v1,b",
        "content-length": str(len(body)),
        "accept-encoding": "identity",
        "user-agent": "Varsel",
    }


def test_a_get_has_no_body_not_even_an_empty_one() -> None:
    with Receiver(Say(200)) as receiver:
        get(Outbound(LENIENT), receiver.url)
    assert receiver.requests[0].headers.keys() == {"host", "accept", "accept-encoding", "user-agent"}


@pytest.mark.parametrize(
    "header", [("a", "b\r\nc: d"), ("a", "b\nc"), ("a", "\0"), ("a b", "c"), ("a:", "b"), ("a", "ø")]
)
def test_a_header_that_could_become_two_is_not_sent(header: tuple[str, str]) -> None:
    with Receiver(Say(200)) as receiver:
        [answer] = post(Outbound(LENIENT), receiver.url, b"{}", headers=[header])
    assert isinstance(answer, Failure)
    assert receiver.requests == []


@pytest.mark.parametrize(
    "url", ["http://example.no/", "https://127.0.0.1/", "https://localhost/", "https://example.no:80/"]
)
def test_a_post_is_guarded_like_a_get(url: str) -> None:
    [posted] = post(Outbound(STRICT), url, b"{}")
    assert posted == Failure(failed(Outbound(STRICT), url))


def test_the_address_is_checked_again_at_every_post() -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    with Receiver(Say(200, close=True)) as receiver:
        first, second = post(Outbound(LENIENT, names), f"http://hooks.example.no:{receiver.port}", b"1", b"2")
    assert first == Answer(200, b"", complete=True)
    assert second == Failure("its host does not have a public address")
    assert [request.body for request in receiver.requests] == [b"1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_a_post_are_not_followed(status: int) -> None:
    with Receiver(Say(200)) as inner, Receiver(Say(status, headers=(("Location", inner.url),))) as outer:
        assert post(Outbound(LENIENT), outer.url, b"{}") == [Answer(status, b"", complete=True)]
    assert inner.requests == []


@pytest.mark.parametrize("action", [Hang(), Drip()])
def test_a_post_ends_in_time(action: Hang | Drip) -> None:
    with Receiver(action) as receiver:
        assert post(Outbound(LENIENT, within=SHORT), receiver.url, b"{}") == [Failure("no answer within 0.3 s")]


def test_the_answer_to_a_post_is_read_up_to_its_bound() -> None:
    with Receiver(Say(503, b"a" * 1_000_000, (("Retry-After", "7"),))) as receiver:
        [answer] = post(Outbound(LENIENT), receiver.url, b"{}")
    assert answer == Answer(503, b"a" * LONGEST_ANSWER, complete=False, retry_after=timedelta(seconds=7))


def test_posts_use_a_connection_again() -> None:
    with Receiver(Say(200)) as receiver:
        post(Outbound(LENIENT), receiver.url, b"1", b"2", b"3")
    assert ([request.body for request in receiver.requests], receiver.connections) == ([b"1", b"2", b"3"], 1)


def test_receivers_that_hang_do_not_hold_up_another_while_there_are_connections_left() -> None:
    async def run(connections: int) -> Answer | Failure:
        async with closing(Outbound(LENIENT, within=timedelta(seconds=8), connections=connections)) as outbound:
            hanging = [asyncio.create_task(outbound.post(slow.url, b"{}", ())) for _ in range(200)]
            await asyncio.to_thread(slow.wait_for, lambda: len(slow.requests) == len(hanging))
            answer = await outbound.post(quick.url, b"{}", ())
            assert not any(task.done() for task in hanging)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
        return answer

    with Receiver(Hang()) as slow, Receiver(Say(200)) as quick:
        assert asyncio.run(run(201)) == Answer(200, b"", complete=True)


def test_connections_to_receivers_that_hung_are_free_again_afterwards() -> None:
    async def run() -> Answer | Failure:
        async with closing(Outbound(LENIENT, within=SHORT, connections=2)) as outbound:
            hung = await asyncio.gather(*(outbound.post(slow.url, b"{}", ()) for _ in range(4)))
            assert hung == [Failure("no answer within 0.3 s")] * 4
            return await outbound.post(quick.url, b"{}", ())

    with Receiver(Hang()) as slow, Receiver(Say(200)) as quick:
        assert asyncio.run(run()) == Answer(200, b"", complete=True)


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta(0)),
        ("86401", LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        ("Sun, 06 Nov 1994 08:49:37 GMT", timedelta(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("Sunday, 06-Nov-94 08:49:37 GMT", timedelta(0)),  # the two obsolete forms: RFC 9110, 5.6.7
        ("Sun Nov  6 08:49:37 1994", timedelta(0)),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\xb2", None),
    ],
)
def test_an_answer_says_when_to_come_again(text: str, delay: timedelta | None) -> None:
    head = f"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRETRY-AFTER: {text}\r\n\r\n"
    with Receiver(Raw(head.encode("latin-1"))) as receiver:
        assert post(Outbound(LENIENT), receiver.url, b"{}") == [Answer(503, b"", complete=True, retry_after=delay)]


def test_a_date_to_come_again_is_counted_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    with Receiver(Say(429, headers=(("Retry-After", date),))) as receiver:
        [answer] = get(Outbound(LENIENT), receiver.url)
    assert isinstance(answer, Answer)
    assert answer.retry_after is not None
    assert timedelta(minutes=4, seconds=30) < answer.retry_after <= timedelta(minutes=5)


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from(["-1", "+0000", "08:49:37", "9" * 14, "Nov", "06", "1994", "GMT", "Sun,", ":", "-"])
    ).map(lambda words: " ".join(words).encode())
)
def test_no_answer_can_say_it_in_a_way_that_breaks(text: bytes) -> None:
    delay = _retry_after([(b"Retry-After", text)])
    assert delay is None or timedelta(0) <= delay <= LONGEST_WAIT


def test_a_date_beyond_all_calendars_is_no_date() -> None:
    assert _retry_after([(b"Retry-After", b"-1 Nov +0000 08:49:37 99999999999999")]) is None
