"""The tenant that the page drives: a local issuer, its faults on purpose, and an example API that verifies its tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from m2mguard._cli.dev.key_store import KeyStore
from m2mguard._cli.dev.tenant_file import TenantSettings
from m2mguard._cli.settings import Setup
from m2mguard._keys.key_caching import KeyCaching
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.issuer import Issuer
from m2mguard.net._flight import new_lock
from m2mguard.testing import faults
from m2mguard.testing._local_issuer import LocalIssuer
from m2mguard.testing._signing import SigningKey

SLOW_S = 3.0
MOST_REQUESTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key as the page shows it: its id, its algorithm, and what it is used for."""

    kid: str
    algorithm: str
    state: str
    is_published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """One request that the issuer has received: what was asked, and how many seconds ago."""

    endpoint: str
    method: str
    path: str
    seconds_ago: int


class DevTenant:
    """A running issuer and an example API. Safe to use from any thread; most methods block for a moment.

    Args:
        settings: the applications and APIs.
        keys: where the signing key is kept.
        algorithm: of the signing key.
        host: this machine's name in the issuer's URL.
        listen: the address that the issuer listens on.
        port: of the issuer; 0 takes a free one.

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
        self._lock = new_lock()
        self._was_broken: str | None = None
        self._withdrawn: set[str] = set()
        self.issuer: LocalIssuer = LocalIssuer(
            key=keys.load(algorithm),
            host=host,
            listen=listen,
            port=port,
            applications=settings.apps,
            resources=settings.apis,
        )
        self.example_api: ResourceServer = self._new_api()

    @property
    def broken(self) -> str | None:
        """What is broken on purpose, a key of `FAULTS`, or None."""
        return self._was_broken

    def start(self) -> None:
        """Serve the issuer. Blocks until it does."""
        self.issuer.start()

    def close(self) -> None:
        """End it all. Blocks until it is so."""
        self.issuer.behave()
        self.issuer.__exit__()

    def mint(self, app_id: str, api: str, scopes: list[str], organization: str | None) -> str:
        """A token for an application, an API and these scopes, granted or not.

        Raises:
            ValueError: there is no such application or API, or a scope is none.
        """
        if app_id not in self.settings.apps or api not in self.settings.apis:
            raise ValueError("there is no such application or API")
        return self.issuer.mint(app_id, audience=api, scopes=scopes, organization_id=organization or None)

    def rotate(self) -> None:
        """A new key signs from now on; the one before stays published, the one before that does not."""
        self._keys.save(self.issuer.rotate())

    def withdraw(self, kid: str) -> None:
        """Publish a key no longer. Raises ValueError if it is none."""
        self.issuer.withdraw(kid)
        with self._lock:
            self._withdrawn.add(kid)

    def break_it(self, fault: str) -> None:
        """Break the issuer in one of the ways of `FAULTS`. Raises ValueError if it is none."""
        if fault not in FAULTS:
            raise ValueError("there is no such fault")
        self.heal()
        FAULTS[fault].apply(self.issuer)
        with self._lock:
            self._was_broken = fault

    def heal(self) -> None:
        """Let the issuer be well again."""
        with self._lock:
            broken, self._was_broken = self._was_broken, None
        self.issuer.behave()
        if broken == "down":
            self.issuer.start()

    def restart_api(self) -> None:
        """Restart the example API: it has no key, like a new pod."""
        self.example_api = self._new_api()

    def setup(self) -> Setup:
        """The settings of the example API, for an explanation."""
        return Setup(settings=self.example_api.settings, origins={})

    def key_rows(self) -> list[KeyRow]:
        """The keys there are."""
        published = {str(jwk.get("kid")) for jwk in self.issuer.jwks["keys"]}
        rows = []
        for key in self.issuer.keys:
            is_current = key == self.issuer.current_key
            state = "signs new tokens" if is_current else "previous: its tokens are still good"
            if key.kid not in published:
                state = "withdrawn: its tokens are refused" + (", though it signs" if is_current else "")
            rows.append(KeyRow(kid=key.kid, algorithm=key.algorithm, state=state, is_published=key.kid in published))
        return rows

    def requests(self) -> list[RequestRow]:
        """The last requests that the issuer received, the latest first."""
        now = time.monotonic()
        return [
            RequestRow(endpoint=one.endpoint, method=one.method, path=one.path, seconds_ago=int(now - one.at))
            for one in reversed(self.issuer.requests[-MOST_REQUESTS:])
        ]

    def requirement(self, scope: str) -> Requirement:
        """What the example route asks for. Raises ConfigurationError for what is no scope."""
        return Requirement(scopes=[scope] if scope else [])

    def _new_api(self) -> ResourceServer:
        caching = KeyCaching(timeout=2, connect_timeout=1, max_wait=1)
        return ResourceServer(
            Issuer.logto(self.issuer.endpoint, allow_http=True), audience=list(self.settings.apis), caching=caching
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DevFault:
    """One way to break the issuer: how the page calls it, what it means, and what does it."""

    label: str
    meaning: str
    apply: Callable[[LocalIssuer], object]


def _wrong_key_set() -> bytes:
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
            meaning="connections are taken and never answered",
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
            apply=lambda issuer: issuer.misbehave("jwks", faults.body(_wrong_key_set())),
        ),
    }
)
"""The ways to break the issuer on purpose."""
