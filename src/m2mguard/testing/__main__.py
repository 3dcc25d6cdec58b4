"""`python -m m2mguard.testing`: a local issuer to develop against, until Ctrl-C."""

import argparse
import contextlib
import signal
import sys
import threading

from m2mguard.testing._local_issuer import LocalIssuer
from m2mguard.testing._minting import SHOPPING_API
from m2mguard.testing._signing import ALGORITHMS
from m2mguard.testing._tenant import DEFAULT_APPLICATIONS

_WELCOME = r"""
A local issuer for development; no other machine should reach it.

  endpoint    {issuer.endpoint}    ResourceServer(Issuer.logto("{issuer.endpoint}"), audience="{api}")
  App ID      {app_id}
  App Secret  {secret}

Get a token (it is in `access_token`), then look at the keys that verify it:

  curl -s -u {app_id}:{secret} {issuer.token_endpoint} \
    -d grant_type=client_credentials -d resource={api} -d scope=read:orders
  curl -s {issuer.jwks_uri}

Ctrl-C ends it.
"""


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m m2mguard.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=3001, help="default 3001, as Logto's; 0 takes a free one")
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="ES384", help="of the signing key; default ES384")
    arguments = parser.parse_args()
    app_id, application = next(iter(DEFAULT_APPLICATIONS.items()))
    try:
        issuer = LocalIssuer(port=arguments.port, algorithm=arguments.algorithm)
    except OSError as error:
        parser.error(f"port {arguments.port}: {error.strerror}")
    for ending in (signal.SIGINT, signal.SIGTERM):  # explicitly, since a shell may have started us with SIGINT ignored
        signal.signal(ending, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), issuer:
        welcome = _WELCOME.format(issuer=issuer, api=SHOPPING_API, app_id=app_id, secret=application.secret)
        sys.stdout.write(welcome)
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
