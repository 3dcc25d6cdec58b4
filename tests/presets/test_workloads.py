"""Workload tokens as callers: recorded tokens are accepted as meant, and each known abuse is refused beside its accepted twin."""

import re
from typing import Any

import pytest

from m2mguard import ConfigurationError, Issuer, Requirement, ResourceServer
from m2mguard.presets import aws_outbound, github_actions, kubernetes
from m2mguard.testing import REMOVED
from tests.presets.workload_tokens import API, RECORDED, verify
from tests.refusals import ACCEPTED, outcome_of

CLUSTER, ACCOUNT = "https://my-cluster.example.com", "system:serviceaccount:my-namespace:my-serviceaccount"
AWS, ROLE = RECORDED["aws_outbound"]["claims"]["iss"], "arn:aws:iam::123456789012:role/DataProcessingRole"
BOUND = RECORDED["kubernetes"]["claims"]["kubernetes.io"]
WRONG: Any = [74]
OF_AWS = RECORDED["aws_outbound"]["claims"]["https://sts.amazonaws.com/"]
READS = Requirement(scopes=["read:orders"])


def scoped(*app_ids):
    return {app_id: ["read:orders"] for app_id in app_ids}


ISSUERS = {
    "kubernetes": kubernetes(CLUSTER, grants=scoped(ACCOUNT)),
    "github_actions": github_actions(repository_ids=["74"], grants=scoped("74")),
    "aws_outbound": aws_outbound(AWS, grants=scoped(ROLE)),
}
each = pytest.mark.parametrize("name", ISSUERS)


def outcome(name, issuer=None, requirement=READS, **changes):
    return outcome_of(lambda: verify(name, issuer or ISSUERS[name], requirement, **changes))


@pytest.mark.parametrize(
    ("name", "app_id"), [("kubernetes", ACCOUNT), ("github_actions", "74"), ("aws_outbound", ROLE)]
)
def test_a_recorded_token_is_accepted_with_its_app_id_and_the_granted_scopes(name, app_id):
    caller = verify(name, ISSUERS[name], READS)
    assert (caller.app_id, caller.scopes, caller.is_machine) == (app_id, {"read:orders"}, True)
    assert caller.subject == RECORDED[name]["claims"]["sub"]


@each
def test_the_audience_must_be_ours(name):
    assert outcome(name, aud=[API, "https://other.api"]) == ACCEPTED
    for other in (RECORDED[name]["claims"]["aud"], "https://other.api", [], f"{API}/"):
        assert outcome(name, aud=other) == (401, "audience")


@each
def test_every_required_claim_is_required(name):
    for claim in ISSUERS[name].required_claims:
        assert outcome(name, **{claim: REMOVED}) in ((401, "claim"), (401, "unknown_issuer")), claim


@each
@pytest.mark.parametrize("changes", [{"exp": 1}, {"cnf": {"jkt": "x"}}, {"header": {"typ": "logout+jwt"}}], ids=str)
def test_what_is_refused_of_every_issuer_is_refused_here(name, changes):
    assert outcome(name, **changes)[0] == 401


@each
def test_a_scope_that_the_token_names_itself_counts_for_nothing(name):
    assert outcome(name, requirement=Requirement(scopes=["admin"]), scope="admin", scp=["admin"]) == (403, "scope")


@pytest.mark.parametrize(
    ("issuer", "audience"),
    [
        (kubernetes(CLUSTER), CLUSTER),
        (kubernetes(CLUSTER), "https://kubernetes.default.svc"),
        (kubernetes(CLUSTER), "https://kubernetes.default.svc.cluster.local"),
        (github_actions(repository_ids=["74"]), "https://github.com/octo-org"),
    ],
)
def test_an_api_with_the_platforms_default_audience_cannot_be_built(issuer, audience):
    for given in (audience, [API, audience]):
        with pytest.raises(ConfigurationError, match=re.escape(f"audience: {audience} is what tokens of")):
            ResourceServer(issuer, audience=given)
    assert ResourceServer(issuer, audience=API)
    assert ResourceServer(
        "https://issuer.example", audience=audience
    )  # the audience of another issuer is nobody's default


