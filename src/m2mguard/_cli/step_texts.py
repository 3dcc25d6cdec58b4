"""Texts of the verification steps: the value found and the value expected. One function per step; none of them decides."""

from __future__ import annotations

from collections.abc import Callable

from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import format_duration, format_time, format_value, format_values, join_names, read_number
from m2mguard._token.confirmation import thumbprint_of
from m2mguard._token.token_profile import is_logto_machine, sub_is_client_id


def _describe_field(context: ExplainContext) -> str:
    return (
        "Authorization: Bearer, and one token"
        if context.token.credential
        else "expected: Bearer, a space, and one token"
    )


def _describe_form(context: ExplainContext) -> str:
    token = context.token
    if token.header is not None or token.segments == 3:
        return "three base64url segments: header, claims, signature"
    return (
        f"{token.characters:,} characters in {token.segments} segment(s); a signed token has three, separated by dots"
    )


def _describe_header(context: ExplainContext) -> str:
    header = context.token.header
    if header is None:
        return "expected: alg, and no extension (crit)"
    kid = "no kid" if header.kid is None else f"kid {format_value(header.kid)}"
    return f"alg {format_value(header.alg)}, {kid}, {_format_typ(context)}"


def _describe_issuer(context: ExplainContext) -> str:
    accepted = [name for issuer in context.settings.issuers for name in issuer.names]
    one_of = "one of " if len(accepted) > 1 else ""
    return f"{_format_claim(context, 'iss')}; expected: {one_of}{format_values(accepted)}"


def _describe_algorithm(context: ExplainContext) -> str:
    header, issuer = context.token.header, context.issuer
    found = format_value(header.alg) if header else "?"
    return f"alg is {found}; expected: {join_names(issuer.algorithms)}" if issuer else f"alg is {found}"


def _describe_key(context: ExplainContext) -> str:
    keys, header = context.keys, context.token.header
    if keys is None or header is None or not keys.keys:
        return "no keys are available"
    if header.kid is None:
        fitting = {key.thumbprint for key in keys.keys if header.alg in key.algorithms}
        if len(fitting) == 1:
            return (
                f"no kid; thumbprint {fitting.pop()}, the only one for {format_value(header.alg)}; {context.keys_from}"
            )
        return f"no kid, and {len(fitting)} keys for {format_value(header.alg)}; expected: one; {context.keys_from}"
    named = [key for key in keys.keys if key.key_id == header.kid]
    for key in named or [key for key in keys.keys if not key.key_id and header.alg in key.algorithms]:
        return f"thumbprint {key.thumbprint}, for {join_names(key.algorithms)}; {context.keys_from}"
    return f"no key has this kid; there are {format_values(keys.key_ids)}; {context.keys_from}"


def _describe_signature(_: ExplainContext) -> str:
    return "over header and claims; expected: a signature by that key"


def _describe_type(context: ExplainContext) -> str:
    issuer = context.issuer
    accepted = sorted(format_value(name) if name else "no typ" for name in issuer.token_types) if issuer else []
    return f"{_format_typ(context)}; expected: {' or '.join(accepted)}" if accepted else _format_typ(context)


def _format_typ(context: ExplainContext) -> str:
    typ = context.token.header.typ if context.token.header else None
    return "no typ" if typ is None else f"typ {format_value(typ)}"


def _describe_claims(context: ExplainContext) -> str:
    if context.issuer is None:
        return f"there: {format_value(sorted(_claim_names(context)))}"
    required = frozenset(context.issuer.required_claims)
    missing = join_names(required - _claim_names(context))
    return f"missing: {missing}" if missing else f"there: {join_names(required)}"


def _describe_kind(context: ExplainContext) -> str | None:
    if context.issuer is None or not context.issuer.claim_values:
        return None
    return "; ".join(
        f"{_format_claim(context, name)}, expected: {' or '.join(format_value(value) for value in sorted(values))}"
        for name, values in context.issuer.claim_values.items()
    )


def _describe_binding(context: ExplainContext) -> str:
    if "cnf" not in _claim_names(context):
        return "no cnf: a bearer token"
    return "bound to a key (cnf); expected: a bearer token" if context.certificate is None else "bound to a key (cnf)"


def _describe_certificate(context: ExplainContext) -> str | None:
    if context.certificate is None or "cnf" not in _claim_names(context):
        return None
    return f"the certificate's thumbprint is {thumbprint_of(context.certificate)}"


def _describe_audience(context: ExplainContext) -> str:
    organizations = context.issuer is not None and context.issuer.organizations
    expected = [format_value(audience) for audience in context.settings.audience] + ["any organization"] * organizations
    in_scopes = context.issuer is not None and context.issuer.audience_in_scope and "aud" not in _claim_names(context)
    found = (
        f"no aud, so the part before the last / in {_format_scope_claims(context)}"
        if in_scopes
        else _format_claim(context, "aud")
    )
    return f"{found}; expected: {' or '.join(expected)}"


def _describe_expiry(context: ExplainContext) -> str:
    return f"exp is {_format_time_claim(context, 'exp', _format_expiry)}; leeway {context.settings.leeway:g} s"


def _format_expiry(ago: float) -> str:
    return f"expired {format_duration(ago)} ago" if ago >= 0 else f"expires in {format_duration(-ago)}"


