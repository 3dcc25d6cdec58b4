"""`make release-check`: builds the distribution once, and tests what was built, as its users will have it. Nothing is published.

Each check runs in a folder and an environment of its own, out of reach of src/. It stops at the first one that fails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.extras import BARE, EXTRAS, IMPORT_COST

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
OLDEST, NEWEST = (3, 11), (3, 14)
QUICK_TESTS = ("tests/token", "tests/keys", "tests/security", "tests/net", "tests/presets", "tests/test_deployment.py")


def main() -> None:
    """Run every check, in order."""
    parser = argparse.ArgumentParser(prog="python -m tools.release_check", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run the tests of the core only, on each Python")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="m2mguard-release-") as folder:
        work = Path(folder)
        wheel = build(work)
        check_contents(wheel)
        run(sys.executable, "-m", "twine", "check", "--strict", *map(str, DIST.glob("m2mguard-*")))
        bare = environment(work / "bare", sys.executable, [str(wheel)])
        say("the core alone, without any framework")
        run(bare, "-W", "error", "-c", BARE, cwd=work)
        say("what an import costs")
        run(bare, "-c", IMPORT_COST, cwd=work)
        say("software bill of materials")
        write_sbom(bare)
        check_extras(work, wheel)
        check_each_python(work, wheel, quick=arguments.quick)
    say("every check has passed")


def build(work: Path) -> Path:
    """Build wheel and sdist twice, from a clean copy each, and keep them if they are the same to the last byte."""
    say("two builds, one hash")
    digests = []
    for turn in ("first", "second"):
        source, target = copy_of_tracked_files(work / turn), work / f"dist-{turn}"
        run(sys.executable, "-m", "build", "--outdir", str(target), str(source), quiet=True)
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(target.iterdir())})
    if digests[0] != digests[1]:
        raise SystemExit(f"the two builds differ: {digests}")
    shutil.rmtree(DIST, ignore_errors=True)
    shutil.copytree(work / "dist-first", DIST)
    for name, digest in digests[0].items():
        say(f"  {digest}  {name}  {(DIST / name).stat().st_size:,} bytes")
    return next(DIST.glob("*.whl"))


def copy_of_tracked_files(target: Path) -> Path:
    """What git knows of, as it is on disk."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def check_contents(wheel: Path) -> None:
    """The wheel holds the package, its type marker, its licence and metadata, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("METADATA"))
    strangers = [name for name in names if not name.startswith(("m2mguard/", "m2mguard-"))]
    needed = ("m2mguard/py.typed", "LICENSE", "entry_points.txt")
    missing = [name for name in needed if not any(one.endswith(name) for one in names)]
    lacking = [
        field for field in ("Project-URL:", "Keywords:", "Classifier:", "License-Expression:") if field not in metadata
    ]
    if strangers or missing or lacking:
        raise SystemExit(f"in the wheel: not ours {strangers}, missing {missing}, metadata without {lacking}")
    say(f"{len(names)} files in the wheel, py.typed and the licence among them")


def write_sbom(python: str) -> None:
    """A CycloneDX document of what an installation without extras brings."""
    file = DIST / "m2mguard.cdx.json"
    run(
        sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--output-file", str(file), python
    )
    components = json.loads(file.read_text())["components"]
    say("  " + ", ".join(sorted(f"{one['name']} {one['version']}" for one in components)))


def check_extras(work: Path, wheel: Path) -> None:
    """Each extra alone: its module answers 401 without a token, and lets a caller in that has the scope."""
    for extra, script in EXTRAS.items():
        say(f"the extra [{extra}] alone")
        python = environment(work / f"extra-{extra}", sys.executable, [f"{wheel}[{extra}]"])
        empty = work / f"empty-{extra}"
        empty.mkdir()
        run(python, "-W", "error", "-c", script, cwd=empty)


def check_each_python(work: Path, wheel: Path, *, quick: bool) -> None:
    """The tests against the wheel on each Python that this machine has; on the oldest also with the lowest versions."""
    found = list(interpreters())
    say("Pythons on this machine: " + ", ".join(f"{version[0]}.{version[1]}" for version, _ in found))
    tests = list(QUICK_TESTS) if quick else []
    copy = copy_of_tracked_files(work / "tests")
    shutil.rmtree(copy / "src")
    for version, interpreter in found:
        name = f"{version[0]}.{version[1]}"
        python = environment(work / name, interpreter, [str(wheel), "--group", f"{ROOT / 'pyproject.toml'}:test"])
        say(f"the tests on Python {name}")
        run(python, "-m", "pytest", "-q", "-n", "logical", "--dist", "loadfile", *tests, cwd=copy)
    run("make", "lowest")


def interpreters() -> Iterator[tuple[tuple[int, int], str]]:
    """The Pythons that we support: those in PATH, and those that are installed beside the one that runs this."""
    beside = Path(sys.base_prefix).parent
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        places = [shutil.which(f"python3.{minor}"), *map(str, beside.glob(f"3.{minor}*/bin/python3"))]
        for place in filter(None, places):
            answer = subprocess.run(
                [place, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, check=False
            )
            if answer.stdout.strip() == f"(3, {minor})":
                yield (3, minor), place
                break


def environment(folder: Path, interpreter: str, packages: Sequence[str]) -> str:
    """Make an environment with these packages, and return its Python."""
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", interpreter, str(folder))
    python = str(folder / "bin" / "python")
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *packages)
    return python


def run(*command: str, cwd: Path = ROOT, quiet: bool = False) -> None:
    """Run a command, and stop with its output if it fails."""
    keep = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=cwd, env=keep | {"SOURCE_DATE_EPOCH": "1577836800", "UV_PYTHON_DOWNLOADS": "never"},
        capture_output=quiet, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout or ''}{done.stderr or ''}")


def say(text: str) -> None:
    """Print progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


if __name__ == "__main__":
    main()