# Kubernetes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sub": "system:serviceaccount:other:my-serviceaccount", "kubernetes.io": {**BOUND, "namespace": "other"}}, (403, "scope")),
        ({"iss": "https://other-cluster.example.com"}, (401, "unknown_issuer")),
        ({"iss": "kubernetes/serviceaccount", "kubernetes.io": REMOVED}, (401, "unknown_issuer")),
        ({"aud": ["https://kubernetes.default.svc.cluster.local"]}, (401, "audience")),
        ({"kubernetes.io": {**BOUND, "pod": None}}, (403, "not_a_machine")),
        ({"kubernetes.io": {**BOUND, "pod": {"name": "my-pod"}}}, (403, "not_a_machine")),
        ({"kubernetes.io": {"namespace": "my-namespace", "serviceaccount": BOUND["serviceaccount"]}}, (403, "not_a_machine")),
        ({"kubernetes.io": {"namespace": "my-namespace", "pod": BOUND["pod"]}}, (403, "not_a_machine")),
        ({"kubernetes.io": {**BOUND, "namespace": "other"}}, (403, "not_a_machine")),
        ({"kubernetes.io": {**BOUND, "serviceaccount": {"name": "other"}}}, (403, "not_a_machine")),
        ({"kubernetes.io": "my-namespace"}, (403, "not_a_machine")),
        ({"sub": "system:node:my-node"}, (403, "not_a_machine")),
    ],
    ids=["another namespace", "another cluster", "of a Secret", "API server's audience", "no pod", "a pod without uid", "pod missing",
         "no account",
         "contradicting namespace", "contradicting account", "text", "a node"],
)  # fmt: skip
def test_another_token_of_a_cluster_is_refused(changes, expected):
    assert outcome("kubernetes", **changes) == expected
    assert outcome("kubernetes") == ACCEPTED


def test_a_namespace_can_be_granted_as_a_whole_and_no_other_with_it():
    issuer = kubernetes(CLUSTER, grants=scoped("system:serviceaccount:my-namespace:*"))
    assert outcome("kubernetes", issuer) == ACCEPTED
    for namespace in ("my-namespace-2", "my", "other"):
        changed = {
            "sub": f"system:serviceaccount:{namespace}:my-serviceaccount",
            "kubernetes.io": {**BOUND, "namespace": namespace},
        }
        assert outcome("kubernetes", issuer, **changed) == (403, "scope")


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"alg": "ES256"}], ids=str)
def test_clusters_with_other_signers_are_accepted(header):
    assert outcome("kubernetes", header=header) == ACCEPTED
    assert outcome("kubernetes", jti=REMOVED) == ACCEPTED  # before Kubernetes 1.30


def test_in_the_cluster_the_keys_are_at_the_api_server():
    assert kubernetes(CLUSTER, in_cluster=True).jwks_uri == "https://kubernetes.default.svc/openid/v1/jwks"
    assert kubernetes(CLUSTER).jwks_uri is None


# GitHub Actions


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"repository_id": "75"}, (401, "claim")),
        ({"repository_id": 74}, (401, "claim")),
        (
            {"event_name": "pull_request", "sub": "repo:octo-org/octo-repo:pull_request", "ref": "refs/pull/7/merge"},
            (401, "claim"),
        ),
        ({"event_name": "pull_request_target"}, (401, "claim")),
        ({"event_name": "issue_comment"}, (401, "claim")),
        ({"iss": "https://token.actions.githubusercontent.com/octo-org"}, (401, "unknown_issuer")),
    ],
    ids=["a reused name", "a number", "a pull request", "pull_request_target", "a comment", "an enterprise"],
)
def test_another_run_of_github_is_refused(changes, expected):
    assert outcome("github_actions", **changes) == expected
    assert outcome("github_actions", event_name="push") == ACCEPTED


@pytest.mark.parametrize(
    "sub",
    [
        "repo:octo-org/octo-repo:environment:prod",
        "repo:octo-org@65/octo-repo@74:ref:refs/heads/main",
        "repository_id:74",
    ],
)
def test_every_form_of_sub_is_the_same_caller(sub):
    caller = verify("github_actions", ISSUERS["github_actions"], READS, sub=sub, repository="octo-org/renamed")
    assert (caller.app_id, caller.subject) == ("74", sub)


def test_environments_refs_and_events_can_be_named():
    issuer = github_actions(
        repository_ids=["74", "75"],
        environments=["prod"],
        refs=["refs/heads/main"],
        events=["release"],
        grants=scoped("74"),
    )
    good = {"event_name": "release", "environment": "prod", "ref": "refs/heads/main"}
    assert outcome("github_actions", issuer, **good) == ACCEPTED
    assert outcome("github_actions", issuer, **good | {"repository_id": "75"}) == (403, "scope")
    for wrong in (
        {"environment": "staging"}, {"environment": REMOVED}, {"ref": "refs/heads/main2"}, {"ref": "refs/tags/main"},
        {"event_name": "push"},
    ):  # fmt: skip
        assert outcome("github_actions", issuer, **good | wrong) == (401, "claim"), wrong


