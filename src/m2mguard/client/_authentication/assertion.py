"""A statement about the application that somebody else has signed: a platform that knows which workload this is (RFC 7523 section 2.2)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from m2mguard._validation import is_async
from m2mguard.client._authentication.proof import Proof, ProofRequest, ProofUnavailable
from m2mguard.errors import ConfigurationError

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_ASSERTION_BYTES = 65_536
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class AssertionFile:
    """A token that the platform writes into a file and replaces while the application runs. It is read for each token request.

    Kubernetes projects such a file (`serviceAccountToken` with an `audience`); Entra's workload identity names it in
    AZURE_FEDERATED_TOKEN_FILE. If it cannot be read, or holds no JWT, there is no token, for the reason `client_assertion`.

    Args:
        path: the file. It need not exist yet.

    Raises:
        ConfigurationError: the path is no text.
    """

    path: str | os.PathLike[str]

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | os.PathLike) or not str(self.path):
            raise ConfigurationError("AssertionFile needs the path of a file.")

    def proof(self, request: ProofRequest) -> Proof:
        """What the file holds at this moment.

        Raises:
            ProofUnavailable: it cannot be read, or holds no JWT.
        """
        try:
            with Path(self.path).open("rb") as file:
                content = file.read(MAX_ASSERTION_BYTES + 1)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ProofUnavailable(
                "client_assertion", f"the assertion file {self.path} cannot be read: {why}"
            ) from None
        return assertion_proof(request, content.decode("latin-1").strip(), what=f"the assertion file {self.path}")


@dataclass(frozen=True, slots=True)
class Assertion:
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
        """What the function returns at this moment. Its error may hold a token, so only the type is reported.

        Raises:
            ProofUnavailable: it raised, or returned no JWT.
        """
        try:
            token = self.fetch()
        except Exception as error:  # noqa: BLE001 - the function is not ours, and may raise anything
            what = f"the function of Assertion raised {type(error).__name__}; it must return a JWT"
            raise ProofUnavailable("client_assertion", what) from None
        return assertion_proof(request, token, what="what the function of Assertion returned")


def assertion_proof(request: ProofRequest, assertion: object, *, what: str) -> Proof:
    """The proof by an assertion.

    Args:
        request: for which token request.
        assertion: what was found.
        what: names where it was found, for the message.

    Raises:
        ProofUnavailable: it is no JWT in compact form.
    """
    if not isinstance(assertion, str) or not _JWT.fullmatch(assertion) or len(assertion) > MAX_ASSERTION_BYTES:
        raise ProofUnavailable("client_assertion", f"{what} is no JWT: expected three parts with dots between them")
    parameters = {
        "client_id": request.client_id,
        "client_assertion_type": JWT_BEARER,
        "client_assertion": assertion,
    }
    return Proof(parameters=parameters, secrets=frozenset((assertion, assertion.rpartition(".")[2])))
