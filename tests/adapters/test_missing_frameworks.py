"""Without its framework, an adapter says at import which extra to install."""

import subprocess
import sys

import pytest

ADAPTERS = [
    ("starlette", "starlette", "starlette"),
    ("fastapi", "fastapi", "fastapi"),
    ("flask", "flask", "flask"),
    ("django", "django", "django"),
    ("drf", "rest_framework", "drf"),
    ("client.httpx2", "httpx2", "httpx2"),
    ("client.requests", "requests", "requests"),
    ("client.aiohttp", "aiohttp", "aiohttp"),
    ("client.grpc", "grpc", "grpc"),
]


@pytest.mark.parametrize(("module", "framework", "extra"), ADAPTERS)
def test_the_adapter_says_which_extra_to_install(module, framework, extra):
    statement = f"import sys; sys.modules[{framework!r}] = None; import m2mguard.{module}"
    done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: m2mguard.{module} needs ")
    assert last.endswith(f'pip install "m2mguard[{extra}]"')


@pytest.mark.parametrize("module", ["asgi", "wsgi"])
def test_the_plain_adapters_need_no_framework(module):
    missing = {framework for _, framework, _ in ADAPTERS}
    statement = f"import sys; sys.modules |= dict.fromkeys({missing!r}); import m2mguard.{module}"
    done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
