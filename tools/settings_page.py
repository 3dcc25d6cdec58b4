"""`python -m tools.settings_page`: writes docs/reference/settings.md, every setting in one place, from the code and its docstrings."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m2mguard import Introspection, Issuer, KeyCaching, ResourceServer
from m2mguard._server.environment import SETTINGS
from m2mguard.blocklist import ValkeyBlocklist
from m2mguard.client import TokenSource
from m2mguard.dpop import Dpop
from m2mguard.net import HttpTransport

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
PREFIXES = {"dpop": "DPOP_", "blocklist": "BLOCKLIST_"}
ONLY_IN_CODE = {"caching", "transport", "on_event", "clock", "monotonic"}
INTRODUCTION = """\
# Every setting

<!-- `make docs` writes this page from the code: python -m tools.settings_page -->

The same settings can be given in four ways. Each line below has all the names of one setting.

| way | names | where they are read |
|---|---|---|
| in code | `ResourceServer(..., audience=...)` | the constructors named in each heading |
| environment | `M2MGUARD_AUDIENCE` | `ResourceServer.from_env()`, and every command of `m2mguard` |
| Flask | `app.config["M2MGUARD_AUDIENCE"]` | `M2MGuard(app)`, if it is given no server |
| Django | `M2MGUARD = {"AUDIENCE": ...}` in the settings | `m2mguard.django` and `m2mguard.drf` |

A setting that does not exist is an error at start-up, so that a misspelt one is never ignored; so is a value out of its range, and a
contradiction. In the environment a list is separated by commas or spaces, a switch is `true` or `false`, and a mapping is a JSON object.
An environment variable that is empty counts as not set. Flask and Django take text as the environment does, or the object itself.

## Which code reads a variable

**In an application only `ResourceServer.from_env()` reads `M2MGUARD_*`**, once, when it is called. A server that your code builds with
`ResourceServer(...)`, as the quick starts do, ignores them, and so do Flask's configuration and Django's settings. After a change,
restart the process.

| to read the variables in | write |
|---|---|
| your own code | `server = ResourceServer.from_env()`; an argument takes precedence: `from_env(on_event=count)` |
| Flask | `M2MGuard(app, ResourceServer.from_env())` |
| Django, DRF | `M2MGUARD = {"SERVER": ResourceServer.from_env()}` |

`server.settings` has the values in effect, wherever they come from:

```python
from m2mguard import ResourceServer

variables = {
    "M2MGUARD_ISSUER": "https://issuer.example",
    "M2MGUARD_AUDIENCE": "https://shopping.api",
    "M2MGUARD_TTL": "60",
}
server = ResourceServer.from_env(variables)  # without an argument: the variables of the process
assert server.settings.caching.ttl == 60

server = ResourceServer("https://issuer.example", audience="https://shopping.api")
assert server.settings.caching.ttl == 300
```

For an application in `orders.py`: `python -c "import orders; print(orders.server.settings.caching)"`. Where you have no name for the
server, it is `app.extensions["m2mguard"]` in Flask and `m2mguard.django.resource_server()` in Django.
"""
WAYS_TO_NAME_AN_ISSUER = """
Name the issuer in one of three ways; two of them together are an error.

| names | means |
|---|---|
| `M2MGUARD_ISSUER`, Django `ISSUER` | the issuer's URL, for RFC 9068 tokens, or several; in Flask and Django also an `Issuer` or a list |
| `M2MGUARD_LOGTO_ENDPOINT`, Django `LOGTO_ENDPOINT` | the endpoint of a Logto tenant: `Issuer.logto(...)` |
| `M2MGUARD_PRESET`, Django `PRESET` | another product, such as `entra:TENANT`: see [other issuers](ISSUERS_PAGE) |
"""
IN_CODE_ONLY = "\nIn code only: see [opaque tokens](../guides/introspection.md).\n"
DPOP = """
Give the object as `dpop=`, or `M2MGUARD_DPOP` as `accepted` or `required`, which is its `required`; the other variables add to that. See
[DPoP](../guides/dpop.md).
"""
BLOCKLIST = """
Give the object as `blocklist=`, or `M2MGUARD_BLOCKLIST` as the path of a file or the URL of a Valkey server; the other variables add to
that. See [blocking in an emergency](../guides/blocklist.md).
"""
FRAMEWORKS = """
## Only in a framework

