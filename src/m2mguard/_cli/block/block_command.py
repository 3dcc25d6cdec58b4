"""Runs `m2mguard block`: changes the list, shows it, and tells which processes know it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from m2mguard._cli.block.block_options import block_from_options, blocklist_from
from m2mguard._cli.block.spread import Spread, spread_of
from m2mguard._cli.block.stores import Change, Store, StoreUnusable, store_of
from m2mguard._cli.output import Output, Status
from m2mguard._formatting import format_value
from m2mguard.blocklist._block import NAMES, Block, time_text

_DONE, _NOT_EVERYWHERE, _UNUSABLE = 0, 1, 3
_LOOK_EVERY_S: Final = 0.1


def run_block_command(output: Output, options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Run one action, and return the exit status.

    Raises:
        ConfigurationError: wrong usage.
    """
    try:
        store = store_of(blocklist_from(options, environ))
        match options.action:
            case "add" | "remove":
                return _change(output, store, options, environ)
            case "list":
                return _list(output, store, as_json=options.json)
            case _:
                return _status(output, store, as_json=options.json)
    except StoreUnusable as error:
        output.row(Status.REFUSED, "not done", f"{error}.")
        return _UNUSABLE


def _change(output: Output, store: Store, options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    now = time.time()
    block = block_from_options(options, environ, now=now)
    adds = options.action == "add"
    removed: list[Block] = []

    def make(blocks: list[Block]) -> list[Block]:
        removed[:] = [one for one in blocks if one.identity == block.identity]
        others = [one for one in blocks if one.identity != block.identity]
        return [*others, block] if adds else others

    version, spread = _change_and_wait(store, make, now, options.wait)
    if _is_blocked(store, block) is not adds:  # an old list was restored meanwhile, and something in it counted more
        version, spread = _change_and_wait(store, make, time.time(), options.wait)
    known = spread is None or spread.is_everywhere
    done = _is_blocked(store, block) if adds else bool(removed)
    if options.json:
        said: dict[str, Any] = {"done": done, "block": _members(block if adds or not removed else removed[0])}
        output.line(
            json.dumps({**said, "version": version, "status": None if spread is None else asdict(spread)}, indent=2)
        )
    else:
        if adds and not done:
            output.row(
                Status.REFUSED, "not done", f"{store.name} was set back twice while this was written; try again."
            )
        elif adds:
            output.row(Status.PASSED, "blocked", f"{_described(block)} in {store.name}")
        elif removed:
            output.row(Status.PASSED, "removed", f"{_described(removed[0])} from {store.name}")
        else:
            output.row(Status.REFUSED, "not found", f"{_named(block)} is not blocked in {store.name}")
        if spread is not None:
            _show_spread(output, spread)
    return _DONE if known and done else _NOT_EVERYWHERE


def _change_and_wait(store: Store, make: Change, now: float, wait_s: float) -> tuple[int | None, Spread | None]:
    version = store.change(make, now=now)
    return version, _wait_for_spread(store, version, wait_s)


def _is_blocked(store: Store, block: Block) -> bool:
    return any(one.identity == block.identity for one in store.read().blocks)


def _wait_for_spread(store: Store, version: int | None, wait_s: float) -> Spread | None:
    """Wait until all processes that are not silent know a version, and return what they know then."""
    until = time.monotonic() + wait_s
    while True:
        found = store.notices()
        if found is None:
            return None
        spread = spread_of(*found, version=version)
        if spread.is_everywhere or time.monotonic() >= until:
            return spread
        time.sleep(_LOOK_EVERY_S)


def _list(output: Output, store: Store, *, as_json: bool) -> int:
    blocks, passed_over, _ = store.read()
    now = time.time()
    if as_json:
        output.line(json.dumps({"blocks": [_members(one) for one in blocks], "passed_over": passed_over}, indent=2))
        return _DONE
    for block in blocks:
        ended = block.expires_at <= now
        output.row(
            Status.NOT_REACHED if ended else Status.NONE,
            "ended" if ended else "blocked",
            f"{_described(block)}: {block.reason}",
        )
    for text in passed_over:
        output.row(Status.NOT_REACHED, "passed over", text)
    if not blocks and not passed_over:
        output.line(f"Nothing is blocked in {store.name}.")
    return _DONE


def _status(output: Output, store: Store, *, as_json: bool) -> int:
    found = store.notices()
    if found is None:
        raise StoreUnusable(
            f"{store.name} is a file, and processes leave no notices in it: look at server.health().blocklist of each"
        )
    blocks, _, version = store.read()
    spread = spread_of(*found, version=version)
    if as_json:
        output.line(json.dumps({"entries": len(blocks), **asdict(spread)}, indent=2))
    else:
        output.line(f"{store.name}: {len(blocks)} {'entry' if len(blocks) == 1 else 'entries'}")
        _show_spread(output, spread)
    return _DONE if spread.is_everywhere else _NOT_EVERYWHERE


def _show_spread(output: Output, spread: Spread) -> None:
    status = Status.PASSED if spread.is_everywhere else Status.REFUSED
    output.row(status, "known", spread.sentence)
    for one in spread.behind[:20]:
        output.row(Status.REFUSED, "behind", one)
    for one in spread.silent[:20]:
        output.row(Status.NOT_REACHED, "silent", one)
    if spread.forged:
        output.row(
            Status.REFUSED,
            "forged",
            f"{spread.forged} not sealed by our key: somebody else writes to the server.",
        )


def _named(block: Block) -> str:
    kind, value = block.subject
    return f"the {NAMES[kind]} {format_value(value)} of {block.issuer}"


def _described(block: Block) -> str:
    before = "" if block.issued_before is None else f", tokens issued before {time_text(block.issued_before)}"
    return f"{_named(block)}{before}, until {time_text(block.expires_at)}"


def _members(block: Block) -> dict[str, object]:
    return {name: value for name, value in asdict(block).items() if value is not None}
