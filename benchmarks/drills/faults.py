"""The drills: each puts one fault to one subject, against an issuer of its own, and returns the figures of its cell."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.drills.subjects import LONGEST_WAIT_S, TTL_S, Outcome, Subject, ask, ask_all
from m2mguard.testing import Fault, LocalIssuer, SigningKey, faults

CROWD = 1000
FLOOD_S = 3.0
STRANGER = SigningKey.generate("ES256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One row: the fault, what m2mguard promises, and what puts it to a subject."""

    fault: str
    promise: str
    run: Callable[[LocalIssuer, Subject], str]


def forged(issuer: LocalIssuer, count: int) -> list[str]:
    return [issuer.mint(key=STRANGER, header={"kid": f"forged-{number}"}) for number in range(count)]


def counted(verdicts: list[Outcome]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in Counter(v.outcome for v in verdicts).most_common())


def shown(verdict: Outcome) -> str:
    over = "over " if verdict.seconds >= LONGEST_WAIT_S else ""
    return f"{verdict.outcome} ({over}{verdict.seconds:.2f} s)"


def fetches(count: int) -> str:
    return f"{count} fetch" if count == 1 else f"{count} fetches"


def cold_crowd(issuer: LocalIssuer, subject: Subject) -> str:
    issuer.misbehave("jwks", faults.delay(0.3))
    verdicts = ask_all(subject, [issuer.mint() for _ in range(CROWD)], at_once=CROWD)
    return f"{fetches(issuer.count('jwks'))}; {counted(verdicts)}"


def rotation(issuer: LocalIssuer, subject: Subject) -> str:
    ask(subject, issuer.mint())
    issuer.rotate()
    first = ask(subject, issuer.mint())
    issuer.rotate()
    second = ask(subject, issuer.mint())
    return f"{first.outcome}, then {second.outcome}; {fetches(issuer.count('jwks') - 1)} more"


def withdrawal(issuer: LocalIssuer, subject: Subject) -> str:
    token, kid = issuer.mint(), issuer.current_key.kid
    ask(subject, token)
    issuer.rotate()
    issuer.withdraw(kid)
    time.sleep(TTL_S + 0.2)
    return ask(subject, token).outcome


def new_material(issuer: LocalIssuer, subject: Subject) -> str:
    old = issuer.mint()
    ask(subject, old)
    issuer.replace_material()
    time.sleep(TTL_S + 0.2)
    new = ask(subject, issuer.mint())
    return f"new {new.outcome}, old {ask(subject, old).outcome}"


def flood(fault: Fault | None) -> Callable[[LocalIssuer, Subject], str]:
    def run(issuer: LocalIssuer, subject: Subject) -> str:
        known, stop = issuer.mint(), threading.Event()
        ask(subject, known)
        tokens = forged(issuer, CROWD)
        time.sleep(TTL_S + 0.2)
        issuer.reset_counts()
        if fault is not None:
            issuer.misbehave("jwks", fault)
        latencies: list[Outcome] = []

        def serve() -> None:
            while not stop.is_set():
                latencies.append(ask(subject, known))
                time.sleep(0.01)

        honest = threading.Thread(target=serve)
        honest.start()
        began = time.monotonic()
        sent = 0
        while sent < CROWD and time.monotonic() - began < FLOOD_S:
            ask_all(subject, tokens[sent : sent + 50], at_once=50)
            sent += 50
        stop.set()
        honest.join()
        slowest = max(verdict.seconds for verdict in latencies)
        return f"{fetches(issuer.count('jwks'))} for {sent}; known: {counted(latencies)}, slowest {slowest:.2f} s"

    return run


def outage(fault: Fault | None) -> Callable[[LocalIssuer, Subject], str]:
    def run(issuer: LocalIssuer, subject: Subject) -> str:
        token = issuer.mint()
        ask(subject, token)
        if fault is None:
            issuer.stop()
        else:
            issuer.misbehave("jwks", fault)
        time.sleep(TTL_S + 0.2)
        return f"{shown(ask(subject, token))}, then {shown(ask(subject, issuer.mint()))}"

    return run


def first_fetch_fails(issuer: LocalIssuer, subject: Subject) -> str:
    issuer.misbehave("jwks", faults.status(503), times=1)
    first = ask(subject, issuer.mint())
    time.sleep(1)
    return f"{first.outcome}, a second later {ask(subject, issuer.mint()).outcome}"


def dead_from_the_start(issuer: LocalIssuer, subject: Subject) -> str:
    issuer.misbehave("jwks", faults.status(503))
    verdicts = ask_all(subject, [issuer.mint() for _ in range(100)], at_once=1)
    return f"{fetches(issuer.count('jwks'))} for 100 tokens; {counted(verdicts)}"


def odd_key(issuer: LocalIssuer, subject: Subject) -> str:
    issuer.publish({"kty": "AKP", "alg": "ML-DSA-65", "kid": "odd-1", "pub": "AAAA"}, position=0)
    issuer.publish({"kty": "OKP", "crv": "Ed448", "kid": "odd-2", "x": "AA"}, position=0)
    issuer.publish({**STRANGER.public_jwk, "kid": "odd-3", "alg": "none", "x": "AA"}, position=0)
    return ask(subject, issuer.mint()).outcome


DRILLS: tuple[Drill, ...] = (
    Drill(fault="1,000 cold callers, the issuer takes 300 ms", promise="1 fetch, all accepted", run=cold_crowd),
    Drill(fault="two rotations without grace right after a fetch", promise="both accepted, 2 fetches", run=rotation),
    Drill(fault="a key is withdrawn, a ttl ago", promise="refused", run=withdrawal),
    Drill(fault="new material under the same `kid`, a ttl ago", promise="the new one accepted, the old one refused", run=new_material),
    Drill(fault="1,000 forged key ids, issuer healthy", promise="2 fetches per 30 s, besides the one that is due", run=flood(None)),
    Drill(fault="1,000 forged key ids, issuer answers 503", promise="known tokens as quick as ever", run=flood(faults.status(503))),
    Drill(fault="1,000 forged key ids, issuer hangs", promise="known tokens wait at most once, 1 s", run=flood(faults.hang())),
    Drill(fault="past ttl: 503", promise="known tokens accepted", run=outage(faults.status(503))),
    Drill(fault="past ttl: connection refused", promise="the same", run=outage(None)),
    Drill(fault="past ttl: hanging", promise="the first within about 1 s, the next at once", run=outage(faults.hang())),
    Drill(fault="past ttl: a web page", promise="known tokens accepted", run=outage(faults.html())),
    Drill(fault='past ttl: `{"keys": []}`', promise="the same", run=outage(faults.empty_key_set())),
    Drill(fault="past ttl: cut off", promise="the same", run=outage(faults.truncated())),
    Drill(fault="past ttl: 20 MB", promise="the same", run=outage(faults.huge())),
    Drill(fault="past ttl: a gzip bomb of 200 MB", promise="the same", run=outage(faults.gzip_bomb(200_000_000))),
    Drill(fault="past ttl: one byte a second", promise="the first within about 1 s, the next at once", run=outage(faults.drip())),
    Drill(fault="the very first fetch fails once", promise="accepted after a second", run=first_fetch_fails),
    Drill(fault="never a good answer, 100 tokens in a row", promise="1 fetch, and 503: could not tell", run=dead_from_the_start),
    Drill(fault="three odd keys in the set", promise="accepted", run=odd_key),
)  # fmt: skip
