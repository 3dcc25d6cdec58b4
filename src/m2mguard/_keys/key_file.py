"""The opt-in key-set file: an issuer's last good keys on disk, so that a worker can start while the issuer is down.

It blocks, so it runs on a fetch's thread only. It can be trusted because nobody but its owner may write it; the checksum finds accidents,
not attackers. Only public members of usable keys are written.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from m2mguard._keys.fetch import Fetched
from m2mguard._keys.key_set import KeySet, UnusableKeySet, key_set_from_members, read_document
from m2mguard._keys.key_state import KeyFetch, KeyState
from m2mguard._keys.private_directory import NotPrivate, private_directory, replace_file
from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard.errors import ConfigurationError
from m2mguard.events import KeyFileRejected, KeysLoadedFromFile
from m2mguard.net._flight import CannotStart, Flight
from m2mguard.net._runtime import Runtime

MAX_AHEAD_S = 60.0  # a file dated later than that is not believed: the clock, or the file, is wrong
_FORMAT = 1
# Plain strings in every usable key; what it is for was checked.
_MEMBERS = ("kty", "kid", "alg", "crv", "x", "y", "n", "e", "pub")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyFileUnusable(Exception):
    """The file cannot be trusted, read or written. The message is in our own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """The file of one issuer. Several workers may share it: it is replaced as a whole, and the last one wins.

    Args:
        directory: where it is; owned by this process's user or root. If others can write to it, a subdirectory of ours is used.
        issuer: the issuer's URL, which gives the file its name and must be in it.
        clock: seconds since the epoch.
        max_age_s: older keys are not read.
        max_bytes: a longer file is not read.
        max_keys: a file with more keys is not read.

    Raises:
        ConfigurationError: this platform has no owners and modes to rely on.
    """

    directory: Path
    issuer: str
    clock: Callable[[], float]
    max_age_s: float
    max_bytes: int
    max_keys: int

    def __post_init__(self) -> None:
        if not hasattr(os, "geteuid"):
            raise ConfigurationError("key_directory needs a platform whose files have an owner and a mode (POSIX).")

    @property
    def name(self) -> str:
        """The file's name in its directory."""
        return f"keys-{hashlib.sha256(self.issuer.encode()).hexdigest()[:32]}.json"

    def load(self) -> tuple[KeySet, float] | None:
        """Read the keys and their age in seconds; None where there is no file.

        Raises:
            KeyFileUnusable: not a regular file of ours that nobody else may touch, in such a directory; damaged, another issuer's,
                too old, or without a usable key.
        """
        try:
            with private_directory(self.directory, create=False) as directory:
                content = self._read(directory)
        except FileNotFoundError:
            return None
        except NotPrivate as error:
            raise KeyFileUnusable(str(error)) from None
        except OSError as error:
            raise KeyFileUnusable(f"the key file cannot be read ({type(error).__name__})") from None
        members = _checked(content)
        if members.get("issuer") != self.issuer:
            raise KeyFileUnusable("the key file is another issuer's")
        fetched_at = members.get("fetched_at")
        if isinstance(fetched_at, bool) or not isinstance(fetched_at, int | float):
            raise KeyFileUnusable("the key file has no date")
        age_s = self.clock() - fetched_at
        if not -MAX_AHEAD_S <= age_s < self.max_age_s:
            raise KeyFileUnusable("the key file is too old, or dated in the future")
        try:
            return key_set_from_members({"keys": members.get("keys")}, max_keys=self.max_keys), max(0.0, age_s)
        except UnusableKeySet:
            raise KeyFileUnusable("the key file has no usable keys") from None

    def save(self, document: bytes, *, age_s: float) -> None:
        """Replace the file by the usable keys of a key-set document that was fetched `age_s` seconds ago.

        Raises:
            KeyFileUnusable: the directory is not fit for it, or the file cannot be written.
        """
        members = {
            "format": _FORMAT,
            "issuer": self.issuer,
            "fetched_at": self.clock() - age_s,
            "keys": _public_keys(document),
        }
        content = json.dumps({**members, "sha256": _checksum(members)}).encode("ascii")
        try:
            with private_directory(self.directory, create=True) as directory:
                replace_file(directory, self.name, content)
        except NotPrivate as error:
            raise KeyFileUnusable(str(error)) from None
        except OSError as error:
            raise KeyFileUnusable(f"the key file cannot be written ({type(error).__name__})") from None

    def forget(self) -> None:
        """Remove the file.

        Raises:
            KeyFileUnusable: it cannot be removed.
        """
        try:
            with private_directory(self.directory, create=False) as directory:
                os.unlink(self.name, dir_fd=directory)
        except FileNotFoundError:
            return
        except NotPrivate as error:
            raise KeyFileUnusable(str(error)) from None
        except OSError as error:
            raise KeyFileUnusable(f"the key file cannot be removed ({type(error).__name__})") from None

    def _read(self, directory: int) -> bytes:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a link fails, a pipe does not hang
        descriptor = os.open(self.name, flags, dir_fd=directory)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a Path cannot open with flags
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise KeyFileUnusable("the key file is not a regular file of this process's user")
            if status.st_mode & _OTHERS:
                raise KeyFileUnusable("the key file is open to others; its mode must be 0600")
            content = file.read(self.max_bytes + 1)
        if len(content) > self.max_bytes:
            raise KeyFileUnusable("the key file is too long")
        return content


