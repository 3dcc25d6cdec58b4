"""HTML helpers. Every value passes through `escape`, so no content of a token or a file becomes markup. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from m2mguard._cli.dev.access_control import FORM_TOKEN_FIELD


def escape(value: object) -> str:
    """Escape a value for the text of an element or an attribute."""
    return html.escape(str(value), quote=True)


def render_button(label: str, *, name: str = "", value: str = "", kind: str = "") -> str:
    """Render a submit button."""
    named = f' name="{escape(name)}" value="{escape(value)}"' if name else ""
    look = f' class="{escape(kind)}"' if kind else ""
    return f'<button type="submit"{named}{look}>{escape(label)}</button>'


def render_select(label: str, name: str, options: Iterable[tuple[str, str]], chosen: str = "") -> str:
    """Render a labelled drop-down list; options are pairs of value and label."""
    items = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(shown)}</option>'
        for value, shown in options
    )
    return f'<label for="{escape(name)}">{escape(label)}</label><select id="{escape(name)}" name="{escape(name)}">{items}</select>'


def render_checkboxes(legend: str, name: str, options: Sequence[str], chosen: Iterable[str] = ()) -> str:
    """Render a group of check boxes with a legend."""
    ticked = set(chosen)
    boxes = "".join(
        f'<label class="check"><input type="checkbox" name="{escape(name)}" value="{escape(one)}"{" checked" if one in ticked else ""}> '
        f"<span>{escape(one)}</span></label>"
        for one in options
    )
    return f"<fieldset><legend>{escape(legend)}</legend>{boxes or '<p>none</p>'}</fieldset>"


def render_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Render a table with a caption; cells are already markup."""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def render_code(value: object) -> str:
    """Render a short value in a fixed-width font."""
    return f"<code>{escape(value)}</code>"


def render_copyable(label: str, identifier: str, value: str, *, rows: int = 3) -> str:
    """Render a read-only field with a button that copies it."""
    return (
        f'<div class="field"><label for="{escape(identifier)}">{escape(label)}</label>'
        f'<textarea id="{escape(identifier)}" readonly rows="{rows}" spellcheck="false">{escape(value)}</textarea>'
        f'<button type="button" class="quiet" data-copy="{escape(identifier)}">Copy'
        f'<span class="hidden"> {escape(label)}</span></button></div>'
    )


def render_hidden(name: str, value: object) -> str:
    """Render a field that is sent and not shown."""
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def render_form(form_token: str, action: str, inner: str, *, look: str = "") -> str:
    """Render a form with the session's token; what is inside is already markup."""
    styled = f' class="{escape(look)}"' if look else ""
    return f'<form method="post" action="{escape(action)}"{styled}>{render_hidden(FORM_TOKEN_FIELD, form_token)}{inner}</form>'


def render_card(identifier: str, title: str, inner: str) -> str:
    """Render a section with a heading; what is inside is already markup."""
    heading = f'<h2 id="{escape(identifier)}">{escape(title)}</h2>'
    return f'<section class="card" aria-labelledby="{escape(identifier)}">{heading}{inner}</section>'
