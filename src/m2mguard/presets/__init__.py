"""Issuers other than Logto whose tokens differ from RFC 9068: one function each, and each says by name what it relaxes.

Public names only. A preset returns a plain `Issuer`, which you could also write yourself; nothing is fetched here.
"""

from m2mguard.presets._hosted import auth0, cognito, entra, google_service_accounts, okta
from m2mguard.presets._self_hosted import hydra, keycloak, zitadel
from m2mguard.presets._workloads import aws_outbound, github_actions, kubernetes

__all__ = [
    "auth0",
    "aws_outbound",
    "cognito",
    "entra",
    "github_actions",
    "google_service_accounts",
    "hydra",
    "keycloak",
    "kubernetes",
    "okta",
    "zitadel",
]


def __dir__() -> list[str]:
    return sorted(__all__)
