"""The soak: full speed, a rotation every few seconds, faults at random; every verdict is judged, and memory is watched."""

import random
import resource
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path

from m2mguard import AuthError, Issuer, KeyCaching, KeysUnavailable, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, faults

CACHING = KeyCaching(ttl=3, cooldown=2, max_wait=0.2, timeout=1, connect_timeout=1)
FAULTS = (
    faults.status(503), faults.hang(), faults.html(), faults.empty_key_set(), faults.truncated(), faults.disconnect(),
    faults.delay(0.4), faults.huge(2_000_000), faults.drip(),
)  # fmt: skip
TOKENS_PER_KEY = 40


@dataclass(slots=True)
class Era:
    """The tokens of one signing key, and when it was published and withdrawn."""

    tokens: list[str]
    since: float
    withdrawn: float | None = None


class Soak:
    """One run and its results.

    A verdict is wrong when a token is accepted that nobody should accept, when a good one is answered 401, or when an exception comes
    that was not promised. "Could not tell" (503) is never wrong, and is counted.
    """

    def __init__(self, issuer: LocalIssuer, caching: KeyCaching, rotate_every_s: float) -> None:
        self.verdicts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.rss_mib: list[float] = []
        self.seconds = 0.0
        self.rotations = self.faults = self.fetches = self.threads = 0
        self.issuer = issuer
        self.rotate_every_s = rotate_every_s
        self.server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API, caching=caching)
        # So long after a change, on a healthy issuer, there is one right answer only.
        self.settled_s = caching.ttl + caching.cooldown + 2 * caching.timeout
        self.stop = threading.Event()
        self.eras = deque([self._era()], maxlen=6)
        self.last_fault = 0.0
        stranger = SigningKey.generate("ES256")
        self.forged = [issuer.mint(key=stranger, header={"kid": f"forged-{n}"}) for n in range(TOKENS_PER_KEY)]
        self.forged += [issuer.mint(key=stranger, header={"kid": issuer.current_key.kid}) for _ in range(4)]
        self.forged += [issuer.mint(lifetime=-3600), issuer.mint(audience="https://other.api")]

    def run(self, seconds: float, workers: int) -> None:
        began, threads_before = time.monotonic(), threading.active_count()
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(workers)]
        threads += [threading.Thread(target=self._misbehave), threading.Thread(target=self._rotate)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            self._look_at_memory()
            time.sleep(seconds / 20)
        self.stop.set()
        for thread in threads:
            thread.join()
        self.issuer.behave()
        self.seconds = time.monotonic() - began
        self.fetches = self.issuer.count("jwks")
        self._look_at_memory()
        for thread in threading.enumerate():
            if thread.name.startswith("m2mguard-keys"):
                thread.join(10)
        self.threads = threading.active_count() - threads_before

    def _look_at_memory(self) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.rss_mib.append(pages * resource.getpagesize() / 2**20)

    def _era(self) -> Era:
        return Era([self.issuer.mint(f"app-{number}") for number in range(TOKENS_PER_KEY)], time.monotonic())

    def _rotate(self) -> None:
        """Logto's rotation without grace: the key before the last one is withdrawn."""
        while not self.stop.wait(self.rotate_every_s):
            self.issuer.rotate()
            self.rotations += 1
            if len(self.eras) >= 2:
                self.eras[-2].withdrawn = time.monotonic()
            self.eras.append(self._era())

    def _misbehave(self) -> None:
        chance = random.Random(7)
        while not self.stop.wait(chance.uniform(2, 12)):
            self.last_fault = float("inf")
            self.issuer.misbehave("jwks", chance.choice(FAULTS))
            self.faults += 1
            self.stop.wait(chance.uniform(0.3, 3))
            self.issuer.behave()
            self.last_fault = time.monotonic()

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        while not self.stop.is_set():
            if chance.random() < 0.02:
                self._judge(None, chance.choice(self.forged))
            else:
                era = chance.choice(tuple(self.eras))
                self._judge(era, chance.choice(era.tokens))

    def _judge(self, era: Era | None, token: str) -> None:
        began = time.monotonic()
        try:
            self.server.verify(token)
            outcome = "accepted"
        except KeysUnavailable:
            outcome = "could not tell"
        except AuthError as error:
            outcome = f"refused: {error.reason}"
        except Exception as error:  # noqa: BLE001 - the point of a soak
            outcome = f"raised {type(error).__name__}"
        self.verdicts[outcome] += 1
        if not self._right(era, outcome, began):
            self.wrong.append(outcome)

    def _right(self, era: Era | None, outcome: str, began: float) -> bool:
        if outcome.startswith("raised"):
            return False
        if outcome == "could not tell":
            return True
        if era is None:
            return outcome != "accepted"
        healthy = began - self.last_fault > self.settled_s
        if outcome == "accepted":
            return era.withdrawn is None or not healthy or began - era.withdrawn <= self.settled_s
        longest = self.settled_s + (0 if healthy else self.rotate_every_s)
        return era.withdrawn is not None or began - era.since <= longest


def soak(seconds: float, *, workers: int = 3, rotate_every_s: float = 5.0, caching: KeyCaching = CACHING) -> Soak:
    """Run for so many seconds, and return what came of it."""
    with LocalIssuer(algorithm="ES256") as issuer:
        result = Soak(issuer, caching, rotate_every_s)
        result.run(seconds, workers)
        return result
