"""A block list in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from m2mguard.blocklist._block import UnusableBlock, blocks_from
from m2mguard.blocklist._watched import Blocklist, Reading, Unreadable
from m2mguard.errors import ConfigurationError
from m2mguard.net._flight import after_fork_in_child

MAX_FILE_BYTES: Final = 256 * 2**20
_Seen = tuple[int, int, int, int]


class FileBlocklist(Blocklist):
    """A block list in a JSON file, read again when the file changes: replaced, written to, or a link that leads elsewhere.

    So it works with the files that Kubernetes makes of a ConfigMap. Anyone who can write the file can refuse your callers; keep it to those
    who may. A file that is missing, broken or too long changes nothing, and is reported. Of a file with a broken entry the others count,
    beside those that counted before.

    The file is `{"format": 1, "blocks": [...]}`, with the arguments of `Block`; `m2mguard block add` writes it.

    Args:
        path: of the file.
        interval: seconds between two looks at the file, 0.1 to 60, default 1.
        required: answer 503 to readiness probes until the file was read once, default False.

    Raises:
        ConfigurationError: an invalid value. A file that cannot be read is none.
    """

    def __init__(self, path: str | os.PathLike[str], *, interval: float = 1, required: bool = False) -> None:
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise ConfigurationError("path must be the path of a file.")
        self.path: Path = Path(os.fsdecode(path)).absolute()
        self._new_process()
        after_fork_in_child(self._new_process)
        super().__init__(interval=interval, required=required, name="blocked-file")

    def _new_process(self) -> None:
        """A child may be forked between the moment in which a file is seen and that in which its list is in force: it reads it again."""
        self._seen: _Seen | None = None

    def _read(self) -> Reading:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)  # a pipe does not hang
        try:
            descriptor = os.open(self.path, flags)
            with open(descriptor, "rb") as file:  # noqa: PTH123 - a Path cannot open with flags
                status = os.fstat(file.fileno())
                seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
                if seen == self._seen:
                    return Reading(None, [])
                document = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            self._seen = None
            raise Unreadable("blocklist_unreadable", f"{self.path} cannot be read ({type(error).__name__})") from None
        self._seen = None
        if len(document) > MAX_FILE_BYTES:
            raise Unreadable("blocklist_unusable", f"{self.path} has more than {MAX_FILE_BYTES // 2**20} MiB")
        try:
            blocks, passed_over = blocks_from(document)
        except UnusableBlock as error:
            raise Unreadable("blocklist_unusable", f"{self.path} is no block list: {error}") from None
        self._seen = seen
        return Reading(blocks, passed_over)

    def __repr__(self) -> str:
        return f"FileBlocklist({str(self.path)!r})"
