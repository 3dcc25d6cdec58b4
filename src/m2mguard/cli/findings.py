"""What the token says at each step of its verification, and what was expected there. One function per step; none of them judges."""

from __future__ import annotations

from collections.abc import Callable

from m2mguard.cli.evidence import Evidence
from m2mguard.cli.words import listed, moment, names, number, quoted, span
from m2mguard.token.claims import is_logto_machine, sub_is_client_id


def _field(evidence: Evidence) -> str:
    return (
        "Authorization: Bearer, and one token"
        if evidence.reading.credential
        else "expected: Bearer, a space, and one token"
    )


def _form(evidence: Evidence) -> str:
    reading = evidence.reading
    if reading.header is not None or reading.segments == 3:
        return "three base64url segments: header, claims, signature"
    return f"{reading.characters:,} characters in {reading.segments} segment(s); a signed token has three, with dots between"


def _header(evidence: Evidence) -> str:
    header = evidence.reading.header
    if header is None:
        return "expected: alg, and no extension (crit)"
    kid = "no kid" if header.kid is None else f"kid {quoted(header.kid)}"
    return f"alg {quoted(header.alg)}, {kid}, {_typ(evidence)}"


def _issuer(evidence: Evidence) -> str:
    one_of = "one of " if len(evidence.issuers) > 1 else ""
    return f"{_member(evidence, 'iss')}; expected: {one_of}{listed(issuer.url for issuer in evidence.issuers)}"


def _algorithm(evidence: Evidence) -> str:
    header, issuer = evidence.reading.header, evidence.issuer
    said = quoted(header.alg) if header else "?"
    return f"alg is {said}; expected: {names(issuer.algorithms)}" if issuer else f"alg is {said}"


def _key(evidence: Evidence) -> str:
    keys, header = evidence.keys, evidence.reading.header
    if keys is None or header is None or not keys.keys:
        return "no keys at hand"
    if header.kid is None:
        fitting = {key.thumbprint for key in keys.keys if header.alg in key.algorithms}
        if len(fitting) == 1:
            return f"no kid; thumbprint {fitting.pop()}, the only one for {quoted(header.alg)}; {evidence.keys_from}"
        return f"no kid, and {len(fitting)} keys for {quoted(header.alg)}; expected: one; {evidence.keys_from}"
    named = [key for key in keys.keys if key.key_id == header.kid]
    for key in named or [key for key in keys.keys if not key.key_id and header.alg in key.algorithms]:
        return f"thumbprint {key.thumbprint}, for {names(key.algorithms)}; {evidence.keys_from}"
    return f"none of this kid among {listed(keys.key_ids)}; {evidence.keys_from}"


def _signature(_: Evidence) -> str:
    return "over header and claims; expected: made by that key"


def _type(evidence: Evidence) -> str:
    issuer = evidence.issuer
    accepted = sorted(quoted(name) if name else "no typ" for name in issuer.token_types) if issuer else []
    return f"{_typ(evidence)}; expected: {' or '.join(accepted)}" if accepted else _typ(evidence)


def _typ(evidence: Evidence) -> str:
    typ = evidence.reading.header.typ if evidence.reading.header else None
    return "no typ" if typ is None else f"typ {quoted(typ)}"


def _claims(evidence: Evidence) -> str:
    if evidence.issuer is None:
        return f"there: {quoted(sorted(_present(evidence)))}"
    required = frozenset(evidence.issuer.required_claims)
    missing = names(required - _present(evidence))
    return f"missing: {missing}" if missing else f"there: {names(required)}"


def _kind(evidence: Evidence) -> str | None:
    if evidence.issuer is None or not evidence.issuer.claim_values:
        return None
    return "; ".join(
        f"{_member(evidence, name)}, expected: {' or '.join(quoted(value) for value in sorted(values))}"
        for name, values in evidence.issuer.claim_values.items()
    )


def _binding(evidence: Evidence) -> str:
    return "bound to a key (cnf); expected: a bearer token" if "cnf" in _present(evidence) else "no cnf: a bearer token"


def _audience(evidence: Evidence) -> str:
    organizations = evidence.issuer is not None and evidence.issuer.organizations
    expected = [quoted(audience) for audience in evidence.audiences] + ["any organization"] * organizations
    in_scopes = evidence.issuer is not None and evidence.issuer.audience_in_scope and "aud" not in _present(evidence)
    said = (
        f"no aud, so what stands in front of the last / in {_scopes(evidence)}"
        if in_scopes
        else _member(evidence, "aud")
    )
    return f"{said}; expected: {' or '.join(expected)}"


def _expiry(evidence: Evidence) -> str:
    return f"exp is {_time(evidence, 'exp', 'expired', 'expires')}; leeway {evidence.leeway:g} s"


def _start(evidence: Evidence) -> str:
    return (
        "; ".join(
            f"{name} is {_time(evidence, name, verb, verb)}"
            for name, verb in (("nbf", "valid from"), ("iat", "issued"))
            if name in _present(evidence)
        )
        or "no iat and no nbf"
    )


def _app_id(evidence: Evidence) -> str:
    wanted = dict.fromkeys(("sub", "client_id", evidence.issuer.app_id_claim if evidence.issuer else "sub"))
    return ", ".join(_member(evidence, name) for name in wanted)


def _scopes(evidence: Evidence) -> str:
    lists = evidence.issuer.scope_lists if evidence.issuer else ()
    return ", ".join(_member(evidence, name) for name in dict.fromkeys(("scope", *lists)))


def _organization(evidence: Evidence) -> str:
    return _member(evidence, "organization_id")


def _token_id(evidence: Evidence) -> str:
    return _member(evidence, "jti")


def _machine(evidence: Evidence) -> str:
    expected = "a machine's token" if evidence.machine_only else "a machine's token, or a person's"
    if evidence.issuer is None or evidence.issuer.is_machine not in (sub_is_client_id, is_logto_machine):
        return f"expected: {expected}"
    sub, client_id = (evidence.reading.claim(name) for name in ("sub", "client_id"))
    return f"sub is {'' if sub == client_id else 'not '}client_id; expected: {expected}"


def _route_organization(evidence: Evidence) -> str:
    match evidence.requirement.organization:
        case None:
            asked = "a global token"
        case "*":
            asked = "any organization's token, or a global one"
        case wanted:
            asked = f"a token of {quoted(wanted)}"
    return f"the route asks for: {asked}"


def _route_application(evidence: Evidence) -> str:
    return f"the route asks for: {listed(evidence.requirement.app_ids, none='any')}"


def _route_scopes(evidence: Evidence) -> str:
    return f"the route asks for: {listed(evidence.requirement.scopes)}"


STEPS: tuple[tuple[str, Callable[[Evidence], str | None]], ...] = (
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


def _present(evidence: Evidence) -> frozenset[str]:
    return frozenset(evidence.reading.claims or ())


def _member(evidence: Evidence, name: str) -> str:
    return f"{name} {quoted(evidence.reading.claim(name))}" if name in _present(evidence) else f"no {name}"


def _time(evidence: Evidence, name: str, past: str, future: str) -> str:
    if name not in _present(evidence):
        return "missing"
    seconds = number(evidence.reading.claim(name))
    if seconds is None:
        return quoted(evidence.reading.claim(name))
    ago = evidence.now - seconds
    return f"{moment(seconds)}: {f'{past} {span(ago)} ago' if ago >= 0 else f'{future} in {span(-ago)}'}"
