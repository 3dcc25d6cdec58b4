"""What was found in a pasted text: a token and what was taken off it, or what the text is instead. Data only; nothing of it is echoed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PastedKind = Literal[
    "token", "cut_off", "several_tokens", "encrypted", "opaque", "refresh_token", "app_secret", "app_id", "basic_credentials", "variable",
    "empty_value", "claims_alone", "header_alone", "key_set", "pem", "error_answer", "no_access_token", "text", "too_much",
]  # fmt: skip
"""What a pasted text is."""

NoteCode = Literal[
    "utf16", "byte_order_mark", "invisible_characters", "header_line", "json_answer", "url", "percent_encoding", "python_bytes", "quotes",
    "prefix", "doubled_prefix", "line_breaks", "punctuation", "surroundings",
]  # fmt: skip
"""What was taken off a pasted text."""

NOTES: Mapping[NoteCode, str] = {
    "utf16": "The text is UTF-16, as PowerShell's > writes it, and was read as such. A service that reads it as UTF-8 sends "
    "something else.",
    "byte_order_mark": "A byte order mark was before the text and was removed. A service that sends it along is refused.",
    "invisible_characters": "Invisible characters or no-break spaces were taken off. A service that sends them along is refused.",
    "header_line": "The token was taken out of an Authorization line.",
    "json_answer": "The access_token was taken out of a JSON answer. Send that alone, not the whole answer.",
    "url": "The token was taken out of a URL or a form. A token in a URL ends up in logs: send it in the Authorization field.",
    "percent_encoding": "The text was percent-encoded and was decoded. A token in the Authorization field is not encoded.",
    "python_bytes": "Python's b'...' was taken off. A service that sends it along, by formatting bytes into a string, is "
    "refused: decode first.",
    "quotes": "Quotes were taken off. A service that sends them along is refused.",
    "prefix": 'The prefix "Bearer " was taken off. It belongs in front of the token once, in the Authorization field.',
    "doubled_prefix": 'The prefix "Bearer " was there more than once and was removed. A service that sends it twice is refused.',
    "line_breaks": "Line breaks or spaces inside the token were taken out. A service that sends them along is refused.",
    "punctuation": "Punctuation behind the token was taken off.",
    "surroundings": "There was other text around the token. It was left out.",
}
"""What each note says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedNote:
    """One thing that was taken off before the token was read."""

    code: NoteCode

    @property
    def text(self) -> str:
        """The same in words."""
        return NOTES[self.code]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """What was found.

    Attributes:
        kind: what the text is.
        token: the token as it would be sent, or None where there is none that is worth verifying. A secret.
        header: its header as far as it can be read, strict or not; else None.
        claims: its claims likewise.
        notes: what was taken off.
        place: for `cut_off`, which end is missing: "start", "middle" or "end"; for `variable`, its name, if that can be no secret; else "".
    """

    kind: PastedKind
    token: str | None = field(default=None, repr=False)
    header: Mapping[str, object] | None = field(default=None, repr=False)
    claims: Mapping[str, object] | None = field(default=None, repr=False)
    notes: tuple[PastedNote, ...] = ()
    place: str = ""
