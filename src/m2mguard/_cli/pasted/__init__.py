"""Finds the token in a pasted text, or says what the text is instead. Pure; nothing of the text is echoed."""

from m2mguard._cli.pasted.pasted import NoteCode, Pasted, PastedKind, PastedNote
from m2mguard._cli.pasted.reading import read_pasted

__all__ = ["NoteCode", "Pasted", "PastedKind", "PastedNote", "read_pasted"]
