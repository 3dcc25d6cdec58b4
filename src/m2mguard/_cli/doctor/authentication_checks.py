"""Checks how the application proves who it is: is its key, certificate or assertion usable, and does the issuer list that way.

An assertion's claims are read without being verified, and only some are shown: never its signature, and never the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from m2mguard._authentication.assertion import AssertionFile
from m2mguard._authentication.choice import ClientAuthentication
from m2mguard._authentication.mutual_tls import MutualTls
from m2mguard._authentication.private_key import PrivateKeyJwt
from m2mguard._authentication.proof import ProofUnavailable
from m2mguard._authentication.secret import ClientSecret
from m2mguard._authentication.signer import load_signer
from m2mguard._cli.client_credentials import UnusableCredential
from m2mguard._cli.doctor.credential_checks import SECTION
from m2mguard._cli.doctor.finding import Finding, Severity, create_ok_finding
from m2mguard._cli.pasted.token_segments import decode_json_segment
from m2mguard._cli.recording_transport import Exchange
from m2mguard._formatting import format_duration, format_value, format_values, join_names, read_number
from m2mguard._token.key_strength import UnusableKey

_ENTRA = "api://AzureADTokenExchange"
_END_OF_TIME_S = 10**12
_CURES = {
    "client_key": (
        "Give the PEM file of the private key whose public half the issuer has: RSA of at least 2048 bits, EC on P-256, P-384 or "
        "P-521, Ed25519, or ML-DSA, without a password."
    ),
    "client_certificate": "Give the PEM file of the certificate, and the PEM file of its private key, without a password.",
}
_NAMES: Mapping[type, frozenset[str]] = {
    PrivateKeyJwt: frozenset(("private_key_jwt",)),
    AssertionFile: frozenset(("private_key_jwt",)),
    MutualTls: frozenset(("tls_client_auth", "self_signed_tls_client_auth")),
}
_METHODS = "token_endpoint_auth_methods_supported"
_ALGORITHMS = "token_endpoint_auth_signing_alg_values_supported"


def report_unusable_credential(error: UnusableCredential) -> Finding:
    """Report a key or a certificate that cannot be used."""
    what = "private key" if error.code == "client_key" else "client certificate"
    return Finding(
        code=error.code,
        section=SECTION,
        name=what,
        severity=Severity.FAULT,
        text=str(error),
        cure=_CURES[error.code],
        diagnosis=f"The {what} of the application cannot be used.",
    )


def check_assertion(
    way: AssertionFile, issuer_names: Sequence[str], token_endpoint: str | None, *, now: float
) -> Iterator[Finding]:
    """Check the assertion that the file holds at this moment: its form, its times, and for whom it is.

    Args:
        way: the file.
        issuer_names: the URLs of the issuer to which it is sent.
        token_endpoint: the configured URL of its token endpoint, or None.
        now: seconds since the epoch.
    """
    try:
        claims = decode_json_segment(way.token().split(".")[1])
        text = "the second part of the assertion is no JSON object"
    except ProofUnavailable as error:
        claims, text = None, str(error)
    if claims is None:
        yield _problem(
            "assertion_file",
            Severity.FAULT,
            text,
            "Look at what writes the file: it must hold one JWT, and this process must be allowed to read it.",
            "There is no assertion to prove who asks.",
        )
        return
    expires_at, starts_at = _moment(claims.get("exp")), _moment(claims.get("nbf"))
    if expires_at is not None and expires_at <= now:
        yield _problem(
            "assertion_expired",
            Severity.FAULT,
            f"the assertion expired {format_duration(now - expires_at)} ago",
            "The platform replaces the file before that. In Kubernetes, mount the whole volume: a file by subPath is never replaced.",
            "The assertion in the file has expired.",
        )
    if starts_at is not None and starts_at > now:
        yield _problem(
            "assertion_early",
            Severity.WARNING,
            f"the assertion is not valid for another {format_duration(starts_at - now)}",
            "Compare this machine's clock with that of the platform that signed it.",
            "The assertion in the file is not valid yet.",
        )
    audiences = _texts(claims.get("aud"))
    accepted = {*issuer_names, _ENTRA} | ({token_endpoint} if token_endpoint else set())
    if not _is_for(audiences, accepted, issuer_names):
        yield _problem(
            "assertion_audience",
            Severity.WARNING,
            f"the assertion is for {format_values(audiences, none='nobody (no aud)')}; most issuers expect their own URL, "
            f"{format_values(issuer_names[:1])}",
            "Let the platform write an assertion for this issuer: `audience` of the projected volume in Kubernetes.",
            "The assertion in the file is for another audience.",
        )
    until = "" if expires_at is None or expires_at <= now else f"; expires in {format_duration(expires_at - now)}"
    yield create_ok_finding(
        SECTION,
        "assertion",
        f"sub {format_value(claims.get('sub'))} of iss {format_value(claims.get('iss'))}, which the issuer has to know{until}",
    )


def check_supported(way: ClientAuthentication, issuer: str, exchanges: Sequence[Exchange]) -> Iterator[Finding]:
    """Report a way to authenticate, or an algorithm, that the issuer's metadata does not list (RFC 8414 section 2).

    Args:
        way: how the application proves who it is.
        issuer: the issuer's URL.
        exchanges: the exchanges with it. Nothing is reported if its metadata is not among them.
    """
    metadata = next((one for one in exchanges if one.status == 200 and one.read_member("issuer") == issuer), None)
    if metadata is None:
        return
    listed, methods = metadata.read_member(_METHODS), _methods_of(way)
    if isinstance(listed, list) and methods and not methods & set(_texts(listed)):
        yield _problem(
            "authentication_method",
            Severity.WARNING,
            f"the issuer's metadata lists {format_values(_texts(listed))} ({_METHODS}), and not {join_names(methods)}",
            "Choose a way that the issuer lists, or let it accept this one; some accept more than they list.",
            "The issuer does not list the way in which the application authenticates.",
        )
    algorithms = metadata.read_member(_ALGORITHMS)
    if isinstance(way, PrivateKeyJwt) and isinstance(algorithms, list):
        used = _algorithm_of(way)
        if used is not None and used not in _texts(algorithms):
            yield _problem(
                "assertion_algorithm",
                Severity.WARNING,
                f"the key signs with {used}, and the issuer's metadata lists {format_values(_texts(algorithms))} ({_ALGORITHMS})",
                "Use a key of another kind, and give the issuer its public half.",
                "The issuer does not list the algorithm with which the application signs.",
            )


def _algorithm_of(way: PrivateKeyJwt) -> str | None:
    """The `alg` that the key signs with; None if its file has become unusable meanwhile."""
    try:
        signer = load_signer(way.key, way.password, algorithm=way.algorithm, key_id=None, certificate=None)
    except UnusableKey:
        return None
    return str(signer.header["alg"])


def _methods_of(way: ClientAuthentication) -> frozenset[str]:
    """The names of a way in metadata; none for one that the options of the command do not make."""
    return frozenset((way.method,)) if isinstance(way, ClientSecret) else _NAMES.get(type(way), frozenset())


def _is_for(audiences: Sequence[str], accepted: set[str], issuer_names: Sequence[str]) -> bool:
    """Tell whether an assertion is for the issuer: for one of its names, or for a URL below one, such as its token endpoint."""
    below = tuple(f"{name.rstrip('/')}/" for name in issuer_names)
    return any(one in accepted or one.startswith(below) for one in audiences)


def _moment(value: object) -> float | None:
    """A time in seconds since the epoch, or None if it is no number, or absurd."""
    seconds = read_number(value)
    return seconds if seconds is not None and abs(seconds) < _END_OF_TIME_S else None


def _texts(value: object) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _problem(code: str, severity: Severity, text: str, cure: str, diagnosis: str) -> Finding:
    return Finding(
        code=code,
        section=SECTION,
        name="assertion" if code.startswith("assertion") else "authentication",
        severity=severity,
        text=text,
        cure=cure,
        diagnosis=diagnosis,
    )
