"""docs/reference/settings.md lists every setting; it is generated from the code."""

import re

from m2mguard import ResourceServer
from m2mguard._server.environment import SETTINGS
from tools import settings_page


def test_the_settings_page_is_up_to_date():
    assert settings_page.PAGE.read_text() == settings_page.page()


def test_the_page_names_every_environment_variable():
    named = set(re.findall(r"`M2MGUARD_(\w+)`", settings_page.page()))
    assert named == set(SETTINGS) - {name.upper() for name in settings_page.ONLY_IN_CODE}


def test_every_argument_has_a_meaning():
    assert "0 to 300" in settings_page.argument_meanings(ResourceServer)["leeway"]
    assert all(len(line.split(" | ")[-1]) > 10 for line in settings_page.page().splitlines() if line.startswith("| `"))
