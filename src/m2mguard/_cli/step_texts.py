"""What the token says at each step of its verification, and what was expected there. One function per step; none of them judges."""

from __future__ import annotations

from collections.abc import Callable

from m2mguard._cli.context import ExplainContext
from m2mguard._formatting import formatted_number, joined_names, listed, moment, quoted, span
from m2mguard._token.claims import is_logto_machine, sub_is_client_id


def _field(context: ExplainContext) -> str:
    return (
        "Authorization: Bearer, and one token"
        if context.token.credential
        else "expected: Bearer, a space, and one token"
    )


def _form(context: ExplainContext) -> str:
    token = context.token
    if token.header is not None or token.segments == 3:
        return "three base64url segments: header, claims, signature"
    return (
        f"{token.characters:,} characters in {token.segments} segment(s); a signed token has three, with dots between"
    )


def _header(context: ExplainContext) -> str:
    header = context.token.header
    if header is None:
        return "expected: alg, and no extension (crit)"
    kid = "no kid" if header.kid is None else f"kid {quoted(header.kid)}"
    return f"alg {quoted(header.alg)}, {kid}, {_typ(context)}"


def _issuer(context: ExplainContext) -> str:
    accepted = [name for issuer in context.settings.issuers for name in issuer.names]
    one_of = "one of " if len(accepted) > 1 else ""
    return f"{_member(context, 'iss')}; expected: {one_of}{listed(accepted)}"


def _algorithm(context: ExplainContext) -> str:
    header, issuer = context.token.header, context.issuer
    said = quoted(header.alg) if header else "?"
    return f"alg is {said}; expected: {joined_names(issuer.algorithms)}" if issuer else f"alg is {said}"


def _key(context: ExplainContext) -> str:
    keys, header = context.keys, context.token.header
    if keys is None or header is None or not keys.keys:
        return "no keys at hand"
    if header.kid is None:
        fitting = {key.thumbprint for key in keys.keys if header.alg in key.algorithms}
        if len(fitting) == 1:
            return f"no kid; thumbprint {fitting.pop()}, the only one for {quoted(header.alg)}; {context.keys_from}"
        return f"no kid, and {len(fitting)} keys for {quoted(header.alg)}; expected: one; {context.keys_from}"
    named = [key for key in keys.keys if key.key_id == header.kid]
    for key in named or [key for key in keys.keys if not key.key_id and header.alg in key.algorithms]:
        return f"thumbprint {key.thumbprint}, for {joined_names(key.algorithms)}; {context.keys_from}"
    return f"none of this kid among {listed(keys.key_ids)}; {context.keys_from}"


def _signature(_: ExplainContext) -> str:
    return "over header and claims; expected: made by that key"


def _type(context: ExplainContext) -> str:
    issuer = context.issuer
    accepted = sorted(quoted(name) if name else "no typ" for name in issuer.token_types) if issuer else []
    return f"{_typ(context)}; expected: {' or '.join(accepted)}" if accepted else _typ(context)


def _typ(context: ExplainContext) -> str:
    typ = context.token.header.typ if context.token.header else None
    return "no typ" if typ is None else f"typ {quoted(typ)}"


def _claims(context: ExplainContext) -> str:
    if context.issuer is None:
        return f"there: {quoted(sorted(_present(context)))}"
    required = frozenset(context.issuer.required_claims)
    missing = joined_names(required - _present(context))
    return f"missing: {missing}" if missing else f"there: {joined_names(required)}"


def _kind(context: ExplainContext) -> str | None:
    if context.issuer is None or not context.issuer.claim_values:
        return None
    return "; ".join(
        f"{_member(context, name)}, expected: {' or '.join(quoted(value) for value in sorted(values))}"
        for name, values in context.issuer.claim_values.items()
    )


def _binding(context: ExplainContext) -> str:
    return "bound to a key (cnf); expected: a bearer token" if "cnf" in _present(context) else "no cnf: a bearer token"


