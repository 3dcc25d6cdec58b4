"""The contract's table can fail: adapters that are wrong in one way each, and the rows that find them out."""

import dataclasses
import json
from urllib.parse import unquote

import pytest

from m2mguard import Requirement
from m2mguard.errors import AnswerableError
from m2mguard.exemptions import may_run_as_another_method
from m2mguard.paths import PublicPaths
from m2mguard.testing.contract import (
    CASES,
    OWN_FIELDS,
    OWN_REFUSAL,
    STREAM,
    ApplicationFailure,
    ContractBroken,
    ContractResponse,
    Environment,
    shown,
)
from m2mguard.testing.contract._expectations import Passed


class Adapter:
    """Right, but for what a subclass changes. It has no framework: a request goes in and a response comes out."""

    matches_public_paths = False

    def tenant(self, request):
        return request.path.split("/")[2]

    def send(self, protection, request):
        try:
            caller = None
            if request.path not in ("/healthz", "/docs/page"):
                caller = self.caller_of(protection.server, request, protection.requirement)
        except AnswerableError as error:
            return self.refuse(request, protection.server.answer(error))
        match request.path:
            case "/stream":
                return ContractResponse(status=200, fields=OWN_FIELDS, body=b"".join(STREAM))
            case "/refusal":
                status, fields, body = OWN_REFUSAL
                return ContractResponse(status=status, fields=fields, body=body)
            case "/failure":
                return self.fail()
        body = b"" if request.method == "HEAD" else json.dumps(shown(caller)).encode()
        return ContractResponse(status=200, fields=(), body=body)

    def caller_of(self, server, request, requirement):
        return server.authenticate(request.authorization, requirement, request=request)

    def refuse(self, request, answer):
        body = b"" if request.method == "HEAD" else answer.body
        return ContractResponse(status=answer.status, fields=tuple(answer.headers.items()), body=body)

    def fail(self):
        raise ApplicationFailure("the application's own")


class LetsEverybodyIn(Adapter):
    def caller_of(self, server, request, requirement):
        return None


class TakesTheFirstField(Adapter):
    def caller_of(self, server, request, requirement):
        return server.authenticate(request.authorization[:1], requirement, request=request)


class ForgetsTheRequirement(Adapter):
    def caller_of(self, server, request, requirement):
        return server.authenticate(request.authorization, Requirement(organization="*"))


class SendsABodyToHead(Adapter):
    def refuse(self, request, answer):
        return ContractResponse(status=answer.status, fields=tuple(answer.headers.items()), body=answer.body)


class DropsTheFields(Adapter):
    def refuse(self, request, answer):
        return ContractResponse(status=answer.status, fields=(), body=answer.body)


class EchoesTheCredentials(Adapter):
    def refuse(self, request, answer):
        right = super().refuse(request, answer)
        return ContractResponse(
            status=right.status, fields=(*right.fields, ("X-Seen", str(request.authorization))), body=right.body
        )


class SwallowsTheFailure(Adapter):
    def fail(self):
        return ContractResponse(status=500, fields=(), body=b"")


class MatchesPublicPaths(Adapter):
    """Right, but for what a subclass changes: it decides about paths itself."""

    matches_public_paths = True

    def send(self, protection, request):
        public = PublicPaths(protection.public)
        path = unquote(request.path, errors="surrogateescape")
        is_public = public.match(
            path.encode(errors="surrogateescape"),
            method=self.method_of(request),
            raw_path=request.path.encode(),
        )
        if request.mounted_at == "" and not is_public and request.path in ("/healthz", "/docs/page"):
            request = dataclasses.replace(request, path="/caller")  # protected here
        elif self.opens(path, is_public):
            request = dataclasses.replace(request, path="/healthz")
        return super().send(protection, request)

    def method_of(self, request):
        overridden = may_run_as_another_method(request.fields, request.query)
        return None if overridden else request.method

    def opens(self, path, is_public):
        return is_public


class OpensThePrefixItself(MatchesPublicPaths):
    def opens(self, path, is_public):
        return is_public or path == "/docs/"


class RefusesSpaces(MatchesPublicPaths):
    def opens(self, path, is_public):
        return is_public and " " not in path


class ForgetsThatMethodsAreOverridden(MatchesPublicPaths):
    def method_of(self, request):
        return request.method


class ForgetsTheMethod(MatchesPublicPaths):
    def send(self, protection, request):
        without = tuple(entry.rpartition(" ")[2] for entry in protection.public)
        return super().send(dataclasses.replace(protection, public=without), request)


@pytest.fixture(scope="module")
def environment():
    with Environment() as environment:
        yield environment


def broken_rows(adapter, environment):
    broken = set()
    for case in CASES:
        if case.concerns(adapter):
            try:
                case.check(adapter, environment)
            except ContractBroken:
                broken.add(case.name)
    return broken


@pytest.mark.parametrize("adapter", [Adapter(), MatchesPublicPaths()], ids=lambda adapter: type(adapter).__name__)
def test_an_adapter_that_is_right_passes(environment, adapter):
    assert broken_rows(adapter, environment) == set()


@pytest.mark.parametrize(
    ("adapter", "case"),
    [
        (LetsEverybodyIn(), "no credentials are 401 without an error code"),
        (LetsEverybodyIn(), "without a token the application does not get to raise it"),
        (TakesTheFirstField(), "a second field of another scheme is 400"),
        (ForgetsTheRequirement(), "a missing scope is 403 and named"),
        (ForgetsTheRequirement(), "an organization's token on a global route is 403"),
        (ForgetsTheRequirement(), "an older sign-in is 401 and max_age is named"),
        (ForgetsTheRequirement(), "another acr is 401 and the accepted ones are named"),
        (ForgetsTheRequirement(), "an application's token is 403 where max_age is asked for"),
        (SendsABodyToHead(), "a refused HEAD has no body"),
        (DropsTheFields(), "keys that are not available are 503"),
        (DropsTheFields(), "no credentials are 401 without an error code"),
        (EchoesTheCredentials(), "another scheme is 401 without an error code"),
        (OpensThePrefixItself(), "not public: /docs/"),
        (RefusesSpaces(), "public: /docs/a%20page"),
        (ForgetsThatMethodsAreOverridden(), "nor what may run as another method: X-HTTP-Method"),
        (ForgetsThatMethodsAreOverridden(), "nor what names another in its query"),
        (ForgetsTheMethod(), "an entry opens no other method"),
        (SwallowsTheFailure(), "the application's own exception passes as it was raised"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_adapter_that_is_wrong_is_found_out(adapter, case, environment):
    assert case in broken_rows(adapter, environment)


def test_an_answer_that_is_not_the_applications_own_breaks_the_contract():
    with pytest.raises(ContractBroken, match="found 500"):
        Passed().hold(ContractResponse(status=500, fields=(), body=b""))