def _describe_start(context: ExplainContext) -> str:
    times = (("nbf", _format_nbf), ("iat", _format_iat))
    found = [
        f"{name} is {_format_time_claim(context, name, words)}"
        for name, words in times
        if name in _claim_names(context)
    ]
    return "; ".join(found) or "no iat and no nbf"


def _format_nbf(ago: float) -> str:
    return f"valid since {format_duration(ago)}" if ago >= 0 else f"not valid for another {format_duration(-ago)}"


def _format_iat(ago: float) -> str:
    return f"issued {format_duration(ago)} ago" if ago >= 0 else f"issued {format_duration(-ago)} in the future"


def _describe_app_id(context: ExplainContext) -> str:
    names = dict.fromkeys(("sub", "client_id", context.issuer.app_id_claim if context.issuer else "sub"))
    return ", ".join(_format_claim(context, name) for name in names)


def _format_scope_claims(context: ExplainContext) -> str:
    if context.issuer is not None and context.issuer.grants is not None:
        return "not read from the token; granted by the settings (grants)"
    lists = context.issuer.scope_lists if context.issuer else ()
    return ", ".join(_format_claim(context, name) for name in dict.fromkeys(("scope", *lists)))


def _describe_organization(context: ExplainContext) -> str:
    return _format_claim(context, "organization_id")


def _describe_token_id(context: ExplainContext) -> str:
    return _format_claim(context, "jti")


def _describe_machine(context: ExplainContext) -> str:
    expected = "a machine's token" if context.settings.machine_only else "a machine's token, or a person's"
    if context.issuer is None or context.issuer.is_machine not in (sub_is_client_id, is_logto_machine):
        return f"expected: {expected}"
    sub, client_id = (context.token.claim(name) for name in ("sub", "client_id"))
    return f"sub is {'' if sub == client_id else 'not '}client_id; expected: {expected}"


def _describe_route_organization(context: ExplainContext) -> str:
    match context.requirement.organization:
        case None:
            required = "a global token"
        case "*":
            required = "any organization's token, or a global one"
        case organization:
            required = f"a token of {format_value(organization)}"
    return f"the route requires: {required}"


def _describe_route_application(context: ExplainContext) -> str:
    return f"the route requires: {format_values(context.requirement.app_ids, none='any')}"


def _describe_route_sign_in(context: ExplainContext) -> str | None:
    max_age, acr = context.requirement.max_age, context.requirement.acr
    if not context.requirement.asks_for_person:
        return None
    found, required = [], []
    if max_age is not None:
        found.append(f"auth_time is {_format_time_claim(context, 'auth_time', _format_sign_in)}")
        required.append(f"at most {max_age} s ago")
    if acr:
        found.append(_format_claim(context, "acr"))
        required.append(f"acr {' or '.join(format_value(one) for one in acr)}")
    return f"{'; '.join(found)}; the route requires: a person's sign-in, {', '.join(required)}"


def _format_sign_in(ago: float) -> str:
    return f"{format_duration(ago)} ago" if ago >= 0 else f"{format_duration(-ago)} in the future"


def _describe_route_scopes(context: ExplainContext) -> str:
    return f"the route requires: {format_values(context.requirement.scopes)}"


def _describe_blocklist(context: ExplainContext) -> str | None:
    if context.settings.blocklist is None:
        return None
    health = context.settings.blocklist.health()
    if health.age is None:
        return (
            f"the list was not read: {health.last_error or 'no answer yet'}; expected: no entry that names this token"
        )
    return f"{health.entries} {'entry' if health.entries == 1 else 'entries'}; expected: none that names this token"


STEPS: tuple[tuple[str, Callable[[ExplainContext], str | None]], ...] = (
    ("field", _describe_field),
    ("form", _describe_form),
    ("header", _describe_header),
    ("issuer", _describe_issuer),
    ("algorithm", _describe_algorithm),
    ("key", _describe_key),
    ("signature", _describe_signature),
    ("type", _describe_type),
    ("claims", _describe_claims),
    ("kind", _describe_kind),
    ("binding", _describe_binding),
    ("audience", _describe_audience),
    ("expiry", _describe_expiry),
    ("start", _describe_start),
    ("app id", _describe_app_id),
    ("scopes", _format_scope_claims),
    ("organization", _describe_organization),
    ("token id", _describe_token_id),
    ("machine", _describe_machine),
    ("block list", _describe_blocklist),
    ("certificate", _describe_certificate),
    ("route org", _describe_route_organization),
    ("route app", _describe_route_application),
    ("route sign-in", _describe_route_sign_in),
    ("route scopes", _describe_route_scopes),
)
"""The steps in the library's order: the name and the text of each. The text is None if the settings do not use the step."""


def _claim_names(context: ExplainContext) -> frozenset[str]:
    return frozenset(context.token.claims or ())


def _format_claim(context: ExplainContext, name: str) -> str:
    return f"{name} {format_value(context.token.claim(name))}" if name in _claim_names(context) else f"no {name}"


def _format_time_claim(context: ExplainContext, name: str, words: Callable[[float], str]) -> str:
    if name not in _claim_names(context):
        return "missing"
    seconds = read_number(context.token.claim(name))
    if seconds is None:
        return format_value(context.token.claim(name))
    return f"{format_time(seconds)}: {words(context.now - seconds)}"
