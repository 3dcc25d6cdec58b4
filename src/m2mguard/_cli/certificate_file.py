"""Reads a client's certificate from a PEM file, and stands for the request that would bring it. No I/O except that file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from m2mguard.errors import ConfigurationError


class NoRequest:
    """The head of a request that was not sent."""

    method = "GET"
    path: dict[str, Any] = {"path": "/"}  # noqa: RUF012  # as `RequestHead` has it
    fields = ()
    query = ""
    peer = None


def read_certificate(name: str) -> bytes:
    """The first certificate of a file, in DER form: the client's own, before those of its authorities.

    Args:
        name: the path.

    Raises:
        ConfigurationError: the file cannot be read, or holds no certificate.
    """
    try:
        return load_pem_x509_certificates(Path(name).read_bytes())[0].public_bytes(Encoding.DER)
    except OSError as error:
        raise ConfigurationError(f"--certificate {name}: the file cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ConfigurationError(f"--certificate {name}: this is no certificate in PEM form.") from None
