"""How far a version of the block list has come: which processes know it, which are behind, which are silent. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from m2mguard.blocklist._shared_list import Notice

SILENT_AFTER_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Which processes know a version of the list.

    Attributes:
        version: the version; None: there is no list.
        processes: how many have said something within the last two minutes.
        known_by: how many know the version, or a later one.
        oldest_s: how long ago the one that is longest ago has said so, in seconds.
        behind: those that say something, and do not know it.
        silent: those that have said nothing for ten seconds: they have ended, or cannot reach the server.
        forged: notices that are not sealed by our key.
    """

    version: int | None
    processes: int
    known_by: int
    oldest_s: float
    behind: tuple[str, ...]
    silent: tuple[str, ...]
    forged: int

    @property
    def is_everywhere(self) -> bool:
        """Whether every process that says something knows it."""
        return not self.behind

    @property
    def sentence(self) -> str:
        """The same in words."""
        if not self.processes:
            return "no process has left a notice: either none uses this list, or none has had a request yet"
        oldest = f", the longest ago {self.oldest_s:.1f} s" if self.known_by else ""
        silent = f"; {len(self.silent)} silent" if self.silent else ""
        return f"by {self.known_by} of {self.processes} processes{oldest}{silent}"


def spread_of(notices: Iterable[Notice], forged: int, *, version: int | None) -> Spread:
    """Sort the notices of processes."""
    known, behind, silent = [], [], []
    for one in sorted(notices, key=lambda one: (one.host, one.pid)):
        if one.age_s > SILENT_AFTER_S:
            silent.append(f"process {one.pid} on {one.host}, {one.age_s:.0f} s")
        elif version is not None and (one.version or 0) < version:
            why = "" if one.error is None else f": {one.error}"
            behind.append(f"process {one.pid} on {one.host} has version {one.version}{why}")
        else:
            known.append(one)
    return Spread(
        version=version,
        processes=len(known) + len(behind) + len(silent),
        known_by=len(known),
        oldest_s=max((one.age_s for one in known), default=0.0),
        behind=tuple(behind),
        silent=tuple(silent),
        forged=forged,
    )
