"""The command line, run inside the test's own process. `test_command.py` runs the real thing."""

import io
import os
from collections.abc import Callable, Iterator

import pytest

from m2mguard._cli.command import main
from m2mguard.testing import SHOPPING_API, LocalIssuer

Run = Callable[..., tuple[object, str]]


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in [name for name in os.environ if name.startswith("M2MGUARD_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """As Logto by default: it signs with ES384, which the pages show."""
    with LocalIssuer() as running:
        yield running


@pytest.fixture
def run(capsys, monkeypatch) -> Run:
    """`status, page = run("keys", "--issuer", url, given="what comes in on standard input")`."""

    def run(*arguments: str, given: str = "") -> tuple[object, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(given))
        status: object
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = ended.code
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


@pytest.fixture
def explain(run, issuer) -> Run:
    """`status, page = explain(token, "--scope", "read:orders")`, with the settings of the shopping API."""
    settings = ("--logto", issuer.endpoint, "--audience", SHOPPING_API)
    return lambda token, *arguments: run("explain", *settings, *arguments, given=token)
