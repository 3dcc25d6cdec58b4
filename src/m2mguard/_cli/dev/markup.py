"""Small pieces of HTML. Every value goes through `text`, so that nothing that a token or a file holds becomes markup. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def text(value: object) -> str:
    """A value as text of an element or an attribute."""
    return html.escape(str(value), quote=True)


def button(label: str, *, name: str = "", value: str = "", kind: str = "") -> str:
    """A submit button."""
    named = f' name="{text(name)}" value="{text(value)}"' if name else ""
    look = f' class="{text(kind)}"' if kind else ""
    return f'<button type="submit"{named}{look}>{text(label)}</button>'


def select(label: str, name: str, options: Iterable[tuple[str, str]], chosen: str = "") -> str:
    """A labelled list to choose from; options are values and what is shown."""
    items = "".join(
        f'<option value="{text(value)}"{" selected" if value == chosen else ""}>{text(shown)}</option>'
        for value, shown in options
    )
    return (
        f'<label for="{text(name)}">{text(label)}</label><select id="{text(name)}" name="{text(name)}">{items}</select>'
    )


def checkboxes(legend: str, name: str, options: Sequence[str], chosen: Iterable[str] = ()) -> str:
    """A group of check boxes with a legend."""
    ticked = set(chosen)
    boxes = "".join(
        f'<label class="check"><input type="checkbox" name="{text(name)}" value="{text(one)}"{" checked" if one in ticked else ""}> '
        f"<span>{text(one)}</span></label>"
        for one in options
    )
    return f"<fieldset><legend>{text(legend)}</legend>{boxes or '<p>none</p>'}</fieldset>"


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a caption; cells are markup already."""
    head = "".join(f'<th scope="col">{text(one)}</th>' for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}"><table><caption>{text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def code(value: object) -> str:
    """A short value in a fixed-width font."""
    return f"<code>{text(value)}</code>"


def copyable(label: str, identifier: str, value: str, *, rows: int = 3) -> str:
    """A read-only field with a button that copies it."""
    return (
        f'<div class="field"><label for="{text(identifier)}">{text(label)}</label>'
        f'<textarea id="{text(identifier)}" readonly rows="{rows}" spellcheck="false">{text(value)}</textarea>'
        f'<button type="button" class="quiet" data-copy="{text(identifier)}">Copy<span class="hidden"> {text(label)}</span></button></div>'
    )
