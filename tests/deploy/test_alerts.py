"""The alerts of deploy/prometheus: as Prometheus' own tool tests them, and fired by drills at a real Prometheus."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3
import yaml

from tests.blocklist.conftest import until
from tests.commands import free_port, running_command
from tests.deploy.drill_app import DRILLS
from tests.processes import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RULES = [
    rule for group in yaml.safe_load((FOLDER / "m2mguard.rules.yml").read_text())["groups"] for rule in group["rules"]
]
NEEDS_A_USUAL_DAY = {"M2mguardRefusalsRise"}
"""Compares with an hour ago, so that no drill of seconds fires it; promtool's test does."""
needs_prometheus = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's prometheus")


@needs_prometheus
def test_the_rules_pass_their_tests():
    for command in (("check", "rules", "m2mguard.rules.yml"), ("test", "rules", "m2mguard.test.yml")):
        done = subprocess.run(
            ["promtool", *command], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tested_and_has_a_drill():
    tests = yaml.safe_load((FOLDER / "m2mguard.test.yml").read_text())["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    quiet = {one["alertname"] for test in tests for one in test["alert_rule_test"] if not one.get("exp_alerts")}
    names = {rule["alert"] for rule in RULES}
    assert fired == quiet == names
    assert names == DRILLS.keys() | NEEDS_A_USUAL_DAY


@pytest.mark.slow
@pytest.mark.timeout(150)
@needs_prometheus
def test_each_drill_fires_its_alert_at_a_real_prometheus(tmp_path):
    ports = {name: free_port() for name in DRILLS}
    rules = [{**rule, "for": "0s"} for rule in RULES]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "now", "interval": "1s", "rules": rules}]}))
    scraped = [
        {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for name, port in ports.items()
    ]
    (tmp_path / "prometheus.yml").write_text(
        yaml.safe_dump({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": scraped,
        })
    )  # fmt: skip
    processes = []
    for name, port in ports.items():
        (tmp_path / name).mkdir()
        command = [sys.executable, "-m", "tests.deploy.drill_app", str(port), name, str(tmp_path / name)]
        processes.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))
    listen = f"127.0.0.1:{free_port()}"
    prometheus = [
        "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={listen}", "--log.level=warn",
    ]  # fmt: skip
    try:
        with running_command(prometheus, f"http://{listen}/-/ready"):

            def fired():
                answer = urllib3.request("GET", f"http://{listen}/api/v1/alerts")
                alerts = json.loads(answer.data)["data"]["alerts"] if answer.status == 200 else []
                return {
                    (one["labels"]["job"], one["labels"]["alertname"]) for one in alerts if one["state"] == "firing"
                }

            until(lambda: {(name, name) for name in DRILLS} <= fired(), seconds=90)
            expected_quiet = {
                ("M2mguardNotReady", "M2mguardBlocklistOld"),
                ("M2mguardBlocklistOld", "M2mguardOwnTokenNotRenewed"),
            }
            assert not fired() & expected_quiet
    finally:
        for one in processes:
            one.kill()
            one.wait()


def test_the_drills_are_explained():
    page = (ROOT / "docs" / "guides" / "monitoring.md").read_text()
    assert all(rule["alert"] in page for rule in RULES)
    assert Path(FOLDER / "m2mguard.rules.yml").exists()
