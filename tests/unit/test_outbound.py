"""The guard of outbound calls: its table of vectors, and calls that go only to the checked address."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING

import pytest

from engine.errors import Misconfigured, Refused
from engine.outbound import Answer, Barred, Failure, Outbound
from engine.outbound.exchange import LONGEST_ANSWER
from tests.helpers.outbound import LATE, LENIENT, STRICT, Names, failed, get
from tests.helpers.waiting import LONG, SHORT
from tests.servers.http import Close, Drip, Hang, Raw, Receiver, Say

if TYPE_CHECKING:
    from pathlib import Path

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
    "https://0x7f.0.0.1/",
    "https://0177.1/",
    "https://0x7f.0x0.0x0.0x1/",
    "https://00000177.0.0.1/",
    "https://4294967297/",
    "https://127.0.0.1:443@127.0.0.1/",
    "https://127.1./",
    "https://0x7f000001./",
    "https://①②⑦.0.0.1/",
    "https://⑯⑨.254.169.254/",
    "https://127.0.0.𝟏/",  # noqa: RUF001
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::169.254.169.254]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[fc00::1]/",
    "https://[fe80::1]/",
    "https://[fe80::1%eth0]/",
    "https://[fe80::1%25lo]:8443/",
    "https://[::1%25lo]/",
    "https://[fec0::1]/",
    "https://[::1/",
    "https://::1/",
    "https://[127.0.0.1]/",
    "https://[v1.1]/",
    "https://10.0.0.1/",
    "https://192.168.0.1/",
    "https://172.16.0.1/",
    "https://100.64.0.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://example.no:22/",
    "https://example.no:0/",
    "https://example.no:-443/",
    "https://example.no:65536/",
    "https://example.no:443@127.0.0.1:6379/",
    "https:example.no",
    "https:/example.no/",
    "https:\\\\127.0.0.1/",
    "https://@127.0.0.1/",
    "https://%31%32%37.0.0.1/",
    "https://127%2e0%2e0%2e1/",
    "javascript:alert(1)",
    "data:text/plain,a",
    "ws://example.no/",
    "https+unix://socket/",
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
    [
        "ftp://localhost/",
        "http://u:p@localhost/",
        "http://169.254.169.254/",
        "http://0x7f.1/",
        "http://[fe80::1]/",
        "https://example.no:99999/",
        "http://localhost:0/",
    ],
)
def test_development_keeps_the_other_rules(url: str) -> None:
    with pytest.raises(Refused):
        LENIENT.check_url(url)


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
    assert failed(Outbound(STRICT, names), "http://example.no/") == "only https is allowed"
    assert names.asked == []


def test_the_checked_address_is_the_one_that_is_dialled_and_the_host_is_kept() -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])  # rebinding: the second look-up leads elsewhere
    with Receiver(Say(200, b"hei", close=True)) as receiver:
        url = f"http://hooks.example.no:{receiver.port}/a/b?c=d#e"
        first, second = get(Outbound(LENIENT, names), url, url)
    assert first == Answer(200, b"hei", complete=True)
    assert second == Barred("its host does not have a public address")
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


def test_a_get_has_no_body_not_even_an_empty_one() -> None:
    with Receiver(Say(200)) as receiver:
        get(Outbound(LENIENT), receiver.url)
    assert receiver.requests[0].headers.keys() == {"host", "accept", "accept-encoding", "user-agent"}


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
    ends = isinstance(action, Raw)
    with Receiver(action) as receiver:
        reason = failed(Outbound(LENIENT, within=LONG if ends else SHORT), receiver.url)
    assert reason.startswith("RemoteProtocolError" if ends else LATE)


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    assert failed(Outbound(LENIENT, never, within=SHORT), "http://example.no/") == LATE


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


def test_a_file_of_authorities_that_is_none_is_told_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"VARSEL_ATTACHMENT_CA_FILE: .* is no file of certificates"):
        Outbound(LENIENT, ca_file=tmp_path / "none.pem")
