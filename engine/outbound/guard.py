"""Where outbound calls may go: addresses of this machine or its network are refused (SSRF)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import httpx

from engine.errors import Refused
from engine.text.urls import MOST_PORT

PORTS = (443, 8443)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NOT_PUBLIC = tuple(  # beside those that is_global and is_reserved know in every Python version
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "64:ff9b::/96",  # NAT64 leads to IPv4, RFC 6052
        "64:ff9b:1::/48",  # local NAT64, RFC 8215
        "100::/64",  # discard, RFC 6666
        "2001::/23",  # protocol assignments with Teredo, RFC 2928
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4 leads to IPv4, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
        "5f00::/16",  # SRv6, RFC 9602
        "fec0::/10",  # site-local, RFC 3879
    )
)
_NEVER = tuple(  # not even in development: clouds' credential services, and IPv4 in disguise
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local, RFC 3927: nearly every cloud
        "fe80::/10",  # link-local, RFC 4291
        "fd00:ec2::/32",  # Amazon's over IPv6
        "100.100.100.200/32",  # Alibaba's
        "64:ff9b::/96",  # NAT64 leads to IPv4, RFC 6052
        "2002::/16",  # 6to4 likewise, RFC 3056
    )
)
_NAME = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)  # in ASCII, as the parser leaves it; nothing is percent-encoded
_ODD_NUMBER = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+))*\.?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides where outbound calls may go. `allow_private` (development): also plain http, any port, loopback."""

    allow_private: bool

    def check_url(self, url: str) -> None:
        """Refuse (Refused) an address by its text; what its name resolves to is checked at every connection."""
        try:
            parts = httpx.URL(url)  # the parser that the call uses, too: an address must not have two readings
        except httpx.InvalidURL:
            raise Refused("it is not a well-formed URL") from None
        if parts.scheme not in (("https", "http") if self.allow_private else ("https",)):
            raise Refused("only https is allowed")
        host = parts.raw_host.decode("ascii")
        if not host or parts.userinfo:
            raise Refused("it must have a host and no user or password")
        if parts.port is not None and not 0 < parts.port <= MOST_PORT:
            raise Refused(f"a port is 1 to {MOST_PORT}")
        if not self.allow_private and parts.port not in (None, *PORTS):
            raise Refused(f"only the ports {' and '.join(map(str, PORTS))} are allowed")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if not _NAME.fullmatch(host):
                raise Refused("the host has characters that are not allowed in a name") from None
            if _ODD_NUMBER.fullmatch(host):
                raise Refused("the host is a number in an unusual form") from None
        else:
            self.check_address(address)

    def check_address(self, address: Address) -> None:
        """Refuse (Refused) everything that is not a public unicast address."""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        public = address.is_global and not address.is_multicast and not address.is_reserved
        if any(address in network for network in _NEVER) or not (
            self.allow_private or (public and not any(address in network for network in _NOT_PUBLIC))
        ):
            raise Refused(f"{address} is not a public address")
