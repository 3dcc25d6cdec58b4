"""Rules for host addresses: which ones may be connected to, and in which order they are tried. Pure."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

_METADATA_SERVICES = tuple(
    ipaddress.ip_network(network)  # those that are not link-local: AWS, Google, Alibaba, Oracle, Azure
    for network in ("fd00:ec2::/32", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits


class Address(NamedTuple):
    """One result of `socket.getaddrinfo`."""

    family: int
    kind: int
    protocol: int
    canonical_name: str
    socket_address: Any

    @property
    def host(self) -> str:
        """The IP address as text."""
        return str(self.socket_address[0])


def is_address(host: str) -> bool:
    """Tell whether a host is an IP address literal and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def may_connect(address: str) -> bool:
    """Refuse link-local, cloud-metadata, multicast and unspecified addresses, including IPv4-mapped, 6to4 and NAT64 forms."""
    target = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(target, ipaddress.IPv6Address):
        target = _embedded(target) or target
    if target.is_link_local or target.is_multicast or target.is_unspecified:
        return False
    return not any(target in network for network in _METADATA_SERVICES)


def interleaved(addresses: Sequence[Address]) -> list[Address]:
    """Alternate between the address families, beginning with the first address's family (RFC 8305 section 4)."""
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address.family, []).append(address)
    rounds = itertools.zip_longest(*families.values())
    return [address for one_of_each in rounds for address in one_of_each if address is not None]


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour
