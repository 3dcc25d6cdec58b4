"""Text that an issuer sent, made safe for errors and logs: one short line of printable ASCII, without secrets and tokens. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

MAX_LENGTH = 200
REDACTED = "[redacted]"
_SHORT = 8  # a secret of fewer characters also occurs inside ordinary words, so it is looked for as a whole word only
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
_RUN = re.compile(r"[A-Za-z0-9\-._~+/=!%]{8,}")  # what a token may consist of
_TOKEN_LENGTH = 16  # and no shorter
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)  # traces, directories, applications
_MIXED = re.compile(r"(?=.*[0-9]).*[A-Za-z]")


def safe_text(text: str, *, secrets: Collection[str] = (), known: Collection[str] = (), most: int = MAX_LENGTH) -> str:
    """Return the text as one line of printable ASCII, cut to `most` characters. Secrets and whatever looks like a token are left out.

    Args:
        text: what the issuer sent.
        secrets: every form of our own secrets.
        known: values that we sent and that are no secrets, such as the client id; they are shown although they may look like tokens.
        most: the most characters.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) < _SHORT:
            pattern = rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])"
        else:  # an issuer may have wrapped it, or changed the white space in it
            pattern = r"\s*".join(re.escape(char) for char in secret if not char.isspace()) or re.escape(secret)
        text = re.sub(pattern, REDACTED, text, flags=re.IGNORECASE)
    line = _NOT_PRINTABLE.sub(lambda odd: odd[0].encode("unicode_escape").decode("ascii"), " ".join(text.split()))
    line = _RUN.sub(lambda run: REDACTED if _is_secret(run[0], secrets, known) else run[0], line)
    return line if len(line) <= most else f"{line[: most - 3]}..."


def _is_secret(run: str, secrets: Collection[str], known: Collection[str]) -> bool:
    """Tell whether a run of characters is a piece of a secret, such as one that was cut, or may be a token."""
    bare = run.strip(".")
    if any(bare in value for value in known):
        return False
    if len(bare) >= _SHORT and any(bare in secret for secret in secrets):
        return True
    return len(run) >= _TOKEN_LENGTH and _is_like_a_token(run, known)


def _is_like_a_token(run: str, known: Collection[str]) -> bool:
    """Tell whether a run may be a token: a JWT, dotted parts that all mix letters and digits, or a long such part."""
    for value in known:
        run = run.replace(value, "") if len(value) >= _SHORT else run
    for piece in _UUID.sub("", run).split("/"):
        parts = piece.split(".")
        mixed = [part for part in parts if _MIXED.match(part)]
        if any(len(part) >= 16 for part in mixed) or (len(piece) >= 16 and len(mixed) == len(parts) > 1):
            return True
    return "eyJ" in run
