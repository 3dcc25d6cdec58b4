"""`python -m tools.keys_picture`: draws docs/images/keys.svg, the life of a key set, from the default numbers of `KeyCaching`."""

from __future__ import annotations

from pathlib import Path

from m2mguard import KeyCaching

FILE = Path(__file__).parents[1] / "docs" / "images" / "keys.svg"
WIDTH, HEIGHT, LEFT, BAR, THICK = 900, 250, 20, 90, 46
PARTS = (  # where it ends as a share of the picture, colour, name, what a request does
    (0.40, "#1c6b35", "fresh", "nobody is asked"),
    (0.50, "#6aa84f", "refresh ahead", "asked in the background"),
    (0.88, "#b7791f", "past its ttl", "asked; served stale if the issuer is down"),
    (1.00, "#a33a2c", "unusable", "503"),
)


def picture() -> str:
    """The whole picture."""
    numbers = KeyCaching()
    ends = (numbers.ttl * numbers.refresh_ahead, numbers.ttl, float(numbers.stale_for))
    usable = WIDTH - 2 * LEFT
    parts, start = [], float(LEFT)
    for position, (share, colour, name, action) in enumerate(PARTS):
        end = LEFT + share * usable
        middle = (start + end) / 2
        parts.append(f'<rect x="{start:.0f}" y="{BAR}" width="{end - start:.0f}" height="{THICK}" fill="{colour}"/>')
        above = BAR - 14 - 24 * (position % 2)
        parts.append(f'<text x="{middle:.0f}" y="{above}" class="name">{name}</text>')
        parts.append(f'<text x="{middle:.0f}" y="{BAR + THICK + 26 + 24 * (position % 2)}">{action}</text>')
        if position < len(ends):
            label = f"{ends[position]:g} s"
            parts.append(f'<line x1="{end:.0f}" y1="{BAR - 6}" x2="{end:.0f}" y2="{BAR + THICK + 70}" class="edge"/>')
            parts.append(f'<text x="{end:.0f}" y="{BAR + THICK + 86}">{label}</text>')
        start = end
    parts.append(f'<text x="{LEFT}" y="{BAR + THICK + 86}" style="text-anchor: start">0 s: fetched</text>')
    style = (
        "text{font:14px system-ui,sans-serif;text-anchor:middle;fill:#333}.name{font-weight:600}.edge{stroke:#888;stroke-dasharray:3 3}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="The life of a key set">'
        f"<style>{style}</style>{''.join(parts)}</svg>\n"
    )


if __name__ == "__main__":
    FILE.write_text(picture())
