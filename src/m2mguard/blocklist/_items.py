"""What a shared block list consists of: for each thing the last word about it. Two lists can always be merged. Pure.

A list that an operator began on an emptied store, one that was restored, and one that a process holds are merged without losing a word:
of two about the same thing the later counts. A freed thing stays in the list as freed, until its entry would have ended anyway.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard.blocklist._block import MAX_BLOCKS, Block, UnusableBlock, block_from, members_of

KEPT_S: Final = 86_400.0
"""How long an entry is kept after its end, since the clocks of processes differ."""
_FORMAT: Final = 2
Identity = tuple[str, str, str]


class Item(NamedTuple):
    """The last word about one thing.

    Attributes:
        stamp: the later of two words about the same thing has the greater one: milliseconds since the epoch, or one more than the last.
        blocks: False if it frees the thing.
        block: the entry; of a freed thing the last one.
    """

    stamp: int
    blocks: bool
    block: Block


Items = Mapping[Identity, Item]


def blocks_of(items: Items) -> list[Block]:
    """The entries that are in force."""
    return [item.block for item in items.values() if item.blocks]


def merge(first: Items, second: Items, now: float) -> dict[Identity, Item]:
    """All words of both lists, of two about the same thing the later. Those whose entry has ended long ago are left out."""
    merged = dict(first)
    for identity, item in second.items():
        held = merged.get(identity)
        if held is None or item[:2] > held[:2]:  # of two at the same time, the one that blocks
            merged[identity] = item
    return {identity: item for identity, item in merged.items() if item.block.expires_at > now - KEPT_S}


def has_all(items: Items, wanted: Items, now: float) -> bool:
    """Tell whether a list has every word of another one that has not ended, or a later one."""
    for identity, item in wanted.items():
        if item.block.expires_at > now and (identity not in items or items[identity][:2] < item[:2]):
            return False
    return True


def changed(items: Items, blocks: Iterable[Block], now: float) -> dict[Identity, Item]:
    """A list in which these entries are in force and no others; what is new has a later stamp than what was there."""
    wanted = {block.identity: block for block in blocks}
    stamp = int(now * 1000)
    found = dict(items)
    for identity in {*wanted, *items}:
        held = items.get(identity)
        block = wanted.get(identity)
        if held is not None and (held.block if held.blocks else None) == block:
            continue
        new = stamp if held is None else max(stamp, held.stamp + 1)
        if block is not None:
            found[identity] = Item(new, blocks=True, block=block)
        elif held is not None:
            found[identity] = Item(new, blocks=False, block=held.block)
    return merge(found, {}, now)


def items_document(items: Items, version: int) -> bytes:
    """The JSON form."""
    words = [{"stamp": one.stamp, "blocks": one.blocks, "block": members_of(one.block)} for one in items.values()]
    return json.dumps({"format": _FORMAT, "version": version, "items": words}, separators=(",", ":")).encode("ascii")


def items_from(document: bytes) -> tuple[int, dict[Identity, Item]]:
    """The version and the items of a JSON form.

    Raises:
        UnusableBlock: it is none.
    """
    try:
        members = parse_object(document)
    except NotStrictJson as error:
        raise UnusableBlock(f"it is no JSON: {error}") from None
    version, words = members.get("version"), members.get("items")
    if members.get("format") != _FORMAT or not isinstance(version, int) or not isinstance(words, list):
        raise UnusableBlock("it is of another version of this library")
    if len(words) > MAX_BLOCKS:
        raise UnusableBlock(f"it has more than {MAX_BLOCKS:,} entries")
    try:
        read = [Item(word["stamp"], word["blocks"], block_from(word["block"])) for word in words]
    except (KeyError, TypeError):
        raise UnusableBlock("it is of another version of this library") from None
    return version, {item.block.identity: item for item in read}
