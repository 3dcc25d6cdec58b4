"""Draws the plots of `docs/explanation/benchmarks.md` as SVG."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.apps import BARE, BEARER, HASHING, NOTHING, OURS
from benchmarks.http_requests import UVICORN
from benchmarks.tokens import FIRST_SEEN, FLOOR, LOOK_UP, REMEMBERED

mpl.rcParams.update({"svg.hashsalt": "m2mguard", "font.size": 9, "svg.fonttype": "none"})
COLOURS = {
    **dict.fromkeys((FLOOR, LOOK_UP, BARE, NOTHING, HASHING, BEARER), "#9aa5b1"),
    **dict.fromkeys((OURS, FIRST_SEEN, REMEMBERED), "#0b6e4f"),
}
PEER_COLOUR = "#c9772f"


def draw(results: Mapping[str, Any], folder: Path) -> None:
    """Write every plot into a folder."""
    figures = {name: Figure(figsize=(12, 5), layout="constrained") for name in ("tokens", "requests")}
    figures |= {name: Figure(figsize=(8, 3), layout="constrained") for name in ("served", "growth")}
    for name in ("tokens", "requests"):
        panels = figures[name].subplots(2, 2, sharex=name == "tokens")
        for panel, (title, times) in zip(panels.flat, results[name].items(), strict=True):
            measured = {case: one for case, one in times.items() if case != LOOK_UP and not isinstance(one, str)}
            _bars(panel, {case: one.median_s * 1e6 for case, one in measured.items()}, "%.3g µs", title)
            panel.margins(x=0.25)
            panel.set_xscale("log")
    served = figures["served"].subplots()
    shares = {name: one.cpu_share for name, one in results["served"][UVICORN].items()}
    _bars(served, shares, "%.2f", "uvicorn, ES384: requests for the same CPU, beside no authentication")
    served.set_xlim(0, 1.15)
    _curves(figures["growth"].subplots(), results["curves"])
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def _bars(panel: Any, values: Mapping[str, float], form: str, title: str) -> None:
    bars = panel.barh(list(values), list(values.values()), color=[COLOURS.get(name, PEER_COLOUR) for name in values])
    panel.bar_label(bars, fmt=form, padding=3)
    panel.set_title(title, loc="left")
    panel.invert_yaxis()


def _curves(panel: Any, curves: Mapping[str, Any]) -> None:
    for name, curve in curves.items():
        panel.plot(list(curve), [one.beside(curve[min(curve)]) for one in curve.values()], marker="o", label=name)
    panel.set_xscale("log")
    panel.set_ylim(0, 2)
    panel.set_title("a remembered token: time beside that with one, by how many there are", loc="left")
    panel.legend(ncols=2, frameon=False)
