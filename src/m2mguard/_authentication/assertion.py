"""A statement about the application that somebody else has signed: a platform that knows which workload this is (RFC 7523 section 2.2)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from m2mguard._authentication.proof import EndpointAuthentication, Proof, ProofRequest, ProofUnavailable
from m2mguard._validation import is_async
from m2mguard.errors import ConfigurationError
from m2mguard.net._credential_files import FilePath, UnreadableFile, read_credential_file

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_ASSERTION_BYTES = 65_536
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_JSON_WITHIN = re.compile(
    f"(?=.*eyJ){_JWT.pattern}"
)  # a JWT with a part that begins as JSON does; a file name has three parts, too


@dataclass(frozen=True, slots=True)
class AssertionFile(EndpointAuthentication):
    """A token that the platform writes into a file and replaces while the application runs. It is read for each token request.

    Kubernetes projects such a file (`serviceAccountToken` with an `audience`); Entra's workload identity names it in
    AZURE_FEDERATED_TOKEN_FILE. If it cannot be read, or holds no JWT, there is no token, for the reason `client_assertion`.

    Args:
        path: the file. It need not exist yet.

    Raises:
        ConfigurationError: the path is no text, or is the token itself.
    """

    path: FilePath

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | os.PathLike) or not str(self.path):
            raise ConfigurationError("AssertionFile needs the path of a file.")
        if _JSON_WITHIN.fullmatch(str(self.path).strip()):
            raise ConfigurationError("AssertionFile needs the path of a file, and was given a token.")

    def proof(self, request: ProofRequest) -> Proof:
        """What the file holds at this moment."""
        return assertion_proof(request, self.token())

    def token(self) -> str:
        """The JWT in the file. Raises ProofUnavailable if there is none."""
        try:
            content = read_credential_file(self.path, max_bytes=MAX_ASSERTION_BYTES)
        except UnreadableFile as error:
            raise ProofUnavailable("client_assertion", f"there is no assertion: {error}") from None
        return _jwt(content.decode("latin-1").strip(), what=f"the assertion file {self.path}")


@dataclass(frozen=True, slots=True)
class Assertion(EndpointAuthentication):
    """A token that a function fetches, such as from a cloud's metadata service. The repr leaves the function out.

    Args:
        fetch: returns the JWT. Called for each token request, on a thread of its own, where it may block; it should take less than
            the `timeout` of the `TokenSource`. If it raises or returns no JWT, there is no token, for the reason `client_assertion`.

    Raises:
        ConfigurationError: not a plain function.
    """

    fetch: Callable[[], str] = field(repr=False)

    def __post_init__(self) -> None:
        if not callable(self.fetch) or is_async(self.fetch):
            raise ConfigurationError("Assertion needs a plain (not async) function that returns a JWT.")

    def proof(self, request: ProofRequest) -> Proof:
        """What the function returns at this moment."""
        return assertion_proof(request, self.token())

    def token(self) -> str:
        """The JWT that the function returns. Raises ProofUnavailable if there is none; its error may hold one, so only the type is told."""
        try:
            token = self.fetch()
        except BaseException as error:  # noqa: BLE001 - the function is not ours, raises anything, and ours is its thread's only work
            what = f"the function of Assertion raised {type(error).__name__}; it must return a JWT"
            raise ProofUnavailable("client_assertion", what) from None
        return _jwt(token, what="what the function of Assertion returned")


def assertion_proof(request: ProofRequest, assertion: str) -> Proof:
    """The proof by an assertion."""
    parameters = {
        "client_id": request.client_id,
        "client_assertion_type": JWT_BEARER,
        "client_assertion": assertion,
    }
    return Proof(parameters=parameters, secrets=secrets_of(assertion))


def secrets_of(token: str) -> frozenset[str]:
    """What must not be shown of a JWT: all of it, and the signature alone."""
    return frozenset((token, token.rpartition(".")[2]))


def _jwt(token: object, *, what: str) -> str:
    if not isinstance(token, str) or not _JWT.fullmatch(token) or len(token) > MAX_ASSERTION_BYTES:
        raise ProofUnavailable("client_assertion", f"{what} is no JWT: expected three parts with dots between them")
    return token
