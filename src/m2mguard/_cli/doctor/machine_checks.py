"""Checks of this process: does the log show refusals, and which proxy is used."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from m2mguard._cli.doctor.finding import Finding, Severity, create_ok_finding
from m2mguard._formatting import format_value

QUIET_HANDLER = logging.NullHandler()
"""The handler that hides the log of this command, since its output shows the same."""
_PROXY_VARIABLES = (
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
)


def check_log() -> Iterator[Finding]:
    """Report whether the log shows refusals, as it is configured now. With `--app`, the user's code has run before."""
    section, logger = "Log", logging.getLogger("m2mguard")
    handlers = [one for one in _list_handlers(logger) if one is not QUIET_HANDLER]
    shown_level = max(logger.getEffectiveLevel(), min((handler.level for handler in handlers), default=logging.WARNING))
    if logger.disabled or logging.root.manager.disable >= logging.WARNING:
        yield _report_hidden_log(section, "the logger m2mguard is disabled", "disable_existing_loggers")
    elif shown_level > logging.WARNING:
        yield _report_hidden_log(
            section, f"records below {logging.getLevelName(shown_level)} are not shown", "the level"
        )
    elif handlers and all(isinstance(handler, logging.NullHandler) for handler in handlers):
        yield _report_hidden_log(section, "the only handler shows nothing (NullHandler)", "the handlers")
    else:
        where = "by Python's own last resort, on standard error" if not handlers else f"by {len(handlers)} handler(s)"
        yield create_ok_finding(section, "refusals", f"are shown {where}, at level WARNING")


def _list_handlers(logger: logging.Logger) -> list[logging.Handler]:
    handlers: list[logging.Handler] = []
    current: logging.Logger | None = logger
    while current is not None:
        handlers += current.handlers
        current = current.parent if current.propagate else None
    return handlers


def _report_hidden_log(section: str, text: str, what: str) -> Finding:
    return Finding(
        code="log_invisible",
        section=section,
        name="refusals",
        severity=Severity.WARNING,
        text=f"the log does not show them: {text}",
        cure=f"API: check {what} in the logging configuration; the logger is named m2mguard, and refusals have the level WARNING.",
        diagnosis="The log hides why requests are refused.",
    )


def check_proxy(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Report the variables that select a proxy, without a password in them."""
    for name in _PROXY_VARIABLES:
        value = environ.get(name)
        if value and name.upper() != "NO_PROXY":
            yield Finding(
                section="Network",
                name="proxy",
                severity=Severity.NOTE,
                text=f"{name} is {format_value(_hide_password(value))}",
            )
        elif value:
            yield create_ok_finding("Network", "proxy", f"{name} is {format_value(value)}")


def _hide_password(url: str) -> str:
    try:
        parts = urlsplit(url)
        return parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}").geturl() if "@" in parts.netloc else url
    except ValueError:
        return "not a URL"
