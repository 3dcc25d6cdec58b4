"""Checks of this process and machine: does the log show what it should, which proxy is used, is the Python old."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from m2mguard._cli.doctor.finding import Finding, Severity, fine
from m2mguard._formatting import quoted

SILENT = logging.NullHandler()
"""The handler by which this command keeps the log quiet, since all of it is on the page."""
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
    """Say whether refusals would be seen in the log, as it is configured now. With `--app` that is after the user's code ran."""
    section, logger = "Log", logging.getLogger("m2mguard")
    handlers = [one for one in _handlers(logger) if one is not SILENT]
    seen_from = max(logger.getEffectiveLevel(), min((handler.level for handler in handlers), default=logging.WARNING))
    if logger.disabled or logging.root.manager.disable >= logging.WARNING:
        yield _invisible(section, "the logger m2mguard is disabled", "disable_existing_loggers")
    elif seen_from > logging.WARNING:
        yield _invisible(section, f"records below {logging.getLevelName(seen_from)} are not shown", "the level")
    elif handlers and all(isinstance(handler, logging.NullHandler) for handler in handlers):
        yield _invisible(section, "the only handler shows nothing (NullHandler)", "the handlers")
    else:
        where = "by Python's own last resort, on standard error" if not handlers else f"by {len(handlers)} handler(s)"
        yield fine(section, "refusals", f"are shown {where}, at level WARNING")


def _handlers(logger: logging.Logger) -> list[logging.Handler]:
    handlers: list[logging.Handler] = []
    current: logging.Logger | None = logger
    while current is not None:
        handlers += current.handlers
        current = current.parent if current.propagate else None
    return handlers


def _invisible(section: str, text: str, what: str) -> Finding:
    return Finding(
        code="log_invisible",
        section=section,
        name="refusals",
        severity=Severity.WARNING,
        text=f"would not be seen: {text}",
        cure=f"API: look at {what} in the logging configuration; the logger is called m2mguard, and refusals are WARNING.",
        diagnosis="The log hides why requests are refused.",
    )


def check_proxy(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Name the variables that send requests to a proxy, without a password that may be in them."""
    for name in _PROXY_VARIABLES:
        value = environ.get(name)
        if value and name.upper() != "NO_PROXY":
            yield Finding(
                section="Network",
                name="proxy",
                severity=Severity.NOTE,
                text=f"{name} is {quoted(_without_password(value))}",
            )
        elif value:
            yield fine("Network", "proxy", f"{name} is {quoted(value)}")


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
        return parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}").geturl() if "@" in parts.netloc else url
    except ValueError:
        return "not a URL"
