"""Places in the user's own code: what is found there, and what is said where nothing can be used."""

import importlib
import json
import subprocess
import sys
import textwrap

import pytest

from m2mguard import ResourceServer
from m2mguard._cli.application_loader import load_application
from m2mguard._cli.command import main
from m2mguard._cli.module_importer import LoadError

HEAD = """
from m2mguard import Issuer, ResourceServer
server = ResourceServer("https://tenant.example/oidc", audience="https://shopping.api")
"""
FASTAPI = """
from fastapi import FastAPI, Security
from m2mguard.fastapi import M2MAuth
auth = M2MAuth(server)
app = FastAPI()
@app.get("/orders", dependencies=[Security(auth, scopes=["read:orders"])])
def orders(): return 1
"""
FLASK = """
from flask import Flask
from m2mguard.flask import M2MGuard
def create_app():
    app = Flask("shop")
    M2MGuard(app, server)
    return app
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from m2mguard.asgi import BearerAuthMiddleware
app = Starlette(middleware=[Middleware(BearerAuthMiddleware, server=server)])
"""
WSGI = """
from m2mguard.wsgi import BearerAuthMiddleware
def api(environ, start_response): return []
app = BearerAuthMiddleware(api, server)
"""
HOLDER = """
class Settings: pass
held = Settings()
held.server = server
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """`module("text")` writes the module `shopcode` of the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()

    def write(text):
        (tmp_path / "shopcode.py").write_text(textwrap.dedent(text))

    yield write
    sys.modules.pop("shopcode", None)


@pytest.mark.parametrize(
    ("text", "place", "is_app"),
    [
        (HEAD, "shopcode:server", False),
        (HEAD, "shopcode", False),
        (HEAD + FASTAPI, "shopcode:app", True),
        (HEAD + FASTAPI, "shopcode", True),
        (HEAD + FLASK, "shopcode:create_app", True),
        (HEAD + FLASK, "shopcode:create_app()", True),
        (HEAD + STARLETTE, "shopcode:app", True),
        (HEAD + WSGI, "shopcode:app", True),
        (HEAD + HOLDER, "shopcode:held", False),
        (HEAD + HOLDER, "shopcode:held.server", False),
    ],
)
def test_the_server_of_a_place_is_found(module, text, place, is_app):
    module(text)
    found = load_application(place)
    assert isinstance(found.server, ResourceServer)
    assert (found.app is not found.server and not hasattr(found.app, "server")) is is_app


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (HEAD, "shopcod:server", "Did you mean shopcode?"),
        (HEAD, "shopcode:servr", "Did you mean server?"),
        (HEAD, "shopcode:", "has no ''"),
        (HEAD, "shop code:app", "is not a module name"),
        ("x = 1\n1 / 0", "shopcode:x", "ZeroDivisionError"),
        ("import nowhere_at_all", "shopcode:x", "which is not installed"),
        ("x = (", "shopcode:x", "SyntaxError"),
        ("raise SystemExit(3)", "shopcode:x", "SystemExit"),
        ("def create_app(name, *, a=1): pass", "shopcode:create_app", "takes arguments"),
        ("def create_app(): 1 / 0", "shopcode:create_app", "ZeroDivisionError"),
        ("x = 1", "shopcode", "has nothing called"),
    ],
)
def test_what_cannot_be_loaded_is_explained(module, text, place, said):
    module(text)
    with pytest.raises(LoadError) as raised:
        load_application(place)
    assert said in str(raised.value)


def test_an_exception_of_the_users_module_names_its_line(module):
    module("x = 1\n1 / 0")
    with pytest.raises(LoadError, match=r"shopcode\.py, line 2"):
        load_application("shopcode:x")


def test_no_secret_of_the_environment_is_shown(module, monkeypatch):
    monkeypatch.setenv("APP_SECRET", "hunter2hunter2")
    module("import os\nraise ValueError('bad: ' + os.environ['APP_SECRET'])")
    with pytest.raises(LoadError) as raised:
        load_application("shopcode:x")
    assert "hunter2" not in str(raised.value)


def test_several_servers_are_listed_by_name(module):
    module(
        HEAD
        + "other = ResourceServer('https://tenant.example/oidc', audience='https://other.api')\nboth = [server, other]"
    )
    with pytest.raises(LoadError, match=r"shopcode:server.*shopcode:other"):
        load_application("shopcode:both")


def test_issuers_stand_for_themselves(module):
    module(HEAD + "one = Issuer(url='https://tenant.example/oidc')\nmany = [one]")
    one, many = load_application("shopcode:one"), load_application("shopcode:many")
    assert many.app == [one.app]
    assert one.server is many.server is None


def test_an_application_without_a_server_has_none(module):
    module("from flask import Flask\napp = Flask('shop')")
    assert load_application("shopcode:app").server is None


def test_a_settings_module_of_django_names_its_site(tmp_path):
    (tmp_path / "shopsettings.py").write_text(
        "SECRET_KEY = 'x'\nROOT_URLCONF = 'shopsettings'\nurlpatterns = []\nINSTALLED_APPS = ['m2mguard.django']\n"
        "MIDDLEWARE = ['m2mguard.django.M2MGuardMiddleware']\n"
        "M2MGUARD = {'ISSUER': 'https://tenant.example/oidc', 'AUDIENCE': 'https://shopping.api'}\n"
    )
    ask = "from m2mguard._cli.application_loader import load_application; print(load_application('shopsettings').server.settings.audience)"
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert "https://shopping.api" in done.stdout, done.stderr


def test_what_user_code_prints_does_not_mix_with_the_output(module, issuer, monkeypatch, capsys):
    monkeypatch.setenv("ENDPOINT", issuer.endpoint)
    module(
        """
        import os, m2mguard
        print("starting")
        server = m2mguard.ResourceServer(m2mguard.Issuer.logto(os.environ["ENDPOINT"]), audience="https://shopping.api")
        """
    )
    assert main(["health", "--json", "--app", "shopcode"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["ready"] is True
    assert captured.err == "starting\n"
