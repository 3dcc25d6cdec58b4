"""What went wrong in an exchange, as a code and the sentence that the table of reasons has for it.

No text of the error is repeated: it may hold a URL with secrets, or what the peer sent.
"""

from __future__ import annotations

import ssl

from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ProxySchemeUnknown,
    ProxySchemeUnsupported,
    SSLError,
)

from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard._reasons.codes import TransportProblem
from m2mguard.net._connection import NoAllowedAddress
from m2mguard.net._protocol import TransportError

# Codes of OpenSSL 3 (x509_vfy.h), which `ssl.SSLCertVerificationError.verify_code` holds. Python has no names for them.
_NOT_NOW = frozenset({9, 10})  # not yet valid, expired
_ANOTHER_NAME = frozenset({62, 64})  # host name, IP address
# No issuer, another's signature, self-signed, not trusted.
_UNKNOWN_AUTHORITY = frozenset({2, 7, 18, 19, 20, 21, 27, 28})
_AGAINST_RFC_5280 = frozenset(range(79, 94))  # no CA, then what only X509_V_FLAG_X509_STRICT checks


def transport_error(error: Exception) -> TransportError:
    """Turn an error of urllib3, ssl or a socket into ours."""
    code = _code(error)
    sentence = FETCH_PROBLEMS[code].sentence
    return TransportError(f"{sentence} ({type(error).__name__})" if code == "broken" else sentence, code=code)


def _code(error: Exception) -> TransportProblem:
    for kind, code in _KINDS:
        if isinstance(error, kind):
            return code
    if isinstance(error, SSLError | ssl.SSLError):
        return _tls_code(error)
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "timeout"
    if isinstance(error, ProxyError | ProxySchemeUnknown | ProxySchemeUnsupported):
        return "proxy"
    return "broken"


_KINDS: tuple[tuple[type[Exception], TransportProblem], ...] = (  # a subclass before its base
    (NameResolutionError, "name_not_resolved"),
    (NoAllowedAddress, "refused_target"),
    (NewConnectionError, "no_connection"),
    (ConnectTimeoutError, "connect_timeout"),
)


def _tls_code(error: Exception) -> TransportProblem:
    original = error.args[0] if isinstance(error, SSLError) and error.args else error  # urllib3 wraps the one of ssl
    if not isinstance(original, ssl.SSLCertVerificationError):
        return "tls"
    number = original.verify_code
    if number in _NOT_NOW:
        return "tls_expired"
    if number in _ANOTHER_NAME:
        return "tls_name"
    if number in _UNKNOWN_AUTHORITY:
        return "tls_unknown_ca"
    return "tls_strict" if number in _AGAINST_RFC_5280 else "tls"
