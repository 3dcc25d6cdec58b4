"""Where the block list of a command is: in a file, or in a Valkey server. Both are read and changed alike."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from m2mguard.blocklist._block import Block, UnusableBlock, blocks_from, document_of
from m2mguard.blocklist._file import FileBlocklist
from m2mguard.blocklist._items import blocks_of
from m2mguard.blocklist._shared_list import Notice, Unusable
from m2mguard.blocklist._valkey_list import ValkeyBlocklist, shared_list_of
from m2mguard.blocklist._watched import Blocklist
from m2mguard.net._batches import NoAnswer

Change = Callable[[list[Block]], Iterable[Block]]


class StoreUnusable(Exception):
    """The list cannot be read or written. The text says why."""


class Contents(NamedTuple):
    """What a list holds: its entries, why others are passed over, and its version, None if it counts none."""

    blocks: list[Block]
    passed_over: list[str]
    version: int | None = None


class Store(Protocol):
    """A block list, as commands use it."""

    name: str

    def read(self) -> Contents:
        """What it holds. Raises StoreUnusable."""
        ...

    def change(self, make: Change, *, now: float) -> int | None:
        """Change it, and return its new version; None if it counts none. Raises StoreUnusable."""
        ...

    def notices(self) -> tuple[list[Notice], int] | None:
        """What processes say of themselves, and how many forged notices there are; None if none leave any. Raises StoreUnusable."""
        ...


class FileStore:
    """A block list in a file of this machine."""

    def __init__(self, path: Path) -> None:
        here = Path.cwd()
        self.name: str = str(path.relative_to(here) if path.is_relative_to(here) else path)
        self._path = path

    def read(self) -> Contents:
        """As `Store.read`. No file is an empty list."""
        try:
            return Contents(*blocks_from(self._path.read_bytes()))
        except FileNotFoundError:
            return Contents([], [])
        except OSError as error:
            raise StoreUnusable(f"{self._path} cannot be read ({type(error).__name__})") from None
        except UnusableBlock as error:
            raise StoreUnusable(f"{self._path} is no block list: {error}") from None

    def change(self, make: Change, *, now: float) -> None:
        """As `Store.change`. The file is replaced as a whole, and keeps its mode. Two commands at once change it one after the other."""
        try:
            with _only_one(self._path.resolve().parent):
                self._change(make, now)
        except OSError as error:
            raise StoreUnusable(f"{self._path} cannot be written ({type(error).__name__})") from None

    def _change(self, make: Change, now: float) -> None:
        blocks, passed_over, _ = self.read()
        if passed_over:
            raise StoreUnusable(f"{self._path} has an entry that would be lost: {passed_over[0]}. Mend it first")
        content = document_of(one for one in make(blocks) if one.expires_at > now)
        target = self._path.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        descriptor, new = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(new).chmod(mode)
            Path(new).replace(target)
        except OSError:
            Path(new).unlink(missing_ok=True)
            raise

    def notices(self) -> None:
        """None: processes that read a file leave no notices."""


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Wait until no other command changes a file of this folder. Where the platform has no such locks, nothing is waited for."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class ValkeyStore:
    """A block list in a Valkey server."""

    def __init__(self, blocklist: ValkeyBlocklist) -> None:
        self._shared = shared_list_of(blocklist)
        self.name: str = self._shared.server.shown

    def read(self) -> Contents:
        """As `Store.read`."""
        try:
            found = self._shared.read()
        except (NoAnswer, Unusable) as error:
            raise self._unusable(error) from None
        return Contents([], []) if found is None else Contents(blocks_of(found.items), [], found.version)

    def change(self, make: Change, *, now: float) -> int:
        """As `Store.change`."""
        try:
            return self._shared.change(make, now=lambda: now).version
        except (NoAnswer, Unusable) as error:
            raise self._unusable(error) from None

    def notices(self) -> tuple[list[Notice], int]:
        """As `Store.notices`."""
        try:
            return self._shared.notices()
        except NoAnswer as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> StoreUnusable:
        return StoreUnusable(f"the list at {self.name} cannot be used: {error}")


def store_of(blocklist: Blocklist) -> Store:
    """The store of a list."""
    if isinstance(blocklist, FileBlocklist):
        return FileStore(blocklist.path)
    if isinstance(blocklist, ValkeyBlocklist):
        return ValkeyStore(blocklist)
    raise StoreUnusable(f"{type(blocklist).__name__} is a list of your own, which this command does not know")
