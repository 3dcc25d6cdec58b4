"""The command as it is run: processes, terminals, pipes, and what is refused as wrong usage."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from m2mguard import __version__
from m2mguard._cli.arguments import create_parsers
from m2mguard._cli.output import Status, create_output
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey

SCRIPT = [str(Path(sys.executable).with_name("m2mguard"))]
MODULE = [sys.executable, "-W", "error", "-m", "m2mguard"]
LIKE_A_TOKEN = "eyJhbGciOiJFUzM4NCIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhcHAifQ.c2lnbmF0dXJl"


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("M2MGUARD_")}
    return kept | variables


def ran(command: list[str], *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=environment(**variables),
    )


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
def test_a_service_s_own_environment_is_all_it_needs(command, issuer):
    variables = {"M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint, "M2MGUARD_AUDIENCE": SHOPPING_API}
    good = ran(command, "explain", given=issuer.mint(scopes=["read:orders"]), **variables)
    bad = ran(command, "explain", "--scope", "x", given=issuer.mint(scopes=["read:orders"]), **variables)
    issuer.stop()
    unknown = ran(command, "explain", given=issuer.mint(), **variables)
    unready = ran(command, "health", **variables)
    assert [done.returncode for done in (good, bad, unknown, unready)] == [0, 1, 3, 3]
    assert good.stdout.endswith('Accepted: the caller is "app-orders", its scopes: "read:orders".\n')
    assert [done.stderr for done in (good, bad, unknown, unready)] == [""] * 4  # not even what the library logs


def test_help_names_the_commands_and_the_local_issuer():
    done = ran(MODULE, "--help")
    assert done.returncode == 0
    for word in ("explain", "health", "keys", "M2MGUARD_", "m2mguard dev"):
        assert word in done.stdout


@pytest.mark.parametrize("command", [SCRIPT, MODULE], ids=["script", "module"])
def test_the_version_is_told(command):
    done = ran(command, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"m2mguard {__version__}\n", "")


WRONG = {
    "no command": ([], "required: COMMAND"),
    "no issuer": (["keys"], "M2MGUARD_ISSUER is missing"),
    "no audience": (["explain", "--issuer", "https://i.example"], "M2MGUARD_AUDIENCE is missing"),
    "plain http": (["keys", "--issuer", "http://i.example"], "is http; use https"),
    "Logto's issuer as endpoint": (["keys", "--logto", "https://t.logto.app/oidc"], "without '/oidc'"),
    "no such file": (["keys", "--issuer", "https://i.example", "--jwks", "/nowhere"], "cannot be read: No such file"),
    "no key set": (["keys", "--issuer", "https://i.example", "--jwks", __file__], "the file is not a JSON object"),
    "a file for two issuers": (
        ["keys", "--issuer", "https://i.example", "--issuer", "https://j.example", "--jwks", __file__], "one issuer",
    ),
    "no time": (["explain", "--at", "noon"], "give a time such as"),
    "no finite time": (["explain", "--at", "inf"], "finite"),
    "no scope": (["explain", "--issuer", "https://i.example", "--audience", "a", "--scope", "a b"], "is no scope"),
    "no token": (["explain", "--issuer", "https://i.example", "--audience", "a"], "no token came in"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_usage_ends_with_2_and_a_sentence(run, what):
    arguments, sentence = WRONG[what]
    status, page = run(*arguments)
    assert status == 2
    assert sentence in page.splitlines()[-1]


COMMANDS = {
    "explain": ["--logto", "{endpoint}", "--audience", SHOPPING_API],
    "doctor": ["--logto", "{endpoint}", "--audience", SHOPPING_API, "--app-id", "app-orders", "--secret-variable", "SECRET"],
    "token": ["--logto", "{endpoint}", "--resource", SHOPPING_API, "--app-id", "app-orders", "--secret-variable", "SECRET"],
    "health": ["--logto", "{endpoint}", "--audience", SHOPPING_API],
    "keys": ["--logto", "{endpoint}"],
}  # fmt: skip
FREE_TEXT = [
    (command, option)
    for command in COMMANDS
    for action in create_parsers()[1][command]._actions
    for option in action.option_strings[:1]
    if action.nargs is None and option != "--app-secret"
]
_REPLACED = {
    "--issuer": ("--logto",),
    "--preset": ("--logto",),
    "--app": ("--logto",),
    "--secret-file": ("--secret-variable",),
}
STRANGE = [
    "",
    "é",
    "a b",
    "https://[",
    "https://127.0.0.1:abc",
    "1e300",
    "/dev/null",
    "a=b",
    "entra:x,y",
    "os:path",
]


@pytest.mark.parametrize(("command", "option"), FREE_TEXT)
def test_no_value_of_an_option_ends_in_a_traceback(run, issuer, monkeypatch, command, option):
    monkeypatch.setenv("SECRET", "secret-of-app-orders")
    words = [word.format(endpoint=issuer.endpoint) for word in COMMANDS[command]]
    usual = {
        name: value
        for name, value in zip(words[::2], words[1::2], strict=True)
        if name not in _REPLACED.get(option, ())
    }
    for value in STRANGE:
        arguments = [f"{name}={text}" for name, text in {**usual, option: value}.items()]
        status, page = run(command, *arguments, given=issuer.mint())
        assert status in (0, 1, 2, 3), (value, page)
        assert status != 2 or page.splitlines()[-1].startswith(f"m2mguard {command}: error: "), (value, page)


def test_a_value_that_is_no_text_can_be_shown(issuer):
    settings = ("--logto", issuer.endpoint, "--audience", SHOPPING_API)
    done = ran(MODULE, "explain", *settings, "--organization", "\udcff", given=issuer.mint())
    assert (done.returncode, done.stderr) == (1, "")
    assert 'a token of "\\udcff"' in done.stdout


def test_more_than_a_token_is_refused(run):
    status, page = run("explain", "--issuer", "https://i.example", "--audience", "a", given="a" * 70_000)
    assert status == 2
    assert "more than 65,536 characters" in page


def test_a_file_that_holds_nothing_but_a_mark_is_no_token():
    command = [*MODULE, "explain", "--issuer", "https://i.example", "--audience", "a"]
    done = subprocess.run(
        command,
        input=b"\xff\xfe",
        capture_output=True,
        timeout=30,
        check=False,
        env=environment(PYTHONIOENCODING="utf-8:strict"),
    )
    assert done.returncode == 1
    assert b"Refused, empty_value: " in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["explain", LIKE_A_TOKEN], ["explain", f"--token={LIKE_A_TOKEN}"], [LIKE_A_TOKEN], ["keys", LIKE_A_TOKEN]],
)
def test_a_token_on_the_command_line_is_refused_and_not_repeated(run, arguments):
    status, page = run(*arguments)
    assert status == 2
    assert not any(segment in page for segment in LIKE_A_TOKEN.split("."))


def on_a_terminal(arguments: list[str], typed: str, **variables: str) -> tuple[int, str]:
    """Run the command on a terminal of its own, type one line, and return its status and all that the terminal showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*MODULE, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(**variables),
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := _read(ours):
            shown += chunk
            if typed and shown.endswith(b"shown): "):
                os.write(ours, typed.encode() + b"\n")
                typed = ""
        return process.wait(30), shown.decode()
    finally:
        process.kill()
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how Linux says that the other end is closed
        return b""


