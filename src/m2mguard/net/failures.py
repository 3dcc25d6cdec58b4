"""What went wrong in an exchange, as a code and a sentence in our own words.

The sentences repeat no text of the error: it may hold a URL with secrets, or what the peer sent. No program matches them.
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

from m2mguard.net.connection import NoAllowedAddress
from m2mguard.net.protocol import TransportError, TransportErrorCode

# Codes of OpenSSL 3 (x509_vfy.h), which `ssl.SSLCertVerificationError.verify_code` holds. Python has no names for them.
_NOT_NOW = frozenset({9, 10})  # not yet valid, expired
_ANOTHER_NAME = frozenset({62, 64})  # host name, IP address
_UNKNOWN_AUTHORITY = frozenset(
    {2, 7, 18, 19, 20, 21, 27, 28}
)  # no issuer, another's signature, self-signed, not trusted
_AGAINST_RFC_5280 = frozenset(range(79, 94))  # no CA, then what only X509_V_FLAG_X509_STRICT checks

_SENTENCES: dict[TransportErrorCode, str] = {
    "name_not_resolved": "the host name cannot be resolved; check its spelling and this machine's DNS",
    "refused_target": "the host name has only addresses that are never connected to; check this machine's DNS",
    "no_connection": "no connection can be made; check that the server runs, and the host, the port and firewalls",
    "connect_timeout": "the connection took too long; check the host, the port and firewalls",
    "timeout": "the answer took too long",
    "tls_expired": "TLS failed: a certificate of the server has expired or is not valid yet; "
    "renew it, or correct this machine's clock",
    "tls_name": "TLS failed: the server's certificate is for another host name; "
    "check the URL, or have a certificate issued for this name",
    "tls_unknown_ca": "TLS failed: the server's certificate is not from an authority that is trusted here; "
    "set ca_file to the authority's certificate, and have the server send its whole chain",
    "tls_strict": "TLS failed: a certificate breaks a rule of RFC 5280, such as a missing Authority Key Identifier, "
    "which Python 3.13 and newer refuse; have it issued again by those rules",
    "tls": "TLS failed: no secure connection can be made; check that this port speaks TLS 1.2 or newer",
    "proxy": "the proxy refused, or cannot be reached; check HTTPS_PROXY and NO_PROXY",
}


def transport_error(error: Exception) -> TransportError:
    """Turn an error of urllib3, ssl or a socket into ours."""
    code = _code(error)
    return TransportError(_SENTENCES.get(code) or f"the exchange broke off ({type(error).__name__})", code=code)


def _code(error: Exception) -> TransportErrorCode:
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


_KINDS: tuple[tuple[type[Exception], TransportErrorCode], ...] = (  # a subclass before its base
    (NameResolutionError, "name_not_resolved"),
    (NoAllowedAddress, "refused_target"),
    (NewConnectionError, "no_connection"),
    (ConnectTimeoutError, "connect_timeout"),
)


def _tls_code(error: Exception) -> TransportErrorCode:
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
