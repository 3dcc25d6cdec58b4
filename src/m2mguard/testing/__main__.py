"""`python -m m2mguard.testing`: a local issuer to develop against, until Ctrl-C."""

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Mapping

from m2mguard.errors import ConfigurationError
from m2mguard.testing._local_issuer import LocalIssuer
from m2mguard.testing._signing import ALGORITHMS
from m2mguard.testing._tenant import DEFAULT_APPLICATIONS, DEFAULT_RESOURCES, Application, Resource
from m2mguard.testing._tenant_options import (
    example_applications,
    example_resources,
    read_applications,
    read_resources,
)

_WELCOME = r"""
A local issuer for development; no other machine should reach it.

  endpoint    {issuer.endpoint}    ResourceServer(Issuer.logto("{issuer.endpoint}"), audience="{api}")
  App ID      {app_id}
  App Secret  {secret}

Get a token (it is in `access_token`), then look at the keys that verify it:

  curl -s -u {app_id}:{secret} {issuer.token_endpoint} \
    -d grant_type=client_credentials -d resource={api}{scope}
  curl -s {issuer.jwks_uri}

Ctrl-C ends it.
"""


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m m2mguard.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=3001, help="default 3001, as Logto's; 0 takes a free one")
    parser.add_argument(
        "--api",
        action="append",
        default=[],
        metavar="API[=SCOPE,…]",
        help="instead of the shopping API; may be repeated",
    )
    parser.add_argument(
        "--app", action="append", default=[], metavar="ID[=SCOPE,…]", help="instead of app-orders; may be repeated"
    )
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="ES384", help="of the signing key; default ES384")
    arguments = parser.parse_args()
    try:
        resources, applications = _read_tenant(arguments.api, arguments.app)
        issuer = LocalIssuer(
            port=arguments.port, algorithm=arguments.algorithm, resources=resources, applications=applications
        )
    except ConfigurationError as error:
        parser.error(str(error))
    except OverflowError:
        parser.error("--port must be a whole number from 0 to 65535.")
    except OSError as error:
        parser.error(f"port {arguments.port}: {error.strerror}")
    api, (app_id, application) = next(iter(resources)), next(iter(applications.items()))
    scope = " ".join(application.scopes.get(api, ()))
    for ending in (signal.SIGINT, signal.SIGTERM):  # explicitly, since a shell may have started us with SIGINT ignored
        signal.signal(ending, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), issuer:
        welcome = _WELCOME.format(
            issuer=issuer,
            api=api,
            app_id=app_id,
            secret=application.secret,
            scope=f" -d scope={'+'.join(scope.split())}" if scope else "",
        )
        sys.stdout.write(welcome)
        sys.stdout.flush()
        threading.Event().wait()


def _read_tenant(apis: list[str], apps: list[str]) -> tuple[Mapping[str, Resource], Mapping[str, Application]]:
    if not apis and not apps:
        return DEFAULT_RESOURCES, DEFAULT_APPLICATIONS
    resources = read_resources(apis) or example_resources()
    return resources, read_applications(apps, resources) or example_applications(resources)


if __name__ == "__main__":
    main()
