"""TLS with a client certificate whose files may be replaced while the process runs (RFC 8705 section 2)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from m2mguard.errors import ConfigurationError
from m2mguard.net._credential_files import FilePath, UnreadableFile, read_credential_file

_State = tuple[tuple[int, int, int], ...]


class _Loaded(NamedTuple):
    state: _State | None
    context: ssl.SSLContext


class ClientCertificate:
    """Gives the TLS settings that show a certificate, and reads its files again when they change. Safe to share between threads.

    While the files cannot be read, or do not belong together, as in the middle of a rotation, the last good ones stay in use.

    Args:
        certificate: the path of the PEM file.
        key: the path of its key's PEM file; None: it is in the same file.
        make_context: makes settings that check the server's certificate.

    Raises:
        ConfigurationError: the files cannot be read, or the key is another certificate's.
    """

    def __init__(self, certificate: FilePath, key: FilePath | None, make_context: Callable[[], ssl.SSLContext]) -> None:
        self._files = (certificate,) if key is None else (certificate, key)
        self._make_context = make_context
        state = self._state()
        try:
            self._loaded = _Loaded(state, self._load())
        except UnreadableFile as error:
            raise ConfigurationError(f"client certificate: {error}.") from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"client certificate: {os.fspath(certificate)} and its key cannot be used ({type(error).__name__}): give PEM files that "
                "belong together, the key without a password."
            ) from None

    def context(self) -> ssl.SSLContext:
        """The settings for one connection. Blocks for as long as the files take to be read."""
        state = self._state()
        if state is not None and state != self._loaded.state:
            try:
                self._loaded = _Loaded(state, self._load())
            except (UnreadableFile, OSError, ValueError):
                return self._loaded.context  # and try again at the next connection
        return self._loaded.context

    def _load(self) -> ssl.SSLContext:
        for file in self._files:
            read_credential_file(file)  # OpenSSL reads it again, and would wait for a pipe
        context = self._make_context()
        context.load_cert_chain(self._files[0], self._files[-1], password=_no_password)
        return context

    def _state(self) -> _State | None:
        """By which a file that was replaced is known; None while one is missing."""
        try:
            found = [Path(file).stat() for file in self._files]
        except (OSError, TypeError, ValueError):
            return None
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)


def _no_password() -> str:
    """Instead of OpenSSL's question at the terminal."""
    raise ValueError("the key has a password")