class KeyFilePersistence:
    """Keeps one key cache in its key file. Failures are reported, never raised. Safe to share as the cache is.

    It blocks on the disk, so all of it runs on a fetch's thread: a request or an event loop never waits for a disk.

    Args:
        file: where the keys are kept.
        state: the key cache.
        issuer: the issuer's URL, for events.
        runtime: the clocks, and the reporter, which is told what was loaded, and what went wrong.
    """

    def __init__(self, file: KeyFile, state: KeyState, *, issuer: str, runtime: Runtime) -> None:
        self._file = file
        self._state = state
        self._issuer = issuer
        self._clocks = runtime.clocks
        self._reporter = runtime.reporter
        self._purged = False  # after a purge no keys are loaded from the file any more

    def load(self, fetch: KeyFetch) -> bool:
        """Load keys from the file if there are none. Tells whether that ended the fetch, since callers wait for it. Blocks on the disk."""
        if self._purged or self._state.snapshot is not None:
            return False
        try:
            found = self._file.load()
        except KeyFileUnusable as error:
            self._reject(error)
            return False
        if found is not None:
            keys, age_s = found
            if self._state.load(fetch, keys, age_s=age_s):
                key_ids = tuple(key.kid or "" for key in keys.keys)
                self._reporter.emit(KeysLoadedFromFile(issuer=self._issuer, key_ids=key_ids, age_s=age_s))
        return fetch.dropped

    def save(self, fetch: KeyFetch, fetched: Fetched) -> None:
        """Keep what a fetch has brought, unless a purge came in between. Blocks on the disk.

        A purge first makes fetches void and then removes the file. So either we see here that ours is void, or the file
        that we have written is removed after us.
        """
        try:
            if self._state.is_void(fetch):
                return
            self._file.save(fetched.document, age_s=self._clocks.ages() - fetch.began_at)
            if self._state.is_void(fetch):
                self._file.forget()
        except KeyFileUnusable as error:
            self._reject(error)

    def purge(self) -> None:
        """Remove the file, in the background. The key cache must be purged already."""
        self._purged = True
        try:
            Flight(self._forget, name="m2mguard-keys-purge").start()
        except CannotStart as error:
            self._reject(error)

    def _forget(self) -> None:
        try:
            self._file.forget()
        except KeyFileUnusable as error:
            self._reject(error)

    def _reject(self, error: Exception) -> None:
        self._reporter.emit(KeyFileRejected(issuer=self._issuer, error=str(error)))


def _checked(content: bytes) -> Mapping[str, object]:
    try:
        members = parse_object(content)
    except NotStrictJson:
        raise KeyFileUnusable("the key file is damaged") from None
    checksum = members.pop("sha256", None)
    if members.get("format") != _FORMAT or checksum != _checksum(members):
        raise KeyFileUnusable("the key file is damaged, or was changed by other hands")
    return members


def _checksum(members: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(members, sort_keys=True).encode("ascii")).hexdigest()


def _public_keys(document: bytes) -> list[dict[str, object]]:
    members = read_document(document).get("keys")
    jwks = members if isinstance(members, list) else []
    return [{name: jwk[name] for name in _MEMBERS if name in jwk} for jwk in jwks if _usable(jwk)]


def _usable(jwk: object) -> bool:
    try:
        key_set_from_members({"keys": [jwk]}, max_keys=1)
    except UnusableKeySet:
        return False
    return True
