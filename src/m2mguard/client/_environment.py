"""A `TokenSource` from outside the code: `M2MGUARD_CLIENT_*` variables, and what a platform sets for its workloads.

Any other name with the prefix is refused, so that a misspelt setting is never ignored. What a platform sets is used only where no variable
of ours names an issuer or a way to authenticate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from m2mguard._authentication.assertion import AssertionFile
from m2mguard._authentication.choice import ClientAuthentication
from m2mguard._authentication.mutual_tls import MutualTls
from m2mguard._authentication.private_key import PrivateKeyJwt
from m2mguard._setting_text import json_object, read_setting, switch, text, variables, words
from m2mguard._validation import did_you_mean
from m2mguard.client._dpop import DpopKey
from m2mguard.errors import ConfigurationError
from m2mguard.net._credential_files import read_credential_file

PREFIX = "M2MGUARD_CLIENT_"
READERS: Mapping[str, Callable[[str], Any]] = {
    "ISSUER": text,
    "LOGTO_ENDPOINT": text,
    "TOKEN_ENDPOINT": text,
    "ID": text,
    "SECRET": str,
    "SECRET_FILE": text,
    "AUTHENTICATION": text,
    "KEY_FILE": text,
    "KEY_ID": text,
    "KEY_CERTIFICATE_FILE": text,
    "ASSERTION_AUDIENCE": text,
    "ASSERTION_FILE": text,
    "TLS_CERTIFICATE_FILE": text,
    "TLS_KEY_FILE": text,
    "RESOURCE": text,
    "SCOPES": words,
    "ORGANIZATION_ID": text,
    "PARAMETERS": json_object,
    "MISSING_SCOPE": text,
    "DPOP": switch,
    "DPOP_KEY_FILE": text,
    "TIMEOUT": float,
    "ALLOW_HTTP": switch,
}
_WAYS = ("SECRET", "SECRET_FILE", "KEY_FILE", "ASSERTION_FILE", "TLS_CERTIFICATE_FILE")
# Each belongs to one of the ways beside it.
_DETAILS = {
    "AUTHENTICATION": ("SECRET", "SECRET_FILE"),
    "KEY_ID": ("KEY_FILE",),
    "KEY_CERTIFICATE_FILE": ("KEY_FILE",),
    "ASSERTION_AUDIENCE": ("KEY_FILE",),
    "TLS_KEY_FILE": ("TLS_CERTIFICATE_FILE",),
}
_NOT_FOR_LOGTO = frozenset(
    (
        "ISSUER",
        "TOKEN_ENDPOINT",
        "AUTHENTICATION",
        "KEY_FILE",
        "ASSERTION_FILE",
        "TLS_CERTIFICATE_FILE",
        "PARAMETERS",
        "MISSING_SCOPE",
        "DPOP",
        "DPOP_KEY_FILE",
    )
)
_SAME_NAME = (
    "ISSUER", "LOGTO_ENDPOINT", "TOKEN_ENDPOINT", "RESOURCE", "SCOPES", "ORGANIZATION_ID", "PARAMETERS", "MISSING_SCOPE", "TIMEOUT",
    "ALLOW_HTTP",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SecretFile:
    """Reads a secret from a file, for each token request."""

    path: str

    def __call__(self) -> str:
        """What the file holds, without the white space around it."""
        return read_credential_file(self.path).decode().strip()


def source_arguments(environ: Mapping[str, str], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `TokenSource`, with `logto_endpoint` for one of Logto's.

    Args:
        environ: the variables.
        overrides: arguments that take precedence. Another way to authenticate takes the place of that of the variables.

    Raises:
        ConfigurationError: a variable that does not exist, cannot be read, is missing, or contradicts another.
    """
    given: dict[str, Any] = {}
    for name, value in variables(environ, PREFIX).items():
        if name not in READERS:
            known = [f"{PREFIX}{one}" for one in sorted(READERS)]
            raise ConfigurationError(f"unknown setting {PREFIX}{name}. {did_you_mean(f'{PREFIX}{name}', known)}")
        given[name] = read_setting(f"{PREFIX}{name}", READERS[name], value)
    _check(given)
    arguments = {name.lower(): given[name] for name in _SAME_NAME if name in given}
    if "ID" in given:
        arguments["client_id"] = given["ID"]
    if "DPOP_KEY_FILE" in given or given.get("DPOP"):
        arguments["dpop"] = DpopKey(given.get("DPOP_KEY_FILE"))
    way = overrides.keys() & {"client_secret", "authentication"}
    arguments |= ({} if way else _proof(given)) | dict(overrides)
    names_issuer = arguments.keys() & {"issuer", "logto_endpoint", "token_endpoint"}
    platform = None if names_issuer or way or given.keys() & set(_WAYS) else _entra_workload(environ)
    if platform is not None:
        return platform | arguments
    if not names_issuer:
        raise ConfigurationError(f"{PREFIX}ISSUER is missing: give the issuer's URL, or {PREFIX}LOGTO_ENDPOINT.")
    if "client_id" not in arguments:
        raise ConfigurationError(f"{PREFIX}ID is missing: give the client id; in Logto, the App ID.")
    if "logto_endpoint" in arguments and "client_secret" not in arguments:
        raise ConfigurationError(f"{PREFIX}SECRET is missing: give the App Secret, or {PREFIX}SECRET_FILE.")
    return arguments


