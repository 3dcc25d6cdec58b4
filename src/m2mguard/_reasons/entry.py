"""One row of the tables in this package: what a code means, what usually causes it, what to do. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one code means.

    Attributes:
        code: the code, such as "expired".
        status: the HTTP status of the answer to the caller, or None where no request is answered by it.
        sentence: what happened, as a part of a log line: no capital at the start, no full stop.
        meaning: the same for a reader of the documentation: whole sentences.
        causes: what usually causes it, the most frequent first; one that is an issuer's habit begins with the issuer's name.
        cures: what to do, the best first; each begins with who can do it: "Caller:", "API:" or "Issuer:".
        place: the heading of the code's section on the page docs/reference/why.md; the code where that is unique.
        problems: a more exact `sentence` for some problems; "{claim}" in it is replaced by the name of the claim.
    """

    code: str
    status: int | None
    sentence: str
    meaning: str
    causes: tuple[str, ...]
    cures: tuple[str, ...]
    place: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)

    def detail(self, problem: str | None, claim: str | None) -> str:
        """Return the most exact sentence there is for a problem."""
        sentence = self.sentence if problem is None else self.problems.get(problem, self.sentence)
        return sentence.replace("{claim}", claim or "a claim")

    @property
    def heading(self) -> str:
        """The heading of the code's section on the page docs/reference/why.md."""
        return self.place or self.code


def entry_without_status(
    code: str, sentence: str, meaning: str, causes: tuple[str, ...], cures: tuple[str, ...], place: str = ""
) -> Entry:
    """An entry of something that no request is answered with. Arguments as for `Entry`."""
    return Entry(code=code, status=None, sentence=sentence, meaning=meaning, causes=causes, cures=cures, place=place)


def table(*entries: Entry) -> Mapping[str, Entry]:
    """Make a read-only mapping from code to entry."""
    return MappingProxyType({entry.code: entry for entry in entries})
