"""Issuer: whom we trust, where its keys are, and how its tokens look. Settings only; nothing is fetched here.

The default is RFC 9068 to the letter. A preset may say otherwise, and says so by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from m2mguard._introspection.introspection import Introspection
from m2mguard._keys.key_set import KeySet, UnusableKeySet, key_set_from_members
from m2mguard._token.jws import SUPPORTED_ALGORITHMS
from m2mguard._token.ml_dsa import NEEDED, PARAMETER_SETS, is_available
from m2mguard._token.name_patterns import Grants, name_pattern
from m2mguard._token.token_profile import RFC9068_CLAIMS, Claims, is_logto_machine, media_type, sub_is_client_id
from m2mguard._validation import endpoint_url, one_or_more, secure_url, strings
from m2mguard.errors import ConfigurationError

__all__ = ["Issuer"]

DEFAULT_ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA")
LOGTO_ORGANIZATION_CLAIM = "organization_id"
_INDISPENSABLE_CLAIMS = frozenset(("iss", "exp"))
_MAX_STATIC_KEYS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An authorization server whose access tokens are accepted. Immutable.

    Args:
        url: the issuer identifier, compared with `iss` character for character. https; http on loopback, or with `allow_http`.
        aliases: further names of the same issuer, compared with `iss` likewise: a tenant with a custom domain signs with the same keys
            under several names. They are fetched by `url`, and a `Caller` of any of them has `issuer == url`. Default none.
        allow_http: accept plain http for `url`, `aliases` and `jwks_uri` also off loopback, such as `http://logto:3001` inside a
            cluster. Anyone who controls that network chooses the keys. Warned of in the log at every start. Default False.
        jwks_uri: the URL of its key set. Default None: found by discovery, and then it must be of the issuer's own origin.
        jwks: its key set itself, as parsed JSON, for an issuer that cannot be asked; keys then never change. Default None. With
            `introspection` it may be empty, `{"keys": []}`: the issuer signs no tokens, and no keys are fetched.
        algorithms: the signature algorithms accepted, default RS256, PS256, ES256, ES384, ES512 and EdDSA. RS384, RS512, PS384, PS512,
            Ed25519 (RFC 9864), ML-DSA-44, ML-DSA-65 and ML-DSA-87 (RFC 9964) can be named, too. None of them is symmetric; the key
            decides which of them it can verify.
        token_types: the `typ` values accepted, compared whole and in any case; default `{"at+jwt"}` (RFC 9068 section 4). A value
            without a slash, here or in a token, means "application/" and that value (RFC 7515 section 4.1.9).
            None in it accepts a token without `typ`.
        required_claims: claims that must be there; default iss, aud, exp, sub, client_id, iat and jti (RFC 9068 section 2.2).
        claim_values: claims that must be there and hold one of these strings, `{"token_use": ["access"]}`. Default none. Where
            `typ` does not keep other tokens of the issuer out, this does (RFC 8725 section 3.12).
        audience_in_scope: a token without `aud` is for the audience before the last "/" of one of its scopes, as
            in "https://shopping.api/read:orders". Default False: a token without `aud` is refused.
        app_id_claim: the claim that holds the App ID, default `sub`. Of a person's token `sub` is the person: there it is `client_id`.
        is_machine: tells from the verified claims whether a token belongs to a machine; default `sub == client_id`.
        scope_lists: claims that hold scopes as a list of strings or as one space-separated string, such as `scp` or `permissions`;
            each is counted as a scope. Default none. `scope` is always read, as a string; name it here if the issuer
            writes it as a list. A member of a list that has a space in it grants nothing (RFC 6749 section 3.3).
        grants: App ID to scopes, for an issuer whose tokens have none: `{"system:serviceaccount:shop:orders": ["read:orders"]}`. Default
            None: a token has its own scopes. Given, those of a token are not read; a machine has the scopes of all App IDs here that
            match its own, and none where none matches; a person's token has none. Compared whole; `*` stands for one whole segment between
            two ":" or "/", as in `system:serviceaccount:shop:*`, never for more and never for a part of one.
        default_audiences: audiences that the issuer's tokens have if their holder asks for none, so that they say nothing about this API.
            A server whose `audience` is one of them is refused. Patterns as in `grants`. Default none.
        organization_claim: the claim that limits a token to one organization. Default None: no claim does, whatever it is called.
            `Issuer.logto` sets it to `organization_id`.
        organizations: accept the audience of every Logto organization (`urn:logto:organization:<id>`), default False.
            A `Requirement` must then name the organization.
        introspection: ask the issuer about each token that is no JWT (RFC 7662). Default None: such a token is refused.

    Raises:
        ConfigurationError: an invalid value; the message says what to change.
    """

    url: str
    aliases: Collection[str] = ()
    allow_http: bool = False
    jwks_uri: str | None = None
    jwks: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    algorithms: Collection[str] = DEFAULT_ALGORITHMS
    token_types: Collection[str | None] = ("at+jwt",)
    required_claims: Collection[str] = RFC9068_CLAIMS
    claim_values: Mapping[str, Collection[str]] = field(default_factory=dict, hash=False)
    audience_in_scope: bool = False
    app_id_claim: str = "sub"
    is_machine: Callable[[Claims], bool] = sub_is_client_id
    scope_lists: Collection[str] = ()
    grants: Mapping[str, Collection[str]] | None = field(default=None, hash=False)
    default_audiences: Collection[str] = ()
    organization_claim: str | None = None
    organizations: bool = False
    introspection: Introspection | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        for name in ("organizations", "audience_in_scope", "allow_http"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"{name} must be True or False.")
        self._check_url("issuer url", self.url)
        self._set("aliases", strings("aliases", self.aliases, what="issuer URLs"))
        for alias in self.aliases:
            self._check_url("aliases", alias)
        if self.url in self.aliases:
            raise ConfigurationError("aliases must hold other names of the issuer than its url.")
        self._check_introspection()
        self._check_keys()
        self._set("algorithms", _algorithms(self.algorithms))
        self._set("token_types", _token_types(self.token_types))
        self._set("required_claims", frozenset(strings("required_claims", self.required_claims, what="claim names")))
        if not frozenset(self.required_claims) >= _INDISPENSABLE_CLAIMS:
            raise ConfigurationError(
                "required_claims must hold iss and exp: a token that names no issuer or never ends is not accepted."
            )
        self._set("claim_values", _claim_values(self.claim_values))
        if not isinstance(self.app_id_claim, str) or not self.app_id_claim:
            raise ConfigurationError("app_id_claim must name a claim, such as 'sub'.")
        if not callable(self.is_machine):
            raise ConfigurationError("is_machine must be a callable that takes the claims and returns a bool.")
        self._set("scope_lists", strings("scope_lists", self.scope_lists, what="claim names"))
        self._check_patterns()
        if self.organization_claim is not None and not (
            isinstance(self.organization_claim, str) and self.organization_claim
        ):
            raise ConfigurationError("organization_claim must name a claim, such as 'organization_id', or be None.")
        if self.audience_in_scope and "aud" in self.required_claims:
            raise ConfigurationError("audience_in_scope has no effect while required_claims holds aud; take one out.")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def names(self) -> tuple[str, ...]:
        """The `url` and the `aliases`."""
        return (self.url, *self.aliases)

    def _check_url(self, setting: str, url: object) -> None:
        if "/.well-known/" in endpoint_url(setting, url, allow_http=self.allow_http).path:
            raise ConfigurationError(
                f"{setting} is the address of the metadata; give the value of its member 'issuer'."
            )

    def _check_patterns(self) -> None:
        self._set("default_audiences", strings("default_audiences", self.default_audiences, what="audiences"))
        for audience in self.default_audiences:
            name_pattern("default_audiences", audience)
        if self.grants is None:
            return
        if self.scope_lists or self.audience_in_scope:
            raise ConfigurationError(
                "grants replaces the scopes of tokens, so scope_lists and audience_in_scope have no effect; take them out."
            )
        self._set("grants", MappingProxyType(Grants(self.grants).scopes_by_pattern))

    def _check_keys(self) -> None:
        if self.jwks_uri is not None:
            secure_url("jwks_uri", self.jwks_uri, allow_http=self.allow_http)
        if self.jwks is not None and self.jwks_uri is not None:
            raise ConfigurationError("Give jwks or jwks_uri, not both: keys are either fixed or fetched.")
        self.static_keys()

    def _check_introspection(self) -> None:
        if self.introspection is None:
            return
        if not isinstance(self.introspection, Introspection):
            raise ConfigurationError("introspection must be an Introspection of m2mguard.")
        if self.introspection.endpoint is not None:
            secure_url("endpoint", self.introspection.endpoint, allow_http=self.allow_http)
        if self._signs_nothing and self.introspection.jwt:
            raise ConfigurationError("jwks is empty, and Introspection(jwt=True) needs keys to verify signed answers.")

    @property
    def _signs_nothing(self) -> bool:
        return isinstance(self.jwks, Mapping) and self.jwks.get("keys") in ([], ())

    @classmethod
    def logto(
        cls,
        endpoint: str,
        *,
        aliases: Collection[str] = (),
        organizations: bool = False,
        jwks_uri: str | None = None,
        allow_http: bool = False,
    ) -> Issuer:
        """A Logto tenant. Relaxes nothing: Logto's access tokens are RFC 9068's.

        A token is a machine's where `sub` is `client_id` and it has none of `acr`, `amr`, `auth_time` and `act`, which tell of a person.
        `organization_id` limits a token to one organization.

        Args:
            endpoint: the Logto endpoint, such as "https://tenant.logto.app"; the issuer is that plus "/oidc".
            aliases: further endpoints of the same tenant, its custom domains, which sign with the same keys. Default none.
            organizations: as for `Issuer`.
            jwks_uri: as for `Issuer`; needed where Logto is behind a proxy that hides its public address from it.
            allow_http: as for `Issuer`.

        Raises:
            ConfigurationError: an invalid value; the message says what to change.
        """
        return cls(
            url=_logto_issuer("endpoint", endpoint, allow_http=allow_http),
            aliases=[
                _logto_issuer("aliases", alias, allow_http=allow_http)
                for alias in strings("aliases", aliases, what="Logto endpoints")
            ],
            jwks_uri=jwks_uri,
            allow_http=allow_http,
            algorithms=("ES384", "RS256", "ES256", "ES512"),
            is_machine=is_logto_machine,
            organization_claim=LOGTO_ORGANIZATION_CLAIM,
            organizations=organizations,
        )

    def static_keys(self) -> KeySet | None:
        """The keys given as `jwks`, or None where they are to be fetched."""
        if self.jwks is None:
            return None
        if not isinstance(self.jwks, Mapping):
            raise ConfigurationError("jwks must be a JWK Set as parsed JSON: a dict with a list of keys.")
        if self.introspection is not None and self._signs_nothing:
            return KeySet([])
        try:
            return key_set_from_members(self.jwks, max_keys=_MAX_STATIC_KEYS)
        except UnusableKeySet as error:
            raise ConfigurationError(f"jwks cannot be used: {error}.") from None