# AWS


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sub": "arn:aws:iam::999999999999:role/DataProcessingRole"}, (403, "not_a_machine")),
        ({"https://sts.amazonaws.com/": {**OF_AWS, "aws_account": "999999999999"}}, (403, "not_a_machine")),
        ({"iss": "https://other.tokens.sts.global.api.aws"}, (401, "unknown_issuer")),
        ({"sub": "arn:aws:iam::123456789012:user/jane"}, (403, "not_a_machine")),
        ({"sub": "arn:aws:iam::123456789012:root"}, (403, "not_a_machine")),
        ({"sub": "arn:aws:iam::123456789012:role/Other"}, (403, "scope")),
        ({"sub": "arn:aws:iam::123456789012:role/path/DataProcessingRole"}, (403, "scope")),
        ({"https://sts.amazonaws.com/": "123456789012"}, (403, "not_a_machine")),
    ],
    ids=[
        "another account",
        "contradicting account",
        "another issuer",
        "a user",
        "root",
        "another role",
        "a role below a path",
        "text",
    ],
)
def test_another_token_of_aws_is_refused(changes, expected):
    assert outcome("aws_outbound", **changes) == expected
    assert outcome("aws_outbound") == ACCEPTED


def test_roles_can_be_listed():
    issuer = aws_outbound(AWS, role_arns=[ROLE])
    assert outcome("aws_outbound", issuer, None) == ACCEPTED
    assert outcome("aws_outbound", issuer, None, sub=f"{ROLE}2") == (401, "claim")


def test_both_algorithms_of_aws_are_accepted_and_no_other():
    assert outcome("aws_outbound", header={"alg": "RS256"}) == ACCEPTED
    assert outcome("aws_outbound", header={"alg": "ES256"}) == (401, "algorithm")


# SPIRE: an issuer written by hand, as docs/guides/workloads.md has it

SPIRE = Issuer(
    url="https://spire-oidc.example.org",
    token_types=["JWT", "JOSE", None],
    required_claims=["iss", "aud", "exp", "iat", "sub"],
    is_machine=lambda claims: str(claims["sub"]).startswith("spiffe://example.org/"),
    grants={"spiffe://example.org/ns/production/sa/*": ["read:orders"]},
)


def test_a_jwt_svid_with_an_issuer_is_accepted():
    assert verify("spire", SPIRE, READS).app_id == "spiffe://example.org/ns/production/sa/orders"
    assert outcome("spire", SPIRE, sub="spiffe://example.org/ns/staging/sa/orders") == (403, "scope")
    assert outcome("spire", SPIRE, sub="spiffe://example.org.evil.example/ns/production/sa/orders") == (
        403,
        "not_a_machine",
    )
    assert outcome("spire", SPIRE, iss=REMOVED) == (401, "unknown_issuer")


def test_the_keys_of_a_spiffe_bundle_are_no_keys_for_tokens():
    """A bundle says `use: jwt-svid`, also beside `x509-svid`; the OIDC discovery provider writes none, or `sig` (`set_key_use`)."""
    from tests.presets.workload_tokens import KEYS

    jwk = {name: value for name, value in KEYS["ES256"].public_jwk.items() if name != "use"}
    for use in ({}, {"use": "sig"}):
        assert Issuer(url=SPIRE.url, jwks={"keys": [jwk | use]})
    with pytest.raises(ConfigurationError, match='its use is "jwt-svid", expected "sig"'):
        Issuer(url=SPIRE.url, jwks={"keys": [jwk | {"use": "jwt-svid"}]})


# Settings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kubernetes(CLUSTER, grants={"shop:orders": ["a"]}), "has not the form system:serviceaccount:NAMESPACE:NAME"),
        (lambda: kubernetes(CLUSTER, grants={"system:serviceaccount:shop": ["a"]}), "has not the form"),
        (lambda: kubernetes(CLUSTER, grants={}), "grants must be a non-empty dict"),
        (lambda: kubernetes(CLUSTER, grants=WRONG), "grants must be a non-empty dict of App IDs"),
        (lambda: kubernetes(CLUSTER, in_cluster=WRONG), "in_cluster must be True or False"),
        (lambda: kubernetes("http://cluster.example"), "issuer url is http"),
        (lambda: github_actions(repository_ids=[]), "repository_ids is empty"),
        (lambda: github_actions(repository_ids=["octo-org/octo-repo"]), "numeric ids of repositories, not their names"),
        (lambda: github_actions(repository_ids=["*"]), "numeric ids"),
        (lambda: github_actions(repository_ids=WRONG), "non-empty strings only"),
        (lambda: github_actions(repository_ids=["74"], events=[]), "events is empty"),
        (lambda: github_actions(repository_ids=["74"], grants=scoped("75")), "one of the repository_ids"),
        (lambda: aws_outbound(AWS, role_arns=[]), "role_arns is empty"),
        (lambda: aws_outbound(AWS, role_arns=["DataProcessingRole"]), "role_arns: 'DataProcessingRole' has not the form"),
        (lambda: aws_outbound(AWS, grants=scoped("arn:aws:iam::*:role/Orders")), "has not the form arn:aws:iam::ACCOUNT:role/NAME"),
    ],
)  # fmt: skip
def test_an_invalid_setting_is_rejected_with_advice(make, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        make()
