"""Events are counted as OpenTelemetry metrics."""

import gc
import subprocess
import sys

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from m2mguard import InvalidToken, Issuer, KeysUnavailable, ResourceServer
from m2mguard.blocklist import FileBlocklist
from m2mguard.events import Event, KeysRefreshed, KeyWithdrawn, RefreshFailed
from m2mguard.telemetry import _TABLE, COUNTERS, GAUGES, Gauges, Metrics
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, faults
from tests.manual_clock import ManualClock
from tests.observed_events import ObservedEvents


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def meter(reader):
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    yield provider.get_meter("m2mguard")
    provider.shutdown()


def counted(reader, name) -> dict[frozenset, int]:
    points: dict[frozenset, int] = {}
    data = reader.get_metrics_data()  # None if there is nothing
    for resource in () if data is None else data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name == name:
                    for point in metric.data.data_points:
                        points[frozenset(point.attributes.items())] = point.value
    return points


def test_the_events_of_a_server_are_counted(reader, meter):
    clock, events = ManualClock(), ObservedEvents()
    with LocalIssuer(algorithm="ES256") as issuer:
        server = ResourceServer(
            Issuer.logto(issuer.endpoint),
            audience=SHOPPING_API,
            monotonic=clock,
            on_event=Metrics(meter=meter, then=events),
        )
        token = issuer.mint()
        forged = issuer.mint(key=SigningKey.generate("ES256", kid="forged"))
        server.verify(token)
        server.verify(token)
        for error in (InvalidToken, KeysUnavailable, KeysUnavailable):
            with pytest.raises(error):
                server.verify(forged)
        old = issuer.current_key.kid
        issuer.rotate()
        issuer.withdraw(old)
        server.refresh()
        issuer.misbehave("jwks", faults.status(503))
        clock.advance(400)
        server.verify(issuer.mint())
        clock.advance(4000)
        with pytest.raises(KeysUnavailable):
            server.verify(issuer.mint())
        for kind, times in ((KeysRefreshed, 3), (KeyWithdrawn, 1), (RefreshFailed, 2)):
            events.wait_for(kind, times)
    of = ("issuer", issuer.url)
    assert counted(reader, "m2mguard.tokens") == {
        frozenset([of, ("outcome", "accepted"), ("remembered", False)]): 2,
        frozenset([of, ("outcome", "accepted"), ("remembered", True)]): 1,
        frozenset([("outcome", "refused"), ("reason", "unknown_key"), ("status", 401)]): 1,
    }
    refreshes = counted(reader, "m2mguard.keys.refreshes")
    assert refreshes[frozenset([of, ("outcome", "good"), ("cause", "cold"), ("not_modified", False)])] == 1
    assert refreshes[frozenset([of, ("outcome", "good"), ("cause", "unknown_key"), ("not_modified", True)])] == 1
    assert refreshes[frozenset([of, ("outcome", "good"), ("cause", "requested"), ("not_modified", False)])] == 1
    assert refreshes[frozenset([of, ("outcome", "failed"), ("cause", "expired")])] == 1
    only_issuer = frozenset([of])
    for name, times in (
        ("keys.withdrawn", 1),
        ("keys.stale_served", 1),
        ("keys.throttled", 2),
        ("tokens.unchecked", 1),
    ):
        assert counted(reader, f"m2mguard.{name}") == {only_issuer: times}, name


def test_every_row_has_an_existing_counter_and_existing_fields():
    for kind, row in _TABLE.items():
        assert row.counter in COUNTERS
        assert set(row.fields) <= set(kind.__dataclass_fields__)
    assert {row.counter for row in _TABLE.values()} == set(COUNTERS)


def test_an_event_without_a_row_is_passed_on(meter):
    received = []
    Metrics(meter=meter, then=received.append)(Event())
    assert received == [Event()]


def test_the_default_meter_is_the_global_one(reader, meter, monkeypatch):
    names = []
    monkeypatch.setattr("m2mguard.telemetry.get_meter", lambda name: names.append(name) or meter)
    refreshed = KeysRefreshed(cause="cold", key_ids=(), added=(), removed=(), skipped=(), not_modified=False)
    Metrics()(refreshed)
    assert names == ["m2mguard"]
    assert sum(counted(reader, _TABLE[KeysRefreshed].counter).values()) == 1


def test_the_import_error_without_opentelemetry_names_the_extra():
    script = "import sys; sys.modules['opentelemetry'] = None; import m2mguard.telemetry"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert 'pip install "m2mguard[telemetry]"' in done.stderr


def test_the_health_of_a_server_is_shown(reader, meter, tmp_path):
    clock, path = ManualClock(1_800_000_000), tmp_path / "blocked.json"
    path.write_text('{"format": 1, "blocks": []}')
    with LocalIssuer(algorithm="ES256", clock=clock) as issuer, FileBlocklist(path) as blocklist:
        server = ResourceServer(
            Issuer.logto(issuer.endpoint), audience=SHOPPING_API, clock=clock, monotonic=clock, blocklist=blocklist
        )
        gauges = Gauges(server, meter=meter)
        assert counted(reader, "m2mguard.ready") == {frozenset(): 0}
        assert counted(reader, "m2mguard.keys.age") == counted(reader, "m2mguard.blocklist.age") == {}
        server.verify(issuer.mint())
        clock.advance(60)
        of_issuer = frozenset({("issuer", issuer.url)})
        assert {name: counted(reader, name) for name in GAUGES if name != "m2mguard.blocklist.age"} == {
            "m2mguard.ready": {frozenset(): 1},
            "m2mguard.keys.age": {of_issuer: 60},
            "m2mguard.keys.remaining": {of_issuer: 3540},
            "m2mguard.verdicts.remembered": {frozenset(): 1},
            "m2mguard.blocklist.entries": {frozenset(): 0},
        }
        assert 0 <= counted(reader, "m2mguard.blocklist.age")[frozenset()] < 30
        del server
        gc.collect()
        assert counted(reader, "m2mguard.ready") == {}
        assert gauges


def test_keys_that_never_change_have_no_age(reader, meter):
    with LocalIssuer(algorithm="ES256") as issuer:
        server = ResourceServer(Issuer(url=issuer.url, jwks=issuer.jwks), audience=SHOPPING_API)
    assert Gauges(server, meter=meter)
    assert [counted(reader, name) for name in ("m2mguard.ready", "m2mguard.keys.age")] == [{frozenset(): 1}, {}]
