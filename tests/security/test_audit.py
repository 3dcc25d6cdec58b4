"""Python's audit events during attacks: no file is read, and connections go only to the configured issuer."""

import contextlib
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fuzz.seeds import FIELDS, seeds
from m2mguard import Issuer, KeyCaching, ResourceServer
from m2mguard.errors import AnswerableError
from m2mguard.testing import LocalIssuer
from tests.security.forge import API

IGNORED = (
    "object.",
    "compile",
    "gc.",
    "sys._getframe",
    "time.",
    "_thread.",
    "threading.",
    "code.__new__",
    "builtins.id",
    "marshal.",
)


class AuditRecorder:
    """Records audit events. A hook cannot be removed, so there is one, and it records only inside `during`."""

    def __init__(self):
        self.events = None
        sys.addaudithook(self._record)

    def _record(self, name, arguments):
        if self.events is not None and not name.startswith(IGNORED):
            self.events.append((name, arguments))

    def during(self, work):
        self.events = []
        try:
            work()
        finally:
            recorded, self.events = self.events, None
        return recorded


@pytest.fixture(scope="module")
def recorder():
    return AuditRecorder()


def attacks(issuer):
    """Tokens that name files and URLs in every member that a token can have."""
    other = "http://127.0.0.1:9/keys"
    for member in ("jku", "x5u", "jwk", "x5c", "kid", "typ", "alg", "cty", "x5t"):
        for value in (
            other,
            "file:///etc/passwd",
            "../../etc/passwd",
            "/dev/null",
            "\\\\evil\\share",
            "|id",
            ["/etc/passwd"],
        ):
            yield issuer.mint(header={member: value})
    for iss in (
        other,
        "file:///etc/passwd",
        f"{issuer.url}/",
        f"{issuer.url}@127.0.0.1:9",
        "http://localhost:9",
        "//127.0.0.1:9",
        ["x"],
    ):
        yield issuer.mint(claims={"iss": iss})
        yield issuer.mint(claims={"iss": iss}, header={"kid": "unknown"})
    for claim in ("aud", "sub", "scope", "organization_id", "cnf", "jwks_uri"):
        yield issuer.mint(claims={claim: other})
    for number in range(20):
        yield issuer.mint(header={"kid": f"invented-{number}"})


def test_the_recorder_records_the_opening_of_files(recorder):
    recorded = recorder.during(lambda: Path(__file__).read_bytes())
    assert "open" in [name for name, _ in recorded]


def test_with_cached_keys_no_input_reads_a_file_or_connects(recorder):
    with LocalIssuer() as issuer:
        guard = ResourceServer(Issuer.logto(issuer.endpoint), audience=API, caching=KeyCaching(burst=0))
        guard.authenticate([f"Bearer {issuer.mint()}"])
        fields = [[f"Bearer {token}"] for token in attacks(issuer)]
        fields += [seed[1:].split(b"\n") for seed in seeds() if seed.startswith(FIELDS)]
        fields += [[], [""], ["Basic x"], ["Bearer file:///etc/passwd"], [b"\xff"], ["a", "b"]]
        refused = []

        def attack():
            for one in fields:
                try:
                    guard.authenticate(one)
                except AnswerableError as refusal:
                    refused.append(refusal)

        recorded = recorder.during(attack)
        requests = issuer.count()
    assert len(refused) == len(fields) - 6 * 7 - 2  # jku and similar members, and unused claims, are ignored
    assert recorded == []
    assert requests == 2  # discovery and keys, for the first token


def test_a_fetch_connects_only_to_the_issuer(recorder):
    with LocalIssuer() as issuer:
        issuer_url = urlsplit(issuer.url)
        guard = ResourceServer(issuer.url, audience=API)
        guard.refresh()  # imports what a fetch needs
        tokens = [*attacks(issuer)]

        def attack():
            for token in tokens:
                guard.purge()
                with contextlib.suppress(AnswerableError):
                    guard.authenticate([f"Bearer {token}"])

        recorded = recorder.during(attack)
    addresses = {arguments[1][:2] for name, arguments in recorded if name == "socket.connect"}
    assert addresses == {(issuer_url.hostname, issuer_url.port)}
    names = {arguments[0] for name, arguments in recorded if name == "socket.getaddrinfo"}
    assert names <= {issuer_url.hostname}
    others = {name for name, _ in recorded} - {
        "socket.__new__",
        "socket.connect",
        "socket.getaddrinfo",
        "http.client.connect",
        "http.client.send",
        "sys.settrace",  # from the measurement of coverage in each new thread
    }
    assert not {name for name in others if not name.startswith(("socket.", "import"))}
    assert not [arguments for name, arguments in recorded if name == "import" and arguments[1]]
