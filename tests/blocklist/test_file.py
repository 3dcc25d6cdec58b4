"""A block list in a file: read by a thread, again whenever it changes, and never worse off for a broken one."""

import asyncio
import gc
import os
import threading

import pytest

from m2mguard.blocklist import FileBlocklist
from m2mguard.errors import ConfigurationError
from m2mguard.events import BlocklistChanged, BlocklistFailed
from tests.blocklist.conftest import answer_of_child, block, document, until
from tests.security.forge import ACCEPTED, mint, outcome, server

BLOCKED = (401, "blocked")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "blocked.json"


@pytest.fixture
def file(path, opened):
    """A list that is looked at ten times a second."""
    return opened(FileBlocklist(path, interval=0.1))


def replace(path, content):
    """As careful writers do."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


def test_the_first_request_knows_the_list(path, file):
    replace(path, document(block()))
    api = server(blocklist=file)
    assert outcome(api, mint()) == BLOCKED
    assert outcome(api, mint({"sub": "app-billing", "client_id": "app-billing"})) == ACCEPTED


def test_the_first_awaited_request_knows_the_list(path, file):
    replace(path, document(block()))
    api = server(blocklist=file)
    with pytest.raises(Exception, match="an operator has blocked the application"):
        asyncio.run(api.averify(mint()))


def test_a_change_counts_for_remembered_tokens(path, file):
    replace(path, document())
    api, token = server(blocklist=file), mint()
    assert [outcome(api, token), outcome(api, token)] == [ACCEPTED] * 2
    replace(path, document(block()))
    until(lambda: outcome(api, token) == BLOCKED)
    replace(path, document())
    until(lambda: outcome(api, token) == ACCEPTED)


def test_a_file_that_is_written_in_place_is_seen(path, file):
    path.write_bytes(document())
    api = server(blocklist=file)
    assert outcome(api, mint()) == ACCEPTED
    path.write_bytes(document(block()))
    until(lambda: outcome(api, mint()) == BLOCKED)


def test_a_config_map_that_is_swapped_is_seen(tmp_path, opened):
    """Kubernetes: blocked.json is a link to ..data/blocked.json, and ..data a link that is replaced."""
    for version, content in (("..1", document()), ("..2", document(block()))):
        (tmp_path / version).mkdir()
        (tmp_path / version / "blocked.json").write_bytes(content)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "blocked.json").symlink_to("..data/blocked.json")
    api = server(blocklist=opened(FileBlocklist(tmp_path / "blocked.json")))
    assert outcome(api, mint()) == ACCEPTED
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    until(lambda: outcome(api, mint()) == BLOCKED, seconds=4)


def break_by_size(path, monkeypatch):
    monkeypatch.setattr("m2mguard.blocklist._file.MAX_FILE_BYTES", 100)
    replace(path, b" " * 200 + document())


def break_by_pipe(path, _):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda path, _: path.unlink(), "blocklist_unreadable"),
        (lambda path, _: replace(path, b'{"format": 1, "blo'), "blocklist_unusable"),
        (lambda path, _: replace(path, b""), "blocklist_unusable"),
        (lambda path, _: (path.unlink(), path.mkdir()), "blocklist_unreadable"),
        (break_by_pipe, "blocklist_unusable"),
        (break_by_size, "blocklist_unusable"),
    ],
    ids=["missing", "cut", "empty", "folder", "pipe", "size"],
)
def test_a_broken_file_changes_nothing_and_is_reported(path, file, break_it, problem, monkeypatch):
    events = []
    replace(path, document(block()))
    api = server(blocklist=file, on_event=events.append)
    assert outcome(api, mint()) == BLOCKED
    break_it(path, monkeypatch)
    until(lambda: file.health().last_problem == problem)
    assert outcome(api, mint()) == BLOCKED
    health = api.health().blocklist
    assert (health.entries, health.ready) == (1, True)
    assert any(isinstance(one, BlocklistFailed) and one.problem == problem and one.entries == 1 for one in events)
    monkeypatch.undo()
    if path.is_dir():
        path.rmdir()
    replace(path, document())
    until(lambda: file.health().last_problem is None)
    assert outcome(api, mint()) == ACCEPTED


def test_of_a_file_with_a_broken_entry_the_others_count_beside_the_old(path, file):
    events = []
    replace(path, document(block()))
    api = server(blocklist=file, on_event=events.append)
    billing = mint({"sub": "app-billing", "client_id": "app-billing"})
    assert [outcome(api, mint()), outcome(api, billing)] == [BLOCKED, ACCEPTED]
    replace(
        path,
        document(block(), block(app_id="app-billing")).replace(b'"app_id": "app-orders"', b'"appid": "app-orders"'),
    )
    until(lambda: outcome(api, billing) == BLOCKED)
    assert outcome(api, mint()) == BLOCKED
    assert (file.health().passed_over, file.health().entries) == (1, 2)
    assert [one.error for one in events if isinstance(one, BlocklistFailed)] == [
        "blocks[0]: an entry has a member that does not exist: 'appid'"
    ]
    replace(path, document(block(app_id="app-billing")))
    until(lambda: outcome(api, mint()) == ACCEPTED)


def test_changes_are_told_and_logged(path, file, caplog):
    events = []
    replace(path, document(block()))
    api = server(blocklist=file, on_event=events.append)
    outcome(api, mint())
    replace(path, document(block(token_id="token-2"), block(token_id="token-3")))
    until(lambda: len([one for one in events if isinstance(one, BlocklistChanged)]) == 2)
    changes = [(one.added, one.removed, one.entries) for one in events if isinstance(one, BlocklistChanged)]
    assert changes == [(1, 0, 1), (2, 1, 2)]
    assert "the block list has 2 entries now: 2 new, 1 gone" in caplog.text


def test_a_refusal_tells_the_reason_to_the_log_only(path, file, caplog):
    replace(path, document(block(reason="ticket 4711")))
    api = server(blocklist=file)
    with pytest.raises(Exception, match="blocked the application: ticket 4711") as caught:
        api.verify(mint())
    assert (caught.value.app_id, caught.value.status) == ("app-orders", 401)
    assert "ticket 4711" in caplog.text
    answer = api.answer(caught.value)
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="api", error="invalid_token"')
    assert "4711" not in f"{answer.headers}{answer.detail}"


def test_without_a_file_nobody_waits_and_readiness_is_a_choice(path, opened):
    free, required = (opened(FileBlocklist(path, interval=0.1, required=one)) for one in (False, True))
    assert outcome(server(blocklist=free), mint()) == ACCEPTED
    api = server(blocklist=required)
    assert server(blocklist=free).readiness().status == 200
    assert api.readiness().status == 503
    assert not api.health().ready
    replace(path, document())
    until(lambda: api.readiness().status == 200)
    path.unlink()
    until(lambda: required.health().last_problem is not None)
    assert api.readiness().status == 200


def test_warming_up_reads_the_list(path, file):
    replace(path, document(block()))
    health = server(blocklist=file).warm_up().blocklist
    assert (health.entries, health.last_error, health.age < 5) == (1, None, True)


def test_whatever_goes_wrong_the_thread_goes_on(path, file, monkeypatch):
    replace(path, document(block()))
    api = server(blocklist=file)
    assert outcome(api, mint()) == BLOCKED
    with monkeypatch.context() as patched:
        patched.setattr("m2mguard.blocklist._file.os.open", lambda *_: 1 / 0)
        until(lambda: file.health().last_error == "ZeroDivisionError")
        assert outcome(api, mint()) == BLOCKED
    replace(path, document())
    until(lambda: outcome(api, mint()) == ACCEPTED)


def test_its_thread_ends_with_the_list(path):
    replace(path, document(block()))
    blocklist = FileBlocklist(path, interval=0.1)
    assert outcome(server(blocklist=blocklist), mint()) == BLOCKED
    assert any(one.name == "m2mguard-blocked-file" for one in threading.enumerate())
    del blocklist
    gc.collect()
    until(lambda: not any(one.name == "m2mguard-blocked-file" for one in threading.enumerate()))


def test_a_closed_list_stays_in_force(path, file):
    replace(path, document(block()))
    api = server(blocklist=file)
    assert outcome(api, mint()) == BLOCKED
    with file:
        pass
    assert outcome(api, mint()) == BLOCKED


def test_a_forked_process_looks_for_itself(path, file):
    replace(path, document())
    api = server(blocklist=file)
    assert outcome(api, mint()) == ACCEPTED
    replace(path, document(block()))
    assert answer_of_child(lambda: outcome(api, mint())) == repr(BLOCKED)


def test_a_process_that_is_forked_in_the_middle_of_a_look_reads_for_itself(path, file):
    replace(path, document())
    api = server(blocklist=file)
    assert outcome(api, mint()) == ACCEPTED
    file.close()
    until(lambda: not any(thread.name == "m2mguard-blocked-file" for thread in threading.enumerate()))
    replace(path, document(block()))
    assert file._read().blocks == [block()]  # it is read, and not in force yet
    assert answer_of_child(lambda: outcome(api, mint())) == repr(BLOCKED)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"path": ""}, "path"), ({"path": 7}, "path"), ({"interval": 0}, "interval"), ({"required": "yes"}, "required")],
)
def test_an_invalid_setting_is_named(arguments, named, path):
    with pytest.raises(ConfigurationError, match=named):
        FileBlocklist(**{"path": path, **arguments})
    with pytest.raises(ConfigurationError, match="blocklist must be a FileBlocklist"):
        server(blocklist=str(path))
    assert FileBlocklist(path)
