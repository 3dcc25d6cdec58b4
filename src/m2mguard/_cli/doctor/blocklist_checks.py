"""Checks of the block list: can it be read, as a whole, and does each entry name an issuer that this API trusts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from m2mguard._cli.block.stores import StoreUnusable, store_of
from m2mguard._cli.doctor.finding import Finding, Severity, create_ok_finding
from m2mguard._formatting import format_values
from m2mguard.blocklist._block import normal_issuer
from m2mguard.blocklist._watched import Blocklist
from m2mguard.issuer import Issuer

_SECTION = "Block list"


def check_blocklist(blocklist: Blocklist, issuers: Sequence[Issuer]) -> Iterator[Finding]:
    """Report what the list holds. Blocks while it is read.

    Args:
        blocklist: the list of the settings.
        issuers: whose tokens the API accepts.
    """
    try:
        store = store_of(blocklist)
        blocks, passed_over, _ = store.read()
    except StoreUnusable as error:
        yield Finding(
            code="blocklist_unreadable",
            section=_SECTION,
            name="not read",
            severity=Severity.FAULT,
            text=f"{error}.",
            cure="API: mend it; until then new entries do not count, and a process that starts knows none.",
            diagnosis="The block list cannot be read, so nothing new can be blocked.",
        )
        return
    live = [block for block in blocks if block.expires_at > time.time()]
    yield create_ok_finding(
        _SECTION, "read", f"{store.name}: {len(live)} {'entry' if len(live) == 1 else 'entries'} in force"
    )
    for text in passed_over[:3]:
        yield Finding(
            code="blocklist_entry",
            section=_SECTION,
            name="passed over",
            severity=Severity.FAULT,
            text=text,
            cure="API: mend the entry; what it was to block is not blocked.",
            diagnosis=f"An entry of the block list cannot be read: {text}.",
        )
    trusted = {normal_issuer(name) for issuer in issuers for name in issuer.names}
    strangers = sorted({block.issuer for block in live if normal_issuer(block.issuer) not in trusted})
    if strangers:
        yield Finding(
            code="blocklist_issuer",
            section=_SECTION,
            name="other issuers",
            severity=Severity.NOTE,
            text=f"entries name {format_values(strangers)}, whose tokens this API does not accept",
            cure="API: if that is a mistake, add the entry again with --issuer as the token has it in iss.",
        )