def issuer_of_url(url: str, *, allow_http: bool = False) -> Issuer:
    """Make the issuer of a plain URL: one of RFC 9068, or of Logto's own cloud, where tokens may be limited to an organization.

    Raises:
        ConfigurationError: not the URL of an issuer.
    """
    issuer = Issuer(url=url, allow_http=allow_http)
    if (urlsplit(url).hostname or "").endswith(".logto.app") and url.endswith("/oidc"):
        return Issuer.logto(url.removesuffix("/oidc"))
    return issuer


def _logto_issuer(setting: str, endpoint: object, *, allow_http: bool) -> str:
    endpoint_url(setting, endpoint, allow_http=allow_http)
    base = str(endpoint).removesuffix("/")
    if base.endswith("/oidc"):
        raise ConfigurationError(f"{setting} is the issuer already; give the Logto endpoint without '/oidc'.")
    return f"{base}/oidc"


def _algorithms(value: object) -> frozenset[str]:
    algorithms = frozenset(strings("algorithms", value, what="algorithm names"))
    if not algorithms:
        raise ConfigurationError(
            "algorithms is empty, so that no token could be accepted; name at least one, such as 'ES384'."
        )
    unknown = sorted(algorithms - SUPPORTED_ALGORITHMS)
    if unknown:
        raise ConfigurationError(
            f"algorithms: {', '.join(unknown)} is not accepted; symmetric algorithms and 'none' never are. "
            f"Choose from {', '.join(sorted(SUPPORTED_ALGORITHMS))}."
        )
    post_quantum = sorted(algorithms & PARAMETER_SETS.keys())
    if post_quantum and not is_available():
        raise ConfigurationError(f"algorithms: {', '.join(post_quantum)} needs {NEEDED}.")
    return algorithms


def _claim_values(value: object) -> Mapping[str, frozenset[str]]:
    if not isinstance(value, Mapping):
        raise ConfigurationError("claim_values must be a dict of claim names to lists: {'token_use': ['access']}.")
    names = strings("claim_values", list(value), what="claim names")
    return MappingProxyType(
        {name: frozenset(one_or_more(f"claim_values[{name!r}]", value[name], what="values")) for name in names}
    )


def _token_types(value: object) -> frozenset[str | None]:
    if isinstance(value, str | bytes) or not isinstance(value, Collection) or not value:
        raise ConfigurationError("token_types must be a non-empty list of typ values: token_types=['at+jwt'].")
    names = strings("token_types", [name for name in value if name is not None], what="typ values")
    for name in names:
        if not name.isascii() or not all(name.split("/")):
            raise ConfigurationError(
                f"token_types: {name!r} is no media type; give one such as 'at+jwt' or 'application/at+jwt'."
            )
    types: set[str | None] = {media_type(name) for name in names}
    return frozenset(types | {None} if None in value else types)


def __dir__() -> list[str]:
    return sorted(__all__)
