"""Which proxy a URL is asked through: the variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in lower or upper case.

Reads the environment, and on macOS and Windows the system's settings where the environment has none. No name is resolved.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from urllib.parse import urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from m2mguard._validation import is_loopback, origin_of
from m2mguard.net._protocol import TransportError

_SEPARATORS = re.compile(r"[,\s]+")
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>\d+))?")


def proxy_for(url: str) -> Url | None:
    """Find the proxy for a URL. None for loopback, for a host that NO_PROXY names, and where no proxy is set.

    Raises:
        TransportError: the proxy that is set is not the URL of an http or https proxy.
    """
    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        return None
    settings = urllib.request.getproxies()
    proxy = settings.get(parts.scheme) or settings.get("all")
    if not proxy or is_exempt(url, settings.get("no", "")) or _is_exempt_by_the_system(parts.netloc):
        return None
    try:
        parsed = parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except LocationParseError:
        parsed = None
    if parsed is None or parsed.scheme not in ("http", "https") or not parsed.host:
        raise TransportError(
            "the proxy setting is not an http:// or https:// URL; check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
            code="proxy",
        )
    return parsed


def is_exempt(url: str, no_proxy: str) -> bool:
    """Tell whether a value of NO_PROXY names a URL's host, as curl and Go read it.

    Args:
        url: an absolute URL. Only its host and port count.
        no_proxy: entries separated by commas or white space:

            * `example.com` and `.example.com`: this host and every host below it;
            * `*.example.com`: every host below it, not itself;
            * `10.1.2.3`, `fd00::1`, `[fd00::1]`: this address, if the URL has an address;
            * `10.0.0.0/8`, `fd00::/8`: every address in this range, if the URL has an address (names are not resolved);
            * any of these but ranges with `:PORT` (an IPv6 address in brackets then): only at this port;
            * `*`: everything.
    """
    _, host, port = origin_of(url)
    name = (host or "").rstrip(".")
    entries = [entry for entry in _SEPARATORS.split(no_proxy.lower()) if entry]
    return any(_names(entry, name, port) for entry in entries)


def _is_exempt_by_the_system(netloc: str) -> bool:
    """Ask macOS or Windows. Only if the environment sets nothing, as `urllib.request.getproxies` does."""
    return not urllib.request.getproxies_environment() and bool(urllib.request.proxy_bypass(netloc))


def _names(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry:
        network = _network(entry)
        return network is not None and address is not None and address in network
    named, named_port = _host_and_port(entry)
    if named_port is not None and named_port != port:
        return False
    if address is not None:
        return address == _address(named)
    if named.startswith("*."):
        return host.endswith(named[1:])
    named = named.strip(".")
    return host == named or host.endswith(f".{named}")


def _host_and_port(entry: str) -> tuple[str, int | None]:
    """Split an entry. An IPv6 address without brackets has no port."""
    found = _HOST_AND_PORT.fullmatch(entry)
    if found is None:
        return entry, None
    return found["host"].strip("[]"), int(found["port"]) if found["port"] else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None
