"""The key file: a cold start while the issuer is down, and every reason to reject the file."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from m2mguard import ConfigurationError, InvalidToken, Issuer, KeyCaching, KeysUnavailable, ResourceServer
from m2mguard._keys.key_file import KeyFile
from m2mguard.events import KeyFileRejected, KeysLoadedFromFile, KeysRefreshed, StaleServed
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, faults
from tests.key_threads import join_key_threads
from tests.manual_clock import ManualClock
from tests.observed_events import ObservedEvents


@pytest.fixture
def directory(tmp_path) -> Path:
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock(time.time())


@pytest.fixture
def start(issuer, directory, wall, events):
    """Start a worker: a new server with its own monotonic clock."""

    def start(**caching):
        return ResourceServer(
            Issuer.logto(issuer.endpoint),
            audience=SHOPPING_API,
            key_directory=directory,
            caching=KeyCaching(**caching),
            clock=wall,
            monotonic=ManualClock(),
            on_event=events,
        )

    return start


@pytest.fixture
def saved(issuer, start, directory) -> Path:
    """The key file of a worker that has ended."""
    start().warm_up()
    join_key_threads()
    [file] = directory.iterdir()
    issuer.misbehave("all", faults.status(503))
    return file


def rejection_of_file(server, token, events) -> str:
    """Verify a token on a server that rejects its key file; returns the error of the rejection."""
    with pytest.raises(KeysUnavailable):
        server.verify(token)
    [rejected] = events.of(KeyFileRejected)
    return rejected.error


def test_a_worker_starts_while_the_issuer_is_down(issuer, start, saved, wall, events):
    wall.advance(1200)
    server = start()
    assert server.verify(issuer.mint(issued_at=wall())).app_id == "app-orders"
    [loaded] = events.of(KeysLoadedFromFile)
    assert (loaded.key_ids, loaded.age_s) == ((issuer.current_key.kid,), pytest.approx(1200))
    assert server.health().ready
    assert events.of(StaleServed)[-1].remaining_s == pytest.approx(2400)


def test_keys_of_a_file_go_stale_by_the_time_of_their_fetch(issuer, start, saved, wall):
    wall.advance(3000)
    server = start()
    token = issuer.mint(issued_at=wall())
    server.verify(token)
    server._runtime.clocks.ages._monotonic.advance(599)
    server.verify(token)
    server._runtime.clocks.ages._monotonic.advance(2)
    with pytest.raises(KeysUnavailable):
        server.verify(token)


def test_keys_of_a_file_are_never_fresh_so_a_fetch_comes_first(issuer, start, saved, events):
    old = issuer.mint()
    issuer.rotate()
    issuer.withdraw(next(key.kid for key in issuer.keys if key is not issuer.current_key))
    issuer.behave()
    server = start()
    with pytest.raises(InvalidToken):
        server.verify(old)
    server.verify(issuer.mint())
    assert events.wait_for(KeysRefreshed, 2)[-1].cause == "expired"


def test_a_cold_caller_with_a_key_file_waits_for_max_wait_at_most(issuer, start, saved):
    issuer.misbehave("all", faults.hang())
    server = start(max_wait=0.2, timeout=30, connect_timeout=30)
    began = time.monotonic()
    server.verify(issuer.mint())
    assert 0.2 <= time.monotonic() - began < 10
    issuer.behave()
    join_key_threads()


def test_keys_of_a_file_make_warm_up_ready(issuer, start, saved):
    assert start().warm_up().ready


def test_a_fetch_replaces_the_file_with_one_only_its_owner_may_open(issuer, start, saved):
    before = saved.read_bytes()
    issuer.behave()
    issuer.rotate()
    start().refresh()
    join_key_threads()
    assert saved.read_bytes() != before
    assert issuer.current_key.kid in saved.read_text()
    assert saved.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_a_304_updates_the_date_of_the_file(issuer, start, saved, wall):
    issuer.behave()
    server = start()
    server.warm_up()
    join_key_threads()
    wall.advance(1000)
    server._runtime.clocks.ages._monotonic.advance(1000)
    server.refresh()
    join_key_threads()
    assert json.loads(saved.read_text())["fetched_at"] == pytest.approx(wall(), abs=1)
    assert "if-none-match" in issuer.requests[-1].headers


def test_only_public_members_of_usable_keys_are_written(issuer, start, saved):
    issuer.behave()
    other = SigningKey.generate("ES256", kid="other")
    issuer.publish({**other.public_jwk, "d": "c2VjcmV0", "kid": "private"})
    issuer.publish({**other.public_jwk, "note": "c2VjcmV0"})
    issuer.publish({"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"})
    start().refresh()
    join_key_threads()
    text = saved.read_text()
    assert "c2VjcmV0" not in text
    assert {key["kid"] for key in json.loads(text)["keys"]} == {issuer.current_key.kid, "other"}


def test_the_file_keeps_the_algorithm_of_each_key(issuer, start, directory):
    rsa = SigningKey.generate("RS256", kid="shared")
    for alg in ("RS256", "PS256"):
        issuer.publish({**rsa.public_jwk, "alg": alg})
    start().warm_up()
    join_key_threads()
    issuer.misbehave("all", faults.status(503))
    server = ResourceServer(issuer.url, SHOPPING_API, key_directory=directory)
    for alg in ("RS256", "PS256"):
        assert server.verify(issuer.mint(key=rsa.using(algorithm=alg))).app_id == "app-orders"
    [restricted] = {key.algorithms for key in server.health().issuers[0].keys if key.key_id == "shared"} - {("PS256",)}
    assert restricted == ("RS256",)


def test_the_file_keeps_keys_of_ml_dsa(directory, events):
    with LocalIssuer(algorithm="ML-DSA-44") as issuer:
        trusted = Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri, algorithms=["ML-DSA-44"])
        ResourceServer(trusted, SHOPPING_API, key_directory=directory).warm_up()
        join_key_threads()
        issuer.misbehave("all", faults.status(503))
        server = ResourceServer(trusted, SHOPPING_API, key_directory=directory, on_event=events)
        assert server.verify(issuer.mint()).app_id == "app-orders"
        assert events.of(KeysLoadedFromFile)
        join_key_threads()


@pytest.mark.parametrize(
    "malformed",
    [
        '"x": NaN',
        '"x": 1, "x": 2',
        '"x": "\\ud800"',
        '"x": ' + "[" * 999 + "]" * 999,
        '"key_ops": ["verify", "\\ud800"]',
    ],
)
def test_one_malformed_key_does_not_keep_others_out_of_the_file(issuer, start, directory, events, malformed):
    good = json.dumps(issuer.current_key.public_jwk)
    odd_key = json.dumps(SigningKey.generate(kid="odd").public_jwk)[:-1] + f", {malformed}}}"
    issuer.misbehave("jwks", faults.body(f'{{"keys": [{odd_key}, {good}]}}'.encode()))
    server = start()
    assert server.warm_up().ready
    join_key_threads()
    assert events.of(KeyFileRejected) == []
    issuer.misbehave("all", faults.status(503))
    assert start().verify(issuer.mint()).app_id == "app-orders"
    assert events.of(KeyFileRejected) == []


def changed(**members):
    def change(file, wall):
        document = json.loads(file.read_text())
        document.update(members)
        file.write_text(json.dumps(document))

    return change


def with_right_checksum(**members):
    """A file that a process of the same user could write: the checksum is not secret."""

    def change(file, wall):
        from m2mguard._keys.key_file import _checksum

        document = json.loads(file.read_text())
        document.update({name: value(wall) if callable(value) else value for name, value in members.items()})
        del document["sha256"]
        file.write_text(json.dumps({**document, "sha256": _checksum(document)}))

    return change


def symlinked(file, wall):
    target = file.with_name("elsewhere")
    file.rename(target)
    file.symlink_to(target)


def a_pipe(file, wall):
    file.unlink()
    os.mkfifo(file, 0o600)


def a_directory(file, wall):
    file.unlink()
    file.mkdir(mode=0o700)


INVALID = {
    "another key": (changed(keys=[SigningKey.generate("ES256").public_jwk]), "changed by other hands"),
    "another date": (changed(fetched_at=4e9), "changed by other hands"),
    "another format": (with_right_checksum(format=2), "changed by other hands"),
    "cut off": (lambda file, wall: os.truncate(file, 100), "damaged"),
    "empty": (lambda file, wall: os.truncate(file, 0), "damaged"),
    "no UTF-8": (lambda file, wall: file.write_bytes(b"\xff\xfe{}"), "damaged"),
    "too long": (lambda file, wall: file.write_text(" " * 600_000), "too long"),
    "readable by the group": (lambda file, wall: file.chmod(0o640), "open to others"),
    "readable by all": (lambda file, wall: file.chmod(0o604), "open to others"),
    "writable by all": (lambda file, wall: file.chmod(0o602), "open to others"),
    "a symbolic link": (symlinked, "cannot be read"),
    "a pipe": (a_pipe, "not a regular file"),
    "a directory": (a_directory, "cannot be read"),
    "too old": (lambda file, wall: wall.advance(3600), "too old"),
    "from the future": (lambda file, wall: wall.advance(-61), "in the future"),
    "another issuer's": (with_right_checksum(issuer="https://other.example"), "another issuer's"),
    "without a date": (with_right_checksum(fetched_at=None), "no date"),
    "with a date that is text": (with_right_checksum(fetched_at="now"), "no date"),
    "without keys": (with_right_checksum(keys=[]), "no usable keys"),
    "with keys of another shape": (with_right_checksum(keys={"a": 1}), "no usable keys"),
}


@pytest.mark.parametrize(("spoil", "message"), INVALID.values(), ids=INVALID)
def test_an_invalid_key_file_is_rejected_with_its_fault(issuer, start, saved, wall, events, caplog, spoil, message):
    spoil(saved, wall)
    assert message in rejection_of_file(start(), issuer.mint(issued_at=wall()), events)
    assert any(
        record.m2mguard_event == "KeyFileRejected" and record.levelname == "WARNING" for record in caplog.records
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a file")
@pytest.mark.parametrize("whose", ["file", "directory"])
def test_a_file_or_directory_of_another_user_is_rejected(issuer, start, saved, events, whose):
    os.chown(saved if whose == "file" else saved.parent, 12345, 12345)
    assert "process's user" in rejection_of_file(start(), issuer.mint(), events)


@pytest.fixture(params=[0o777, 0o2777, 0o1777, 0o770, 0o2770, 0o707], ids=oct)
def shared(request, directory) -> Path:
    """A directory that others can write to: a Kubernetes emptyDir, with and without its own group."""
    directory.chmod(request.param)
    return directory


def subdirectory(directory: Path) -> Path:
    return directory / f"m2mguard-{os.geteuid()}"


def test_in_a_shared_directory_a_worker_uses_its_own_subdirectory(issuer, start, shared, events):
    start().warm_up()
    join_key_threads()
    assert list(shared.iterdir()) == [subdirectory(shared)]
    assert subdirectory(shared).stat().st_mode & 0o777 == 0o700
    [file] = subdirectory(shared).iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    issuer.misbehave("all", faults.status(503))
    server = start()
    assert server.verify(issuer.mint()).app_id == "app-orders"
    server.purge()
    join_key_threads()
    assert list(subdirectory(shared).iterdir()) == []
    assert events.of(KeyFileRejected) == []


def test_a_file_in_a_directory_that_others_can_write_to_is_not_read(issuer, start, saved, shared):
    issuer.misbehave("all", faults.status(503))
    with pytest.raises(KeysUnavailable):
        start().verify(issuer.mint())


def symlink(own: Path, elsewhere: Path) -> None:
    own.rename(elsewhere)
    own.symlink_to(elsewhere)


FOREIGN = {
    "writable by the group": lambda own, elsewhere: own.chmod(0o770),
    "writable by all": lambda own, elsewhere: own.chmod(0o707),
    "of another user": lambda own, elsewhere: os.chown(own, 12345, 12345),
    "a link": symlink,
    "a file": lambda own, elsewhere: (own.rename(elsewhere), own.touch(0o600)),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a directory")
@pytest.mark.parametrize("spoil", FOREIGN.values(), ids=FOREIGN)
def test_a_subdirectory_that_others_can_change_is_not_used(issuer, start, directory, events, tmp_path, spoil):
    directory.chmod(0o777)
    start().warm_up()
    join_key_threads()
    spoil(subdirectory(directory), tmp_path / "elsewhere")
    issuer.misbehave("all", faults.status(503))
    rejection_of_file(start(), issuer.mint(), events)
    issuer.behave()
    start().warm_up()
    join_key_threads()
    assert len(events.of(KeyFileRejected)) == 3  # the directory is neither read nor written


def test_a_date_slightly_in_the_future_counts_as_now(issuer, start, saved, wall, events):
    wall.advance(-30)
    start().verify(issuer.mint(issued_at=wall()))
    assert events.of(KeysLoadedFromFile)[0].age_s == 0


def test_a_missing_file_is_not_reported(issuer, start, events):
    start().verify(issuer.mint())
    join_key_threads()
    assert events.of(KeyFileRejected) == []


def test_a_missing_directory_is_reported_and_tokens_are_verified(issuer, start, directory, events):
    directory.rmdir()
    start().verify(issuer.mint())
    join_key_threads()
    [rejected] = events.of(KeyFileRejected)
    assert rejected.error == "the key file cannot be written (FileNotFoundError)"


def test_each_issuer_has_its_own_file(issuer, directory):
    with LocalIssuer() as other:
        servers = [issuer.url, other.url]
        ResourceServer(servers, audience=SHOPPING_API, key_directory=str(directory)).warm_up()
        join_key_threads()
        assert len(list(directory.iterdir())) == 2
    issuer.stop()
    server = ResourceServer(servers, audience=SHOPPING_API, key_directory=str(directory))
    assert server.verify(issuer.mint()).issuer == issuer.url
    assert server.verify(other.mint()).issuer == other.url
    issuer.start()


def test_after_a_purge_the_file_is_removed_and_never_loaded_again(issuer, start, saved, events):
    server = start()
    server.verify(issuer.mint())
    server.purge()
    join_key_threads()
    assert not saved.exists()
    saved.write_text("{}")
    with pytest.raises(KeysUnavailable):
        server.verify(issuer.mint())
    assert events.of(KeyFileRejected) == []
    assert len(events.of(KeysLoadedFromFile)) == 1


def test_a_fetch_in_flight_at_a_purge_does_not_write_the_file(issuer, start, directory):
    server = start()
    with issuer.hold("jwks") as gate:
        server.warm_up(timeout=0)
        gate.wait_for(1)
        server.purge()
        gate.release()
        join_key_threads()
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_purge_while_a_fetch_writes_the_file_leaves_no_file(issuer, start, directory, monkeypatch, when):
    """The purge runs either just before or just after the file is written."""
    server, save = start(), KeyFile.save

    def purge():
        server.purge()
        for thread in threading.enumerate():
            if thread.name == "m2mguard-keys-purge":
                thread.join(10)

    def saved_around_a_purge(self, document, *, age_s):
        if when == "before":
            purge()
        save(self, document, age_s=age_s)
        if when == "after":
            purge()

    monkeypatch.setattr(KeyFile, "save", saved_around_a_purge)
    server.warm_up()
    join_key_threads()
    assert list(directory.iterdir()) == []


def test_a_purge_drops_the_snapshot_before_it_removes_the_file(issuer, start, saved, monkeypatch):
    server, forget, snapshots = start(), KeyFile.forget, []
    issuer.behave()
    server.refresh()
    join_key_threads()
    monkeypatch.setattr(
        KeyFile,
        "forget",
        lambda self: (snapshots.append(server._trusted[issuer.url].source._state.snapshot), forget(self)),
    )
    server.purge()
    join_key_threads()
    assert snapshots == [None]
    assert not saved.exists()


def test_concurrent_workers_leave_one_complete_file(issuer, start, directory):
    servers = [start() for _ in range(8)]
    threads = [threading.Thread(target=server.refresh) for server in servers for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    join_key_threads()
    assert len(list(directory.iterdir())) == 1
    issuer.misbehave("all", faults.status(503))
    assert start().verify(issuer.mint()).app_id == "app-orders"


def test_only_key_threads_access_the_disk(issuer, start, saved, monkeypatch):
    calls = []
    for name in ("load", "save", "forget"):
        original = getattr(type(start()._trusted[issuer.url].source._file._file), name)

        def recorded(self, *args, name=name, original=original, **kwargs):
            calls.append((name, threading.current_thread().name.startswith("m2mguard-keys")))
            return original(self, *args, **kwargs)

        monkeypatch.setattr(f"m2mguard._keys.key_file.KeyFile.{name}", recorded)
    server = start()
    server.verify(issuer.mint())
    issuer.behave()
    server.refresh()
    server.purge()
    join_key_threads()
    assert {name for name, _ in calls} == {"load", "save", "forget"}
    assert all(on_key_thread for _, on_key_thread in calls)


@pytest.mark.parametrize("value", ["", 7, ["a"]])
def test_an_invalid_directory_is_rejected_at_construction(issuer, value):
    with pytest.raises(ConfigurationError, match="key_directory"):
        ResourceServer(issuer.url, audience=SHOPPING_API, key_directory=value)


def test_the_directory_can_be_set_in_the_environment(issuer, directory):
    environ = {
        "M2MGUARD_ISSUER": issuer.url, "M2MGUARD_AUDIENCE": SHOPPING_API, "M2MGUARD_KEY_DIRECTORY": str(directory),
    }  # fmt: skip
    ResourceServer.from_env(environ).warm_up()
    join_key_threads()
    assert len(list(directory.iterdir())) == 1


def test_configured_keys_are_not_written_to_a_file(issuer, directory):
    configured = Issuer(url=issuer.url, jwks=issuer.jwks)
    server = ResourceServer(configured, audience=SHOPPING_API, key_directory=directory, on_event=ObservedEvents())
    server.verify(issuer.mint())
    server.purge()
    assert list(directory.iterdir()) == []


def test_a_file_that_cannot_be_removed_is_reported(issuer, start, saved, directory, events):
    server = start()
    # Others can write to the directory, so the server uses the subdirectory; others can write to that as well.
    directory.chmod(0o777)
    (directory / f"m2mguard-{os.geteuid()}").mkdir(mode=0o777)
    (directory / f"m2mguard-{os.geteuid()}").chmod(0o777)
    server.purge()
    join_key_threads()
    assert [event.error for event in events.of(KeyFileRejected)]
    assert saved.exists()


def test_an_error_while_removing_the_file_is_reported(issuer, start, saved, events, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError

    server = start()
    monkeypatch.setattr(os, "unlink", refuse)
    server.purge()
    join_key_threads()
    assert events.of(KeyFileRejected)[-1].error == "the key file cannot be removed (PermissionError)"


def test_a_failed_write_leaves_no_partial_file(issuer, start, directory, events, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError

    monkeypatch.setattr(os, "replace", refuse)
    start().warm_up()
    join_key_threads()
    assert events.of(KeyFileRejected)[-1].error == "the key file cannot be written (OSError)"
    assert list(directory.iterdir()) == []


def test_a_purge_that_cannot_start_a_thread_is_reported(issuer, start, saved, events, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    server = start()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    server.purge()
    assert events.of(KeyFileRejected)[-1].error == "no thread can be started for the fetch"


def test_a_fetch_that_ends_after_a_purge_writes_no_file(issuer, start, directory):
    server = start()
    with issuer.hold("jwks") as gate:
        waiting = threading.Thread(target=server.warm_up)
        waiting.start()
        gate.wait_for(1)
        server.purge()
        gate.release()
        waiting.join()
    join_key_threads()
    assert list(directory.iterdir()) == []


def test_a_key_directory_is_rejected_on_systems_without_file_owners(issuer, start, monkeypatch):
    monkeypatch.delattr(os, "geteuid")
    with pytest.raises(ConfigurationError, match="POSIX"):
        start()


def test_a_result_that_is_void_before_it_is_saved_is_not_saved(start, directory, monkeypatch):
    server = start()
    monkeypatch.setattr("m2mguard._keys.key_state.KeyState.is_void", lambda self, fetch: True)
    server.warm_up()
    join_key_threads()
    assert list(directory.iterdir()) == []
