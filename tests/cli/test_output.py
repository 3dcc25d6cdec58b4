"""What a command prints: whole plain lines in a pipe, wrapped lines and colours on a terminal."""

import re

from m2mguard._cli.output import Output, Status

LONG = " ".join(f"word{number}" for number in range(60))


def test_without_a_width_nothing_is_wrapped():
    page = Output(colour=False)
    page.row(Status.PASSED, "audience", LONG)
    page.paragraph(LONG, bullet="  - ")
    assert page.text == f"ok  audience        {LONG}\n  - {LONG}\n"


def test_on_a_terminal_lines_are_wrapped_below_the_text_they_belong_to():
    page = Output(colour=False, width=80)
    page.row(Status.PASSED, "audience", LONG)
    page.paragraph(LONG, bullet="  - ")
    lines = page.text.splitlines()
    assert max(map(len, lines)) <= 80
    first = next(number for number, line in enumerate(lines) if line.startswith("  - "))
    assert all(re.match(r" {20}word", line) for line in lines[1:first])
    assert all(re.match(r" {4}word", line) for line in lines[first + 1 :])
    assert " ".join(page.text.replace("  - ", "").split()[2:]) == f"{LONG} {LONG}"


def test_a_word_that_is_longer_than_the_line_is_kept_whole():
    page = Output(colour=False, width=60)
    page.paragraph(f"see https://issuer.example/{'x' * 100} there")
    assert f"https://issuer.example/{'x' * 100}" in page.text


def test_colours_are_at_marks_and_bullets_only():
    page = Output(colour=True, width=80)
    page.row(Status.REFUSED, "audience", "text")
    page.paragraph("do this", bullet="Hint: ", emphasis=Status.WARNING)
    assert page.text == "\x1b[1;31mNO\x1b[0m  audience        text\n\x1b[1;33mHint: \x1b[0mdo this\n"


def test_a_narrow_terminal_still_gets_readable_lines():
    page = Output(colour=False, width=10)
    page.row(Status.PASSED, "audience", LONG)
    assert max(map(len, page.text.splitlines())) <= 50
