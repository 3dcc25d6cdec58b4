"""Numbers as text, and rows as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.measure import Measured


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is of numbers."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ratio(measured: Measured, base: Measured) -> float:
    """How many times as long as the other."""
    return measured.median_s / base.median_s


def us(seconds: float) -> str:
    """Microseconds, three digits."""
    return f"{seconds * 1e6:.2f} µs" if seconds < 10e-6 else f"{seconds * 1e6:.1f} µs"


def spread(measured: Measured) -> str:
    """A median with its spread."""
    return f"{us(measured.median_s)} ± {measured.spread * 100:.0f} %"
