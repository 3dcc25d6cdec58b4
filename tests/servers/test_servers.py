"""The contract under real servers in separate processes: forked, threaded, patched, preloaded, and while keys rotate."""

import contextlib
import http.client
import operator
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from m2mguard import Requirement
from m2mguard.testing import SHOPPING_API, SigningKey
from m2mguard.testing.contract import CASES, Case, ContractRequest, ContractResponse, Environment
from m2mguard.testing.contract._environment import NOW
from m2mguard.testing.contract._messages import PUBLIC
from tests.processes import running

PLAIN_WSGI = "tests.servers.wsgi_application:wsgi"
PLAIN_ASGI = "tests.servers.asgi_application:asgi"
DJANGO = "tests.servers.django_application"
GUNICORN = (
    "gunicorn",
    "--bind",
    "fd://{fd}",
    "--no-control-socket",
    "--log-level",
    "warning",
    "--graceful-timeout",
    "3",
)
GTHREAD = ("--worker-class", "gthread", "--threads", "4")
GEVENT = ("--worker-class", "gevent")
TWO = ("--workers", "2")

WITH_TWO_PROCESSES = {
    "gunicorn sync": (*GUNICORN, *TWO, PLAIN_WSGI),
    "gunicorn gthread": (*GUNICORN, *TWO, *GTHREAD, PLAIN_WSGI),
    "gunicorn gthread, preloaded": (*GUNICORN, *TWO, *GTHREAD, "--preload", PLAIN_WSGI),
    "gunicorn gevent": (*GUNICORN, *TWO, *GEVENT, PLAIN_WSGI),
    "gunicorn gevent, preloaded": (*GUNICORN, *TWO, *GEVENT, "--preload", PLAIN_WSGI),
    "Django under gunicorn sync, preloaded": (*GUNICORN, *TWO, "--preload", f"{DJANGO}:wsgi"),
    "Django under gunicorn gthread": (*GUNICORN, *TWO, *GTHREAD, f"{DJANGO}:wsgi"),
    "Django under gunicorn gevent": (*GUNICORN, *TWO, *GEVENT, f"{DJANGO}:wsgi"),
}
WITH_ONE_PROCESS = {
    "uvicorn": ("uvicorn", "--fd", "{fd}", "--log-level", "warning", PLAIN_ASGI),
    "hypercorn": ("hypercorn", "--bind", "fd://{fd}", PLAIN_ASGI),
    "Django under uvicorn": ("uvicorn", "--fd", "{fd}", "--log-level", "warning", "--lifespan", "off", f"{DJANGO}:asgi"),
}  # fmt: skip
SERVERS = [
    pytest.param(command, processes, id=name)
    for processes, servers in ((2, WITH_TWO_PROCESSES), (1, WITH_ONE_PROCESS))
    for name, command in servers.items()
]


def is_sendable(case: Case) -> bool:
    """Whether the case fits the running application. A server refuses 100 kB itself, and nothing is mounted here."""
    return (
        case.requirement == Requirement()
        and case.caller is None
        and case.public == PUBLIC
        and not (case.organization_from_route or case.issuer_is_down or case.admits_persons or case.request.mounted_at)
        and case.request.path not in ("/failure", "/mounted/caller")
        and "100 kB" not in case.name
    )


def send(url: str, request: ContractRequest, authorization: tuple[bytes, ...]) -> ContractResponse:
    """Send the request of a case unchanged over a new connection."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=15)) as connection:
        connection.putrequest(request.method, request.path + (f"?{request.query}" if request.query else ""))
        fields: list[tuple[str, str | bytes]] = [
            *request.fields,
            *(("Authorization", value) for value in authorization),
        ]
        for name, value in fields:
            connection.putheader(name, value)
        connection.putheader("Connection", "close")
        if request.body:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        # http.client expects no body after HEAD, so the test reads any body from the file below it.
        body = answer.fp.read() if request.method == "HEAD" else answer.read()
        return ContractResponse(status=answer.status, fields=tuple(answer.getheaders()), body=body)


@pytest.fixture
def environment() -> Iterator[Environment]:
    with Environment() as environment:
        yield environment


def variables(environment: Environment) -> dict[str, str]:
    return {
        "M2MGUARD_LOGTO_ENDPOINT": environment.issuer.endpoint,
        "M2MGUARD_AUDIENCE": SHOPPING_API,
        "M2MGUARD_BURST": "100",  # keys rotate very often in this test
    }


@pytest.mark.parametrize(("command", "processes"), SERVERS)
def test_the_contract_holds_and_no_answer_is_wrong_while_keys_rotate(command, processes, environment):
    with running(*command, env=variables(environment)) as url:
        cases = [case for case in CASES if is_sendable(case)]
        assert len(cases) > 70
        for case in cases:
            answer = send(url, case.request, case.credentials(environment.issuer))
            try:
                case.expected.hold(answer)  # type: ignore[union-attr]
                if case.request.method == "HEAD":
                    assert answer.body == b""
                else:
                    case.expected.hold_body(answer.body)  # type: ignore[union-attr]
            except AssertionError as broken:
                raise AssertionError(f"{case.name}: {broken}") from broken
        rotate_while_requests_run(url, environment, processes)


class Tally:
    """Counts the answers to the clients that send requests meanwhile."""

    def __init__(self, clients: int) -> None:
        self.is_over = False
        self.wrong: list[object] = []
        self._changed = threading.Condition()
        self._answers = [0] * clients

    def note(self, client: int, wrong: object) -> None:
        with self._changed:
            self._answers[client] += 1
            if wrong:
                self.wrong.append(wrong)
            self._changed.notify_all()

    def wait_for_answers(self, count: int) -> None:
        """Wait until every client has got this many new answers: then no client uses an older token."""
        with self._changed:
            goals = [answers + count for answers in self._answers]
            assert self._changed.wait_for(
                lambda: self.wrong or all(map(operator.ge, self._answers, goals)), timeout=20
            ), "a client was not answered"


def rotate_while_requests_run(
    url: str, environment: Environment, processes: int, *, rotations: int = 4, clients: int = 4
) -> None:
    issuer = environment.issuer
    issuer.reset_counts()
    tally = Tally(clients)
    foreign_key = SigningKey.generate()

    def ask(client: int, expected: int) -> None:
        while not tally.is_over:
            # Older than the keys: a newer token with a wrong signature causes a fetch.
            signer = foreign_key.using(kid=issuer.current_key.kid)
            token = issuer.mint() if expected == 200 else issuer.mint(key=signer, issued_at=NOW - 600)
            status = send(url, ContractRequest(), (f"Bearer {token}".encode(),)).status
            tally.note(client, None if status == expected else f"{status}, not {expected}")

    with ThreadPoolExecutor(clients) as pool:
        requests = [pool.submit(ask, client, 401 if client == 0 else 200) for client in range(clients)]
        try:
            for _ in range(rotations):
                issuer.rotate()
                tally.wait_for_answers(3)
        finally:
            tally.is_over = True
        for one in requests:
            one.result()
    assert tally.wrong == []
    fetches = issuer.count("jwks")
    assert rotations <= fetches <= rotations * processes, (
        f"{fetches} fetches of {processes} processes for {rotations} rotations"
    )
