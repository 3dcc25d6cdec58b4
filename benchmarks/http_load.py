"""Loads one URL over 16 connections with aiohttp's client and counts the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp

CONNECTIONS = 16


def load(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, float]:
    """How many requests were answered, each with a 2xx, and in how many seconds.

    Raises:
        aiohttp.ClientError: another status, or no answer.
    """
    return asyncio.run(_load(url, headers, seconds))


async def _load(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, float]:
    answered = 0
    began = time.perf_counter()

    async def client() -> None:
        nonlocal answered
        while time.perf_counter() < began + seconds:
            async with session.get(url) as answer:
                await answer.read()
            answered += 1

    # It keeps no cookies and decodes nothing: what the load costs, the server may lack.
    async with aiohttp.ClientSession(
        headers=headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, raise_for_status=True
    ) as session:
        await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return answered, time.perf_counter() - began
