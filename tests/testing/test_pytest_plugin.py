"""The plugin is loaded into every pytest run of a machine, so it is idle until a fixture is asked for."""

import subprocess
import sys


def test_the_plugin_loads_no_issuer_before_a_fixture_is_asked_for():
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, m2mguard.testing.pytest_plugin; print([n for n in sys.modules if n.startswith('m2mguard.testing')])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "['m2mguard.testing', 'm2mguard.testing.pytest_plugin']"