def _audience(context: ExplainContext) -> str:
    organizations = context.issuer is not None and context.issuer.organizations
    expected = [quoted(audience) for audience in context.settings.audience] + ["any organization"] * organizations
    in_scopes = context.issuer is not None and context.issuer.audience_in_scope and "aud" not in _present(context)
    said = f"no aud, so the part before the last / in {_scopes(context)}" if in_scopes else _member(context, "aud")
    return f"{said}; expected: {' or '.join(expected)}"


def _expiry(context: ExplainContext) -> str:
    return f"exp is {_time(context, 'exp', _expires)}; leeway {context.settings.leeway:g} s"


def _expires(ago: float) -> str:
    return f"expired {span(ago)} ago" if ago >= 0 else f"expires in {span(-ago)}"


def _start(context: ExplainContext) -> str:
    times = (("nbf", _begins), ("iat", _issued))
    said = [f"{name} is {_time(context, name, words)}" for name, words in times if name in _present(context)]
    return "; ".join(said) or "no iat and no nbf"


def _begins(ago: float) -> str:
    return f"valid since {span(ago)}" if ago >= 0 else f"not valid for another {span(-ago)}"


def _issued(ago: float) -> str:
    return f"issued {span(ago)} ago" if ago >= 0 else f"issued {span(-ago)} in the future"


def _app_id(context: ExplainContext) -> str:
    wanted = dict.fromkeys(("sub", "client_id", context.issuer.app_id_claim if context.issuer else "sub"))
    return ", ".join(_member(context, name) for name in wanted)


def _scopes(context: ExplainContext) -> str:
    lists = context.issuer.scope_lists if context.issuer else ()
    return ", ".join(_member(context, name) for name in dict.fromkeys(("scope", *lists)))


def _organization(context: ExplainContext) -> str:
    return _member(context, "organization_id")


def _token_id(context: ExplainContext) -> str:
    return _member(context, "jti")


def _machine(context: ExplainContext) -> str:
    expected = "a machine's token" if context.settings.machine_only else "a machine's token, or a person's"
    if context.issuer is None or context.issuer.is_machine not in (sub_is_client_id, is_logto_machine):
        return f"expected: {expected}"
    sub, client_id = (context.token.claim(name) for name in ("sub", "client_id"))
    return f"sub is {'' if sub == client_id else 'not '}client_id; expected: {expected}"


def _route_organization(context: ExplainContext) -> str:
    match context.requirement.organization:
        case None:
            asked = "a global token"
        case "*":
            asked = "any organization's token, or a global one"
        case wanted:
            asked = f"a token of {quoted(wanted)}"
    return f"the route asks for: {asked}"


def _route_application(context: ExplainContext) -> str:
    return f"the route asks for: {listed(context.requirement.app_ids, none='any')}"


def _route_scopes(context: ExplainContext) -> str:
    return f"the route asks for: {listed(context.requirement.scopes)}"


STEPS: tuple[tuple[str, Callable[[ExplainContext], str | None]], ...] = (
    ("field", _field),
    ("form", _form),
    ("header", _header),
    ("issuer", _issuer),
    ("algorithm", _algorithm),
    ("key", _key),
    ("signature", _signature),
    ("type", _type),
    ("claims", _claims),
    ("kind", _kind),
    ("binding", _binding),
    ("audience", _audience),
    ("expiry", _expiry),
    ("start", _start),
    ("app id", _app_id),
    ("scopes", _scopes),
    ("organization", _organization),
    ("token id", _token_id),
    ("machine", _machine),
    ("route org", _route_organization),
    ("route app", _route_application),
    ("route scopes", _route_scopes),
)
"""The steps in the library's order: what each is called, and what it shows; None where the settings do not ask for it."""


def _present(context: ExplainContext) -> frozenset[str]:
    return frozenset(context.token.claims or ())


def _member(context: ExplainContext, name: str) -> str:
    return f"{name} {quoted(context.token.claim(name))}" if name in _present(context) else f"no {name}"


def _time(context: ExplainContext, name: str, words: Callable[[float], str]) -> str:
    if name not in _present(context):
        return "missing"
    seconds = formatted_number(context.token.claim(name))
    if seconds is None:
        return quoted(context.token.claim(name))
    return f"{moment(seconds)}: {words(context.now - seconds)}"
