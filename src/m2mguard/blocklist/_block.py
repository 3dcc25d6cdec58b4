"""One entry of a block list, and the list as JSON. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard._validation import text
from m2mguard.errors import ConfigurationError

SUBJECTS: Final = ("app_id", "token_id", "key_id", "organization")
NAMES: Final = MappingProxyType(
    {"app_id": "application", "token_id": "token", "key_id": "key", "organization": "organization"}
)
MAX_BLOCKS: Final = 1_000_000
MAX_REASON_CHARACTERS: Final = 500
_FORMAT: Final = 1
_TIMES: Final = ("expires_at", "issued_before", "added_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What is refused from now on. Exactly one of `app_id`, `token_id`, `key_id` and `organization` is given.

    Times are in seconds since the epoch. Immutable.

    Args:
        issuer: the URL of the issuer, or an alias of it; a slash at its end does not count.
        reason: why, for the log and for `m2mguard block list`; callers never see it. At most 500 characters.
        expires_at: until when.
        app_id: an application.
        token_id: one token, by its `jti`.
        key_id: all tokens that this key has signed, by its `kid` or its RFC 7638 thumbprint.
        organization: all tokens of an organization.
        issued_before: only tokens with an `iat` before that, and those without one. Default None: all. Not with `token_id`.
        added_at: when it was added, default None.

    Raises:
        ConfigurationError: an invalid value.
    """

    issuer: str
    reason: str
    expires_at: float
    app_id: str | None = None
    token_id: str | None = None
    key_id: str | None = None
    organization: str | None = None
    issued_before: float | None = None
    added_at: float | None = None

    def __post_init__(self) -> None:
        text("issuer", self.issuer)
        text("reason", self.reason)
        if len(self.reason) > MAX_REASON_CHARACTERS:
            raise ConfigurationError(f"reason has more than {MAX_REASON_CHARACTERS} characters.")
        given = [name for name in SUBJECTS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigurationError(f"give exactly one of {', '.join(SUBJECTS)}.")
        text(given[0], getattr(self, given[0]))
        for name in _TIMES:
            _check_time(name, getattr(self, name), required=name == "expires_at")
        if self.issued_before is not None and self.token_id is not None:
            raise ConfigurationError("issued_before has no effect beside token_id: a token is issued once.")

    @property
    def subject(self) -> tuple[str, str]:
        """What is blocked: the name of the argument, and its value."""
        return next((name, value) for name in SUBJECTS if (value := getattr(self, name)) is not None)

    @property
    def identity(self) -> tuple[str, str, str]:
        """Equal for two entries about the same thing: the later one replaces the other."""
        return (normal_issuer(self.issuer), *self.subject)


_MEMBERS: Final = frozenset(field.name for field in fields(Block))


class UnusableBlock(ValueError):
    """What was to be read is no entry, or no list. The text says why, in our own words."""


def normal_issuer(url: str) -> str:
    """An issuer's URL as entries are compared by it."""
    return url.rstrip("/")


def block_from(members: object) -> Block:
    """Read an entry from its JSON form. Times are numbers, or text such as "2026-11-27T18:00:00Z".

    Raises:
        UnusableBlock: it is none.
    """
    if not isinstance(members, Mapping):
        raise UnusableBlock("an entry must be an object")
    unknown = sorted(members.keys() - _MEMBERS)
    if unknown:
        raise UnusableBlock(f"an entry has a member that does not exist: {ascii(unknown[0])[:80]}")
    missing = [name for name in ("issuer", "reason", "expires_at") if name not in members]
    if missing:
        raise UnusableBlock(f"an entry has no {missing[0]}")
    try:
        return Block(**{name: _time(value) if name in _TIMES else value for name, value in members.items()})
    except ConfigurationError as error:
        raise UnusableBlock(str(error)) from None


def blocks_from(document: bytes) -> tuple[list[Block], list[str]]:
    """Read a list: `{"format": 1, "blocks": [...]}`.

    Returns:
        Its entries, and why others of it are passed over.

    Raises:
        UnusableBlock: it is no list at all.
    """
    try:
        members = parse_object(document)
    except NotStrictJson as error:
        raise UnusableBlock(f"it is no JSON: {error}") from None
    given = members.get("blocks")
    if members.get("format") != _FORMAT or not isinstance(given, list) or set(members) - {"format", "blocks"}:
        raise UnusableBlock('it must be {"format": 1, "blocks": [...]}')
    if len(given) > MAX_BLOCKS:
        raise UnusableBlock(f"it has more than {MAX_BLOCKS:,} entries")
    blocks, passed_over = [], []
    for place, one in enumerate(given):
        try:
            blocks.append(block_from(one))
        except UnusableBlock as error:
            passed_over.append(f"blocks[{place}]: {error}")
    return blocks, passed_over


def document_of(blocks: Iterable[Block]) -> bytes:
    """The JSON form of a list, for people: one line for each entry, and times as text."""
    entries = [
        {name: time_text(value) if name in _TIMES else value for name, value in members_of(block).items()}  # type: ignore[arg-type]
        for block in blocks
    ]
    lines = ",\n".join(f"    {json.dumps(entry)}" for entry in entries)
    return f'{{\n  "format": {_FORMAT},\n  "blocks": [\n{lines}\n  ]\n}}\n'.encode("ascii")


def time_text(seconds: float) -> str:
    """A time as text, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def members_of(block: Block) -> dict[str, object]:
    """The JSON form of an entry."""
    return {name: value for name in sorted(_MEMBERS) if (value := getattr(block, name)) is not None}


def _time(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise UnusableBlock('a time must be a number of seconds, or text such as "2026-11-27T18:00:00Z"') from None
    if moment.tzinfo is None:
        raise UnusableBlock('a time has no time zone: write it such as "2026-11-27T18:00:00Z"')
    return moment.timestamp()


def _check_time(name: str, value: object, *, required: bool) -> None:
    if value is None and not required:
        return
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not 0 <= value < 1e11
    ):
        raise ConfigurationError(f"{name} must be a time, in seconds since the epoch.")
