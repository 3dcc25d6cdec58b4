"""Presets for platforms that issue tokens to what they run. Each docstring says what differs from RFC 9068, and why that is still safe.

Pure settings, after the platforms' public documentation. Such tokens have no scopes: `grants` says which workload has which.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from m2mguard._token.token_profile import Claims
from m2mguard._validation import one_or_more
from m2mguard.errors import ConfigurationError
from m2mguard.issuer import Issuer

_REQUIRED = frozenset(("iss", "aud", "exp", "iat", "sub"))
_KUBERNETES = "kubernetes.io"
_API_SERVER = "https://kubernetes.default.svc"
_SERVICE_ACCOUNT = re.compile(r"system:serviceaccount:[^:/]+:[^:/]+")
_GITHUB_ID = re.compile(r"\d{1,19}")
_WRITERS_EVENTS = ("push", "schedule", "workflow_dispatch")
_AWS = "https://sts.amazonaws.com/"
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/.+")


def kubernetes(issuer: str, *, grants: Mapping[str, Collection[str]] | None = None, in_cluster: bool = False) -> Issuer:
    """The service accounts of a Kubernetes cluster, by the tokens that their pods have mounted (projected service account tokens).

    There is no `typ`, or it is `JWT`; the App ID is `sub`, "system:serviceaccount:NAMESPACE:NAME"; there are no scopes; RS256 or ECDSA.
    Relaxed: `typ`, `client_id` and `jti`. The claim `kubernetes.io` must name the same service account and the pod that
    the token is bound to: no other token of the issuer has it, neither the old one of a Secret, nor one that a person made with
    `kubectl create token`. Your API needs an audience of its own: the API server's, which every pod's default token has, is refused.

    Any pod of the cluster may ask for a token for any audience. So let each route ask for a scope that `grants` grants, or for `app_ids`.

    Args:
        issuer: the cluster's issuer: the `issuer` of `kubectl get --raw /.well-known/openid-configuration`.
        grants: App ID to scopes, as for `Issuer`; a name is `system:serviceaccount:NAMESPACE:NAME`, each of the two a name or `*`.
        in_cluster: take the keys from the API server of the cluster that this process runs in, whatever the issuer's URL is; the server
            then needs `transport=m2mguard.net.InClusterTransport()`. Default False: found by discovery at the issuer, which must be public.

    Raises:
        ConfigurationError: an invalid value.
    """
    _check_names(grants, _SERVICE_ACCOUNT, "system:serviceaccount:NAMESPACE:NAME")
    if not isinstance(in_cluster, bool):
        raise ConfigurationError("in_cluster must be True or False.")
    own = (issuer, _API_SERVER, f"{_API_SERVER}.cluster.local", "kubernetes.default.svc", "api", "k3s")
    return Issuer(
        url=issuer,
        jwks_uri=f"{_API_SERVER}/openid/v1/jwks" if in_cluster else None,
        algorithms=("RS256", "ES256", "ES384", "ES512"),
        token_types=(None, "JWT"),
        required_claims=_REQUIRED | {_KUBERNETES},
        is_machine=_is_pod,
        grants=grants,
        default_audiences=own,
    )


def github_actions(
    *,
    repository_ids: Collection[str],
    events: Collection[str] | None = None,
    environments: Collection[str] | None = None,
    refs: Collection[str] | None = None,
    grants: Mapping[str, Collection[str]] | None = None,
) -> Issuer:
    """Workflow runs of GitHub Actions on github.com, by the OIDC tokens that their jobs ask for.

    `typ` is `JWT`; the App ID is `repository_id`; there are no scopes; RS256. Relaxed: `typ` and `client_id`. The issuer is the same for
    all of GitHub, so the repositories that may call are listed, by id: an id is never given away again, and a name is, after
    it was renamed or deleted. The App ID is that id, and not `sub`, which holds names, can be set to anything by the repository's
    owner, and has two forms (with ids since July 2026); both are accepted, and neither is read. Your API needs an audience
    of its own: the default, the URL of the repository's owner, is refused.

    Anyone who may push a branch may run any workflow on it. Name an environment with protection rules, or a protected branch.

    Args:
        repository_ids: the ids (numbers, as strings) of the repositories that may call: `gh api repos/OWNER/NAME --jq .id`.
        events: the values of `event_name` that are accepted. Default push, schedule and workflow_dispatch: what starts only with the
            right to write. Others, such as `pull_request_target`, run when a stranger acts.
        environments: the deployment environments that are accepted; a job without one is then refused. Default: any, or none.
        refs: the values of `ref` that are accepted, such as "refs/heads/main". Default: any.
        grants: App ID to scopes, as for `Issuer`; each name is one of the `repository_ids`.

    Raises:
        ConfigurationError: an invalid value.
    """
    repositories = one_or_more("repository_ids", repository_ids, what="ids of repositories")
    if not all(_GITHUB_ID.fullmatch(one) for one in repositories):
        raise ConfigurationError("repository_ids must hold the numeric ids of repositories, not their names.")
    _check_names(grants, re.compile("|".join(repositories)), "one of the repository_ids")
    accepted = {
        "repository_id": repositories,
        "event_name": _WRITERS_EVENTS if events is None else one_or_more("events", events, what="events"),
    }
    if environments is not None:
        accepted["environment"] = one_or_more("environments", environments, what="environments")
    if refs is not None:
        accepted["ref"] = one_or_more("refs", refs, what="refs")
    return Issuer(
        url="https://token.actions.githubusercontent.com",
        algorithms=("RS256",),
        token_types=("JWT",),
        required_claims=_REQUIRED | {"jti", "repository_id", "event_name", "ref", "run_id"},
        claim_values=accepted,
        app_id_claim="repository_id",
        is_machine=_is_workflow_run,
        grants=grants,
        default_audiences=("https://github.com/*",),
    )


def aws_outbound(
    issuer: str, *, role_arns: Collection[str] | None = None, grants: Mapping[str, Collection[str]] | None = None
) -> Issuer:
    """The roles of one AWS account, by the tokens of its outbound identity federation (`sts:GetWebIdentityToken`).

    `typ` is `JWT` or missing; the App ID is `sub`, the role's ARN; there are no scopes; RS256 or ES384, as the caller asks. Relaxed: `typ`,
    and `client_id`. Each account has an issuer of its own; the token must name the same account in `sub` and in its AWS claims.
    A token of an IAM user or of the account's root counts as a person's. What the caller chose itself, such as `request_tags`,
    is never read.

    A role that is deleted and made again has the same ARN, and may be another's by then.

    Args:
        issuer: the account's issuer, as `aws iam get-outbound-web-identity-federation-info` shows it.
        role_arns: the roles that may call. Default: every role of the account; then let each route ask for a scope or for `app_ids`.
        grants: App ID to scopes, as for `Issuer`; a name is a role's ARN, with `*` for a whole segment after `role/` only.

    Raises:
        ConfigurationError: an invalid value.
    """
    roles = None if role_arns is None else one_or_more("role_arns", role_arns, what="ARNs of roles")
    _check_names(roles, _ROLE, "arn:aws:iam::ACCOUNT:role/NAME", setting="role_arns")
    _check_names(grants, _ROLE, "arn:aws:iam::ACCOUNT:role/NAME")
    return Issuer(
        url=issuer,
        algorithms=("RS256", "ES384"),
        token_types=(None, "JWT"),
        required_claims=_REQUIRED | {"jti", _AWS},
        claim_values={} if roles is None else {"sub": roles},
        is_machine=_is_role,
        grants=grants,
    )


def _check_names(names: Iterable[str] | None, form: re.Pattern[str], shown: str, *, setting: str = "grants") -> None:
    """A name of another form would never match, and nobody would notice."""
    if isinstance(names, Collection) and not isinstance(names, str):
        wrong = next((name for name in names if isinstance(name, str) and not form.fullmatch(name)), None)
        if wrong is not None:
            raise ConfigurationError(f"{setting}: {wrong!r} has not the form {shown}.")


def _is_pod(claims: Claims) -> bool:
    """The bound objects (Kubernetes writes them itself) name the account of `sub`, and a pod."""
    bound = claims[_KUBERNETES]
    if not isinstance(bound, Mapping):
        return False
    account, pod = bound.get("serviceaccount"), bound.get("pod")
    if not isinstance(account, Mapping) or not isinstance(pod, Mapping) or not pod.get("uid"):
        return False
    return claims["sub"] == f"system:serviceaccount:{bound.get('namespace')}:{account.get('name')}"


def _is_workflow_run(claims: Claims) -> bool:
    """Every token of this issuer is a workflow run's: nobody signs in there."""
    return "run_id" in claims


def _is_role(claims: Claims) -> bool:
    account = claims[_AWS]
    role = _ROLE.fullmatch(str(claims["sub"]))
    return role is not None and isinstance(account, Mapping) and account.get("aws_account") == role[1]
