"""The drills: each puts one fault of an issuer to one subject and returns the text of its cell."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.drills.subjects import LONGEST_WAIT_S, TTL_S, Ask, Outcome, verdict, verdicts
from m2mguard.testing import Fault, LocalIssuer, SigningKey, faults

CROWD = 1000
FLOOD_S = 3.0
STRANGER = SigningKey.generate("ES256")
Run = Callable[[LocalIssuer, Ask], str]


def wait_for_ttl() -> None:
    time.sleep(TTL_S + 0.2)


def counted(outcomes: list[Outcome]) -> str:
    return ", ".join(f"{count} {name}" for name, count in Counter(one.outcome for one in outcomes).most_common())


def shown(one: Outcome) -> str:
    over = "over " if one.seconds >= LONGEST_WAIT_S else ""
    return f"{one.outcome} ({over}{one.seconds:.2f} s)"


def fetches(issuer: LocalIssuer, *, before: int = 0) -> str:
    count = issuer.count("jwks") - before
    return f"{count} fetch" if count == 1 else f"{count} fetches"


def cold_crowd(issuer: LocalIssuer, ask: Ask) -> str:
    issuer.misbehave("jwks", faults.delay(0.3))
    outcomes = verdicts(ask, [issuer.mint() for _ in range(CROWD)], at_once=CROWD)
    return f"{fetches(issuer)}; {counted(outcomes)}"


def rotation(issuer: LocalIssuer, ask: Ask) -> str:
    verdict(ask, issuer.mint())
    issuer.rotate()
    first = verdict(ask, issuer.mint())
    issuer.rotate()
    second = verdict(ask, issuer.mint())
    return f"{first.outcome}, then {second.outcome}; {fetches(issuer, before=1)} more"


def withdrawal(issuer: LocalIssuer, ask: Ask) -> str:
    token, kid = issuer.mint(), issuer.current_key.kid
    verdict(ask, token)
    issuer.rotate()
    issuer.withdraw(kid)
    wait_for_ttl()
    return verdict(ask, token).outcome


def new_material(issuer: LocalIssuer, ask: Ask) -> str:
    old = issuer.mint()
    verdict(ask, old)
    issuer.replace_material()
    wait_for_ttl()
    new = verdict(ask, issuer.mint())
    return f"new {new.outcome}, old {verdict(ask, old).outcome}"


def flood(fault: Fault | None) -> Run:
    def run(issuer: LocalIssuer, ask: Ask) -> str:
        known, stop = issuer.mint(), threading.Event()
        verdict(ask, known)
        forged = [issuer.mint(key=STRANGER, header={"kid": f"forged-{number}"}) for number in range(CROWD)]
        wait_for_ttl()
        issuer.reset_counts()
        if fault is not None:
            issuer.misbehave("jwks", fault)
        outcomes: list[Outcome] = []

        def send_known() -> None:
            while not stop.is_set():
                outcomes.append(verdict(ask, known))
                time.sleep(0.01)

        honest = threading.Thread(target=send_known)
        honest.start()
        began, sent = time.monotonic(), 0
        while sent < CROWD and time.monotonic() - began < FLOOD_S:
            verdicts(ask, forged[sent : sent + 50], at_once=50)
            sent += 50
        stop.set()
        honest.join()
        slowest = max(one.seconds for one in outcomes)
        return f"{fetches(issuer)} for {sent}; known: {counted(outcomes)}, slowest {slowest:.2f} s"

    return run


def outage(fault: Fault | None) -> Run:
    def run(issuer: LocalIssuer, ask: Ask) -> str:
        token = issuer.mint()
        verdict(ask, token)
        if fault is None:
            issuer.stop()
        else:
            issuer.misbehave("jwks", fault)
        wait_for_ttl()
        return f"{shown(verdict(ask, token))}, then {shown(verdict(ask, issuer.mint()))}"

    return run


def first_fetch_fails(issuer: LocalIssuer, ask: Ask) -> str:
    issuer.misbehave("jwks", faults.status(503), times=1)
    first = verdict(ask, issuer.mint())
    time.sleep(1)
    return f"{first.outcome}, a second later {verdict(ask, issuer.mint()).outcome}"


def dead_from_the_start(issuer: LocalIssuer, ask: Ask) -> str:
    issuer.misbehave("jwks", faults.status(503))
    outcomes = verdicts(ask, [issuer.mint() for _ in range(100)])
    return f"{fetches(issuer)} for 100 tokens; {counted(outcomes)}"


def odd_keys(issuer: LocalIssuer, ask: Ask) -> str:
    issuer.publish({"kty": "AKP", "alg": "ML-DSA-65", "kid": "odd-1", "pub": "AAAA"}, position=0)
    issuer.publish({"kty": "OKP", "crv": "Ed448", "kid": "odd-2", "x": "AA"}, position=0)
    issuer.publish({**STRANGER.public_jwk, "kid": "odd-3", "alg": "none", "x": "AA"}, position=0)
    return verdict(ask, issuer.mint()).outcome


DRILLS: tuple[tuple[str, str, Run], ...] = (  # the fault, what m2mguard promises, and what puts it to a subject
    ("1,000 cold callers, the issuer takes 300 ms", "1 fetch, all accepted", cold_crowd),
    ("two rotations without grace right after a fetch", "both accepted, 2 fetches", rotation),
    ("a key is withdrawn, a ttl ago", "refused", withdrawal),
    ("new material under the same `kid`, a ttl ago", "the new one accepted, the old one refused", new_material),
    ("1,000 forged key ids, issuer healthy", "2 fetches per 30 s, besides the one that is due", flood(None)),
    ("1,000 forged key ids, issuer answers 503", "known tokens as quick as ever", flood(faults.status(503))),
    ("1,000 forged key ids, issuer hangs", "known tokens wait at most once, 1 s", flood(faults.hang())),
    ("past ttl: 503", "known tokens accepted", outage(faults.status(503))),
    ("past ttl: connection refused", "the same", outage(None)),
    ("past ttl: hanging", "the first within about 1 s, the next at once", outage(faults.hang())),
    ("past ttl: a web page", "known tokens accepted", outage(faults.html())),
    ('past ttl: `{"keys": []}`', "the same", outage(faults.empty_key_set())),
    ("past ttl: cut off", "the same", outage(faults.truncated())),
    ("past ttl: 20 MB", "the same", outage(faults.huge())),
    ("past ttl: a gzip bomb of 200 MB", "the same", outage(faults.gzip_bomb(200_000_000))),
    ("past ttl: one byte a second", "the first within about 1 s, the next at once", outage(faults.drip())),
    ("the very first fetch fails once", "accepted after a second", first_fetch_fails),
    ("never a good answer, 100 tokens in a row", "1 fetch, and 503: could not tell", dead_from_the_start),
    ("three odd keys in the set", "accepted", odd_keys),
)
