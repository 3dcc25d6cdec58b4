"""Checks where a command is to listen, before a server is started that would say it less plainly."""

from __future__ import annotations

import errno
import socket

from m2mguard.errors import ConfigurationError

_MAX_PORT = 65_535


def read_port(setting: str, text: str) -> int:
    """Read the number of a port.

    Raises:
        ConfigurationError: it is no whole number from 1 to 65535; the message names the setting.
    """
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _MAX_PORT):
        raise ConfigurationError(f"{setting} must be a whole number from 1 to {_MAX_PORT}.")
    return int(text)


def check_address(host: str, port: int, *, port_setting: str) -> None:
    """Check that a server can listen there. Asks DNS for a host name.

    Args:
        host: the value of `--host`: an address or name of this machine.
        port: the port.
        port_setting: the name of the port's setting, for the message.

    Raises:
        ConfigurationError: the host is unknown or of another machine, or the port is in use or reserved.
    """
    if not host.strip():
        raise ConfigurationError("--host: give an address of this machine, such as 127.0.0.1.")
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigurationError(f"--host {host}: there is no such address or host name.") from None
    usable = False
    for family, kind, protocol, _, address in places:
        try:
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                trial.bind(address)
            usable = True
        except OSError as error:
            # localhost may have an address that is off
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise ConfigurationError(f"{port_setting} {port}: {error.strerror}.") from None
    if not usable:
        raise ConfigurationError(f"--host {host}: this is not an address of this machine.")
