"""The result of reading a pasted text: a token and what was removed around it, or the kind of the text. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PastedKind = Literal[
    "token", "cut_off", "several_tokens", "encrypted", "opaque", "refresh_token", "app_secret", "app_id", "basic_credentials", "variable",
    "empty_value", "claims_alone", "header_alone", "key_set", "pem", "error_answer", "no_access_token", "text", "too_much",
]  # fmt: skip
"""The kinds of pasted text."""

NoteCode = Literal[
    "utf16", "byte_order_mark", "invisible_characters", "header_line", "json_answer", "url", "percent_encoding", "python_bytes", "quotes",
    "prefix", "doubled_prefix", "line_breaks", "punctuation", "surroundings",
]  # fmt: skip
"""The kinds of removed text and of decoding."""

NOTES: Mapping[NoteCode, str] = {
    "utf16": "The text is UTF-16, as PowerShell's > writes it, and was decoded. A service that reads it as UTF-8 sends "
    "another text.",
    "byte_order_mark": "A byte order mark at the start of the text was removed. A service that sends it is refused.",
    "invisible_characters": "Invisible characters or no-break spaces were removed. A service that sends them is refused.",
    "header_line": "The token was taken out of an Authorization line.",
    "json_answer": "The access_token was taken out of a JSON answer. Send only the access_token, not the whole answer.",
    "url": "The token was taken out of a URL or a form. A token in a URL ends up in logs: send it in the Authorization field.",
    "percent_encoding": "The text was percent-encoded and was decoded. A token in the Authorization field is not encoded.",
    "python_bytes": "Python's b'...' was removed. A service that formats bytes into a string sends it, and is "
    "refused: decode the bytes first.",
    "quotes": "Quotes were removed. A service that sends them is refused.",
    "prefix": 'The prefix "Bearer " was removed. It belongs before the token once, in the Authorization field.',
    "doubled_prefix": 'The prefix "Bearer " was there more than once and was removed. A service that sends it twice is refused.',
    "line_breaks": "Line breaks or spaces inside the token were removed. A service that sends them is refused.",
    "punctuation": "Punctuation after the token was removed.",
    "surroundings": "Other text around the token was removed.",
}
"""The text of each note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedNote:
    """One thing that was removed or decoded before the token was read."""

    code: NoteCode

    @property
    def text(self) -> str:
        """The note for people."""
        return NOTES[self.code]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastedText:
    """A classified pasted text.

    Attributes:
        kind: the kind of the text.
        token: the token as a client sends it, or None if there is nothing to verify. A secret.
        word: the text itself if it may be an opaque token, or None. A secret.
        header: its header, parsed leniently; None if it cannot be parsed.
        claims: its claims, parsed leniently; None if they cannot be parsed.
        notes: what was removed or decoded.
        place: for `cut_off`, which end is missing: "start", "middle" or "end"; for `variable`, its name unless it may be a secret; else "".
    """

    kind: PastedKind
    token: str | None = field(default=None, repr=False)
    word: str | None = field(default=None, repr=False)
    header: Mapping[str, object] | None = field(default=None, repr=False)
    claims: Mapping[str, object] | None = field(default=None, repr=False)
    notes: tuple[PastedNote, ...] = ()
    place: str = ""
