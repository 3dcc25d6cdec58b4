"""What a good key set changed, told as events. Pure: two key sets go in, events come out."""

from __future__ import annotations

from collections.abc import Iterator

from m2mguard._keys.key_set import KeySet
from m2mguard._reasons.codes import FetchCause
from m2mguard.events import Event, KeysRefreshed, KeyWithdrawn


def diff_events(
    *, issuer: str, cause: FetchCause, before: KeySet | None, after: KeySet, not_modified: bool = False
) -> Iterator[Event]:
    """Tell that keys were fetched, what came and went, and each key that is trusted no longer.

    Keys are compared by thumbprint: the same key id with other key material is one key gone and another come.

    Args:
        issuer: the issuer's URL.
        cause: why they were fetched.
        before: the keys until now, or None.
        after: the keys from now on.
        not_modified: whether the issuer said that nothing has changed.
    """
    old = {} if before is None else _by_thumbprint(before)
    new = _by_thumbprint(after)
    gone = {thumbprint: kid for thumbprint, kid in old.items() if thumbprint not in new}
    yield KeysRefreshed(
        issuer=issuer,
        cause=cause,
        key_ids=tuple(new.values()),
        added=tuple(kid for thumbprint, kid in new.items() if thumbprint not in old),
        removed=tuple(gone.values()),
        skipped=after.skipped,
        not_modified=not_modified,
    )
    for thumbprint, kid in gone.items():
        yield KeyWithdrawn(issuer=issuer, key_id=kid, thumbprint=thumbprint)


def _by_thumbprint(keys: KeySet) -> dict[str, str]:
    return {key.thumbprint: key.kid or "" for key in keys.keys}
