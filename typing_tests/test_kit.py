"""What an editor must know of the test kit's public names. Checked by mypy and pyright in their strict modes; never run."""

from typing import assert_type

from m2mguard import Caller, Requirement
from m2mguard.testing import (
    REMOVED,
    CallerFactory,
    HeadersFactory,
    LocalIssuer,
    TestServer,
    TokenFactory,
    calling_as,
    fake_caller,
    trusting,
)

server = TestServer(audience="https://mine.api", leeway=0)
caller = fake_caller("app-mine", scopes=["read"], user_id=None)
assert_type(caller, Caller)
fake_caller(scope=["read"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
fake_caller(["read"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

with calling_as(server, caller) as seen, server.calling_as(caller) as seen_too, trusting(server, LocalIssuer()):
    assert_type(seen, Caller)
    assert_type(seen_too, Caller)
    assert_type(server.verify("", Requirement()), Caller)


@calling_as(server, caller)
def decorated(number: int) -> str:
    return str(number)


@trusting(server, LocalIssuer())
async def awaited(number: int) -> str:
    return str(number)


assert_type(decorated(1), str)
decorated("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
awaited("1")  # type: ignore[arg-type, unused-coroutine]  # pyright: ignore[reportArgumentType, reportUnusedCoroutine]


def tests(token: TokenFactory, headers: HeadersFactory, made: CallerFactory) -> None:
    assert_type(token("app-mine", scopes=["read"], exp=0, nbf=REMOVED, lifetime=60), str)
    assert_type(headers(audience="https://mine.api", organization_id="blue"), dict[str, str])
    assert_type(made(scopes=["read"]), Caller)
    assert_type(server.token(audience="https://other.api"), str)
    token(scope=["read"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    made(scope=["read"])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    factories: tuple[TokenFactory, CallerFactory] = (LocalIssuer().mint, fake_caller)
    assert_type(factories[1](), Caller)
