"""Draws the plots of `docs/explanation/benchmarks.md` as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.apps import BEARER, HASHING, NOTHING
from benchmarks.measure import Measured
from benchmarks.report import OURS, Results
from benchmarks.servers import BARE
from benchmarks.tokens import FIRST_SEEN, FLOOR, LOOK_UP, REMEMBERED

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "m2mguard", "font.size": 9, "svg.fonttype": "none"})

from matplotlib import pyplot as plt  # noqa: E402 - the backend must be chosen first

FLOORS, US, THEM = "#9aa5b1", "#0b6e4f", "#c9772f"


def draw(results: Results, folder: Path) -> None:
    """Write every plot into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _tokens(results, folder / "tokens.svg")
    _requests(results, folder / "requests.svg")
    _served(results, folder / "served.svg")
    _growth(results, folder / "growth.svg")


def _tokens(results: Results, file: Path) -> None:
    figure, panels = plt.subplots(1, len(results.tokens), figsize=(12, 3.6), sharex=True, layout="constrained")
    for panel, (algorithm, one) in zip(panels, results.tokens.items(), strict=True):
        _bars(panel, {name: measured for name, measured in one.times.items() if name != LOOK_UP}, algorithm)
        panel.set_xscale("log")
    _save(figure, file)


def _requests(results: Results, file: Path) -> None:
    figure, panels = plt.subplots(2, 2, figsize=(12, 4.6), layout="constrained")
    titles = ("Starlette, ES384", "FastAPI, RS256", "Flask, ES256", "WSGI, ES384")
    measured = (results.asgi, results.fastapi, results.flask, results.wsgi)
    for panel, title, times in zip(panels.flat, titles, measured, strict=True):
        _bars(panel, times, title)
        panel.set_xscale("log")
    _save(figure, file)


def _served(results: Results, file: Path) -> None:
    figure, panel = plt.subplots(figsize=(8, 2.2), layout="constrained")
    names = list(results.served.rates)
    shares = [results.served.cpu_share(name) for name in names]
    panel.barh(names, shares, color=[_colour(name) for name in names])
    panel.bar_label(panel.containers[0], fmt="%.2f", padding=3)
    panel.set_xlim(0, 1.15)
    panel.set_title("uvicorn, ES384: requests for the same CPU, as a share of no authentication", loc="left")
    panel.invert_yaxis()
    _save(figure, file)


def _growth(results: Results, file: Path) -> None:
    figure, panel = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for name, curve in results.curves.items():
        first = min(curve)
        panel.plot(
            list(curve), [one.median_s / curve[first].median_s for one in curve.values()], marker="o", label=name
        )
    panel.set_xscale("log")
    panel.set_ylim(0, 2)
    panel.set_title("a remembered token: time beside that with one, by how many there are", loc="left")
    panel.legend(ncols=2, frameon=False)
    _save(figure, file)


def _bars(panel: Any, times: Mapping[str, Measured], title: str) -> None:
    names = list(times)
    medians = [times[name].median_s * 1e6 for name in names]
    panel.barh(names, medians, color=[_colour(name) for name in names])
    panel.bar_label(panel.containers[0], fmt="%.3g µs", padding=3)
    panel.margins(x=0.25)
    panel.set_title(title, loc="left")
    panel.invert_yaxis()


def _colour(name: str) -> str:
    if name in (FLOOR, LOOK_UP, BARE, NOTHING, HASHING, BEARER):
        return FLOORS
    return US if name in (OURS, FIRST_SEEN, REMEMBERED) else THEM


def _save(figure: Any, file: Path) -> None:
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
