"""Which entries of `paths` a request must meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2mguard import ConfigurationError, Requirement
from m2mguard._server.path_requirements import PathRequirements

NAMES = {
    "/admin/": "admin",
    "/admin/reports/": "reports",
    "/admin/reports/mine": "mine",
    "/orders": "list",
    "/orders/": "one",
    "DELETE /orders/": "delete",
    "GET,POST /hooks/": "hook",
    "POST /hooks/": "post-hook",
    "/hooks/": "any-hook",
}
PATHS = PathRequirements({entry: Requirement(scopes=[name]) for entry, name in NAMES.items()})
ALL = " ".join(sorted(NAMES.values()))


def names(path: str, method: str | None = "GET") -> str:
    return " ".join(sorted(scope for one in PATHS.of(path.encode(), method) for scope in one.scopes))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ""), ("/x", ""), ("/administration", ""), ("/admins/x", ""), ("/x/admin/", ""), ("/order", ""), ("/ordersx", ""),
        ("/admin/x", "admin"), ("/admin/x/y", "admin"), ("/admin/reportsx", "admin"), ("/admin/a%20b", "admin"), ("/admin/%C3%A4", "admin"),
        ("/admin/reports/x", "reports"), ("/admin/reports/mine", "mine"), ("/admin/reports/mine/x", "reports"),
        ("/orders", "list"), ("/orders/1", "one"),
    ],
)  # fmt: skip
def test_the_longest_path_counts(path, expected):
    assert names(path) == expected


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("DELETE", "/orders/1", "delete"), ("PUT", "/orders/1", "one"), ("delete", "/orders/1", "one"), (None, "/orders/1", "delete one"),
        ("GET", "/hooks/1", "hook"), ("HEAD", "/hooks/1", "hook"), ("POST", "/hooks/1", "hook post-hook"),
        ("DELETE", "/hooks/1", "any-hook"), (None, "/hooks/1", "any-hook hook post-hook"), ("DELETE", "/orders", "list"),
    ],
)  # fmt: skip
def test_an_entry_that_names_the_method_counts_and_without_a_method_all(method, path, expected):
    assert names(path, method) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/admin", "admin"), ("/admin/", "admin"), ("/Admin/x", "admin"), ("/admin/reports", "admin reports"),
        ("/ADMIN/reports/mine", "admin mine reports"), ("/admin/reports/MINE", "admin mine reports"),
        ("/admin/reports/mine/", "admin mine reports"), ("/orders/", "list one"), ("/ORDERS", "list one"),
    ],
)  # fmt: skip
def test_a_path_that_may_be_taken_for_an_entry_must_meet_it(path, expected):
    assert names(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/x/../admin/x", "//admin/x", "/admin;a/x", "/%61dmin/x", "/admin%2fx", "/x/%2e%2e/admin", "/./admin/x", "\\admin\\x", "admin/x",
        "", "*", "http://api/admin/x", "/admin/x ", "/x%00", "/%ff", "%2f", "/x\uff0fadmin",
    ],
)  # fmt: skip
def test_a_path_that_is_not_canonical_must_meet_every_path(path):
    assert names(path, None) == ALL
    assert "admin" in names(path)


@pytest.mark.parametrize("entries", [["GET /a/"], ["GET /a/", "POST /a/"], ["/a", "GET /a/"], ["/b/", "GET /a"]])
def test_entries_for_some_methods_need_one_for_the_others(entries):
    with pytest.raises(ConfigurationError, match="other methods require at /a"):
        PathRequirements(dict.fromkeys(entries, Requirement()))
    PathRequirements(dict.fromkeys([*entries, "/a", "/a/"], Requirement()))


def test_no_entries_require_nothing():
    assert not PathRequirements({})
    assert PathRequirements({}).of(b"/x/../y", "GET") == []


@given(st.text(alphabet="/admineportsx.%2Ff;AR\\", max_size=24), st.sampled_from(["GET", "DELETE", None]))
def test_what_a_lenient_router_takes_for_admin_always_needs_an_entry_of_it(tail, method):
    path = f"/{tail}"
    decoded = path.replace("%2F", "/").replace("%2f", "/").replace("\\", "/").lower()
    segments: list[str] = []
    for segment in decoded.split("/"):
        segment = segment.partition(";")[0]
        if segment == ".." and segments:
            segments.pop()
        elif segment not in ("", ".", ".."):
            segments.append(segment)
    if segments[:1] == ["admin"]:
        assert {"admin", "reports", "mine"} & set(names(path, method).split())
