"""The tenant behind the page: a local issuer, deliberate faults of it, and an example API that verifies its tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from m2mguard._cli.command_setup import CommandSetup
from m2mguard._cli.dev.key_store import KeyStore
from m2mguard._cli.dev.tenant_file import TenantSettings
from m2mguard._keys.key_caching import KeyCaching
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.issuer import Issuer
from m2mguard.net._flight import new_lock
from m2mguard.testing import faults
from m2mguard.testing._local_issuer import LocalIssuer
from m2mguard.testing._signing import SigningKey

SLOW_S = 3.0
MAX_REQUESTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key as the page shows it: its kid, its algorithm and its state."""

    kid: str
    algorithm: str
    state: str
    is_published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One request that the issuer received, and how many seconds ago."""

    endpoint: str
    method: str
    path: str
    seconds_ago: int


class DevTenant:
    """A running issuer and an example API. Safe to use from any thread; most methods block for a moment.

    Args:
        settings: the applications and APIs.
        keys: the store of the signing key.
        algorithm: the algorithm of the signing key.
        host: the host name in the issuer's URL.
        listen: the address that the issuer listens on.
        port: the port of the issuer; 0 selects a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self,
        settings: TenantSettings,
        keys: KeyStore,
        *,
        algorithm: str,
        host: str = "127.0.0.1",
        listen: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.settings = settings
        self._keys = keys
        self._algorithm = algorithm
        self._lock = new_lock()
        self._active_fault: str | None = None
        self._withdrawn: set[str] = set()
        self.issuer: LocalIssuer = LocalIssuer(
            key=keys.load(algorithm),
            host=host,
            listen=listen,
            port=port,
            applications=settings.apps,
            resources=settings.apis,
        )
        self.example_api: ResourceServer = self._create_api()

    @property
    def active_fault(self) -> str | None:
        """The active fault, a key of `FAULTS`, or None."""
        return self._active_fault

    def start(self) -> None:
        """Start the issuer. Blocks until it listens."""
        self.issuer.start()

    def close(self) -> None:
        """Stop the issuer. Blocks until it has stopped."""
        self.issuer.behave()
        self.issuer.__exit__()

    def mint(self, app_id: str, api: str, scopes: list[str], organization: str | None) -> str:
        """Mint a token for an application, an API and these scopes, granted or not.

        Raises:
            ValueError: the application or API is unknown, or a scope is invalid.
        """
        if app_id not in self.settings.apps or api not in self.settings.apis:
            raise ValueError("there is no such application or API")
        return self.issuer.mint(app_id, audience=api, scopes=scopes, organization_id=organization or None)

    def rotate(self) -> None:
        """Sign with a new key from now on; the previous key stays published, older keys do not."""
        self._keys.save(self.issuer.rotate())

    def withdraw(self, kid: str) -> None:
        """Stop publishing a key. Raises ValueError if there is no such key."""
        self.issuer.withdraw(kid)
        with self._lock:
            self._withdrawn.add(kid)

    def break_issuer(self, fault: str) -> None:
        """Activate a fault of `FAULTS`. Raises ValueError if there is no such fault."""
        if fault not in FAULTS:
            raise ValueError("there is no such fault")
        self.heal()
        FAULTS[fault].apply(self.issuer)
        with self._lock:
            self._active_fault = fault

    def heal(self) -> None:
        """Deactivate the active fault."""
        with self._lock:
            fault, self._active_fault = self._active_fault, None
        self.issuer.behave()
        if fault == "down":
            self.issuer.start()

    def restart_api(self) -> None:
        """Restart the example API: it has no keys, like a new process."""
        self.example_api = self._create_api()

    def create_setup(self) -> CommandSetup:
        """Create the setup for an explanation from the settings of the example API."""
        return CommandSetup(settings=self.example_api.settings, origins={})

    def list_key_rows(self) -> list[KeyRow]:
        """Return the keys of the issuer."""
        published = {str(jwk.get("kid")) for jwk in self.issuer.jwks["keys"]}
        rows = []
        for key in self.issuer.keys:
            is_current = key == self.issuer.current_key
            state = "signs new tokens" if is_current else "previous: its tokens are still valid"
            if key.kid not in published:
                state = "withdrawn: its tokens are refused" + (", though it signs" if is_current else "")
            rows.append(KeyRow(kid=key.kid, algorithm=key.algorithm, state=state, is_published=key.kid in published))
        return rows

    def list_requests(self) -> list[RequestRow]:
        """Return the last 12 requests that the issuer received, the latest first."""
        now = time.monotonic()
        return [
            RequestRow(endpoint=one.endpoint, method=one.method, path=one.path, seconds_ago=int(now - one.at))
            for one in reversed(self.issuer.requests[-MAX_REQUESTS:])
        ]

    def create_requirement(self, scope: str) -> Requirement:
        """Create the requirement of the example route. Raises ConfigurationError if the scope is invalid."""
        return Requirement(scopes=[scope] if scope else [])

    def variables(self) -> list[str]:
        """Return the settings of an API that accepts these tokens, as variables of its environment."""
        of_logto = Issuer.logto(self.issuer.endpoint, allow_http=True).algorithms
        return [
            f"M2MGUARD_LOGTO_ENDPOINT={self.issuer.endpoint}",
            f"M2MGUARD_AUDIENCE={next(iter(self.settings.apis))}",
            *([] if self._algorithm in of_logto else [f"M2MGUARD_ALGORITHMS={self._algorithm}"]),
        ]

    def _create_api(self) -> ResourceServer:
        caching = KeyCaching(timeout=2, connect_timeout=1, max_wait=1)
        logto = Issuer.logto(self.issuer.endpoint, allow_http=True)
        trusted = replace(logto, algorithms={*logto.algorithms, self._algorithm})
        return ResourceServer(trusted, audience=list(self.settings.apis), caching=caching)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevFault:
    """One fault: its label on the page, its meaning, and the function that activates it."""

    label: str
    meaning: str
    apply: Callable[[LocalIssuer], object]


def _create_wrong_key_set() -> bytes:
    return json.dumps({"keys": [SigningKey.generate("ES384").public_jwk]}).encode()


FAULTS: Mapping[str, DevFault] = MappingProxyType(
    {
        "down": DevFault(label="Down", meaning="nothing listens", apply=lambda issuer: issuer.stop()),
        "slow": DevFault(
            label="Slow",
            meaning=f"each answer takes {SLOW_S:g} s",
            apply=lambda issuer: issuer.misbehave("all", faults.delay(SLOW_S)),
        ),
        "hanging": DevFault(
            label="Hanging",
            meaning="connections are accepted and never answered",
            apply=lambda issuer: issuer.misbehave("all", faults.hang()),
        ),
        "errors": DevFault(
            label="Errors",
            meaning="every answer is 500",
            apply=lambda issuer: issuer.misbehave("all", faults.status(500)),
        ),
        "empty": DevFault(
            label="Empty key set",
            meaning="the key set has no keys",
            apply=lambda issuer: issuer.misbehave("jwks", faults.empty_key_set()),
        ),
        "wrong": DevFault(
            label="Wrong key set",
            meaning="the key set has a key that signs nothing",
            apply=lambda issuer: issuer.misbehave("jwks", faults.body(_create_wrong_key_set())),
        ),
    }
)
"""The faults by name."""