| setting | default | meaning |
|---|---|---|
| Django `SERVER` | none | a ready `ResourceServer`; it takes the place of every other setting but the three below |
| Django `PUBLIC` | none | the paths that need no token, for `M2MGuardMiddleware`; elsewhere the argument `public=` |
| Django `PREFLIGHT` | `"protect"` | `"exempt"` lets CORS preflights pass without a token; elsewhere the argument `preflight=` |
| Django `REQUIRES` | `Requirement()` | what `M2MGuardMiddleware` asks of every request; elsewhere the argument `requires=` |
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the page: the settings that one constructor takes."""

    title: str
    made_by: Callable[..., Any]
    part: str
    before: str = ""


SECTIONS = (
    Section(title="The resource server: `ResourceServer`", made_by=ResourceServer, part="server"),
    Section(title="DPoP: `m2mguard.dpop.Dpop`", made_by=Dpop, part="dpop", before=DPOP),
    Section(
        title="A block list: `m2mguard.blocklist.ValkeyBlocklist`",
        made_by=ValkeyBlocklist,
        part="blocklist",
        before=BLOCKLIST,
    ),
    Section(title="An issuer: `Issuer`", made_by=Issuer, part="issuer", before=WAYS_TO_NAME_AN_ISSUER),
    Section(title="Opaque tokens: `Introspection`", made_by=Introspection, part="introspection", before=IN_CODE_ONLY),
    Section(title="The key cache: `KeyCaching`", made_by=KeyCaching, part="caching"),
    Section(title="HTTP to the issuer: `m2mguard.net.HttpTransport`", made_by=HttpTransport, part="transport"),
)


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, *map(_section, SECTIONS), FRAMEWORKS, _section(CLIENT)]
    return "\n".join(parts).replace("ISSUERS_PAGE", "../guides/issuers.md")


CLIENT = Section(
    title="The calling service: `m2mguard.client.TokenSource`",
    made_by=TokenSource,
    part="client",
    before="\nIn code, or from `M2MGUARD_CLIENT_*` variables by `TokenSource.from_env()`, which "
    "[getting a token](../guides/client.md#settings-from-the-environment) lists.\n",
)


def _section(section: Section) -> str:
    rows = [
        f"| {_names(section.part, parameter.name)} | {_kind(parameter, meaning)} | {_cell(meaning)} |"
        for parameter, meaning in _arguments(section.made_by)
    ]
    head = ["| setting | type and default | meaning and range |", "|---|---|---|"]
    return "\n".join([f"## {section.title}", section.before, *head, *rows, ""])


def _arguments(made_by: Callable[..., Any]) -> Iterator[tuple[inspect.Parameter, str]]:
    meanings = argument_meanings(made_by)
    for parameter in inspect.signature(made_by).parameters.values():
        yield parameter, meanings[parameter.name]


def argument_meanings(made_by: Callable[..., Any]) -> Mapping[str, str]:
    """The section "Args" of a docstring: name to text."""
    text = inspect.getdoc(made_by) or ""
    block = re.search(r"^Args:\n((?:[ ].*\n|\n)+)", text + "\n", re.MULTILINE)
    entries = re.findall(r"^ {4}(\w+): ((?:.*)(?:\n {5,}.*)*)", block[1] if block else "", re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in entries}


def _names(part: str, argument: str) -> str:
    names = [f"`{argument}`"]
    name = f"{PREFIXES.get(part, '')}{argument.upper()}"
    setting = SETTINGS.get(name)
    if argument in ("issuers", "url"):
        return f"{names[0]}<br>as above" if argument == "url" else f"{names[0]}<br>see [an issuer](#an-issuer-issuer)"
    if setting is not None and setting.part == part:
        in_text = [] if argument in ONLY_IN_CODE else [f"`M2MGUARD_{name}`"]
        names += [*in_text, f"Django `{name}`"]
    return "<br>".join(names)


def _kind(parameter: inspect.Parameter, meaning: str) -> str:
    kind = str(parameter.annotation).replace("|", "\\|")
    if parameter.default is inspect.Parameter.empty or "must be given" in meaning:
        return f"`{kind}`<br>must be given"
    return f"`{kind}`{_default(parameter.default)}"


def _default(value: object) -> str:
    if callable(value) or "factory" in repr(value):
        return ""  # the text says it
    if isinstance(value, frozenset):
        text = "{" + ", ".join(sorted(map(repr, value))) + "}"
    else:
        text = f"{float(value):g}" if isinstance(value, float) else repr(value)
    return "<br>`" + text.replace("|", "\\|") + "`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page, or compare it with the one that is there."""
    parser = argparse.ArgumentParser(prog="python -m tools.settings_page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the page is not what the code says")
    if parser.parse_args().check:
        if PAGE.read_text() != page():
            parser.exit(1, f"{PAGE.name} is not what the code says: run python -m tools.settings_page\n")
        return
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
