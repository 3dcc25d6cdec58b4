"""`make graph`: draws the imports between the packages of m2mguard into docs/images/imports.svg.

A box is a module or package directly below `m2mguard`. A box is drawn above everything that it imports. An arrow that follows from two
others is left out of the picture, not out of the count.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import grimp
import networkx as nx

IMAGES = Path(__file__).parents[1] / "docs" / "images"
ROW, BOX_HEIGHT, GAP, MARGIN, CHARACTER = 74, 26, 14, 30, 7.4
COLOURS = {True: ("#eef1f4", "#5b6770"), False: ("#e3f2e6", "#1c6b35")}  # private, public: fill, line


def imports(package: str) -> nx.DiGraph:
    """The imports between the children of a package, importer to imported."""
    modules = grimp.build_graph(package)
    graph = nx.DiGraph()
    for importer in modules.modules - {package}:
        graph.add_node(importer.split(".")[1])
        for imported in modules.find_modules_directly_imported_by(importer):
            one, other = importer.split(".")[1:2], imported.split(".")[1:2]
            if one and other and one != other:
                graph.add_edge(one[0], other[0])
    return graph


def floors(graph: nx.DiGraph) -> list[list[str]]:
    """The boxes by floor, the lowest first. Packages that import each other are taken for one, so that their arrows point up."""
    condensed = nx.condensation(graph)
    groups = nx.topological_generations(condensed.reverse())
    return [sorted(name for one in group for name in condensed.nodes[one]["members"]) for group in groups]


def draw(graph: nx.DiGraph) -> str:
    """The picture, as SVG."""
    rows = floors(graph)
    widths = [sum(len(name) * CHARACTER + 20 + GAP for name in row) for row in rows]
    width, height = max(widths) + 2 * MARGIN, len(rows) * ROW + 2 * MARGIN
    places: dict[str, tuple[float, float, float]] = {}  # centre, top, width
    for floor, row in enumerate(rows):
        left = (width - widths[floor]) / 2
        for name in row:
            box = len(name) * CHARACTER + 20
            places[name] = (left + box / 2, height - MARGIN - (floor + 1) * ROW + (ROW - BOX_HEIGHT) / 2, box)
            left += box + GAP
    shown = nx.transitive_reduction(graph) if nx.is_directed_acyclic_graph(graph) else graph
    going_up = sum(places[one][1] >= places[other][1] for one, other in graph.edges)
    caption = f"{len(graph)} packages and modules, {len(rows)} floors, {graph.size()} arrows, {going_up} not going down"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="12">',
            f"<title>{escape(caption)}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 8 4 0 8z" fill="#8a949c"/></marker></defs>',
            '<rect width="100%" height="100%" fill="white"/>',
            *_arrows(shown, places),
            *_boxes(places),
            f'<text x="{MARGIN}" y="{height - 8}" fill="#5b6770">{escape(caption)}</text>',
            "</svg>",
            "",
        ]
    )


def _arrows(graph: nx.DiGraph, places: dict[str, tuple[float, float, float]]) -> Iterator[str]:
    for one, other in sorted(graph.edges):
        (x1, y1, _), (x2, y2, _) = places[one], places[other]
        y1, middle = y1 + BOX_HEIGHT, (y1 + BOX_HEIGHT + y2) / 2
        yield (
            f'<path d="M{x1:.0f} {y1:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2:.0f}" '
            'fill="none" stroke="#8a949c" stroke-width="0.9" marker-end="url(#tip)"/>'
        )


def _boxes(places: dict[str, tuple[float, float, float]]) -> Iterator[str]:
    for name, (centre, top, box) in places.items():
        fill, line = COLOURS[name.startswith("_")]
        yield (
            f'<rect x="{centre - box / 2:.0f}" y="{top:.0f}" width="{box:.0f}" height="{BOX_HEIGHT}" rx="4" fill="{fill}" stroke="{line}"/>'
        )
        yield f'<text x="{centre:.0f}" y="{top + 17:.0f}" text-anchor="middle" fill="#1f272d">{escape(name)}</text>'


def main() -> None:
    """Draw, and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=IMAGES / "imports.svg", help="the file to write")
    options = parser.parse_args()
    graph = imports("m2mguard")
    options.to.write_text(draw(graph), encoding="utf-8")
    circles = [sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1]
    print(
        f"{options.to.name}: {len(graph)} boxes, {len(floors(graph))} floors, {graph.size()} arrows, circles: {circles or 'none'}"
    )


if __name__ == "__main__":
    main()
