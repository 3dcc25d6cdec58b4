"""What the introspection endpoint's answer means: the members of an active token, an inactive token, or that we could not tell. Pure."""

from __future__ import annotations

from m2mguard._keys.fetch import FetchFailed
from m2mguard._token.strict_json import NotStrictJson, parse_object, without_byte_order_mark
from m2mguard.net._protocol import Response

JSON = "application/json"
SIGNED = "application/token-introspection+jwt"  # RFC 9701 section 5
_REFUSES_US = (401, 403)
_REFUSES_US_CODES = ("invalid_client", "unauthorized_client")  # RFC 6749 section 5.2; some send them with 400

Members = dict[str, object]


def document_of(response: Response, *, signed: bool, retry_after_s: float) -> bytes:
    """The body of an answer with the status and the media type that were asked for.

    Args:
        response: the answer.
        signed: whether a signed one was asked for (RFC 9701 section 4).
        retry_after_s: seconds for which the endpoint wants to be left alone, or 0.

    Raises:
        FetchFailed: any other answer. It says nothing about the token.
    """
    status = response.status
    if status in _REFUSES_US or (status == 400 and _error_code(response.body) in _REFUSES_US_CODES):
        raise FetchFailed(
            "introspection_credentials",
            f"the introspection endpoint does not accept this API's credentials (status {status})",
            retry_after_s=retry_after_s,
        )
    if status != 200:
        raise FetchFailed(
            "introspection_status",
            f"the introspection endpoint answered with status {status}",
            retry_after_s=retry_after_s,
        )
    expected = SIGNED if signed else JSON
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != expected:
        raise _odd(f"not {expected}, which was asked for")
    return without_byte_order_mark(response.body)


def members_of(document: bytes) -> Members:
    """The members of a plain answer (RFC 7662 section 2.2). Raises FetchFailed."""
    try:
        return parse_object(document)
    except NotStrictJson as error:
        raise _odd(str(error)) from None


def active_members(answer: Members) -> Members | None:
    """The members of an answer about an active token, without those that are null; None if the token is not active.

    Raises:
        FetchFailed: `active` is neither true nor false, so the answer is none (RFC 7662 section 2.2).
    """
    active = answer.get("active")
    if not isinstance(active, bool):
        raise _odd("without a member active that is true or false")
    return {name: value for name, value in answer.items() if value is not None} if active else None


def _odd(what: str) -> FetchFailed:
    return FetchFailed("introspection_answer", f"the introspection endpoint's answer is {what}")


def _error_code(body: bytes) -> object:
    try:
        return parse_object(body).get("error")
    except NotStrictJson:
        return None
