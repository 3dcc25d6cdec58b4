"""Reads the APIs and applications of a tenant from options, as `m2mguard dev` and `python -m m2mguard.testing` take them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from m2mguard._server.requirement import Requirement
from m2mguard._validation import did_you_mean, split_url
from m2mguard.errors import ConfigurationError
from m2mguard.testing._minting import SHOPPING_API
from m2mguard.testing._tenant import DEFAULT_RESOURCES, Application, Resource

_EXAMPLE_APP: Final = "app-orders"


def read_resource(place: str, identifier: str, scopes: Iterable[str]) -> Resource:
    """Check an API identifier and its scopes.

    Args:
        place: where they are given, for the message.
        identifier: the API identifier.
        scopes: the scopes that exist at this API.

    Raises:
        ConfigurationError: the identifier is no absolute URI, or a scope is invalid.
    """
    parts = split_url(identifier)
    if parts is None or not parts.scheme:
        raise ConfigurationError(f"{place}: an API identifier is an absolute URI, such as {SHOPPING_API}.")
    try:
        Requirement(scopes=tuple(scopes))
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error}") from None
    return Resource(scopes=tuple(scopes))


def read_resources(options: Iterable[str]) -> dict[str, Resource]:
    """Read each `--api`: "IDENTIFIER" or "IDENTIFIER=SCOPE,SCOPE". Raises ConfigurationError."""
    resources = {}
    for text in options:
        identifier, _, scopes = text.partition("=")
        resources[identifier] = read_resource(f"--api {text}", identifier, _split(scopes))
    return resources


def read_applications(options: Iterable[str], resources: Mapping[str, Resource]) -> dict[str, Application]:
    """Read each `--app`: "ID" has every scope of every API; "ID=SCOPE,SCOPE" has these, at each API that has them.

    Raises:
        ConfigurationError: there is no App ID, or no API has the scope.
    """
    return {text.partition("=")[0]: _read_application(text, resources) for text in options}


def _read_application(text: str, resources: Mapping[str, Resource]) -> Application:
    app_id, given, listed = text.partition("=")
    if not app_id.strip():
        raise ConfigurationError(f"--app {text}: give an App ID, such as app-orders.")
    if not given:
        return _application_with_every_scope(app_id, resources)
    granted = _split(listed)
    existing = dict.fromkeys(scope for one in resources.values() for scope in one.scopes)
    for scope in granted:
        if scope not in existing:
            raise ConfigurationError(
                f"--app {text}: no API has the scope {scope!r}. "
                f"{did_you_mean(scope, existing) if existing else 'Give an API scopes: --api API=SCOPE,SCOPE.'}"
            )
    scopes = {api: tuple(scope for scope in granted if scope in one.scopes) for api, one in resources.items()}
    return Application(secret=f"secret-of-{app_id}", name=app_id, scopes=scopes)


def _application_with_every_scope(app_id: str, resources: Mapping[str, Resource]) -> Application:
    return Application(
        secret=f"secret-of-{app_id}", name=app_id, scopes={api: tuple(one.scopes) for api, one in resources.items()}
    )


def example_resources() -> dict[str, Resource]:
    """Create the APIs of a tenant for which none is named: the shopping API."""
    return {SHOPPING_API: DEFAULT_RESOURCES[SHOPPING_API]}


def example_applications(resources: Mapping[str, Resource]) -> dict[str, Application]:
    """Create the applications of a tenant for which none is named: one that has every scope of these APIs."""
    return {_EXAMPLE_APP: _application_with_every_scope(_EXAMPLE_APP, resources)}


def _split(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)
