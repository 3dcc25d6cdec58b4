"""`m2mguard block`: changes a list in a file or in Valkey, shows it, and tells which processes know it."""

import base64
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from m2mguard import ResourceServer
from m2mguard._cli.block.spread import spread_of
from m2mguard._cli.block.stores import FileStore, ValkeyStore
from m2mguard.blocklist import Block, FileBlocklist, ValkeyBlocklist
from m2mguard.blocklist._shared_list import Notice, SharedList
from m2mguard.blocklist._valkey_list import PREFIX
from m2mguard.net._valkey import ValkeyServer
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.valkey_servers import running_store

ISSUER = "https://issuer.example"
KEY = secrets.token_bytes(32)
ADD = ("block", "add", "--issuer", ISSUER, "--reason", "the secret leaked")


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("M2MGUARD_BLOCKLIST", str(tmp_path / "blocked.json"))
    return tmp_path / "blocked.json"


def entries(run):
    return json.loads(run("block", "list", "--json")[1])["blocks"]


def test_an_application_is_blocked_and_freed_again(run, path):
    begin = time.time()
    status, shown = run(*ADD, "--app-id", "app-orders", "--for", "2h")
    assert (status, 'ok  blocked         the application "app-orders" of https://issuer.example, ' in shown) == (
        0,
        True,
    )
    (entry,) = entries(run)
    assert {**entry, "expires_at": 0, "added_at": 0} == {
        "issuer": ISSUER, "app_id": "app-orders", "reason": "the secret leaked", "expires_at": 0, "added_at": 0,
    }  # fmt: skip
    assert entry["expires_at"] == pytest.approx(begin + 7200, abs=60)
    assert "the secret leaked" in run("block", "list")[1]
    with FileBlocklist(path, interval=0.1) as blocklist:
        api = ResourceServer(ISSUER, audience="https://shopping.api", blocklist=blocklist)
        assert api.warm_up().blocklist.entries == 1
    assert run("block", "remove", "--issuer", f"{ISSUER}/", "--app-id", "app-orders")[0] == 0
    assert entries(run) == []
    status, shown = run("block", "remove", "--issuer", ISSUER, "--app-id", "app-orders")
    assert (status, "is not blocked" in shown) == (1, True)
    assert "Nothing is blocked" in run("block", "list")[1]


@pytest.mark.parametrize(
    ("option", "name"),
    [("--app-id", "app_id"), ("--token-id", "token_id"), ("--key", "key_id"), ("--organization", "organization")],
)
def test_each_kind_of_entry_is_added_once(run, path, option, name):
    for _ in range(2):
        assert run(*ADD, option, "id-1")[0] == 0
    assert [one[name] for one in entries(run)] == ["id-1"]
    assert run(*ADD, option, "id-2", "--until", "2100-01-01T00:00:00Z")[0] == 0
    assert [one[name] for one in entries(run)] == ["id-1", "id-2"]


def test_tokens_from_before_a_new_secret_are_blocked(run, path):
    assert run(*ADD, "--app-id", "app-orders", "--issued-before", "now")[0] == 0
    (entry,) = entries(run)
    assert entry["issued_before"] == pytest.approx(time.time(), abs=60)
    assert "issued before" in " ".join(run("block", "list")[1].split())


def test_ended_entries_are_shown_and_left_out_by_the_next_change(run, path):
    old = {"issuer": ISSUER, "app_id": "app-old", "reason": "old", "expires_at": 1}
    path.write_text(json.dumps({"format": 1, "blocks": [old]}))
    path.chmod(0o640)
    assert "--  ended" in run("block", "list")[1]
    run(*ADD, "--app-id", "app-orders")
    assert [one["app_id"] for one in entries(run)] == ["app-orders"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_understood_is_not_overwritten(run, path):
    for text in ("{", '{"format": 1, "blocks": [{"appid": "app-orders"}]}'):
        path.write_text(text)
        status, shown = run(*ADD, "--app-id", "app-orders")
        assert (status, "NO  not done" in shown) == (3, True)
        assert path.read_text() == text


def test_two_operators_at_once_lose_nothing(path):
    store = FileStore(path)

    def add(number):
        block = Block(issuer=ISSUER, app_id=f"app-{number}", reason="x", expires_at=time.time() + 60)
        store.change(lambda blocks: [*blocks, block], now=time.time())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert {one.app_id for one in store.read().blocks} == {f"app-{number}" for number in range(40)}
    assert [one.name for one in path.parent.iterdir()] == ["blocked.json"]


def test_a_folder_that_cannot_be_written_is_named(run, tmp_path):
    status, shown = run(*ADD, "--app-id", "a", "--list", str(tmp_path / "no" / "blocked.json"))
    assert (status, "cannot be written (FileNotFoundError)" in " ".join(shown.split())) == (3, True)


def test_a_link_stays_a_link(run, path, tmp_path):
    (tmp_path / "real.json").write_text('{"format": 1, "blocks": []}')
    path.symlink_to("real.json")
    assert run(*ADD, "--app-id", "app-orders")[0] == 0
    assert path.is_symlink()
    assert "app-orders" in (tmp_path / "real.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--reason", "x"), "one of the arguments --app-id --token-id --key --organization is required"),
        (("--app-id", "a"), "required: --reason"),
        (("--app-id", "a", "--token-id", "b", "--reason", "x"), "not allowed with"),
        (("--app-id", "a", "--reason", "x", "--for", "1 day"), "give a number with s, m, h or d"),
        (("--app-id", "a", "--reason", "x", "--until", "2020-01-01T00:00:00Z"), "--until is in the past"),
        (("--app-id", " a", "--reason", "x"), "app_id has white space"),
        (("--token-id", "a", "--reason", "x", "--issued-before", "now"), "issued_before has no effect"),
    ],
)
def test_wrong_usage_is_named(run, path, arguments, named):
    status, shown = run("block", "add", "--issuer", ISSUER, *arguments)
    assert (status, named in " ".join(shown.split())) == (2, True)
    assert not path.exists()


