"""A process whose metrics Prometheus reads, and in which one thing goes wrong: `python -m tests.deploy.drill_app PORT DRILL FOLDER`."""

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server

from m2mguard import ResourceServer
from m2mguard.blocklist import FileBlocklist
from m2mguard.client import TokenSource
from m2mguard.errors import KeysUnavailable, M2MGuardError
from m2mguard.telemetry import Gauges, Metrics
from m2mguard.testing import SHOPPING_API, LocalIssuer, MovableClock

NOBODY = "http://127.0.0.1:1"
Step = Callable[[], object]


def tokens_unchecked(_folder: Path, metrics: Metrics) -> tuple[ResourceServer, Step]:
    """Requests come while the issuer was never there."""
    with LocalIssuer() as other:
        token = other.mint(claims={"iss": NOBODY})
    server = ResourceServer(NOBODY, audience=SHOPPING_API, on_event=metrics)

    def ask() -> None:
        with contextlib.suppress(KeysUnavailable):
            server.verify(token)

    return server, ask


def keys_near_their_end(_folder: Path, metrics: Metrics) -> tuple[ResourceServer, Step]:
    """The issuer stops, and forty minutes go by."""
    clock = MovableClock()
    with LocalIssuer(clock=clock) as issuer:
        server = ResourceServer(issuer.trusted, audience=SHOPPING_API, on_event=metrics, clock=clock, monotonic=clock)
        server.warm_up()
    clock.advance(minutes=40)
    return server, server.refresh


def refreshes_fail(_folder: Path, metrics: Metrics) -> tuple[ResourceServer, Step]:
    """The issuer stops."""
    with LocalIssuer() as issuer:
        server = ResourceServer(issuer.trusted, audience=SHOPPING_API, on_event=metrics)
        server.warm_up()
    return server, server.refresh


def not_ready(_folder: Path, metrics: Metrics) -> tuple[ResourceServer, Step]:
    """A process starts while the issuer is down."""
    return ResourceServer(NOBODY, audience=SHOPPING_API, on_event=metrics), lambda: None


def blocklist_old(folder: Path, metrics: Metrics) -> tuple[ResourceServer, Step]:
    """The file is gone, for longer than a drill lasts: the time at which it was read is set back."""
    path = folder / "blocked.json"
    path.write_text('{"format": 1, "blocks": []}')
    blocklist = FileBlocklist(path)
    server = ResourceServer(NOBODY, audience=SHOPPING_API, on_event=metrics, blocklist=blocklist)
    server.warm_up(timeout=10)
    path.unlink()
    while blocklist.health().last_problem is None:
        time.sleep(0.05)
    blocklist._read_at -= 120  # type: ignore[operator]
    return server, lambda: None


def blocklist_changed(folder: Path, metrics: Metrics) -> tuple[ResourceServer, Step]:
    """Somebody blocks an application, again and again."""
    path, count = folder / "blocked.json", [0]
    server = ResourceServer(
        NOBODY, audience=SHOPPING_API, on_event=metrics, blocklist=FileBlocklist(path, interval=0.2)
    )

    def block() -> None:
        count[0] += 1
        path.write_text(
            f'{{"format": 1, "blocks": [{{"issuer": "i", "app_id": "a{count[0]}", "reason": "drill", "expires_at": 4e9}}]}}'
        )
        server.warm_up(timeout=0.1)

    return server, block


def own_token_not_renewed(_folder: Path, metrics: Metrics) -> tuple[ResourceServer, Step]:
    """The issuer of a calling service is down."""
    source = TokenSource(
        token_endpoint=f"{NOBODY}/token",
        client_id="app-orders",
        client_secret="drill",
        on_event=metrics,
        allow_http=True,
    )

    def get() -> None:
        with contextlib.suppress(M2MGuardError):
            source.token()

    return ResourceServer(NOBODY, audience=SHOPPING_API), get


DRILLS = {
    "M2mguardTokensUnchecked": tokens_unchecked,
    "M2mguardKeysNearTheirEnd": keys_near_their_end,
    "M2mguardRefreshesFail": refreshes_fail,
    "M2mguardNotReady": not_ready,
    "M2mguardBlocklistOld": blocklist_old,
    "M2mguardBlocklistChanged": blocklist_changed,
    "M2mguardOwnTokenNotRenewed": own_token_not_renewed,
}


def main(port: str, drill: str, folder: str) -> None:
    meter = MeterProvider(metric_readers=[PrometheusMetricReader()]).get_meter("m2mguard")
    server, step = DRILLS[drill](Path(folder), Metrics(meter=meter))
    Gauges(server, meter=meter)  # the meter holds it
    start_http_server(int(port), addr="127.0.0.1")
    while True:
        step()
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
