"""Whether the sender of a request holds what its token is bound to: a certificate (RFC 8705 section 3), or a key (RFC 9449 section 7)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any, NamedTuple

from m2mguard._server.dpop_check import DpopCheck
from m2mguard._token.bearer import dpop_token
from m2mguard._token.confirmation import CERTIFICATE, PUBLIC_KEY, bound_token, thumbprint_of
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader, UnusableCertificate
from m2mguard.dpop._replay import UsedProof
from m2mguard.errors import AuthError, InvalidToken
from m2mguard.exemptions import RequestHead


class Sender(NamedTuple):
    """What a request tells of its sender.

    Attributes:
        fields: the values of its Authorization fields.
        head: its head; None where there is a token alone.
        certificate: reads the client's certificate; None where the adapter was given no reader.
        is_open: whether the request was accepted before, and is looked at again while it is being answered.
    """

    fields: Sequence[str | bytes] = ()
    head: RequestHead | None = None
    certificate: CertificateReader | None = None
    is_open: bool = False


def check_binding(caller: Caller, sender: Sender, dpop: DpopCheck | None) -> UsedProof | None:
    """Check the sender of a bound token, and that what must be bound is.

    Args:
        caller: of a verified token.
        sender: who sent it.
        dpop: checks proofs; None where the server has no DPoP.

    Returns:
        The proof that is to be marked as used, if there is one.

    Raises:
        InvalidToken: `claim` where there is nothing to check it with, or where it is not bound and has to be; else `certificate`.
        InvalidDpopProof, UseDpopNonce: as `DpopCheck.check`.
    """
    confirmation: Any = caller.claims.get("cnf", {})  # its form was checked with the other claims
    try:
        if CERTIFICATE in confirmation:
            if sender.head is None or sender.certificate is None:
                raise bound_token()
            _compare(confirmation[CERTIFICATE], _read(sender.head, sender.certificate))
        token = None if dpop is None else dpop_token(sender.fields)
        if PUBLIC_KEY not in confirmation:
            if token is not None or (dpop is not None and dpop.required):
                raise InvalidToken("claim", problem="not_bound", claim="cnf")
            return None
        if dpop is None or sender.head is None or not sender.head.path or token is None:  # RFC 9449 section 7.2
            raise bound_token()
        if sender.is_open:
            dpop.check_open(confirmation[PUBLIC_KEY], token, sender.head)
            return None
        return dpop.check(caller, confirmation[PUBLIC_KEY], token, sender.head)
    except AuthError as error:
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


def _compare(expected: str, der: bytes) -> None:
    found = thumbprint_of(der)
    if not hmac.compare_digest(found, expected):
        raise InvalidToken("certificate", problem="other_certificate", claim="cnf", expected=(expected,), got=(found,))
