"""`TokenSource.from_env`: variables of ours, what a platform sets, and what is rejected."""

import re
from pathlib import Path

import pytest

from m2mguard import ConfigurationError, ResourceServer
from m2mguard.client import Assertion, ClientSecret, TokenSource
from m2mguard.client._environment import READERS
from m2mguard.testing import SHOPPING_API, SigningKey
from tests.client.conftest import APP_ID, APP_SECRET
from tests.client.recorder import Recorder
from tests.client_keys import Certificate

JWT = SigningKey.generate("ES256").sign_compact({"alg": "ES256"}, {"sub": APP_ID})


def sent_by(**names) -> Recorder:
    """What a source asks for that is built from these variables."""
    recorder = Recorder()
    variables = {f"M2MGUARD_CLIENT_{name}": value for name, value in names.items() if name.isupper()}
    return recorder.record(TokenSource.from_env(variables | names.get("platform", {}), transport=recorder))


ENDPOINT = {"TOKEN_ENDPOINT": "https://issuer.example/token", "ID": APP_ID}


def test_a_source_of_logto_is_built_from_variables(issuer):
    variables = {
        "M2MGUARD_CLIENT_LOGTO_ENDPOINT": issuer.endpoint,
        "M2MGUARD_CLIENT_ID": APP_ID,
        "M2MGUARD_CLIENT_SECRET": APP_SECRET,
        "M2MGUARD_CLIENT_RESOURCE": SHOPPING_API,
        "M2MGUARD_CLIENT_SCOPES": "read:orders, write:orders",
        "M2MGUARD_CLIENT_TIMEOUT": "5",
        "M2MGUARD_CLIENT_ORGANIZATION_ID": "",
        "M2MGUARD_AUDIENCE": "https://our-own.api",
    }
    assert TokenSource.from_env(variables).token().scopes == {"read:orders"}


def test_the_process_s_own_variables_are_the_default(monkeypatch):
    monkeypatch.setenv("M2MGUARD_CLIENT_ISSUER", "https://issuer.example")
    monkeypatch.setenv("M2MGUARD_CLIENT_ID", APP_ID)
    monkeypatch.setenv("M2MGUARD_CLIENT_SECRET", APP_SECRET)
    monkeypatch.setenv("M2MGUARD_CLIENT_RESOURCE", SHOPPING_API)
    assert SHOPPING_API in repr(TokenSource.from_env())
    assert "https://other.api" in repr(TokenSource.from_env(resource="https://other.api"))


def test_a_server_and_a_client_share_an_environment():
    variables = {
        "M2MGUARD_ISSUER": "https://issuer.example",
        "M2MGUARD_AUDIENCE": "https://our-own.api",
        "M2MGUARD_CLIENT_ISSUER": "https://other.example",
        "M2MGUARD_CLIENT_ID": APP_ID,
        "M2MGUARD_CLIENT_SECRET": APP_SECRET,
    }
    assert ResourceServer.from_env(variables).settings.audience == ("https://our-own.api",)
    assert TokenSource.from_env(variables)


def test_every_way_to_authenticate_has_its_variables(tmp_path):
    made = Certificate.make()
    files = {"secret": f"{APP_SECRET}\n", "jwt": f"{JWT}\n"}
    paths = {name: tmp_path / name for name in (*files, "key", "certificate")}
    for name, content in files.items():
        paths[name].write_text(content)
    paths["key"].write_bytes(made.key)
    paths["certificate"].write_bytes(made.certificate)
    named = {name: str(path) for name, path in paths.items()}

    assert sent_by(**ENDPOINT, SECRET=APP_SECRET).headers["Authorization"].startswith("Basic ")
    by_post = sent_by(**ENDPOINT, SECRET_FILE=named["secret"], AUTHENTICATION="client_secret_post")
    assert by_post.form["client_secret"] == [APP_SECRET]
    assert sent_by(**ENDPOINT, ASSERTION_FILE=named["jwt"]).form["client_assertion"] == [JWT]
    by_key = sent_by(
        **ENDPOINT, KEY_FILE=named["key"], KEY_ID="k", KEY_CERTIFICATE_FILE=named["certificate"], ASSERTION_AUDIENCE="a"
    )
    assert by_key.form["client_assertion"][0].count(".") == 2
    source = TokenSource.from_env(
        {
            **{f"M2MGUARD_CLIENT_{name}": value for name, value in ENDPOINT.items()},
            "M2MGUARD_CLIENT_TLS_CERTIFICATE_FILE": named["certificate"],
            "M2MGUARD_CLIENT_TLS_KEY_FILE": named["key"],
        }
    )
    assert source


def test_further_parameters_are_a_json_object():
    asked = sent_by(**ENDPOINT, SECRET="s", PARAMETERS='{"audience": "https://shopping.api"}')
    assert asked.form["audience"] == ["https://shopping.api"]


