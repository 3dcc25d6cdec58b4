"""Loads one URL over 16 connections and counts the answers: by wrk, or by ourselves where it is not installed."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

CONNECTIONS = 16
TOOL = "wrk" if shutil.which("wrk") else "our own load"


def load(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, float]:
    """How many requests were answered, each with a 2xx, and in how many seconds."""
    return (_by_wrk if TOOL == "wrk" else _by_ourselves)(url, headers, seconds)


def _by_wrk(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, float]:
    fields = [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]
    duration = f"{max(1, round(seconds))}s"
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{duration}", *fields, url], capture_output=True, text=True, check=True
    )
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    found = re.search(r"(\d+) requests in ([0-9.]+)s", done.stdout)
    if found is None:
        raise RuntimeError(done.stdout)
    return int(found[1]), float(found[2])


def _by_ourselves(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, float]:
    target = urlsplit(url)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\n{fields}\r\n".encode()
    answered = 0

    async def client(ends_at: float) -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        while time.perf_counter() < ends_at:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.partition(b"\r\n")[0].decode())
            length = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            answered += 1
        writer.close()

    async def clients() -> tuple[int, float]:
        began = time.perf_counter()
        await asyncio.gather(*(client(began + seconds) for _ in range(CONNECTIONS)))
        return answered, time.perf_counter() - began

    return asyncio.run(clients())
