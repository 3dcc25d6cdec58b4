"""The grammar of the Authorization field: one token out of its values (RFC 6750 section 2.1, RFC 9449 section 7.1).

Pure. JWTs are not parsed here: `jws` checks whether a well-formed credential is a token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from m2mguard.errors import InvalidRequest, InvalidToken, MissingToken

MAX_FIELD_BYTES = 16_384
_SCHEME = b"Bearer "  # the usual spelling
_SCHEME_BYTES = len(_SCHEME)
_CREDENTIAL = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9\-._~+/]+=*)")
_BEARER_SCHEME = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr](?![A-Za-z0-9!#$%&'*+\-.^_`|~])")
_DPOP_CREDENTIAL = re.compile(rb"[Dd][Pp][Oo][Pp] +([A-Za-z0-9\-._~+/]+=*)")  # RFC 9449 section 7.1
_DPOP_SCHEME = re.compile(rb"[Dd][Pp][Oo][Pp](?![A-Za-z0-9!#$%&'*+\-.^_`|~])")
_OPTIONAL_WHITE_SPACE = b" \t"  # RFC 9110 section 5.5: not part of a field's value


def plain_credential(values: Sequence[str | bytes]) -> bytes | None:
    """What follows "Bearer " in the only field: nearly always what `bearer_token` returns.

    Its grammar is not checked: it may be a token, or anything else. None if there is not one such field.
    """
    if len(values) != 1:
        return None
    value = values[0]
    if isinstance(value, str):
        value = value.encode("latin-1", "replace")
    return value[_SCHEME_BYTES:] if isinstance(value, bytes) and value.startswith(_SCHEME) else None


def dpop_token(values: Sequence[str | bytes]) -> bytes | None:
    """Take the token of the scheme DPoP out of the only Authorization field, or None if there is no such field.

    Args:
        values: as for `bearer_token`.

    Raises:
        InvalidRequest: a DPoP credential outside the grammar (400).
        InvalidToken: a well-formed one in a field of more than 16 KiB (401).
    """
    value = _only_value(values)
    if not _DPOP_SCHEME.match(value):
        return None
    found = _DPOP_CREDENTIAL.fullmatch(value)
    if found is None:
        raise InvalidRequest("credential_grammar")
    if len(value) > MAX_FIELD_BYTES:
        raise InvalidToken("malformed", problem="too_long")
    return found[1]


def is_dpop(values: Sequence[str | bytes]) -> bool:
    """Tell whether the only Authorization field has the scheme DPoP."""
    return _DPOP_SCHEME.match(_only_value(values)) is not None


def _only_value(values: Sequence[str | bytes]) -> bytes:
    """The value of the only field, or nothing."""
    if isinstance(values, (str, bytes)):
        values = (values,)
    value = values[0] if len(values) == 1 else b""
    if isinstance(value, str):
        value = value.encode("latin-1", "replace")
    return value.strip(_OPTIONAL_WHITE_SPACE) if isinstance(value, bytes) else b""


def bearer_token(values: Sequence[str | bytes]) -> bytes:
    """Take the bearer token out of a request's Authorization field values.

    Args:
        values: one entry per Authorization field line, as str or bytes. A single str or bytes counts as one field.

    Raises:
        MissingToken: no field, an empty one, or one of another scheme (401, RFC 6750 section 3.1).
        InvalidRequest: several fields, or a Bearer credential outside the grammar (400).
        InvalidToken: a well-formed credential in a field of more than 16 KiB (401).
    """
    if isinstance(values, (str, bytes)):
        values = (values,)
    if not values:
        raise MissingToken("missing", problem="no_field")
    if len(values) > 1:
        raise InvalidRequest("several_credentials")
    value = values[0]
    if isinstance(value, str):
        # A field value holds no character outside Latin-1, and "?" is outside the grammar of a credential.
        value = value.encode("latin-1", "replace")
    elif not isinstance(value, bytes):
        raise InvalidRequest("credential_grammar", problem="not_text")
    value = value.strip(_OPTIONAL_WHITE_SPACE)
    found = _CREDENTIAL.fullmatch(value)
    if found:
        if len(value) > MAX_FIELD_BYTES:
            raise InvalidToken("malformed", problem="too_long")
        return found[1]
    if not value:
        raise MissingToken("missing", problem="empty_field")
    if _BEARER_SCHEME.match(value):
        raise InvalidRequest("credential_grammar")
    raise MissingToken("other_scheme")
