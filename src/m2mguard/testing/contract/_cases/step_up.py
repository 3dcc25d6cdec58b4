"""Routes for persons that ask how recently and by which means they signed in (RFC 9470)."""

from __future__ import annotations

from typing import Any, Final

from m2mguard._server.requirement import Requirement
from m2mguard.testing._calling_as import fake_caller
from m2mguard.testing.contract._case import Case
from m2mguard.testing.contract._credentials import Credentials, bearer, none, token
from m2mguard.testing.contract._environment import LEEWAY_S, NOW
from m2mguard.testing.contract._expectations import (
    MISSING,
    Expectation,
    SeenByRoute,
    insufficient,
    insufficient_user_authentication,
    invalid,
)
from m2mguard.testing.contract._messages import ContractRequest

_RECENT: Final = Requirement(max_age=300)
_AT_ONCE: Final = Requirement(max_age=0)
_STRONG: Final = Requirement(acr=["phishing-resistant", "urn:example:mfa"])
_ALL: Final = Requirement(scopes=["read:orders"], max_age=300, acr="urn:example:mfa")
_OF_BLUE: Final = Requirement(organization="org-blue", max_age=300)
_NO_AGE: Final = 'max_age="300"'
_NO_MEANS: Final = 'acr_values="phishing-resistant urn:example:mfa"'
_NEITHER: Final = 'acr_values="urn:example:mfa", max_age="300"'
_SEEN: Final = SeenByRoute(app_id="app-web")


def _person(*, scopes: tuple[str, ...] = ("read:orders",), lifetime: float = 3600, **claims: Any) -> Credentials:
    """A person's token with these claims."""
    return token(lambda issuer: issuer.mint_user_token("user-canary", scopes=scopes, lifetime=lifetime, claims=claims))


def _row(name: str, requirement: Requirement, credentials: Credentials, expected: Expectation, **other: Any) -> Case:
    return Case(
        name=name,
        requirement=requirement,
        credentials=credentials,
        expected=expected,
        admits_persons=True,
        **other,
    )


def _too_old(challenge: str = _NO_AGE, scope: str = "") -> Expectation:
    return insufficient_user_authentication("max_age", challenge, scope)


def _other_means(challenge: str = _NO_MEANS) -> Expectation:
    return insufficient_user_authentication("acr", challenge)


STEP_UP_CASES: Final = (
    _row("a recent sign-in passes", _RECENT, _person(auth_time=NOW - 299), _SEEN),
    _row("a sign-in as old as max_age and the leeway passes", _RECENT, _person(auth_time=NOW - 300 - LEEWAY_S), _SEEN),
    _row("an older sign-in is 401 and max_age is named", _RECENT, _person(auth_time=NOW - 301 - LEEWAY_S), _too_old()),
    _row("a sign-in of this moment passes max_age=0", _AT_ONCE, _person(auth_time=NOW), _SEEN),
    _row(
        "an older one is 401 with max_age=0",
        _AT_ONCE,
        _person(auth_time=NOW - 60),
        _too_old('max_age="0"'),
    ),
    _row("a token without auth_time is 401 where max_age is asked for", _RECENT, _person(), _too_old()),
    _row("an auth_time that is text is 401", _RECENT, _person(auth_time=str(NOW)), _too_old()),
    _row(
        "an auth_time that is true is 401",
        Requirement(max_age=2**31 - 1),
        _person(auth_time=True),
        _too_old('max_age="2147483647"'),
    ),
    _row("a sign-in within the leeway ahead passes", _RECENT, _person(auth_time=NOW + LEEWAY_S), _SEEN),
    _row("a sign-in in the future is 401", _RECENT, _person(auth_time=NOW + LEEWAY_S + 1), _too_old()),
    _row("an accepted acr passes", _STRONG, _person(acr="urn:example:mfa"), _SEEN),
    _row("another acr is 401 and the accepted ones are named", _STRONG, _person(acr="canary"), _other_means()),
    _row("acr is compared exactly", _STRONG, _person(acr="URN:example:mfa"), _other_means()),
    _row("an acr that is a part of an accepted one is 401", _STRONG, _person(acr="mfa"), _other_means()),
    _row(
        "all accepted values in one acr are 401",
        _STRONG,
        _person(acr="phishing-resistant urn:example:mfa"),
        _other_means(),
    ),
    _row("a token without acr is 401 where acr is asked for", _STRONG, _person(auth_time=NOW), _other_means()),
    _row("a list of acr is 401", _STRONG, _person(acr=["urn:example:mfa"]), _other_means()),
    _row(
        "who meets max_age, acr and scope passes",
        _ALL,
        _person(auth_time=NOW, acr="urn:example:mfa"),
        SeenByRoute(app_id="app-web"),
    ),
    _row("an old sign-in is told all that a new one needs", _ALL, _person(acr="urn:example:mfa"), _too_old(_NEITHER)),
    _row("and so is one by other means", _ALL, _person(auth_time=NOW, acr="pwd"), _other_means(_NEITHER)),
    _row(
        "a scope that is missing as well is named with it",
        _ALL,
        _person(scopes=(), auth_time=NOW - 3600, acr="urn:example:mfa"),
        _too_old(_NEITHER, "read:orders"),
    ),
    _row(
        "a scope that alone is missing is 403",
        _ALL,
        _person(scopes=("canary",), auth_time=NOW, acr="urn:example:mfa"),
        insufficient("scope", "read:orders"),
    ),
    _row(
        "nobody is asked to sign in again for another organization",
        _OF_BLUE,
        token(lambda issuer: issuer.mint_user_token("canary", organization_id="org-canary")),
        insufficient("organization"),
    ),
    _row(
        "of the right organization an old sign-in is 401",
        _OF_BLUE,
        token(lambda issuer: issuer.mint_user_token("canary", organization_id="org-blue")),
        _too_old(),
    ),
    _row("an application's token is 403 where max_age is asked for", _RECENT, bearer(), insufficient("not_a_person")),
    _row("and where acr is asked for", _STRONG, bearer(), insufficient("not_a_person")),
    _row("an application's token passes where neither is", Requirement(), bearer(), SeenByRoute()),
    _row(
        "an expired token of a recent sign-in is 401",
        _RECENT,
        _person(auth_time=NOW, lifetime=-3600),
        invalid("expired"),
    ),
    _row("no token is 401 without a word of sign-ins", _ALL, none, MISSING),
    _row("an old sign-in passes where nothing is asked", Requirement(), _person(auth_time=0), _SEEN),
    _row(
        "a public path asks for no sign-in",
        _RECENT,
        none,
        SeenByRoute(app_id=None),
        request=ContractRequest(path="/healthz"),
    ),
    _row(
        "calling_as a person who has just signed in passes",
        _RECENT,
        none,
        SeenByRoute(app_id="app-web", scopes=()),
        caller=fake_caller("app-web", user_id="canary", claims={"auth_time": NOW}),
    ),
    _row(
        "calling_as a person of an old sign-in is 401",
        _RECENT,
        none,
        _too_old(),
        caller=fake_caller("app-web", user_id="canary", claims={"auth_time": NOW - 3600}),
    ),
    _row(
        "calling_as an application is 403 where a sign-in is asked for",
        _RECENT,
        none,
        insufficient("not_a_person"),
        caller=fake_caller("app-canary"),
    ),
)
