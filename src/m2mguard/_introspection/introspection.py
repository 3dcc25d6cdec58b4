"""`Introspection`: the setting that lets an issuer's opaque tokens in. Settings only; nothing is asked here."""

from __future__ import annotations

from dataclasses import dataclass, field

from m2mguard._authentication.proof import EndpointAuthentication
from m2mguard._validation import number, secure_url, text, whole_number
from m2mguard.errors import ConfigurationError

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Introspection:
    """Asks the issuer about each token that is no JWT (RFC 7662): `Issuer(..., introspection=Introspection(...))`. Immutable.

    A credential of three segments is a JWT and is never asked about. Of a server's issuers one can introspect.

    Args:
        client_id: this API's own id at the issuer, which must be allowed to introspect.
        authentication: how this API proves that: a `ClientSecret`, `PrivateKeyJwt`, `AssertionFile`, `Assertion` or `MutualTls` of
            `m2mguard.client`. The repr leaves it out.
        endpoint: the URL of the introspection endpoint. Default None: found by discovery (`introspection_endpoint`), and then it must be
            of the issuer's own origin. Of an issuer that has another endpoint for certificates, give that one.
        ttl: seconds for which a good answer is used, 0 to 3,600, default 60: a token that is revoked is accepted no longer than this. An
            answer is never used beyond the token's `exp`. 0: every request asks.
        audience_required: refuse an answer without `aud`, default True. False accepts it: a token that the same issuer gave for another
            API is then accepted, unless scopes tell them apart. An `aud` that is there must be this API's in any case.
        jwt: ask for signed answers (RFC 9701), default False. Their signature is checked with the issuer's keys, and they must be made for
            `client_id`; a plain answer is then not accepted.
        max_concurrent: how many questions may be in flight at once, 1 to 1,000, default 32. A quarter is reserved for tokens that were
            accepted before, so that a stranger who invents tokens does not keep them out. Beyond it the answer is 503.
        timeout: seconds for one question in all, 0.1 to 60, default 5. A request waits this long.

    Raises:
        ConfigurationError: an invalid value; the message says what to change.
    """

    client_id: str
    authentication: EndpointAuthentication = field(repr=False)
    endpoint: str | None = None
    ttl: float = 60
    audience_required: bool = True
    jwt: bool = False
    max_concurrent: int = 32
    timeout: float = 5

    def __post_init__(self) -> None:
        text("client_id", self.client_id)
        if not isinstance(self.authentication, EndpointAuthentication):
            raise ConfigurationError(
                "authentication must be a ClientSecret, PrivateKeyJwt, AssertionFile, Assertion or MutualTls of m2mguard.client."
            )
        if self.endpoint is not None:
            secure_url("endpoint", self.endpoint, allow_http=True)  # `Issuer` says whether plain http is allowed
        number("ttl", self.ttl, least=0, most=_HOUR_S)
        for name in ("audience_required", "jwt"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"{name} must be True or False.")
        whole_number("max_concurrent", self.max_concurrent, least=1, most=1000, unit="questions")
        number("timeout", self.timeout, least=0.1, most=60)

    @property
    def reserved(self) -> int:
        """How many questions of `max_concurrent` are reserved for tokens that were accepted before."""
        return self.max_concurrent // 4
