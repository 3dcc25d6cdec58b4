"""docs/migrate: what a page says of another library is what the real library does. `make migrate` installs those libraries."""

import importlib.util
import re
import warnings
from pathlib import Path

import pytest

from m2mguard.testing import LocalIssuer
from tests.docs.test_pages import blocks_of
from tests.migrate.situations import SITUATIONS, Verify

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs" / "migrate").glob("*.md") if path.stem != "index")
LIBRARY = re.compile(r"<!-- library: (?P<module>[\w.]+) (?P<algorithm>\w+) -->")
ROW = re.compile(r"^\| (?P<situation>[^|]+) \| (?P<before>[^|]+) \| (?P<after>[^|]+) \|$", re.MULTILINE)
CELLS = [
    pytest.param(page, match["situation"], side, match[side], id=f"{page.stem}-{side}-{match['situation']}")
    for page in PAGES
    for match in ROW.finditer(page.read_text())
    if match["situation"] in SITUATIONS
    for side in ("before", "after")
]


def code_of(page: Path, side: str) -> str:
    (code,) = (text for _, text in blocks_of(str(page.relative_to(ROOT))) if text.startswith(f"# {side}.py"))
    return code


def verifier(page: Path, side: str, issuer: LocalIssuer) -> Verify:
    """What a block of the page defines as `verify`, with the local issuer in the place of the tenant."""
    code = code_of(page, side).replace("https://tenant.logto.app", issuer.endpoint)
    names: dict[str, object] = {"__name__": f"{page.stem}_{side}".replace("-", "_")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other libraries' own
        exec(compile(code, f"{page.name}:{side}.py", "exec", dont_inherit=True), names)
    verify: Verify = names["verify"]  # type: ignore[assignment]
    return verify


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("page", "situation", "side", "said"), CELLS)
def test_a_cell_is_what_the_library_does(page, situation, side, said):
    module, algorithm = LIBRARY.search(page.read_text()).groups()
    if side == "before" and importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: make migrate")
    with LocalIssuer(algorithm=algorithm) as issuer:
        found = SITUATIONS[situation](lambda issuer: verifier(page, side, issuer), issuer)
    assert found == said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_every_situation_and_both_ways(page):
    said = {match["situation"] for match in ROW.finditer(page.read_text())}
    assert said >= set(SITUATIONS)
    assert code_of(page, "before")
    assert code_of(page, "after")
