"""The cache of verified tokens: entries, order of eviction, size, and use by several threads."""

import hashlib
import json
import threading
import time
import tracemalloc
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2mguard._token.claims import Verdict
from m2mguard._token.verified_tokens import CacheEntry, VerifiedTokenCache, size_of
from m2mguard.caller import Caller, freeze_claims

PLENTY = 2**30


def caller_named(name, **claims):
    return Caller(
        app_id=name,
        scopes=frozenset(("read:orders", f"own:{name}")),
        issuer="https://issuer.example",
        audience="https://shopping.api",
        expires_at=1_000.0,
        claims=freeze_claims({"sub": name, "client_id": name, **claims}),
    )


def digest_of(token):
    return hashlib.sha256(token).digest()


def entry(name="app", *, token=None, size_bytes=2_000, **claims):
    return CacheEntry(
        Verdict(caller_named(name, **claims), 0.0, 1_000.0),
        "kid",
        "thumbprint",
        digest=digest_of(name.encode() if token is None else token),
        size_bytes=size_bytes,
    )


def cache_of(max_entries, max_bytes=PLENTY):
    return VerifiedTokenCache(max_entries=max_entries, max_bytes=max_bytes, lock=threading.Lock())


def put(cache, name, size_bytes=2_000):
    cache.put(entry(name, size_bytes=size_bytes))


def cached(cache, names):
    """The names that are cached. `get` counts as a use, so a test calls this last."""
    return {name for name in names if cache.get(digest_of(name.encode()), now_s=PLENTY) is not None}


def test_an_entry_is_found_only_by_its_own_token():
    cache = cache_of(8)
    verified = entry(token=b"a.b.c")
    cache.put(verified)
    assert cache.get(digest_of(b"a.b.c"), now_s=0.0) is verified
    assert cache.get(digest_of(b"a.b.d"), now_s=0.0) is None


def test_the_token_itself_is_not_kept():
    cache = cache_of(8)
    cache.put(entry(token=b"header.payload.signature"))
    [kept] = cache._entries.values()
    assert "signature" not in repr({name: getattr(kept, name) for name in kept.__slots__})


def test_a_cache_of_no_entries_keeps_nothing():
    cache = cache_of(0)
    put(cache, "a")
    assert len(cache) == 0
    assert cache.get(digest_of(b"a"), now_s=0.0) is None


def test_the_least_recently_used_entry_is_evicted():
    cache = cache_of(3)
    for name in "abc":
        put(cache, name)
    for now_s, name in enumerate("bacb", start=3):
        assert cache.get(digest_of(name.encode()), now_s=now_s)
    put(cache, "d")
    assert cached(cache, "abcd") == {"b", "c", "d"}


@settings(max_examples=200)
@given(st.integers(1, 5), st.lists(st.tuples(st.sampled_from(["get", "put"]), st.integers(0, 8)), max_size=60))
def test_the_order_of_eviction_is_that_of_an_exact_lru(max_entries, steps):
    cache = cache_of(max_entries)
    model: OrderedDict[Any, Any] = OrderedDict()
    for now_s, (step, number) in enumerate(steps):
        digest = digest_of(b"%d" % number)
        if step == "get":
            assert (cache.get(digest, now_s=now_s) is not None) == (number in model)
        else:
            put(cache, str(number))
            model[number] = None
        if number in model:
            model.move_to_end(number)
        if len(model) > max_entries:
            model.popitem(last=False)
        assert len(cache) == len(model)
    assert cached(cache, map(str, range(9))) == set(map(str, model))


def test_a_flood_of_tokens_does_not_evict_one_that_is_in_use():
    cache = cache_of(16)
    put(cache, "used")
    for number in range(1_000):
        assert cache.get(digest_of(b"used"), now_s=0.0)  # with a clock that does not move
        put(cache, f"flood {number}")
    assert len(cache) == 16


def test_memory_is_bounded():
    cache = cache_of(1_000, max_bytes=30_000)
    for number in range(10):
        put(cache, f"{number}", size_bytes=10_000)
    assert cached(cache, map(str, range(10))) == {"7", "8", "9"}


def test_an_entry_larger_than_the_cache_is_not_kept_and_evicts_none():
    cache = cache_of(8, max_bytes=20_000)
    put(cache, "small")
    put(cache, "huge", size_bytes=20_001)
    assert cached(cache, ["small", "huge"]) == {"small"}


@pytest.mark.parametrize(
    ("claims", "at_most"),
    [
        ({}, 1.4),
        ({"roles": [f"role {number}" for number in range(50)]}, 1.8),
        ({"tree": {"a": [{"b": number, "c": [str(number)]} for number in range(1_000, 1_100)]}}, 2.5),
        ({"empty": [{} for _ in range(300)]}, 2.5),
        ({"objects": {f"{number}": {"b": {"c": {}}} for number in range(100)}}, 2.5),
        ({"numbers": list(range(1_000, 2_000))}, 2.6),
        ({"text": "\N{SNOWMAN}" * 3_000}, 10.0),
        ({"text": "x" * 3_000 + "\N{SNOWMAN}"}, 4.0),
        ({"text": "x" * 3_000 + "\N{GRINNING FACE}"}, 1.4),
    ],
    ids=[
        "plain",
        "list",
        "tree",
        "empty objects",
        "objects in objects",
        "numbers",
        "snowmen",
        "one snowman",
        "one face",
    ],
)
@pytest.mark.parametrize("escaped", [True, False])
def test_the_estimated_size_is_never_less_than_the_allocated_memory(claims, at_most, escaped):
    claims = {"jti": "j" * 43, "iss": "https://issuer.example", "iat": 1_700_000_000, "client_id": "app", **claims}
    payload = json.dumps(claims, ensure_ascii=escaped).encode()
    count = 200
    cache = cache_of(count)
    tracemalloc.start()
    try:
        for number in range(count):
            cache.put(entry(f"app {number}", token=b"%d" % number, size_bytes=size_of(payload), **json.loads(payload)))
        real = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.98 * real < cache._size_bytes < at_most * real


def test_the_list_of_uses_does_not_grow_without_bound():
    cache = cache_of(4)
    for name in "abcd":
        put(cache, name)
    for now_s in range(1_000):
        for name in "abcd":
            cache.get(digest_of(name.encode()), now_s=now_s)
    assert len(cache._used) == 4
    put(cache, "e")
    assert not cache._used


def test_a_use_of_an_entry_that_was_evicted_meanwhile_is_ignored():
    cache = cache_of(1)
    put(cache, "a")
    [evicted] = cache._entries.values()
    put(cache, "b")
    cache._used.append(evicted)  # as a reader does that got it just before
    put(cache, "c")
    assert cached(cache, "abc") == {"c"}


def test_threads_share_a_cache_without_errors_or_excess_entries():
    cache = cache_of(8)
    names = [f"app {number}" for number in range(32)]
    wrong: list[Any] = []
    ends_at = time.monotonic() + 0.5

    def use(offset):
        turn = offset
        while time.monotonic() < ends_at:
            turn += 7
            name = names[turn % len(names)]
            found = cache.get(digest_of(name.encode()), now_s=turn)
            if found is None:
                put(cache, name)
            elif found.verdict.caller.app_id != name:
                wrong.append((name, found))
            if len(cache) > 8:
                wrong.append(len(cache))

    def use_and_record(offset):
        try:
            use(offset)
        except BaseException as error:
            wrong.append(error)
            raise

    threads = [threading.Thread(target=use_and_record, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache._size_bytes == sum(entry.size_bytes for entry in cache._entries.values())
