"""The public modules are those without an underscore; each shows exactly the names in `__all__`."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import m2mguard
from tests import django_site

django_site.set_up()  # before any module of Django REST framework is imported

FOUND = (found.name for found in pkgutil.walk_packages(m2mguard.__path__, "m2mguard."))
ROOT = Path(__file__).parents[1]
PUBLIC = ["m2mguard", *(name for name in sorted(FOUND) if "._" not in name and ".management" not in name)]


@pytest.mark.parametrize("name", PUBLIC)
def test_dir_of_a_public_module_shows_exactly_its_public_names(name):
    module = importlib.import_module(name)
    assert dir(module) == sorted(module.__all__)
    assert not [public for public in module.__all__ if public.startswith("_") and public != "__version__"]
    for public in module.__all__:
        assert getattr(module, public) is not None


def test_every_public_module_is_in_the_reference():
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "reference" / "api").glob("*.md"))
    named = {line.split()[-1] for line in pages.splitlines() if line.startswith(".. automodule::")}
    in_m2mguard_itself = {"m2mguard.caller", "m2mguard.issuer"}
    found_by_frameworks = {"m2mguard.django.apps", "m2mguard.testing.pytest_plugin"}
    assert set(PUBLIC) - named == in_m2mguard_itself | found_by_frameworks


def test_the_list_of_public_modules_is_complete():
    top = [name.split(".")[1] for name in PUBLIC if name.count(".") == 1]
    assert top == [
        "aiohttp", "asgi", "blocklist", "caller", "certificates", "client", "django", "dpop", "drf",
            "errors", "events", "exemptions", "fastapi", "fastmcp", "flask",
        "forward_auth", "grpc", "health", "issuer", "litestar", "mcp", "net", "ninja", "paths", "presets", "starlette", "telemetry",
        "testing", "wsgi",
    ]  # fmt: skip