def test_the_list_and_the_issuer_must_be_clear(run, path, monkeypatch):
    two = ("--issuer", ISSUER, "--issuer", "https://other.example")
    status, shown = run("block", "add", "--app-id", "a", "--reason", "x", *two)
    assert (status, "give --issuer, one of https://issuer.example, https://other.example" in shown) == (2, True)
    monkeypatch.setenv("M2MGUARD_ISSUER", ISSUER)
    assert run("block", "add", "--app-id", "a", "--reason", "x")[0] == 0
    monkeypatch.delenv("M2MGUARD_BLOCKLIST")
    status, shown = run("block", "list")
    assert (status, "no block list is named" in shown) == (2, True)
    assert "app_id" in run("block", "list", "--list", str(path), "--json")[1]


def test_a_file_has_no_notices(run, path):
    status, shown = run("block", "status")
    assert (status, "processes leave no notices" in " ".join(shown.split())) == (3, True)


def test_the_list_of_an_application_is_found(run, tmp_path, monkeypatch):
    (tmp_path / "shop_with_list.py").write_text(
        "from m2mguard import ResourceServer\nfrom m2mguard.blocklist import FileBlocklist\n"
        f"blocklist = FileBlocklist({str(tmp_path / 'b.json')!r})\n"
        f"server = ResourceServer({ISSUER!r}, audience='https://shopping.api', blocklist=blocklist)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert run("block", "add", "--app", "shop_with_list:server", "--app-id", "a", "--reason", "x")[0] == 0
    assert '"app_id": "a"' in (tmp_path / "b.json").read_text()


def test_a_list_in_valkey_is_changed_and_known(run, tmp_path, monkeypatch):
    encoded = base64.urlsafe_b64encode(KEY).decode()
    with running_store(tmp_path) as valkey:
        monkeypatch.setenv("M2MGUARD_BLOCKLIST", valkey.url)
        status, shown = run("block", "list")
        assert (status, "needs its key" in shown) == (2, True)
        (tmp_path / "key").write_text(encoded)
        assert run("block", "list", "--key-file", str(tmp_path / "key"))[0] == 0
        assert run(*ADD, "--app-id", "app-first", "--key-file", str(tmp_path / "key"))[0] == 0
        monkeypatch.setenv("M2MGUARD_BLOCKLIST_KEY", encoded)
        status, shown = run("block", "status")
        assert (status, "no process has left a notice" in shown) == (0, True)
        with ValkeyBlocklist(valkey.url, key=KEY) as blocklist:
            api = ResourceServer(ISSUER, audience="https://shopping.api", blocklist=blocklist)
            assert api.warm_up().blocklist.entries == 1
            status, shown = run(*ADD, "--app-id", "app-orders")
            assert (status, "by 1 of 1 processes" in shown) == (0, True)
            assert blocklist.health().entries == 2
            said = json.loads(run("block", "status", "--json")[1])
            assert (said["processes"], said["known_by"], said["behind"], said["silent"]) == (1, 1, [], [])
            assert said["version"] == blocklist.health().version
        assert [one["app_id"] for one in entries(run)] == ["app-first", "app-orders"]
        monkeypatch.setenv("M2MGUARD_BLOCKLIST_KEY", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        status, shown = run(*ADD, "--app-id", "app-orders")
        assert (status, "its seal is not that of our key" in " ".join(shown.split())) == (3, True)
    status, shown = run("block", "list")
    assert (status, "Valkey cannot be reached" in " ".join(shown.split()), encoded in shown) == (3, True, False)


def notice(pid, version, age_s=0.5, error=None):
    return Notice(process=f"{pid:016x}", host="node-1", pid=pid, version=version, error=error, age_s=age_s)


def test_who_knows_it_is_told_exactly():
    spread = spread_of(
        [notice(1, 7), notice(2, 8, 1.25), notice(3, 6, error="no"), notice(4, None), notice(5, 6, 60.0)], 2, version=7
    )
    assert spread.sentence == "by 2 of 5 processes, the longest ago 1.2 s; 1 silent"
    assert spread.behind == ("process 3 on node-1 has version 6: no", "process 4 on node-1 has version None")
    assert spread.silent == ("process 5 on node-1, 60 s",)
    assert (spread.forged, spread.is_everywhere) == (2, False)
    assert spread_of([notice(1, 7), notice(5, 6, 60.0)], 0, version=7).is_everywhere
    assert spread_of([notice(1, None)], 0, version=None).is_everywhere


def test_explain_names_the_entry_and_health_the_list(run, path, monkeypatch):
    with LocalIssuer(algorithm="ES256") as issuer:
        settings = ("--issuer", issuer.url, "--audience", SHOPPING_API)
        monkeypatch.setenv("M2MGUARD_ALLOW_HTTP", "true")
        status, shown = run("explain", *settings, given=issuer.mint("app-orders"))
        assert (status, "the list was not read" in " ".join(shown.split())) == (0, True)
        run("block", "add", "--issuer", issuer.url, "--app-id", "app-orders", "--reason", "ticket 4711")
        status, shown = run("explain", *settings, given=issuer.mint("app-orders"))
        text = " ".join(shown.split())
        assert status == 1
        assert "NO block list 1 entry; expected: none that names this token" in text
        assert "The token is valid, and an operator has blocked the application: ticket 4711." in text
        status, shown = run("explain", *settings, given=issuer.mint("app-billing"))
        assert (status, "ok block list 1 entry" in " ".join(shown.split())) == (0, True)


def test_doctor_reads_the_list(run, path, monkeypatch):
    with LocalIssuer(algorithm="ES256") as issuer:
        monkeypatch.setenv("M2MGUARD_ALLOW_HTTP", "true")
        doctor = ("doctor", "--issuer", issuer.url, "--audience", SHOPPING_API)
        assert "0 entries in force" in run(*doctor)[1]
        run(*ADD, "--app-id", "a")
        run("block", "add", "--issuer", issuer.url, "--reason", "x", "--app-id", "b")
        status, shown = run(*doctor)
        text = " ".join(shown.split())
        assert (status, "2 entries in force" in text, f'entries name "{ISSUER}", whose tokens' in text) == (
            0,
            True,
            True,
        )
        path.write_text('{"format": 1, "blocks": [{"appid": "a"}]}')
        status, shown = run(*doctor)
        assert (status, "blocks[0]: an entry has a member that does not exist" in " ".join(shown.split())) == (1, True)
        path.write_text("{")
        status, shown = run(*doctor)
        assert (status, "is no block list" in " ".join(shown.split())) == (1, True)


def test_commands_that_need_no_list_leave_no_notice(run, tmp_path, monkeypatch):
    with LocalIssuer(algorithm="ES256") as issuer, running_store(tmp_path) as valkey:
        monkeypatch.setenv("M2MGUARD_ALLOW_HTTP", "true")
        monkeypatch.setenv("M2MGUARD_BLOCKLIST", valkey.url)
        monkeypatch.setenv("M2MGUARD_BLOCKLIST_KEY", base64.urlsafe_b64encode(KEY).decode())
        settings = ("--issuer", issuer.url, "--audience", SHOPPING_API)
        assert [run(command, *settings)[0] for command in ("doctor", "health", "keys")] == [0, 0, 0]
        assert json.loads(run("block", "status", "--json")[1])["processes"] == 0


def test_what_is_said_as_json(run, path):
    said = json.loads(run(*ADD, "--app-id", "app-orders", "--json")[1])
    assert (said["done"], said["block"]["app_id"], said["version"], said["status"]) == (True, "app-orders", None, None)
    said = json.loads(run("block", "remove", "--issuer", ISSUER, "--app-id", "app-orders", "--json")[1])
    assert (said["done"], said["block"]["reason"]) == (True, "the secret leaked")
    status, shown = run("block", "remove", "--issuer", ISSUER, "--app-id", "app-orders", "--json")
    assert (status, json.loads(shown)["done"]) == (1, False)


def test_entries_that_cannot_be_read_are_listed(run, path):
    path.write_text('{"format": 1, "blocks": [{"appid": "a"}]}')
    assert "--  passed over     blocks[0]: an entry has a member that does not exist" in run("block", "list")[1]
    path.unlink()
    path.mkdir()
    status, shown = run("block", "list")
    assert (status, "cannot be read (IsADirectoryError)" in " ".join(shown.split())) == (3, True)


def test_what_could_not_be_written_leaves_nothing_behind(run, path, monkeypatch):
    run(*ADD, "--app-id", "app-orders")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "no space left")

    monkeypatch.setattr("m2mguard._cli.block.stores.os.fsync", full)
    status, shown = run(*ADD, "--app-id", "app-billing")
    assert (status, "cannot be written (OSError)" in " ".join(shown.split())) == (3, True)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_list_of_ones_own_is_not_known(run, tmp_path, monkeypatch):
    (tmp_path / "shop_with_own.py").write_text(
        "from m2mguard import ResourceServer\nfrom m2mguard.blocklist import Blocklist\n"
        "class Mine(Blocklist):\n    def _read(self):\n        raise NotImplementedError\n"
        "mine = Mine(interval=1, required=False, name='mine')\n"
        f"server = ResourceServer({ISSUER!r}, audience='https://shopping.api', blocklist=mine)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    status, shown = run("block", "list", "--app", "shop_with_own:server")
    assert (status, "Mine is a list of your own" in " ".join(shown.split())) == (3, True)


@pytest.mark.parametrize(
    ("content", "named"), [(None, "cannot be read as text"), ("!!!", "give the secret bytes in base64url")]
)
def test_a_key_that_cannot_be_read_is_named_and_not_shown(run, tmp_path, content, named):
    if content is not None:
        (tmp_path / "key").write_text(content)
    status, shown = run("block", "list", "--list", "valkey://127.0.0.1:1", "--key-file", str(tmp_path / "key"))
    assert (status, named in " ".join(shown.split()), "!!!" in shown) == (2, True, False)


def test_who_is_behind_is_shown(run, tmp_path, monkeypatch):
    with running_store(tmp_path) as valkey:
        monkeypatch.setenv("M2MGUARD_BLOCKLIST", valkey.url)
        monkeypatch.setenv("M2MGUARD_BLOCKLIST_KEY", base64.urlsafe_b64encode(KEY).decode())
        shared = SharedList(ValkeyServer(valkey.url, timeout_s=5), KEY, PREFIX)
        shared.look({"process": "old", "host": "node-1", "pid": 7, "version": None, "error": None})
        valkey.client.set(f"{PREFIX}process:forged", b"x")
        status, shown = run(*ADD, "--app-id", "app-orders", "--wait", "0s")
        assert status == 1
        for row in (
            "ok  blocked",
            "NO  known           by 0 of 1 processes",
            "NO  behind          process 7 on node-1",
        ):
            assert row in shown
        status, shown = run("block", "status")
        assert (status, "NO  forged          1 not sealed by our key" in shown, f"{valkey.url}: 1 entry" in shown) == (
            1,
            True,
            True,
        )
        valkey.client.pexpire(f"{PREFIX}process:old", 60_000)
        status, shown = run("block", "status")
        assert (status, "--  silent          process 7 on node-1, 60 s" in shown) == (0, True)
    status, shown = run("block", "status")
    assert (status, "Valkey cannot be reached" in " ".join(shown.split())) == (3, True)


@pytest.mark.parametrize(("times", "expected"), [(1, 0), (2, 1)])
def test_what_was_set_back_meanwhile_is_written_again(run, tmp_path, monkeypatch, times, expected):
    with running_store(tmp_path) as valkey:
        monkeypatch.setenv("M2MGUARD_BLOCKLIST", valkey.url)
        monkeypatch.setenv("M2MGUARD_BLOCKLIST_KEY", base64.urlsafe_b64encode(KEY).decode())
        run(*ADD, "--app-id", "app-first")
        old, left, change = valkey.client.hgetall(f"{PREFIX}list"), [None] * times, ValkeyStore.change

        def set_back(self, make, *, now):
            version = change(self, make, now=now)
            if left:
                left.pop()
                valkey.client.hset(f"{PREFIX}list", mapping=old)
            return version

        monkeypatch.setattr(ValkeyStore, "change", set_back)
        status, shown = run(*ADD, "--app-id", "app-orders")
        assert (status, "ok  blocked" in shown) == (expected, not expected)
        assert len(entries(run)) == 2 - expected
