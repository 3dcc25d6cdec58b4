"""`explain` and `doctor` on the tokens of workloads."""

import json

import pytest

from tests.presets.workload_tokens import API, PUBLIC_KEYS, RECORDED, signed

PRESETS = {
    "kubernetes": "kubernetes:https://my-cluster.example.com",
    "github_actions": "github_actions:74",
    "aws_outbound": "aws_outbound:https://abc123-def456-ghi789-jkl012.tokens.sts.global.api.aws,"
    "arn:aws:iam::123456789012:role/DataProcessingRole",
}
APP_IDS = {
    "kubernetes": "system:serviceaccount:my-namespace:my-serviceaccount",
    "github_actions": "74",
    "aws_outbound": "arn:aws:iam::123456789012:role/DataProcessingRole",
}
each = pytest.mark.parametrize("name", PRESETS)


@pytest.fixture
def explained(run, tmp_path):
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(PUBLIC_KEYS))

    def explain(name, *options, **changes):
        claims = {**RECORDED[name]["claims"], "aud": API, **changes}
        at = str(claims["iat"] + 60)
        arguments = ("explain", "--json", "--at", at, "--jwks", str(keys), "--audience", API, *options)
        return json.loads(run(*arguments, given=signed(name, claims, {}))[1])

    return explain


@each
def test_with_its_preset_a_token_is_explained_as_accepted(explained, name):
    told = explained(name, "--preset", PRESETS[name])
    assert (told["accepted"], told["app_id"]) == (True, APP_IDS[name])


@each
def test_without_it_the_preset_is_named(explained, name):
    told = explained(name, "--issuer", RECORDED[name]["claims"]["iss"])
    assert told["cause"]["code"] == "workload_token"
    assert f"m2mguard.presets.{name}" in told["cures"][0]["text"]


@each
def test_a_scope_that_the_settings_do_not_grant_is_explained(explained, name, monkeypatch):
    monkeypatch.setenv("M2MGUARD_GRANTS", json.dumps({APP_IDS[name]: ["read:orders"]}))
    assert explained(name, "--preset", PRESETS[name], "--scope", "read:orders")["accepted"]
    told = explained(name, "--preset", PRESETS[name], "--scope", "write:orders")
    assert (told["cause"]["code"], told["cause"]["wrong"]) == ("missing_scope", "setting")
    assert "M2MGUARD_GRANTS" in told["cures"][0]["text"]
    assert APP_IDS[name] in told["cures"][0]["text"]


@each
def test_the_platforms_default_audience_is_explained(explained, name):
    told = explained(name, "--preset", PRESETS[name], aud=RECORDED[name]["claims"]["aud"])
    assert told["cause"]["code"] == "other_api"


@pytest.mark.parametrize(
    ("name", "preset", "changes", "words"),
    [
        ("kubernetes", PRESETS["kubernetes"], {"kubernetes.io": {"namespace": "my-namespace"}}, "kubectl create token"),
        (
            "aws_outbound",
            f"{PRESETS['aws_outbound']},arn:aws:iam::999999999999:role/DataProcessingRole",
            {"sub": "arn:aws:iam::999999999999:role/DataProcessingRole"},
            "a role of the issuer's own account",
        ),
    ],
    ids=["no pod", "another account"],
)
def test_a_token_that_shows_no_workload_is_explained(explained, name, preset, changes, words):
    told = explained(name, "--preset", preset, **changes)
    assert (told["cause"]["code"], told["cause"]["wrong"]) == ("machine_mark", "token")
    assert words in told["cause"]["text"]


@each
def test_another_run_repository_or_role_is_explained_without_a_fault_of_ours(explained, name):
    other = {"sub": "x:y", "repository_id": "75", "event_name": "pull_request"}
    told = explained(name, "--preset", PRESETS[name], **other)
    assert not told["accepted"]
    assert told["cures"]


@each
def test_the_doctor_reports_on_their_settings(run, tmp_path, name):
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(PUBLIC_KEYS))
    status, page = run("doctor", "--preset", PRESETS[name], "--audience", API, "--jwks", str(keys))
    assert status == 0, page
