"""Without its framework, the import of an adapter fails and names the extra to install."""

import subprocess
import sys

import pytest

EXTRAS = {
    "starlette": "starlette",
    "fastapi": "fastapi",
    "flask": "flask",
    "django": "django",
    "drf": "drf",
    "ninja": "ninja",
    "litestar": "litestar",
    "telemetry": "telemetry",
    "client.httpx2": "httpx2",
    "testing.httpx2": "httpx2",
    "client.requests": "requests",
    "client.aiohttp": "aiohttp",
    "aiohttp": "aiohttp",
    "client.grpc": "grpc",
    "grpc": "grpc",
    "mcp": "mcp",
    "fastmcp": "fastmcp",
}
FRAMEWORKS = {
    "starlette": ["starlette"],
    "fastapi": ["fastapi", "starlette", "pydantic"],  # FastAPI is built on the others, which may be missing alone
    "flask": ["flask", "werkzeug"],
    "django": ["django"],
    "drf": ["rest_framework", "django"],
    "litestar": ["litestar"],
    "ninja": ["ninja", "django", "pydantic"],
    "telemetry": ["opentelemetry"],
    "client.httpx2": ["httpx2"],
    "testing.httpx2": ["httpx2"],
    "client.requests": ["requests"],
    "client.aiohttp": ["aiohttp"],
    "aiohttp": ["aiohttp"],
    "client.grpc": ["grpc"],
    "grpc": ["grpc"],
    "mcp": ["mcp"],
    "fastmcp": ["fastmcp", "mcp"],
}
ALL = sorted({framework for frameworks in FRAMEWORKS.values() for framework in frameworks})
MISSING = [
    *((module, [framework]) for module, frameworks in FRAMEWORKS.items() for framework in frameworks),
    *((module, ALL) for module in FRAMEWORKS),
]


def importing(module, missing):
    statement = f"import sys; sys.modules |= dict.fromkeys({missing!r}); import m2mguard.{module}"
    return subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("module", "missing"), MISSING, ids=lambda value: " ".join([value] if isinstance(value, str) else value)
)
def test_the_import_error_names_the_extra_to_install(module, missing):
    done = importing(module, missing)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: m2mguard.{module} needs ")
    assert last.endswith(f'pip install "m2mguard[{EXTRAS[module]}]"')


@pytest.mark.parametrize("module", ["asgi", "wsgi", "forward_auth"])
def test_the_plain_adapters_need_no_framework(module):
    done = importing(module, ALL)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("module", "missing"), [("starlette", ["fastapi"]), ("django", ["rest_framework", "drf_spectacular"])]
)
def test_an_adapter_does_not_need_packages_on_top_of_its_framework(module, missing):
    done = importing(module, missing)
    assert done.returncode == 0, done.stderr
