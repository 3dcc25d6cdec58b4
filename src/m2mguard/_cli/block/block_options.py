"""The options of `m2mguard block`, and what they say."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from m2mguard._cli.command_setup import add_settings_options, parse_time, read_setup
from m2mguard._setting_text import read_setting
from m2mguard._token.base64url import base64url_decode
from m2mguard.blocklist._block import Block
from m2mguard.blocklist._named import blocklist_named
from m2mguard.blocklist._watched import Blocklist
from m2mguard.errors import ConfigurationError

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"(\d{1,6})([smhd])")
_SUBJECTS: Final = {
    "app_id": ("--app-id", "an application, by its App ID"),
    "token_id": ("--token-id", "one token, by its jti"),
    "key_id": ("--key", "all tokens that a key has signed, by its kid or its thumbprint"),
    "organization": ("--organization", "all tokens of an organization"),
}
_HELP: Final = """\
Refuse an application, a token, a key or an organization at once, although its tokens are good, and show which processes know it.
"""
_EPILOG: Final = """\
The list is that of M2MGUARD_BLOCKLIST, a file or a Valkey server, whose secret key is M2MGUARD_BLOCKLIST_KEY.
Exit status: 0 done, 1 not known everywhere (or nothing to remove), 2 wrong usage, 3 the list cannot be read or written.
"""


def add_block_options(parser: argparse.ArgumentParser) -> None:
    """Add the four sub-commands."""
    parser.description, parser.epilog = _HELP, _EPILOG
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="block something from now on", allow_abbrev=False)
    _add_subjects(add)
    add.add_argument(
        "--reason", required=True, metavar="TEXT", help="why, for the log of the APIs; callers never see it"
    )
    until = add.add_mutually_exclusive_group()
    until.add_argument(
        "--for",
        dest="duration",
        type=_duration,
        default=86_400,
        metavar="TIME",
        help="how long, such as 30m, 12h or 7d; default 24h",
    )
    until.add_argument("--until", type=parse_time, metavar="TIME", help="until when: ISO 8601, or seconds since 1970")
    add.add_argument(
        "--issued-before",
        type=_time_or_now,
        metavar="TIME",
        help="only tokens that were issued before: a time, or 'now', after a secret was replaced",
    )
    remove = actions.add_parser("remove", help="end what was blocked", allow_abbrev=False)
    _add_subjects(remove)
    show = actions.add_parser("list", help="show what is blocked", allow_abbrev=False)
    status = actions.add_parser("status", help="show which processes know the list", allow_abbrev=False)
    for action in (add, remove):
        action.add_argument(
            "--wait",
            type=_duration,
            default=5,
            metavar="TIME",
            help="how long to wait until all processes know it; default 5s",
        )
    for action in (add, remove, show, status):
        action.add_argument("--list", metavar="FILE|URL", help="the block list: a file, or the URL of a Valkey server")
        action.add_argument(
            "--key-file", metavar="FILE", help="the file that has the secret key of a list in Valkey, in base64url"
        )
        action.add_argument("--json", action="store_true", help="print the same as JSON, for programs")
        add_settings_options(action)


def blocklist_from(options: argparse.Namespace, environ: Mapping[str, str]) -> Blocklist:
    """The list that is meant, by options, variables or code.

    Raises:
        ConfigurationError: none is named, or its key is missing.
    """
    name = options.list or (environ.get("M2MGUARD_BLOCKLIST", "").strip() if options.app is None else "")
    if not name and options.app is not None:
        found = read_setup(options, environ, needs_audience=False).settings.blocklist
        if found is not None:
            return found
    if not name:
        raise ConfigurationError(
            "no block list is named: give --list, or set M2MGUARD_BLOCKLIST to a file or the URL of a Valkey server."
        )
    return blocklist_named(name, key=_key(options, environ) if "://" in name else None)


def block_from_options(options: argparse.Namespace, environ: Mapping[str, str], *, now: float) -> Block:
    """The entry that is meant. Raises ConfigurationError."""
    subject = {name: getattr(options, name) for name in _SUBJECTS if getattr(options, name) is not None}
    more: dict[str, Any] = {"reason": "removed", "expires_at": now + 1}
    if options.action == "add":
        more = {
            "reason": options.reason,
            "expires_at": now + options.duration if options.until is None else options.until,
            "issued_before": options.issued_before,
            "added_at": round(now),
        }
        if more["expires_at"] <= now:
            raise ConfigurationError("--until is in the past, so nothing would be blocked.")
    return Block(issuer=_issuer(options, environ), **subject, **more)


def _issuer(options: argparse.Namespace, environ: Mapping[str, str]) -> str:
    others = {name: value for name, value in environ.items() if not name.startswith("M2MGUARD_BLOCKLIST")}
    issuers = read_setup(options, others, needs_audience=False).settings.issuers
    if len(issuers) != 1:
        raise ConfigurationError(
            f"give --issuer, one of {', '.join(one.url for one in issuers)}: an id means something within one issuer only."
        )
    return issuers[0].url


def _key(options: argparse.Namespace, environ: Mapping[str, str]) -> bytes | None:
    shown, given = "M2MGUARD_BLOCKLIST_KEY", environ.get("M2MGUARD_BLOCKLIST_KEY", "")
    if options.key_file is not None:
        shown = f'the file "{options.key_file}"'
        try:
            given = Path(options.key_file).read_text("ascii")
        except (OSError, ValueError):
            raise ConfigurationError(f"{shown} cannot be read as text.") from None
    return read_setting(shown, _key_bytes, given) if given.strip() else None


def _key_bytes(given: str) -> bytes:
    try:
        return base64url_decode(given.strip().rstrip("="))
    except ValueError:
        raise ConfigurationError("give the secret bytes in base64url.") from None


def _add_subjects(parser: argparse.ArgumentParser) -> None:
    subjects = parser.add_mutually_exclusive_group(required=True)
    for name, (option, text) in _SUBJECTS.items():
        subjects.add_argument(option, dest=name, metavar="ID", help=text)


def _duration(given: str) -> float:
    found = _DURATION.fullmatch(given.strip())
    if found is None:
        raise argparse.ArgumentTypeError("give a number with s, m, h or d, such as 30m or 12h")
    return int(found[1]) * _UNITS[found[2]]


def _time_or_now(given: str) -> float:
    return time.time() if given == "now" else parse_time(given)
