"""What is this text that somebody pasted? Finds the token in it, or says what it is instead. Pure, and nothing of it is echoed."""

from m2mguard._cli.pasted.pasted import NoteCode, Pasted, PastedKind, PastedNote
from m2mguard._cli.pasted.reading import read_pasted

__all__ = ["NoteCode", "Pasted", "PastedKind", "PastedNote", "read_pasted"]
