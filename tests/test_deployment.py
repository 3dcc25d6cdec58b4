"""The package without its installation, from a directory and from a zip file; and its version."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import tomllib
import zipfile
from pathlib import Path

import pytest

import m2mguard
from m2mguard.testing import SHOPPING_API, Application, LocalIssuer

PACKAGE = Path(m2mguard.__file__).parent
PROJECT = Path(__file__).parents[1]

# Isolated: Python finds only the packages that the test puts on the path.
SCRIPT = """
    import sys
    sys.path[:0] = sys.argv[1:3]
    import importlib.metadata, json
    import m2mguard
    from m2mguard.client import TokenSource
    from m2mguard._cli.command import main

    try:
        importlib.metadata.version("m2mguard")
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        raise SystemExit("the metadata of the distribution is there after all")
    issuer, audience = sys.argv[3:]
    source = TokenSource(issuer, client_id="worker", client_secret="secret", resource=audience)
    caller = m2mguard.ResourceServer(issuer, audience=audience).verify(source.token().value)
    print(json.dumps([m2mguard.__file__, m2mguard.__version__, caller.app_id]))
    main(["--version"])
"""


def as_a_directory(target: Path) -> Path:
    return shutil.copytree(PACKAGE, target / "m2mguard", ignore=shutil.ignore_patterns("__pycache__")).parent


def as_a_zip_file(target: Path) -> Path:
    archive = target / "app.zip"
    with zipfile.ZipFile(archive, "w") as writing:
        for file in PACKAGE.rglob("*.py"):
            writing.write(file, file.relative_to(PACKAGE.parent))
    return archive


@pytest.fixture
def dependencies(tmp_path) -> Path:
    """The other installed packages, without the metadata of their distributions."""
    directory = tmp_path / "dependencies"
    directory.mkdir()
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(place).iterdir():
            if entry.suffix not in (".dist-info", ".egg-info", ".pth") and "m2mguard" not in entry.name:
                (directory / entry.name).symlink_to(entry)
    return directory


@pytest.mark.parametrize("deploy", [as_a_directory, as_a_zip_file])
def test_the_package_works_without_distribution_metadata(deploy, dependencies, tmp_path):
    deployed = deploy(tmp_path)
    with LocalIssuer(applications={"worker": Application(secret="secret")}) as issuer:
        arguments = [str(deployed), str(dependencies), issuer.url, SHOPPING_API]
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", textwrap.dedent(SCRIPT), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        report, command_line = done.stdout.splitlines()
        assert command_line == f"m2mguard {m2mguard.__version__}"
        module_file, version, app_id = json.loads(report)
        assert module_file.startswith(str(deployed))
        assert (version, app_id) == (m2mguard.__version__, "worker")
        assert {request.headers["user-agent"] for request in issuer.requests} == {f"m2mguard/{m2mguard.__version__}"}


def test_the_build_reads_the_version_from_the_package():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/m2mguard/_version.py"
    text = (PACKAGE / "_version.py").read_text()  # the installed one: src/ may be out of reach
    assert re.findall(r'^__version__ = "(.+)"$', text, re.MULTILINE) == [m2mguard.__version__]
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", m2mguard.__version__)
