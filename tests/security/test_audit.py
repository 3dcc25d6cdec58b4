"""Python's own audit events, watched while attacks go in: no file is read, and nothing but the configured issuer is spoken to."""

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

QUIET = (
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


class Watch:
    """An audit hook cannot be taken off again, so there is one, and it listens only when told to."""

    def __init__(self):
        self.events = None
        sys.addaudithook(self._hear)

    def _hear(self, name, arguments):
        if self.events is not None and not name.startswith(QUIET):
            self.events.append((name, arguments))

    def during(self, work):
        self.events = []
        try:
            work()
        finally:
            heard, self.events = self.events, None
        return heard


@pytest.fixture(scope="module")
def watch():
    return Watch()


def attacks(issuer):
    """Fields whose tokens ask for files and connections in every way a token can."""
    other = "http://127.0.0.1:9/keys"
    for place in ("jku", "x5u", "jwk", "x5c", "kid", "typ", "alg", "cty", "x5t"):
        for value in (
            other,
            "file:///etc/passwd",
            "../../etc/passwd",
            "/dev/null",
            "\\\\evil\\share",
            "|id",
            ["/etc/passwd"],
        ):
            yield issuer.mint(header={place: value})
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


def test_the_watch_hears_files_and_connections(watch):
    heard = watch.during(lambda: Path(__file__).read_bytes())
    assert "open" in [name for name, _ in heard]


def test_with_keys_at_hand_no_input_reads_a_file_or_opens_a_connection(watch):
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

        heard = watch.during(attack)
        requests = issuer.count()
    assert len(refused) == len(fields) - 6 * 7 - 2  # jku and its like, and claims nobody asks for, are not looked at
    assert heard == []
    assert requests == 2  # discovery and keys, for the first token


def test_when_keys_are_fetched_only_the_issuer_is_spoken_to(watch):
    with LocalIssuer() as issuer:
        where = urlsplit(issuer.url)
        guard = ResourceServer(issuer.url, audience=API)
        guard.refresh()  # imports what it needs
        tokens = [*attacks(issuer)]

        def attack():
            for token in tokens:
                guard.purge()
                with contextlib.suppress(AnswerableError):
                    guard.authenticate([f"Bearer {token}"])

        heard = watch.during(attack)
    addresses = {arguments[1][:2] for name, arguments in heard if name == "socket.connect"}
    assert addresses == {(where.hostname, where.port)}
    names = {arguments[0] for name, arguments in heard if name == "socket.getaddrinfo"}
    assert names <= {where.hostname}
    others = {name for name, _ in heard} - {
        "socket.__new__",
        "socket.connect",
        "socket.getaddrinfo",
        "http.client.connect",
        "http.client.send",
        "sys.settrace",  # by what measures coverage, in each new thread
    }
    assert not {name for name in others if not name.startswith(("socket.", "import"))}
    assert not [arguments for name, arguments in heard if name == "import" and arguments[1]]