def test_the_workload_identity_of_entra_is_recognised(tmp_path):
    file = tmp_path / "azure-identity-token"
    file.write_text(JWT)
    tenant = "11111111-2222-3333-4444-555555555555"
    platform = {"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": "app-azure", "AZURE_FEDERATED_TOKEN_FILE": str(file)}
    asked = sent_by(SCOPES="api://shopping/.default", platform=platform)
    assert asked.url == f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
    assert (asked.form["client_id"], asked.form["client_assertion"]) == (["app-azure"], [JWT])
    assert asked.form["scope"] == ["api://shopping/.default"]
    china = platform | {"AZURE_AUTHORITY_HOST": "https://login.chinacloudapi.cn/"}
    assert sent_by(platform=china).url.startswith("https://login.chinacloudapi.cn/1111")
    assert sent_by(**ENDPOINT, SECRET="s", platform=platform).url == ENDPOINT["TOKEN_ENDPOINT"]
    for missing in platform:
        with pytest.raises(ConfigurationError, match="ISSUER is missing"):
            TokenSource.from_env({name: value for name, value in platform.items() if name != missing})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({}, "CLIENT_ISSUER is missing"),
        ({"ISSUER": "https://issuer.example", "SECRET": "s"}, "CLIENT_ID is missing"),
        (ENDPOINT, "client_secret is missing"),
        ({**ENDPOINT, "SECRT": "s"}, "unknown setting M2MGUARD_CLIENT_SECRT. .*M2MGUARD_CLIENT_SECRET"),
        ({**ENDPOINT, "SECRET": "s", "SECRET_FILE": "f"}, "SECRET and M2MGUARD_CLIENT_SECRET_FILE both prove"),
        ({**ENDPOINT, "SECRET": "s", "KEY_ID": "k"}, "KEY_ID has no effect without M2MGUARD_CLIENT_KEY_FILE"),
        ({**ENDPOINT, "SECRET": "s", "TIMEOUT": "soon"}, "TIMEOUT cannot be read; give a number"),
        ({**ENDPOINT, "SECRET": "s", "ALLOW_HTTP": "maybe"}, "give true or false"),
        ({**ENDPOINT, "SECRET": "s", "PARAMETERS": "[]"}, "give valid JSON"),
        ({**ENDPOINT, "SECRET": "s", "MISSING_SCOPE": "maybe"}, "missing_scope must be"),
        ({"LOGTO_ENDPOINT": "https://t.logto.app", "ID": "a", "KEY_FILE": "k"}, "Logto takes a secret"),
        ({"LOGTO_ENDPOINT": "https://t.logto.app", "ID": "a"}, "SECRET is missing: give the App Secret"),
        ({**ENDPOINT, "KEY_FILE": "/no/such/file"}, '"/no/such/file" cannot be read'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_work_is_an_error_when_it_is_read(names, message):
    with pytest.raises(ConfigurationError, match=message):
        TokenSource.from_env({f"M2MGUARD_CLIENT_{name}": value for name, value in names.items()})


def test_a_misspelt_variable_of_a_client_is_no_variable_of_a_server():
    variables = {"M2MGUARD_ISSUER": "https://issuer.example", "M2MGUARD_AUDIENCE": "https://our-own.api"}
    assert ResourceServer.from_env(variables | {"M2MGUARD_CLIENT_ID": "a"})
    with pytest.raises(ConfigurationError, match="unknown setting M2MGUARD_CLIENTID"):
        ResourceServer.from_env(variables | {"M2MGUARD_CLIENTID": "a"})


def test_the_page_names_every_variable():
    page = (Path(__file__).parents[2] / "docs/guides/client.md").read_text()
    section = page.partition("## Settings from the environment")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([A-Z_]+)`", section)) >= set(READERS)


@pytest.mark.parametrize(
    ("names", "overrides"),
    [
        ({"LOGTO_ENDPOINT": "https://t.logto.app", "ID": APP_ID}, {"client_secret": "s", "resource": SHOPPING_API}),
        ({"ISSUER": "https://issuer.example", "SECRET": "s"}, {"client_id": APP_ID}),
        ({"ID": APP_ID, "SECRET": "s"}, {"issuer": "https://issuer.example"}),
        (ENDPOINT | {"SECRET": "s"}, {"authentication": ClientSecret("other")}),
        (ENDPOINT, {"authentication": Assertion(lambda: JWT)}),
        (ENDPOINT | {"ASSERTION_FILE": "/no/such/file"}, {"client_secret": "s"}),
    ],
    ids=["secret", "id", "issuer", "another way", "a way", "a secret instead"],
)
def test_an_argument_takes_precedence_also_where_the_variable_is_missing(names, overrides):
    variables = {f"M2MGUARD_CLIENT_{name}": value for name, value in names.items()}
    assert TokenSource.from_env(variables, **overrides)


def test_an_argument_replaces_the_way_of_the_variables():
    variables = {f"M2MGUARD_CLIENT_{name}": value for name, value in (ENDPOINT | {"SECRET": "s"}).items()}
    recorder = Recorder()
    source = TokenSource.from_env(variables, authentication=Assertion(lambda: JWT), transport=recorder)
    assert recorder.record(source).form["client_assertion"] == [JWT]
