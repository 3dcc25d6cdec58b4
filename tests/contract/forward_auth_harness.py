"""The contract's application behind a proxy in this process, which asks `ForwardAuth` and passes a signed identity on."""

from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.testclient import TestClient

from m2mguard import Caller, Requirement, ResourceServer
from m2mguard.forward_auth import JWKS_PATH, ForwardAuth, OriginalRequest, identity_issuer
from m2mguard.testing.contract import ContractRequest, ContractResponse, Protection
from tests.contract.aiohttp_harnesses import ASCII_BUT_SPACE
from tests.contract.application import tenant_of
from tests.contract.asgi_harnesses import PlainASGI, send_with, url_of

IDENTITY_KEY = ec.derive_private_key(2026, ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
ANY = Requirement(organization="*")


class ForwardAuthHarness:
    """The proxy sends an answer of 200 on to the application, and any other to the client. The application verifies the signed identity."""

    matches_public_paths: ClassVar[bool] = True

    def tenant(self, request: OriginalRequest) -> str | None:
        return tenant_of(request.plain_path or "")

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        mounted = [
            f"{methods} {request.mounted_at}{path}".strip()
            for methods, _, path in (entry.rpartition(" ") for entry in protection.public)
        ]
        endpoint = TestClient(
            ForwardAuth(protection.server, protection.requirement, mounted, identity_key=IDENTITY_KEY)
        )
        question = replace(
            request,
            method="GET",
            path="/authorize",
            query="",
            body=b"",
            mounted_at="",
            fields=(
                *(field for field in request.fields if not field[0].lower().startswith("x-forwarded-")),
                ("X-Forwarded-Method", request.method),
                ("X-Forwarded-Uri", quote(url_of(request), safe=ASCII_BUT_SPACE)),
            ),
        )
        answer = send_with(endpoint, question)
        if answer.status != 200:
            return replace(answer, body=b"") if request.method == "HEAD" else answer
        (identity,) = answer.values("x-m2m-identity")
        caller = self._verified(identity, protection, endpoint.get(JWKS_PATH).json()) if identity else None
        return send_with(TestClient(self._upstream(caller), root_path=request.mounted_at), request)

    def _verified(self, identity: str, protection: Protection, jwks: Any) -> Caller:
        settings = protection.server.settings
        upstream = ResourceServer(
            identity_issuer(jwks=jwks), settings.audience, clock=settings.clock, machine_only=settings.machine_only
        )
        return upstream.verify(identity, ANY)

    def _upstream(self, caller: Caller | None) -> Any:
        async def with_caller(scope: Any, receive: Any, send: Any) -> None:
            await PlainASGI()._application({**scope, "auth": caller}, receive, send)

        return with_caller