def test_a_token_typed_at_a_terminal_is_not_shown_there(issuer):
    token = issuer.mint()
    status, shown = on_a_terminal(["explain", "--logto", issuer.endpoint, "--audience", SHOPPING_API], token)
    assert status == 0
    assert "Token (it will not be shown): " in shown
    assert not any(segment in shown for segment in token.split("."))
    assert "\x1b[32mok\x1b[0m  field " in shown


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_gets_no_colours_where_none_are_wanted(issuer, variables):
    status, shown = on_a_terminal(["keys", "--issuer", issuer.url], "", **variables)
    assert status == 0
    assert "\x1b" not in shown
    assert "ok  ES384 " in shown


def test_a_file_gets_no_colours(tmp_path):
    with (tmp_path / "page").open("w") as file:
        page = create_output(file, {"TERM": "xterm"})
    page.row(Status.REFUSED, "audience", "x " * 200)
    assert page.text == f"NO  audience        {'x ' * 200}\n"


def test_a_reader_who_leaves_early_changes_neither_verdict_nor_calm(issuer):
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [*MODULE, "keys", "--issuer", issuer.url],
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
        env=environment(),
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, b"")


HEEDING_CTRL_C = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # what starts the tests in the background may have had it ignored
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_ctrl_c_ends_it_without_a_traceback(issuer):
    with issuer.hold("jwks") as gate:
        process = subprocess.Popen(
            [sys.executable, "-c", HEEDING_CTRL_C, *MODULE, "keys", "--issuer", issuer.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(M2MGUARD_TIMEOUT="30"),
        )
        gate.wait_for(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_canary_in_the_signature_is_never_shown(run):
    """A signature of our own choosing, so that any part of it could be found, however it is spelt."""
    with LocalIssuer(key=SigningKey.generate("RS256")) as issuer:
        token = f"{issuer.mint().rpartition('.')[0]}.{'c4naryc4nary' * 28}AA"
        status, page = run("explain", "--logto", issuer.endpoint, "--audience", SHOPPING_API, given=token)
    assert status == 1
    assert re.search("(?i)c4nary", page) is None
