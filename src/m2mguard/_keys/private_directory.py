"""A directory that only this process's user can write to: the given one, or one of our own inside it. POSIX only; blocks.

All work is done relative to an open descriptor, so that no other directory can replace it between a check and its use.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)  # not there on Windows
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NotPrivate(OSError):
    """Another user can change the directory. The message is in our own words."""


@contextlib.contextmanager
def private_directory(directory: Path, *, create: bool) -> Iterator[int]:
    """Open a directory that only this process's user, or root, can write to, and give its descriptor.

    If others can write to `directory`, as to a Kubernetes emptyDir (mode 0777, or 2777), a subdirectory of ours is used, with mode 0700.

    Args:
        directory: an existing directory of this process's user or root.
        create: whether to make the subdirectory if there is none.

    Raises:
        NotPrivate: it, or the subdirectory, is not a directory of this user or root, or the subdirectory is open to others.
        OSError: it cannot be opened, or the subdirectory cannot be made.
    """
    given = os.open(directory, _DIRECTORY)
    try:
        status = os.fstat(given)
        if status.st_uid not in (0, os.geteuid()):
            raise NotPrivate("key_directory is not a directory of this process's user or root")
        if not status.st_mode & _OTHERS_WRITE:
            yield given
            return
        with _subdirectory(given, create=create) as own:
            yield own
    finally:
        os.close(given)


@contextlib.contextmanager
def _subdirectory(parent: int, *, create: bool) -> Iterator[int]:
    name = f"m2mguard-{os.geteuid()}"
    if create:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
    own = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        status = os.fstat(own)
        if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
            raise NotPrivate(
                f"the directory {name} in key_directory is not of this process's user, or is writable by others"
            )
        yield own
    finally:
        os.close(own)


def replace_file(directory: int, name: str, content: bytes) -> None:
    """Put a file of mode 0600 in the place of another, as a whole. Raises OSError."""
    new = f".{name}-{secrets.token_hex(8)}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a Path is not relative to a descriptor
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(new, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(new, dir_fd=directory)
        raise
