"""Draws the plots of `docs/explanation/benchmarks.md` as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.apps import BARE, BEARER, HASHING, NOTHING, OURS
from benchmarks.servers import UVICORN
from benchmarks.tokens import FIRST_SEEN, FLOOR, LOOK_UP, REMEMBERED

mpl.rcParams.update({"svg.hashsalt": "m2mguard", "font.size": 9, "svg.fonttype": "none"})
COLOURS = {
    **dict.fromkeys((FLOOR, LOOK_UP, BARE, NOTHING, HASHING, BEARER), "#9aa5b1"),
    **dict.fromkeys((OURS, FIRST_SEEN, REMEMBERED), "#0b6e4f"),
}
PEER_COLOUR = "#c9772f"


def draw(results: Mapping[str, Any], folder: Path) -> None:
    """Write every plot into a folder."""
    tokens = {
        algorithm: {name: measured for name, measured in one.times.items() if name != LOOK_UP}
        for algorithm, one in results["tokens"].items()
    }
    _times(tokens, (1, 4), (12, 3.6), folder / "tokens.svg", sharex=True)
    _times(results["requests"], (2, 2), (12, 4.6), folder / "requests.svg")
    _served(results["served"][UVICORN], folder / "served.svg")
    _growth(results["curves"], folder / "growth.svg")


def _times(
    panels: Mapping[str, Any], grid: tuple[int, int], size: tuple[float, float], file: Path, **options: Any
) -> None:
    figure = Figure(figsize=size, layout="constrained")
    for panel, (title, times) in zip(figure.subplots(*grid, **options).flat, panels.items(), strict=True):
        _bars(panel, {name: measured.median_s * 1e6 for name, measured in times.items()}, "%.3g µs", title)
        panel.margins(x=0.25)
        panel.set_xscale("log")
    _save(figure, file)


def _served(rates: Mapping[str, Any], file: Path) -> None:
    figure = Figure(figsize=(8, 2.2), layout="constrained")
    panel = figure.subplots()
    title = "uvicorn, ES384: requests for the same CPU, as a share of no authentication"
    _bars(panel, {name: one.cpu_share for name, one in rates.items()}, "%.2f", title)
    panel.set_xlim(0, 1.15)
    _save(figure, file)


def _growth(curves: Mapping[str, Any], file: Path) -> None:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    panel = figure.subplots()
    for name, curve in curves.items():
        panel.plot(list(curve), [one.beside(curve[min(curve)]) for one in curve.values()], marker="o", label=name)
    panel.set_xscale("log")
    panel.set_ylim(0, 2)
    panel.set_title("a remembered token: time beside that with one, by how many there are", loc="left")
    panel.legend(ncols=2, frameon=False)
    _save(figure, file)


def _bars(panel: Any, values: Mapping[str, float], form: str, title: str) -> None:
    bars = panel.barh(list(values), list(values.values()), color=[COLOURS.get(name, PEER_COLOUR) for name in values])
    panel.bar_label(bars, fmt=form, padding=3)
    panel.set_title(title, loc="left")
    panel.invert_yaxis()


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None})