def _check(given: Mapping[str, Any]) -> None:
    ways = [f"{PREFIX}{name}" for name in _WAYS if name in given]
    if len(ways) > 1:
        raise ConfigurationError(f"{' and '.join(ways)} both prove who asks; give one.")
    if "LOGTO_ENDPOINT" in given:
        needless = [f"{PREFIX}{name}" for name in given if name in _NOT_FOR_LOGTO]
        if needless:
            raise ConfigurationError(
                f"{', '.join(needless)} cannot be given with {PREFIX}LOGTO_ENDPOINT: Logto takes a secret, {PREFIX}SECRET or "
                f"{PREFIX}SECRET_FILE, by its own rules."
            )
    if "DPOP_KEY_FILE" in given and given.get("DPOP") is False:
        raise ConfigurationError(f"{PREFIX}DPOP_KEY_FILE contradicts {PREFIX}DPOP=false; give one of them.")
    for detail, owners in _DETAILS.items():
        if detail in given and not given.keys() & set(owners):
            needed = " or ".join(f"{PREFIX}{owner}" for owner in owners)
            raise ConfigurationError(f"{PREFIX}{detail} has no effect without {needed}.")


def _proof(given: Mapping[str, Any]) -> dict[str, Any]:
    secret = SecretFile(given["SECRET_FILE"]) if "SECRET_FILE" in given else given.get("SECRET")
    if secret is not None:
        method = given.get("AUTHENTICATION")
        return {"client_secret": secret} | ({} if method is None else {"client_authentication": method})
    authentication: ClientAuthentication | None = None
    if "KEY_FILE" in given:
        authentication = PrivateKeyJwt(
            given["KEY_FILE"],
            key_id=given.get("KEY_ID"),
            certificate=given.get("KEY_CERTIFICATE_FILE"),
            assertion_audience=given.get("ASSERTION_AUDIENCE"),
        )
    elif "ASSERTION_FILE" in given:
        authentication = AssertionFile(given["ASSERTION_FILE"])
    elif "TLS_CERTIFICATE_FILE" in given:
        authentication = MutualTls(given["TLS_CERTIFICATE_FILE"], given.get("TLS_KEY_FILE"))
    return {} if authentication is None else {"authentication": authentication}


def _entra_workload(environ: Mapping[str, str]) -> dict[str, Any] | None:
    """What the webhook of Entra's workload identity sets in a pod of Kubernetes: tenant, application, and a file with an assertion."""
    tenant, client_id, file = (
        environ.get(f"AZURE_{name}", "").strip() for name in ("TENANT_ID", "CLIENT_ID", "FEDERATED_TOKEN_FILE")
    )
    if not (tenant and client_id and file):
        return None
    authority = environ.get("AZURE_AUTHORITY_HOST", "").strip() or "https://login.microsoftonline.com"
    return {
        "token_endpoint": f"{authority.rstrip('/')}/{tenant}/oauth2/v2.0/token",
        "client_id": client_id,
        "authentication": AssertionFile(file),
    }
