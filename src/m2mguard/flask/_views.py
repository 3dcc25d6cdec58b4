"""What an app gets beside its guard: views for probes and for the metadata, and a command."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, cast

from flask import Response, current_app
from flask.cli import AppGroup

from m2mguard.flask._request import EXTENSION, server_of_app

if TYPE_CHECKING:
    from m2mguard._server.resource_metadata import ResourceMetadata


def readiness() -> Response:
    """A view for readiness probes: `app.add_url_rule("/readyz", view_func=readiness)`.

    It never waits; where there are no usable keys it starts a fetch in the background. See `ResourceServer.readiness`.
    """
    answer = server_of_app().readiness()
    return current_app.response_class(answer.body, answer.status, dict(answer.headers))


def resource_metadata() -> Response:
    """The view of the API's metadata."""
    metadata = cast("ResourceMetadata", server_of_app().resource_metadata)  # there is no rule for this view without
    return current_app.response_class(metadata.answer.body, metadata.answer.status, dict(metadata.answer.headers))


def commands() -> AppGroup:
    """The commands `flask m2mguard ...`."""
    group = AppGroup(EXTENSION, help="Machine-to-machine access tokens.")

    @group.command("health")
    def health() -> None:
        """Fetch the issuers' keys and show their state. The exit status is 1 if tokens cannot be checked."""
        found = server_of_app().warm_up()
        print(json.dumps(dataclasses.asdict(found), indent=2))  # noqa: T201
        raise SystemExit(0 if found.ready else 1)

    return group
