"""`make demo` shows every scene, and fails if an answer is not the expected one."""

import re
import subprocess
import sys
from pathlib import Path

import urllib3

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


def test_the_demo_shows_every_scene_with_the_expected_answers():
    run = subprocess.run([sys.executable, DEMO], capture_output=True, text=True, timeout=50)
    assert run.returncode == 0, run.stdout + run.stderr
    rows = re.findall(r"^ *(\d+) .*? (\d{3}) ", run.stdout, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert {status for _, status in rows} == {"200", "401", "403", "503"}
    assert f"{len(rows)} requests, every one as expected." in run.stdout
    assert "hello app-orders" in run.stdout
    assert run.stderr == ""


def test_the_demo_fails_if_an_answer_is_not_the_expected_one(tmp_path):
    altered = tmp_path / "demo.py"
    altered.write_text(DEMO.read_text().replace('"nobody says who calls", 401', '"nobody says who calls", 200'))
    run = subprocess.run([sys.executable, altered], capture_output=True, text=True, timeout=50)
    assert run.returncode == 1
    assert "1 NOT as expected" in run.stdout


def test_the_demo_keeps_serving_for_manual_tests():
    with subprocess.Popen([sys.executable, "-u", DEMO, "--serve"], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            url = token = ""
            for line in running.stdout:
                if found := re.search(r"curl -i (http://\S+) -H 'Authorization: Bearer (\S+)'", line):
                    url, token = found.groups()
                    break
            answer = urllib3.request("GET", url, headers={"Authorization": f"Bearer {token}"})
            assert (answer.status, answer.json()) == (200, {"hello": "app-orders"})
        finally:
            running.terminate()
