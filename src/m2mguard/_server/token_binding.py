"""Whether the sender of a request holds the certificate that its token is bound to (RFC 8705 section 3). Asked for such tokens only."""

from __future__ import annotations

import hmac
from typing import Any

from m2mguard._token.confirmation import CERTIFICATE, bound_token, thumbprint_of
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader, UnusableCertificate
from m2mguard.errors import InvalidToken
from m2mguard.exemptions import RequestHead


def check_binding(caller: Caller, head: RequestHead | None, certificate: CertificateReader | None) -> None:
    """Check the sender of a bound token.

    Args:
        caller: of a verified token with the claim `cnf`.
        head: the request's; None where there is a token alone.
        certificate: reads the client's certificate; None where the adapter was given no reader.

    Raises:
        InvalidToken: `claim` where there is nothing to check it with, else `certificate`.
    """
    try:
        if head is None or certificate is None:
            raise bound_token()
        _compare(caller, _read(head, certificate))
    except InvalidToken as error:
        error.app_id, error.issuer = caller.app_id, caller.issuer
        raise


def _read(head: RequestHead, certificate: CertificateReader) -> bytes:
    try:
        found: object = certificate(head)
    except UnusableCertificate as error:
        raise InvalidToken("certificate", problem=error.problem, expected=error.expected, got=error.got) from None
    except Exception as error:  # noqa: BLE001 - a callable of the user: if it fails on a request, that request is refused
        failed = f"raised {type(error).__name__}"
    else:
        if isinstance(found, bytes):
            return found
        if found is None:
            raise InvalidToken("certificate", problem="no_certificate")
        failed = f"returned {type(found).__name__}, and not bytes"
    raise InvalidToken("certificate", f"the function certificate {failed}", problem="certificate_failed")


def _compare(caller: Caller, der: bytes) -> None:
    found = thumbprint_of(der)
    confirmation: Any = caller.claims["cnf"]  # its form was checked with the other claims
    expected: str = confirmation[CERTIFICATE]
    if not hmac.compare_digest(found, expected):
        raise InvalidToken("certificate", problem="other_certificate", claim="cnf", expected=(expected,), got=(found,))
