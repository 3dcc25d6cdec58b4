"""What one run has measured, for the page and the plots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.measuring import Measured
from benchmarks.scaling import Curve
from benchmarks.served import Served
from benchmarks.threads import ThreadRates
from benchmarks.tokens import TokenTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything one run has measured."""

    tokens: Mapping[str, TokenTimes]
    full_cache: Mapping[str, Measured]
    asgi: Mapping[str, Measured]
    fastapi: Mapping[str, Measured]
    flask: Mapping[str, Measured]
    wsgi: Mapping[str, Measured]
    served: Served
    gthread: Mapping[int, Served]
    memory: Mapping[str, float]
    imports: Mapping[str, Measured]
    curves: Mapping[str, Curve]
    threads: ThreadRates
    free_threaded: ThreadRates | None
