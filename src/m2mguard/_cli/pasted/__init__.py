"""Finds the token in a pasted text, or classifies a text without a token. Pure; no output repeats the text."""

from m2mguard._cli.pasted.pasted_reader import read_pasted_text
from m2mguard._cli.pasted.pasted_text import NoteCode, PastedKind, PastedNote, PastedText

__all__ = ["NoteCode", "PastedKind", "PastedNote", "PastedText", "read_pasted_text"]
