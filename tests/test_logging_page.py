"""docs/guides/logging.md names exactly the fields and levels of the log."""

import dataclasses
import logging
import re
from pathlib import Path

from m2mguard import events
from m2mguard._reporting.log_lines import _TABLE, level_of

PAGE = (Path(__file__).parent.parent / "docs" / "guides" / "logging.md").read_text()
LOGGED = [event for event, row in _TABLE.items() if row.level != logging.NOTSET]


def test_the_table_lists_exactly_the_fields_of_the_events():
    rows = re.findall(r"^\| (`.*?) \|.*?\| (.*?) \|", PAGE.partition("## Fields")[2], re.MULTILINE)
    documented = {name for names, _ in rows for name in re.findall(r"`(\w+)`", names)}
    actual = {field.name for event in LOGGED for field in dataclasses.fields(event)}
    assert documented == actual


def test_every_event_is_listed_at_its_level():
    for line in re.findall(r"^\| (ERROR|WARNING|INFO) \| (.*) \|$", PAGE, re.MULTILINE):
        level, text = line
        for name in re.findall(r"`([A-Z]\w+)`", text):
            event = getattr(events, name)
            if (level, name) != ("INFO", "TokenRefused"):
                assert _TABLE[event].level == logging.getLevelNamesMapping()[level], name
    documented = set(re.findall(r"`([A-Z]\w+)`", PAGE.partition("## Levels")[2].partition("## Under")[0]))
    assert {event.__name__ for event in LOGGED} <= documented | {"ResourceServer"}


def test_a_request_without_a_token_is_logged_as_information():
    assert level_of(events.TokenRefused(status=401, reason="missing", detail="d")) == logging.INFO
    assert level_of(events.TokenRefused(status=401, reason="expired", detail="d")) == logging.WARNING
