"""`m2mguard explain` at a terminal: the token is asked for at a prompt that does not show it."""

import io
import sys

import pytest

from m2mguard._cli.command import main
from m2mguard.testing import SHOPPING_API


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def explain_at_a_terminal(issuer, monkeypatch, capsys):
    def explain(answer):
        monkeypatch.setattr(sys, "stdin", Terminal())
        monkeypatch.setattr("getpass.getpass", answer)
        try:
            status = main(["explain", "--logto", issuer.endpoint, "--audience", SHOPPING_API])
        except SystemExit as ended:
            status = ended.code
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return explain


def test_a_token_given_at_the_prompt_is_explained(explain_at_a_terminal, issuer):
    status, page = explain_at_a_terminal(lambda prompt: issuer.mint(lifetime=60))
    assert status == 0, page
    assert "Accepted" in page


def test_a_token_that_the_terminal_has_cut_is_refused(explain_at_a_terminal):
    status, page = explain_at_a_terminal(lambda prompt: "a" * 5000)
    assert status == 2
    assert "a terminal cuts lines" in page


def test_the_end_of_input_is_no_token(explain_at_a_terminal):
    def end(prompt):
        raise EOFError

    status, page = explain_at_a_terminal(end)
    assert status == 2
    assert "no token came in" in page


def test_an_issuer_option_replaces_that_of_the_users_code(run, issuer, tmp_path, monkeypatch):
    module = f"code_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(
        f"from m2mguard import ResourceServer\nserver = ResourceServer('https://issuer.invalid', audience={SHOPPING_API!r})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    status, page = run("explain", "--app", f"{module}:server", "--logto", issuer.endpoint, given=issuer.mint())
    assert status == 0, page
