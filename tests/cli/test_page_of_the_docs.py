"""docs/reference/cli.md shows what the commands print: every block is run, against a local issuer in the tenant's place."""

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, thumbprint

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
TENANT = "https://tenant.logto.app"
PRIVATE_KEY = ec.derive_private_key(2026, ec.SECP384R1())  # the same on every run, so that thumbprints are
ISSUED_AT = datetime(2026, 11, 22, 15, 50, tzinfo=UTC).timestamp()
BLOCKS = re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def issuer():
    unnamed = SigningKey(algorithm="ES384", private_key=PRIVATE_KEY, kid="")
    with LocalIssuer(key=unnamed.using(kid=thumbprint(unnamed.public_jwk))) as running:
        running.publish({"kty": "OKP", "crv": "X25519", "kid": "for-encryption", "x": "AA"})
        yield running


@pytest.fixture
def shell(run, issuer, tmp_path, monkeypatch):
    """Run the lines that a reader would type, with the tenant's URL standing for the local issuer's; return what is printed."""
    same = {"issued_at": int(ISSUED_AT), "claims": {"jti": "Hc1NWtJKXpkBKQiW"}}
    files = {
        "slash.jwt": issuer.mint(scopes=["read:orders"], audience=f"{SHOPPING_API}/", **same),
        "no-role.jwt": issuer.mint(scopes=[], **same),
        "variable.txt": "Bearer ${ACCESS_TOKEN}\n",
    }
    last_status = 0
    monkeypatch.chdir(tmp_path)

    def shell(line: str) -> str:
        nonlocal last_status
        if line == "echo $?":
            return f"{last_status}\n"
        line, _, shortened = line.partition(" | tail -")
        program, *arguments = shlex.split(line.replace(TENANT, issuer.endpoint))
        assert program == "m2mguard"
        file = arguments[arguments.index("<") + 1] if "<" in arguments else None
        if file:
            arguments = arguments[: arguments.index("<")]
        last_status, printed = run(*arguments, given=files[file] if file else "")
        printed = re.sub(r" in \d+ ms", " in 12 ms", printed)
        printed = re.sub(
            r"by \d+ handler\(s\)", "by Python's own last resort, on standard error", printed
        )  # pytest's are meant
        lines = printed.replace(issuer.endpoint, TENANT).splitlines(keepends=True)
        return "".join(lines[-int(shortened) :] if shortened else lines)

    return shell


@pytest.mark.parametrize("block", BLOCKS, ids=range(1, len(BLOCKS) + 1))
def test_a_block_shows_what_its_commands_print(shell, block):
    commands = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
    assert block == "".join(f"$ {command}\n{shell(command)}" for command in commands)


def test_the_page_has_blocks():
    assert len(BLOCKS) == 8
